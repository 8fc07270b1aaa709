"""A long run of the screen: what a turn leaves behind in memory is its words, not what was drawn of them.

`CONVEND_FAULTS=all` takes a thousand turns in a terminal; `tests/bench/long.py` says what a key costs then.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from convend_tui.tui import viewport
from convend_tui.tui.wrap import Line
from tests.bench import long
from tests.tui.conftest import Home, Person

ALL = os.environ.get("CONVEND_FAULTS") == "all"
KEPT = 6
SOME = 8
"""Turns, of two messages each: more than are kept."""


def held(me: Person) -> Counter[str]:
    """What there is of the things that a turn makes."""
    transcript = me.chat.transcript
    transcript._strips.clear()  # a cache of fixed size, which so few turns do not fill
    gc.collect()
    return Counter(
        lines=sum(type(thing) is Line for thing in gc.get_objects()),
        drawn=sum(getattr(item, "_body", None) is not None for item in transcript.items),
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        widgets=len(list(me.app.screen.walk_children())),
        files=len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0,
    )


async def test_many_turns_leave_nothing_behind_but_their_words(online: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewport, "_KEPT", KEPT)
    async with online.app(size=(80, 24)) as me:
        await me.says(*(f"Number {number}, please" for number in range(SOME)))
        early = held(me)
        await me.says(*(f"Number {number}, please" for number in range(SOME, 2 * SOME)))
        late = held(me)
        assert len(me.chat.transcript.items) == 4 * SOME
        kept = max(KEPT, 2 * len(me.chat.transcript._view.window))
    assert late["drawn"] <= kept
    # Replies differ in length; twice the turns would be twice the lines.
    assert late["lines"] < 1.4 * early["lines"]
    assert late["widgets"] == early["widgets"]
    # A task, a thread or a connection more or less may be on its way out; none of them is one a turn.
    for name in ("tasks", "threads", "files"):
        assert late[name] < early[name] + SOME / 2, name


async def test_what_was_forgotten_is_drawn_again_as_it_was(online: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewport, "_KEPT", 2)
    async with online.app(size=(80, 24)) as me:
        await me.says("The first of them", "insult: useless machine")
        await me.reading()
        await me.press("home")
        await me.until(lambda: "The first of them" in me.screen)
        before = me.screen
        await me.says(*(f"Number {number}, please" for number in range(6)))
        assert me.chat.transcript.items[0]._body is None  # type: ignore[attr-defined]
        await me.reading()
        await me.press("home")
        await me.until(lambda: "The first of them" in me.screen)
        area = me.chat.transcript.region
        rows = slice(area.y, area.y + 10)
        assert [row[:60] for row in me.screen.splitlines()[rows]] == [row[:60] for row in before.splitlines()[rows]]


@pytest.mark.skipif(not ALL, reason="minutes: CONVEND_FAULTS=all")
@pytest.mark.timeout(1_800)
def test_a_thousand_turns_cost_a_fifth_more_memory_than_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    memory = next(row for row in long.measure() if row.unit == "MiB")
    print(f"{long.LATE:,} turns: {memory.value:.1f} MiB; {long.EARLY}: {memory.baseline:.1f}")
    assert memory.ratio <= 1.2
