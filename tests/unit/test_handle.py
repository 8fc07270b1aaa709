"""An open thread: what it writes, refuses and reads again, and what a crash leaves beside it."""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from convend_tui.errors import Locked, NotFound, StoreError, Unreadable
from convend_tui.store import handle as handle_module
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.store.partial import Checkpoint, recover
from convend_tui.thread import records as r
from tests.making import SETTINGS, at, header, paths_in
from tests.unit.thread_files import HEAD, message


def handle_in(root: Path) -> ThreadHandle:
    handle = Library(paths_in(root)).new(SETTINGS)
    handle.append_now([message("a")])
    return handle


def opened(root: Path, handle: ThreadHandle) -> ThreadHandle:
    return Library(paths_in(root)).open(handle.thread.id)


def test_a_new_thread_has_no_file_before_its_first_message(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    handle = library.new(SETTINGS)
    assert (handle.on_disk, library.ids()) == (False, [])
    handle.append_now([message("a")])
    assert (handle.on_disk, library.ids()) == (True, [handle.thread.id])
    assert opened(tmp_path, handle).thread.messages == {"a": message("a")}


def test_a_rule_that_refuses_has_seen_what_others_wrote_and_so_has_the_handle_then(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    two = opened(tmp_path, one)
    one.append_now([message("b", "a", 2)])
    seen: list[list[str]] = []

    def rule(thread: object) -> None:
        seen.append(sorted(thread.messages))  # type: ignore[attr-defined]
        raise Locked("No.")

    for _ in range(2):
        with pytest.raises(Locked):
            two.append_now([message("c", "a", 3)], rule)
    assert seen == [["a", "b"], ["a", "b"]]
    assert sorted(two.thread.messages) == ["a", "b"]


async def test_awaiting_an_append_that_fails_takes_in_what_others_wrote(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    two = opened(tmp_path, one)
    one.append_now([message("b", "a", 2)])

    def rule(_: object) -> None:
        raise Locked("No.")

    with pytest.raises(Locked):
        await two.append([message("c", "a", 3)], rule)
    assert sorted(two.thread.messages) == ["a", "b"]


def test_refresh_says_whether_anything_changed(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    two = opened(tmp_path, one)
    assert not two.refresh()
    one.append_now([message("b", "a", 2)])
    assert two.refresh()
    assert not two.refresh()
    assert two.thread.messages == one.thread.messages


def test_an_older_copy_in_place_of_the_file_takes_no_lock_away(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    file = paths_in(tmp_path).threads / f"{one.thread.id}.jsonl"
    old = file.read_bytes()
    one.append_now([message("b", "a", 2), r.Ended(at=at(3), message="b", cause="persistent_abuse", explanation="x")])
    file.write_bytes(old)
    assert one.refresh()
    assert "b" in one.thread.ended
    assert sorted(one.thread.messages) == ["a", "b"]
    one.append_now([message("c", "a", 4)])
    # What the copy lacked is in the file again: the lock holds for every other program too.
    found = opened(tmp_path, one).thread
    assert sorted(found.messages) == ["a", "b", "c"] and "b" in found.ended


def test_a_file_that_was_emptied_is_not_appended_to(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    file = paths_in(tmp_path).threads / f"{one.thread.id}.jsonl"
    whole = file.read_bytes()
    for emptied in (b"", b"something else\n"):
        file.write_bytes(emptied)
        for _ in range(2):
            with pytest.raises(StoreError, match="Nothing was written"):
                one.append_now([message("b", "a", 2)])
            one.refresh()
        assert file.read_bytes() == emptied
    file.write_bytes(whole)
    one.append_now([message("b", "a", 2)])
    assert sorted(opened(tmp_path, one).thread.messages) == ["a", "b"]


def test_a_newer_format_is_read_and_not_written(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    paths.threads.mkdir(parents=True)
    file = paths.threads / f"{HEAD.id}.jsonl"
    file.write_bytes(r.encode(header(format=2)) + r.encode(message("a")) + b'{"type":"future"}\n')
    before = file.read_bytes()
    handle = Library(paths).open(HEAD.id)
    assert handle.read_only is not None
    assert sorted(handle.thread.messages) == ["a"]
    with pytest.raises(Unreadable, match="newer convend"):
        handle.append_now([message("b")])
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\x00\xff\xfe", b'{"type":"thread"}\n', r.encode(message("a")), b"{" * 10_000]
)
def test_a_file_without_a_header_is_listed_with_its_reason(tmp_path: Path, content: bytes) -> None:
    paths = paths_in(tmp_path)
    paths.threads.mkdir(parents=True)
    file = paths.threads / "20261122T000000-00000000.jsonl"
    file.write_bytes(content)
    (summary,) = Library(paths).summaries()
    assert summary.problem is not None
    assert str(file) in summary.problem
    assert file.read_bytes() == content


def test_names_that_lead_out_of_the_folder_are_no_threads(tmp_path: Path) -> None:
    for name in ("../config", "a/b", "", "..", "/etc/passwd"):
        with pytest.raises(NotFound):
            Library(paths_in(tmp_path)).open(name)


def test_each_record_is_later_than_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within one millisecond, and where another machine's clock is ahead."""
    handle = handle_in(tmp_path)
    moments = [0, 100, 900, 1500, 1600, 1000]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2026, 11, 23, 12, 0, 0, moments.pop(0), tzinfo=UTC)

    monkeypatch.setattr(handle_module, "datetime", Clock)
    given: list[str] = []
    while moments:
        given.append(handle.now())
        handle.thread.apply(r.Title(at=given[-1], title="x"))
    assert given == sorted(set(given))
    moments.extend([0, 0, 0])
    ahead = "2026-11-23T18:00:00.000Z"
    handle.thread.apply(r.Title(at=ahead, title="x"))
    assert handle.now() > ahead
    assert handle.times(3) == sorted(set(handle.times(3)))
    # A clock that is years ahead drags nothing along.
    moments.append(0)
    handle.thread.apply(r.Title(at="2031-01-01T00:00:00.000Z", title="x"))
    assert handle.now().startswith("2026-11-23T12")


# Checkpoints


def test_a_checkpoint_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    handle = handle_in(tmp_path)
    library = Library(paths_in(tmp_path))
    checkpoint = Checkpoint(library.paths.partial, handle.thread.id, "p")
    checkpoint.write(message("p", "a", 5))
    assert list(recover(library)) == []
    checkpoint.close(keep=True)
    (sentence,) = recover(library)
    assert "brought back" in sentence
    assert sorted(opened(tmp_path, handle).thread.messages) == ["a", "p"]
    assert list(library.paths.partial.iterdir()) == []


def test_checkpoints_that_cannot_be_placed_are_kept_and_said(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    folder = library.paths.partial
    checkpoint = Checkpoint(folder, "20261122T000000-deadbeef", "p")
    checkpoint.write(message("p"))
    checkpoint.close(keep=True)
    (folder / "q.json").write_bytes(b"\xff{broken")
    assert len(list(recover(library))) == 2
    assert [file.name for file in folder.glob("*.json")] == ["p.json"]
    # One that cannot be read is told of once.
    assert (library.paths.state / "torn" / "q.json").read_bytes() == b"\xff{broken"
    assert len(list(recover(library))) == 1


def test_a_checkpoint_on_a_disk_that_refuses_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import filelock

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(StoreError, match="the disk is full"):
        Checkpoint(tmp_path / "partial", "t", "p")


def test_a_message_that_was_saved_after_all_is_not_doubled(tmp_path: Path) -> None:
    handle = handle_in(tmp_path)
    library = Library(paths_in(tmp_path))
    checkpoint = Checkpoint(library.paths.partial, handle.thread.id, "a")
    checkpoint.write(message("a", words="half"))
    checkpoint.close(keep=True)
    assert list(recover(library)) == []
    lines = [json.loads(line) for line in (library.paths.threads / f"{handle.thread.id}.jsonl").open("rb")]
    assert [line["type"] for line in lines] == ["thread", "message"]
    assert not list(library.paths.partial.glob("*.json"))
