"""Server-sent events out of the bytes of a stream, however they are cut: single bytes, huge ones, half characters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_EVENT = 32 * 1024 * 1024
"""Bytes of one event. No answer needs more; an endless line would fill the memory."""
MAX_ANSWER = 128 * 1024 * 1024
"""Bytes of all events: more than a million of a word each. No model writes as much; an endless answer would fill the
memory."""

KNOWN = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    )
)
"""Events without which an answer would not be whole. What is wrong with others does not matter."""


class NotAnEvent(ValueError):
    """The stream holds something that is no event of the Messages API; the message says what, in half a sentence."""


@dataclass(slots=True)
class EventReader:
    """Reads the bytes of one stream, in the pieces in which they come."""

    taken: int = 0
    """Events and comments so far: the server is alive as long as this grows."""
    _line: bytearray | None = None
    _data: list[bytes] = field(default_factory=list)
    _size: int = 0
    _all: int = 0
    """Bytes of all data."""
    _name: str = ""
    _after_cr: bool = False

    def feed(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """The events that are complete with this piece, one by one: those before a broken one count.

        Pings, and unknown events that are no JSON, are left out.

        Raises:
            NotAnEvent: an event is broken, or too large, or all of them are.
        """
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._after_cr = piece.endswith(b"\r")
        for line in piece.splitlines(keepends=True):
            content = line.rstrip(b"\r\n")
            if self._line is not None:
                self._line += content
            self._size += len(content)
            if self._size > MAX_EVENT:
                raise NotAnEvent(f"an event of more than {MAX_EVENT // 2**20} MB")
            if len(content) == len(line):  # its end is still to come
                self._line = bytearray(content) if self._line is None else self._line
                continue
            whole, self._line = bytes(self._line if self._line is not None else content), None
            if (event := self._take(whole)) is not None:
                yield event

    def _take(self, line: bytes) -> dict[str, Any] | None:
        """One line; the event that it completes, if it does."""
        if not line:
            name, data = self._name, b"\n".join(self._data)
            self._name, self._data, self._size = "", [], 0
            self.taken += 1
            return _event(name, data) if data else None
        kind, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not kind:
            self._size = self._size if self._data else 0
            self.taken += 1
        elif kind == b"event":
            self._name = value.decode("utf-8", "replace")
        elif kind == b"data":
            self._all += len(value)
            if self._all > MAX_ANSWER:
                raise NotAnEvent(f"more than {MAX_ANSWER // 2**20} MB")
            self._data.append(value)
        return None


def _event(name: str, data: bytes) -> dict[str, Any] | None:
    needed = not name or name in KNOWN
    if name == "ping" or data.strip() == b"[DONE]":
        return None
    try:
        # What is not UTF-8 costs a character, not the answer. Unlike msgspec, this takes half a surrogate pair, which
        # has its other half in the next event.
        value = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        if needed:
            raise NotAnEvent("an event that is not JSON") from None
        return None
    if not isinstance(value, dict):
        if needed:
            raise NotAnEvent("an event that is not a JSON object")
        return None
    if name == "error" and value.get("type") != "error":
        return {"type": "error", "error": value}  # without an envelope, as llama.cpp sends it
    if not isinstance(value.get("type"), str):
        value["type"] = name or "unknown"
    return None if value["type"] == "ping" else value
