"""JSON read as a stream, one value at a time: files of any size at the cost of their largest conversation.

Three shapes are told apart by what a file begins with: one array (or an object with an array `conversations`), whose
elements come one by one; any other object; and JSON Lines. Text is decoded in pieces of a few MB; the scanner of the
standard library reads a value from the piece, and where it breaks off, more is read.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from convend_tui.errors import ExchangeError
from convend_tui.plain import one_line

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""
LARGEST: Final = 256 << 20
"""Characters of one value, or bytes of one line; and bytes of one session, which is read as a whole."""
LARGE: Final = 32 << 20
"""Characters from which on a value's parts are counted before it is read."""
MOST_PARTS: Final = 16_000_000
"""Parts of one value. Each takes some 60 bytes of memory, and two characters of a file."""
_NEAR: Final = 16
"""A number, a literal or an escape that breaks off is reported no further than this from the end."""
_BLANK: Final = re.compile(r"[ \t\n\r]*")
_STREAMED: Final = "conversations"

Read = Callable[[int], bytes]
"""At most so many bytes; none at the end."""


class Broken(ExchangeError):
    """What a file holds is not what its kind promises: no JSON, no UTF-8, or too large to be read."""


class Pushback:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, read: Read, most: int = CHUNK) -> None:
        self._read = read
        self.head = self._fill(most)
        """Its first bytes; all of them, where it is shorter than `most`."""
        self._given = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes, the first ones first."""
        if self._given < len(self.head):
            piece = self.head[self._given : self._given + size]
            self._given += len(piece)
            return piece
        return self._read(size)

    def _fill(self, most: int) -> bytes:
        pieces: list[bytes] = []
        while most > 0 and (piece := self._read(most)):
            pieces.append(piece)
            most -= len(piece)
        return b"".join(pieces)


def is_lines(head: bytes, name: str) -> bool:
    """Whether a file is JSON Lines: an object on its first line, and more below, or a name that says so."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    first, newline, rest = start.partition(b"\n")
    if not start.startswith(b"{") or not (newline or name.lower().endswith((".jsonl", ".ndjson"))):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return bool(rest.strip()) or name.lower().endswith((".jsonl", ".ndjson"))


def lines(read: Read, name: str) -> Iterator[tuple[int, bytes]]:
    """The lines that hold anything, with their numbers from 1; without a byte order mark, and without newlines.

    Raises:
        Broken: a line is too long.
    """
    number, held = 0, [b""]
    size = 0
    while piece := read(CHUNK):
        if number == 0 and size == 0:
            piece = piece.removeprefix(codecs.BOM_UTF8)
        *whole, rest = piece.split(b"\n")
        for end in whole:
            number += 1
            line = b"".join([*held, end])
            held, size = [], 0
            if line.strip():
                yield number, line
        held.append(rest)
        size += len(rest)
        if size > LARGEST:
            raise Broken(f"{name}: line {number + 1} is too long to be read: more than {LARGEST >> 20} MB.")
    if (line := b"".join(held)).strip():
        yield number + 1, line


