"""The index: it says what the files say, whatever happened to them and to it."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convend_tui.errors import ConvendError
from convend_tui.paths import Paths
from convend_tui.store import index_schema, index_text, index_write
from convend_tui.store.index import Index
from convend_tui.store.index_read import LOCKED, ON_THE_WAY
from convend_tui.store.library import Library
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.making import SETTINGS, Branch, at, header, paths_in, text

ROOT = Path(__file__).parents[2]
ID = "20261122T000000-0000000{}"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in(tmp_path)


@pytest.fixture
def index(paths: Paths) -> Iterator[Index]:
    made = Index(paths)
    yield made
    made.close()


def file_of(paths: Paths, thread_id: str) -> Path:
    paths.threads.mkdir(parents=True, exist_ok=True)
    return paths.threads / f"{thread_id}.jsonl"


def save(paths: Paths, name: str, *records: r.Record, head: bool = True) -> str:
    """Write a thread file as another program does, in one step; returns the thread's id."""
    thread_id = name if len(name) > 1 else ID.format(name)
    file = file_of(paths, thread_id)
    first = [header(id=thread_id)] if head else []
    temporary = file.with_suffix(".new")
    temporary.write_bytes(b"".join(map(r.encode, (*first, *records))))
    temporary.replace(file)
    return thread_id


def append(paths: Paths, thread_id: str, *records: r.Record) -> None:
    with file_of(paths, thread_id).open("ab") as file:
        file.write(b"".join(map(r.encode, records)))


def message(name: str, parent: str | None = None, when: int = 1, words: str | None = None, **more: Any) -> r.Message:
    given: dict[str, Any] = {"role": "user", "kind": "typed"} | more
    return r.Message(at=at(when), id=name, parent=parent, content=[text(words or name)], **given)


def ended(name: str, when: int = 90) -> r.Ended:
    return r.Ended(at=at(when), message=name, cause="persistent_abuse", explanation="It went on.")


def chat(*words: str) -> list[r.Message]:
    branch = Branch()
    for place, said in enumerate(words):
        branch.typed(said) if place % 2 == 0 else branch.reply(said, model="claude-test-1")
    return branch.path


def found(index: Index, query: str, **filters: Any) -> list[str | None]:
    return [hit.message for hit in index.search(query, **filters)]


def contents(index: Index) -> dict[str, Any]:
    """All that the index has to say."""
    connection = sqlite3.connect(index.paths.cache / "index.sqlite3")
    try:
        rows = connection.execute(
            "SELECT t.file, m.id, m.at, m.role, m.model, m.ended, w.text FROM message m "
            "JOIN thread t ON t.num = m.thread LEFT JOIN words w ON w.rowid = m.num"
        ).fetchall()
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    finally:
        connection.close()
    threads = {s.id: s for s in index.summaries()}
    # The title has no time of its own.
    known = [(file, i, when if i is not None else "", *more) for file, i, when, *more in rows]
    return {"threads": threads, "messages": sorted(known, key=repr)}


def rebuilt(paths: Paths) -> dict[str, Any]:
    """What an index says that is made anew."""
    fresh = Index(Paths(paths.config_file, paths.data, paths.cache / "fresh", paths.state))
    try:
        fresh.update()
        return contents(fresh)
    finally:
        fresh.close()
        for file in fresh.paths.cache.iterdir():
            file.unlink()


def agrees(index: Index) -> None:
    """The index says what a new one would say, and what the threads themselves say."""
    says = contents(index)
    assert says == rebuilt(index.paths)
    library = Library(index.paths)
    assert says["threads"] == {i: library.summary(i) for i in library.ids()}
    ended_at = {(os.fsdecode(file), i): state for file, i, _, _, _, state, _ in says["messages"] if i is not None}
    for thread_id, summary in says["threads"].items():
        if summary.problem is None:
            thread = library.open(thread_id).thread
            leading = {above.id for i in thread.ended.keys() & thread.messages.keys() for above in thread.ancestry(i)}
            for i in thread.messages:
                expected = LOCKED if lock.ending_at(thread, i) else ON_THE_WAY if i in leading else 0
                assert ended_at[thread_id, i] == expected, i


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


