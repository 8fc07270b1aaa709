"""Bytes into events: however they are cut, and whatever they are."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.model import sse
from convend_tui.model.endpoint import Abilities
from convend_tui.model.reply import ReplyBuilder
from convend_tui.model.request import build
from convend_tui.model.sse import EventReader, NotAnEvent
from convend_tui.thread import records as r
from tests.faults.network_faults import FINISH, HALF, STOP, WHOLE
from tests.faults.network_faults import sse as event
from tests.making import SETTINGS, Branch, at

Json = dict[str, Any]
THINKING = event({"type": "content_block_start", "index": 1, "content_block": {"type": "thinking", "thinking": "é🦊"}})
CALL = event(
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "end_conversation", "input": {}},
    }
) + event(
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a": [1'}}
)
STREAM = b": hello\n\n" + HALF + THINKING + b"event: ping\ndata: {}\n\n" + CALL + FINISH + STOP


def read(*pieces: bytes) -> list[Json]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def test_the_events_of_a_stream() -> None:
    assert [event["type"] for event in read(WHOLE)] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=30), ends=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_where_it_is_cut_does_not_matter(cuts: list[int], ends: bytes) -> None:
    stream = STREAM.replace(b"\n", ends)
    places = sorted({0, *(cut for cut in cuts if cut <= len(stream)), len(stream)})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert read(*pieces) == read(STREAM)


def test_comments_and_pings_are_signs_of_life_and_bytes_are_not() -> None:
    reader = EventReader()
    assert not list(reader.feed(b'data: {"type": "weat'))
    assert reader.taken == 0
    assert not list(reader.feed(b'her"}\n:\n'))
    assert reader.taken == 1
    before = reader.taken
    assert not list(EventReader().feed(b"event: ping\ndata: {}\n\n"))
    assert [event["type"] for event in reader.feed(b"\n")] == ["weather"]
    assert reader.taken > before


@pytest.mark.parametrize("size", [1, 1000, 65_536])
def test_a_line_without_an_end_is_given_up(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 100_000)
    reader = EventReader()
    with pytest.raises(NotAnEvent, match="an event of more than"):
        for _ in range(100_002 // size + 1):
            list(reader.feed(b"x" * size))


def test_many_events_are_not_one_large_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 1_000)
    assert len(read(*[WHOLE] * 50)) == 7 * 50
    assert read(*[b": still here\n"] * 500) == []


def test_an_answer_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_ANSWER", 100 * len(WHOLE))
    reader, taken = EventReader(), 0
    with pytest.raises(NotAnEvent, match=r"^more than"):
        for _ in range(200):
            for _event in reader.feed(WHOLE):
                taken += 1
    assert 7 * 100 <= taken < 7 * 200


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_stream_makes_a_record_that_can_be_read_and_sent(data: st.DataObject) -> None:
    stream = bytearray(STREAM)
    bits = [b"{", b"[", b"null", b'":7,"', b"1e999", b"\n\n", b"\\ud83e"]
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(stream) - 1))
        length = data.draw(st.integers(0, 12))
        stream[place : place + length] = data.draw(st.binary(max_size=6) | st.sampled_from(bits))
    reader, builder = EventReader(), ReplyBuilder()
    try:
        for wire in reader.feed(bytes(stream)):
            builder.feed(wire, 1)
    except NotAnEvent:
        pass
    _is_sound(builder)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("text_delta"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "id", "name"]), inner),
    max_leaves=6,
)
FIELDS = ("type", "index", "delta", "content_block", "message", "usage", "stop_reason", "stop_details", "text", "model")


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(sse.KNOWN)), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5)),
        max_size=8,
    )
)
def test_values_of_any_type_make_a_record_that_can_be_read_and_sent(events: list[tuple[str, Json]]) -> None:
    builder = ReplyBuilder()
    for name, fields in events:
        for wire in read(event({**fields, "type": name})):
            builder.feed(wire, 1)
    _is_sound(builder)


def _is_sound(builder: ReplyBuilder) -> None:
    branch = Branch().typed("hello")
    for kind in ("reply", "partial"):
        message = r.Message(
            at=at(9),
            id="m9",
            parent=branch.last,
            role="assistant",
            content=builder.content(),
            kind=kind,
            model=builder.model,
            stop_reason=builder.stop_reason,
            stop_details=builder.stop_details,
            usage=builder.usage or None,
            timing=builder.timing(9),
        )
        assert r.decode(r.encode(message)) == message
        grown = Branch().typed("hello")
        grown.path.append(message)
        json.dumps(
            build(grown.typed("and then?").thread(SETTINGS), grown.last, load_blob=lambda _: b"", abilities=Abilities())
        )
