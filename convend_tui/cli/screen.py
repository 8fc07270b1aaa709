"""`convend` without a command: the screen."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace | None = None) -> int:
    """Open the TUI, where it was left."""
    # What starting makes is no garbage: looking for some would take a fifth of the time to the first paint. The app
    # turns the collector on when it has painted.
    gc.disable()
    try:
        from convend_tui.tui.app import run_app

        return run_app()
    finally:
        gc.enable()
