"""From a key press to its echo on the screen, while a long reply streams and while nothing does."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from tests.bench import homes, streams
from tests.bench.start import COMPOSER, CONVEND, NEW, SETTLED_S, environment
from tests.bench.table import Row, compare, ninety_fifth
from tests.bench.terminal import Terminal

IDLE_KEYS = 60
PAUSE_S = 0.08
"""Between an echo and the next key."""
LINE = 16
"""Keys until the composer is emptied: it must not grow while it is measured."""
_LETTERS = [chr(code) for code in range(0x0430, 0x0450)] + [chr(code) for code in range(0x03B1, 0x03C9)]
"""None of them is in a reply."""
_BACKSPACE = "\x7f"


class Typist:
    """Types letters that are nowhere else on the screen, and waits for each to come up."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._letters = itertools.cycle(_LETTERS)
        self._typed = 0

    def key(self) -> float:
        """Press one key. Returns the milliseconds until it was painted."""
        if self._typed == LINE:
            self.clear()
        letter = next(self._letters)
        self._terminal.forget()
        pressed = perf_counter()
        self._terminal.write(letter)
        seen = self._terminal.until_bytes(letter)
        self._typed += 1
        self._terminal.rest(PAUSE_S)
        return (seen - pressed) * 1000

    def clear(self) -> None:
        """Take back what was typed."""
        self._terminal.write(_BACKSPACE * self._typed)
        self._typed = 0
        self._terminal.rest(0.3)

    def keys(self, goes_on: Callable[[int], bool]) -> list[float]:
        """Press keys as long as `goes_on(how many)`."""
        found: list[float] = []
        while goes_on(len(found)):
            found.append(self.key())
        self.clear()
        return found

    def idle(self) -> list[float]:
        """Keys while nothing else happens."""
        return self.keys(lambda count: count < IDLE_KEYS)


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """A streaming server in a process of its own, as environment variables."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.streams"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        base_url, key = process.stdout.readline().split()
        yield {"ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": key}
    finally:
        process.terminate()
        process.wait()


def measure() -> Iterator[Row]:
    """Each kind of reply in a new chat of its own; idle is measured before it and after it, on the same screen."""
    with tempfile.TemporaryDirectory() as folder, server() as reachable:
        for kind in streams.KINDS:
            home = homes.home(Path(folder) / kind)
            with Terminal(CONVEND, environment(home) | reachable) as terminal:
                yield from _stream(kind, terminal)


def _stream(kind: str, terminal: Terminal) -> Iterator[Row]:
    terminal.until(*NEW)
    terminal.rest(SETTLED_S)
    typist = Typist(terminal)
    before = typist.idle()
    terminal.write(f"please write {kind}\r")
    terminal.until(streams.BEGIN)
    begin, cpu = perf_counter(), terminal.cpu
    seconds = streams.SIZE / streams.RATE
    during = typist.keys(lambda _: perf_counter() - begin < seconds - 1)
    share = (terminal.cpu - cpu) / (perf_counter() - begin)
    # The end is on the screen once the view has followed the reply; the hint says that the turn is over.
    terminal.forget()
    terminal.until(COMPOSER)
    terminal.rest(2)
    idle = before + typist.idle()
    what = f"key echo, 100 KB {kind} streaming / idle"
    yield compare("echo", f"{what}, median", idle, during, "ms", 1.5)
    yield compare("echo", f"{what}, median of the last third", idle, during[-len(during) // 3 :], "ms", 1.5)
    yield Row("echo", f"{what}, 95th percentile", ninety_fifth(idle), ninety_fifth(during), "ms")
    yield Row("echo", f"CPU while 100 KB {kind} streams / one core", 1.0, share, "cores")
