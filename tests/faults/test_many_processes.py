"""Many processes at two homes that sync, other programs among them, and what a model says must be there in the end.

`CONVEND_FAULTS=all` plays it long, against a server and with a screen; without it, a few seconds of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from convend_tui import cli
from convend_tui.errors import SyncError
from convend_tui.exchange.importing import import_files
from convend_tui.store import conflicts
from convend_tui.store import git as git_module
from convend_tui.store.log import LogFile
from convend_tui.store.sync import sync
from convend_tui.store.sync_folder import Folder
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.faults.playing import Play
from tests.faults.syncing import (
    Machine,
    bare,
    copied,
    git,
    needs_git,
    nobodys_settings,
    pair_in,
    shared,
)
from tests.making import SETTINGS

ALL = os.environ.get("CONVEND_FAULTS") == "all"
COPY = ".sync-conflict-20261122-101112-ABCDEFG"
pytestmark = needs_git


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines that have a thread in common."""
    root = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        nobodys_settings(root, patch)
        shared(pair_in(root))
    return root


@pytest.fixture
def pair(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Machine]:
    """The same, for a test of its own."""
    nobodys_settings(tmp_path, monkeypatch)
    return copied(template, tmp_path)


def thread_of(pair: tuple[Machine, Machine]) -> str:
    """The thread that both have."""
    (thread_id,) = pair[0].library.ids()
    return thread_id


# -- all of it -------------------------------------------------------------------------------------------------


def test_a_few_processes_at_two_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys_settings(tmp_path, monkeypatch)
    play = Play(tmp_path, seed=1)
    play.go(8)
    play.settle()
    assert play.defects == []
    assert play.wanted and play.counts["sync"] > 2 and play.counts["killed"] > 0


@pytest.mark.skipif(not ALL, reason="minutes: CONVEND_FAULTS=all")
@pytest.mark.parametrize("seed", range(8))
def test_many_processes_at_two_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    nobodys_settings(tmp_path, monkeypatch)
    with Play(tmp_path, seed, online=True) as play:
        for _ in range(3):
            play.go(40)
            play.settle()
        print(f"\n{len(play.wanted)} records told of, {dict(sorted(play.counts.items()))}")
        assert play.defects == []


# -- what it found ---------------------------------------------------------------------------------------------


def by_a_sync(here: Machine, thread_id: str, lines: Sequence[bytes]) -> None:
    here.sync()


def by_a_copy_in_conflict(here: Machine, thread_id: str, lines: Sequence[bytes]) -> None:
    here.file(thread_id + COPY).write_bytes(b"".join(lines))
    (told,) = conflicts.merge(here.library)
    assert "it held nothing new" in told


def by_an_import(here: Machine, thread_id: str, lines: Sequence[bytes]) -> None:
    export = here.root.parent / "export.jsonl"
    export.write_bytes(b"".join(lines))
    report = import_files(here.library, [export], SETTINGS)
    assert (report.grown, report.unchanged) == (0, 1)


