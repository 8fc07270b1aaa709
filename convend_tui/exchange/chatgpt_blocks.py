"""What the nodes of ChatGPT's data export say: messages as content blocks, and an account of what stays behind."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from convend_tui.exchange.incoming import MISSING, TOOL, Context, Skip
from convend_tui.plain import one_line
from convend_tui.store.blobs import ATTACHMENTS
from convend_tui.thread import records as r

_CONTEXTS = ("user_editable_context", "model_editable_context")
_TEXTS = ("text", "multimodal_text", None)
_TEXT_PARTS = ("text", "audio_transcription", None)
_POINTERS = ("audio_asset_pointer", "video_container_asset_pointer", "frames_asset_pointers")
"""Where a part of a spoken message names its recordings."""
_NOT_WORDS = ("content_type", "language", "response_format_name")
_BROKEN_OFF = ("in_progress", "finished_partial_completion", "error", "failed", "cancelled")
_LATEST = 4_102_444_800
"""Seconds since 1970 from which on (2100) a time is taken for damage."""
_DEEPEST = 60
"""How deep a block that is kept verbatim may be nested; JSON's writers have their limits."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE_MARK = re.compile("\ue200([^\ue200\ue201]{0,4000})\ue201")
"""What stands in a text for a source: a kind and its payload between two private characters."""
_MARK = re.compile(f"{_WHOLE_MARK.pattern}|[\ue200-\ue2ff]")
"""The same, and what is left of a broken one. What a person typed may hold such characters for symbols of a font."""
_ENTITY = re.compile(r'\[\s*"(?:[^"\\]|\\.)*"\s*,\s*("(?:[^"\\]|\\.)*")')

_SYSTEM = "instructions to the model, which ChatGPT does not show"
_CUSTOM = "custom instructions, which belong to the account"
_UNSEEN = "ChatGPT does not show them"
_MARKS = "they point to sources, and have no words"
_DEEP = "nested too deeply to be kept"


@dataclass(slots=True)
class Part:
    """A node that comes in."""

    key: str
    parent: str | None
    """The nearest node above it that comes in."""
    role: r.Role
    blocks: list[r.Block]
    time: int | None
    """ms since 1970."""
    model: str | None
    kind: str
    stop_reason: str | None
    children: int = 0

    @property
    def leads_on(self) -> bool:
        """Whether it is nothing but thinking and tools."""
        return self.role == "assistant" and all(b["type"] in ("thinking", TOOL, MISSING) for b in self.blocks)


