"""Flipping to a sibling and back, in a short and in a long thread, until the other answer is on the screen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from tests.bench import homes
from tests.bench.start import CONVEND, OPEN, SETTLED_S, environment
from tests.bench.table import Row, compare
from tests.bench.terminal import Terminal

FLIPS = 20
LENGTHS = (10, 10_000)
_KEYS = (("[", homes.FIRST), ("]", homes.SECOND))


def measure() -> Iterator[Row]:
    """The last answer has a sibling; the two threads take turns."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        terminals = [
            stack.enter_context(Terminal(CONVEND, environment(homes.home(Path(folder) / str(length), length=length))))
            for length in LENGTHS
        ]
        for terminal in terminals:
            terminal.until(*OPEN)
            terminal.rest(SETTLED_S)
            terminal.write("\x1b")  # from the composer to the conversation
            terminal.rest(1)
        times: list[list[float]] = [[], []]
        for turn in range(FLIPS):
            for place, terminal in enumerate(terminals):
                key, wanted = _KEYS[turn % 2]
                terminal.forget()
                begin = perf_counter()
                terminal.write(key)
                times[place].append((terminal.until(wanted) - begin) * 1000)
                terminal.rest(0.2)
    yield compare("flip", "to a sibling and painted, 10,000 / 10 messages", *times, "ms")