# -- the search -------------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["fts5", "without fts5"])
def searching(paths: Paths, request: pytest.FixtureRequest) -> Iterator[Index]:
    """An index of a few threads."""
    private = (
        Branch().typed("I feel low").reply("I am here.", {"type": "tool_use", "id": "x", "name": "e", "input": {}})
    )
    private.guard(text("The conversation stays open, secretly."))
    verdict = r.Verdict(at=at(8), message="m0002", outcome="declined", reasons=["risk seen"], private=True)
    save(paths, "1", *chat("The quick brown fox", "A café in Zürich", "naïve don't", "Foxes are red"))
    save(paths, "2", *chat("東京タワーはどこですか", "在北京大学学习", "iPhone充電", "한국어에서는"))
    save(paths, "3", *private.path, verdict)
    attached = {"type": "document", "source": {"type": "blob", "sha256": "0" * 64, "name": "budget-2026.pdf"}}
    thinking = {"type": "thinking", "thinking": "hidden ponderings", "signature": "s"}
    branch = Branch().typed("look at this", attached).reply(thinking, "seen", kind="partial")
    save(paths, "4", *branch.path, r.Title(at=at(3), title="Money matters"))
    save(paths, "5", *chat("AND OR NOT NEAR", "x:y -z ^w {a} +(b)*"))
    made = Index(paths, full_text=request.param)
    made.update()
    yield made
    made.close()


def places(index: Index, query: str, **filters: Any) -> list[str]:
    """Thread and message of each hit, shortened: `1.2`; of a title `4.`."""
    return sorted(f"{h.thread[-1]}.{(h.message or '')[-1:]}" for h in index.search(query, **filters))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fox", ["1.1", "1.4"]),
        ("FOX ", ["1.1"]),
        ("fox brown", ["1.1"]),
        ('"brown fox"', ["1.1"]),
        ('"fox brown"', []),
        ('"quick bro', ["1.1"]),
        ("fo* re", ["1.4"]),
        ("cafe zurich", ["1.2"]),
        ("CAFÉ", ["1.2"]),
        ("cafe\u0301 ", ["1.2"]),
        ("naive", ["1.3"]),
        ("don't", ["1.3"]),
        ("東京", ["2.1"]),
        ("京タ", ["2.1"]),
        ("京東", []),
        ("北京", ["2.2"]),
        ("大学", ["2.2"]),
        ("iphone充", ["2.3"]),
        ("국어", ["2.4"]),
        ("i am here", ["3.2"]),
        ("secretly", []),
        ("risk", []),
        ("budget", ["4.1"]),
        ("ponderings", []),
        ("seen", ["4.2"]),
        ("money", ["4."]),
        ("and", ["5.1"]),
        ("AND NOT ", ["5.1"]),
        ("NEAR(and or)", []),
        ("x:y", ["5.2"]),
        ("-z ^w", ["5.2"]),
        ("?! ...", []),
        ("", []),
        ("😀", []),
    ],
)
def test_queries(searching: Index, query: str, expected: list[str]) -> None:
    assert places(searching, query) == expected


def test_filters(searching: Index) -> None:
    everything = ["1.1", "1.2", "1.3", "1.4"]
    thread = ID.format(1)
    query = "f* "
    assert places(searching, query, thread=thread) == ["1.1", "1.4"]
    assert places(searching, query, thread=thread, role="user") == ["1.1"]
    assert places(searching, query, model="TEST") == ["1.4"]
    assert places(searching, query, model="opus") == []
    assert places(searching, "money", role="user") == places(searching, "money", model="c") == []
    third = datetime(2026, 11, 22, 0, 0, 3, tzinfo=UTC)
    assert places(searching, "fox", since=third) == ["1.4"]
    assert places(searching, "fox", until=third) == ["1.1"]
    assert everything[:1] == places(searching, "fox", until=datetime(2026, 11, 22, 0, 0, 4, tzinfo=UTC))


