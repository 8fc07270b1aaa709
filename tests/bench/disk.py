"""Appending to a short and to a long thread."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, thread_time

from convend_tui.store.handle import ThreadHandle
from convend_tui.store.ids import new_id
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.bench import homes
from tests.bench.table import Row, compare
from tests.making import paths_in

APPENDS = 150


def measure() -> Iterator[Row]:
    """A message with fsync, as a turn writes it; the two threads take turns."""
    with tempfile.TemporaryDirectory() as folder:
        lengths = (10, 10_000)
        handles = [_open(Path(folder) / str(length), length) for length in lengths]
        wall: list[list[float]] = [[], []]
        cpu: list[list[float]] = [[], []]
        for _ in range(APPENDS):
            for place, handle in enumerate(handles):
                begin, used = perf_counter(), thread_time()
                _append(handle)
                wall[place].append((perf_counter() - begin) * 1000)
                cpu[place].append((thread_time() - used) * 1000)
    yield compare("append", "one message with fsync, 10,000 / 10 messages, wall", *wall, "ms", 1.2)
    yield compare("append", "one message with fsync, 10,000 / 10 messages, CPU", *cpu, "ms", 1.2)


def _open(home: Path, length: int) -> ThreadHandle:
    homes.home(home, threads=1, length=length)
    return Library(paths_in(home)).open(homes.thread_id(0))


def _append(handle: ThreadHandle) -> None:
    content = [{"type": "text", "text": "What about this one?"}]
    message = r.Message(
        at=handle.now(), id=new_id(), parent=handle.thread.leaf, role="user", content=content, kind="typed"
    )
    handle.append_now([message], lambda thread: None)
