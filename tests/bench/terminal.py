"""A program under a pseudo-terminal, seen from outside: what it paints, when, and what that cost."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Self

COLUMNS, ROWS = 120, 36
TIMEOUT = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CONTROL = re.compile(rb"\x1b(?:\[[0-9;:?<=>$ ]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|[ -/]*[0-~])")


class NotPainted(Exception):
    """What was waited for did not come up, or the program ended."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program had used when it was seen."""

    wall: float
    """Seconds since it was started."""
    cpu: float
    """Seconds, user and system."""
    memory: float
    """MiB resident."""


class Terminal:
    """Runs `python -m …` in a terminal of 120 by 36; `with` kills it in the end."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.output = b""
        """All that was painted since the last `forget`, with its escape sequences."""
        self._plain = bytearray()
        """`output` up to `_stripped`, without them."""
        self._stripped = 0
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._master = master
        self._started = perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=_environment(environment or {}),
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def write(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def forget(self) -> None:
        """Look only at what is painted from now on."""
        self.output = b""
        self._plain.clear()
        self._stripped = 0

    def read(self, seconds: float) -> bool:
        """Take in what is painted, once, waiting for it at most so long. False where nothing came."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            self.output += os.read(self._master, 1 << 20)
        except OSError as error:
            raise NotPainted(f"the program ended:\n{self.text[-2000:]}") from error
        return True

    def rest(self, seconds: float) -> None:
        """Let the program run, and take in what it paints."""
        end = perf_counter() + seconds
        while (left := end - perf_counter()) > 0:
            self.read(left)

    @property
    def text(self) -> str:
        """What was painted, without the escape sequences."""
        # Only what is new is looked through: the program goes on while it is watched.
        whole = max(self.output.rfind(b"\x1b"), self._stripped)  # the last sequence may not be complete yet
        self._plain += _CONTROL.sub(b"", self.output[self._stripped : whole])
        self._stripped = whole
        return (self._plain + _CONTROL.sub(b"", self.output[whole:])).decode(errors="replace")

    def until(self, *words: str, timeout: float = TIMEOUT) -> float:
        """Wait until all `words` have been painted. Returns the `perf_counter` of that moment.

        Raises:
            NotPainted: they did not come up in `timeout` seconds, or the program ended.
        """
        end = perf_counter() + timeout
        while True:
            came = self.read(end - perf_counter())
            now = perf_counter()
            if came and all(word in self.text for word in words):
                return now
            if now >= end:
                raise NotPainted(f"{words} did not come up:\n{self.text[-2000:]}")

    def until_bytes(self, character: str, timeout: float = TIMEOUT) -> float:
        """As `until` for one character, without looking through the escape sequences."""
        wanted = character.encode()
        end = perf_counter() + timeout
        while wanted not in self.output:
            if not self.read(end - perf_counter()):
                raise NotPainted(f"{character} did not come up:\n{self.text[-2000:]}")
        return perf_counter()

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far, in steps of a clock tick; children not counted."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory(self) -> float:
        """Resident MiB now."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE / 2**20

    def kill(self) -> float:
        """End it at once. Returns the seconds of processor time it has used (0 the second time)."""
        if self._process.returncode is not None:
            return 0.0
        os.kill(self._process.pid, signal.SIGKILL)
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        os.close(self._master)
        return used.ru_utime + used.ru_stime

    def seen(self, *words: str) -> Cost:
        """Wait for `words`, and end the program the moment they are there."""
        wall = self.until(*words) - self._started
        os.kill(self._process.pid, signal.SIGSTOP)
        memory = self.memory
        return Cost(wall, self.kill(), memory)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    fixed = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PYTHONPATH": str(Path.cwd())}
    return kept | fixed | dict(own)
