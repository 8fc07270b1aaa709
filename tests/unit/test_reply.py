"""A reply out of the events of a stream, however the server sends them."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.model.events import TextDelta, ThinkingDelta
from convend_tui.model.reply import CHUNK_MS, ReplyBuilder

Json = dict[str, Any]


def started(index: int, **block: Any) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **value: Any) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **value}}


def stopped(index: int) -> Json:
    return {"type": "content_block_stop", "index": index}


def fed(*events: Json, step: int = 10) -> ReplyBuilder:
    builder = ReplyBuilder()
    for number, event in enumerate(events):
        builder.feed(event, number * step)
    return builder


MESSAGE = {"type": "message_start", "message": {"model": "claude-x", "usage": {"input_tokens": 3, "output_tokens": 1}}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
STOP = {"type": "message_stop"}


def test_a_stream_as_the_api_sends_it() -> None:
    builder = fed(
        MESSAGE,
        started(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking", thinking="Hm, "),
        delta(0, "thinking", thinking="hm."),
        delta(0, "signature", signature="c2ln"),
        stopped(0),
        {"type": "ping"},
        started(1, type="text", text=""),
        delta(1, "text", text="Hel"),
        delta(1, "text", text="lo."),
        stopped(1),
        END,
        STOP,
    )
    assert builder.content() == [
        {"type": "thinking", "thinking": "Hm, hm.", "signature": "c2ln"},
        {"type": "text", "text": "Hello."},
    ]
    assert (builder.model, builder.stop_reason, builder.complete) == ("claude-x", "end_turn", True)
    assert builder.usage == {"input_tokens": 3, "output_tokens": 9}


def test_what_a_person_can_see_is_returned() -> None:
    builder = ReplyBuilder()
    assert builder.feed(started(0, type="text", text=""), 0) is None
    assert builder.feed(delta(0, "text", text="a"), 1) == TextDelta("a")
    assert builder.feed(started(1, type="thinking", thinking=""), 2) is None
    assert builder.feed(delta(1, "thinking", thinking="b"), 3) == ThinkingDelta("b")
    assert builder.feed(delta(1, "signature", signature="c"), 4) is None
    assert builder.feed(started(2, type="text", text="d"), 5) == TextDelta("d")
    assert builder.feed(started(3, type="tool_use", id="x", name="y"), 6) is None


def test_blocks_that_overlap_are_told_apart_by_their_index() -> None:
    builder = fed(
        started(0, type="text", text=""),
        started(1, type="tool_use", id="toolu_1", name="a"),
        started(2, type="tool_use", id="toolu_2", name="b"),
        delta(2, "input_json", partial_json='{"n":'),
        delta(0, "text", text="One "),
        delta(1, "input_json", partial_json='{"m": 1}'),
        delta(2, "input_json", partial_json=" 2}"),
        delta(0, "text", text="two."),
        stopped(0),
        stopped(1),
        stopped(2),
        STOP,
    )
    assert builder.content() == [
        {"type": "text", "text": "One two."},
        {"type": "tool_use", "id": "toolu_1", "name": "a", "input": {"m": 1}},
        {"type": "tool_use", "id": "toolu_2", "name": "b", "input": {"n": 2}},
    ]


def test_without_message_start_and_block_start() -> None:
    builder = fed(delta(0, "text", text="🦊"), delta(1, "thinking", thinking="x"), END, STOP)
    assert builder.content() == [{"type": "text", "text": "🦊"}, {"type": "thinking", "thinking": "x"}]
    assert (builder.model, builder.complete) == (None, True)


def test_without_an_index_the_last_block_grows() -> None:
    builder = fed(started(0, type="text", text="a"), started(1, type="text", text="b"))
    builder.feed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "c"}}, 0)
    assert [block["text"] for block in builder.content()] == ["a", "bc"]


def test_a_tool_input_in_pieces() -> None:
    given_input = {"cause": "x", "list": ["ä", 1, None, {"deep": [[]]}], "text": 'quote " and \\ and \n'}
    written = json.dumps(given_input, ensure_ascii=False)
    builder = fed(started(0, type="tool_use", id="toolu_1", name="a", input={}))
    for letter in written:
        builder.feed(delta(0, "input_json", partial_json=letter), 1)
    assert builder.content()[0]["input"] == given_input
    assert builder.arrived


@pytest.mark.parametrize("written", ["", "  "])
def test_a_tool_input_of_nothing_is_empty(written: str) -> None:
    builder = fed(started(0, type="tool_use", id="toolu_1", name="a"), delta(0, "input_json", partial_json=written))
    assert builder.content() == [{"type": "tool_use", "id": "toolu_1", "name": "a", "input": {}}]
    assert fed(started(0, type="tool_use", id="toolu_1", name="a")).content()[0]["input"] == {}


def test_a_tool_input_that_was_cut_keeps_its_text() -> None:
    builder = fed(started(0, type="tool_use", id="x", name="a"), delta(0, "input_json", partial_json='{"cause": "pe'))
    assert builder.content() == [
        {"type": "tool_use", "id": "x", "name": "a", "input": {}, "partial_input": '{"cause": "pe'}
    ]


def test_citations_are_gathered() -> None:
    builder = fed(
        started(0, type="text", text="", citations=None),
        delta(0, "citations", citation={"n": 1}),
        delta(0, "text", text="x"),
        delta(0, "citations", citation={"n": 2}),
    )
    assert builder.content() == [{"type": "text", "text": "x", "citations": [{"n": 1}, {"n": 2}]}]


def test_what_is_not_known_is_kept_where_it_has_a_place() -> None:
    block = {"type": "hologram", "shape": "cube", "parts": [1, {"a": 2}]}
    builder = fed(
        {"type": "weather", "sunny": True},
        {"no": "type"},
        started(0, **block),
        delta(0, "hologram", more=1),
        delta(0, "text", other="no text"),
        delta(1, "hologram", lost=True),
        {"type": "content_block_delta", "index": 0, "delta": None},
        {"type": "content_block_start", "index": 7, "content_block": None},
        {"type": "message_start", "message": None},
        {"type": "message_delta", "delta": {"stop_reason": "bored"}, "usage": None},
        {"type": "message_delta", "delta": None, "usage": {"output_tokens": 5, "input_tokens": None}},
        STOP,
    )
    assert builder.content() == [
        block
        | {
            "unknown_deltas": [
                {"type": "hologram_delta", "more": 1},
                {"type": "text_delta", "other": "no text"},
            ]
        },
        {"type": "unknown", "unknown_deltas": [{"type": "hologram_delta", "lost": True}]},
    ]
    assert (builder.stop_reason, builder.usage, builder.complete) == ("bored", {"output_tokens": 5}, True)


def test_usage_is_cumulative_and_absent_figures_stay() -> None:
    builder = fed(
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 7}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 4, "input_tokens": None}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9}},
    )
    assert builder.usage == {"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 9}


def test_a_refusal_has_its_details() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    builder = fed(MESSAGE, end, {"type": "message_delta", "delta": {"stop_reason": None}}, STOP)
    assert (builder.stop_reason, builder.stop_details) == ("refusal", details)


def test_nothing_has_arrived_until_there_is_a_piece_of_something() -> None:
    builder = fed(MESSAGE, started(0, type="text", text=""), delta(0, "text", text=""))
    assert not builder.arrived
    assert builder.events == 3
    builder.feed(delta(0, "text", text="x"), 1)
    assert builder.arrived


def test_content_can_be_asked_for_at_any_time() -> None:
    builder = fed(started(0, type="text", text=""))
    for number in range(5):
        builder.feed(delta(0, "text", text=str(number)), number)
        assert builder.content() == [{"type": "text", "text": "01234"[: number + 1]}]
    found = builder.content()
    found[0]["text"] = "changed"
    assert builder.content()[0]["text"] == "01234"


# Half characters: servers that cut an emoji between two events send each half as an escape.


def test_halves_of_a_character_are_put_together_and_a_lone_one_does_no_harm() -> None:
    builder = fed(delta(0, "text", text="a \ud83e"), delta(0, "text", text="\udd8a b"), delta(1, "text", text="\ud83e"))
    first, second = builder.content()
    assert first["text"] == "a 🦊 b"
    assert second["text"] == "\ufffd"
    builder = fed(started(0, type="x", deep=[{"\ud83e": "\ud83e"}]), delta(1, "input_json", partial_json='"\ud83e"'))
    builder.feed({"type": "message_delta", "delta": {"stop_reason": "\ud83e", "stop_details": {"a": "\ud83e"}}}, 0)
    assert json.dumps([builder.content(), builder.stop_reason, builder.stop_details], ensure_ascii=False).encode()


# Timing


def test_timing_of_nothing() -> None:
    assert ReplyBuilder().timing(7) == {"first_ms": None, "total_ms": 7, "chunks": []}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 9), st.booleans()), max_size=60))
def test_timing_has_one_pair_per_50_ms_at_most_and_every_character(steps: list[tuple[int, int, bool]]) -> None:
    builder = ReplyBuilder()
    now, arrivals = 0, []
    for wait, size, thinking in steps:
        now += wait
        kind = "thinking" if thinking else "text"
        builder.feed(delta(int(thinking), kind, **{kind: "x" * size}), now)
        arrivals.append((now, size))
    timing = builder.timing(now)
    chunks = timing["chunks"]
    times = [when for when, _ in chunks]
    assert all(later - earlier >= CHUNK_MS for earlier, later in itertools.pairwise(times))
    assert sum(size for _, size in chunks) == sum(size for _, size in arrivals)
    assert timing["first_ms"] == (times[0] if times else None)
    assert timing["total_ms"] == now
    # At no moment does the replay run ahead by more than one pair, or fall behind.
    for when, total in chunks:
        assert total >= sum(size for at, size in arrivals if at == when)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5), st.integers(0, 999))
def test_any_interleaving_of_blocks_gives_the_same_content(texts: list[str], seed: int) -> None:
    chance = random.Random(seed)
    queues = [[delta(index, "text", text=letter) for letter in words] for index, words in enumerate(texts)]
    builder = fed(*(started(index, type="text", text="") for index in range(len(texts))))
    while any(queues):
        builder.feed(chance.choice([queue for queue in queues if queue]).pop(0), 1)
    assert [block["text"] for block in builder.content()] == texts
