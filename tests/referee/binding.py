"""Signatures of thinking blocks, and the one form of a request in which prefixes are compared.

A signature carries what the block is bound to (its text, model and everything before its message) and is
sealed with a key, so that any referee can check a block that another one made: threads outlive test servers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SECRET = b"referee"
THINKING = ("thinking", "redacted_thinking")


def blocks_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The content of a message as blocks, whichever of the two forms it came in."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


def plain(value: Any) -> Any:
    """`value` without cache markers: they are no part of what a prefix is compared by."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "cache_control"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def canonical(block: Mapping[str, Any]) -> str:
    """A block as text: the order of its keys does not matter, that of a tool's input does."""
    seen = plain(dict(block))
    if block.get("type") == "tool_use":
        seen["input"] = json.dumps(plain(block.get("input")))
    if isinstance(seen.get("content"), str) and block.get("type") == "tool_result":
        seen["content"] = [{"type": "text", "text": seen["content"]}]
    if seen.get("citations", ...) is None:
        del seen["citations"]
    return json.dumps(seen, sort_keys=True)


def head(body: Mapping[str, Any]) -> str:
    """`system` and `tools` byte for byte, without cache markers."""
    return json.dumps([plain(body.get("system")), plain(body.get("tools"))])


def prefix_hash(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> str:
    """A hash of `system`, `tools` and `messages`."""
    digest = hashlib.sha256(head(body).encode())
    for message in messages:
        digest.update(f"\n{message.get('role')}\n".encode())
        for block in blocks_of(message):
            digest.update(canonical(block).encode())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Seal:
    """What one thinking block is bound to."""

    model: str
    prefix: str
    """`prefix_hash` of the request that it answered."""
    reply: str
    """The same for all blocks of one reply."""
    place: int
    """How many thinking blocks stood before it in that reply."""
    text: str
    """A hash of the text that was sent with it."""


def seal(text: str, body: Mapping[str, Any], reply: str, place: int) -> str:
    """A signature for a thinking block of `text` in answer to `body`."""
    bound = Seal(
        model=str(body.get("model")),
        prefix=prefix_hash(body, body.get("messages") or ()),
        reply=reply,
        place=place,
        text=_digest(text),
    )
    payload = json.dumps(asdict(bound) | {"salt": secrets.token_hex(4)}).encode()
    return base64.b64encode(_mac(payload) + payload).decode()


def unseal(signature: str) -> Seal | None:
    """What a signature says, or None where no referee made it."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, payload = raw[:32], raw[32:]
    if not hmac.compare_digest(mac, _mac(payload)):
        return None
    said = json.loads(payload)
    del said["salt"]
    return Seal(**said)


def seal_of(block: Mapping[str, Any]) -> Seal | None:
    """The seal of a thinking or redacted_thinking block, or None where it is forged or its text was changed."""
    if block.get("type") == "redacted_thinking":
        return unseal(str(block.get("data")))
    found = unseal(str(block.get("signature")))
    return found if found and found.text == _digest(str(block.get("thinking"))) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _mac(payload: bytes) -> bytes:
    return hmac.new(SECRET, payload, hashlib.sha256).digest()
