"""What Claude.ai and Claude Code have in common: content blocks, and values as our files can hold them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from convend_tui.exchange.incoming import MISSING, TOOL, Context, Skip
from convend_tui.plain import one_line
from convend_tui.thread import records as r

_NOTHING_TO_READ: Final = frozenset({"token_budget", "flag"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LAST_YEAR: Final = 2200
_DEEPEST: Final = 60
"""Levels of a verbatim block that are kept: far fewer than JSON readers can take."""
_LONGEST_NAME: Final = 200
_MOST_BITS: Final = 63


class Losses:
    """What did not come in, named once for each kind of it."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, what: str, why: str) -> None:
        """One more of a kind; `what` in the singular."""
        self._counts[what, why] = self._counts.get((what, why), 0) + 1

    def all(self, called: str) -> tuple[Skip, ...]:
        """All of it. `called`: the conversation."""
        return tuple(
            Skip(f"{what} of {called}" if many == 1 else f"{many} {what}s of {called}", why)
            for (what, why), many in self._counts.items()
        )


class Blocks:
    """Turns content blocks of Claude's into ours."""

    def __init__(self, context: Context, losses: Losses) -> None:
        self._context = context
        self._losses = losses
        self._calls: dict[str, str] = {}
        """The name of the tool by the id of its call."""

    def read(self, content: object, role: r.Role) -> list[r.Block]:
        """The blocks of a message: its words and thinking as they are, everything else in a TOOL block."""
        if not isinstance(content, list):
            if content is not None:
                self._losses.count("message content", "it has not the form of one")
            return []
        found: list[r.Block] = []
        for block in content:
            if isinstance(block, str):
                block = {"type": "text", "text": block}
            kind = block.get("type") if isinstance(block, dict) else None
            if not isinstance(kind, str):
                self._losses.count("content block", "it has not the form of one")
            elif kind == "text" and isinstance(text := block.get("text"), str):
                if text.strip():
                    found.append({"type": "text", "text": clean(text)})
                if block.get("citations"):
                    self._losses.count("citation list", "sources of citations are not kept")
            elif kind == "thinking":
                found += self._thinking(block)
            elif kind in _NOTHING_TO_READ:
                self._losses.count(f"{kind} block", "it holds nothing to read")
            elif kind in ("image", "document") and isinstance(block.get("source"), dict):
                found.append(self._inline(block, block["source"], role))
            else:
                found.append(self._of_tool(block, kind))
        return found

    def uploads(self, message: dict[str, Any], role: r.Role) -> Iterator[r.Block]:
        """The attachments of a message: those whose text the export holds, and files, which it may hold or not."""
        ids: set[str] = set()
        names: set[str] = set()
        loose: set[str] = set()
        """Names of what came without an id: a file of the same name with one is the same."""
        for one in dicts(message.get("attachments")):
            name, text = name_of(one.get("file_name")), one.get("extracted_content")
            loose |= {name} - {""}
            if isinstance(text, str) and text.strip():
                yield self._kept(name or "pasted text.txt", text.encode("utf-8", "replace"), role, of_text=True)
            else:
                yield self._file(one, name, role)
        for one in (*dicts(message.get("files")), *dicts(message.get("files_v2"))):
            name, uuid = name_of(one.get("file_name")), name_of(one.get("file_uuid"))
            # `files_v2` has the same files again, and an upload may stand among the attachments too.
            if name in loose or (uuid in ids if uuid else name in names):
                continue
            ids |= {uuid} - {""}
            names |= {name} - {""}
            loose |= set() if uuid else {name} - {""}
            yield self._file(one, name, role)

    def _file(self, one: dict[str, Any], name: str, role: r.Role) -> r.Block:
        keys = (one.get("file_uuid"), one.get("uuid"), one.get("id"), one.get("file_name"))
        found = (self._context.asset(key) for key in keys if isinstance(key, str) and key.strip())
        asset = next((asset for asset in found if asset is not None), None)
        if asset is None:
            return self._missing(name or "a file without a name", "its content is not in the export")
        return self._kept(name or name_of(asset[0]) or "a file", asset[1], role)

    def _inline(self, block: r.Block, source: dict[str, Any], role: r.Role) -> r.Block:
        """An attachment whose bytes stand in the block."""
        kind, media, data = source.get("type"), source.get("media_type"), source.get("data")
        ending = media.rpartition("/")[2] if isinstance(media, str) and media != "text/plain" else "txt"
        name = name_of(block.get("title")) or f"{block['type']}.{name_of(ending)}"
        if kind == "text" and isinstance(data, str):
            return self._kept(name, data.encode("utf-8", "replace"), role, of_text=True)
        try:
            found = base64.b64decode(data) if kind == "base64" and isinstance(data, str) else b""
        except (binascii.Error, ValueError):
            found = b""
        return self._kept(name, found, role) if found else self._missing(name, "its content is not in the export")

    def _kept(self, name: str, data: bytes, role: r.Role, *, of_text: bool = False) -> r.Block:
        block = self._context.attach(name, data)
        if block is None and of_text:
            # What was read out of a PDF is no PDF, whatever its name says.
            block = self._context.attach(f"{name}.txt", data)
        if block is None:
            return self._missing(name, "it is of a kind or size that cannot be attached")
        # The API takes no attachments from the model.
        return block if role == "user" else {"type": TOOL, "name": name, "block": block}

    def _missing(self, name: str, why: str) -> r.Block:
        self._losses.count(f"attachment “{name}”", why)
        return {"type": MISSING, "name": name}

    def _thinking(self, block: r.Block) -> list[r.Block]:
        words = block.get("thinking")
        if not isinstance(words, str) or not words.strip():
            summaries = (one.get("summary") for one in dicts(block.get("summaries")))
            words = "\n\n".join(one for one in summaries if isinstance(one, str))
        if words.strip():
            return [{"type": "thinking", "thinking": clean(words)}]
        self._losses.count("thinking block", "it is empty")
        return []

    def _of_tool(self, block: r.Block, kind: str) -> r.Block:
        call, name = block.get("id"), name_of(block.get("name"))
        if kind.endswith("tool_use") and isinstance(call, str) and name:
            self._calls[call] = name
        answered = block.get("tool_use_id")
        return tool_block(block, name or self._calls.get(answered if isinstance(answered, str) else "", ""))


