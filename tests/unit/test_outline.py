"""The outline: each message in one row, forks indented, straight runs folded, whatever the file holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.thread import records as r
from convend_tui.thread.outline import Outline, Row, Rows, preview, problems_of
from convend_tui.thread.runs import walk
from convend_tui.thread.tree import Thread
from tests.making import Branch, at, call, header, text
from tests.unit.test_tree import message, thread_of


def straight(count: int, below: str | None = None, name: str = "m", since: int = 0) -> list[r.Message]:
    """Questions and answers, one below the other."""
    found: list[r.Message] = []
    for number in range(count):
        role, kind = (("user", "typed"), ("assistant", "reply"))[number % 2]
        parent = found[-1].id if found else below
        found.append(message(f"{name}{number}", parent, since + number, role=role, kind=kind))
    return found


def shown(rows: Rows) -> list[str]:
    """The rows as short words: depth, id or what is folded, and marks."""
    return [_words(row) for row in rows]


def _words(row: Row) -> str:
    what = f"({row.folded} folded, {row.turns} turns)" if row.folded else row.message.id
    place = f" {row.run.place}" if row.first and row.run.place else ""
    return f"{'.' * row.run.depth}{what}{place}"


def ids(rows: Sequence[Row]) -> list[str]:
    return [row.message.id for row in rows]


# Shape


def test_a_short_thread_is_shown_whole() -> None:
    rows = Outline(thread_of(*straight(7))).rows("m6")
    assert shown(rows) == [f"m{number}" for number in range(7)]
    assert all(row.current for row in rows)


def test_a_thread_ten_thousand_deep_reads_like_one_of_ten() -> None:
    for count in (10, 10_000):
        rows = Outline(thread_of(*straight(count))).rows(f"m{count - 1}", here=f"m{count - 1}")
        fold = f"({count - 4} folded, {count // 2 - 2} turns)"
        assert shown(rows) == ["m0", "m1", fold, f"m{count - 2}", f"m{count - 1}"]
        assert [row.here for row in rows] == [False] * 4 + [True]


def test_only_forks_indent_and_the_longest_branch_goes_on_where_the_fork_stands() -> None:
    long, late = straight(4, "m1", "long", 10), straight(2, "m1", "late", 20)
    thread = thread_of(*straight(2), *long, *late, message("end", "late0", 30))
    assert shown(Outline(thread).rows("m1")) == [
        *("m0", "m1"),
        *(".late0 2/2", "..late1 1/2", ".end 2/2"),
        *("long0 1/2", "long1", "long2", "long3"),
    ]
    rows = Outline(thread).rows("end")
    assert [row.message.id for row in rows if row.current] == ["m0", "m1", "late0", "end"]
    assert [row.message.id for row in rows if row.fork] == ["m1", "late0"]
    assert [row.run.inner for row in rows if row.first] == [False, True, True, False, False]


def test_a_fork_at_every_step_does_not_run_out_of_the_screen() -> None:
    spine = straight(1000)
    combs = [message(f"x{number}", one.id, 5000) for number, one in enumerate(spine[:-1])]
    assert max(run.depth for run in Outline(thread_of(*spine, *combs)).runs) == 1


def test_the_message_with_the_focus_labels_and_endings_are_not_folded_away() -> None:
    thread = thread_of(
        *straight(40),
        r.Label(at=at(90), message="m20", label="here it turned"),
        r.Label(at=at(90), message="m8", label="  "),
        r.Ended(at=at(91), message="m31", cause="persistent_abuse", explanation=""),
    )
    rows = Outline(thread).rows("m39", here="m14")
    kept = [row.message.id for row in rows if not row.folded]
    assert kept == ["m0", "m1", "m14", "m20", "m31", "m38", "m39"]
    by_id = {row.message.id: row for row in rows if not row.folded}
    assert (by_id["m20"].label, by_id["m31"].ended, by_id["m14"].here) == ("here it turned", True, True)
    assert sum(row.folded or 1 for row in rows) == 40


def test_a_run_unfolds_by_its_name() -> None:
    outline = Outline(thread_of(*straight(20)))
    assert len(outline.rows("m19", unfolded={"m0"})) == len(outline.rows("m19", fold=False)) == 20
    assert len(outline.rows("m19", unfolded={"m1", "nothing"})) == 5


def test_pruned_branches_are_marked_down_to_their_ends() -> None:
    thread = thread_of(*straight(4), *straight(2, "m1", "gone"), r.Hide(at=at(50), message="gone0"))
    hidden = [row.message.id for row in Outline(thread).rows("m3") if row.hidden]
    assert hidden == ["gone0", "gone1"]
    assert Outline(thread).ends == (1, 1)
    assert [row.run.place for row in Outline(thread).rows("m3") if row.first] == ["", "", ""]
    assert [m.id for m, is_hidden in walk(thread) if is_hidden] == hidden
    thread.apply(r.Restore(at=at(51), message="gone0"))
    rows = Outline(thread).rows("m3")
    assert not any(row.hidden for row in rows)
    assert [row.run.place for row in rows if row.first] == ["", "1/2", "2/2"]


def test_what_nobody_is_shown_has_no_row_and_makes_no_fork() -> None:
    branch = Branch().typed("Hello").reply(call(), stop="tool_use").guard(text("no")).reply("I am here.").typed("Good.")
    private = r.Verdict(at=at(60), message=branch.path[1].id, outcome="declined", private=True)
    other = message("other", branch.path[0].id, 70, role="assistant", kind="reply")
    thread = Thread(header(), [*branch.path, private])
    rows = Outline(thread).rows(branch.last)
    assert ids(rows) == [branch.path[0].id, branch.path[3].id, branch.path[4].id]
    assert not any(row.fork for row in rows)
    assert rows.index_of(branch.path[2].id) == 0
    thread.apply(other)
    assert shown(Outline(thread).rows(branch.last)) == [
        branch.path[0].id,
        ".other 2/2",
        f"{branch.path[3].id} 1/2",
        branch.path[4].id,
    ]
    # A decline without a word below it leaves no trace, not even a fork.
    alone = Thread(header(), [*branch.path[:2], private, other])
    assert shown(Outline(alone).rows("other")) == [branch.path[0].id, "other"]


# The filter


def found(rows: Rows) -> list[str]:
    return [row.message.id for row in rows if row.hit]


def test_the_filter_keeps_what_stands_above_a_hit_and_nothing_else() -> None:
    thread = thread_of(
        *straight(2),
        *straight(12, "m1", "a"),
        *straight(3, "m1", "b"),
        message("hit", "a11", 60, "The Straße is wet"),
        message("below", "hit", 61),
        message("named", "b0", 62),
        r.Label(at=at(63), message="named", label="wet streets"),
    )
    outline = Outline(thread)
    rows = outline.rows("m1", wanted="wet STRASSE")
    assert found(rows) == ["hit"]
    assert shown(rows) == ["m0", "m1", "a0 1/2", "a1", "(9 folded, 5 turns)", "a11", "hit"]
    assert found(outline.rows("m1", wanted="wet")) == ["named", "hit"]
    assert len(outline.rows("m1", wanted="nowhere")) == 0
    assert len(outline.rows("m1", wanted=" ")) == len(outline.rows("m1"))
    assert rows.hits == 1
    assert outline.rows("m1").hits is None
    assert rows.index_of("b0") is None


def test_more_letters_narrow_and_fewer_widen() -> None:
    outline = Outline(thread_of(*(message(f"m{n}", f"m{n - 1}" if n else None, n, f"word{n}") for n in range(30))))
    fresh = Outline(outline.thread)
    for wanted in ("w", "wo", "word2", "word2 ", "word2 9", "word2", "word1", "", "x", "word29"):
        assert found(outline.rows(None, wanted=wanted)) == found(fresh.rows(None, wanted=wanted))
        fresh = Outline(outline.thread)


def test_the_first_words_are_the_found_ones() -> None:
    long = message("m", None, 1, "Once " * 200 + "there was a needle in it")
    assert preview(long, 40).startswith("Once Once")
    assert "needle" in preview(long, 40, "needle")
    assert len(preview(long, 40, "needle")) <= 40
    assert preview(message("m", None, 1, "\n" * 2000 + "words")) == "words"
    assert preview(r.Message(at=at(1), id="e", parent=None, role="user", content=[], kind="typed"), 4) == "(no…"


# Going through it


def test_jumps_between_forks_branches_and_hits() -> None:
    x, y, z = straight(2, "m1", "x", 10), straight(6, "m1", "y", 20), straight(2, "y1", "z", 30)
    thread = thread_of(*straight(4), *x, *y, *z)
    rows = Outline(thread).rows("y5")
    assert shown(rows) == [
        *("m0", "m1"),
        *(".m2 1/3", ".m3", ".x0 2/3", ".x1"),
        *("y0 3/3", "y1", ".z0 2/2", ".z1", "y2 1/2", "y3", "y4", "y5"),
    ]

    def go(move: Any, start: str, step: int) -> str | None:
        place = move(rows.index_of(start), step)
        return None if place is None else rows[place].message.id

    assert [go(rows.next_fork, start, 1) for start in ("m0", "m1", "y1")] == ["m1", "y1", None]
    assert [go(rows.next_fork, start, -1) for start in ("y5", "y1", "m1")] == ["y1", "m1", None]
    assert [go(rows.next_branch, start, 1) for start in ("m3", "x0", "y2", "y0", "z1")] == [
        "x0",
        "y0",
        "z0",
        None,
        None,
    ]
    assert [go(rows.next_branch, start, -1) for start in ("x1", "y0", "z0", "m0")] == ["m2", "x0", "y2", None]
    assert [rows.fork_above(rows.index_of(start) or 0) for start in ("z1", "x1", "m0")] == [7, 1, None]
    hits = Outline(thread).rows("y5", wanted="x")
    assert (hits.next_hit(-1, 1), hits.next_hit(2, 1), hits.next_hit(2, -1)) == (2, 3, None)


# What is broken


def test_what_is_wrong_is_said_and_everything_is_shown() -> None:
    thread = thread_of(
        *straight(2),
        message("lost", "nowhere", 5),
        message("ring1", "ring2", 6),
        message("ring2", "ring1", 7),
        message("self", "self", 8),
        message("m0", None, 9, "the same id"),
    )
    outline = Outline(thread)
    assert sorted(ids(outline.rows(None))) == sorted(thread.messages)
    assert len(outline.problems) == len(problems_of(thread)) == 4
    assert "a message answers one that is not in the file" in outline.problems
    assert outline.rows("not there", here="ended:m0").index_of("nor this") is None


def test_nothing_at_all() -> None:
    outline = Outline(thread_of())
    assert (len(outline.rows(None)), outline.ends, outline.problems) == (0, (0, 0), [])
    assert len(outline.rows(None, wanted="x")) == 0


@pytest.mark.parametrize("below", ["m0", None])
def test_a_thousand_branches_at_one_place(below: str | None) -> None:
    thread = thread_of(*straight(1), *(message(f"x{number}", below, number + 2) for number in range(1000)))
    outline = Outline(thread)
    rows = outline.rows("x0")
    assert sorted(ids(rows)) == sorted(thread.messages)
    assert {row.run.depth for row in rows} == {0, 1}
    numbers, place = [], rows.index_of("x0")
    while place is not None:
        numbers.append(rows[place].run.number)
        place = rows.next_branch(place, 1)
    assert numbers == list(range(numbers[0], rows[1].run.of + 1))


def test_a_hundred_thousand_deep_with_a_fork_at_each_tenth() -> None:
    spine = straight(100_000)
    thread = Thread(header(), [*spine, *(message(f"x{n}", f"m{n}", n) for n in range(0, 100_000, 10))])
    outline = Outline(thread)
    rows = outline.rows("m99999", here="m50001")
    assert len(outline) == 110_000
    assert rows[rows.index_of("m99999") or 0].current
    assert rows.next_branch(rows.index_of("m99999") or 0, 1) is None
    assert len(outline.rows("m99999", fold=False)) == 110_000
    assert found(outline.rows("m99999", wanted="m99999")) == ["m99999"]


# Any thread

NAMES = [f"n{number}" for number in range(14)]


@st.composite
def any_records(draw: st.DrawFn) -> list[r.Record]:
    """Messages with any parents, missing and circular ones too, and marks on any of them."""
    names = st.sampled_from(NAMES)
    kinds = st.sampled_from([("user", "typed"), ("assistant", "reply"), ("user", "guard"), ("assistant", "partial")])
    found: list[r.Record] = []
    for when in range(draw(st.integers(0, 24))):
        role, kind = draw(kinds)
        found.append(message(draw(names), draw(names | st.none()), when, role=role, kind=kind))
    for when in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([r.Hide, r.Restore, r.Label, r.Verdict, r.Ended]))
        more: dict[str, Any] = {
            r.Label: {"label": "name"},
            r.Verdict: {"outcome": "declined", "private": True},
            r.Ended: {"cause": "", "explanation": ""},
        }.get(kind, {})
        found.append(kind(at=at(100 + when), message=draw(names), **more))
    return found


@settings(max_examples=300, deadline=None)
@given(any_records(), st.sampled_from([*NAMES, None]), st.sampled_from([*NAMES, None]), st.sets(st.sampled_from(NAMES)))
def test_any_thread_is_shown_once_and_in_order(
    records: list[r.Record], leaf: str | None, here: str | None, unfolded: set[str]
) -> None:
    thread = thread_of(*records)
    outline = Outline(thread)
    seen = {m.id for m in thread.messages.values() if not thread.unseen(m)}
    whole = outline.rows(leaf, here=here, fold=False)
    assert sorted(ids(whole)) == sorted(seen)
    assert {row.message.id for row in whole if row.hidden} == {i for i in seen if thread.hidden(i)}
    on_path = {m.id for m in thread.path(leaf)} & seen if leaf in thread.messages else set()
    assert {row.message.id for row in whole if row.current} == on_path
    if len(seen) == len(thread.messages):  # what nobody is shown is counted elsewhere, and not here
        for row in whole:
            beside = thread.shown_siblings(row.message.id)
            if row.first and not thread.pruned(row.message.id) and len(beside) > 1:
                assert row.run.place == f"{beside.index(row.message.id) + 1}/{len(beside)}"
    assert max((row.run.depth for row in whole), default=0) <= math.log2(max(1, len(seen)))

    place = {name: number for number, name in enumerate(ids(whole))}
    for message_id in seen:
        parent = thread.parent(message_id)
        while parent is not None and parent not in seen:
            parent = thread.parent(parent)
        assert parent is None or place[parent] < place[message_id]

    for wanted in ("", "n1"):
        rows = outline.rows(leaf, here=here, unfolded=unfolded, wanted=wanted)
        listed = ids(rows)
        assert len(set(listed)) == len(listed)
        if not wanted:
            assert sum(row.folded or 1 for row in rows) == len(seen)
            assert all(rows.index_of(message_id) is not None for message_id in seen)
        else:
            assert set(found(rows)) == {i for i in seen if "n1" in thread.messages[i].content[0]["text"]}
        for number, row in enumerate(rows):
            assert rows.index_of(row.message.id) == number
            for step in (1, -1):
                for move in (rows.next_fork, rows.next_branch, rows.next_hit):
                    target = move(number, step)
                    assert target is None or 0 <= target < len(rows)
