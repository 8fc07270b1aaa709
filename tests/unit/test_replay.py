"""A saved thread as timed events: recorded times, plausible ones, and pauses."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from convend_tui.model.reply import ReplyBuilder
from convend_tui.replay import (
    PACE,
    PIECE_MS,
    UNKNOWN_PAUSE_MS,
    Replay,
    plausible_chunks,
)
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, call, text
from tests.unit.replaying import answered, thought, timed, told

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
