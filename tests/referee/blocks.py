"""Checks of messages and their blocks, each by itself: roles, types, fields, contents."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from tests.referee.asked import EXTRA, Asked
from tests.referee.binding import THINKING, blocks_of

USER = frozenset({"text", "image", "document", "search_result", "tool_result", "container_upload"})
ASSISTANT = frozenset(
    {"text", "tool_use", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result"}
    | {"web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result"}
    | {"text_editor_code_execution_tool_result", "tool_search_tool_result", "container_upload"}
)
IN_RESULTS = frozenset({"text", "image", "document", "search_result", "tool_reference"})
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "text": ("citations", "cache_control"),
    "image": ("cache_control", "transformations"),
    "document": ("cache_control", "citations", "context", "title"),
    "thinking": (),
    "redacted_thinking": (),
    "tool_use": ("cache_control", "caller", "toolset_name"),
    "tool_result": ("cache_control", "content", "is_error", "toolset_name"),
}
"""Types that are not in here have no extra fields looked for."""
MAGIC: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def messages_well_formed(asked: Asked) -> str | None:
    """Objects with a role and a content, at least one and at most 100,000."""
    messages = asked.body["messages"]
    if not isinstance(messages, list):
        return "messages: Input should be a valid list"
    if not messages:
        return "messages: at least one message is required"
    if len(messages) > 100_000:
        return "messages: List should have at most 100000 items"
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            return f"messages.{number}: Input should be an object"
        if message.get("role") not in ("user", "assistant", "system"):
            return f"messages.{number}.role: Input should be 'user' or 'assistant'"
        if extra := set(message) - {"role", "content"}:
            return f"messages.{number}.{min(extra)}: {EXTRA}"
        content = message.get("content")
        if not isinstance(content, str | list):
            return f"messages.{number}.content: Field required"
        if not all(isinstance(block, dict) for block in blocks_of(message)):
            return f"messages.{number}.content: Input should be a list of objects"
        if not all(isinstance(block.get("type"), str) for block in blocks_of(message)):
            return f"messages.{number}.content: Unable to extract tag using discriminator 'type'"
    return None


def blocks_known(asked: Asked) -> str | None:
    """Only blocks that the API has, in a message of the right role."""
    for where, message, block in asked.blocks():
        role, kind = message["role"], block.get("type")
        allowed = {"user": USER, "assistant": ASSISTANT, "system": frozenset({"text"})}[role]
        if kind in allowed:
            continue
        if kind == "document":
            return f"{where}: `document` blocks are not permitted in `assistant` messages"
        if kind == "tool_result":
            return f"{where}: `tool_result` blocks can only be in `user` messages"
        if kind in USER | ASSISTANT:
            return f"{where}: `{kind}` blocks are not permitted in `{role}` messages"
        return f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
    return None


def block_fields(asked: Asked) -> str | None:
    """Every field that a block must have, and none that it cannot have."""
    for where, _, block in asked.blocks():
        if fault := _fields(where, block):
            return fault
    return None


def content_not_empty(asked: Asked) -> str | None:
    """Each message says something, and each text block is more than white space."""
    for number, message in enumerate(asked.messages):
        if not message["content"]:
            return (
                f"messages.{number}: all messages must have non-empty content "
                "except for the optional final assistant message"
            )
        if fault := _empty_text(f"messages.{number}", blocks_of(message)):
            return fault
    return None


def user_text_without_citations(asked: Asked) -> str | None:
    """Citations belong to what the model wrote."""
    for where, message, block in asked.blocks():
        if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
            return f"{where}.text.citations: citations are not permitted on `text` blocks in `user` messages"
    return None


def sources_decodable(asked: Asked) -> str | None:
    """Images and documents that can be read for what they say they are."""
    for where, _, block in asked.blocks():
        inner = block.get("content") if block["type"] == "tool_result" else None
        for part in (block, *(inner if isinstance(inner, list) else ())):
            if part["type"] in ("image", "document") and (fault := _source(where, part)):
                return fault
    return None


def calls_well_formed(asked: Asked) -> str | None:
    """Ids and names of the right letters, inputs that are objects."""
    for where, _, block in asked.blocks():
        if block["type"] != "tool_use":
            continue
        if not isinstance(block["id"], str) or not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]):
            return f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if not isinstance(block["name"], str) or not NAME.fullmatch(block["name"]):
            return f"{where}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if not isinstance(block["input"], dict):
            return f"{where}.tool_use.input: Input should be a valid dictionary"
    return None


def results_well_formed(asked: Asked) -> str | None:
    """A string or blocks; an error says what went wrong."""
    for where, _, block in asked.blocks():
        if block["type"] != "tool_result":
            continue
        content = block.get("content")
        if content is not None and not isinstance(content, str | list):
            return f"{where}.tool_result.content: Input should be a valid string or list"
        if not isinstance(block.get("is_error", False), bool):
            return f"{where}.tool_result.is_error: Input should be a valid boolean"
        if block.get("is_error") and not content:
            return f"{where}.tool_result: content cannot be empty if `is_error` is true"
        parts = content if isinstance(content, list) else []
        for part in parts:
            if not isinstance(part, dict) or str(part.get("type")) not in IN_RESULTS:
                return f"{where}.tool_result.content: Input tag does not match any of the expected tags"
            if fault := _fields(f"{where}.tool_result.content", part):
                return fault
        if fault := _empty_text(where, parts):
            return fault
    return None


def not_only_thinking(asked: Asked) -> str | None:
    """An assistant message cannot end in its thinking."""
    for number, message in enumerate(asked.messages):
        last = blocks_of(message)[-1]["type"]
        if message["role"] == "assistant" and last in THINKING:
            return f"messages.{number}: The final block in an assistant message cannot be `{last}`."
    return None


def _fields(where: str, block: Mapping[str, Any]) -> str | None:
    kind = str(block["type"])
    for name in REQUIRED.get(kind, ()):
        if block.get(name) is None:
            return f"{where}.{kind}.{name}: Field required"
    if kind in OPTIONAL and (extra := set(block) - {"type", *REQUIRED[kind], *OPTIONAL[kind]}):
        return f"{where}.{kind}.{min(extra)}: {EXTRA}"
    for name in ("text", "thinking", "signature", "data", "tool_use_id"):
        if name in REQUIRED.get(kind, ()) and not isinstance(block[name], str):
            return f"{where}.{kind}.{name}: Input should be a valid string"
    return None


def _empty_text(where: str, blocks: list[Any]) -> str | None:
    for block in blocks:
        if block.get("type") == "text" and not block["text"]:
            return f"{where}: text content blocks must be non-empty"
        if block.get("type") == "text" and not block["text"].strip():
            return f"{where}: text content blocks must contain non-whitespace text"
    return None


def _source(where: str, block: Mapping[str, Any]) -> str | None:
    kind, source = block["type"], block["source"]
    if not isinstance(source, dict):
        return f"{where}.{kind}.source: Input should be an object"
    form = source.get("type")
    known = {"image": ("base64", "url", "file"), "document": ("base64", "url", "file", "text", "content")}[kind]
    if form not in known:
        return f"{where}.{kind}.source: Input tag '{form}' does not match any of the expected tags: {known}"
    keys = {"url": {"url"}, "file": {"file_id"}, "content": {"content"}}.get(form, {"media_type", "data"})
    if fault := keys ^ (set(source) - {"type"}):
        name = min(fault)
        return f"{where}.{kind}.source.{form}.{name}: {EXTRA if name in source else 'Field required'}"
    path = f"{where}.{kind}.source.{form}"
    if form == "text":
        good = source["media_type"] == "text/plain" and str(source["data"]).strip()
        return None if good else f"{path}: Input should be non-empty text of the media type 'text/plain'"
    return _base64(path, kind, source) if form == "base64" else None


def _base64(path: str, kind: str, source: Mapping[str, Any]) -> str | None:
    media = source["media_type"]
    if kind == "image" and media not in IMAGES:
        return f"{path}.media_type: Input should be {', '.join(map(repr, IMAGES))}"
    if kind == "document" and media != "application/pdf":
        return f"{path}.media_type: Input should be 'application/pdf'"
    try:
        data = base64.b64decode(source["data"], validate=True)
    except (binascii.Error, ValueError, TypeError):
        return f"{path}.data: Invalid base64 data"
    if not data:
        return f"{path}.data: {kind} cannot be empty"
    for magic, real in MAGIC.items():
        if kind == "image" and data.startswith(magic) and real != media:
            return (
                f"{path}: The image was specified using the {media} media type, "
                f"but the image appears to be a {real} image"
            )
    return None
