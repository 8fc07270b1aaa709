"""A path of a thread -> a valid, cache-friendly Messages request. Pure, but for `load_blob`.

What goes out is a function of the path and the settings alone, so that every branch repeats the bytes of its shared
prefix: the prompt cache and the thinking blocks of the newest models are bound to them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from convend_tui.ending import tool
from convend_tui.errors import RuleError
from convend_tui.model.endpoint import Abilities
from convend_tui.store import blobs
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

THINKING = ("thinking", "redacted_thinking")
CALLS = ("tool_use", "tool_result")
_PORTABLE = ("text", "image", "document", *CALLS)
"""Blocks that any server understands. Others go back to the one that made them, under the same settings."""
_OWN_FIELDS = {"partial_input", "unknown_deltas"}
"""What ReplyBuilder adds to a block; no server knows it."""
_MISPLACED = {"assistant": ("image", "document", "tool_result"), "user": ("tool_use", *THINKING)}
"""Blocks that the API takes in messages of the other role only; imports, odd servers and damaged files have them."""
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
"""What may not stand in the name and the id of a call."""
_LONGEST_NAME = 64
_OPENING = "(The conversation begins with a message of the assistant's.)"
_INTERRUPTED = "This call was interrupted before it could be looked at. Nothing was done."


def build(
    thread: Thread,
    leaf: str,
    *,
    load_blob: Callable[[str], bytes],
    abilities: Abilities,
    allow_calls: bool = True,
    send_thinking: bool = True,
) -> dict[str, Any]:
    """The body of a streaming Messages request for the branch that ends in `leaf`.

    Args:
        load_blob: an attachment's bytes by its SHA-256; raises StoreError.
        allow_calls: False: `tool_choice` is `none`, for the rest of a turn with too many declined calls.
        send_thinking: False: no thinking goes back at all; the remedy where the server finds it bound to another
            conversation.

    Raises:
        RuleError: the thread's tool version is unknown, or an attachment cannot go to this server.
        StoreError: an attachment is missing.
    """
    settings = thread.settings
    body: dict[str, Any] = {
        "model": settings.model,
        "max_tokens": abilities.max_tokens,
        "cache_control": {"type": "ephemeral"},
        "messages": _messages(thread, leaf, load_blob, abilities, send_thinking),
    }
    system = system_prompt(settings)
    if system:
        body["system"] = system
    if settings.ending:
        body["tools"] = [tool.definition(settings.tool_version)]
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True} if allow_calls else {"type": "none"}
    if settings.thinking == "adaptive":
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
    elif settings.thinking == "off":
        body["thinking"] = {"type": "disabled"}
    if settings.effort != "auto":
        body["output_config"] = {"effort": settings.effort}
    return body


def system_prompt(settings: r.Settings) -> str:
    """The person's system prompt and, with ending on, the part about the tool. The same for every request.

    Raises:
        RuleError: the thread was begun with a wording that this version does not have.
    """
    parts = [settings.system] if settings.system.strip() else []
    if settings.ending:
        if not tool.known(settings.tool_version):
            raise RuleError(
                f"This thread was begun with version {settings.tool_version} of the ending rules, which this "
                "convend does not have. Update convend to go on in it."
            )
        parts.append(tool.system_part(settings.tool_version))
    return "\n\n".join(parts)


def _messages(
    thread: Thread, leaf: str, load_blob: Callable[[str], bytes], abilities: Abilities, send_thinking: bool
) -> list[dict[str, Any]]:
    path = without_refused(thread.path(leaf))
    wire: list[dict[str, Any]] = []
    for message in path:
        same_settings = (
            message.kind == "reply" and message.origin is None and thread.settings_of(message) == thread.settings
        )
        content = _content(message, load_blob, abilities)
        content = [block for block in content if same_settings or block.get("type") in _PORTABLE]
        if not send_thinking:
            content = [block for block in content if block.get("type") not in THINKING]
        if not thread.settings.ending:
            # Without a tool in the request no call may be in it; some servers see calls in plain text.
            content = [block for block in content if block.get("type") not in CALLS]
        while message.role == "assistant" and content and content[-1].get("type") in THINKING:
            content.pop()  # cut off while it thought: the API refuses a message that ends so
        _add(wire, message.role, content)
    return _paired(wire)


def _add(wire: list[dict[str, Any]], role: str, content: list[r.Block]) -> None:
    """Put content at the end, into the last message where that is of the same role; not between a call and its
    result, though."""
    if not content:
        return
    if wire and wire[-1]["role"] == role and not _calls(wire[-1]):
        wire[-1]["content"] = wire[-1]["content"] + content
    else:
        wire.append({"role": role, "content": content})


def without_refused(path: Sequence[r.Message]) -> list[r.Message]:
    """The path without refused turns: sent again, they would keep refusing."""
    kept: list[r.Message] = []
    for message in path:
        if message.stop_reason != "refusal":
            kept.append(message)
            continue
        while kept:
            if r.is_question(kept.pop()):
                break
    return kept


def require_sendable(content: Sequence[r.Block], abilities: Abilities) -> None:
    """Ask, before a typed message is written, whether its attachments can go to the server.

    Raises:
        RuleError: one cannot; the message names it.
    """
    for block in content:
        source = block.get("source")
        if isinstance(source, dict):
            _require_sendable(block, source, abilities)


def _content(message: r.Message, load_blob: Callable[[str], bytes], abilities: Abilities) -> list[r.Block]:
    if message.kind == "partial":
        return [
            {"type": "text", "text": block["text"].rstrip()}
            for block in message.content
            if block.get("type") == "text" and _says_something(block)
        ]
    blocks: list[r.Block] = []
    for block in message.content:
        kind = block.get("type")
        if kind not in _PORTABLE and "unknown_deltas" in block:
            continue  # it could not be put together whole
        if kind == "text" and not _says_something(block):
            continue  # the API refuses empty text blocks, though some servers send them
        if kind == "tool_use" and not _is_id(block.get("id")):
            continue  # from a damaged file: no result could name it
        if kind in _MISPLACED.get(message.role, ()):
            continue
        if kind == "thinking" and not isinstance(block.get("signature"), str):
            continue  # a server on the way lost the signature, and no other takes it without
        if _OWN_FIELDS & block.keys():
            block = {name: value for name, value in block.items() if name not in _OWN_FIELDS}
        if kind == "tool_use":
            block = _call(block)
        source = block.get("source")
        if isinstance(source, dict) and source.get("type") == "blob":
            block = _attachment(block, load_blob, abilities)
        blocks.append(block)
    return blocks


def _says_something(block: r.Block) -> bool:
    """Whether a text block has text. Files may be damaged: anything may stand there."""
    text = block.get("text")
    return isinstance(text, str) and bool(text.strip())


def _call(block: r.Block) -> r.Block:
    """A call in the form that the API takes back. Models write calls of any form, and other servers let them pass."""
    name, given = block.get("name"), block.get("input")
    whole = name if isinstance(name, str) else ""
    fit = _NOT_OF_A_NAME.sub("_", whole)[:_LONGEST_NAME] or "unnamed"
    return block if fit == name and isinstance(given, dict) else {**block, "name": fit, "input": _object(given)}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _with_ids_apart(wire: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls and results with ids that are valid, and each the only one of the request: some servers number the calls
    of every answer from 1. The same from request to request, as far as the messages are."""
    taken: set[str] = set()
    now: defaultdict[str, list[str]] = defaultdict(list)
    for place, message in enumerate(wire):
        if message["role"] == "assistant":
            now.clear()
        for i, block in enumerate(message["content"]):
            if block.get("type") == "tool_use":
                new = old = block["id"]
                if old in taken or _NOT_OF_A_NAME.search(old):
                    new = f"call_{place}_{i}"
                    while new in taken:
                        new += "_"
                taken.add(new)
                now[old].append(new)
                name = "id"
            elif block.get("type") == "tool_result":
                old, name = block["tool_use_id"], "tool_use_id"
                new = now[old].pop(0)
            else:
                continue
            if new != old:
                message["content"][i] = {**block, name: new}
    return wire


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _attachment(block: r.Block, load_blob: Callable[[str], bytes], abilities: Abilities) -> r.Block:
    source = block["source"]
    _require_sendable(block, source, abilities)
    if block.get("type") == "image" or abilities.documents:
        return blobs.wire(block, load_blob)
    data = blobs.wire(block, load_blob)["source"]["data"]
    return {"type": "text", "text": f"<attachment name={source.get('name', 'a file')!r}>\n{data}\n</attachment>"}


