"""What is at the other end: where requests go, what can be asked there, and what it can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

_SHORTEST_SECRET = 6
"""Fewer characters would be taken out of words that have nothing to do with the key."""
_SHORTEST_IN_A_REPLY = 16
"""As many characters has every real key, and more than what stands for one where none is needed (`ollama`,
`lm-studio`): of such a word a model may well speak."""
_SECRET_HEADER = re.compile(r"auth|key|token|secret|password|cookie|credential", re.IGNORECASE)


@cache
def _forms(secret: str) -> tuple[str, ...]:
    import json  # not needed before something was sent
    from base64 import b64encode
    from html import escape

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
        """A sentence of the server's or a library's, without the key and the headers' values, as they are or as JSON,
        an address or a page may have them."""
        secrets = {self.key or "", *self.headers.values()}
        return self._without(text, {one for one in secrets if len(one) >= _SHORTEST_SECRET})

    def clean(self, event: dict[str, Any]) -> None:
        """`without_secrets`, for all texts in an event of JSON, in place. It goes into the thread: only what is a
        secret for certain is taken out."""
        named = [value for name, value in self.headers.items() if _SECRET_HEADER.search(name)]
        given = {self.key or "", *named, *(value.rpartition(" ")[2] for value in named)}
        secrets = {one for one in given if len(one) >= _SHORTEST_IN_A_REPLY}
        if not secrets:
            return
        todo: list[Any] = [event]
        while todo:  # it may be nested as deeply as JSON can be read
            holder = todo.pop()
            for name, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
                if isinstance(value, str):
                    holder[name] = self._without(value, secrets)
                elif isinstance(value, dict | list):
                    todo.append(value)
                if isinstance(name, str) and (shown := self._without(name, secrets)) != name:
                    holder[shown] = holder.pop(name)

    def _without(self, text: str, secrets: set[str]) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            for form in _forms(secret):
                text = text.replace(form, "(the key)" if secret == self.key else "(a header)")
        return text


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
