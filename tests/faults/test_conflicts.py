"""Copies in conflict, as Syncthing and Dropbox leave them: merged, told of, kept, and never threads of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from convend_tui.cli import main
from convend_tui.store.conflicts import merge
from convend_tui.store.copies import original_of
from convend_tui.store.library import Library
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.making import SETTINGS, Branch, at, header, paths_in
from tests.tui.conftest import Home, home  # noqa: F401

ID = "20261122T034812-9f3ab01c"
NAMES = [
    f"{ID}.sync-conflict-20261122-101112-ABCDEFG.jsonl",
    f"{ID}.sync-conflict-20261122-101112.jsonl",
    f"{ID} (conflicted copy 2026-11-22).jsonl",
    f"{ID} (Ann's conflicted copy 2026-11-22 1).jsonl",
    f"{ID} (conflicted copy 2026-11-22 101112).jsonl",
    f"{ID} (Case Conflict).jsonl",
    f"{ID} (Case Conflict 1).jsonl",
    f"{ID} (In Konflikt stehende Kopie von Ann 2026-11-22).jsonl",
    f"{ID} (copie en conflit de Ann 2026-11-22).jsonl",
    f"{ID}.sync-conflict-20261122-101112-ABCDEFG.sync-conflict-20261123-101112-GFEDCBA.jsonl",
]
MORE_NAMES = [
    f"{ID} (Ann's Mac (2)'s conflicted copy 2026-11-22).jsonl",
    f"{ID} (Ann's conflicted copy 2026-11-22 (1)).jsonl",
    f"{ID} (Ann's conflicted copy 2026-11-22) (1).jsonl",
    f"{ID} (Ann の競合コピー 2026-11-22).jsonl",
    f"{ID} (Ann的冲突副本 2026-11-22).jsonl",
    f"{ID} (конфликтующая копия с компьютера Ann 2026-11-22).jsonl",
    f"{ID} (Anns motstridende kopi 2026-11-22).jsonl",
    f"{ID} (SFConflict ann@example.org 2026-11-22-10-11-12).jsonl",
    f"{ID}_conflict-20261122-101112.jsonl",
    f"{ID} [conflicted].jsonl",
    f"{ID}.Conflict.jsonl",
    f"{ID} 2.jsonl",
    f"{ID}-DESKTOP-AB12CD3.jsonl",
]


def write(file: Path, *records: r.Record, tail: bytes = b"") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(map(r.encode, records)) + tail)
    return file


def two_machines() -> tuple[list[r.Record], list[r.Record], list[r.Record]]:
    """What both have, and what each of two machines has added; the second one's conversation was ended."""
    both = Branch().typed("Where we began").reply("A first answer.")
    head = header(SETTINGS, id=ID)
    ours = Branch().typed("Here").reply("An answer here.")
    theirs = Branch().typed("There").reply("That is the end.")
    below = both.last

    def under(branch: Branch, name: str) -> list[r.Record]:
        first, second = branch.path
        first = r.Message(at=at(10), id=f"{name}1", parent=below, role="user", content=first.content, kind="typed")
        second = r.Message(
            at=at(11), id=f"{name}2", parent=f"{name}1", role="assistant", content=second.content, kind="reply"
        )
        return [first, second]

    ended = r.Ended(at=at(12), message="theirs2", cause="persistent_abuse", explanation="Enough.")
    return [head, *both.path], under(ours, "ours"), [*under(theirs, "theirs"), ended]


@pytest.mark.parametrize("name", [*NAMES, *MORE_NAMES[-2:]])
def test_a_copy_is_merged_told_of_and_kept(tmp_path: Path, name: str) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, theirs = two_machines()
    file = write(library.file(ID), *both, *ours)
    copy = write(library.paths.threads / name, *both, *theirs, tail=b'{"type":"future","x":[1]}\n')
    before, content = file.read_bytes(), copy.read_bytes()
    assert original_of(name) == ID
    assert library.ids() == [ID]
    (told,) = merge(library)
    assert "merged: 4 records came in" in told
    assert "Where we began" in told
    thread = library.open(ID).thread
    assert {"ours1", "ours2", "theirs1", "theirs2"} <= set(thread.messages)
    assert lock.may_send(thread, "theirs2") and not lock.may_send(thread, "ours2")
    assert file.read_bytes().startswith(before)
    assert b'{"type":"future","x":[1]}\n' in file.read_bytes()
    (kept,) = (library.paths.state / "conflicts").iterdir()
    assert str(kept) in told
    assert kept.read_bytes() == content
    assert [f.name for f in library.paths.threads.iterdir()] == [f"{ID}.jsonl"]
    assert list(merge(library)) == []


