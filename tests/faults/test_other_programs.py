"""Other programs at a thread's file while it is open: synchronisers, editors, git. Nothing is lost, nothing torn."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from convend_tui.errors import StoreError, Unreadable
from convend_tui.store import drafts
from convend_tui.store import log as log_module
from convend_tui.store.conflicts import merge
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.whole import records_of
from tests.faults.test_disk import again, file_of, message, thread_in
from tests.making import SETTINGS, at, paths_in


def test_a_file_that_is_replaced_in_the_middle_of_a_write_gets_the_record_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    copy = tmp_path / "from-elsewhere"
    copy.write_bytes(file.read_bytes() + r.encode(message("there")))
    real = os.fsync

    def replace(fd: int) -> None:
        real(fd)
        if copy.exists():
            copy.replace(file)

    monkeypatch.setattr(log_module.os, "fsync", replace)
    handle.append_now([message("b")])
    assert list(again(handle, tmp_path).thread.messages) == ["a", "there", "b"]
    assert sorted(handle.thread.messages) == ["a", "b", "there"]


def test_a_lock_that_comes_with_a_replaced_file_counts_for_the_write_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    copy = tmp_path / "from-elsewhere"
    ended = r.Ended(at=at(9), message="a", cause="persistent_abuse", explanation="Enough.")
    copy.write_bytes(file.read_bytes() + r.encode(ended))
    real = os.fsync

    def replace(fd: int) -> None:
        real(fd)
        if copy.exists():
            copy.replace(file)

    monkeypatch.setattr(log_module.os, "fsync", replace)
    with pytest.raises(lock.Locked):
        handle.append_now([message("b", parent="a")], lambda thread: lock.require(lock.may_send(thread, "a")))
    assert list(again(handle, tmp_path).thread.messages) == ["a"]
    assert lock.may_send(handle.thread, "a")


@pytest.fixture
def set_back(tmp_path: Path) -> ThreadHandle:
    """A thread that is open, with a lock that is shown. Another program has put an older copy in its place."""
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    older = file.read_bytes()
    said = [
        message("b", parent="a"),
        r.Ended(at=at(9), message="b", cause="persistent_abuse", explanation="Enough."),
        r.Verdict(at=at(8), message="b", outcome="ended"),
        r.Label(at=at(3), message="a", label="begun"),
        r.Title(at=at(4), title="Mine"),
        r.Pin(at=at(5), pinned=True),
        r.Feedback(at=at(6), message="b", thumb="down"),
        r.as_change(SETTINGS, at(7)),
        message("c"),
        r.Hide(at=at(8), message="c"),
    ]
    handle.append_now(said)
    (tmp_path / "older").write_bytes(older)
    (tmp_path / "older").replace(file)
    return handle


@pytest.mark.parametrize("by", ["itself", "the next append", "the next append after a look"])
def test_what_an_older_copy_lacks_is_written_back(set_back: ThreadHandle, tmp_path: Path, by: str) -> None:
    """A lock that was shown stays in force, and so does what is below it."""
    before = sorted(map(r.encode, records_of(set_back.thread)))
    if by != "the next append":
        set_back.refresh()
    if by == "itself":
        assert asyncio.run(set_back.mend())
    else:
        set_back.append_now([r.Leaf(at=at(10), message="a")])
    found = again(set_back, tmp_path)
    assert found.problems == []
    assert sorted(map(r.encode, records_of(found.thread))) == before
    assert lock.may_send(found.thread, "b")
    size = file_of(set_back, tmp_path).stat().st_size
    assert not asyncio.run(set_back.mend())  # once
    set_back.append_now([])
    assert file_of(set_back, tmp_path).stat().st_size == size


async def test_what_a_new_file_lacks_that_was_cut_short_before_it_was_read_is_written_back(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    copy = tmp_path / "from-elsewhere"
    copy.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    copy.replace(file)
    await handle.catch_up()
    assert await handle.mend()
    assert list(again(handle, tmp_path).thread.messages) == ["a"]


def test_what_a_copy_brings_back_by_itself_is_not_written_twice(set_back: ThreadHandle, tmp_path: Path) -> None:
    """The other program was in the middle of writing it."""
    set_back.refresh()
    whole = b"".join(map(r.encode, records_of(set_back.thread)))
    with file_of(set_back, tmp_path).open("ab") as file:
        file.write(whole)
    assert set_back.refresh()
    size = file_of(set_back, tmp_path).stat().st_size
    assert not asyncio.run(set_back.mend())
    assert file_of(set_back, tmp_path).stat().st_size == size


def test_another_threads_file_in_its_place_is_neither_read_nor_written(tmp_path: Path) -> None:
    handle, other = thread_in(tmp_path / "one"), Library(paths_in(tmp_path / "two")).new(SETTINGS)
    other.append_now([message("theirs", "longer than the other one")])
    file = file_of(handle, tmp_path / "one")
    mine, theirs = file.read_bytes(), file_of(other, tmp_path / "two").read_bytes()
    (tmp_path / "theirs").write_bytes(theirs)
    (tmp_path / "theirs").replace(file)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"holds another thread now.* Nothing was written"):
            handle.append_now([message("b")])
        handle.refresh()
    assert file.read_bytes() == theirs
    assert list(handle.thread.messages) == ["a"]
    (tmp_path / "mine").write_bytes(mine)
    (tmp_path / "mine").replace(file)
    handle.append_now([message("b")])
    assert list(again(handle, tmp_path / "one").thread.messages) == ["a", "b"]


def test_a_file_that_is_always_replaced_is_given_up_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    content = file.read_bytes()
    real = os.fsync

    def replace(fd: int) -> None:
        real(fd)
        (tmp_path / "copy").write_bytes(content)
        (tmp_path / "copy").replace(file)

    with monkeypatch.context() as patched:
        patched.setattr(log_module.os, "fsync", replace)
        with pytest.raises(StoreError, match="replaced again and again by another program"):
            handle.append_now([message("b")])
    handle.append_now([message("b")])
    assert list(again(handle, tmp_path).thread.messages) == ["a", "b"]


def _longer(content: bytes) -> bytes:
    head, _, rest = content.partition(b"\n")
    return head + b"\n" + r.encode(message("before", "w" * 300)) + rest


@pytest.mark.parametrize("newline", [True, False])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_file_that_an_editor_wrote_anew_in_its_place_is_read_from_the_start(
    tmp_path: Path, newline: bool, ending: bytes
) -> None:
    """It has the same inode and is longer: reading on would begin in the middle of a line."""
    handle = thread_in(tmp_path)
    handle.append_now([message("b", "y" * 100), message("c", "z" * 50)])
    file = file_of(handle, tmp_path)
    content = _longer(file.read_bytes()).replace(b"\n", ending)
    file.write_bytes(content if newline else content.removesuffix(ending))
    handle.append_now([message("d")])
    assert sorted(handle.thread.messages) == ["a", "b", "before", "c", "d"]
    assert sorted(again(handle, tmp_path).thread.messages) == ["a", "b", "before", "c", "d"]
    assert again(handle, tmp_path).problems == []


def test_what_another_program_appends_without_our_lock_is_kept(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    for number in range(5):
        with file.open("ab") as other:
            other.write(r.encode(message(f"o{number}")) + (b'{"torn' if number == 3 else b""))
        handle.append_now([message(f"m{number}")])
    expected = ["a", *(f"{who}{number}" for number in range(5) for who in "om")]
    assert list(again(handle, tmp_path).thread.messages) == expected
    assert any("torn" in problem for problem in handle.problems)
    assert again(handle, tmp_path).problems == []


def test_torn_pieces_of_the_same_place_are_all_kept(tmp_path: Path) -> None:
    """Each crash may leave another one."""
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    whole = file.read_bytes()
    for piece in (b'{"first', b'{"second', b'{"first'):
        file.write_bytes(whole + piece)
        again(handle, tmp_path).append_now([message("b")])
    kept = sorted(found.read_bytes() for found in (paths_in(tmp_path).state / "torn").iterdir())
    assert kept == [b'{"first', b'{"second']


def test_a_file_that_was_emptied_is_not_written(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    content = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(StoreError, match="emptied or replaced by another program"):
        handle.append_now([message("b")])
    assert file.read_bytes() == b""
    with pytest.raises(Unreadable, match="no header line"):
        again(handle, tmp_path)
    file.write_bytes(content)
    handle.append_now([message("b")])
    assert list(again(handle, tmp_path).thread.messages) == ["a", "b"]


# -- names that differ in their case ----------------------------------------------------------------------


def test_no_two_names_differ_only_in_their_case(tmp_path: Path) -> None:
    """Folders of macOS and Windows take them for one."""
    paths = paths_in(tmp_path)
    library = Library(paths)
    for _ in range(50):
        thread_id = library.new(SETTINGS).thread.id
        assert thread_id == thread_id.lower().replace("t", "T")
    names = ["message", "Message", "MESSAGE", "message-", "Message-"]
    places = [drafts.Place("t", kind, name) for name in names for kind in ("end", "below", "edit")]  # type: ignore[arg-type]
    assert len({place.name.casefold() for place in places}) == len(places)
    for place in places:
        drafts.save(paths, place, drafts.Draft(text=f"{place.kind} {place.message}"))
    assert [drafts.load(paths, place).text for place in places] == [f"{place.kind} {place.message}" for place in places]
    assert {place for place, _ in drafts.of_branches(paths, "t")} == set(places)


def test_a_case_conflict_of_another_spelling_is_merged(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    paths = paths_in(tmp_path)
    copy = paths.threads / f"{handle.thread.id.upper()} (Case Conflict).jsonl"
    copy.write_bytes(file_of(handle, tmp_path).read_bytes() + r.encode(message("b")))
    (told,) = merge(Library(paths))
    assert "merged: 1 record came in" in told
    assert list(again(handle, tmp_path).thread.messages) == ["a", "b"]
