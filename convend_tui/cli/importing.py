"""`import`: conversations of other programs, and of other computers, become threads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from convend_tui import config
from convend_tui.cli.output import emit, open_library, say, write_lines
from convend_tui.exchange.importing import import_files, settings_for
from convend_tui.exchange.telling import in_words, skipped_in_words
from convend_tui.model.connect import Models

_WIDTH = 30


def run(arguments: argparse.Namespace) -> int:
    """`convend import FILE … [--json]`: all or nothing of what is named; what did not come in is told."""
    library = open_library()
    bar = _bar() if sys.stderr.isatty() else _no_bar
    settings = settings_for(Models(config.load(library.paths), library.paths))
    try:
        report = import_files(library, [Path(file) for file in arguments.files], settings, bar)
    finally:
        if bar is not _no_bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    reasons = [] if arguments.json else [f"not imported: {line}" for line in skipped_in_words(report)]
    if arguments.json:
        emit(report.as_json())
    if report.is_empty:  # it could not: that is said where errors are
        for line in (*reasons, f"convend: {in_words(report)}"):
            say(line)
        return 1
    if not arguments.json:
        write_lines([*reasons, in_words(report)])
    return 0


def _no_bar(done: int, total: int) -> None:
    """Nobody is looking."""


def _bar() -> Callable[[int, int], None]:
    """A line on standard error that grows, drawn once for each part of a thousand."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        part = 1000 * done // total
        if part != shown:
            shown = part
            full = _WIDTH * done // total
            size = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
            print(f"\r{'━' * full}{'─' * (_WIDTH - full)} {size}", end="\x1b[K", file=sys.stderr, flush=True)

    return show
