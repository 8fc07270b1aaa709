"""A reply as it goes over the wire: the finished message, and the server-sent events that make it up."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.referee.binding import seal
from tests.referee.memory import tokens
from tests.referee.script import Block, Json, Reply, Text, Thinking, ToolUse, Unknown


@dataclass(frozen=True)
class Step:
    """One event, and the seconds to wait before it."""

    event: Json
    pause: float = 0.0


@dataclass(frozen=True)
class Ready:
    """A block ready to be sent: as it is in the end, how it starts, and what comes in between."""

    block: Json
    start: Json
    deltas: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A reply made out to one request: ids given, thinking signed, usage counted."""

    reply: Reply
    ready: tuple[Ready, ...]
    envelope: Json = field(default_factory=dict)
    """The message without its content and its ending."""
    ending: Json = field(default_factory=dict)
    """`stop_reason`, `stop_sequence` and `stop_details`."""
    usage: Json = field(default_factory=dict)

    @property
    def content(self) -> list[Json]:
        """The finished blocks."""
        return [item.block for item in self.ready]

    def message(self) -> Json:
        """The answer to a request that does not stream."""
        return {**self.envelope, "content": self.content, **self.ending, "usage": self.usage}


def prepare(reply: Reply, body: Mapping[str, Any], usage: Mapping[str, Any]) -> Prepared:
    """Make `reply` out to the request `body`, whose input costs `usage`."""
    name = f"msg_{secrets.token_hex(12)}"
    ready: list[Ready] = []
    thoughts = 0
    for part in reply.parts:
        if isinstance(part, Thinking):
            ready.append(_thinking(part, body, name, thoughts, reply.overlap))
            thoughts += 1
        else:
            ready.append(_block(part, reply.overlap))
    made = max(1, tokens([item.block for item in ready])) if ready else 1
    return Prepared(
        reply,
        tuple(ready),
        envelope={
            "id": name,
            "type": "message",
            "role": "assistant",
            "model": reply.model or body["model"],
        },
        ending={
            "stop_reason": reply.reason,
            "stop_sequence": reply.stop_sequence,
            "stop_details": dict(reply.stop_details) if reply.stop_details is not None else None,
        },
        usage={**usage, "output_tokens": made, "service_tier": "standard", **(reply.usage or {})},
    )


def steps(prepared: Prepared) -> Iterator[Step]:
    """The events of a whole stream, in order. Breaking it is the server's business."""
    reply = prepared.reply
    if not reply.no_message_start:
        yield Step(_message_start(prepared))
    if reply.extra_event is not None:
        yield Step(dict(reply.extra_event))
    stops = []
    for index, item in enumerate(prepared.ready):
        yield Step({"type": "content_block_start", "index": index, "content_block": item.start})
        if index == 0 and reply.pings and not reply.overlap:
            yield Step({"type": "ping"})
        for step in item.deltas:
            yield Step({"type": "content_block_delta", "index": index, "delta": step.event}, step.pause)
        stop = Step({"type": "content_block_stop", "index": index})
        if reply.overlap:
            stops.append(stop)
        else:
            yield stop
    yield from stops
    totals = {key: value for key, value in prepared.usage.items() if key.endswith("_tokens")}
    yield Step({"type": "message_delta", "delta": prepared.ending, "usage": totals})
    if not reply.no_message_stop:
        yield Step({"type": "message_stop"})


def encode(event: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by its type."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _message_start(prepared: Prepared) -> Json:
    nothing = {"stop_reason": None, "stop_sequence": None, "stop_details": None}
    usage = {**prepared.usage, "output_tokens": 1}
    return {"type": "message_start", "message": {**prepared.envelope, "content": [], **nothing, "usage": usage}}


def _thinking(part: Thinking, body: Mapping[str, Any], reply: str, place: int, bare: bool) -> Ready:
    if part.redacted:
        block = {"type": "redacted_thinking", "data": seal("", body, reply, place)}
        return Ready(block, block)
    config = body.get("thinking")
    asked = config.get("display") if isinstance(config, dict) else None
    text = part.thinking if (part.display or asked or "omitted") == "summarized" else ""
    signature = seal(text, body, reply, place)
    deltas = [
        Step({"type": "thinking_delta", "thinking": piece}, pause)
        for piece, pause in _pieces(text, part.chunk, part.rate)
    ]
    deltas.append(Step({"type": "signature_delta", "signature": signature}))
    start = {"type": "thinking", "thinking": ""} | ({} if bare else {"signature": ""})
    return Ready({"type": "thinking", "thinking": text, "signature": signature}, start, tuple(deltas))


def _block(part: Text | ToolUse | Unknown, bare: bool) -> Ready:
    if isinstance(part, Unknown):
        return Ready(dict(part.block), dict(part.block), tuple(Step(dict(delta)) for delta in part.deltas))
    if isinstance(part, Text):
        deltas = tuple(
            Step({"type": "text_delta", "text": piece}, pause)
            for piece, pause in _pieces(part.text, part.chunk, part.rate)
        )
        return Ready({"type": "text", "text": part.text}, {"type": "text", "text": ""}, deltas)
    written = json.dumps(dict(part.input), ensure_ascii=False)[: part.truncate_at]
    deltas = tuple(
        Step({"type": "input_json_delta", "partial_json": piece}, pause)
        for piece, pause in _pieces(written, part.chunk, part.rate)
    )
    head = {"type": "tool_use", "id": part.id or f"toolu_{_letters()}", "name": part.name}
    whole = dict(part.input) if part.truncate_at is None else {}
    return Ready({**head, "input": whole}, head if bare else {**head, "input": {}}, deltas)


def _pieces(text: str, chunk: int, rate: float | None) -> Iterator[tuple[str, float]]:
    for start in range(0, len(text), chunk):
        piece = text[start : start + chunk]
        yield piece, len(piece) / rate if rate else 0.0


def _letters() -> str:
    return base64.b32encode(secrets.token_bytes(15)).decode()


__all__ = ["Block", "Prepared", "Step", "encode", "prepare", "steps"]
