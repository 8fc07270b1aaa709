"""The settings, one dataclass a section of config.toml. config.example.toml explains each to the person."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from convend_tui.config import key
from convend_tui.config.source import Bad, amount, is_bool, is_name, is_text, one_of, seconds, setting, shown, whole
from convend_tui.errors import NotConnected

DEFAULT_BASE_URL = "https://api.anthropic.com"
DEFAULT_MODEL = "claude-opus-5-5"
DEFAULT_MAX_TOKENS = 32_000

LOCAL_SERVER = "local"
"""What stands for the built-in model where a server's name is expected."""
LOCAL_MODEL = "smollm2-135m-instruct"

EFFORTS = ("auto", "low", "medium", "high", "xhigh", "max")
THINKING = ("auto", "adaptive", "off")


def normal_base_url(value: Any) -> str:
    """An http or https address without a trailing slash or `/v1`, which the SDK adds itself.

    Raises:
        Bad: it is no such address, or carries a password, a query or a fragment.
    """
    text = is_text(value).strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Bad("is not a valid address") from None
    # urlsplit drops tabs and line feeds without a word.
    if not text.isprintable() or " " in text or "\\" in text:
        raise Bad("must not hold white space, backslashes or control characters")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Bad('must begin with "http://" or "https://"')
    if "@" in parts.netloc:
        raise Bad("must not hold a user name or password; use key_env, key_command or headers")
    if not host or port == 0:
        raise Bad("is not a valid address")
    if parts.query or parts.fragment:
        raise Bad("must not hold a `?` or `#`")
    path = parts.path.rstrip("/")
    while path.endswith("/v1"):
        path = path.removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _server_name(value: Any) -> str:
    name = is_name(value)
    if "/" in name:
        raise Bad('must not hold "/", which stands between server and model')
    if name == LOCAL_SERVER:
        raise Bad(f'must not be "{LOCAL_SERVER}", which is the built-in model')
    return name


def _variable(value: Any) -> str:
    # The value is not repeated: a person who misunderstands puts the key itself here.
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value):
        raise Bad("must be the name of an environment variable, not the key itself")
    return value


def _command(value: Any) -> str | tuple[str, ...]:
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str) and first.startswith("sk-"):
        raise Bad("must be a command that prints the key, not the key itself")
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return value
    if isinstance(value, list) and value and all(isinstance(p, str) and "\0" not in p for p in value) and value[0]:
        return tuple(value)
    raise Bad('must be a command: text in quotes, or a list such as ["op", "read", "op://vault/item/key"]')


def _keyring(value: Any) -> str:
    if isinstance(value, str):
        service, _, user = value.rpartition("/")
        if service and user:
            return value
    raise Bad('must be "service/user", as in the keyring')


def _headers(value: Any) -> Mapping[str, str]:
    # Values are not repeated in messages: they may hold a key.
    if not isinstance(value, dict):
        raise Bad('must be a table, such as { "X-Api-Key" = "{key}" }')
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise Bad(f"holds {shown(name)}, which is not the name of a header")
        if not isinstance(text, str) or not text.isascii() or not text.isprintable():
            raise Bad(f"holds `{name}`, whose value must be plain ASCII text in quotes")
    return MappingProxyType(dict(value))


def _path(value: Any) -> Path:
    text = is_name(value)
    # expanduser of the standard library raises where a home folder is unknown; this leaves the ~ standing.
    return Path(os.path.expanduser(text))  # noqa: PTH111