@pytest.mark.parametrize("bring", [by_a_sync, by_a_copy_in_conflict, by_an_import])
def test_lines_that_two_processes_bring_at_once_stand_there_once(
    pair: tuple[Machine, Machine],
    monkeypatch: pytest.MonkeyPatch,
    bring: Callable[[Machine, str, Sequence[bytes]], None],
) -> None:
    there, here = pair
    thread_id = thread_of(pair)
    there.say(thread_id, "on")
    there.sync()
    lines = there.file(thread_id).read_bytes().splitlines(keepends=True)
    append = LogFile.append

    def late(self: LogFile, *given: object) -> object:
        """Between the look at the file and the lock of it another process has brought them."""
        monkeypatch.setattr(LogFile, "append", append)
        with self.path.open("ab") as file:
            file.write(lines[-1])
        return append(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(LogFile, "append", late)
    bring(here, thread_id, lines)
    assert LogFile.append is append
    assert here.lines(thread_id) == there.lines(thread_id)


def test_another_threads_file_in_the_place_of_one_is_not_put_together_with_it(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id, other = thread_of(pair), one.new("Of otters")
    lines = one.lines(thread_id)
    one.file(thread_id).write_bytes(one.file(other).read_bytes())
    done = sync(one.paths)
    assert [sentence for sentence in done.left_out if thread_id in sentence]
    (failed,) = done.received.failed
    assert "holds another thread" in failed
    assert one.file(thread_id).read_bytes() == one.file(other).read_bytes()
    two.sync()
    assert two.lines(thread_id) == lines
    one.file(thread_id).unlink()
    one.sync()
    assert one.lines(thread_id) == lines


@pytest.mark.parametrize("news", [True, False])
def test_a_copy_in_conflict_of_a_thread_in_the_trash(pair: tuple[Machine, Machine], news: bool) -> None:
    """A thread in two places would be locked in one of them only, and in the trash of one machine."""
    one, two = pair
    thread_id = thread_of(pair)
    copy = one.file(thread_id).read_bytes()
    said = r.Title(at="2026-11-23T00:00:00.000Z", title="Of wolves", by="person")
    visit = r.Leaf(at="2026-11-23T00:00:00.000Z", message="m0001")
    handle = one.open(thread_id)
    handle.append_now([r.Ended(at=handle.now(), message="m0002", cause="persistent_abuse", explanation="Enough.")])
    one.library.trash(thread_id)
    one.sync()
    two.sync()
    one.file(thread_id + COPY).write_bytes(copy + r.encode(said if news else visit))
    (told,) = conflicts.merge(one.library)
    assert "1 record came in" in told and ("it is back" in told) is news
    one.sync()
    two.sync()
    for machine in pair:
        assert machine.file(thread_id).exists() is news
        assert machine.file(thread_id, "trash").exists() is not news
        if news:
            assert lock.may_send(machine.open(thread_id).thread, "m0002") is not None


def test_a_thread_in_its_place_and_in_the_trash_is_so_on_both_machines(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = thread_of(pair)
    one.library.trash(thread_id)
    one.sync()
    two.sync()
    one.file(thread_id).write_bytes(one.file(thread_id, "trash").read_bytes())
    one.say(thread_id, "on")
    one.sync()
    two.sync()
    assert one.everything() == two.everything()
    assert set(two.everything()) == {f"threads/{thread_id}.jsonl", f"trash/{thread_id}~2.jsonl"}


def test_what_is_brought_back_meanwhile_does_not_empty_the_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path, tmp_path)
    threads = [machine.new(), machine.new()]
    for thread_id in threads:
        machine.library.trash(thread_id)
    is_file = Path.is_file

    def late(self: Path) -> bool:
        found = is_file(self)
        if found and self.stem == threads[0]:
            self.rename(machine.file(threads[0]))
        return found

    monkeypatch.setattr(Path, "is_file", late)
    assert machine.library.trashed_ids() == [threads[1]]


def test_an_import_that_brings_nothing_says_so_where_errors_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path, tmp_path)
    thread_id = machine.new()
    machine.library.trash(thread_id)
    monkeypatch.setenv("CONVEND_HOME", str(tmp_path))
    assert cli.main(["import", "--json", str(machine.file(thread_id, "trash"))]) == 1
    out, err = capsys.readouterr()
    assert "in the trash" in json.loads(out)["skipped"][0]["why"]
    assert err == "convend: Nothing was imported.\n"


def test_a_thread_that_goes_away_while_a_sync_looks_at_it_is_named(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    thread_id = thread_of(pair)
    one.say(thread_id, "on")
    one.sync()
    file, stat, place = two.file(thread_id), Path.stat, Folder._place

    def there_once(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = stat(self, follow_symlinks=follow_symlinks)
        if self == file:
            monkeypatch.setattr(Path, "stat", stat)
            file.rename(two.root / "away")
        return found

    def placed(self: Folder, folder: str, name: str) -> str:
        found = place(self, folder, name)
        monkeypatch.setattr(Path, "stat", there_once)
        return found

    monkeypatch.setattr(Folder, "_place", placed)
    (failed,) = sync(two.paths).received.failed
    assert thread_id in failed
    monkeypatch.setattr(Folder, "_place", place)
    two.sync()
    assert two.lines(thread_id) == one.lines(thread_id)


def test_what_a_killed_sync_left_and_nobody_may_take_away_is_in_nobodys_way(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    thread_id = thread_of(pair)
    left = two.paths.threads / ".sync.12345678.tmp"
    left.touch()
    unlink = Path.unlink

    def refused(self: Path, missing_ok: bool = False) -> None:
        if self == left:
            raise PermissionError(13, "Permission denied", str(self))
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    one.say(thread_id, "on")
    one.sync()
    assert two.sync().received.threads == {thread_id}


# -- git -------------------------------------------------------------------------------------------------------


def test_a_date_that_git_cannot_read_is_none_of_ours(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "the day before")
    pair[0].say(thread_of(pair), "on")
    assert pair[0].sync().sent_threads == 1


def test_a_remote_of_another_kind_of_objects_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys_settings(tmp_path, monkeypatch)
    remote = tmp_path / "remote.git"
    remote.mkdir()
    git(remote, "init", "-q", "--bare", "--object-format=sha256", "--initial-branch=main", "--template=")
    machine = Machine(tmp_path / "one", remote)
    machine.new()
    with pytest.raises(SyncError, match="SHA-256"):
        machine.begin()
    machine.remote = bare(tmp_path / "other.git")
    machine.begin()


def test_a_hook_that_aborts_at_the_remote_is_named(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    """git runs the person's own hooks in a remote on the same machine."""
    pair[0].say(thread_of(pair), "on")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "reference-transaction").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "reference-transaction").chmod(0o700)
    (tmp_path / "gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n[push]\n\tnegotiate = true\n")
    with pytest.raises(SyncError, match="aborted by hook"):
        pair[0].sync()
    (tmp_path / "gitconfig").unlink()
    assert pair[0].sync().sent_threads == 1


def test_two_machines_that_begin_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both find the remote empty; the one that comes second is told so in the words of any git."""
    nobodys_settings(tmp_path, monkeypatch)
    remote = bare(tmp_path / "remote.git")
    one, two = Machine(tmp_path / "one", remote), Machine(tmp_path / "two", remote)
    threads = {one.new(), two.new()}
    ask, late = git_module.Git.ask, True

    def second(self: git_module.Git, *words: str) -> git_module.Answer:
        nonlocal late
        if words[0] == "push" and late:
            late = False
            two.begin()
            return git_module.Answer(1, "!\tmain:main\t[remote rejected] (reference already exists)\n", "error: x\n")
        return ask(self, *words)

    monkeypatch.setattr(git_module.Git, "ask", second)
    one.begin()
    assert not late
    two.sync()
    assert set(one.library.ids()) == set(two.library.ids()) == threads
