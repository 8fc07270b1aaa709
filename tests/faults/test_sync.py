"""`convend sync`: several machines through a git repository. Nothing is lost, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from convend_tui.errors import Locked
from convend_tui.store import blobs
from convend_tui.store import sync as sync_module
from convend_tui.store.partial import Checkpoint
from convend_tui.store.sync import sync
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.faults.syncing import Machine, bare, git, in_step, needs_git, nobodys_settings, pair_in, shared
from tests.making import SETTINGS, header

ROOT = Path(__file__).parents[2]
pytestmark = needs_git


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys_settings(tmp_path, monkeypatch)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Machine, Machine]:
    """Two machines that have synced once."""
    return pair_in(tmp_path)


# Two machines


def test_a_thread_continued_on_both_machines_becomes_two_branches(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    here, there = one.say(thread_id, "and hares?"), two.say(thread_id, "and owls?")
    sent = one.sync()
    assert (sent.sent_threads, len(sent.received.threads)) == (1, 0)
    merged = two.sync()
    assert (merged.sent_threads, len(merged.received.threads)) == (1, 1)
    assert len(one.sync().received.threads) == 1
    for machine in pair:
        assert set(machine.open(thread_id).thread.children("m0002")) == {here, there}
    assert one.lines(thread_id) == two.lines(thread_id)
    assert in_step(one, two)


def test_both_machines_may_have_had_threads_before(tmp_path: Path) -> None:
    remote = bare(tmp_path / "remote.git")
    one, two = Machine(tmp_path / "one", remote), Machine(tmp_path / "two", remote)
    names = {one.new("on one"), two.new("on two")}
    one.begin()
    two.begin()
    one.sync()
    assert set(one.library.ids()) == set(two.library.ids()) == names
    assert in_step(one, two)


def test_a_lock_made_on_one_machine_holds_on_the_other_where_the_thread_is_open(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    open_there = two.open(thread_id)
    handle = one.open(thread_id)
    handle.append_now([r.Ended(at=handle.now(), message="m0002", cause="persistent_abuse", explanation="Enough.")])
    one.sync()
    two.sync()

    def rule(thread: Thread) -> None:
        lock.require(lock.may_send(thread, "m0002"))

    with pytest.raises(Locked):
        open_there.append_now([r.Leaf(at=open_there.now(), message="m0002")], rule)
    assert in_step(one, two)


def test_a_thread_named_on_both_machines_has_one_name(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    for machine, name in ((one, "Foxes"), (two, "Vulpes")):
        handle = machine.open(thread_id)
        handle.append_now([r.Title(at=handle.now(), title=name)])
    assert in_step(one, two)
    assert one.open(thread_id).thread.title == two.open(thread_id).thread.title == "Vulpes"


def test_the_thread_used_last_is_not_the_one_that_came_last(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    old = shared(pair)
    one.say(old, "of yesterday")
    one.sync()
    newest = two.new("the last words")
    two.sync()
    assert two.library.ids()[0] == newest


# The trash


def test_what_is_thrown_away_on_one_is_in_the_trash_of_the_other_and_comes_back_on_both(
    pair: tuple[Machine, Machine],
) -> None:
    one, two = pair
    thread_id = shared(pair)
    lines = one.lines(thread_id)
    one.library.trash(thread_id)
    one.sync()
    assert two.sync().received.trashed == {thread_id}
    assert two.library.ids() == [] and two.lines(thread_id, "trash") == lines
    two.library.untrash(thread_id)
    two.sync()
    assert one.sync().received.restored == {thread_id}
    assert one.lines(thread_id) == lines and one.library.trashed_ids() == []
    assert in_step(one, two)


@pytest.mark.parametrize("thrower", [0, 1])
@pytest.mark.parametrize("first", [0, 1])
def test_what_is_thrown_away_on_one_and_continued_on_the_other_stays_with_all_lines(
    pair: tuple[Machine, Machine], thrower: int, first: int
) -> None:
    thread_id = shared(pair)
    pair[thrower].say(thread_id, "before it went")
    pair[thrower].library.trash(thread_id)
    pair[1 - thrower].say(thread_id, "I go on")
    wanted = pair[thrower].lines(thread_id, "trash") | pair[1 - thrower].lines(thread_id)
    pair[first].sync()
    pair[1 - first].sync()
    assert in_step(*pair)
    assert all(machine.lines(thread_id) == wanted and not machine.library.trashed_ids() for machine in pair)


def test_a_mere_visit_does_not_bring_a_thread_back(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    one.library.trash(thread_id)
    handle = two.open(thread_id)
    handle.append_now([r.Leaf(at=handle.now(), message="m0001")])
    assert in_step(one, two)
    assert one.library.trashed_ids() == two.library.trashed_ids() == [thread_id]
    assert b'"leaf"' in b"".join(one.lines(thread_id, "trash"))


def test_a_thread_that_is_being_written_while_the_sync_runs_does_not_go_to_the_trash(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    thread_id = shared(pair)
    one.library.trash(thread_id)
    one.sync()
    fetch = sync_module.fetch

    def written_meanwhile(*given: object) -> object:
        two.say(thread_id, "just now")
        return fetch(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sync_module, "fetch", written_meanwhile)
        (note,) = two.sync().received.notes
    assert "somebody is writing to it here: it stays" in note
    assert in_step(one, two)
    assert "just now" in one.file(thread_id).read_text()


def test_a_thread_that_waits_for_its_answer_does_not_go_to_the_trash(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    one.library.trash(thread_id)
    one.sync()
    now = "2026-11-22T12:00:00.000Z"
    answer = r.Message(at=now, id="x", parent="m0001", role="assistant", content=[], kind="reply")
    checkpoint = Checkpoint(two.paths.partial, thread_id, "x")
    checkpoint.write(answer)
    (note,) = two.sync().received.notes
    assert "it stays" in note and two.library.ids() == [thread_id]
    checkpoint.close()
    assert in_step(one, two)
    assert one.library.ids() == [thread_id]


def test_a_file_that_was_deleted_by_hand_comes_back(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    lines = one.lines(thread_id)
    one.file(thread_id).unlink()
    one.sync()
    assert one.lines(thread_id) == lines
    shutil.rmtree(two.root / "threads")
    assert in_step(one, two)
    assert two.lines(thread_id) == lines


def test_a_file_that_lost_its_end_gets_it_back(pair: tuple[Machine, Machine]) -> None:
    one, _ = pair
    thread_id = shared(pair)
    lines = one.lines(thread_id)
    data = one.file(thread_id).read_bytes()
    os.truncate(one.file(thread_id), data.index(b"\n") + 20)
    one.sync()
    assert one.lines(thread_id) == lines


# What goes, and what does not


def test_attachments_go_along_and_a_damaged_one_is_mended(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    one, two = pair
    shared(pair)
    (tmp_path / "note.txt").write_bytes(b"line\r\nline\n")
    sha256 = blobs.attach(one.paths, tmp_path / "note.txt")["source"]["sha256"]
    assert one.sync().sent_attachments == 1
    assert two.sync().received.attachments == 1
    assert blobs.load(two.paths, sha256) == b"line\r\nline\n"
    assert (two.paths.blobs / sha256).stat().st_mode & 0o777 == 0o600
    (two.paths.blobs / sha256).write_bytes(b"rotten")
    two.sync()
    assert in_step(one, two)
    assert blobs.load(two.paths, sha256) == b"line\r\nline\n"


def test_nothing_but_threads_and_attachments_leaves_the_machine(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    (one.root / "config.toml").write_text("key = 'sk-ant-secret'")
    (one.root / "models").mkdir()
    (one.root / "models" / "weights.gguf").write_bytes(b"x")
    (one.root / "threads").mkdir(exist_ok=True)
    thread_id = one.new()
    for name in (".hidden.jsonl", f"{thread_id}.sync-conflict-20261122-120000-ABCDEFG.jsonl", "notes.txt"):
        (one.root / "threads" / name).write_bytes(one.file(thread_id).read_bytes())
    (one.root / "threads" / "20261122T000000-ffffffff.jsonl").write_text("not a thread\n")
    assert [sentence.split(" ")[0] for sentence in one.sync().left_out] == [
        f"threads/{thread_id}.sync-conflict-20261122-120000-ABCDEFG.jsonl",
        "threads/20261122T000000-ffffffff.jsonl",
    ]
    assert one.tracked() == {".gitattributes", ".gitignore", f"threads/{thread_id}.jsonl"}
    # Nor does it where the person uses git by hand.
    git(one.root, "add", "--all", ".")
    added = set(git(one.root, "diff", "--cached", "--name-only", "main").splitlines())
    assert {Path(path).parts[0] for path in added} <= {"threads"}
    secret = subprocess.run(["grep", "-r", "sk-ant-secret", str(one.remote)], capture_output=True, check=False)
    assert secret.stdout == b""
    git(one.root, "reset", "-q")
    assert two.sync().received.threads == {thread_id}


def test_nothing_but_threads_and_attachments_is_let_in(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    one, _ = pair
    thread_id = shared(pair)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(one.remote), "clone")
    evil = r.encode(header(SETTINGS, id="other"))
    for name in ("config.toml", "state/drafts/x", "threads/sub/x.jsonl", "threads/-x.jsonl", "threads/wrong.jsonl"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes(evil)
    (clone / "blobs").mkdir()
    (clone / "blobs" / ("0" * 64)).write_bytes(b"not what it says")
    (clone / "threads" / "link.jsonl").symlink_to("/etc/passwd")
    git(clone, "add", "-f", ".")
    git(clone, "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x")
    git(clone, "push", "-q", "origin", "HEAD:main")
    before = {file for file in one.root.rglob("*") if ".git" not in file.parts}
    done = sync(one.paths)
    after = {file for file in one.root.rglob("*") if ".git" not in file.parts}
    assert {file.name for file in after - before} <= {"wrong.lock"}
    assert [sentence.split(" came ")[0] for sentence in done.received.failed][1:] == ["threads/wrong.jsonl"]
    assert "An attachment that came is damaged" in done.received.failed[0]
    # What the person keeps there besides is left alone.
    one.say(thread_id, "more")
    sync(one.paths)
    assert "config.toml" in one.tracked()


def test_the_persons_settings_of_git_change_no_byte(
    pair: tuple[Machine, Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "pre-push", "post-commit", "post-index-change", "pre-auto-gc", "pre-merge-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\nexit 1\n")
        (hooks / name).chmod(0o700)
    (tmp_path / "attributes").write_text("* text eol=crlf filter=evil merge=evil\n")
    (tmp_path / "gitconfig").write_text(
        "[core]\n\tautocrlf = true\n\teol = crlf\n\tsafecrlf = true\n"
        f"\thooksPath = {hooks}\n\tattributesFile = {tmp_path / 'attributes'}\n\tfsmonitor = touch {tmp_path}/ran\n"
        "[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n[pull]\n\trebase = true\n[fetch]\n\tprune = true\n"
        f'[filter "evil"]\n\tclean = touch {tmp_path}/ran\n\tsmudge = touch {tmp_path}/ran\n\trequired = true\n'
        f'[merge "evil"]\n\tdriver = touch {tmp_path}/ran\n[user]\n\tname = "A <b> C"\n\temail = a@example.org\n'
    )
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    thread_id = one.new("with\r\nreturns")
    blob = blobs.attach_bytes(one.paths, "n.txt", b"a\r\nb\n")["source"]["sha256"]
    one.sync()
    two.sync()
    two.say(thread_id, "x")
    one.say(thread_id, "y")
    two.sync()
    one.sync()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.delenv(name)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "elsewhere").exists()
    assert blobs.load(two.paths, blob) == b"a\r\nb\n"
    assert git(one.root, "log", "-1", "--format=%an %ae", "main") == "A b C a@example.org"
    (tmp_path / "gitconfig").unlink()
    assert in_step(one, two)


def test_line_ends_that_another_program_changed_are_no_other_lines(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    lines = one.lines(thread_id)
    changed = one.file(thread_id).read_bytes().replace(b"\n", b"\r\n")
    one.file(thread_id).write_bytes(changed)
    name = two.say(thread_id, "on")
    two.sync()
    one.sync()
    two.sync()
    assert one.file(thread_id).read_bytes().startswith(changed)
    assert len(one.lines(thread_id)) == len(lines) + 1
    assert name in one.open(thread_id).thread.messages
    assert two.lines(thread_id) > lines and len(two.lines(thread_id)) == len(lines) + 1


def test_a_torn_line_is_not_sent_and_a_whole_one_without_its_newline_is(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    lines = one.lines(thread_id)
    leaf = r.encode(r.Leaf(at="2026-11-22T12:00:00.000Z", message="m0001")).rstrip(b"\n")
    file = one.file(thread_id)
    before = file.read_bytes()
    file.write_bytes(before + leaf[:-9])
    one.sync()
    assert file.read_bytes() == before + leaf[:-9]
    two.sync()
    assert two.lines(thread_id) == lines
    file.write_bytes(before + leaf)
    one.sync()
    two.sync()
    assert two.lines(thread_id) == lines | {leaf}
    one.say(thread_id, "on")
    assert in_step(one, two)


# The command


@pytest.fixture
def convend(pair: tuple[Machine, Machine]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environ = os.environ | {"CONVEND_HOME": str(pair[0].root), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "convend_tui", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_the_command_says_what_came_of_it(
    pair: tuple[Machine, Machine], convend: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    one, two = pair
    mine, theirs = one.new(), two.new()
    two.library.trash(shared(pair))
    two.sync()
    done = convend("sync", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert set(told) == {"remote", "sent", "received", "trashed", "restored", "notes", "failed"}
    assert told["remote"] == str(one.remote) and len(told["trashed"]) == 1
    assert {mine, theirs} <= set(one.library.ids())
    done = convend("sync")
    assert (done.returncode, done.stdout) == (0, f"In step with {one.remote}: nothing was new.\n")
    two.new()
    two.sync()
    assert convend("sync").stdout == f"In step with {one.remote}: 1 thread received.\n"
    (one.root / ".git" / "MERGE_HEAD").touch()
    failed = convend("sync")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("convend: A merge is going on in ") and failed.stderr.count("\n") == 1
