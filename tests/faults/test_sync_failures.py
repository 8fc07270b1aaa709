"""Every failure of git is a clear sentence and leaves both sides whole; the next sync goes on from there."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import filelock
import pytest

from convend_tui.errors import SyncError
from convend_tui.store.git_talk import said
from convend_tui.store.sync import sync
from tests.faults.syncing import GIT, Case, Machine, bare, fake_git, git, needs_git, nobodys_settings

pytestmark = needs_git


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys_settings(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that each case begins with."""
    root = tmp_path_factory.mktemp("machines")
    one, two = Machine(root / "one", bare(root / "remote.git")), Machine(root / "two", root / "remote.git")
    thread = one.new()
    one.begin()
    two.begin()
    one.say(thread, "new on one")
    two.say(thread, "new on two")
    two.sync()
    return root


@pytest.fixture
def case(template: Path, tmp_path: Path) -> Case:
    return Case(template, tmp_path)


def test_there_is_no_git(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(case.root))
        assert case.fails() == "git is not installed, or not in PATH. Install it, and sync again."
    case.goes_on()


def test_nothing_was_set_up(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "fresh", tmp_path / "remote.git")
    with pytest.raises(SyncError, match=r"nothing to sync with yet.* `convend sync --init REMOTE` on each"):
        machine.sync()
    assert not (machine.root / ".git").exists()


@pytest.mark.parametrize(
    ("remote", "sentence"),
    [
        ("{root}/nowhere.git", "There is no git repository at {root}/nowhere.git"),
        ("http://127.0.0.1:9/x.git", "The remote http://127.0.0.1:9/x.git cannot be reached"),
        ("-oProxyCommand=touch", "is not the address of a git repository"),
        ("", "is not the address of a git repository"),
        ("a\nb", "is not the address of a git repository"),
        ("{root}/new", "must be another repository than the data folder's own"),
        ("ext::sh -c touch% {root}/ran", "git cannot use the remote ext::sh"),
        ("nosuch://x/y", "git cannot use the remote nosuch://x/y"),
    ],
)
def test_a_remote_that_is_none_is_not_taken(tmp_path: Path, remote: str, sentence: str) -> None:
    machine = Machine(tmp_path / "new", tmp_path)
    machine.new()
    before = machine.everything()
    with pytest.raises(SyncError) as caught:
        sync(machine.paths, remote.format(root=tmp_path))
    assert sentence.format(root=tmp_path) in str(caught.value)
    assert machine.everything() == before
    assert not list(machine.root.glob(".*git*")) and not (tmp_path / "ran").exists()
    bare(tmp_path / "remote.git")
    assert sync(machine.paths, str(tmp_path / "remote.git")).sent_threads == 1


@pytest.mark.parametrize("branch", ["main", "master"])
def test_a_repository_of_something_else_is_left_alone(case: Case, branch: str) -> None:
    other = case.root / "work"
    other.mkdir()
    git(other, "init", "-q", f"--initial-branch={branch}")
    (other / "program.c").write_text("int main;")
    git(other, "add", ".")
    git(other, "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x")
    head = git(other, "rev-parse", branch)
    for machine in (case.one, Machine(case.root / "fresh", other)):
        with pytest.raises(SyncError, match=r"holds something else than threads of convend. Nothing was changed there"):
            sync(machine.paths, str(other))
    assert git(other, "for-each-ref", "--format=%(refname)") == f"refs/heads/{branch}"
    assert git(other, "rev-parse", branch) == head
    assert not (case.root / "fresh" / ".git").exists()
    # The machine that had synced before keeps its remote.
    case.goes_on()


def test_the_remote_can_be_moved(case: Case) -> None:
    new = bare(case.root / "new.git")
    sync(case.one.paths, str(new))
    shutil.rmtree(case.remote)
    sync(case.two.paths, str(new))
    case.goes_on()


def test_a_repository_of_the_persons_in_the_data_folder_is_left_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "one", bare(tmp_path / "remote.git"))
    machine.new()
    git(machine.root, "init", "-q")
    files = {file: file.read_bytes() for file in (machine.root / ".git").rglob("*") if file.is_file()}
    for init in (None, str(machine.remote)):
        with pytest.raises(SyncError, match=r"There is a git repository in .* that convend did not make"):
            sync(machine.paths, init)
    assert {file: file.read_bytes() for file in (machine.root / ".git").rglob("*") if file.is_file()} == files
    shutil.rmtree(machine.root / ".git")
    (machine.root / ".git").write_text("gitdir: elsewhere\n")
    with pytest.raises(SyncError, match="that convend did not make"):
        machine.sync()


def test_the_remote_is_gone(case: Case) -> None:
    away = case.remote.rename(case.root / "away")
    case.remote = away
    assert case.fails().startswith(f"There is no git repository at {case.one.remote}.")
    away.rename(case.one.remote)
    case.goes_on()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("rebase-merge", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
    ],
)
def test_something_else_is_going_on_in_the_repository(case: Case, name: str, what: str) -> None:
    (case.one.root / ".git" / name).mkdir()
    sentence = case.fails()
    assert sentence.startswith(f"A {what} is going on in ") and f"`git {what} --abort`" in sentence
    (case.one.root / ".git" / name).rmdir()
    case.goes_on()


