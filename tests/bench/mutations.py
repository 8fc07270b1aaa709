"""Mutated thread files through all that reads a thread, and mutated exports through an import and all that follows: how
many of a million, and of fifty thousand, bring convend down. Target: none."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from types import FrameType
from unittest import mock

from tests.bench.table import Row
from tests.faults import mutating, mutating_imports
from tests.faults.bringing_in import Door

FILES = 1_000_000
EXPORTS = 50_000
CHUNK = 5_000
MEMORY = 4 << 30
"""Bytes that a process may have: what is more would be a bomb that went off."""
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
    """So many were still threads: they had a header. Of exports: so many came in."""
    failures: tuple[str, ...]
    """Of each file that was too much, its number and why."""
    seconds: float
    """Of processor time."""


def run(first: int, count: int) -> Tally:
    """Go through `count` thread files made from the seeds from `first` on."""

    def play(seed: int) -> int:
        return mutating.go_through(mutating.mutated(random.Random(seed))) is not None

    return _tally(range(first, first + count), play)


def run_exports(first: int, count: int) -> Tally:
    """The same with exports, in turns into an empty home and into one that has the good ones. The disk is not waited
    for."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(os, "fsync"):
        doors = [Door(_made(Path(folder, str(full))), full=full) for full in (False, True)]

        def play(seed: int) -> int:
            export = mutating_imports.mutated(random.Random(f"import {seed}"))
            return doors[seed % 2].play(export, seed // 2).threads

        return _tally(range(first, first + count), play)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _tally(seeds: range, play: Callable[[int], int]) -> Tally:
    def give_up(_: int, __: FrameType | None) -> None:
        raise Hung

    _limit_memory()
    before = signal.signal(signal.SIGALRM, give_up)
    threads, failures, begun = 0, list[str](), process_time()
    try:
        for seed in seeds:
            signal.alarm(HANG_S)
            try:
                threads += play(seed)
            except Exception:  # noqa: BLE001 - that there is none is what is measured
                failures.append(f"seed {seed}: {traceback.format_exc(limit=-2)}")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Tally(threads, tuple(failures), process_time() - begun)


def _limit_memory() -> None:
    import resource  # POSIX alone

    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if most < 0 else min(MEMORY, most), most))


def measure() -> Iterator[Row]:
    """All files, on all cores; some of what was too much is printed."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        yield from _rows(pool, run, FILES, "thread files", "still threads")
        yield from _rows(pool, run_exports, EXPORTS, "exports", "threads came in")


def _rows(
    pool: ProcessPoolExecutor, play: Callable[[int, int], Tally], count: int, what: str, came: str
) -> Iterator[Row]:
    starts = range(_FIRST_SEED, _FIRST_SEED + count, CHUNK)
    tallies = list(pool.map(play, starts, [CHUNK] * len(starts)))
    failures = [failure for tally in tallies for failure in tally.failures]
    for failure in failures[:5]:
        print(failure)
    threads = sum(tally.threads for tally in tallies)
    seconds = sum(tally.seconds for tally in tallies)
    print(f"{count:,} mutated {what}, {threads:,} {came}: {len(failures):,} crashes or endless loops")
    yield Row("mutations", f"mutated {what}; crashes", count, len(failures), "files", 0.0)
    yield Row("mutations", f"CPU of one of these {what} / 1 ms", 1, 1000 * seconds / count, "ms")
