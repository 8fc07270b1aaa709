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

_MOST_HELD = 16
"""Characters that wait for what follows them; more joiners on end join nothing."""
_LOOKED_BACK = 64
"""Characters of a line that a new piece is looked at with."""


def emit(value: dict[str, Any]) -> None:
    """One JSON object on a line of its own, out at once. Plain ASCII: no terminal can be broken by it."""
    print(json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f"), flush=True)


def say(text: str) -> None:
    """A line for the person, on standard error."""
    print(plain.visible(text), file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Text of a thread to standard output: as data on a terminal, byte for byte elsewhere."""
    if sys.stdout.isatty():
        text = plain.visible(text)
    _put(text)


def _put(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


class Stream:
    """`write`, for text that arrives in pieces: what a terminal shows of them is what it would show of the whole."""

    def __init__(self) -> None:
        self._line = ""
        """The end of the line that was begun, as it is shown."""
        self._held = ""

    def write(self, text: str) -> None:
        """The next piece."""
        if not sys.stdout.isatty():
            _put(text)
            return
        text = self._held + text
        # What these do hangs on what follows them.
        whole = text.rstrip("\r\u200d")
        self._held = text[len(whole) :][:_MOST_HELD]
        self._show(whole)

    def end(self) -> None:
        """Nothing follows."""
        held, self._held = self._held, ""
        self._show(held)
        self._line = ""

    def _show(self, text: str) -> None:
        line = plain.visible(self._line + text)
        _put(line[len(self._line) :])
        line = line.rpartition("\n")[2]
        # By tab stops of 4. Once more, as it may begin with what has lost what it belonged to.
        self._line = plain.visible(line[max(0, len(line) - _LOOKED_BACK) // 4 * 4 :])


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
