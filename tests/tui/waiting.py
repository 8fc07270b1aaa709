"""Waiting in tests of the screen: for what is to come true, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
import textual.app
import textual.pilot
import textual.screen
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

_LONGEST_S = 1.0
_SHORTEST_S = 0.004
_TICK_S = 0.1


def at_once(patch: pytest.MonkeyPatch) -> None:
    """Have Pilot wait no longer than the app has something to do, and have it draw then.

    Textual sleeps 20 ms at a time instead, until the process has used little of the CPU; and draws 60 times a second,
    which with every key takes most of a test's time.
    """
    patch.setattr(textual.app, "wait_for_idle", idle)
    patch.setattr(textual.pilot, "wait_for_idle", idle)
    patch.setattr(textual.screen, "UPDATE_PERIOD", _TICK_S)
    patch.setattr(Pilot, "press", press)


async def idle(*_: float) -> None:
    """Wait until the event loop has nothing to do but wait, for a second at most."""
    loop: Any = asyncio.get_running_loop()
    end, quiet = monotonic() + _LONGEST_S, 0
    while quiet < 3 and monotonic() < end:
        await asyncio.sleep(0)
        quiet = 0 if loop._ready else quiet + 1


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, and have the screen drawn after each."""
    driver = pilot.app._driver
    assert driver is not None
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        char = key if len(key) == 1 else None
        driver.send_message(events.Key(name, char))
        await pilot.pause()


async def until(pilot: Pilot[Any], predicate: Callable[[], object], timeout: float = 30, every: float = 0.03) -> None:
    """Let the app run until `predicate()` is true, asked every so many seconds at most, for `timeout` seconds."""
    end, pause = monotonic() + timeout, _SHORTEST_S
    while not predicate():
        assert monotonic() < end, "what was waited for did not come true"
        await pilot.pause(pause)
        pause = min(pause * 1.5, every)
