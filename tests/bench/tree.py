"""Opening the tree of a small thread and of a large one with many branches, until its rows are on the screen."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import msgspec

from convend_tui.thread import records as r
from tests.bench import homes
from tests.bench.start import CONVEND, OPEN, SETTLED_S, environment
from tests.bench.table import Row, compare
from tests.bench.terminal import Terminal

ROUNDS = 5
AGAIN = 5
"""Times that it is closed and opened again."""
SIZES = {100: 5, 10_000: 500}
"""Messages, and branches among them."""
_HERE = "◉"


def branched(messages: int, branches: int) -> Iterator[r.Record]:
    """The thread of `homes.records`, cut into pieces of which each begins somewhere in what stands before it; the last
    piece is whole, so that the screen shows the same whatever the size."""
    chance = random.Random(branches)
    length = messages // branches
    begun: list[str] = []
    for place, record in enumerate(homes.records(0, messages)):
        if isinstance(record, r.Message):
            if begun and (place - 1) % length == 0:
                record = msgspec.structs.replace(record, parent=begun[chance.randrange(0, len(begun) // 2) * 2 + 1])
            begun.append(record.id)
        yield record


def _home(folder: Path, messages: int) -> Path:
    home = homes.home(folder, threads=1, length=2)
    file = home / "threads" / f"{homes.thread_id(0)}.jsonl"
    file.write_bytes(b"".join(map(r.encode, branched(messages, SIZES[messages]))))
    return home


def _opened(terminal: Terminal) -> float:
    """Milliseconds from the key to the rows."""
    terminal.forget()
    begin = perf_counter()
    terminal.write("t")
    return (terminal.until("Tree", _HERE) - begin) * 1000


def measure() -> Iterator[Row]:
    """The first opening loads and makes the panel; the ones after it find it made."""
    first: dict[int, list[float]] = {messages: [] for messages in SIZES}
    again: dict[int, list[float]] = {messages: [] for messages in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        at = {messages: _home(Path(folder) / str(messages), messages) for messages in SIZES}
        for _ in range(ROUNDS):
            for messages, home in at.items():
                with Terminal(CONVEND, environment(home)) as terminal:
                    terminal.until(*OPEN)
                    terminal.rest(SETTLED_S)
                    terminal.write("\x1b")  # from the composer to the conversation
                    terminal.rest(1)
                    first[messages].append(_opened(terminal))
                    for _ in range(AGAIN):
                        terminal.rest(0.3)
                        terminal.write("t")
                        terminal.rest(0.3)
                        again[messages].append(_opened(terminal))
    small, large = SIZES
    what = f"opened, {large:,} messages in {SIZES[large]} branches / {small}"
    yield compare("tree", f"{what}, first time", first[small], first[large], "ms", 2)
    yield compare("tree", f"{what}, again", again[small], again[large], "ms", 2)
