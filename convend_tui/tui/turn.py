"""A turn that runs, as the screen knows it: since when, and what it waits for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from convend_tui.model import events as e
from convend_tui.tui.items import MessageItem


@dataclass(slots=True)
class Turn:
    """A turn that runs."""

    question: str | None = None
    """None until it is on the disk."""
    started: float = field(default_factory=time.monotonic)
    reply: MessageItem | None = None
    _waiting: e.Waiting | None = None
    _until: float = 0.0

    def waits(self, event: e.Waiting) -> None:
        """Nothing comes in for now."""
        self._waiting, self._until = event, time.monotonic() + (event.seconds or 0.0)

    def goes_on(self) -> None:
        """An answer begins."""
        if self._waiting is not None and self.reply is not None:
            self.reply.status = "…"
        self._waiting = None

    @property
    def seconds_left(self) -> float:
        """Until the request is sent again; 0 where it does not wait for that."""
        if self._waiting is None or self._waiting.seconds is None:
            return 0.0
        return max(0.0, self._until - time.monotonic())

    def count_down(self) -> str | None:
        """Say in the reply what it waits for, and how long. Returns the key of the reply where there is anything to
        say."""
        if self.reply is None or self._waiting is None:
            return None
        left = self.seconds_left
        words = self._waiting.words(left)
        self.reply.status = f"{words} · Esc stops it" if left else f"{words.rstrip('…')}…"
        return self.reply.key
