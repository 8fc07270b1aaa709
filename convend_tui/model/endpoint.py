"""What is at the other end: where requests go, what can be asked there, and what it can do."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

_SHORTEST_SECRET = 6
"""Fewer characters would be taken out of words that have nothing to do with the key."""


@cache
def _forms(secret: str) -> tuple[str, ...]:
    encoded = b64encode(secret.encode()).decode().rstrip("=")
    forms = (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), escape(secret), encoded)
    return tuple(dict.fromkeys(forms))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go."""

    name: str
    """The server's name in config.toml."""
    base_url: str
    key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_bundle: Path | None = None
    timeout: float = 180.0
    """Seconds of silence after which an answer counts as broken off."""
    connect_timeout: float = 10.0
    direct: bool = False
    """True for a server on this computer: proxies of the environment are not for it."""

    @property
    def host(self) -> str:
        """Host and port, as sentences name them."""
        return urlsplit(self.base_url).netloc

    def without_secrets(self, text: str) -> str:
        """A text that came from the server or a library, without the key and the headers' values, as they are or as
        JSON, an address or a page may have them."""
        secrets = {self.key or "", *self.headers.values()}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                for form in _forms(secret):
                    text = text.replace(form, "(the key)" if secret == self.key else "(a header)")
        return text

    def clean(self, event: dict[str, Any]) -> None:
        """`without_secrets`, for all texts in an event of JSON, in place."""
        todo: list[Any] = [event]
        while todo:  # it may be nested as deeply as JSON can be read
            holder = todo.pop()
            for name, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
                if isinstance(value, str):
                    holder[name] = self.without_secrets(value)
                elif isinstance(value, dict | list):
                    todo.append(value)
                if isinstance(name, str) and (shown := self.without_secrets(name)) != name:
                    del holder[name]
                    holder[shown] = self.without_secrets(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of a server's own list."""

    id: str
    name: str
    max_tokens: int | None = None
    max_input_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the server at the other end can do, from its entry in config.toml."""

    max_tokens: int = 32_000
    documents: bool = True
    """False: text attachments go inline as text, and PDF cannot be sent."""
    images: bool = True