def test_another_branch(case: Case) -> None:
    git(case.one.root, "symbolic-ref", "HEAD", "refs/heads/mine")
    assert "is not on its branch main but on refs/heads/mine" in case.fails()
    git(case.one.root, "symbolic-ref", "HEAD", "refs/heads/main")
    case.goes_on()


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "index.lock", "config.lock"])
def test_a_lock_file_of_git_was_left_by_a_crash(case: Case, name: str) -> None:
    left = case.one.root / ".git" / name
    left.touch()
    assert f"delete {left}, and sync again" in case.fails()
    left.unlink()
    case.goes_on()


def test_another_sync_is_running(case: Case) -> None:
    with filelock.FileLock(case.one.paths.locks / "sync.lock"):
        assert case.fails().startswith("Another sync is running.")
    case.goes_on()


@pytest.mark.parametrize(
    ("command", "says", "sentence"),
    [
        ("fast-import", "fatal: write error: No space left on device", "The disk is full."),
        ("fast-import", "fatal: cannot create: Read-only file system", "The disk is read-only."),
        ("fast-import", "fatal: something new went wrong", "git fast-import failed: something new went wrong."),
        ("fast-import", "", "git fast-import failed: it did not say why."),
        ("update-ref", "fatal: Unable to create 'x/main.lock': File exists.", "Another git program is at work"),
        ("fetch", "fatal: write error: No space left on device", "The disk is full."),
        ("fetch", "fatal: sha1 file '<stdout>' write error. Out of diskspace", "The disk is full."),
        ("update-ref", "error: couldn't write 'x/main.lock'", "the disk may be full"),
        ("fetch", "ssh: Could not resolve hostname h: x\nfatal: Could not read from remote", "cannot be reached"),
        ("fetch", "git@h: Permission denied (publickey).\nfatal: Could not read from", "does not let you in"),
        ("fetch", "Host key verification failed.\nfatal: Could not read from remote", "is not known to ssh"),
        ("fetch", "fatal: the remote end hung up unexpectedly", "The connection to the remote"),
        ("fetch", "error: cannot run ssh: No such file or directory\nfatal: unable to fork", "cannot run ssh"),
        ("fetch", "fatal: unable to access 'x': SSL certificate problem: expired", "No safe connection"),
        ("fetch", "fatal: detected dubious ownership in repository at 'x'", "belongs to another user"),
        ("push", "remote: fatal: write error: No space left on device", "The disk of the remote is full."),
        ("push", "error: RPC failed; HTTP 403\nfatal: the remote end hung up", "does not let you in"),
        ("push", "fatal: \x1b[31mevil\x1b]0;x\x07", "git push failed"),
    ],
)
def test_what_git_says_becomes_a_sentence(
    case: Case, monkeypatch: pytest.MonkeyPatch, command: str, says: str, sentence: str
) -> None:
    folder = fake_git(case.root / "bin", command, says, 128)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        assert sentence in case.fails(in_step_here=command != "push")
    case.goes_on()


class _Refusing(BaseHTTPRequestHandler):
    """A server that wants a password."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *given: object) -> None:
        """Nothing is told."""


@pytest.fixture
def wants_a_password() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}/x.git"
    server.shutdown()
    thread.join()
    server.server_close()


def test_nobody_is_asked_for_a_password_and_none_is_shown(case: Case, wants_a_password: str) -> None:
    assert "does not let you in" in case.fails(init=f"http://{wants_a_password}")
    sentence = case.fails(init=f"http://me:hunter2@{wants_a_password}")
    assert "does not let you in" in sentence and "hunter2" not in sentence
    case.goes_on()


def test_ssh_asks_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = case.root / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(
        f"#!/bin/sh\necho \"$@\" > '{case.root}/asked'\necho 'Permission denied (publickey).' >&2\nexit 255\n"
    )
    (folder / "ssh").chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        assert "does not let you in" in case.fails(init="git@host.invalid:me/chats.git")
    assert "-o BatchMode=yes" in (case.root / "asked").read_text()
    case.goes_on()


def _ssh_is(case: Case, patch: pytest.MonkeyPatch, does: str) -> None:
    """An ssh of the person's own."""
    script = case.root / "my-ssh"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o700)
    patch.setenv("GIT_SSH_COMMAND", str(script))


