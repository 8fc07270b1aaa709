"""Replays in the making, and all that they play."""

from __future__ import annotations

from typing import Any

from convend_tui.replay import (
    Event,
    Replay,
)
from convend_tui.thread import records as r
from tests.making import Branch


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
