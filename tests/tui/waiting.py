"""Waiting in tests of the screen: for what is to come true, never for a time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.pilot import Pilot


async def until(pilot: Pilot[Any], predicate: Callable[[], object], timeout: float = 10, every: float = 0.01) -> None:
    """Let the app run until `predicate()` is true, asked every so many seconds; fail after `timeout` seconds."""
    end = monotonic() + timeout
    while not predicate():
        assert monotonic() < end, "what was waited for did not come true"
        await pilot.pause(every)