def test_filters_alone_find_the_newest_and_no_titles(searching: Index) -> None:
    by_role = places(searching, "", role="user") + places(searching, " ", role="assistant")
    assert len(by_role) == len(set(by_role)) > 4
    found = [hit.message for hit in searching.search("", role="user", thread=ID.format(1))]
    assert found == ["m0003", "m0001"]
    assert [hit.message for hit in searching.search("", role="user", thread=ID.format(1), limit=1, offset=1)] == found[
        1:
    ]
    (hit,) = searching.search("", model="test-1", thread=ID.format(1), limit=1)
    assert (hit.message, hit.matches) == ("m0004", ())
    assert hit.snippet


def test_a_hit_says_where_and_what(searching: Index) -> None:
    (hit,) = searching.search("cafe zurich")
    assert (hit.thread, hit.message, hit.title, hit.role) == (ID.format(1), "m0002", "The quick brown fox", "assistant")
    assert (hit.at, hit.model, hit.ended) == (at(2), "claude-test-1", False)
    assert [hit.snippet[a:b] for a, b in hit.matches] == ["café", "Zürich"]
    (hit,) = searching.search("京タ")
    assert hit.snippet == "東京タワーはどこですか"
    assert [hit.snippet[a:b] for a, b in hit.matches] == ["京タ"]


