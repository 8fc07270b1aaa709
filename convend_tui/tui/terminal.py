"""The terminal as this program has it: one that may go away, and a program that may be asked to end.

Textual 8 leaves signals to Python: SIGTERM and SIGHUP end the process at once, with the terminal as the screen left it
and what was typed last not written. It also reads on from a terminal that is gone, as fast as it can, and waits for
ever for one that is gone, or does not take anything for now, to show what was written.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, TextIO, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from convend_tui.tui.app import ConvendApp

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Signals that ask a program to end. A terminal that closes sends the second."""
GONE = 128 + signal.SIGHUP
"""The exit code where the terminal is gone."""
STALLED_S = 1.0
"""Seconds that the screen waits for a terminal to take what was drawn; after that it goes on without."""
CLOSE_S = 2.0
"""Seconds that the end of the program waits for it."""


class Terminal(LinuxDriver):
    """Textual's driver, from which the app is left in good order however that comes."""

    def __init__(self, app: ConvendApp, **options: Any) -> None:
        super().__init__(app, **options)
        self._convend = app
        self._stalled = False
        """What is drawn is dropped, until the terminal has taken what was drawn before."""
        assert sys.__stderr__ is not None
        self._file = cast(TextIOWrapper, _Output(sys.__stderr__, self._gone, self._taken))

    def start_application_mode(self) -> None:
        """Take the terminal; from here on a signal must give it back."""
        loop = asyncio.get_running_loop()
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                loop.add_signal_handler(number, self._convend.leave, 128 + number)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Give the terminal back: at the end, or for a while."""
        self._stalled = False
        self._queue.maxsize = 0  # nothing of what follows is dropped, and nobody waits
        super().stop_application_mode()
        if not self._convend.is_running and self._convend.finishing.ident is None:
            self._convend.finishing.start()

    def write(self, data: str) -> None:
        """Have something written. A terminal that takes nothing must not keep the app from going on."""
        if self._stalled:
            return
        try:
            self._queue.put(data, timeout=STALLED_S)
        except Full:
            self._stalled = True
            if self._queue.empty():  # taken in this very moment: nobody would say so later
                self._taken()

    def close(self) -> None:
        """Let what was written reach the terminal, for a while at most."""
        self._queue.put(None)
        assert self._writer_thread is not None
        self._writer_thread.join(CLOSE_S)

    def run_input_thread(self) -> None:
        """Hand on what comes from the terminal, until it is gone."""
        try:
            super().run_input_thread()
        except (OSError, EOFError):
            self._gone()

    @property
    def _queue(self) -> Queue[str | None]:
        assert self._writer_thread is not None
        return self._writer_thread._queue

    def _taken(self) -> None:
        """The terminal has taken all that was to be written."""
        if self._stalled:
            self._stalled = False
            self._convend.soon(self._convend.draw_anew)

    def _gone(self) -> None:
        self._convend.soon(lambda: self._convend.leave(GONE))


class _Output:
    """Standard error, which is drawn on, for the thread that writes there. Once it cannot be written what comes is
    dropped: that thread must go on, as the screen waits for it. Without the buffer of the file, on whose lock the end
    of the program would wait."""

    def __init__(self, file: TextIO, gone: Callable[[], None], taken: Callable[[], None]) -> None:
        self._fd = file.fileno()
        self._encoding = file.encoding, file.errors or "backslashreplace"
        self._gone = gone
        self._taken = taken

    def write(self, text: str) -> None:
        data = text.encode(*self._encoding)
        try:
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except BlockingIOError:  # another program has set it so
                    select.select([], [self._fd], [])
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._fd)
            os.close(nowhere)
            self._gone()

    def flush(self) -> None:
        """Called when there is nothing more to write."""
        self._taken()

    def fileno(self) -> int:
        return self._fd
