"""A bar for work in a thread of its own, which Esc stops at its next report."""

from __future__ import annotations

import threading
from time import monotonic

from convend_tui.errors import ConvendError
from convend_tui.tui.dialogs import Progress

_BETWEEN_S = 0.1
"""Seconds between two pictures of the bar."""


class Stopped(ConvendError):
    """The person does not want it any more."""


class Stoppable(Progress):
    """Progress in bytes."""

    def __init__(self, title: str, body: str) -> None:
        super().__init__(title, body)
        self._stopped = threading.Event()
        self._shown = 0.0

    def action_cancel(self) -> None:
        """Esc: the next report stops it."""
        self._stopped.set()

    def in_thread(self, done: int, total: int) -> None:
        """Report from the thread that works.

        Raises:
            Stopped: it is to stop.
        """
        if self._stopped.is_set():
            raise Stopped("Stopped; nothing was kept.")
        now = monotonic()
        if now - self._shown > _BETWEEN_S or done >= total:
            self._shown = now
            detail = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
            self.app.call_from_thread(self.update, done, total, detail)

    def close(self) -> None:
        """It is over, however it went."""
        self._stopped.set()
        if self.is_attached:
            self.dismiss(None)
