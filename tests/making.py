"""What the tests of the core are made of: records, threads, and a session against the referee."""

from __future__ import annotations

import itertools
import json
import ssl
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from convend_tui.config import Config, Network, Server
from convend_tui.model import events as e
from convend_tui.model.connect import Models
from convend_tui.paths import Paths
from convend_tui.session import Session, content_of
from convend_tui.store import behind
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

KEY_VARIABLE = "CONVEND_TEST_KEY"
MODEL = "claude-sonnet-5-5"
SETTINGS = r.Settings(model=MODEL, server="referee")


def at(number: int) -> str:
    """The time of record `number`: later for greater numbers."""
    return f"2026-11-22T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"


def text(words: str) -> r.Block:
    return {"type": "text", "text": words}


def call(number: str = "1", name: str = "end_conversation", **given: Any) -> r.Block:
    """A tool_use block."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def result(number: str = "1", words: str = "Go on.", **more: Any) -> r.Block:
    """The tool_result block of `call(number)`."""
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": words} | more


class Branch:
    """A path of messages in the making, each below the one before."""

    def __init__(self) -> None:
        self.path: list[r.Message] = []
        self._numbers = itertools.count(1)

    def add(self, role: r.Role, kind: str, *content: r.Block | str, **more: Any) -> Branch:
        number = next(self._numbers)
        blocks = [text(block) if isinstance(block, str) else block for block in content]
        parent = self.path[-1].id if self.path else None
        message = r.Message(
            at=at(number), id=f"m{number:04d}", parent=parent, role=role, content=blocks, kind=kind, **more
        )
        self.path.append(message)
        return self

    def typed(self, *content: r.Block | str) -> Branch:
        return self.add("user", "typed", *content)

    def guard(self, *content: r.Block) -> Branch:
        return self.add("user", "guard", *content)

    def reply(self, *content: r.Block | str, stop: str | None = None, kind: str = "reply", **more: Any) -> Branch:
        called = any(isinstance(block, dict) and block["type"] == "tool_use" for block in content)
        reason = stop or ("tool_use" if called else "end_turn")
        return self.add("assistant", kind, *content, stop_reason=reason, **more)

    @property
    def last(self) -> str:
        return self.path[-1].id

    def thread(self, settings: r.Settings = SETTINGS, *records: r.Record) -> Thread:
        return Thread(header(settings), [*self.path, *records])


def header(settings: r.Settings = SETTINGS, **more: Any) -> r.Header:
    given = {"at": at(0), "id": "20261122T000000-00000000", "format": r.FORMAT} | more
    return r.Header(settings=settings, **given)


def paths_in(root: Path) -> Paths:
    """All of an installation in one folder, as CONVEND_HOME has it."""
    return Paths(root / "config.toml", root, root / "cache", root / "state")


def models_of(base_url: str, paths: Paths, *, retries: int = 0, timeout: float = 20.0, **server: Any) -> Models:
    """The models of one server named `referee`, whose key stands in KEY_VARIABLE."""
    given = {"name": "referee", "base_url": base_url, "key_env": KEY_VARIABLE, "model": MODEL} | server
    config = Config(servers=(Server(**given),), network=Network(retries=retries, timeout=timeout))
    return Models(config, paths)


def skip_certificates(patch: pytest.MonkeyPatch) -> None:
    """Clients of plain HTTP: reading the certificates, once for every one of them, takes longer than a short turn."""
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    patch.setattr(httpcore2, "default_ssl_context", lambda **_: trusted)


@dataclass
class Desk:
    """A thread, a server, and the session between them."""

    paths: Paths
    models: Models
    handle: ThreadHandle

    @property
    def session(self) -> Session:
        return Session(self.handle, self.models, self.paths)

    @property
    def thread(self) -> Thread:
        return self.handle.thread

    @property
    def file(self) -> Path:
        return self.paths.threads / f"{self.thread.id}.jsonl"

    def lines(self) -> list[dict[str, Any]]:
        """The records of the thread's file, as JSON."""
        return [json.loads(line) for line in self.file.read_bytes().splitlines()]

    def checkpoints(self) -> list[Path]:
        """What is left of answers that were coming in, once the disk has done all it was given."""
        behind.finish()
        return list(self.paths.partial.glob("*"))

    def library(self) -> Library:
        return Library(self.paths)

    def other(self) -> Desk:
        """The same thread, opened by another process."""
        return Desk(self.paths, self.models, self.library().open(self.thread.id))

    async def say(self, words: str, parent: str | None = "leaf", settings: r.Settings | None = None) -> list[e.Event]:
        """Send below `parent`, by default at the thread's leaf, and wait for the end of the turn."""
        below = self.thread.leaf if parent == "leaf" else parent
        return await events_of(self.session.send(content_of(words), below, settings))


def desk(base_url: str, root: Path, settings: r.Settings = SETTINGS, **options: Any) -> Desk:
    """A new thread against the server at `base_url`."""
    paths = paths_in(root)
    return Desk(paths, models_of(base_url, paths, **options), Library(paths).new(settings))


async def events_of(turn: AsyncGenerator[e.Event, None]) -> list[e.Event]:
    return [event async for event in turn]


def ended(events: Sequence[e.Event]) -> e.TurnEnded:
    """The end of a turn that went well."""
    assert isinstance(events[-1], e.TurnEnded), events[-1]
    return events[-1]


def failed(events: Sequence[e.Event]) -> e.TurnFailed:
    """The end of a turn that failed."""
    assert isinstance(events[-1], e.TurnFailed), events[-1]
    return events[-1]


def answer_of(events: Sequence[e.Event]) -> str:
    """All text that streamed."""
    return "".join(event.text for event in events if isinstance(event, e.TextDelta))