def test_two_copies_and_one_of_the_same_name_later(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, theirs = two_machines()
    write(library.file(ID), *both)
    write(library.paths.threads / NAMES[0], *both, *ours)
    write(library.paths.threads / NAMES[2], *both, *theirs)
    assert len(list(merge(library))) == 2
    merged = library.file(ID).read_bytes()
    assert len(library.open(ID).thread.messages) == 6
    write(library.paths.threads / NAMES[0], *both, *ours)
    (told,) = merge(library)
    assert "nothing new" in told
    assert library.file(ID).read_bytes() == merged
    assert len(list((library.paths.state / "conflicts").iterdir())) == 3


def test_a_torn_copy_gives_what_can_be_read(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, _ = two_machines()
    write(library.file(ID), *both)
    write(library.paths.threads / NAMES[0], *both, *ours, tail=b'{"type":"message","id":"half')
    (told,) = merge(library)
    assert "2 records came in, 1 broken line stayed behind" in told
    handle = library.open(ID)
    assert handle.problems == []
    assert "ours2" in handle.thread.messages


@pytest.mark.parametrize("changed", ["thread", "copy"])
def test_line_ends_that_were_changed_make_no_other_records(tmp_path: Path, changed: str) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, theirs = two_machines()
    file = write(library.file(ID), *both, *ours)
    copy = write(library.paths.threads / NAMES[0], *both, *theirs)
    one = file if changed == "thread" else copy
    one.write_bytes(one.read_bytes().replace(b"\n", b"\r\n"))
    (told,) = merge(library)
    assert f"merged: {len(theirs)} records came in" in told
    assert len(file.read_bytes().splitlines()) == len(both) + len(ours) + len(theirs)
    assert library.open(ID).problems == []


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_crash_in_the_middle_of_a_merge_is_made_good_by_the_next(tmp_path: Path, cut: int) -> None:
    """Cut off by one byte, the line is whole but for its newline: it is not read yet."""
    library = Library(paths_in(tmp_path))
    both, ours, _ = two_machines()
    file = write(library.file(ID), *both, *ours)
    write(library.paths.threads / NAMES[0], *both, *ours)
    file.write_bytes(file.read_bytes()[:-cut])
    (told,) = merge(library)
    assert ("1 record came in" if cut > 1 else "it held nothing new") in told
    assert set(library.open(ID).thread.messages) >= {"ours1", "ours2"}
    lines = file.read_bytes().splitlines()
    assert len(lines) == len(set(lines))


def test_a_copy_without_its_thread_is_the_thread(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, _ = two_machines()
    copy = write(library.paths.threads / NAMES[0], *both, *ours)
    content = copy.read_bytes()
    (told,) = merge(library)
    assert "It is the thread now" in told
    assert library.file(ID).read_bytes() == content
    assert [f.name for f in library.paths.threads.iterdir()] == [f"{ID}.jsonl"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no header line"),
        (b"nothing\n", "no header line"),
        (r.encode(header(SETTINGS, id="../../elsewhere")), "another thread"),
        (r.encode(header(SETTINGS, id="20261122T034812-00000000")), "another thread"),
        (r.encode(header(SETTINGS, id=ID, format=99)), "A newer convend"),
    ],
)
def test_what_cannot_be_merged_stays_as_it_is(tmp_path: Path, content: bytes, why: str) -> None:
    library = Library(paths_in(tmp_path))
    both, *_ = two_machines()
    file = write(library.file(ID), *both)
    before = file.read_bytes()
    copy = library.paths.threads / NAMES[0]
    copy.write_bytes(content)
    (told,) = merge(library)
    assert why in told and "left as it is" in told
    assert copy.read_bytes() == content
    assert file.read_bytes() == before
    assert library.ids() == [ID]


def test_a_thread_of_a_newer_format_is_not_written(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, _ = two_machines()
    file = write(library.file(ID), header(SETTINGS, id=ID, format=99), *both[1:])
    before = file.read_bytes()
    copy = write(library.paths.threads / NAMES[0], *both, *ours)
    (told,) = merge(library)
    assert "newer convend" in told
    assert copy.exists()
    assert file.read_bytes() == before


def test_a_copy_that_cannot_be_taken_out_of_its_folder_is_not_kept_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(paths_in(tmp_path))
    both, ours, theirs = two_machines()
    file = write(library.file(ID), *both, *ours)
    copy = write(library.paths.threads / NAMES[0], *both, *theirs)
    real = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == copy:
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        for _ in range(3):
            (told,) = merge(library)
            assert "could not be merged, and was left as it is" in told
    assert list((library.paths.state / "conflicts").iterdir()) == []
    size = file.stat().st_size
    (told,) = merge(library)
    assert "it held nothing new" in told and not copy.exists() and file.stat().st_size == size


@pytest.mark.parametrize(
    "name",
    [
        f"{ID}.jsonl",
        f"{ID} (2).jsonl",
        f"{ID}~2.jsonl",
        f"{ID} copy.jsonl",
        f"{ID} (((((.jsonl",
        "notes-of-mine 2.jsonl",
        "notes-of-mine.jsonl",
        f"{ID} (backup).jsonl",
        f"{ID}.sync-conflict.jsonl",
        "(conflicted copy 2026-11-22).jsonl",
        f"{ID} (conflicted copy 2026-11-22).txt",
    ],
)
def test_other_names_are_no_copies(name: str) -> None:
    assert original_of(name) is None


@pytest.mark.parametrize("name", [*NAMES, *MORE_NAMES])
def test_names_of_copies(name: str) -> None:
    assert original_of(name) == ID


def test_the_command_line_lists_no_copy_and_says_that_it_merged(
    home: Home,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    both, ours, theirs = two_machines()
    write(home.file(ID), *both, *ours)
    write(home.paths.threads / NAMES[0], *both, *theirs)
    write(home.paths.threads / f"._{ID}.jsonl", tail=b"\0\5\26\7")
    assert main(["list", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert '"sync-conflict' not in out
    assert "was merged: 3 records came in" in err
    assert main(["list", "--json"]) == 0
    assert "merged" not in capsys.readouterr().err


async def test_the_screen_merges_at_the_start_and_while_it_runs(home: Home) -> None:  # noqa: F811
    both, ours, theirs = two_machines()
    write(home.file(ID), *both)
    write(home.paths.threads / NAMES[0], *both, *ours)
    async with home.app() as me:
        await me.hears("was merged: 2 records came in")
        write(home.paths.threads / NAMES[2], *both, *theirs)
        me.chat.listing.changed()  # as it does every few seconds
        await me.hears("was merged: 3 records came in")
        await me.until(lambda: len(me.chat.thread_list._rows) == 1)
    assert len(Library(home.paths).open(ID).thread.messages) == 6
