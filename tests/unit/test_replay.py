"""A saved thread as timed events: recorded times, plausible ones, pauses, marks, and what nobody is shown."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convend_tui.model.reply import ReplyBuilder
from convend_tui.plain import visible
from convend_tui.replay import (
    LONGEST_PAUSE_MS,
    PACE,
    PIECE_MS,
    UNKNOWN_PAUSE_MS,
    Event,
    Replay,
    branches,
    made_visible,
    plausible_chunks,
)
from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, result, text


def timed(*chunks: list[Any], total: Any = None) -> dict[str, Any]:
    """A record's `timing`."""
    return {"first_ms": chunks[0][0] if chunks else None, "total_ms": total, "chunks": list(chunks)}


def thought(words: str) -> r.Block:
    return {"type": "thinking", "thinking": words, "signature": "c2ln"}


def answered(*content: r.Block | str, **more: Any) -> Branch:
    return Branch().typed("Hello").reply(*content, **more)


def told(replay: Replay) -> list[tuple[int, str, str]]:
    """All events: when, what, and the words."""
    return [(event.at, event.kind, event.text) for event in events_of(replay)]


def events_of(replay: Replay) -> list[Event]:
    return [event for number in range(len(replay.scenes)) for event in replay.events(number)]


# -- times ------------------------------------------------------------------------------------------------


def test_a_reply_comes_in_the_chunks_that_were_recorded() -> None:
    reply = answered("Hello there.", timing=timed([300, 5], [350, 1], [900, 6], total=1200))
    replay = Replay(reply.typed("And?").thread())
    assert told(replay) == [
        (0, "typed", "Hello"),
        (300, "text", "Hello"),
        (350, "text", " "),
        (900, "text", "there."),
        (1200, "done", ""),
        (2200, "typed", "And?"),
    ]
    assert [(scene.begin, scene.end) for scene in replay.scenes] == [(0, 0), (300, 1200), (2200, 2200)]
    assert (replay.duration, replay.made_up) == (2200, False)


def test_chunks_count_thinking_and_text_together() -> None:
    timing = timed([100, 3], [200, 6], [300, 2], total=300)
    replay = Replay(answered(thought("Hmmm."), "Yes", thought(""), "No.", timing=timing).thread())
    assert told(replay)[1:] == [
        (100, "thinking", "Hmm"),
        (200, "thinking", "m."),
        (200, "text", "Yes"),
        (200, "text", "\n\nN"),
        (300, "text", "o."),
        (300, "done", ""),
    ]


def test_what_a_stream_was_recorded_as_is_played() -> None:
    """The recorder and the player agree on what is counted."""
    builder, said = ReplyBuilder(), {"thinking": "", "text": ""}
    deltas = [(400, "thinking", "Well, "), (430, "thinking", "well."), (900, "text", "So "), (980, "text", "it is: 🦊")]
    for ms, kind, words in deltas:
        index = int(kind == "text")
        delta = {"type": f"{kind}_delta", kind: words}
        builder.feed({"type": "content_block_delta", "index": index, "delta": delta}, ms)
    replay = Replay(answered(*builder.content(), call(), timing=builder.timing(1500)).thread())
    assert not replay.made_up
    for event in replay.events(1)[:-1]:
        said[event.kind] += event.text
        assert sum(map(len, said.values())) == sum(len(words) for ms, _, words in deltas if ms <= event.at + 50 - 1)
    assert said == {"thinking": "Well, well.", "text": "So it is: 🦊"}
    assert replay.duration == 1500


@pytest.mark.parametrize(
    "timing",
    [
        None,
        {},
        {"chunks": None},
        {"chunks": {"0": 5}},
        {"chunks": "12"},
        timed(),
        timed([0, 4]),
        timed([0, 6]),
        timed([0, 5], [1, 1]),
        timed([-1, 5]),
        timed([5, 6], [6, -1]),
        timed([10, 2], [9, 3]),
        timed([0, 2.0], [1, 3]),
        timed([0, 2], ["1", 3]),
        timed([0, 2], [None, 3]),
        timed([True, 5]),
        timed([0, 2], [1, 3, 4]),
        timed([0, 2], [1]),
        {"chunks": [[], []]},
        {"chunks": [5]},
        {"chunks": [{"ms": 0, "n": 5}]},
        {"chunks": [[[0], [5]]]},
        timed([10**12, 5]),
    ],
)
def test_times_that_do_not_fit_the_text_are_made_up(timing: dict[str, Any] | None) -> None:
    replay = Replay(answered("Fives", timing=timing).thread())
    assert replay.made_up and replay.scenes[1].made_up
    assert not replay.scenes[0].made_up
    assert "".join(event.text for event in replay.events(1)) == "Fives"


