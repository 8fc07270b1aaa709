"""`convend config --show` and `--init`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import convend_tui
from convend_tui.config import key
from convend_tui.config.settings import SECTIONS, Config, Price, Server
from convend_tui.config.source import plain, setting_names
from convend_tui.errors import StoreError
from convend_tui.files import write_new
from convend_tui.paths import Paths

EXAMPLE = "config.example.toml"


def show(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """The settings in force as TOML. Keys, commands' arguments and headers' values are not in it."""
    parts = [_toml(config, setting_names(Config))]
    for name in SECTIONS:
        section = getattr(config, name)
        parts.append(f"[{name}]\n{_toml(section, setting_names(type(section)))}")
    if config.keys:
        keys = {command: list(keys) for command, keys in config.keys.items()}
        parts.append("[keys]\n" + _dumps(keys))
    parts += [_server(server, environ) for server in config.servers]
    parts += [f"[[price]]\n{_toml(price, setting_names(Price))}" for price in config.prices]
    if not config.servers:
        parts.append("# No server: set ANTHROPIC_API_KEY, or name one here as [[server]].\n")
    return "\n".join(part for part in parts if part)


def _server(server: Server, environ: Mapping[str, str]) -> str:
    hidden = {"key_env", "key_command", "key_keyring", "headers"}
    lines = ["[[server]]\n", _toml(server, [name for name in setting_names(Server) if name not in hidden])]
    if server.key_env:
        state = "set" if environ.get(server.key_env, "").strip() else "not set"
        lines.append(f'key_env = "{server.key_env}"  # {state}\n')
    elif server.key_command:
        lines.append(f"# key: from the command {plain(key.program(server.key_command))}\n")
    elif server.key_keyring:
        lines.append(_dumps({"key_keyring": server.key_keyring}))
    else:
        lines.append("# key: none\n")
    if server.headers:
        lines.append(f"# headers, values hidden: {', '.join(server.headers)}\n")
    return "".join(lines)


def _toml(settings: Any, names: list[str]) -> str:
    """Settings one a line; one without a value becomes a comment."""
    lines = []
    for name in names:
        value = getattr(settings, name)
        if value is None:
            lines.append(f"# {name}: not set\n")
        else:
            lines.append(_dumps({name: str(value) if isinstance(value, Path) else value}))
    return "".join(lines)


def example_text() -> str:
    """The commented example of config.toml.

    Raises:
        StoreError: this installation lacks it.
    """
    package = Path(convend_tui.__file__).parent
    # In a wheel it lies in the package, in a source checkout beside it.
    for folder in (package, package.parent):
        try:
            return (folder / EXAMPLE).read_text("utf-8")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"{folder / EXAMPLE} cannot be read: {error.strerror or error}.") from error
    raise StoreError(f"This installation of convend lacks its {EXAMPLE}; install it again.")


def write_example(paths: Paths) -> Path:
    """Put the commented example where config.toml belongs, and return its path.

    Raises:
        StoreError: there is a config.toml already, or the disk refused.
    """
    text = example_text()
    write_new(paths.config_file, text.encode("utf-8"))
    return paths.config_file


def _dumps(values: dict[str, Any]) -> str:
    import tomli_w  # not at every start

    return tomli_w.dumps(values)