@dataclass(frozen=True, slots=True)
class Server:
    """One `[[server]]`: a server of the Messages API. It never holds the key, only where the key is."""

    name: str = setting("", _server_name)
    """What the person calls it; unique, without `/`."""
    base_url: str = setting(DEFAULT_BASE_URL, normal_base_url)
    """Its address, without `/v1`."""
    key_env: str | None = setting(None, _variable)
    """The environment variable that holds its key."""
    key_command: str | tuple[str, ...] | None = setting(None, _command, secret=True)
    """A command whose first line of output is its key: a tuple runs as it is, a string in the shell."""
    key_keyring: str | None = setting(None, _keyring)
    """`service/user` of the key in the keyring of the operating system."""
    model: str | None = setting(None, is_name)
    """The model asked where none is named; None: `DEFAULT_MODEL`."""
    ending: bool = setting(True, is_bool)
    """Whether the model is given the tool to end a conversation; off where a server cannot use tools."""
    second_opinion: bool = setting(True, is_bool)
    """Whether this server can give a second opinion on risk before an ending."""
    documents: bool = setting(True, is_bool)
    """Whether it understands document blocks (PDF and text files)."""
    max_tokens: int = setting(DEFAULT_MAX_TOKENS, whole(1, 1_000_000))
    """The longest answer, thinking included, in tokens."""
    thinking: str = setting("auto", one_of(*THINKING))
    """auto: as the model does by itself; adaptive: asked for; off: turned off where the model allows it."""
    effort: str = setting("auto", one_of(*EFFORTS))
    """How much effort is asked for; auto: nothing is said, the server decides."""
    headers: Mapping[str, str] = setting(lambda: MappingProxyType({}), _headers, factory=True, secret=True)
    """Further headers of each request; `{key}` in a value stands for the key."""
    ca_bundle: Path | None = setting(None, _path)  # noqa: RUF009
    """Certificates to trust in place of the usual ones (PEM); a relative path counts from config.toml."""

    def resolve_key(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """The key; None for a server without one. It is never logged and never part of an error.

        May run a command for up to 30 seconds: call it in a thread, not in the event loop.

        Raises:
            ModelError: the key is not where it should be (kind `authentication_error`).
        """
        if self.key_env:
            return key.from_environment(self.name, self.key_env, environ)
        if self.key_command:
            return key.from_command(self.name, self.key_command, environ)
        if self.key_keyring:
            return key.from_keyring(self.name, self.key_keyring)
        return None

    def resolve_headers(self, resolved_key: str | None) -> dict[str, str]:
        """The further headers with the key put in; without a key, a header that needs it is left out."""
        return {
            name: value.replace("{key}", resolved_key or "")
            for name, value in self.headers.items()
            if resolved_key or "{key}" not in value
        }


@dataclass(frozen=True, slots=True)
class Ending:
    """`[ending]`: when a model may end a conversation. These can make it rarer, never undo an ending."""

    enabled: bool = setting(True, is_bool)
    """Whether new threads offer models the tool at all."""
    min_redirections: int = setting(2, whole(1, 20))
    """Attempts to change the subject that must come before an ending for abuse or harmful requests."""
    second_opinion: bool = setting(True, is_bool)
    """Whether a second request asks, before an ending, if anyone may be at risk."""


@dataclass(frozen=True, slots=True)
class Local:
    """`[local]`: the built-in model."""

    enabled: bool = setting(True, is_bool)
    """Whether it is offered where no server can be used."""
    threads: int | None = setting(None, whole(1, 256))
    """Processor threads it computes with; None: as many as there are cores."""
    context: int = setting(8192, whole(512, 8192))
    """How many tokens it can see."""


@dataclass(frozen=True, slots=True)
class Network:
    """`[network]`: patience."""

    timeout: float = setting(180.0, seconds(1, 3600))
    """Seconds of silence after which an answer counts as broken off."""
    connect_timeout: float = setting(10.0, seconds(0.1, 600))
    """Seconds to wait for a connection."""
    retries: int = setting(2, whole(0, 10))
    """How often a request that failed before its answer began is sent again."""


@dataclass(frozen=True, slots=True)
class Ui:
    """`[ui]`: the screen. What the person chooses in the app (`Choices`) outranks it."""

    theme: str | None = setting(None, is_name)
    """The theme; None: the app's own dark one."""
    mouse: bool = setting(True, is_bool)
    """Whether the app reacts to the mouse; off leaves selecting text to the terminal."""
    list_width: int = setting(32, whole(16, 80))
    """Columns of the thread list."""
    show_thinking: bool = setting(False, is_bool)
    """Whether thinking is unfolded at first."""


@dataclass(frozen=True, slots=True)
class Price:
    """One `[[price]]`: what a million tokens of a model cost."""

    model: str = setting("", is_name)
    """The model's id; with `*` at its end, all that begin so."""
    input: float = setting(0.0, amount)
    """Input that is neither read from the prompt cache nor written to it."""
    output: float = setting(0.0, amount)
    cache_read: float | None = setting(None, amount)
    """Input read from the cache; None: a tenth of `input`."""
    cache_write: float | None = setting(None, amount)
    """Input written to the cache; None: 1.25 times `input`, as for the cache of five minutes."""
    currency: str = setting("$", is_name)
    """What stands before the amounts."""

    def fits(self, model: str) -> bool:
        """Whether it is the price of this model."""
        if self.model.endswith("*"):
            return model.startswith(self.model.removesuffix("*"))
        return model == self.model


@dataclass(frozen=True, slots=True)
class Config:
    """All settings in force."""

    default_model: str | None = setting(None, is_name)
    """`server/model`, a server, or a model of the first server; None: the first server's."""
    system: str = setting("", is_text)
    """The person's own system prompt for new threads."""
    servers: tuple[Server, ...] = ()
    """In the order of the file; or the one from the environment."""
    prices: tuple[Price, ...] = ()
    ending: Ending = Ending()
    local: Local = Local()
    network: Network = Network()
    ui: Ui = Ui()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Command id to its keys; an empty tuple takes the command's keys away. The app checks both."""

    def price(self, model: str) -> Price | None:
        """What a model costs; the first entry that fits."""
        return next((price for price in self.prices if price.fits(model)), None)

    def server(self, name: str) -> Server | None:
        """The server of that name."""
        return next((server for server in self.servers if server.name == name), None)

    def resolve(self, wanted: str | None = None) -> tuple[str, str]:
        """Which server and which model are meant.

        Args:
            wanted: `server/model`, a server's name, or a model of the first server; None: the default.

        Returns:
            A server's name and the model's. `LOCAL_SERVER` stands for the built-in model, which may not
            be installed.

        Raises:
            NotConnected: there is nothing to ask.
        """
        name = wanted or self.default_model or ""
        head, _, rest = name.partition("/")
        if server := self.server(head):
            return head, rest or server.model or DEFAULT_MODEL
        if head != LOCAL_SERVER and self.servers:
            first = self.servers[0]
            return first.name, name or first.model or DEFAULT_MODEL
        if head != LOCAL_SERVER and wanted:
            raise NotConnected(
                f"There is no server to ask for {wanted}: set ANTHROPIC_API_KEY, or name a "
                "server in config.toml (`convend config --init` writes an example)."
            )
        if not self.local.enabled:
            raise NotConnected(
                "There is no server to ask, and the built-in model is turned off in config.toml "
                "([local] enabled). Set ANTHROPIC_API_KEY, or name a server in config.toml."
            )
        return LOCAL_SERVER, (rest if head == LOCAL_SERVER else "") or LOCAL_MODEL


SECTIONS: Mapping[str, type] = MappingProxyType({"ending": Ending, "local": Local, "network": Network, "ui": Ui})
"""The sections of config.toml that hold settings of their own; beside them stand `[[server]]` and `[keys]`."""
