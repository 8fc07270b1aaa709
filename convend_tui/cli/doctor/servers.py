"""Servers: whether there is a key, which is never shown, and whether they answer; and the built-in model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from convend_tui.cli.doctor.finding import Finding, State
from convend_tui.config import LOCAL_SERVER, Config, Server
from convend_tui.config.key import program
from convend_tui.errors import ModelError, NotConnected
from convend_tui.model import local_weights
from convend_tui.model.connect import CONNECT_HINT, Models
from convend_tui.paths import Paths
from convend_tui.plain import one_line

_AREA = "Servers"
ANSWER_S = 10.0
"""Seconds for one server's list of models."""
KEY_S = 35.0
"""Seconds for a key: a command may take 30."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")


def examine(config: Config, where: Paths, *, offline: bool) -> Iterator[Finding]:
    """Every server of config.toml or the environment, and the built-in model."""
    models = Models(config, where)
    try:
        wanted: str | None = config.resolve()[0]
    except NotConnected:
        wanted = None
    if not config.servers:
        local = wanted == LOCAL_SERVER and models.missing() is None
        if not local:
            yield Finding(_AREA, "warning", "No model is connected: everything but sending works.", CONNECT_HINT)
    elif offline:
        for server in config.servers:
            yield from _without_asking(server)
    else:
        yield from _proxies()
        for found in asyncio.run(_ask_all(models, config)):
            # One server that does not answer is no reason to give up, unless it is the one that is asked by itself.
            if found.state == "wrong" and found.server != wanted:
                yield Finding(_AREA, "warning", found.said, found.mend)
            else:
                yield Finding(_AREA, found.state, found.said, found.mend)
    yield _built_in(config, where)


class _Answer:
    """What came of asking one server."""

    def __init__(self, server: str, state: State, said: str, mend: str | None = None) -> None:
        self.server, self.state, self.said, self.mend = server, state, said, mend


async def _ask_all(models: Models, config: Config) -> list[_Answer]:
    try:
        return list(await asyncio.gather(*(_ask(models, server) for server in config.servers)))
    finally:
        await models.close()


async def _ask(models: Models, server: Server) -> _Answer:
    """The key, then the server's list of models: by the same way as any other request."""
    name = f"{server.name} ({urlsplit(server.base_url).netloc})"
    try:
        key = await asyncio.wait_for(asyncio.to_thread(server.resolve_key), KEY_S)
    except ModelError as error:
        return _Answer(server.name, "wrong", str(error))
    except TimeoutError:
        return _Answer(server.name, "wrong", f"The key of server {name} did not come in time: {_source(server)}.")
    has = f"its key is there ({_source(server)})" if key else "it has no key"
    try:
        offered = await asyncio.wait_for(models.list_models(server.name), ANSWER_S)
    except TimeoutError:
        return _Answer(
            server.name,
            "wrong",
            f"{name}: {has}; no answer within {ANSWER_S:g} s.",
            "Check the network and base_url; behind a proxy, set HTTPS_PROXY.",
        )
    except ModelError as error:
        if error.status in (404, 405, 501):
            return _Answer(server.name, "ok", f"{name}: {has}; it answers, and has no list of models.")
        return _Answer(server.name, "wrong", f"{name}: {has}. {error}")
    return _Answer(server.name, "ok", f"{name}: {has}; it answers, and offers {_count(len(offered), 'model')}.")


def _without_asking(server: Server) -> Iterator[Finding]:
    name = f"{server.name} ({urlsplit(server.base_url).netloc})"
    if server.key_env:
        try:
            server.resolve_key()
        except ModelError as error:
            yield Finding(_AREA, "warning", str(error))
            return
        said = f"its key is there ({_source(server)})"
    elif server.key_command or server.key_keyring:
        said = f"its key is not looked for ({_source(server)})"
    else:
        said = "it has no key"
    yield Finding(_AREA, "ok", f"{name}: {said}; it was not asked (--offline).")


def _source(server: Server) -> str:
    """Where the key comes from; nothing of it."""
    if server.key_env:
        return f"from {server.key_env}"
    if server.key_command:
        return f"from the command {one_line(program(server.key_command))}"
    return "from the keyring" if server.key_keyring else "no source"


def _proxies() -> Iterator[Finding]:
    found: dict[str, str] = {}
    for name in _PROXIES:
        if value := os.environ.get(name, "").strip():
            try:
                host = urlsplit(value).hostname
            except ValueError:
                host = None
            if host is None:
                said = f"The proxy in {name} is no address."
                yield Finding(_AREA, "warning", said, f"Set {name} to an address such as http://proxy:3128.")
            else:
                found.setdefault(host, name)
    for host, name in found.items():
        yield Finding(_AREA, "ok", f"Requests go by the proxy {one_line(host, 60)} ({name}).")


def _built_in(config: Config, where: Paths) -> Finding:
    name = "built-in model"
    status = local_weights.status(where)
    if not config.local.enabled:
        return Finding(_AREA, "ok", f"{name}: turned off in config.toml")
    if status.ready:
        return Finding(_AREA, "ok", f"{name}: ready")
    if status.weights is not None and not status.weights_ok:
        return Finding(_AREA, "warning", f"{name}: its weights are damaged.", "convend local install")
    if status.weights_ok:
        return Finding(_AREA, "warning", f"{name}: its program is missing.", "Install convend-tui[local].")
    return Finding(_AREA, "ok", f"{name}: not installed", "If you want it: convend local install")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