def _require_sendable(block: r.Block, source: dict[str, Any], abilities: Abilities) -> None:
    name = source.get("name", "a file")
    if block.get("type") == "image":
        if not abilities.images:
            raise RuleError(f"This model cannot see images: {name} cannot be sent to it.")
    elif not abilities.documents and source.get("media_type") != "text/plain":
        raise RuleError(f"This model's server reads text only: {name} cannot be sent to it.")


def _paired(wire: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every tool_use with its tool_result in the next user message, results first; a user message to begin with."""
    fixed: list[dict[str, Any]] = []
    for message in wire:
        open_calls = _calls(fixed[-1]) if fixed else []
        if message["role"] == "assistant":
            if open_calls:
                fixed.append({"role": "user", "content": [_orphan(i) for i in open_calls]})
            elif not fixed:
                fixed.append({"role": "user", "content": [{"type": "text", "text": _OPENING}]})
            # The message before may have gone: results that nobody had asked for.
            _add(fixed, "assistant", message["content"])
            continue
        given = [b for b in message["content"] if b.get("type") == "tool_result"]
        # Two calls of one id: the first is the one that was judged.
        results = {b["tool_use_id"]: b for b in reversed(given) if _is_id(b.get("tool_use_id"))}
        rest = [b for b in message["content"] if b.get("type") != "tool_result"]
        _add(fixed, "user", [results.get(i) or _orphan(i) for i in open_calls] + rest)
    if fixed and (left := _calls(fixed[-1])):
        # A pause with a call in it: the request goes on from the model's own message.
        fixed.append({"role": "user", "content": [_orphan(i) for i in left]})
    return _with_ids_apart(fixed)


def _calls(message: dict[str, Any]) -> list[str]:
    if message["role"] != "assistant":
        return []
    return [b["id"] for b in message["content"] if b.get("type") == "tool_use" and _is_id(b.get("id"))]


def _orphan(call_id: str) -> r.Block:
    return {"type": "tool_result", "tool_use_id": call_id, "content": _INTERRUPTED, "is_error": True}