@given(st.text(max_size=40) | st.text(alphabet='ab"*( )^:-\\\x00', max_size=20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_typed_is_a_query(searching: Index, typed: str) -> None:
    for hit in searching.search(typed):
        assert all(0 <= begin < end <= len(hit.snippet) for begin, end in hit.matches)


def test_a_query_of_any_length(searching: Index) -> None:
    for typed in ("a " * 10_000, '"' + "fox " * 5000, "x" * 100_000, "東" * 5000, "(" * 5000, "a*" * 3000):
        searching.search(typed)


@given(st.text(max_size=60), st.text(max_size=8))
@settings(deadline=None, max_examples=200)
def test_a_snippet_is_one_line_and_its_matches_are_inside(words: str, typed: str) -> None:
    assert index_text.joined(index_text.apart(words)) == (
        words if words.isascii() else words.replace(index_text.APART, "")
    )
    query = index_text.parse(typed)
    if query is not None:
        shown, matches = index_text.snippet(index_text.apart(words * 9), query, 40)
        assert "\n" not in shown and "\x1b" not in shown
        ends = [place for pair in matches for place in pair]
        assert ends == sorted(ends) and all(0 <= place <= len(shown) for place in ends)


def test_the_snippet_is_where_most_of_the_query_is() -> None:
    query = index_text.parse("alpha beta ")
    assert query is not None
    shown, matches = index_text.snippet("alpha " + "x " * 300 + "here alpha and beta. " + "y " * 300, query, 80)
    assert [shown[a:b] for a, b in matches] == ["alpha", "beta"]
    assert shown.startswith("…") and shown.endswith("…") and len(shown) < 90


def test_the_better_and_the_newer_come_first(paths: Paths, index: Index) -> None:
    now = r.timestamp(datetime.now(UTC))
    old = "2020-01-01T00:00:00.000Z"
    for name, when, words in (("1", old, "fox"), ("2", now, "fox"), ("3", old, "fox " + "and other beasts " * 40)):
        content = [text(words)]
        save(paths, name, r.Message(at=when, id=name, parent=None, role="user", kind="typed", content=content))
    index.update()
    assert found(index, "fox") == ["2", "1", "3"]
    assert found(index, "fox", limit=1, offset=1) == ["1"]
    assert found(index, "fox", limit=0) == []


def test_where_too_many_match_it_is_the_newest_that_are_put_in_order(
    paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convend_tui.store.index.MOST_FILES", 3)
    monkeypatch.setattr("convend_tui.store.index_search.CONSIDERED", 4)
    for number in range(10):
        name = f"2026112{number}T000000-00000000"
        save(paths, name, message("m", words="fox"))
        os.utime(file_of(paths, name), (number, number))
    index.update()
    assert sorted(hit.thread[7] for hit in index.search("fox", limit=4)) == list("6789")
    assert len(index.search("fox", limit=100)) == 10
    save(paths, "20261130T000000-00000000", message("m", words="fox"))
    index.update()
    assert "20261130T000000-00000000" in [hit.thread for hit in index.search("fox", limit=4)]


# -- when the index is of no use ----------------------------------------------------------------------------


def test_the_index_is_its_owners_alone(paths: Paths, index: Index) -> None:
    save(paths, "1", *chat("fox"))
    index.update()
    for file in paths.cache.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(paths.cache.stat().st_mode) == 0o700


def _garbage(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(50_000))


def _holes(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for start in range(4096, len(data), 8192):
        data[start : start + 4096] = bytes(4096)
    file.write_bytes(data)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def _other_tables(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE thread (x)")
        connection.execute("CREATE TABLE words (x)")
    connection.close()


def _older(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()


def _same_version_other_tables(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE message")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, _garbage, _holes, _cut, _other_tables, _older, _same_version_other_tables],
    ids=lambda f: f.__name__.strip("_"),
)
@pytest.mark.parametrize("open_meanwhile", [False, True])
def test_a_missing_old_or_damaged_index_is_made_anew(
    paths: Paths, damage: Callable[[Path], None], open_meanwhile: bool
) -> None:
    for number in range(9):
        save(paths, str(number), *chat("fox " * 300, "dog " * 300))
    index = Index(paths)
    index.update()
    if not open_meanwhile:
        index.close()
    file = paths.cache / "index.sqlite3"
    damage(file)
    try:
        save(paths, "1", *chat("hen"))
        # Nothing is made by looking where there is nothing: that is for the next update to do.
        assert len(index.search("dog", limit=100)) in (0, 8, 9)
        index.update()
        assert found(index, "hen") == ["m0001"]
        assert len(index.search("dog", limit=100)) == 8
        assert index.count() == 9
        assert index.note is None
        if damage is not _holes:  # what is left of the others is nothing
            agrees(index)
    finally:
        index.close()


def test_without_a_cache_folder_the_index_is_in_memory(paths: Paths) -> None:
    thread_id = save(paths, "1", *chat("fox"))
    paths.cache.write_text("in the way")
    index = Index(paths)
    assert not index.kept
    assert index.update()
    assert found(index, "fox") == ["m0001"]
    append(paths, thread_id, message("m2", "m0001", 9, "foxes"))
    assert index.update() and not index.update()
    assert sorted(map(str, found(index, "fox"))) == ["m0001", "m2"]
    assert index.note is not None and "in memory" in index.note
    (summary,) = Library(paths).summaries()
    assert summary == index.summaries()[0]
    index.close()


def test_an_index_that_is_locked_for_long_is_left_alone(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_schema, "LOCK_S", 0.1)
    monkeypatch.setattr(index_schema, "TRY_S", 0.1)
    save(paths, "1", *chat("fox"))
    first = Index(paths)
    first.update()
    first.close()
    with sqlite3.connect(paths.cache / "index.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        save(paths, "2", *chat("fox"))
        second = Index(paths)
        assert found(second, "fox") == ["m0001"]  # reading waits for nobody
        second.update()
        assert len(second.search("fox")) == 2
        assert second.note is not None and "locked" in second.note
        second.close()
        other.execute("ROLLBACK")
    other.close()
    first.update()
    agrees(first)
    first.close()


def test_no_fts5_is_said(paths: Paths) -> None:
    save(paths, "1", *chat("fox"))
    index = Index(paths, full_text=False)
    index.update()
    assert index.note is not None and "FTS5" in index.note
    index.close()
    other = Index(paths)
    other.update()
    agrees(other)
    other.close()


# -- interrupted, killed, and several at once -----------------------------------------------------------------


def many(paths: Paths, count: int = 60) -> None:
    for number in range(count):
        save(paths, f"202611{number:02d}T000000-00000000", *chat(*(f"word{number} beast{i} " * 30 for i in range(40))))


def test_an_update_can_be_stopped_and_goes_on(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convend_tui.store.index.MOST_FILES", 5)
    many(paths, 20)
    told: list[tuple[int, int]] = []
    index.update(lambda done, total: told.append((done, total)), stop=lambda: len(told) == 2)
    assert index.count() == 10
    assert len(told) == 2 and told[0] < told[1] and told[1][0] < told[1][1]
    index.update(lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    agrees(index)


def test_a_large_file_is_read_in_steps(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_write, "STEP", 20_000)
    branch = Branch()
    for number in range(300):
        branch.typed(f"word{number}").reply("x " * 200)
    long = message("long", "m0600", 700, "y " * 40_000)
    save(paths, "1", *branch.path, ended("m0600", 690), long)
    told: list[tuple[int, int]] = []
    index.update(lambda done, total: told.append((done, total)), stop=lambda: len(told) == 3)
    assert 0 < index.summaries()[0].messages < 600
    index.update()
    assert index.summaries()[0].messages == 601
    agrees(index)


UPDATE = """
import sys
from pathlib import Path
from convend_tui.store import index, index_write
from tests.making import paths_in
index.MOST_FILES = 2
made = index.Index(paths_in(Path(sys.argv[1])))
print("ready", flush=True)
made.update(lambda done, total: print(done, flush=True))
assert made.note is None, made.note
made.close()
"""


def updating(paths: Paths) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", UPDATE, str(paths.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environ,
    )  # fmt: skip


def test_several_processes_at_once(paths: Paths, index: Index) -> None:
    many(paths)
    running = [updating(paths) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert not index.update()
    agrees(index)


@pytest.mark.parametrize("lines", [1, 5, 12, 24])
def test_after_a_kill_the_next_update_goes_on(paths: Paths, index: Index, lines: int) -> None:
    many(paths)
    process = updating(paths)
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert index.count() <= 60
    index.update()
    assert index.count() == 60
    agrees(index)


def test_searching_while_an_update_runs(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convend_tui.store.index.MOST_FILES", 2)
    many(paths, 40)
    failures: list[Exception] = []
    counts: list[int] = []

    def look() -> None:
        try:
            while running.is_alive():
                counts.append(index.count())
                index.search("beast", limit=5)
        except (ConvendError, sqlite3.Error) as error:
            failures.append(error)

    running = threading.Thread(target=index.update)
    lookers = [threading.Thread(target=look) for _ in range(2)]
    for thread in (running, *lookers):
        thread.start()
    for thread in (running, *lookers):
        thread.join()
    assert failures == []
    assert index.note is None
    assert max(counts) <= 40
    assert index.count() == 40
    agrees(index)


def test_a_thread_of_many_messages(paths: Paths, index: Index) -> None:
    branch = Branch()
    for number in range(2500):
        branch.typed(f"question {number}").reply(f"answer {number}")
    thread_id = save(paths, "1", *branch.path)
    index.update()
    (summary,) = index.summaries()
    assert (summary.messages, summary.branches) == (5000, 1)
    append(paths, thread_id, message("fork", "m0001", 9000))
    index.update()
    assert index.summaries()[0].branches == 2
    assert found(index, '"answer 1234"') == ["m2470"]


def test_settings_of_a_thread(paths: Paths, index: Index) -> None:
    thread_id = save(paths, "1", *chat("fox"))
    index.update()
    assert index.summaries()[0].model == SETTINGS.model
    append(paths, thread_id, r.SettingsChange(at=at(5), model="other"))
    index.update()
    assert index.summaries()[0].model == "other"
