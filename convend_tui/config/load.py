"""config.toml and the environment in, `Config` out."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from convend_tui.config.lines import Key
from convend_tui.config.settings import DEFAULT_BASE_URL, SECTIONS, Config, Price, Server, normal_base_url
from convend_tui.config.source import Bad, Source, plain, read_source, read_table, setting_names, shown, unknown
from convend_tui.errors import ConfigError
from convend_tui.paths import Paths

KEY_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
"""Where the key of api.anthropic.com is looked for, in this order, unless config.toml says otherwise."""

_KEY_SOURCES = ("key_env", "key_command", "key_keyring")
_KEY_HINT = "a key does not belong in this file: use key_env, key_command or key_keyring"
_HINTS = dict.fromkeys(("key", "api_key", "apikey", "token", "auth_token", "secret", "password"), _KEY_HINT)


def load(paths: Paths, environ: Mapping[str, str] = os.environ) -> Config:
    """The settings in force. Without a config.toml: the defaults, and the environment's server.

    Raises:
        ConfigError: config.toml, or ANTHROPIC_BASE_URL where it counts, is not valid.
    """
    source = read_source(paths.config_file)
    config = _from_source(source) if source else Config()
    if not config.servers:
        return dataclasses.replace(config, servers=_from_environment(environ))
    servers = (_with_usual_key(server, environ) for server in config.servers)
    return dataclasses.replace(config, servers=tuple(servers))


def _from_source(source: Source) -> Config:
    content = source.parse()
    top = {}
    sections: dict[str, Any] = {}
    names = setting_names(Config)
    for name, value in content.items():
        if name in names:
            top[name] = value
        elif name == "server":
            sections["servers"] = _servers(source, value)
        elif name == "price":
            sections["prices"] = _prices(source, value)
        elif name == "keys":
            sections["keys"] = _keys(source, value)
        elif kind := SECTIONS.get(name):
            sections[name] = kind(**read_table(source, (name,), value, kind, _hint_in(name)))
        else:
            raise source.error((name,), _unknown_at_top(name, value))
    return Config(**read_table(source, (), top, Config, lambda _: ""), **sections)


def _servers(source: Source, tables: Any) -> tuple[Server, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise source.error(("server",), "a server must be written as `[[server]]`, in double brackets.")
    servers: list[Server] = []
    for number, table in enumerate(tables):
        where: Key = ("server", number)
        server = Server(**read_table(source, where, table, Server, _hint_in("server")))
        if not server.name:
            raise source.error(where, '[[server]] needs a name, such as `name = "work"`.')
        if any(server.name == other.name for other in servers):
            raise source.error((*where, "name"), f"there are two servers named {shown(server.name)}.")
        named = [name for name in _KEY_SOURCES if name in table]
        if len(named) > 1:
            raise source.error(
                (*where, named[1]), f"server {shown(server.name)} has both `{named[0]}` and `{named[1]}`; keep one."
            )
        if not named and any("{key}" in value for value in server.headers.values()) and not _usual(server):
            raise source.error(
                (*where, "headers"),
                f"a header of server {shown(server.name)} needs the key, but "
                "none of key_env, key_command and key_keyring says where it is.",
            )
        if server.ca_bundle and not server.ca_bundle.is_absolute():
            server = dataclasses.replace(server, ca_bundle=source.file.parent / server.ca_bundle)
        servers.append(server)
    return tuple(servers)


def _prices(source: Source, tables: Any) -> tuple[Price, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise source.error(("price",), "a price must be written as `[[price]]`, in double brackets.")
    prices: list[Price] = []
    for number, table in enumerate(tables):
        where: Key = ("price", number)
        price = Price(**read_table(source, where, table, Price, _hint_in("price")))
        if not price.model:
            raise source.error(where, '[[price]] needs a model, such as `model = "claude-opus-5-5"`.')
        prices.append(price)
    return tuple(prices)


def _keys(source: Source, table: Any) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise source.error(("keys",), "`keys` must be a section: `[keys]` on a line of its own.")
    found: dict[str, tuple[str, ...]] = {}
    # `message.edit = "e"` without quotes round the id is a table in a table. A stack instead of
    # recursion: the nesting is as deep as the file says.
    waiting: list[tuple[Key, Any]] = [(("keys", name), value) for name, value in reversed(table.items())]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*where, name), inner) for name, inner in reversed(value.items())]
            continue
        command = ".".join(str(part) for part in where[1:])
        keys = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) and one.strip() for one in keys):
            raise source.error(
                where, f'`{plain(command)}` in [keys] must be a key, such as "ctrl+n", or a list of keys.'
            )
        if command in found:
            raise source.error(where, f"`{plain(command)}` in [keys] is there twice.")
        found[command] = tuple(one.strip() for one in keys)
    return MappingProxyType(found)


def _hint_in(section: str) -> Any:
    """What to say about an unknown key in `section`, where the person probably mixed up the places."""

    def hint(name: str) -> str:
        if section == "server" and name.lower() in _HINTS:
            return _HINTS[name.lower()]
        if name in setting_names(Config):
            return f"`{name}` belongs at the top of the file, above the first section"
        # `enabled` is in two sections: a guess between them would be noise.
        homes = [other for other in _homes(name) if other != f"[{section}]"]
        return f"it belongs in {homes[0]}" if len(homes) == 1 else ""

    return hint


def _homes(name: str) -> list[str]:
    homes = [f"[{section}]" for section, kind in SECTIONS.items() if name in setting_names(kind)]
    return homes + (["[[server]]"] if name in setting_names(Server) else [])


def _unknown_at_top(name: str, value: Any) -> str:
    sections = [*SECTIONS, "keys", "server", "price"]
    if isinstance(value, dict | list):
        # A close name of a section is likelier than a mistyped key.
        near = difflib.get_close_matches(name.lower(), sections, n=1)
        right = {"server": "[[server]]", "price": "[[price]]"}.get(near[0], f"[{near[0]}]") if near else ""
        return f"unknown section `[{plain(name)}]`" + (f"; did you mean `{right}`?" if right else ".")
    hint = _HINTS.get(name.lower(), "")
    if not hint and (homes := _homes(name)):
        hint = f"it belongs in {' or '.join(homes)}"
    return unknown(name, " at the top of the file", hint, [*setting_names(Config), *sections])


def _usual(server: Server) -> bool:
    """Whether this is Anthropic's own address, which never answers without a key."""
    return server.base_url == DEFAULT_BASE_URL


def _with_usual_key(server: Server, environ: Mapping[str, str]) -> Server:
    """A server at Anthropic's own address takes the usual variable where it names no source of its key.

    Other servers never do: the key must not go where it was not meant to.
    """
    if server.key_env or server.key_command or server.key_keyring or not _usual(server):
        return server
    return dataclasses.replace(server, key_env=_key_variable(environ) or KEY_VARIABLES[0])


def _key_variable(environ: Mapping[str, str]) -> str | None:
    return next((name for name in KEY_VARIABLES if environ.get(name, "").strip()), None)


def _from_environment(environ: Mapping[str, str]) -> tuple[Server, ...]:
    """The server that the environment alone names, if any."""
    variable = _key_variable(environ)
    address = environ.get("ANTHROPIC_BASE_URL", "").strip()
    if not variable and not address:
        return ()
    try:
        base_url = normal_base_url(address) if address else DEFAULT_BASE_URL
    except Bad as error:
        raise ConfigError(f"The environment variable ANTHROPIC_BASE_URL {error}.") from None
    return (Server(name="anthropic", base_url=base_url, key_env=variable),)
