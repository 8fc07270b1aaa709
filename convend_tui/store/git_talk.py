"""Programs that talk to a server: they cannot ask anybody anything, and one that falls silent is given up."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from threading import Thread
from typing import IO, Final

_GRACE: Final = 2.0
"""Seconds that a program has to put its things in order, and its outputs to close after its end: something that it
started may go on, with them open."""


class _Ear(Thread):
    """Reads one output of a program."""

    def __init__(self, output: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.heard_at = time.monotonic()
        self._output = output
        self._pieces: list[bytes] = []
        self.start()

    def run(self) -> None:
        """Read to the end."""
        with suppress(OSError, ValueError):  # closed while it was read
            while piece := os.read(self._output.fileno(), 65536):
                self._pieces.append(piece)
                self.heard_at = time.monotonic()

    def all(self) -> bytes:
        """What there was to read."""
        self.join(_GRACE)
        return b"".join(self._pieces)


def said(process: subprocess.Popen[bytes], patience: float) -> tuple[bytes, bytes] | None:
    """What a program prints on its two outputs, once it has ended.

    Args:
        process: started in a session of its own, so that neither it nor what it starts has a terminal to ask at.
        patience: seconds without a word. None is returned then, and it was ended with all that it had started. The
            same happens where waiting is interrupted.
    """
    assert process.stdout is not None and process.stderr is not None
    ears = [_Ear(process.stdout), _Ear(process.stderr)]
    try:
        while True:
            try:
                process.wait(min(1.0, patience))
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - max(ear.heard_at for ear in ears) >= patience:
                    _end(process)
                    return None
    except BaseException:
        _end(process)
        raise
    return ears[0].all(), ears[1].all()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it has started: asked first, as git takes its lock files away then."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, number)  # the session's leader
            else:
                process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
