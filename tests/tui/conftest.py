"""The whole app, as a person meets it: a home folder, a server on a real socket, a screen and a keyboard."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from convend_tui import config, logfile, paths
from convend_tui.model import local_weights
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.tui import screen
from convend_tui.tui.app import ConvendApp
from convend_tui.tui.screen import ChatScreen
from tests import making
from tests.making import Branch
from tests.referee import Partner, ThreadedReferee
from tests.tui.waiting import at_once, until

Json = dict[str, Any]
SIZE = (110, 36)
INSULTS = (
    "insult: useless machine",
    "insult: are you stupid or what",
    "insult: shut up you idiot",
    "insult: go to hell",
)
"""What makes the referee's Partner redirect twice, warn, and end the conversation."""
CONFIG = """
default_model = "referee/{model}"
[[server]]
name = "referee"
base_url = "{url}"
key_env = "REFEREE_KEY"
[network]
retries = {retries}
"""


class Person:
    """Someone at the keyboard of a running app."""

    def __init__(self, app: ConvendApp, pilot: Pilot[None], heard: list[str]) -> None:
        self.app = app
        self.pilot = pilot
        self.heard = heard
        """All notices so far: they pass by, and a slow machine may look too late."""

    @property
    def chat(self) -> ChatScreen:
        """The screen below all dialogs."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, ChatScreen)
        return screen

    @property
    def typed(self) -> str:
        """What is in the composer."""
        return self.chat.composer.text

    @property
    def rows(self) -> list[str]:
        """The screen as plain text, a string a row."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def screen(self) -> str:
        """The screen as plain text."""
        return "\n".join(row.rstrip() for row in self.rows)

    @property
    def words(self) -> str:
        """The text of the transcript, without bars and line breaks."""
        area = self.chat.transcript.region
        rows = [row[area.x : area.right] for row in self.rows[area.y : area.bottom]]
        return " ".join(" ".join(rows).replace("▎", " ").replace("▌", " ").replace("│", " ").split())

    @property
    def told(self) -> list[str]:
        """The notices that pass by."""
        return [notice.message for notice in self.app._notifications]

    @property
    def idle(self) -> bool:
        """Whether no reply is coming in."""
        return self.chat.conversation.turn is None

    async def until(self, predicate: Callable[[], object], timeout: float = 40) -> None:
        """Wait for what is to come true."""
        try:
            await until(self.pilot, lambda: self.app._exception or predicate(), timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}\n{self.told}") from error
        if self.app._exception:
            raise self.app._exception

    async def sees(self, *parts: str) -> None:
        """Wait until all of this stands on the screen; line breaks and frames do not count."""

        def flat() -> str:
            return " ".join(self.screen.replace("│", " ").replace("▎", " ").replace("▌", " ").split())

        await self.until(lambda: all(part in flat() for part in parts))

    async def reads(self, *parts: str) -> None:
        """Wait until all of this stands in the transcript."""
        await self.until(lambda: all(part in self.words for part in parts))

    async def hears(self, part: str) -> None:
        """Wait for a notice with this in it."""
        await self.until(lambda: any(part in sentence for sentence in self.heard))

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        await self.pilot.press(*keys)

    async def writes(self, text: str) -> None:
        """Go to the composer, and put a text into it at once."""
        if self.chat.transcript.has_focus:
            await self.press("i")
        self.chat.composer.load(text)
        await self.pilot.pause()

    async def pastes(self, text: str) -> None:
        """Paste, as a terminal does it, wherever the focus is."""
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()

    async def says(self, *texts: str) -> None:
        """Write and send each text, and wait for its answer."""
        for text in texts:
            before = len(self.chat.conversation.thread.messages) if self.chat.conversation.thread else 0
            await self.writes(text)
            await self.press("enter")
            await self.until(lambda: self.idle and self._more_than(before))  # noqa: B023

    def _more_than(self, count: int) -> bool:
        thread = self.chat.conversation.thread
        return thread is not None and len(thread.messages) > count

    async def reading(self) -> None:
        """Go to the conversation, and wait until letters are commands."""
        if not self.chat.transcript.has_focus:
            await self.press("escape")
        await self.until(lambda: self.chat.transcript.has_focus)
        if math.isinf(self.chat._quiet_until):
            await self.press("k")  # a lock fell on a draft: the first key does nothing
        await self.until(lambda: monotonic() > self.chat._quiet_until)

    async def goes_to(self, part: str) -> None:
        """Focus the newest message on the path that begins with these words, by the keyboard alone."""
        await self.reading()
        await self.press("end")
        transcript = self.chat.transcript
        for _ in range(len(transcript.items) * 20):
            item = transcript.focused_item
            body = getattr(item, "body", None)
            if body is not None and body.source.startswith(part):
                return
            await self.press("up")
        raise AssertionError(f"there is no message with {part!r}\n{self.screen}")

    def thread_file(self) -> Path:
        """The file of the chat that is shown."""
        thread = self.chat.conversation.thread
        assert thread is not None
        return self.app.paths.threads / f"{thread.id}.jsonl"

    def records(self, kind: str) -> list[Json]:
        """The records of one type in that file."""
        lines = [json.loads(line) for line in self.thread_file().open("rb")]
        return [line for line in lines if line["type"] == kind]

    def texts(self) -> list[str]:
        """What was typed, by the file, in its order."""
        typed = [m for m in self.records("message") if m["kind"] == "typed"]
        return ["".join(b.get("text", "") for b in m["content"]) for m in typed]

    @property
    def toasts(self) -> list[Toast]:
        """The notices as widgets."""
        return list(self.app.screen.query(Toast))