def tool_block(block: r.Block, name: str = "") -> r.Block:
    """The block that stands for a tool call, a result, or anything else that is shown by name and never sent."""
    return {"type": TOOL, "name": name or name_of(block.get("type")) or "tool", "block": safe(block)}


# Values as our files can hold them


def clean(text: str) -> str:
    """A text without halves of surrogate pairs, which no UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def name_of(value: object) -> str:
    """A name or title on one line; empty where it is none."""
    return one_line(clean(value))[:_LONGEST_NAME] if isinstance(value, str) else ""


def safe(value: Any, depth: int = 0) -> Any:
    """A decoded JSON value as our files can hold it: no broken characters, no endless nesting, no number too large."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else str(hex(value))
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {clean(str(name)): safe(part, depth + 1) for name, part in value.items()}
    return [safe(part, depth + 1) for part in value] if isinstance(value, list | tuple) else clean(str(value))


def ms_of(value: object) -> int | None:
    """A time as ms since 1970, UTC; None where it is none, or one that no message can have."""
    moment = r.moment_of(value) if isinstance(value, str) and value.isascii() else None
    if moment is None or not _EPOCH.year < moment.year < _LAST_YEAR:
        return None
    return (moment - _EPOCH) // _MS


def stamp(ms: int) -> str:
    """ms since 1970 as records have times."""
    return r.timestamp(_EPOCH + ms * _MS)


def dicts(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list; nothing where it is none."""
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())
