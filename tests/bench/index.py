"""The index: made anew, brought up to date, searched; and starting with a large library."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter

from convend_tui.paths import Paths
from convend_tui.store.index import Index
from convend_tui.thread import records as r
from tests.bench import bare, homes
from tests.bench.echo import Typist
from tests.bench.start import COMPOSER, CONVEND, HINTS, NEW, OPEN, SETTLED_S, environment
from tests.bench.table import Row, compare
from tests.bench.terminal import Cost, Terminal
from tests.making import paths_in

MANY, FEW = 10_000, 10
WORDS = 17
"""In a message, so that `MANY` threads of 6 messages have a million."""
GOAL = 20e6
"""Bytes of thread files a second."""
ROUNDS = 5
LOOKS = 9
KEYS = 40
"""Each with one search of every kind."""
START_ROUNDS = 7
_VOCABULARY = 30_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Speech:
    """Words as languages have them: a few of them everywhere, most of them hardly ever."""

    def __init__(self) -> None:
        self.chance = random.Random(1)
        syllables = [a + b for a in "bdfghklmnprstvw" for b in "aeiou"]
        self.words = list(dict.fromkeys("".join(self.chance.choices(syllables, k=1 + n % 4)) for n in range(60_000)))
        del self.words[_VOCABULARY:]
        self._weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(self.words))))

    def text(self, words: int) -> str:
        """So many words."""
        return " ".join(self.chance.choices(self.words, cum_weights=self._weights, k=words))

    def thread(self, number: int, messages: int, words: int) -> Iterator[r.Record]:
        """A thread as convend writes it, with usage and the chunks' times."""
        begin = _BEGIN + timedelta(hours=number)
        thread_id = f"{begin:%Y%m%dT%H%M%S}-{number:08x}"
        settings = r.Settings(model=homes.MODEL, server="claude")
        yield r.Header(at=r.timestamp(begin), id=thread_id, format=r.FORMAT, settings=settings)
        parent: str | None = None
        for place in range(messages):
            name = f"{self.chance.getrandbits(64):016x}"
            chunks = [[50 * chunk, 17] for chunk in range(words // 4)]
            reply = {
                "model": homes.MODEL,
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 100, "output_tokens": 2 * words},
                "request_id": f"req_{name}",
                "timing": {"first_ms": 500, "total_ms": 9000, "chunks": chunks},
            }
            yield r.Message(
                at=r.timestamp(begin + timedelta(seconds=place + 1)),
                id=name,
                parent=parent,
                role="assistant" if place % 2 else "user",
                content=[{"type": "text", "text": self.text(words)}],
                kind="reply" if place % 2 else "typed",
                **(reply if place % 2 else {}),
            )
            parent = name


def library(folder: Path, threads: int, messages: int = 6, words: int = WORDS) -> Paths:
    """A home with so many threads."""
    paths = paths_in(folder)
    paths.threads.mkdir(parents=True)
    speech = Speech()
    for number in range(threads):
        header, *rest = speech.thread(number, messages, words)
        assert isinstance(header, r.Header)
        (paths.threads / f"{header.id}.jsonl").write_bytes(b"".join(map(r.encode, (header, *rest))))
    return paths


def measure() -> Iterator[Row]:
    """All without the screen, but for the key echo that a search is compared with."""
    with tempfile.TemporaryDirectory() as folder:
        many = library(Path(folder) / "many", MANY)
        few = library(Path(folder) / "few", FEW)
        yield from _rebuild(f"{MANY:,} threads of 6 messages", many)
        yield from _rebuild("400 threads of 40 messages", library(Path(folder) / "long", 400, 40, 250))
        yield from _searches(many)
        yield from _looks(few, many)


def _rebuild(what: str, paths: Paths) -> Iterator[Row]:
    size = sum(file.stat().st_size for file in paths.threads.iterdir())
    plain: list[float] = []
    made: list[float] = []
    for _ in range(ROUNDS):
        plain.append(_seconds(lambda: _parse(paths)))
        shutil.rmtree(paths.cache, ignore_errors=True)
        index = Index(paths)
        made.append(_seconds(index.update))
        index.close()
    yield compare("index", f"made anew, {what}, {size / 1e6:.0f} MB / at 20 MB a second", [size / GOAL], made, "s", 1.0)
    yield compare("index", f"made anew, {what} / json.loads of each line", plain, made, "s")


def _parse(paths: Paths) -> None:
    for file in paths.threads.iterdir():
        for line in file.read_bytes().splitlines():
            json.loads(line)


def _searches(paths: Paths) -> Iterator[Row]:
    index = Index(paths)
    index.update()
    words = Speech().words
    queries: Mapping[str, str] = {
        "the commonest word": f"{words[0]} ",
        "two common words": f"{words[0]} {words[1]} ",
        "a phrase": f'"{words[0]} {words[1]}"',
        "a beginning of two letters": words[30][:2],
        "a common word and a beginning": f"{words[2]} {words[40][:2]}",
        "a rare word": f"{words[-100]} ",
    }
    echo: list[float] = []
    found: dict[str, list[float]] = {what: [] for what in queries}
    with tempfile.TemporaryDirectory() as folder, Terminal(CONVEND, environment(Path(folder))) as terminal:
        terminal.until(COMPOSER, HINTS)
        terminal.rest(SETTLED_S)
        typist = Typist(terminal)
        for _ in range(KEYS):
            echo.append(typist.key())
            for what, query in queries.items():
                found[what].append(_seconds(partial(index.search, query)) * 1000)
    for what, times in found.items():
        yield compare("search", f"50 hits of {MANY:,} threads, {what} / key echo", echo, times, "ms", 3.0)
    index.close()


def _looks(few: Paths, many: Paths) -> Iterator[Row]:
    indexes = [Index(few), Index(many)]
    for index in indexes:
        index.update()

    def both(work: Callable[[Index], object]) -> Sequence[Sequence[float]]:
        return [[_seconds(partial(work, index)) * 1000 for _ in range(LOOKS)] for index in indexes]

    def opened(index: Index) -> None:
        index.close()
        index.summaries(limit=50)

    what = f"{MANY:,} / {FEW} threads"
    yield compare("index", f"opened, and the first 50 of the list, {what}", *both(opened), "ms")
    yield compare("index", f"the whole list, {what}", *both(lambda index: index.summaries()), "ms")
    yield compare("index", f"an update where nothing is new, {what}", *both(lambda index: index.update()), "ms")
    yield compare("index", f"an update after one message, {what}", *both(_one_more), "ms")
    for index in indexes:
        index.close()


def _one_more(index: Index) -> None:
    file = next(index.paths.threads.iterdir())
    message = r.Message(
        at=r.timestamp(datetime.now(UTC)),
        id=f"{random.getrandbits(64):016x}",
        parent=None,
        role="user",
        content=[{"type": "text", "text": "one more"}],
        kind="typed",
    )
    with file.open("ab") as out:
        out.write(r.encode(message))
    index.update()


def _seconds(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def starts() -> Iterator[Row]:
    """From the start to the first paint, and memory some seconds later, with a large library."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        empty = root / "empty"
        empty.mkdir()
        started = {
            "bare": (("-m", "tests.bench.bare"), {}, bare.READY),
            "empty": (CONVEND, environment(empty), (COMPOSER, HINTS)),
            "few": (CONVEND, environment(homes.home(root / "few", FEW)), NEW),
            "many": (CONVEND, environment(homes.home(root / "many", MANY)), NEW),
            "long": (CONVEND, environment(homes.home(root / "long", MANY, 10_000)), OPEN),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in started}
        for turn in range(-1, START_ROUNDS):  # one more, which makes the index
            for name, (arguments, env, ready) in started.items():
                with Terminal(arguments, env) as terminal:
                    if turn < 0:
                        terminal.until(*ready)
                        terminal.rest(SETTLED_S * 2)
                    else:
                        costs[name].append(terminal.seen(*ready))
        memory: dict[str, list[float]] = {name: [] for name in started}
        for _ in range(2):
            for name, (arguments, env, ready) in started.items():
                with Terminal(arguments, env) as terminal:
                    terminal.until(*ready)
                    terminal.rest(SETTLED_S)
                    memory[name].append(terminal.memory)
    wall = {name: [cost.wall * 1000 for cost in found] for name, found in costs.items()}
    cpu = {name: [cost.cpu * 1000 for cost in found] for name, found in costs.items()}
    what = f"{MANY:,} / {FEW} threads"
    yield compare("library", f"first paint, {what}, wall", wall["few"], wall["many"], "ms", 1.15)
    yield compare("library", f"first paint, {what}, CPU", cpu["few"], cpu["many"], "ms", 1.15)
    yield compare(
        "library",
        f"memory, {MANY:,} threads, 10,000 messages open / empty",
        memory["empty"],
        memory["long"],
        "MiB",
        1.5,
    )