class Reader:
    """Reads the nodes of one conversation, and keeps account of what does not come along."""

    def __init__(self, context: Context, name: str) -> None:
        self.above: dict[str, str | None] = {}
        """For each node that was read: itself, or the nearest one above it that comes in."""
        self._context = context
        self._name = name
        self._hidden: Counter[str] = Counter()
        self._marks = 0
        self._deep = 0
        self._attachments: list[Skip] = []

    def parts(self, nodes: dict[str, Any], order: Iterable[tuple[str, str | None]]) -> list[Part]:
        """The nodes that come in, in the order given.

        Args:
            order: all nodes with their parents, parents first.

        Raises:
            StoreError: an attachment cannot be kept.
        """
        found: dict[str, Part] = {}
        for key, parent in order:
            over = self.above[parent] if parent is not None else None
            part = self._part(key, over, nodes[key])
            self.above[key] = key if part else over
            if part:
                found[key] = part
                if over is not None:
                    found[over].children += 1
        return list(found.values())

    def skips(self) -> Iterator[Skip]:
        """What did not come along."""
        counted = [(count, "message", why) for why, count in self._hidden.items()]
        counted += [(self._marks, "citation mark", _MARKS), (self._deep, "part", _DEEP)]
        for count, what, why in counted:
            if count:
                yield Skip(f"{count:,} {what}{'s' * (count > 1)} of {self._name}", why)
        yield from self._attachments

    def _part(self, key: str, parent: str | None, node: Any) -> Part | None:
        message = dict_in(dict_in(node).get("message"))
        author, metadata = dict_in(message.get("author")), dict_in(message.get("metadata"))
        content = message.get("content")
        if isinstance(content, str):
            content = {"content_type": "text", "parts": [content]}
        elif not isinstance(content, dict):
            content = {"parts": content}
        role, recipient = author.get("role"), message.get("recipient")
        if why := _why_hidden(role, content, metadata):
            self._hidden[why] += _says(content) or bool(metadata.get("attachments"))
            return None
        if role == "user" or (role == "assistant" and recipient in (None, "", "all")):
            blocks = self._blocks(content, metadata, own=role == "user")
        else:
            name = recipient if role == "assistant" else author.get("name") or role
            blocks = [self._tool(name, content)] if _says(content) else []
            blocks += self._assets(list_in(content.get("parts")), metadata, own=False)
        if not blocks:
            return None
        time = ms_of(message.get("create_time"))
        if role == "user":
            return Part(key, parent, "user", blocks, time, None, "typed", None)
        model = clean(text_in(metadata.get("model_slug"))) or None
        return Part(key, parent, "assistant", blocks, time, model, *_outcome(message, metadata))

    def _blocks(self, content: dict[str, Any], metadata: dict[str, Any], *, own: bool) -> list[r.Block]:
        kind, text = content.get("content_type"), content.get("text")
        parts = content.get("parts")
        if isinstance(parts, str) or (not parts and isinstance(text, str)):
            parts = [parts or text]
        blocks: list[r.Block] = []
        if kind == "code" and isinstance(text, str):
            blocks = self._text(_fenced(text, content.get("language"))) if text.strip() else []
        elif kind == "thoughts" or kind == "reasoning_recap":
            blocks = self._thinking(content)
        elif kind in _TEXTS and isinstance(parts, list):
            return self._of_parts(parts, metadata, own=own)
        elif _says(content):
            blocks = [self._tool(kind, content)]
        return blocks + self._assets(list_in(parts), metadata, own=own)

    def _of_parts(self, parts: list[Any], metadata: dict[str, Any], *, own: bool) -> list[r.Block]:
        blocks: list[r.Block] = []
        known: set[str] = set()
        names = _names(metadata) if metadata.get("attachments") else {}
        for part in parts:
            kind = part.get("content_type") if isinstance(part, dict) else None
            words = part.get("text") if isinstance(part, dict) and kind in _TEXT_PARTS else part
            if isinstance(words, str):
                blocks += self._text(words, _WHOLE_MARK if own else _MARK)
            elif pointers := list(_pointers(part)):
                blocks += chain.from_iterable(self._asset(p, names, known, own=own) for p in pointers)
            elif _says(part):
                blocks.append(self._tool(kind or "part", part))
        for asset in names:
            blocks += self._asset(asset, names, known, own=own)
        return blocks + self._nameless(metadata) if metadata.get("attachments") else blocks

    def _assets(self, parts: list[Any], metadata: dict[str, Any], *, own: bool) -> list[r.Block]:
        """The files that a message names, without its words."""
        pointing = [part for part in parts if any(True for _ in _pointers(part))]
        return self._of_parts(pointing, metadata, own=own)

    def _asset(self, asset: str, names: dict[str, str], known: set[str], *, own: bool) -> list[r.Block]:
        if asset in known:
            return []
        known.add(asset)
        found = self._context.asset(asset) if len(asset) > 4 else None
        name = names.get(asset) or (found[0] if found else asset)
        block = self._context.attach(name, found[1]) if found else None
        if block is None:
            why = "it is of a kind or size that cannot be attached" if found else "the export does not hold it"
            return [self._missing(name, why)]
        # Only what the person sends may hold files.
        return [block] if own else [{"type": TOOL, "name": name, "block": block}]

    def _nameless(self, metadata: dict[str, Any]) -> list[r.Block]:
        """Attachments that have no id to be found by."""
        listed = (dict_in(a) for a in list_in(metadata.get("attachments")))
        names = (clean(text_in(a.get("name"))) for a in listed if not text_in(a.get("id")))
        return [self._missing(name, "the export does not hold it") for name in names if name]

    def _missing(self, name: str, why: str) -> r.Block:
        self._attachments.append(Skip(f"attachment {one_line(name, 80)} of {self._name}", why))
        return {"type": MISSING, "name": name}

    def _thinking(self, content: dict[str, Any]) -> list[r.Block]:
        given = content.get("thoughts") if content.get("content_type") == "thoughts" else content.get("content")
        blocks: list[r.Block] = []
        for thought in given if isinstance(given, list) else [given]:
            said = [thought.get("summary"), thought.get("content")] if isinstance(thought, dict) else [thought]
            words = self._words("\n\n".join(text for text in said if isinstance(text, str) and text.strip()))
            if words.strip():
                blocks.append({"type": "thinking", "thinking": words})
            elif _says(thought):
                blocks.append(self._tool(content.get("content_type"), thought))
        return blocks or ([self._tool(content.get("content_type"), content)] if _says(content) else [])

    def _text(self, words: str, marks: re.Pattern[str] = _MARK) -> list[r.Block]:
        words = self._words(words, marks)
        return [{"type": "text", "text": words}] if words.strip() else []

    def _words(self, text: str, marks: re.Pattern[str] = _MARK) -> str:
        """A text without what stands for its sources."""
        return text if text.isascii() else marks.sub(self._mark, clean(text))

    def _mark(self, found: re.Match[str]) -> str:
        kind, _, rest = (found[1] or "").partition("\ue202")
        if kind == "entity":  # a name, with what it is the name of
            return _named(rest)
        if kind == "url":
            words, _, link = rest.partition("\ue202")
            return f"[{words}]({link})" if link else words
        self._marks += 1
        return ""

    def _tool(self, name: Any, block: Any) -> r.Block:
        plain = self._plain(block)
        named = clean(name) if isinstance(name, str) and name else "unknown"
        # What looks like an attachment of ours must not be taken for one.
        verbatim = isinstance(plain, dict) and plain.get("type") not in ATTACHMENTS
        return {"type": TOOL, "name": named, "block": plain if verbatim else {"value": plain}}

    def _plain(self, value: Any, depth: int = 0) -> Any:
        """A value as it is, as far as it can be written."""
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if not isinstance(value, (dict, list)):
            return value
        if depth == _DEEPEST:
            self._deep += 1
            return None
        if isinstance(value, list):
            return [self._plain(item, depth + 1) for item in value]
        return {clean(str(name)): self._plain(item, depth + 1) for name, item in value.items()}