class Home:
    """A folder with everything of one installation, and what the environment says."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.paths = making.paths_in(root)
        self._monkeypatch = monkeypatch
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "NO_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CONVEND_HOME", str(root))
        monkeypatch.setenv("REFEREE_KEY", "test-key")
        # Local times on the screen are the ones in the files.
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        # Only whoever asks for the first run of all is given the tour.
        config.save_choices(self.paths, config.Choices(tour=True))
        # Whether the extra `local` is installed must not matter; where it should, the test says so.
        monkeypatch.setattr(local_weights, "server_available", lambda: False)
        making.skip_certificates(monkeypatch)
        at_once(monkeypatch)
        # What a person does not notice a test waits for again and again: the list after the first paint, and the
        # moment after typing in which letters are no commands yet.
        monkeypatch.setattr(screen, "LATER_S", 0.001)
        monkeypatch.setattr(screen, "QUIET_S", 0.1)

    def first_run(self) -> None:
        """Nobody has started convend here yet."""
        (self.paths.state / "choices.toml").unlink()

    def connect(self, referee: ThreadedReferee, *, more: str = "", retries: int = 0) -> None:
        """Name the server in config.toml."""
        self._monkeypatch.setenv("REFEREE_KEY", referee.key)
        self.configure(CONFIG.format(model=making.MODEL, url=referee.base_url, retries=retries) + more)

    def configure(self, text: str) -> None:
        """Write config.toml."""
        self.paths.config_file.write_text(text)

    def key(self, value: str) -> None:
        """Set the key to another."""
        self._monkeypatch.setenv("REFEREE_KEY", value)

    def save(self, branch: Branch, *records: r.Record, name: str = "1", **header: Any) -> str:
        """Write a thread file; returns the thread's id."""
        thread_id = f"20261122T00000{name}-0000000{name}"
        settings = r.Settings(model=making.MODEL, server="referee")
        self.write(thread_id, making.header(settings, id=thread_id, **header), *branch.path, *records)
        return thread_id

    def write(self, thread_id: str, *records: r.Record) -> Path:
        """Write the lines of a thread file."""
        self.paths.threads.mkdir(exist_ok=True)
        file = self.file(thread_id)
        # An older day than any on which the tests run: it is always shown with its date.
        file.write_bytes(b"".join(map(r.encode, records)).replace(b'"2026-11-22T', b'"2025-03-14T'))
        return file

    def file(self, thread_id: str) -> Path:
        """The file of a thread."""
        return self.paths.threads / f"{thread_id}.jsonl"

    @property
    def library(self) -> Library:
        """The library as another process sees it."""
        return Library(self.paths)

    @asynccontextmanager
    async def app(self, size: tuple[int, int] = SIZE) -> AsyncIterator[Person]:
        """The app, started anew, ready for the first key."""
        where = paths.find()
        app = ConvendApp(where, config.load(where))
        app.animation_level = "none"
        heard: list[str] = []
        notify = app.notify

        def listen(message: str, **options: Any) -> None:
            heard.append(message)
            notify(message, **options)

        app.notify = listen  # type: ignore[method-assign]
        async with app.run_test(size=size, notifications=True) as pilot:
            person = Person(app, pilot, heard)
            await person.until(lambda: person.chat.composer.has_focus_within or person.chat.transcript.has_focus)
            listed = set(self.library.ids())
            await person.until(lambda: {row.id for row in person.chat.thread_list._rows} == listed)
            yield person
            await pilot.press("ctrl+q")
            await app.models.close()
            logfile.stop()
        await _threads_end()


async def _threads_end() -> None:
    """What threads were doing when the app ended is done to its end, as `asyncio.run` has it."""
    loop: Any = asyncio.get_running_loop()
    threads, loop._default_executor = loop._default_executor, None
    if threads is not None:
        end = threading.Thread(target=threads.shutdown)
        end.start()
        while end.is_alive():
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def promptly(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits longer for the app than it must."""
    at_once(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in which nothing is connected."""
    return Home(tmp_path, monkeypatch)


@pytest.fixture
def referee() -> Iterator[ThreadedReferee]:
    """A server that refuses what the API refuses and answers by the words in a message, and by `enqueue`."""
    with ThreadedReferee(Partner()) as running:
        yield running


@pytest.fixture
def online(home: Home, referee: ThreadedReferee) -> Home:
    """A home that is connected to the referee."""
    home.connect(referee)
    return home
