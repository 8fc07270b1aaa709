"""What goes wrong while somebody plays: a disk that fails, jobs that begin late, a clock that jumps, other programs,
and a server of many moods. Each by a seed."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from convend_tui.errors import ConvendError
from convend_tui.store import handle as handles
from convend_tui.thread import records as r
from convend_tui.tui import listing
from tests.referee import HttpError, Partner
from tests.referee.script import Answer, Hangup, Json, wants_structure
from tests.tui.conftest import Home, Person

LATE_S = 0.05
WATCH_S = 0.2
"""The app looks this often for what others wrote: more than once a play."""
ERRORS = (errno.EIO, errno.ENOSPC)


@dataclass(frozen=True)
class Kinds:
    """What may go wrong in a play."""

    late: bool = False
    disk: bool = False
    clock: bool = False
    others: bool = False

    @classmethod
    def some(cls, chance: random.Random) -> Kinds:
        """Some of it."""
        return cls(*(chance.random() < 0.4 for _ in range(4)))


class Trouble:
    """Everything that goes wrong in one play."""

    def __init__(self, home: Home, chance: random.Random, kinds: Kinds, patch: pytest.MonkeyPatch) -> None:
        self.kinds = kinds
        self._home = home
        self._chance = chance
        self._root = str(home.root)
        self._bad = False
        self._paused = True
        self._ahead = timedelta()
        self._late = random.Random(chance.random())
        self._disk = random.Random(chance.random())
        patch.setattr(listing, "WATCH_S", WATCH_S)
        if kinds.late:
            self._begin_late(patch)
        if kinds.disk:
            for name in ("fsync", "write", "replace", "ftruncate"):
                patch.setattr(os, name, self._failing(getattr(os, name)))
        if kinds.clock:
            self._jump(patch)

    def pause(self) -> None:
        """From now on, until something `comes`, the disk is sound."""
        self._bad = False

    def comes(self, me: Person) -> Iterator[str]:
        """Before a step: something may happen. What did, in words."""
        chance = self._chance
        if self.kinds.disk and chance.random() < 0.1:
            self._bad = not self._bad
            yield f"the disk is {'bad' if self._bad else 'sound'}"
        if self.kinds.clock and chance.random() < 0.05:
            self._ahead = timedelta(seconds=chance.choice((-86400, -3600, -5, 0, 5, 60, 3600, 86400 * 30)))
            yield f"the clock is off by {self._ahead}"
        if self.kinds.others and chance.random() < 0.08:
            yield self._another(me)

    # -- the disk, threads and the clock ------------------------------------------------------------------

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *more: Any, **named: Any) -> Any:
            if self._bad and self._disk.random() < 0.5 and self._is_ours(what):
                number = self._disk.choice(ERRORS)
                raise OSError(number, os.strerror(number))
            return real(what, *more, **named)

        return call

    def _is_ours(self, what: Any) -> bool:
        with suppress(OSError):
            return str(Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else what).startswith(
                self._root
            )
        return False

    def _begin_late(self, patch: pytest.MonkeyPatch) -> None:
        real = ThreadPoolExecutor.submit

        def submit(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
            wait = self._late.random() ** 2 * LATE_S

            def late() -> Any:
                time.sleep(wait)
                return work(*args, **named)

            return real(pool, late)

        patch.setattr(ThreadPoolExecutor, "submit", submit)

    def _jump(self, patch: pytest.MonkeyPatch) -> None:
        trouble = self

        class Jumping(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + trouble._ahead

        patch.setattr(handles, "datetime", Jumping)

    # -- other programs -----------------------------------------------------------------------------------

    def _another(self, me: Person) -> str:
        thread = me.chat.conversation.thread
        file = self._home.file(thread.id) if thread is not None else None
        if thread is None or file is None or not file.exists():
            return "nobody"
        if self._chance.random() < 0.5:
            try:
                other = self._home.library.open(thread.id)
                leaf = other.thread.leaf
                other.append_now([r.Title(at=other.now(), title="From elsewhere", by="person")])
                if leaf is not None:
                    other.append_now([r.Label(at=other.now(), message=leaf, label="elsewhere")])
            except ConvendError as error:
                return f"another process could not append: {error}"
            return "another process appends"
        # As a program does that copies files between machines.
        copy = file.with_name(".copy")
        try:
            # With the lock, which such programs do not have: without it, what is written meanwhile is theirs to lose.
            with self._home.library.log(thread.id).locked():
                shutil.copyfile(file, copy)
                copy.chmod(0o600)
                copy.rename(file)
        except (OSError, ConvendError) as error:
            return f"another program could not replace the file: {error}"
        return "another program replaces the file by a copy"


def moody(chance: random.Random, share: float) -> Callable[[Json], Answer]:
    """A partner of which a `share` of the answers are none."""
    partner = Partner()
    moods: tuple[Answer, ...] = (
        HttpError(529, "overloaded_error", "Overloaded"),
        HttpError(500, "api_error", "Internal server error"),
        HttpError(401, "authentication_error", "invalid x-api-key"),
        Hangup(),
    )

    def answer(request: Json) -> Answer:
        said = partner(request)
        return chance.choice(moods) if chance.random() < share and not wants_structure(request) else said

    return answer