def test_a_remote_that_falls_silent_is_given_up(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    held = case.root / "held"
    os.mkfifo(held)
    with monkeypatch.context() as patch, os.fdopen(os.open(held, os.O_RDONLY | os.O_NONBLOCK), "rb") as alive:
        patch.setattr("convend_tui.store.git.PATIENCE", 0.3)
        _ssh_is(case, patch, f"exec 9> '{held}'\nsleep 60")
        assert "does not answer: nothing came for" in case.fails(init="ssh://host.invalid/chats.git")
        # Of what git had started nothing goes on.
        assert select.select([alive], [], [], 10)[0] and alive.read() == b""
    assert not list(case.one.root.glob(".convend-git-*"))
    case.goes_on()


def test_a_remote_that_is_slow_and_goes_on_is_waited_for() -> None:
    """However long it takes in all."""
    talks = "for i in 1 2 3 4 5 6 7 8; do echo working >&2; sleep 0.4; done; echo done"
    process = subprocess.Popen(
        ["sh", "-c", talks], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert said(process, 3.0) == (b"done\n", b"working\n" * 8)


def test_a_persons_own_ssh_has_no_terminal_to_ask_at(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried with a terminal there is: a password could be asked for there."""
    _ssh_is(case, monkeypatch, "printf 'Password: ' > /dev/tty && read answer < /dev/tty\nexit 255")
    environ = os.environ | {"CONVEND_HOME": str(case.one.root)}
    words = [sys.executable, "-m", "convend_tui", "sync", "--init", "ssh://host.invalid/chats.git"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, words, environ)
    said = b""
    with suppress(OSError), open(terminal, "rb", buffering=0) as screen:  # noqa: PTH123
        while b"Password" not in said and (piece := screen.read(1024)):
            said += piece
    _, status = os.waitpid(pid, 0)
    assert b"Password" not in said
    assert os.waitstatus_to_exitcode(status) == 1 and b"convend: " in said
    monkeypatch.undo()


@pytest.mark.parametrize("broken", ["[core\nrubbish", "[core]\n\tcompression = rubbish\n"])
def test_settings_of_the_persons_that_git_cannot_read_are_no_damage(case: Case, broken: str) -> None:
    """Nobody is told to move a repository away that is well."""
    settings = case.root / "gitconfig"
    settings.write_text(broken)
    with pytest.raises(SyncError, match=r"^git cannot read its settings: bad .* Mend them, and sync again\.$"):
        sync(case.one.paths)
    settings.unlink()
    case.goes_on()


def test_no_setting_opens_the_repository_to_others(case: Case) -> None:
    (case.root / "gitconfig").write_text("[core]\n\tsharedRepository = 0666\n")
    shutil.rmtree(case.one.root / ".git")
    case.one.begin()
    assert not [file for file in (case.one.root / ".git").rglob("*") if file.stat().st_mode & 0o077]


def test_the_remote_refuses_what_is_sent(case: Case) -> None:
    hook = case.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'Only on Mondays' >&2\nexit 1\n")
    hook.chmod(0o700)
    sentence = case.fails(in_step_here=False)
    assert "did not take what is new here" in sentence and "Only on Mondays" in sentence
    hook.unlink()
    case.goes_on()


def test_the_remote_moves_all_the_time(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convend_tui.store.sync.time.sleep", lambda seconds: None)
    with monkeypatch.context() as patch:
        patch.setattr("convend_tui.store.sync._Sync._push", lambda *given: False)
        assert case.fails(in_step_here=False).startswith("The remote moved on all the time.")
    case.goes_on()


def _emptied(folder: Path) -> None:
    for file in (folder / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"")


def _without_objects(folder: Path) -> None:
    shutil.rmtree(folder / "objects")
    (folder / "objects").mkdir()


def _without_settings(folder: Path) -> None:
    (folder / "config").unlink()


def _bad_ref(folder: Path) -> None:
    (folder / "refs" / "heads" / "main").write_text("rubbish\n")


def _bad_head(folder: Path) -> None:
    (folder / "HEAD").write_bytes(b"\0" * 21)


@pytest.mark.parametrize("harm", [_emptied, _without_objects, _without_settings, _bad_ref, _bad_head])
def test_a_damaged_repository_is_told_and_made_anew(case: Case, harm: Callable[[Path], None]) -> None:
    harm(case.one.root / ".git")
    sentence = case.fails()
    assert "is damaged. Your threads are not: move .git away and say `convend sync --init REMOTE`" in sentence
    shutil.move(case.one.root / ".git", case.root / "old")
    case.one.begin()
    case.goes_on()


def test_a_remote_that_was_set_back_or_emptied_is_filled_again(case: Case) -> None:
    case.one.sync()
    first = git(case.remote, "rev-list", "--max-parents=0", "main").splitlines()[0]
    git(case.remote, "update-ref", "refs/heads/main", first)
    case.goes_on()
    git(case.remote, "update-ref", "-d", "refs/heads/main")
    case.goes_on()


def test_git_is_never_told_to_force(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = case.root / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho \"$@\" >> '{case.root}/calls'\nexec '{GIT}' \"$@\"\n")
    (folder / "git").chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        case.one.sync()
    calls = (case.root / "calls").read_text().split()
    assert "push" in calls
    assert "--no-write-fetch-head" not in calls  # git has it since 2.29
    assert not {"--force", "-f", "--force-with-lease", "--mirror", "checkout", "reset", "rebase", "clean"} & set(calls)
