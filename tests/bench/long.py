"""A long run of the screen: what memory and a key press cost after a thousand turns, beside what they cost after 50."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from convend_tui.tui.composer import BUSY_HINT, IDLE_HINT
from tests.bench import homes, streams
from tests.bench.echo import Typist, server
from tests.bench.start import CONVEND, NEW, SETTLED_S, environment
from tests.bench.table import Row, compare
from tests.bench.terminal import Terminal

EARLY, LATE = 50, 1_000
"""After how many turns of one conversation it is measured."""
PROBES, APART = 3, 5
"""How often memory is taken, and how many turns apart, up to each of them: it swings with what was collected last."""
TURNS = 10
"""The last so many turns are timed."""


def measure() -> Iterator[Row]:
    """A thousand turns, typed and answered one after the other, in one conversation; a second screen stops at fifty, so
    that the keys of both are pressed in the same minute."""
    with tempfile.TemporaryDirectory() as folder, server() as reachable, ExitStack() as open_ones:
        short, long = (
            open_ones.enter_context(Terminal(CONVEND, environment(homes.home(Path(folder) / name)) | reachable))
            for name in ("short", "long")
        )
        for terminal in (short, long):
            terminal.until(*NEW)
            terminal.rest(SETTLED_S)
        _probe(short, range(1, EARLY + 1))
        early = _probe(long, range(1, EARLY + 1))
        late = _probe(long, range(EARLY + 1, LATE + 1))
        typists = [(Typist(short), early), (Typist(long), late)]
        for _ in range(PROBES):
            for typist, probe in typists:
                probe.keys += typist.idle()
    yield compare("long", f"memory after {LATE:,} turns / {EARLY}", early.memory, late.memory, "MiB", 1.2)
    yield compare("long", f"key echo after {LATE:,} turns / {EARLY}, median", early.keys, late.keys, "ms", 1.2)
    yield compare("long", f"a turn after {LATE:,} turns / {EARLY}, to its last line", early.turns, late.turns, "ms")
    yield compare("long", f"a turn after {LATE:,} turns / {EARLY}, CPU", early.cpu, late.cpu, "ms")


@dataclass(slots=True)
class Probe:
    """What was measured up to a turn."""

    memory: list[float] = field(default_factory=list)
    """MiB resident."""
    keys: list[float] = field(default_factory=list)
    """Milliseconds from a key press to its echo."""
    turns: list[float] = field(default_factory=list)
    """Milliseconds from sending a message to the last line of the reply."""
    cpu: list[float] = field(default_factory=list)
    """Milliseconds of processor time from sending a message until the next one can be written."""


def _probe(terminal: Terminal, numbers: range) -> Probe:
    """Take these turns, and measure at the last few."""
    found = Probe()
    last = numbers[-1]
    for number in numbers:
        cpu = terminal.cpu
        took = _turn(terminal, number)
        if number > last - TURNS:
            found.turns.append(took)
            found.cpu.append((terminal.cpu - cpu) * 1000)
        if number in range(last, last - PROBES * APART, -APART):
            found.memory.append(terminal.memory)
        if number % 100 == 0:
            print(f"{number:5,} turns: {terminal.memory:.1f} MiB, {took:.0f} ms the last one", flush=True)
    terminal.rest(SETTLED_S)
    return found


def _turn(terminal: Terminal, number: int) -> float:
    """Send a message, and wait until the reply is whole and the next message can be written. Returns the milliseconds
    until the last line was there."""
    terminal.forget()
    begin = perf_counter()
    terminal.write(f"Tell me about the number {number}\r")
    answered = terminal.until(streams.turn_end(number))
    while terminal.text.rfind(IDLE_HINT[:16]) <= terminal.text.rfind(BUSY_HINT[:16]):
        terminal.read(1)
    return (answered - begin) * 1000