def _why_hidden(role: Any, content: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    if content.get("content_type") in _CONTEXTS:
        return _CUSTOM
    if role in ("system", "root"):
        return _SYSTEM
    return _UNSEEN if metadata.get("is_visually_hidden_from_conversation") else None


def _outcome(message: dict[str, Any], metadata: dict[str, Any]) -> tuple[str, str | None]:
    """Kind and stop reason of an answer."""
    finish = dict_in(metadata.get("finish_details")).get("type")
    if finish == "max_tokens":
        return "reply", "max_tokens"
    if finish == "interrupted" or message.get("status") in _BROKEN_OFF or metadata.get("is_complete") is False:
        return "partial", None
    return "reply", "end_turn" if finish == "stop" or message.get("end_turn") is True else None


def _pointers(part: Any) -> Iterator[str]:
    """The ids of the files that a part of a message names."""
    if not isinstance(part, dict):
        return
    if isinstance(pointer := part.get("asset_pointer"), str):
        # Such as file-service://file-…, sediment://file_…, sediment://…#file_…#p_1.png
        yield clean(re.split("[#?]", pointer.rpartition("://")[2])[0].rpartition("/")[2])
        return
    for name in _POINTERS:
        nested = part.get(name)
        for item in nested if isinstance(nested, list) else [nested]:
            pointer = item.get("asset_pointer") if isinstance(item, dict) else item
            if isinstance(pointer, str):
                yield from _pointers({"asset_pointer": pointer})


def _names(metadata: dict[str, Any]) -> dict[str, str]:
    """Names of a message's attachments by their ids."""
    listed = (dict_in(attachment) for attachment in list_in(metadata.get("attachments")))
    return {clean(text_in(a["id"])): clean(text_in(a.get("name"))) for a in listed if text_in(a.get("id"))}


def _named(payload: str) -> str:
    """The name in an entity mark: `["people","Ada Lovelace",…]`."""
    found = _ENTITY.match(payload)
    if found is None:
        return payload
    try:
        return msgspec.json.decode(found[1], type=str)
    except msgspec.DecodeError:
        return found[1].strip('"')


def _fenced(code: str, language: Any) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    named = language if isinstance(language, str) and re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
    return f"{fence}{'' if named == 'unknown' else named}\n{code}\n{fence}"


def _says(value: Any) -> bool:
    """Whether there are words anywhere in a value."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            if item.strip():
                return True
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            todo.extend(inner for name, inner in item.items() if name not in _NOT_WORDS)
    return False


def ms_of(seconds: Any) -> int | None:
    """Epoch seconds in ms; None for what is no time of this age."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < _LATEST:
        return None
    return round(seconds * 1000)


def clean(text: str) -> str:
    """A text that is valid Unicode."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text_in(value: Any) -> str:
    """The value where it is a text, else none."""
    return value if isinstance(value, str) else ""


def dict_in(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_in(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []
