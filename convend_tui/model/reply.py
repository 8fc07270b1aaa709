"""Builds a reply out of the events of a stream.

Blocks are tracked by their index: servers overlap them, leave out `message_start`, and send event, block and delta
types that this version does not know. Whatever is not understood is kept verbatim where it has a place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from convend_tui.model.events import TextDelta, ThinkingDelta
from convend_tui.thread.records import DEEPEST, Block, is_deep

CHUNK_MS = 50
"""Timing is kept as at most one pair per so many milliseconds."""
_DEEPEST = DEEPEST // 2
"""Of what a server sends: a record is a few levels more."""


@dataclass(slots=True)
class ReplyBuilder:
    """One reply as it grows. Times are milliseconds since the request left."""

    model: str | None = None
    stop_reason: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    """`message_stop` was seen."""
    events: int = 0
    _blocks: dict[int, Block] = field(default_factory=dict)
    _highest: int = -1
    """Index of a block; -1: there is none."""
    _pieces: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    _chunks: list[list[int]] = field(default_factory=list)
    arrived: bool = False
    """Anything worth keeping has arrived."""

    def feed(self, event: dict[str, Any], ms: int) -> TextDelta | ThinkingDelta | None:
        """Take one event in. Returns what a person can see of it, if anything."""
        self.events += 1
        match event.get("type"):
            case "message_start":
                message = _dict(event.get("message"))
                self.model = _text(message.get("model")) or self.model
                self._count(message.get("usage"))
            case "content_block_start":
                block = event.get("content_block")
                if isinstance(block, dict):
                    return self._start(self._index(event, new=True), block, ms)
            case "content_block_delta":
                delta = event.get("delta")
                if isinstance(delta, dict):
                    return self._delta(self._index(event), delta, ms)
            case "message_delta":
                delta = _dict(event.get("delta"))
                self.stop_reason = _text(delta.get("stop_reason")) or self.stop_reason
                self.stop_details = _sound(_dict(delta.get("stop_details"))) or self.stop_details
                self._count(event.get("usage"))
            case "message_stop":
                self.complete = True
        return None

    def content(self) -> list[Block]:
        """The blocks so far, in order of their index. A tool call whose input is not whole has its text in
        `partial_input` and an empty `input`."""
        found = (block for index in sorted(self._blocks) for block in (self._finished(index), *self._strays(index)))
        return [_sound(block) for block in found]

    def timing(self, total_ms: int) -> dict[str, Any]:
        """The record's `timing`."""
        first = self._chunks[0][0] if self._chunks else None
        return {"first_ms": first, "total_ms": total_ms, "chunks": [list(pair) for pair in self._chunks]}

    def _index(self, event: dict[str, Any], *, new: bool = False) -> int:
        index = event.get("index")
        if not isinstance(index, int):
            index = self._highest + 1 if new else max(self._highest, 0)
        self._highest = max(self._highest, index)
        return index

    def _start(self, index: int, block: Block, ms: int) -> TextDelta | ThinkingDelta | None:
        if not isinstance(block.get("type"), str):
            # Whoever reads the record relies on a type that is text. No server wants such a block back.
            block = {**block, "type": _text(block.get("type")) or "unknown", "unknown_deltas": []}
        source = block.get("source")
        if isinstance(source, dict) and source.get("type") == "blob":
            # That is a file of this folder, which no server has any business to name.
            block = {**block, "source": {**source, "type": "blob of the server"}}
        self._blocks[index] = dict(block)
        for name, event in (("text", TextDelta), ("thinking", ThinkingDelta)):
            if block.get("type") == name and isinstance(text := block.get(name), str) and text:
                return self._grow(index, name, text, ms, event)
        return None

    def _delta(self, index: int, delta: dict[str, Any], ms: int) -> TextDelta | ThinkingDelta | None:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                self._blocks.setdefault(index, {"type": "text"})
                return self._grow(index, "text", text, ms, TextDelta)
            case {"type": "thinking_delta", "thinking": str(text)}:
                self._blocks.setdefault(index, {"type": "thinking"})
                return self._grow(index, "thinking", text, ms, ThinkingDelta)
            case {"type": "signature_delta", "signature": str(text)}:
                self._blocks.setdefault(index, {"type": "thinking"})
                self._blocks[index]["signature"] = text
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._blocks.setdefault(index, {"type": "tool_use"})
                self._pieces.setdefault((index, "input"), []).append(text)
                self.arrived = self.arrived or bool(text)
            case {"type": "citations_delta", "citation": citation}:
                _add(self._blocks.setdefault(index, {"type": "text"}), "citations", citation)
            case _:
                # A delta of a later API version: kept, so that the record has all that was sent.
                _add(self._blocks.setdefault(index, {"type": "unknown"}), "unknown_deltas", delta)
        return None

    def _grow(
        self, index: int, name: str, text: str, ms: int, event: type[TextDelta] | type[ThinkingDelta]
    ) -> TextDelta | ThinkingDelta | None:
        if not text:
            return None
        self.arrived = True
        self._pieces.setdefault((index, name), []).append(text)
        if self._chunks and ms - self._chunks[-1][0] < CHUNK_MS:
            self._chunks[-1][1] += len(text)
        else:
            self._chunks.append([ms, len(text)])
        return event(text)

    def _finished(self, index: int) -> Block:
        block = dict(self._blocks[index])
        kind = block.get("type")
        if kind in ("text", "thinking"):
            block[kind] = self._joined(index, kind)
        elif (index, "input") in self._pieces:
            text = _sound(self._joined(index, "input"))
            try:
                block["input"] = given = msgspec.json.decode(text) if text.strip() else {}
            except (msgspec.DecodeError, RecursionError):
                block |= {"input": {}, "partial_input": text}
            else:
                if is_deep(given, _DEEPEST):  # it would be lost in part, or not be read again
                    block |= {"input": {}, "partial_input": text}
        elif kind == "tool_use":
            block.setdefault("input", {})
        return block

    def _strays(self, index: int) -> list[Block]:
        """Words that came for a block of another type (a server that gives two blocks one index): they were shown."""
        kind = self._blocks[index].get("type")
        found = ((name, self._joined(index, name)) for name in ("thinking", "text") if name != kind)
        return [{"type": name, name: words} for name, words in found if words]

    def _joined(self, index: int, name: str) -> str:
        pieces = self._pieces.get((index, name), [])
        if len(pieces) > 1:
            pieces[:] = ["".join(pieces)]
        return pieces[0] if pieces else ""

    def _count(self, usage: object) -> None:
        # Cumulative by the API's rules: later figures replace earlier ones; absent ones stay.
        if isinstance(usage, dict):
            self.usage |= {name: value for name, value in _sound(usage).items() if value is not None}


def _text(value: object) -> str | None:
    """A value that the record has as text: a server that sends another kind must not make a line nobody can read."""
    return None if value is None else str(_sound(value if isinstance(value, str) else repr(value)))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _add(block: Block, name: str, item: object) -> None:
    """Put an item at the end of a list in a block, without a copy: there may be a million of them."""
    if not isinstance(block.get(name), list):
        block[name] = []
    block[name].append(item)


def _sound(value: Any, left: int = _DEEPEST) -> Any:
    """A value that can be written: half characters (a server cut an emoji between two events) are put together,
    and replaced where their other half is missing. What lies deeper than any server has reason to send is left out."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case float() if not math.isfinite(value):
            return None  # JSON has no such number
        case dict() | list() if not left:
            return "(nested too deeply)"
        case dict():
            return {_sound(name): _sound(inner, left - 1) for name, inner in value.items()}
        case list():
            return [_sound(inner, left - 1) for inner in value]
    return value
