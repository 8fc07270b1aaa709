"""What the commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import chain
from typing import Any

from convend_tui import paths, plain
from convend_tui.store.conflicts import merge
from convend_tui.store.library import Library
from convend_tui.store.partial import recover


def emit(value: dict[str, Any]) -> None:
    """One JSON object on a line of its own, out at once. Plain ASCII: no terminal can be broken by it."""
    print(json.dumps(value, ensure_ascii=True), flush=True)


def say(text: str) -> None:
    """A line for the person, on standard error."""
    print(plain.visible(text), file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Text of a thread to standard output: as data on a terminal, byte for byte elsewhere."""
    if sys.stdout.isatty():
        text = plain.visible(text)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def write_lines(lines: Iterable[str]) -> None:
    """`write`, line by line."""
    for line in lines:
        write(line + "\n")


def open_library() -> Library:
    """The library; what a crash left behind and what copies in conflict hold is brought in first."""
    library = Library(paths.find())
    for sentence in chain(recover(library), merge(library)):
        say(f"convend: {sentence}")
    return library
