"""The index: it says what the files say, whatever happened to them."""

from __future__ import annotations

import itertools
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convend_tui.paths import Paths
from convend_tui.store import index_write
from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.making import Branch, at, header, paths_in, text
from tests.unit.indexing import ID, agrees, append, chat, ended, file_of, found, message, save

# -- the list ---------------------------------------------------------------------------------------------


def test_the_list_is_what_the_threads_say(paths: Paths, index: Index) -> None:
    save(paths, "1", *chat("What is a fox?", "An animal."))
    save(paths, "2", *chat("fool", "No."), ended("m0002"))
    save(paths, "3", *chat("Hello"), r.Title(at=at(50), title="Greetings", by="import"))
    save(paths, "4", *chat("Pin me"), r.Pin(at=at(3), pinned=True))
    assert index.update()
    assert [s.id[-1] for s in index.summaries()] == ["4", "2", "3", "1"]
    assert [s.title for s in index.summaries()] == ["Pin me", "fool", "Greetings", "What is a fox?"]
    assert [s.locked for s in index.summaries()] == [False, True, False, False]
    assert index.count() == 4
    assert list(Library(paths).summaries()) == index.summaries()
    assert not index.update()
    agrees(index)


def test_a_page_of_the_list_and_a_filter(paths: Paths, index: Index) -> None:
    for number in range(9):
        save(paths, str(number), message("m", when=number, words=f"Überraschung number {number % 3}"))
    index.update()
    ids = [s.id[-1] for s in index.summaries()]
    assert ids == list("876543210")
    assert [s.id[-1] for s in index.summaries(limit=2, offset=3)] == ["5", "4"]
    assert [s.id[-1] for s in index.summaries("NUMBER uber 2")] == ["8", "5", "2"]
    assert index.summaries("uber 7 ' \" % \udc80") == []


def test_a_broken_file_is_listed_with_its_problem_and_stops_nobody(paths: Paths, index: Index) -> None:
    save(paths, "1", *chat("What is a fox?"))
    file_of(paths, ID.format(2)).write_bytes(b"no thread\nat all\n")
    file_of(paths, ID.format(3)).write_bytes(b"")
    save(paths, "4", *chat("Torn"))
    with file_of(paths, ID.format(4)).open("ab") as file:
        file.write(b'{"type":"message","at":')
    save(paths, "5", *chat("Broken in the middle"))
    with file_of(paths, ID.format(5)).open("ab") as file:
        file.write(b'{"type":"message"\nnonsense\xff\n{"type":"from the future","at":"9"}\n')
    append(paths, ID.format(5), message("later", "m0001", 7, "and on"))
    index.update()
    problems = {s.id[-1]: s.problem for s in index.summaries()}
    assert [name for name, problem in sorted(problems.items()) if problem] == ["2", "3"]
    assert "not a thread file" in str(problems["2"])
    assert found(index, "and on") == ["later"]
    agrees(index)
    save(paths, "2", *chat("Mended"))
    append(paths, ID.format(3), header(id=ID.format(3)), *chat("Begun"))
    index.update()
    assert {s.problem for s in index.summaries()} == {None}
    agrees(index)


def test_titles_with_control_characters(paths: Paths, index: Index) -> None:
    title = "a\x00b\x1b]0;evil\x07\nc\u202e"
    save(paths, "1", *chat("x"), r.Title(at=at(9), title=title))
    index.update()
    (summary,) = index.summaries("EVIL")
    assert summary.title == title
    (hit,) = index.search("evil")
    assert (hit.message, hit.title) == (None, title)
    assert not set(hit.snippet) & {"\x00", "\x1b", "\x07", "\n", "\u202e"}
    agrees(index)


# -- what changes -----------------------------------------------------------------------------------------


