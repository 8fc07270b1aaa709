"""What the referee answers: frozen dataclasses, played in order or returned by a function of the request.

    Referee([Reply([Thinking("hm"), Text("Hello.")]), HttpError(529, "overloaded_error", "Overloaded")])

A plain string stands for a reply of one text block. Numbers of events count everything that goes out as a
server-sent event, `message_start` and `ping` included.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A text block. `chunk` is in characters a delta, `rate` in characters a second (None: at once)."""

    text: str
    rate: float | None = None
    chunk: int = 16


@dataclass(frozen=True)
class Thinking:
    """A thinking block, signed by the referee and bound to the request it answers.

    `display` None obeys the request's `thinking.display`, which the newest models take as `omitted` when it
    is absent: then the text is empty and only the signature goes out.
    """

    thinking: str = ""
    redacted: bool = False
    display: Literal["summarized", "omitted"] | None = None
    rate: float | None = None
    chunk: int = 16


@dataclass(frozen=True)
class ToolUse:
    """A tool call. `truncate_at` cuts the JSON of the input after that many characters (see `max_tokens`)."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    truncate_at: int | None = None
    rate: float | None = None
    chunk: int = 16


@dataclass(frozen=True)
class Unknown:
    """A block of a type that nobody knows yet, started with `block` as it stands, and its `deltas`."""

    block: Mapping[str, Any]
    deltas: Sequence[Mapping[str, Any]] = ()


Block = Text | Thinking | ToolUse | Unknown


@dataclass(frozen=True)
class Reply:
    """One answer with status 200, whole or broken in one of the ways below."""

    blocks: Sequence[Block] | str = ()
    stop_reason: str | None = None
    """None: `max_tokens` for a truncated call, `tool_use` for a call, else `end_turn`."""
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None
    """Laid over the usage that the referee works out."""
    model: str | None = None
    """The model that the reply names; None: the one asked for."""
    delay: float = 0.0
    """Seconds before the first byte of the response."""
    pings: bool = True
    """A `ping` after the first block has started."""
    extra_event: Mapping[str, Any] | None = None
    """An event of an unknown type, sent before the first block."""
    overlap: bool = False
    """As llama.cpp streams: all block stops at the end, no pings, bare `content_block_start`s."""
    as_json: bool = False
    """Answers a stream request with `application/json`."""
    byte_by_byte: bool = False
    """Every byte is a write of its own."""
    no_message_start: bool = False
    no_message_stop: bool = False
    """The stream ends in good order, but without `message_stop`."""
    eof_after_events: int | None = None
    """The stream ends in good order after so many events."""
    cut_after_events: int | None = None
    """The connection is reset after so many events."""
    stall_after_events: int | None = None
    """Silence of `stall_seconds` after so many events; then the reply goes on."""
    stall_seconds: float = 3600.0
    stall_until: threading.Event | None = None
    """The silence ends when this is set, not after `stall_seconds`."""
    malformed_event_after: int | None = None
    """An event whose data is no JSON after so many events; then the reply goes on."""
    error_event_after: int | None = None
    """`event: error` after so many events; it is the last one."""
    error_type: str = "overloaded_error"
    error_message: str = "Overloaded"
    error_bare: bool = False
    """The error event's data as llama.cpp writes it: `{"code", "message", "type"}` without an envelope."""

    @property
    def parts(self) -> tuple[Block, ...]:
        """The blocks, with the plain string made one."""
        return (Text(self.blocks),) if isinstance(self.blocks, str) else tuple(self.blocks)

    @property
    def reason(self) -> str:
        """The stop reason in force."""
        if self.stop_reason is not None:
            return self.stop_reason
        calls = [part for part in self.parts if isinstance(part, ToolUse)]
        if any(call.truncate_at is not None for call in calls):
            return "max_tokens"
        return "tool_use" if calls else "end_turn"


@dataclass(frozen=True)
class HttpError:
    """An error status with Anthropic's error body."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass(frozen=True)
class Hangup:
    """The connection is reset before a single byte of a response."""

    delay: float = 0.0


@dataclass(frozen=True)
class Raw:
    """Bytes as they are, from the status line on; a number among them is a pause in seconds.

    What it says is not known to the referee: thinking in it cannot be sent back.
    """

    pieces: Sequence[bytes | float]
    end: Literal["close", "reset", "hold"] = "close"
    """What becomes of the connection then; `hold` keeps it open until the client leaves."""
    delay: float = 0.0


Answer = Reply | HttpError | Hangup | Raw | str
ScriptFunction = Callable[[Json], Answer | Awaitable[Answer]]
Script = Sequence[Answer] | ScriptFunction


def Refusal(category: str | None = "general_harms", explanation: str | None = None, partial_text: str = "") -> Reply:
    """A classifier's refusal: `stop_reason` refusal with its details, after `partial_text` if there is any."""
    details = {"type": "refusal", "category": category, "explanation": explanation}
    blocks = (Text(partial_text),) if partial_text else ()
    return Reply(blocks, stop_reason="refusal", stop_details=details)


def end_call(
    cause: str,
    explanation: str,
    redirections: Sequence[str] = (),
    warning: str = "",
    request: str = "",
    *,
    id: str | None = None,  # noqa: A002 (the block's own field name)
) -> ToolUse:
    """A call of `end_conversation` with every field of its input."""
    return ToolUse(
        "end_conversation",
        {
            "cause": cause,
            "explanation": explanation,
            "redirections": list(redirections),
            "warning": warning,
            "request": request,
        },
        id=id,
    )


def opinion(at_risk: bool) -> Reply:
    """The structured answer to the client's second-opinion request."""
    return Reply([Text(json.dumps({"at_risk": at_risk}))])


def wants_structure(request: Mapping[str, Any]) -> bool:
    """Whether a request asks for a structured answer, as a second opinion does."""
    config = request.get("output_config")
    return isinstance(config, dict) and isinstance(config.get("format"), dict)