def loads(line: bytes, name: str) -> Any:
    """The value of one line.

    Raises:
        Broken: it is not JSON.
    """
    try:
        text = line.decode("utf-8")
        if _has_too_many_parts(text):
            raise Broken(f"{name} is too large to be read: it has too many parts.")
        value = json.loads(text)
        return _without_halves(value) if "\\ud" in text or "\\uD" in text else value
    except UnicodeDecodeError as error:
        raise Broken(f"{name} is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise Broken(f"{name} is not valid JSON: {_why(error)}.") from error


def values(read: Read, name: str, chunk: int = CHUNK) -> Iterator[Any]:
    """The conversations of a JSON file, one by one: the elements of its array, those of `conversations` in its object,
    else the object itself. Several values behind one another are taken as well.

    Args:
        name: of the file, for errors.
        chunk: bytes to read at once.

    Raises:
        Broken: it is not JSON, not UTF-8, or holds a value that is too large.
    """
    text = _Text(read, name, chunk)
    first = text.peek()
    if first == "[":
        yield from _elements(text)
    elif first == "{":
        yield from _object(text)
    elif not first:
        raise Broken(f"{name} is empty.")
    else:
        yield text.value()
    while text.peek():
        yield text.value()


def _elements(text: _Text) -> Iterator[Any]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return


def _object(text: _Text) -> Iterator[Any]:
    """The object member by member: an array of conversations in it may be most of the file."""
    text.take("{")
    members: dict[str, Any] = {}
    streamed = False
    end = text.take("}") if text.peek() == "}" else ""
    while not end:
        if text.peek() != '"':
            raise text.broken("a name in quotation marks is expected")
        key = text.value()
        text.take(":")
        if key == _STREAMED and text.peek() == "[":
            streamed = True
            yield from _elements(text)
        else:
            members[key] = text.value()
        end = text.take(",}").strip(",")
    if not streamed:
        yield members


class _Text:
    """The text of a stream, from where it was last read."""

    def __init__(self, read: Read, name: str, chunk: int) -> None:
        self._read, self._name, self._chunk = read, name, chunk
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at, self._before = "", 0, 0
        self._is_whole = False
        """Nothing more comes."""

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _BLANK.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_whole:
                return ""
            self._more(self._chunk)

    def take(self, wanted: str) -> str:
        """The next character that is not white space, which must be one of these."""
        found = self.peek()
        if not found or found not in wanted:
            raise self.broken(f"{' or '.join(wanted)} is expected")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value."""
        self.peek()
        while True:
            if _has_too_many_parts(self._text):
                raise Broken(f"{self._name} holds a conversation that is too large to be read: it has too many parts.")
            try:
                value, end = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_whole or not _breaks_off(error, len(self._text)):
                    raise self.broken(_why(error), error.pos) from None
            except (ValueError, RecursionError) as error:
                raise self.broken(_why(error)) from None
            else:
                # A number that stands near the end may go on.
                near = _NEAR if isinstance(value, int | float) else 0
                if end + near < len(self._text) or self._is_whole:
                    begin, self._at = self._at, end
                    return self._repaired(value, begin)
            length = len(self._text) - self._at
            if length > LARGEST:
                raise Broken(
                    f"{self._name} holds a conversation that is too large to be read: more than {LARGEST >> 20} MB."
                )
            self._more(max(self._chunk, length))

    def broken(self, why: str, position: int | None = None) -> Broken:
        """The error for what stands here."""
        position = self._at if position is None else position
        if self._is_whole and not self._text[position:].strip():
            why = "it ends in the middle"
        return Broken(f"{self._name} is not valid JSON: {why} (character {self._before + position + 1:,}).")

    def _repaired(self, value: Any, begin: int) -> Any:
        if self._text.find("\\ud", begin, self._at) < 0 and self._text.find("\\uD", begin, self._at) < 0:
            return value
        try:
            return _without_halves(value)
        except RecursionError as error:
            raise self.broken(_why(error), begin) from None

    def _more(self, size: int) -> None:
        """Let go of what was read, and read about `size` bytes."""
        pieces = [self._text[self._at :]]
        self._before += self._at
        self._text, self._at = "", 0
        while size > 0 and not self._is_whole:
            data = self._read(min(size, self._chunk))
            self._is_whole = not data
            size -= len(data)
            try:
                pieces.append(self._decode(data, not data))
            except UnicodeDecodeError as error:
                raise Broken(f"{self._name} is not UTF-8 text: {error.reason}.") from None
        self._text = "".join(pieces)


def _without_halves(value: Any) -> Any:
    """A decoded value without halves of surrogate pairs, which no file of ours can hold."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(item) for key, item in value.items()}
    return value


def _has_too_many_parts(text: str) -> bool:
    """Whether a text would take far more memory than its own length once it is read."""
    return len(text) > LARGE and sum(map(text.count, "[{,")) > MOST_PARTS


def _breaks_off(error: json.JSONDecodeError, length: int) -> bool:
    """Whether more text could mend it."""
    return error.msg.startswith("Unterminated string") or error.pos >= length - _NEAR


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return one_line(error.msg[:1].lower() + error.msg[1:])
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it holds a number that is too long"