def test_only_what_was_appended_is_read(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = save(paths, "1", *chat(*(f"word{i} " * 500 for i in range(200))))
    index.update()
    read: list[int] = []
    real = index_write._bytes

    def counted(fd: int, start: int, end: int) -> bytes:
        read.append(end - start)
        return real(fd, start, end)

    monkeypatch.setattr(index_write, "_bytes", counted)
    append(paths, thread_id, message("new", "m0200", 500, "something else"))
    assert index.update()
    assert found(index, "something else") == ["new"]
    assert sum(read) < 5000 < file_of(paths, thread_id).stat().st_size
    monkeypatch.undo()
    agrees(index)


def test_a_file_that_was_rewritten_in_place_is_read_again(paths: Paths, index: Index) -> None:
    thread_id = save(paths, "1", *chat("first words", "an answer", "and so on"))
    index.update()
    file = file_of(paths, thread_id)
    data = file.read_bytes()
    for changed in (data.replace(b"first", b"other"), data.replace(b"first", b"longer words and"), data[:-1]):
        file.write_bytes(changed)
        os.utime(file, ns=(0, time.time_ns()))
        assert index.update()
        agrees(index)


def test_what_vanishes_is_gone_and_what_comes_back_is_there(paths: Paths, index: Index) -> None:
    thread_id = save(paths, "1", *chat("a fox"))
    save(paths, "2", *chat("a dog"))
    index.update()
    away = paths.data / "elsewhere"
    file_of(paths, thread_id).rename(away)
    assert index.update()
    assert found(index, "fox") == []
    assert index.count() == 1
    away.rename(file_of(paths, thread_id))
    assert index.update()
    assert found(index, "fox") == ["m0001"]
    agrees(index)


def test_an_ending_that_is_appended_locks_its_turn_and_what_comes_below(paths: Paths, index: Index) -> None:
    branch = Branch().typed("fool").reply("Once more?", stop="tool_use").guard(text("Call again.")).reply("The end.")
    thread_id = save(paths, "1", *branch.path[:2])
    index.update()
    append(paths, thread_id, *branch.path[2:], ended("m0004"))
    index.update()
    agrees(index)
    assert found(index, "the end", ended=True) == ["m0004"]
    assert found(index, "once more", ended=True) == ["m0002"]
    assert found(index, "fool", ended=True) == ["m0001"]
    append(paths, thread_id, message("below", "m0004", 60), message("beside", "m0001", 61))
    index.update()
    agrees(index)
    assert found(index, "below", ended=True) == ["below"]
    assert found(index, "beside", ended=False) == ["beside"]
    assert found(index, "", ended=True) == ["below", "m0004", "m0002", "m0001"]


def test_a_thread_where_something_was_hidden(paths: Paths, index: Index) -> None:
    thread_id = save(paths, "1", *chat("q", "a"), message("end", "m0001", 20), ended("end", 21))
    index.update()
    assert index.summaries()[0].locked
    append(paths, thread_id, r.Hide(at=at(30), message="end"))
    index.update()
    assert not index.summaries()[0].locked
    agrees(index)
    append(paths, thread_id, r.Restore(at=at(31), message="end"), message("on", "m0002", 40))
    index.update()
    agrees(index)


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
TIMES = st.integers(0, 6)


def _records() -> st.SearchStrategy[r.Record]:
    times = TIMES.map(at)
    kinds = st.sampled_from([("user", "typed"), ("assistant", "reply"), ("user", "guard"), ("assistant", "partial")])
    messages = st.builds(
        lambda when, name, parent, kind, words: message(name, parent, when, words, role=kind[0], kind=kind[1]),
        TIMES, NAMES, st.none() | NAMES, kinds, st.sampled_from(["fox", "dog", "日本", " "]),
    )  # fmt: skip
    return st.one_of(
        messages,
        messages,
        st.builds(lambda name, when: ended(name, when), NAMES, TIMES),
        st.builds(r.Leaf, at=times, message=NAMES),
        st.builds(r.Hide, at=times, message=NAMES),
        st.builds(r.Restore, at=times, message=NAMES),
        st.builds(r.Pin, at=times, pinned=st.booleans()),
        st.builds(r.Title, at=times, title=st.sampled_from(["", "One", "Two"]), by=st.sampled_from(["person", "x"])),
        st.builds(r.SettingsChange, at=times, model=st.sampled_from(["m1", "m2"])),
        st.builds(lambda when: header(id=ID.format(1), at=when), times),
    )


def _grown() -> st.SearchStrategy[list[r.Record]]:
    """Records in the order in which a session writes them: what is told of a message comes after it."""

    def put_right(numbers: list[tuple[int, int]]) -> list[r.Record]:
        made: list[r.Record] = []
        names: list[str] = []
        for place, (kind, which) in enumerate(numbers):
            known = names[which % len(names)] if names else None
            if kind < 6 or known is None:
                role, sort = (("user", "typed"), ("assistant", "reply"), ("user", "guard"))[kind % 3]
                names.append(f"n{place}")
                parent = None if which == 0 else known
                made.append(message(names[-1], parent, place, f"fox {place}", role=role, kind=sort))
            elif kind == 6:
                made.append(ended(known, place))
            elif kind == 7:
                made.append(r.Leaf(at=at(place), message=known))
            else:
                made.append(r.Title(at=at(place), title=f"title {which}", by="person" if which % 2 else "model"))
        return made

    return st.lists(st.tuples(st.integers(0, 8), st.integers(0, 20)), min_size=1, max_size=25).map(put_right)


ONCE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@given(st.lists(_records(), max_size=14) | _grown(), st.lists(st.integers(0, 25), max_size=3))
@ONCE
def test_reading_on_says_what_reading_anew_says(
    tmp_path_factory: pytest.TempPathFactory, records: list[r.Record], cuts: list[int]
) -> None:
    paths = paths_in(tmp_path_factory.mktemp("home"))
    index = Index(paths)
    try:
        thread_id = save(paths, "1")
        places = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
        for begin, end in itertools.pairwise(places):
            append(paths, thread_id, *records[begin:end])
            index.update()
            agrees(index)
    finally:
        index.close()


STEPS = st.tuples(st.sampled_from(["new", "append", "replace", "delete", "tear", "move"]), st.integers(0, 3), _grown())


@given(st.lists(STEPS, min_size=1, max_size=8))
@ONCE
def test_whatever_happens_to_the_folder_the_index_equals_a_new_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, list[r.Record]]]
) -> None:
    paths = paths_in(tmp_path_factory.mktemp("home"))
    index = Index(paths)
    try:
        for number, (what, which, records) in enumerate(steps):
            thread_id = ID.format(which)
            file = file_of(paths, thread_id)
            if what == "delete":
                file.unlink(missing_ok=True)
            elif what == "move" and file.exists():
                file.replace(file_of(paths, ID.format((which + 1) % 4)))
            elif what == "tear" and file.exists():
                with file.open("ab") as out:
                    out.write(r.encode(records[0])[: 10 + number * 7])
            elif what == "append" and file.exists():
                append(paths, thread_id, *records)
            else:
                save(paths, str(which), *records)
            index.update()
            agrees(index)
    finally:
        index.close()
