"""Mutated thread files through all that reads a thread: how many of a million bring convend down. Target: none."""

from __future__ import annotations

import os
import random
import signal
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import process_time
from types import FrameType

from tests.bench.table import Row
from tests.faults import mutating

FILES = 1_000_000
CHUNK = 5_000
HANG_S = 10
"""Seconds after which a file counts as an endless loop."""
_FIRST_SEED = 1_000_000_000
"""The tests have the numbers below."""


class Hung(Exception):
    """A file took too long."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of a number of files."""

    threads: int
    """So many were still threads: they had a header."""
    failures: tuple[str, ...]
    """Of each file that was too much, its number and why."""
    seconds: float
    """Of processor time."""


def run(first: int, count: int) -> Tally:
    """Go through `count` files made from the seeds from `first` on."""

    def give_up(_: int, __: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, give_up)
    threads, failures, begun = 0, list[str](), process_time()
    try:
        for seed in range(first, first + count):
            signal.alarm(HANG_S)
            data = mutating.mutated(random.Random(seed))
            try:
                threads += mutating.go_through(data) is not None
            except Exception:  # noqa: BLE001 - that there is none is what is measured
                failures.append(f"seed {seed}: {traceback.format_exc(limit=-2)}")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Tally(threads, tuple(failures), process_time() - begun)


def measure() -> Iterator[Row]:
    """All files, on all cores; some of what was too much is printed."""
    starts = range(_FIRST_SEED, _FIRST_SEED + FILES, CHUNK)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        tallies = list(pool.map(run, starts, [CHUNK] * len(starts)))
    failures = [failure for tally in tallies for failure in tally.failures]
    for failure in failures[:5]:
        print(failure)
    threads = sum(tally.threads for tally in tallies)
    seconds = sum(tally.seconds for tally in tallies)
    print(f"{FILES:,} mutated thread files, {threads:,} still threads: {len(failures):,} crashes or endless loops")
    yield Row("mutations", "mutated thread files; crashes", FILES, len(failures), "files", 0.0)
    yield Row("mutations", "CPU a file, made and read / 1 ms", 1, 1000 * seconds / FILES, "ms")
