"""What the referee remembers between requests: replies with calls, beginnings of threads, cached prefixes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.referee.binding import THINKING, blocks_of, canonical, head, plain

LOOK_BACK = 20
"""A cache read looks for an entry at most so many blocks before the breakpoint."""


def tokens(value: Any) -> int:
    """A rough count of tokens. What is encoded as base64 counts as little as an image does."""
    return len(json.dumps(_without_data(value), ensure_ascii=False)) // 4


@dataclass
class Memory:
    """State of one referee. Another one may be given it, to go on where a stopped server was."""

    cache_minimum: int = 0
    """Prefixes of fewer tokens are not cached."""
    called: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    """Tool-use id -> the reply's model and its thinking blocks in canonical form."""
    threads: dict[str, str] = field(default_factory=dict)
    """First user and first assistant message -> `head` of the request that had them."""
    cached: set[str] = field(default_factory=set)
    """Hashes of the prefixes that a request has written."""

    def keep_reply(self, body: Mapping[str, Any], content: Sequence[Mapping[str, Any]]) -> None:
        """Remember a reply that is about to be sent."""
        thinking = [canonical(block) for block in content if block["type"] in THINKING]
        for block in content:
            if block["type"] == "tool_use":
                self.called[block["id"]] = (str(body.get("model")), thinking)
        messages = body["messages"]
        if len(messages) == 1 and (key := opening(messages[0], {"content": list(content)})):
            self.threads.setdefault(key, head(body))

    def keep_request(self, body: Mapping[str, Any]) -> None:
        """Remember with which `system` and `tools` a thread was asked."""
        messages = body["messages"]
        if len(messages) > 1 and (key := opening(messages[0], messages[1])):
            self.threads.setdefault(key, head(body))

    def usage(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The input side of `usage`; an automatic cache marker writes its prefix."""
        total = count(body)
        marker = body.get("cache_control")
        read = written = 0
        if marker and total >= self.cache_minimum:
            prefixes = _prefixes(body)
            near = prefixes[-LOOK_BACK - 1 :]
            read = max((size for key, size in near if key in self.cached), default=0)
            # The tail after the last breakpoint is never quite empty on the real API.
            written = max(0, total - read - 3)
            self.cached.add(prefixes[-1][0])
        long = (marker or {}).get("ttl") == "1h"
        return {
            "input_tokens": total - read - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 0 if long else written,
                "ephemeral_1h_input_tokens": written if long else 0,
            },
        }


def opening(user: Mapping[str, Any], assistant: Mapping[str, Any]) -> str | None:
    """A key for threads with the same first two messages; thinking may come and go. None: nothing to compare."""
    said = [canonical(block) for block in blocks_of(assistant) if block.get("type") not in THINKING]
    if not said:
        return None
    asked = [canonical(block) for block in blocks_of(user)]
    return hashlib.sha256(json.dumps([asked, said]).encode()).hexdigest()


def count(body: Mapping[str, Any]) -> int:
    """The tokens of a request's `system`, `tools` and `messages`."""
    return _prefixes(body)[-1][1]


def _prefixes(body: Mapping[str, Any]) -> list[tuple[str, int]]:
    """For each block of the messages: a hash of all that goes before and with it, and the tokens of that."""
    settings = [body.get(name) for name in ("model", "tool_choice", "thinking", "output_config")]
    digest = hashlib.sha256((json.dumps(settings) + head(body)).encode())
    size = tokens([body.get("system"), body.get("tools")])
    found = []
    for message in body["messages"]:
        digest.update(f"\n{message['role']}\n".encode())
        for block in blocks_of(message):
            digest.update(canonical(block).encode())
            size += max(1, tokens(plain(block)))
            found.append((digest.hexdigest(), size))
    return found or [(digest.hexdigest(), size)]


def _without_data(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "base64":
            return {"type": "base64", "data": "image " * 400}
        return {key: _without_data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_data(item) for item in value]
    return value
