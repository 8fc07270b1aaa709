"""From a thread's settings to a client that can be asked: servers of config.toml, and the built-in model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from convend_tui.config import DEFAULT_BASE_URL, DEFAULT_MODEL, LOCAL_SERVER, Config
from convend_tui.errors import LocalModelError, ModelError, NotConnected
from convend_tui.model.endpoint import Abilities, Endpoint, ModelInfo
from convend_tui.paths import Paths
from convend_tui.thread.records import Settings

if TYPE_CHECKING:
    from convend_tui.model.client import Client
    from convend_tui.model.local import LocalServer
    from convend_tui.model.local_weights import LocalStatus
    from convend_tui.thread.tree import Thread

LOCAL_MAX_TOKENS = 1024
"""The built-in model repeats itself rather than stop; its whole context is 8192 tokens."""

CONNECT_HINT = (
    "No model is connected. Set ANTHROPIC_API_KEY, name a server in config.toml (`convend config --init` writes an "
    "example), or fetch the built-in model with `convend local install`."
)


class Models:
    """All servers that can be asked. Clients are made when first needed and kept."""

    def __init__(self, config: Config, paths: Paths) -> None:
        self.config = config
        self._paths = paths
        self._clients: dict[str, Client] = {}
        self._local: LocalServer | None = None

    def missing(self, wanted: str | None = None) -> str | None:
        """Why nothing could be sent (to `wanted`, or by default), in a sentence; None where it can be tried."""
        try:
            server, _ = self.config.resolve(wanted)
        except NotConnected as error:
            return str(error)
        return self._missing(server)

    def _missing(self, server: str) -> str | None:
        if server != LOCAL_SERVER:
            if self.config.server(server) is None:
                return f"The server “{server}” of this thread is not in config.toml any more. Choose another model."
            return None
        status = self._local_status()
        if status.ready:
            return None
        if status.weights_ok:
            return "The built-in model's program is missing: install `convend-tui[local]`, or connect a server."
        return CONNECT_HINT

    def missing_for(self, settings: Settings) -> str | None:
        """Why nothing could be sent in a thread with these settings; None where it can be tried."""
        return self._missing(settings.server or LOCAL_SERVER)

    def abilities(self, settings: Settings) -> Abilities:
        """What the server of these settings can do."""
        server = self.config.server(settings.server)
        if server is None:
            return Abilities(max_tokens=LOCAL_MAX_TOKENS, documents=False, images=False)
        return Abilities(max_tokens=server.max_tokens, documents=server.documents)

    async def new_settings(self, wanted: str | None = None, system: str | None = None) -> Settings:
        """Settings for a new thread.

        Args:
            wanted: `server/model`, a server, or a model of the first server; None: the default.
            system: the person's system prompt; None: config.toml's.

        Raises:
            NotConnected: config.toml names nothing to ask.
        """
        settings = self.settings(wanted, system)
        server = self.config.server(settings.server)
        if server is not None and not (wanted or self.config.default_model or server.model):
            return msgspec.structs.replace(settings, model=await self._own_default(server.name))
        return settings

    def settings(self, wanted: str | None = None, system: str | None = None) -> Settings:
        """As `new_settings`, without asking the server which models it has.

        Raises:
            NotConnected: config.toml names nothing to ask.
        """
        from convend_tui.ending import tool  # not before the first paint

        name, model = self.config.resolve(wanted)
        server = self.config.server(name)
        words = self.config.system if system is None else system
        if server is None:
            return Settings(server=LOCAL_SERVER, model=model, system=words, ending=False)
        return Settings(
            server=name,
            model=model,
            system=words,
            effort=server.effort,
            thinking=server.thinking,
            ending=self.config.ending.enabled and server.ending,
            tool_version=tool.VERSION,
        )

    async def next_settings(self, thread: Thread, wanted: str | None, default: str | None = None) -> Settings | None:
        """The settings of a thread from its next request on; None: as they are. One that came in where nothing was
        connected gets those of a new chat now.

        Args:
            wanted: the model that the person chose for this thread.
            default: the one for new chats; None: config.toml's.

        Raises:
            NotConnected: there is nothing to ask.
        """
        if not thread.is_provisional:
            return self.with_model(thread.settings, wanted) if wanted else None
        new, own = await self.new_settings(wanted or default), thread.settings
        if wanted is None and new.server == own.server != LOCAL_SERVER:
            return msgspec.structs.replace(new, model=own.model)
        return new

    def next_model(self, thread: Thread | None, wanted: str | None, default: str | None = None) -> tuple[str, str]:
        """Which server and which model the next request of a thread, or of a new chat, goes to; as far as that is known
        without asking. The arguments are those of `next_settings`.

        Raises:
            NotConnected: there is nothing to ask.
        """
        if thread is None or wanted is not None:
            return self.config.resolve(wanted)
        own = thread.settings
        if not thread.is_provisional:
            return own.server, own.model
        server, model = self.config.resolve(default)
        return server, own.model if server == own.server != LOCAL_SERVER else model

    def with_model(self, settings: Settings, wanted: str) -> Settings:
        """The settings of a running thread with another model. What tools and system prompt are made of stays.

        Raises:
            NotConnected: there is no such server.
        """
        name, model = self.config.resolve(wanted)
        server = self.config.server(name)
        return Settings(
            server=name,
            model=model,
            system=settings.system,
            effort=server.effort if server else "auto",
            thinking=server.thinking if server else "auto",
            ending=settings.ending,
            tool_version=settings.tool_version,
        )

    async def client(self, settings: Settings) -> Client:
        """The client for a thread's server. Starts the built-in model; may run a key command.

        Raises:
            ModelError: there is no such server, its key is missing, or the built-in model does not start.
        """
        name = settings.server or LOCAL_SERVER
        if reason := self._missing(name):
            raise NotConnected(reason)
        if name == LOCAL_SERVER:
            return await self._local_client()
        if name not in self._clients:
            server = self.config.server(name)
            assert server is not None
            key = await asyncio.to_thread(server.resolve_key)
            network = self.config.network
            self._clients[name] = _client_of(
                Endpoint(
                    name=name,
                    base_url=server.base_url,
                    key=key,
                    headers=server.resolve_headers(key),
                    ca_bundle=server.ca_bundle,
                    timeout=network.timeout,
                    connect_timeout=network.connect_timeout,
                )
            )
        return self._clients[name]

    def starts_slowly(self, settings: Settings) -> str | None:
        """What to tell the person before `client` is asked, where that takes seconds."""
        runs = self._local is not None and self._local.pid is not None
        if settings.server == LOCAL_SERVER and not runs and self._missing(LOCAL_SERVER) is None:
            return "Starting the local model…"
        return None

    def _local_status(self) -> LocalStatus:
        from convend_tui.model import local_weights  # whoever has a server need not load it for the first paint

        return local_weights.status(self._paths)

    def names(self) -> list[str]:
        """The servers that can be asked, by name; the built-in model last, where it is installed."""
        names = [server.name for server in self.config.servers]
        if self.config.local.enabled and self._local_status().ready:
            names.append(LOCAL_SERVER)
        return names

    async def list_models(self, name: str) -> list[ModelInfo]:
        """The models a server offers, by its own list.

        Raises:
            ModelError: it does not answer.
        """
        if name == LOCAL_SERVER:
            from convend_tui.model import local

            return [ModelInfo(local.MODEL_ID, local.MODEL_NAME)]
        client = await self.client(Settings(server=name, model=""))
        return await client.models()

    async def close(self) -> None:
        """Close all connections and stop the built-in model."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()
        self.stop_local()

    def stop_local(self) -> None:
        """Stop the built-in model's server, if it runs. Does not wait for the event loop."""
        if self._local is not None:
            self._local.stop()

    async def _local_client(self) -> Client:
        if self._local is None:
            from convend_tui.model.local import LocalServer  # late: few need it

            options = self.config.local
            self._local = LocalServer(self._paths, threads=options.threads, context=options.context)
        try:
            end = await self._local.start()
        except LocalModelError as error:
            raise ModelError(str(error), kind="local_model") from error
        known = self._clients.get(LOCAL_SERVER)
        # After a crash and a new start, port and key are others.
        if known is None or known.endpoint.key != end.key:
            known = _client_of(
                Endpoint(name=LOCAL_SERVER, base_url=end.base_url, key=end.key, timeout=600.0, direct=True)
            )
            self._clients[LOCAL_SERVER] = known
        return known

    async def _own_default(self, name: str) -> str:
        """Which model to ask where nobody said: convend's default, unless a server that is not Anthropic's offers
        only others (Ollama, LM Studio, llama.cpp): then its first."""
        server = self.config.server(name)
        assert server is not None
        if urlsplit(server.base_url).netloc == urlsplit(DEFAULT_BASE_URL).netloc:
            return DEFAULT_MODEL
        try:
            async with asyncio.timeout(5):
                offered = [model.id for model in await self.list_models(name)]
        except (ModelError, TimeoutError):
            return DEFAULT_MODEL
        return DEFAULT_MODEL if not offered or DEFAULT_MODEL in offered else offered[0]


def _client_of(endpoint: Endpoint) -> Client:
    # Loaded with all that sending needs, not before the first paint.
    from convend_tui.model.client import Client

    return Client(endpoint)
