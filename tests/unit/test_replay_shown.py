"""A saved thread as timed events: what is shown, what nobody is shown, and what always holds."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convend_tui.plain import visible
from convend_tui.replay import (
    LONGEST_PAUSE_MS,
    Replay,
    branches,
    made_visible,
)
from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, result, text
from tests.unit.replaying import answered, events_of, thought, timed, told

# -- what is shown ----------------------------------------------------------------------------------------


def test_the_ending_comes_as_it_was() -> None:
    branch = Branch().typed("fool").reply("Hm.", call("1"), timing=timed([100, 3], total=400)).guard(result("1"))
    branch.reply("Bye.", call("2"), timing=timed([100, 4], total=900))
    first, last = branch.path[1].id, branch.last
    thread = branch.thread(
        SETTINGS,
        r.Verdict(at=at(50), message=first, outcome="confirm"),
        r.Verdict(at=at(51), message=last, outcome="ended"),
        r.Ended(at=at(51), message=last, cause="persistent_abuse", explanation="x"),
    )
    replay = Replay(thread)
    assert [(event.at, event.kind, event.message) for event in events_of(replay)[1:]] == [
        (100, "text", first),
        (400, "done", first),
        (400, "verdict", first),
        (500, "text", last),
        (1300, "done", last),
        (1300, "verdict", last),
        (1300, "ended", last),
    ]
    assert [(mark.at, mark.kind, mark.message) for mark in replay.marks] == [(1300, "ending", last)]
    # A path that stops in the middle of that turn is locked as well.
    assert [(event.kind, event.message) for event in Replay(thread, first).outcome(1)] == [
        ("verdict", first),
        ("ended", last),
    ]
    assert replay.outcome(-1) == replay.events(-1)[-2:]


def test_a_call_that_protected_someone_was_never_there() -> None:
    branch = Branch().typed("Hello").reply(call(explanation="SECRET")).guard(result(words="SECRET")).reply("I am here.")
    private = r.Verdict(at=at(90), message=branch.path[1].id, outcome="declined", private=True, reasons=["SECRET"])
    replay = Replay(branch.thread(SETTINGS, private))
    assert [scene.message.id for scene in replay.scenes] == ["m0001", "m0004"]
    assert {event.kind for event in events_of(replay)} == {"typed", "text", "done"}
    assert "SECRET" not in repr(events_of(replay))
    assert replay.marks == []
    with_words = Branch().typed("Hello").reply("Well.", call(explanation="SECRET"))
    private = r.Verdict(at=at(90), message="m0002", outcome="declined", private=True)
    events = Replay(with_words.thread(SETTINGS, private)).events(1)
    assert [event.text for event in events] == ["Well.", ""]


def test_forks_are_marked_where_the_branches_part() -> None:
    branch = Branch().typed("One").reply("Two").typed("Three").reply("Four")
    other = r.Message(at=at(30), id="other", parent="m0001", role="assistant", content=[text("Zwei")], kind="reply")
    pruned = r.Message(at=at(31), id="gone", parent="m0002", role="user", content=[text("Drei")], kind="typed")
    thread = branch.thread(SETTINGS, other, pruned, r.Hide(at=at(40), message="gone"))
    replay = Replay(thread, branch.last)
    assert [(mark.kind, mark.message, mark.at) for mark in replay.marks] == [("fork", "m0002", replay.scenes[1].begin)]
    assert branches(thread, "m0002") == ["m0002", "other"]
    assert branches(thread, "m0003") == ["m0003"]
    # Whoever stands on what was pruned sees where it belongs.
    assert branches(thread, "gone") == ["m0003", "gone"]
    roots = branch.thread(SETTINGS, r.Message(at=at(9), id="root", parent=None, role="user", content=[], kind="typed"))
    assert [mark.message for mark in Replay(roots, branch.last).marks] == ["m0001"]


def test_a_fork_above_what_nobody_is_shown() -> None:
    branch = Branch().typed("Hello").reply(call()).guard(result()).reply("One.")
    again = r.Message(at=at(20), id="again", parent="m0001", role="assistant", content=[text("Two.")], kind="reply")
    twin = r.Message(at=at(21), id="twin", parent="m0003", role="assistant", content=[text("Three.")], kind="reply")
    private = r.Verdict(at=at(90), message="m0002", outcome="declined", private=True)
    thread = branch.thread(SETTINGS, private, again, twin)
    for leaf in ("m0004", "again", "twin"):
        assert branches(thread, leaf) == ["m0004", "twin", "again"]
        assert [mark.message for mark in Replay(thread, leaf).marks] == [leaf]


def test_what_broke_off_is_played_as_it_is() -> None:
    thread = answered("I was ab", kind="partial", stop="", timing=timed([100, 8], total=5000)).thread()
    assert told(Replay(thread))[1:] == [(100, "text", "I was ab"), (2100, "done", "")]


def test_an_empty_thread_is_an_empty_replay() -> None:
    replay = Replay(Branch().thread())
    assert (list(replay.scenes), list(replay.marks), replay.duration, replay.made_up) == ([], [], 0, False)
    assert replay.scene_at(0) is None
    with pytest.raises(IndexError):
        replay.events(0)


def test_scene_at_is_the_last_that_has_begun() -> None:
    replay = Replay(answered("Hi", timing=timed([300, 2], total=400)).typed("And?").thread())
    found = [replay.scene_at(moment) for moment in (-1, 0, 299, 300, 1399, 1400, 10**9)]
    assert found == [None, 0, 0, 1, 1, 2, 2]


def test_nothing_is_made_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long path costs a few numbers a message: no texts are cut, and forks are looked for only at forks."""
    branch = Branch()
    for _ in range(5000):
        branch.typed("Hello").reply("word " * 100)
    thread = branch.thread()
    below = []
    monkeypatch.setattr(seen, "below", lambda thread, i: below.append(i) or iter([i]))
    monkeypatch.setattr(Replay, "_pieces", None)
    replay = Replay(thread)
    assert len(replay.scenes) == 10_000
    assert below == ["m0001"], "the roots are not counted anywhere"


