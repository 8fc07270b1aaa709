"""What a server sends never makes a later request one that a stricter server, or the same, would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convend_tui.model.reply import ReplyBuilder
from convend_tui.store.check import Checker
from tests import making
from tests.faults.network_faults import FINISH, START, STOP, sse, stream
from tests.making import Desk, answer_of, ended
from tests.referee import HttpError, Referee

Json = dict[str, Any]

pytestmark = pytest.mark.usefixtures("plain_http")

CALLED = sse({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}})


def block(index: int, content: Json, *deltas: Json) -> bytes:
    """A whole block."""
    events = [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]
    return b"".join(sse(event) for event in events)


def call(index: int = 0, arguments: str = "{}", **fields: Any) -> bytes:
    """A call of a tool; a field that is None is left out."""
    named = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}} | fields
    delta = {"type": "input_json_delta", "partial_json": arguments}
    return block(index, {name: value for name, value in named.items() if value is not None}, delta)


def words(text: str, index: int = 1) -> bytes:
    """A block of text."""
    return block(index, {"type": "text", "text": ""}, {"type": "text_delta", "text": text})


CALLS = {
    "arguments that are a list": call(arguments="[1, 2]"),
    "arguments that are a number": call(arguments="7"),
    "arguments that are null": call(arguments="null"),
    "arguments from the start that are a list": call(arguments="", input=[1]),
    "arguments that are cut": call(arguments='{"a": '),
    "a call without a name": call(name=None),
    "a call with an empty name": call(name=""),
    "a call whose name is a number": call(name=7),
    "a call with a name of many words": call(name="get the weather! " * 20),
    "a call whose id no other server takes": call(id="functions.get_weather:0 ü"),
    "two calls of one id": call() + call(1),
    "two ends of one id": call(name="end_conversation") + call(1, name="end_conversation"),
}
"""Calls that a server lets pass; they are made twice, with the same ids."""

BLOCKS = {
    "a result": {"type": "tool_result", "tool_use_id": "toolu_9", "content": "x"},
    "a document": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
    "an image": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}},
    "an attachment of the person's": {"type": "document", "source": {"type": "blob", "sha256": "../x"}},
    "an attachment that is there": {
        "type": "document",
        "source": {"type": "blob", "sha256": "0" * 64, "media_type": "text/plain", "name": "x"},
    },
    "thinking whose signature was lost": {"type": "thinking", "thinking": "Hm."},
}
"""Blocks that no answer may have, or not so."""


async def _goes_on(desk: Desk, referee: Referee) -> Json:
    """One more turn; returns its request, which the referee has nothing to object to."""
    assert answer_of(await desk.say("and then?")) == "Fine."
    referee.assert_clean()
    assert not Checker(desk.paths).thread(desk.thread.id).problems
    assert not desk.other().handle.problems
    return dict(referee.requests[-1])


@pytest.mark.parametrize("sent", CALLS.values(), ids=CALLS)
async def test_calls_of_any_form_go_back_in_the_one_that_is_taken(tmp_path: Path, sent: bytes) -> None:
    odd = stream(START + sent + CALLED + STOP)
    async with Referee([odd, odd, "Fine.", "Fine."], opinion=False) as referee:
        desk = making.desk(referee.base_url, tmp_path, retries=0, timeout=5)
        try:
            ended(await desk.say("hello"))
            body = await _goes_on(desk, referee)
        finally:
            await desk.models.close()
    blocks = [found for message in body["messages"] for found in message["content"]]
    calls = [found for found in blocks if found["type"] == "tool_use"]
    assert len(calls) in (2, 4)
    assert all(isinstance(found["input"], dict) and 0 < len(found["name"]) <= 64 for found in calls)
    ids = [found["id"] for found in calls]
    assert len(set(ids)) == len(ids)
    assert ids == [found["tool_use_id"] for found in blocks if found["type"] == "tool_result"]


@pytest.mark.parametrize("sent", BLOCKS.values(), ids=BLOCKS)
async def test_blocks_that_no_answer_may_have_stay_here(tmp_path: Path, sent: Json) -> None:
    odd = stream(START + block(0, sent) + words("Half of it") + FINISH + STOP)
    async with Referee([odd, "Fine."], opinion=False) as referee:
        desk = making.desk(referee.base_url, tmp_path, retries=0, timeout=5)
        try:
            end = ended(await desk.say("hello"))
            body = await _goes_on(desk, referee)
        finally:
            await desk.models.close()
    assert body["messages"][1]["content"] == [{"type": "text", "text": "Half of it"}]
    kept = desk.thread.messages[end.message].content[0]
    if sent.get("source", {}).get("type") == "blob":
        kept = {**kept, "source": {**kept["source"], "type": "blob"}}
    assert kept == sent


@pytest.mark.parametrize(
    "said",
    [
        "messages.1.content.0.thinking.signature: Field required",
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
    ],
)
async def test_thinking_that_the_server_does_not_take_back_is_left_out(tmp_path: Path, said: str) -> None:
    async with Referee([HttpError(400, "invalid_request_error", said), "Fine."], opinion=False) as referee:
        desk = making.desk(referee.base_url, tmp_path, retries=0, timeout=5)
        try:
            assert answer_of(await desk.say("hello")) == "Fine."
        finally:
            await desk.models.close()


def test_words_of_two_blocks_with_one_index_are_both_kept() -> None:
    builder = ReplyBuilder()
    for kind in ("text", "tool_use"):
        builder.feed({"type": "content_block_start", "index": 0, "content_block": {"type": kind}}, 0)
        builder.feed(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"in {kind} "}}, 0
        )
    assert [found["type"] for found in builder.content()] == ["tool_use", "text"]
    assert builder.content()[1]["text"] == "in text in tool_use "


def test_blocks_without_an_index_follow_each_other() -> None:
    builder = ReplyBuilder()
    for kind in ("thinking", "text"):
        builder.feed({"type": "content_block_start", "content_block": {"type": kind}}, 0)
        builder.feed({"type": "content_block_delta", "delta": {"type": f"{kind}_delta", kind: "Hm."}}, 0)
    assert builder.content() == [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hm."}]


def test_a_flood_of_deltas_that_say_nothing_costs_nothing() -> None:
    builder = ReplyBuilder()
    for _ in range(50_000):
        delta: Json = {"type": "text_delta", "text": ""}
        assert builder.feed({"type": "content_block_delta", "index": 0, "delta": delta}, 0) is None
        assert not builder.arrived
        builder.feed({"type": "content_block_delta", "index": 1, "delta": {"type": "glow"}}, 0)
    assert builder.content()[0] == {"type": "text", "text": ""}
    assert builder.content()[1]["unknown_deltas"] == [{"type": "glow"}] * 50_000


class _Unsearched(dict[int, Any]):
    """Blocks that nobody goes through."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("an event looked at all blocks")


def test_an_event_without_an_index_costs_the_same_however_many_blocks_there_are() -> None:
    builder = ReplyBuilder(_blocks=_Unsearched())
    for number in range(3):
        builder.feed({"type": "content_block_start", "content_block": {"type": "text"}}, 0)
        builder.feed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": f"block {number}"}}, 0)
    assert [builder._joined(index, "text") for index in range(3)] == ["block 0", "block 1", "block 2"]
