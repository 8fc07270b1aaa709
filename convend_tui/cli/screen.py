"""`convend` without a command: the screen."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from convend_tui.errors import UsageError

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace | None = None) -> int:
    """Open the TUI, where it was left.

    Raises:
        UsageError: it cannot be drawn, or no key could be read.
    """
    for stream, name in ((sys.stdin, "input"), (sys.stderr, "error")):
        if stream is None or not stream.isatty():
            raise UsageError(f"The screen needs a terminal, and standard {name} is none. On a pipe, use `convend ask`.")
    # What starting makes is no garbage: looking for some would take a fifth of the time to the first paint. The app
    # turns the collector on when it has painted.
    gc.disable()
    try:
        from convend_tui.tui.app import run_app

        return run_app()
    finally:
        gc.enable()
