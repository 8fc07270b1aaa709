"""Bracketed pastes, taken out of the terminal's input whole; and input that is no text.

Textual 8 walks through a paste character by character, which takes seconds for megabytes, and turns what
follows an escape character inside a paste into key presses: a pasted `ESC CR` would press Enter. Bytes that
are not UTF-8 (a paste, a terminal with another encoding) and keys with impossible numbers would end its
thread that reads the keys, and with it the program.
"""

from __future__ import annotations

import codecs
import importlib
import sys
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic

from textual import events
from textual._parser import Parser
from textual._xterm_parser import XTermParser
from textual.message import Message

START = "\x1b[200~"
END = "\x1b[201~"
PATIENCE = 0.1
"""Seconds that the beginning of a mark, alone at the end of a read, waits for its rest."""


def _begun(text: str, mark: str, least: int) -> int:
    """How many characters at the end of `text` may begin `mark`; 0 if fewer than `least` do."""
    for length in range(min(len(mark) - 1, len(text)), least - 1, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0


class PasteParser(XTermParser):
    """Textual's parser of terminal input, with pastes cut out before it sees them."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._paste: list[str] | None = None
        self._begun_mark = ""
        self._begun_at = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        """Messages of some input. No input at all is its end."""
        if not data:
            yield from self._feed_parser(data)
            return
        data, self._begun_mark = self._begun_mark + data, ""
        while data:
            mark = START if self._paste is None else END
            body, found, data = data.partition(mark)
            if not found:
                # A lone escape is not held back: it may be the key.
                length = _begun(body, mark, 2 if self._paste is None else 1)
                body, self._begun_mark = body[: len(body) - length], body[len(body) - length :]
                self._begun_at = monotonic()
            if self._paste is None:
                yield from self._feed_keys(body)
                self._paste = [] if found else None
            else:
                self._paste.append(body)
                if found:
                    text, self._paste = "".join(self._paste), None
                    yield events.Paste(text.replace("\x00", ""))

    def _feed_keys(self, data: str) -> Iterable[Message]:
        # Alt+Enter without the kitty protocol, and what several terminals are set up to send for Shift+Enter;
        # Textual would make Enter of it.
        for place, part in enumerate(data.split("\x1b\r")):
            if place:
                yield events.Key("alt+enter", None)
            if part:
                yield from self._feed_parser(part)

    def _feed_parser(self, data: str) -> Iterable[Message]:
        try:
            yield from super().feed(data)
        except (ValueError, ArithmeticError):
            # Numbers that no key and no place has: what came with them is dropped, and the next key counts.
            Parser.__init__(self)

    def tick(self) -> Iterable[Message]:
        """Messages of time passing: keys that looked like the beginning of a paste and were not."""
        if self._begun_mark and self._paste is None and monotonic() - self._begun_at > PATIENCE:
            begun, self._begun_mark = self._begun_mark, ""
            yield from self._feed_parser(begun)
        yield from super().tick()


class _Decoder:
    """An incremental decoder with U+FFFD for what cannot be decoded.

    Raises:
        EOFError: there is no input any more; Textual would ask for it again and again.
    """

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def decode(self, data: bytes, final: bool = False) -> str:
        if not data and not final:
            raise EOFError
        return self._decoder.decode(data, final)


def _decoder(encoding: str) -> Callable[[], _Decoder]:
    """As `codecs.getincrementaldecoder`."""
    return partial(_Decoder, encoding)


def take_pastes_whole() -> None:
    """Have this platform's Textual drivers use `PasteParser`, and survive any byte. Call before the app runs."""
    drivers = ["win32"] if sys.platform == "win32" else ["linux_driver", "linux_inline_driver"]
    for name in drivers:
        driver = vars(importlib.import_module(f"textual.drivers.{name}"))
        driver["XTermParser"] = PasteParser
        if "getincrementaldecoder" in driver:
            driver["getincrementaldecoder"] = _decoder
