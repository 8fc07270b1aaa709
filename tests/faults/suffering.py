"""What a process may suffer: a clock that is wrong, a disk that is slow or fails, its end at any moment."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from convend_tui.store import git as git_module

_CHANGES = ("open", "write", "fsync", "rename", "replace", "link", "ftruncate", "unlink", "mkdir")
_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)


@dataclass(frozen=True)
class Trouble:
    """What happens to one process. Steps are changes of the disk and calls of git."""

    kill_at: int | None = None
    """It is killed before this step; a write may be half done."""
    fail_at: int | None = None
    """From this step on the disk fails."""
    fails: int = 1
    """How many steps."""
    slow: bool = False
    ahead_s: float = 0.0
    """How far its clock is ahead."""


def suffer(root: Path, trouble: Trouble) -> None:
    """Let this process suffer it, for good, at the files below a folder."""
    _set_clock(trouble.ahead_s)
    _Disk(root, trouble).take_over()


class _Clock(datetime):
    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + cls.ahead


def _set_clock(ahead_s: float) -> None:
    _Clock.ahead = timedelta(seconds=ahead_s)
    for name, module in list(sys.modules.items()):
        if name.startswith("convend_tui") and getattr(module, "datetime", None) is datetime:
            module.datetime = _Clock  # type: ignore[attr-defined]
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + ahead_s
    time.time_ns = lambda: now_ns() + int(ahead_s * 1e9)


class _Disk:
    def __init__(self, root: Path, trouble: Trouble) -> None:
        self._root, self._trouble = str(root), trouble
        self._chance = random.Random(os.getpid())
        self._step = 0

    def take_over(self) -> None:
        """All changes of the disk go through here from now on."""
        for name in _CHANGES:
            setattr(os, name, self._watched(name, getattr(os, name)))
        start = git_module.Git._start

        def started(*given: Any, **more: Any) -> Any:
            self._before(lambda: None)
            return start(*given, **more)

        git_module.Git._start = started  # type: ignore[method-assign]

    def _watched(self, name: str, real: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            if not self._is_ours(name, given):
                return real(*given, **more)

            def half() -> None:
                if name == "write" and len(given[1]) > 1 and self._chance.random() < 0.6:
                    real(given[0], bytes(given[1])[: self._chance.randrange(1, len(given[1]))])

            self._before(half)
            if self._is_failing():
                half()
                number = self._chance.choice(_ERRORS)
                raise OSError(number, os.strerror(number))
            # Without a power cut a flush changes nothing but the time.
            return None if name == "fsync" else real(*given, **more)

        return call

    def _before(self, half: Any) -> None:
        self._step += 1
        if self._step == self._trouble.kill_at:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        if self._trouble.slow:
            time.sleep(self._chance.random() ** 3 * 0.1)

    def _is_failing(self) -> bool:
        first = self._trouble.fail_at
        return first is not None and first <= self._step < first + self._trouble.fails

    def _is_ours(self, name: str, given: Any) -> bool:
        if name == "open":
            changing = os.O_CREAT | os.O_RDWR | os.O_WRONLY
            return len(given) > 1 and bool(given[1] & changing) and str(given[0]).startswith(self._root)
        if name == "write":
            return given[0] > 2 and stat.S_ISREG(os.fstat(given[0]).st_mode)
        return True