# -- properties -------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8"), max_size=40)
blocks = st.one_of(
    words.map(text),
    words.map(thought),
    st.just({"type": "text"}),
    st.just({"type": "text", "text": None}),
    st.just({"type": ["odd"], "text": "x"}),
    st.just(call()),
)
pairs = st.lists(st.lists(st.one_of(st.integers(-1, 5000), st.none()), max_size=3), max_size=5)


@st.composite
def timings(draw: st.DrawFn, content: list[r.Block]) -> tuple[dict[str, Any] | None, bool]:
    """A timing, and whether it is one that fits the content."""
    size = sum(len(b.get("text") or "") for b in content if b.get("type") == "text")
    size += sum(len(b["thinking"]) for b in content if b.get("type") == "thinking")
    if not draw(st.booleans()):
        return draw(st.one_of(st.none(), st.builds(lambda p: {"chunks": p, "total_ms": None}, pairs))), False
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=4)))
    sizes = [end - start for start, end in itertools.pairwise([0, *cuts, size])]
    times = sorted(draw(st.lists(st.integers(0, 9000), min_size=len(sizes), max_size=len(sizes))))
    return timed(*map(list, zip(times, sizes, strict=True)), total=times[-1] + draw(st.integers(0, 9000))), True


@st.composite
def threads(draw: st.DrawFn) -> tuple[Thread, set[str]]:
    """A thread of one branch, and the replies whose times are recorded."""
    branch, recorded = Branch(), set()
    for _ in range(draw(st.integers(0, 4))):
        branch.typed(*draw(st.lists(blocks, max_size=2)))
        content = draw(st.lists(blocks, max_size=4))
        timing, fits = draw(timings(content))
        branch.add("assistant", draw(st.sampled_from(["reply", "partial"])), *content, timing=timing)
        if fits:
            recorded.add(branch.last)
    return branch.thread(), recorded


@given(threads(), st.one_of(st.none(), st.integers(0, 3000)))
def test_what_holds_for_every_thread(made: tuple[Thread, set[str]], longest: int | None) -> None:
    thread, recorded = made
    replay = Replay(thread, longest_pause_ms=longest)
    shown = [message for message in thread.path(thread.leaf) if not thread.unseen(message)]
    assert [scene.message for scene in replay.scenes] == shown
    moments = [0]
    for number, scene in enumerate(replay.scenes):
        events = replay.events(number)
        assert events
        assert scene.begin <= events[0].at and events[-1].at == scene.end
        moments += [scene.begin, *(event.at for event in events)]
        message = scene.message
        said = {kind: "".join(e.text for e in events if e.kind == kind) for kind in ("typed", "text", "thinking")}
        thinking = [b["thinking"] for b in message.content if b.get("type") == "thinking"]
        is_mine = message.role == "user"
        assert said == {
            "typed": r.text_of(message) if is_mine else "",
            "text": "" if is_mine else r.text_of(message),
            "thinking": "" if is_mine else "\n\n".join(filter(None, thinking)),
        }
        assert not (message.id in recorded and scene.made_up)
        assert all(event.text for event in events if event.kind in ("text", "thinking"))
        if longest is not None and not scene.made_up:
            gaps = [later - earlier for earlier, later in itertools.pairwise(event.at for event in events)]
            assert max(gaps, default=0) <= longest
    assert moments == sorted(moments)
    assert replay.duration == moments[-1]
    if longest is not None:
        ends = [0, *(scene.end for scene in replay.scenes)]
        assert all(scene.begin - end <= longest for scene, end in zip(replay.scenes, ends, strict=False))
    assert replay.made_up == any(scene.made_up for scene in replay.scenes)


def test_the_longest_pause_is_what_the_contract_says() -> None:
    assert LONGEST_PAUSE_MS == 2000


@given(st.lists(st.text(st.characters(codec=None), max_size=6), max_size=8))
def test_pieces_made_visible_are_the_whole_made_visible(pieces: list[str]) -> None:
    shown = made_visible(pieces)
    assert len(shown) == len(pieces)
    assert "".join(shown) == visible("".join(pieces))


def test_pieces_of_ordinary_text_are_cut_where_they_were() -> None:
    assert made_visible(["a ", "", "日本", "\n🦊"]) == ["a ", "", "日本", "\n🦊"]
    assert "␍" not in "".join(made_visible(["one\r", "\ntwo"]))
