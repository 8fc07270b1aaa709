"""What a turn emits, in order. Session makes them; screens and the command line show them."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from convend_tui.errors import ModelError


class TurnStarted(msgspec.Struct, frozen=True):
    """The typed message is on the disk; the request is about to leave."""

    thread: str
    message: str
    """Id of the question that is being answered."""


class Waiting(msgspec.Struct, frozen=True):
    """Something takes its time before the stream begins, such as the start of the built-in model."""

    why: str
    seconds: float | None = None
    """How long it waits before the request is sent again; None: nobody knows how long it takes."""

    def words(self, left: float | None) -> str:
        """What is said with `left` seconds to go."""
        return self.why if not left or left <= 0 else f"{self.why} in {math.ceil(left)} s"


class ReplyStarted(msgspec.Struct, frozen=True):
    """A model message begins; a turn with a call has several."""

    message: str
    parent: str
    model: str


class TextDelta(msgspec.Struct, frozen=True):
    """More of the answer."""

    text: str


class ThinkingDelta(msgspec.Struct, frozen=True):
    """More of the model's thinking, as far as it shows it."""

    text: str


class ReplySaved(msgspec.Struct, frozen=True):
    """A model message is on the disk."""

    message: str
    stop_reason: str | None


class VerdictGiven(msgspec.Struct, frozen=True):
    """A call of end_conversation was judged, and the verdict is on the disk."""

    outcome: str
    reasons: tuple[str, ...]
    private: bool
    """True: nobody is told."""


class TurnEnded(msgspec.Struct, frozen=True):
    """The turn is over and on the disk."""

    message: str
    stop_reason: str | None
    locked: bool
    usage: dict[str, Any] = msgspec.field(default_factory=dict)
    """Token counts by the API's names, added up over the turn's requests."""
    stop_details: dict[str, Any] | None = None


class TurnFailed(msgspec.Struct, frozen=True):
    """No answer came, or it broke off. What was typed is on the disk; what arrived too, as a partial reply."""

    error: ModelError
    question: str
    partial: str | None
    """Id of the partial reply that was kept, if anything had arrived."""


Event = (
    TurnStarted
    | Waiting
    | ReplyStarted
    | TextDelta
    | ThinkingDelta
    | ReplySaved
    | VerdictGiven
    | TurnEnded
    | TurnFailed
)
