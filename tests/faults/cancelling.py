"""Turns that are stopped at any of their suspension points, and by a disk that fails at any of its steps.

A play is one turn against the referee with one fault. What was shown of it by then is compared with what is kept; then
the conversation goes on, in the same session and as another process.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from convend_tui.config import Ending
from convend_tui.ending.policy import Judgement
from convend_tui.errors import Locked, StoreError
from convend_tui.model import events as e
from convend_tui.session import Session, content_of
from convend_tui.store import behind
from convend_tui.store.check import Checker
from convend_tui.store.partial import recover
from convend_tui.thread import lock
from tests import making
from tests.faults.stepping import Stepped, late_threads, listening
from tests.faults.turn_kinds import RETRIED, SETTINGS, Answers, Kind
from tests.referee import ThreadedReferee

ENDS = ("end", "leave", "halt")


class Broken(Exception):
    """The one who reads the events fails."""


@dataclass(frozen=True)
class Fault:
    """What happens in a play, and when; the fault at number 0 never comes."""

    cancel: frozenset[int] = frozenset()
    """Steps at which the task is cancelled."""
    late: bool = False
    """It is cancelled when what it waits for is there, and it has not gone on yet."""
    way: str = ""
    """How the reader leaves after event `after`: close, raise, drop (without closing anything), end (the loop does), or
    leave (both). Or halt: the loop ends at step `after`."""
    after: int = 0
    disk: int = 0
    """The number of the step of the disk that fails."""
    code: int = errno.EIO
    cancelled_then: str = ""
    """Cancelled where the disk fails: `before` it says so, or `after`."""
    slow: bool = False
    """Threads begin late."""


@dataclass
class Shown:
    """What one play came to."""

    events: list[e.Event] = field(default_factory=list)
    steps: int = 0
    disk_steps: int = 0
    cancels: int = 0
    """Cancellations that were asked for while the turn ran."""
    done: int = 0
    outcome: str = ""
    noise: list[str] = field(default_factory=list)
    """Warnings, and what the event loop complained of."""


async def _run(stepped: Stepped) -> None:
    await stepped


# -- a play ------------------------------------------------------------------------------------------------


class Play:
    """One turn with one fault, in a folder of its own."""

    def __init__(self, kind: Kind, fault: Fault, root: Path, server: ThreadedReferee, answers: Answers) -> None:
        self.kind, self.fault, self.server = kind, fault, server
        self.words = f"Words{root.name}."
        answers.play(RETRIED if kind.name == "a retry" else self.words, kind.answers)
        server.problems.clear()
        self.desk = making.desk(server.base_url, root, SETTINGS, retries=2)
        self.desk.models.config = replace(self.desk.models.config, ending=Ending(second_opinion=kind.second_opinion))
        if kind.branch is not None:
            self.desk.handle.append_now(kind.branch().path)
        self.before = set(self.desk.thread.messages)
        self.shown = Shown()
        self._task: asyncio.Task[None] | None = None
        self.session = Session(self.desk.handle, self.desk.models, self.desk.paths, self._ask)
        self._failed = False
        self._reached = asyncio.Event()

    async def _ask(self, judgement: Judgement) -> bool:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return True

    # -- the turn and its fault

    def run(self) -> Shown:
        """Play it in an event loop of its own."""
        gc.freeze()  # what was there before is not looked through again
        with listening(self.shown.noise), late_threads(self.fault.slow), self._failing_disk():
            asyncio.run(self._main())
            behind.finish()
            gc.collect()
        return self.shown

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.shown.noise.append(f"loop: {context}"))
        self._task = asyncio.create_task(_run(Stepped(self._follow(), self._at_step)))
        if self.fault.way in ENDS:
            self._closing = asyncio.create_task(self._close_in_the_end())
            reached = asyncio.create_task(self._reached.wait())
            await asyncio.wait({self._task, reached}, return_when=asyncio.FIRST_COMPLETED)
            return
        await asyncio.wait({self._task})
        self.shown.outcome = self._outcome_of(self._task)
        if self.fault.cancel and self.shown.steps % 2:
            await _quiet()
        await self._go_on()
        await _quiet()
        self._look_at_connections()
        await self.desk.models.close()

    def _look_at_connections(self) -> None:
        """A server that is not listened to any more must know it."""
        for client in self.desk.models._clients.values():
            assert client._sdk is not None
            pool = client._sdk._client._transport._pool  # type: ignore[attr-defined]
            busy = [held for held in pool.connections if not held.is_idle()]
            if busy and self.fault.way != "drop":  # who drops a generator leaves it to Python when it is closed
                self.shown.noise.append(f"connections are left behind: {busy}")

    async def _close_in_the_end(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert self._task is not None
            await asyncio.wait({self._task})
            await self.desk.models.close()

    async def _follow(self) -> None:
        events = self.kind.begin(self.session, self.words)
        if self.fault.way in ("drop", "leave"):
            async for event in events:
                await self._see(event)
            return
        async with aclosing(events):
            async for event in events:
                await self._see(event)
                if self.fault.way == "close" and len(self.shown.events) == self.fault.after:
                    return

    async def _see(self, event: e.Event) -> None:
        self.shown.events.append(event)
        texts = sum(isinstance(event, e.TextDelta) for event in self.shown.events)
        if self.kind.stops and isinstance(event, e.TextDelta) and texts == 2:
            self._cancel()
        if len(self.shown.events) == self.fault.after and self.fault.way != "halt":
            if self.fault.way in ("raise", "drop"):
                raise Broken
            if self.fault.way in ENDS:
                self._reached.set()
                await asyncio.Event().wait()

    def _at_step(self, waits_for: Any) -> None:
        self.shown.steps += 1
        assert self._task is not None
        if self.fault.way == "halt" and self.shown.steps == self.fault.after:
            self._reached.set()
        if self.shown.steps in self.fault.cancel:
            self._cancel_now_or_late(waits_for)
        elif self.fault.cancelled_then == "after" and isinstance(waits_for, asyncio.Future):
            waits_for.add_done_callback(lambda _: self._failed and self._cancel_once())

    def _cancel_now_or_late(self, waits_for: Any) -> None:
        if self.fault.late and isinstance(waits_for, asyncio.Future):
            waits_for.add_done_callback(lambda _: self._cancel())
        else:
            self._cancel()

    def _cancel(self) -> None:
        assert self._task is not None
        self.shown.cancels += self._task.cancel()

    def _cancel_once(self) -> None:
        if not self.shown.cancels:
            self._cancel()

    def _outcome_of(self, task: asyncio.Task[None]) -> str:
        if task.cancelled():
            return "cancelled"
        error = task.exception()
        if error is None:
            return "ended"
        if not isinstance(error, StoreError | Broken):
            raise error
        return type(error).__name__

    @contextmanager
    def _failing_disk(self) -> Iterator[None]:
        folder, number = str(self.desk.paths.threads.parent), 0
        guard = threading.Lock()

        def failing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
            def step(what: Any, *more: Any, **options: Any) -> Any:
                nonlocal number
                place = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)  # noqa: PTH115
                if place.startswith(folder) and not self.shown.outcome:
                    with guard:
                        number += 1
                        mine = number == self.fault.disk
                    self.shown.disk_steps = number
                    if mine:
                        self._fail()
                return real(what, *more, **options)

            return step

        with pytest.MonkeyPatch.context() as patch:
            for name in ("write", "fsync", "replace", "ftruncate", "link", "unlink"):
                patch.setattr(os, name, failing(name, getattr(os, name)))
            yield

    def _fail(self) -> None:
        self._failed = True
        if self.fault.cancelled_then == "before":
            assert self._task is not None
            with suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._cancel)
        raise OSError(self.fault.code, os.strerror(self.fault.code))

    # -- what comes after it

    async def _go_on(self) -> None:
        """Write on, where the person is."""
        handle = self.desk.handle
        if self.kind.name != "a retry" and not self.shown.events:
            # Nobody was told that it is on the disk: it is sent once more.
            last = (await making.events_of(self.kind.begin(self.session, self.words)))[-1]
            assert isinstance(last, e.TurnEnded | e.TurnFailed)
        words = content_of(f"And now? {self.words[::-1]}")
        try:
            found = await making.events_of(self.session.send(words, handle.thread.leaf))
        except Locked:
            assert handle.thread.ended
            last = handle.thread.question_of(str(handle.thread.leaf))
            assert last is not None
            found = await making.events_of(self.session.edit(last.id, words))
        making.ended(found)

    def check(self) -> None:
        """Compare what was shown with what is kept."""
        what = f"{self.kind.name}, {self.fault}, {self.shown.outcome} after {len(self.shown.events)} events"
        try:
            self._check()
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error

    def _check(self) -> None:
        shown = self.shown
        if self.fault.way in ("drop", "leave"):
            # Python closes generators that somebody dropped, the inner ones with the outer ones, all at once.
            shown.noise[:] = [words for words in shown.noise if "is already running" not in words]
        if self.fault.way == "halt":
            # anyio's, of a task that the loop ended before it began
            shown.noise[:] = [words for words in shown.noise if "connect_tcp" not in words]
        assert not shown.noise, shown.noise
        self._check_outcome()
        left = sorted(file.name for file in self.desk.checkpoints())
        told = list(recover(self.desk.library()))
        assert not [word for word in told if "has been brought back" not in word], told
        if not self.fault.disk:
            assert not left and not told, (left, told)
        # The lock of a checkpoint that the disk did not let go of is empty, and nobody's.
        assert not [file for file in self.desk.checkpoints() if not (self._failed and file.suffix == ".lock")]
        started = [event for event in shown.events if isinstance(event, e.TurnStarted)]
        if not self.desk.file.exists():
            assert not started
        else:
            self._check_file()
        self._go_on_elsewhere()
        assert not self.server.problems, self.server.problems
        assert Checker(self.desk.paths).thread(self.desk.thread.id).problems == ()
        self._check_unique()

    def _check_outcome(self) -> None:
        shown = self.shown
        finished = isinstance(shown.events[-1] if shown.events else None, e.TurnEnded | e.TurnFailed)
        assert self._task is not None and self._task.done()
        if self.fault.way in ENDS:
            assert self._task.cancelled() or finished or self._outcome_of(self._task) == "cancelled"
        elif shown.cancels and not self.fault.way:
            assert shown.outcome == "cancelled"
        elif not (self.fault.way or self.fault.disk):
            assert finished and shown.outcome == "ended"

    def _check_unique(self) -> None:
        lines = self.desk.lines()
        ids = [line["id"] for line in lines if line["type"] == "message"]
        assert len(ids) == len(set(ids)), "a message is doubled"
        typed = [str(line["content"]) for line in lines if line.get("kind") == "typed"]
        assert len(typed) == len(set(typed)), f"a question is doubled: {typed}"

    def _check_file(self) -> None:
        lines = self.desk.lines()
        messages = {line["id"]: line for line in lines if line["type"] == "message"}
        verdicts = {line["message"] for line in lines if line["type"] == "verdict"}
        endings = {line["message"] for line in lines if line["type"] == "ended"}
        assert endings <= {key for key, m in messages.items() if m["kind"] == "reply"}, "half a lock"
        thread = self.desk.library().open(self.desk.thread.id).thread
        text: dict[str, str] = {}
        reply = ""
        for event in self.shown.events:
            match event:
                case e.TurnStarted():
                    assert event.message in messages, "the question is lost"
                case e.ReplyStarted():
                    reply = event.message
                case e.TextDelta():
                    text[reply] = text.get(reply, "") + event.text
                case e.ReplySaved():
                    assert messages[event.message]["kind"] == "reply"
                case e.VerdictGiven():
                    assert reply in verdicts
                    assert event.outcome != "ended" or reply in endings
                case e.TurnEnded(locked=True):
                    assert event.message in endings
                    assert lock.may_send(thread, event.message)
        for message, words in text.items():
            assert message in messages, f"{words!r} is lost"
            kept = "".join(block.get("text", "") for block in messages[message]["content"])
            assert kept.startswith(words), f"of {words!r} only {kept!r} is kept"
            assert messages[message]["kind"] in ("reply", "partial")
        for message in endings:
            assert lock.may_send(thread, message)

    def _go_on_elsewhere(self) -> None:
        """As another process does."""
        if not self.desk.file.exists():
            return
        other = self.desk.other()
        other.models = making.models_of(self.server.base_url, other.paths)
        with listening(self.shown.noise):
            asyncio.run(_write_on(other, f"From elsewhere {self.words[::-1]}"))
        assert not self.shown.noise, self.shown.noise


async def _write_on(desk: making.Desk, words: str) -> None:
    leaf = desk.thread.leaf
    if lock.may_send(desk.thread, leaf):
        question = desk.thread.question_of(str(leaf))
        assert question is not None
        making.ended(await making.events_of(desk.session.edit(question.id, content_of(words))))
    else:
        making.ended(await desk.say(words))
    await desk.models.close()


async def _quiet() -> None:
    """Wait for what a turn has left to finish by itself."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
        done, _ = await asyncio.wait(others, timeout=30)
        assert done, f"tasks are left behind: {others}"