@pytest.mark.parametrize("total", [None, -5, "7", 2, True, 10**15])
def test_a_total_that_cannot_be_is_the_time_of_the_last_piece(total: Any) -> None:
    replay = Replay(answered("Fives", timing=timed([10, 2], [30, 3], total=total)).thread())
    assert not replay.made_up
    assert replay.scenes[1].end == replay.duration == 30


def test_a_chunk_of_nothing_is_no_piece() -> None:
    timing = timed([100, 0], [1900, 0], [3000, 2], [4500, 0], [6000, 1], total=6000)
    replay = Replay(answered("abc", timing=timing).thread())
    assert told(replay)[1:] == [(2000, "text", "ab"), (4000, "text", "c"), (4000, "done", "")]


def test_a_reply_without_words_needs_no_times() -> None:
    thread = answered(stop="refusal", timing={"first_ms": None, "total_ms": 700, "chunks": []}).thread()
    assert told(Replay(thread)) == [(0, "typed", "Hello"), (700, "done", "")]
    nothing = Replay(answered().thread())
    assert [event.kind for event in nothing.events(1)] == ["done"]
    assert not nothing.made_up


def test_plausible_times_are_words_at_a_steady_pace() -> None:
    words = "It is a truth universally acknowledged, " * 20
    times, sizes = plausible_chunks(words)
    assert sum(sizes) == len(words)
    assert all(later - earlier >= PIECE_MS for earlier, later in itertools.pairwise(times))
    ends = list(itertools.accumulate(sizes))
    assert all(words[end - 1] == " " for end in ends)
    assert all(ms == start * 1000 // PACE for ms, start in zip(times, [0, *ends], strict=False))
    replay = Replay(answered(words).thread())
    assert replay.scenes[1].end - replay.scenes[1].begin == len(words) * 1000 // PACE


# -- pauses -----------------------------------------------------------------------------------------------


def slow() -> Branch:
    """Ten seconds before the first token, ten in the middle, and a minute before the person goes on."""
    branch = answered("abc", timing=timed([10_000, 1], [10_100, 1], [20_100, 1], total=31_000))
    next_one = r.Message(
        at="2026-11-22T00:01:02.500Z", id="late", parent=branch.last, role="user", content=[text("On.")], kind="typed"
    )
    branch.path.append(next_one)
    return branch


def test_long_pauses_are_shortened() -> None:
    assert [moment for moment, _, _ in told(Replay(slow().thread()))] == [0, 2000, 2100, 4100, 6100, 8100]


def test_long_pauses_are_kept_where_that_is_asked_for() -> None:
    replay = Replay(slow().thread(), longest_pause_ms=None)
    assert [moment for moment, _, _ in told(replay)] == [0, 10_000, 10_100, 20_100, 31_000, 91_500]
    none_at_all = Replay(slow().thread(), longest_pause_ms=0)
    assert none_at_all.duration == 0


def test_an_answer_that_was_asked_for_again_long_after_comes_as_fast_as_it_came() -> None:
    branch = Branch().typed("Hello")
    again = r.Message(
        at="2027-01-01T00:00:00.000Z", id="again", parent=branch.last, role="assistant", content=[text("Hi")],
        kind="reply", timing=timed([250, 2], total=250),
    )  # fmt: skip
    assert Replay(branch.thread(SETTINGS, again), longest_pause_ms=None).scenes[1].begin == 250


@pytest.mark.parametrize("when", ["", "yesterday", "0000-00-00", "9" * 400])
def test_messages_without_a_time_have_a_pause_of_their_own(when: str) -> None:
    branch = Branch().typed("Hello").typed("Again")
    first = r.Message(at=when, id="m0001", parent=None, role="user", content=[text("Hello")], kind="typed")
    thread = Thread(branch.thread().header, [first, branch.path[1]])
    assert [scene.begin for scene in Replay(thread, "m0002").scenes] == [0, UNKNOWN_PAUSE_MS]


def test_a_time_that_falls_is_no_pause() -> None:
    branch = Branch().typed("Hello")
    early = r.Message(
        at="1969-01-01T00:00:00Z", id="early", parent=branch.last, role="user", content=[text("x")], kind="typed"
    )
    assert Replay(branch.thread(SETTINGS, early), "early").duration == 0


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
