"""What is at the other end: where requests go, what can be asked there, and what it can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_SHORTEST_SECRET = 6
"""Fewer characters would be taken out of words that have nothing to do with the key."""


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
        """A text that came from the server or a library, without the key and the headers' values."""
        secrets = {self.key or "", *self.headers.values()}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "(the key)" if secret == self.key else "(a header)")
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
