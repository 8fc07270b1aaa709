"""A turn stopped at any of its suspension points, and by a disk that fails at any of its steps: nothing that was shown
is lost, nothing is doubled, nothing is left lying, and one can go on.

`CONVEND_FAULTS=all` takes every point, with threads that begin late as well; without it, some of each.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import os
import random
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convend_tui import pending
from convend_tui.ending.policy import Judgement
from convend_tui.errors import StoreError
from convend_tui.judging import Unread
from convend_tui.model import events as e
from convend_tui.session import Session, content_of
from convend_tui.store import behind
from convend_tui.store.library import Library
from convend_tui.store.log import LogFile
from convend_tui.store.partial import recover
from convend_tui.thread import records as r
from tests import making
from tests.engine.ending_stage import calling, request
from tests.faults.cancelling import Fault, Play, Shown
from tests.faults.test_slow_disk import Slow
from tests.faults.turn_kinds import KINDS, LONG, PLEASE, Answers, Kind
from tests.referee import Reply, Text, ThreadedReferee
from tests.referee.script import Answer

pytestmark = [
    pytest.mark.usefixtures("plain_http"),
    pytest.mark.skipif(sys.platform != "linux", reason="open files are named by /proc"),
]
ALL = os.environ.get("CONVEND_FAULTS") == "all"
SOME = 4
"""Faults that are played of a kind of turn, where not all are."""
WAYS = ("close", "raise", "drop", "end", "leave")

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers()


@pytest.fixture(scope="module")
def server(answers: Answers) -> Iterator[ThreadedReferee]:
    with ThreadedReferee(answers, opinion=False) as running:
        yield running
    gc.unfreeze()


@pytest.fixture
def played(
    tmp_path: Path, server: ThreadedReferee, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Kind, Fault], Shown]:
    """Plays a turn with a fault, and looks at what came of it."""

    async def pause(seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("convend_tui.session.pause", pause)

    def play(kind: Kind, fault: Fault) -> Shown:
        root = tmp_path / f"{next(_numbers)}x"
        root.mkdir()
        playing = Play(kind, fault, root, server, answers)
        playing.run()
        playing.check()
        return playing.shown

    return play


def cancels(shown: Shown) -> Iterator[Fault]:
    """Once and twice, at each of its steps."""
    for step in range(1, shown.steps + 1):
        for late in (False, True):
            yield Fault(cancel=frozenset({step}), late=late)
            yield Fault(cancel=frozenset({step, step + 1}), late=late)


def leavings(shown: Shown) -> Iterator[Fault]:
    """The reader goes, or the event loop ends, after each event; and the loop at each step."""
    for event, way in itertools.product(range(1, len(shown.events) + 1), WAYS):
        yield Fault(way=way, after=event)
    for step in range(1, shown.steps + 1):
        yield Fault(way="halt", after=step)


def disks(shown: Shown) -> Iterator[Fault]:
    """The disk fails at each of its steps, while nothing else happens or the turn is stopped."""
    for step, then in itertools.product(range(1, shown.disk_steps + 1), ("", "before", "after")):
        yield Fault(disk=step, code=errno.EIO if step % 2 else errno.ENOSPC, cancelled_then=then)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_turn_that_is_stopped_anywhere(kind: Kind, played: Callable[[Kind, Fault], Shown]) -> None:
    whole = played(kind, Fault())
    assert whole.steps > 5 and len(whole.events) > 3 and whole.disk_steps > 3
    faults = [*cancels(whole), *leavings(whole), *disks(whole)]
    if ALL:
        faults += [replace(fault, slow=True) for fault in faults]
    else:
        faults = random.Random(kind.name).sample(faults, SOME)
    for fault in faults:
        played(kind, fault)
    print(f"\n{kind.name}: {len(faults):,} points played ({whole.steps} steps, {len(whole.events)} events)")


# -- stopped while it is written -----------------------------------------------------------------------------


class Writing:
    """Who writes a message of one kind is stopped before the write is done; then it is done, or fails."""

    def __init__(self, kind: str, patch: pytest.MonkeyPatch, fails: Exception | None = None) -> None:
        self.task: asyncio.Task[None] | None = None
        self._kind, self._fails = kind, fails
        self._gate = threading.Event()
        self._stopped = False
        patch.setattr(LogFile, "append", self._held(LogFile.append))
        patch.setattr(LogFile, "create", self._held(LogFile.create))

    def go_on(self) -> None:
        self._gate.set()

    async def stops(self, turn: AsyncGenerator[e.Event, None]) -> list[e.Event]:
        """Runs the turn until it is stopped; what was shown of it."""
        shown: list[e.Event] = []

        async def follow() -> None:
            async with aclosing(turn) as events:
                async for event in events:
                    shown.append(event)

        self.task = asyncio.create_task(follow())
        await asyncio.wait({self.task})
        assert self.task.cancelled()
        return shown

    def _held(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(log: LogFile, records: Sequence[r.Record], *more: Any) -> Any:
            if not self._stopped and any(isinstance(one, r.Message) and one.kind == self._kind for one in records):
                self._stopped = True
                assert self.task is not None
                self.task.get_loop().call_soon_threadsafe(self.task.cancel)
                assert self._gate.wait(60)
                if self._fails is not None:
                    raise self._fails
            return real(log, records, *more)

        return write


@asynccontextmanager
async def at_the_desk(root: Path, *answers: Answer) -> AsyncIterator[making.Desk]:
    """A thread of two messages, and a referee that has nothing to object to."""
    with ThreadedReferee(answers, opinion=False) as server:
        desk = making.desk(server.base_url, root)
        desk.handle.append_now(making.Branch().typed("A question").reply("An answer.").path)
        yield desk
        await desk.models.close()
        server.assert_clean()


async def test_a_reply_that_is_stopped_while_it_is_written_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_desk(tmp_path, LONG) as desk:
        writing = Writing("reply", monkeypatch)
        shown = await writing.stops(desk.session.send(content_of("Hello"), desk.thread.leaf))
        writing.go_on()
        await desk.handle.settled()
    assert [line["kind"] for line in desk.lines()[3:]] == ["typed", "reply"]
    assert making.answer_of(shown) == r.text_of(desk.thread.path(desk.thread.leaf)[-1])
    assert not desk.checkpoints()


@pytest.mark.parametrize(
    "fails", [StoreError("The disk is full."), Unread("Something was typed.")], ids=["disk", "rule"]
)
async def test_a_reply_that_is_stopped_while_it_is_written_and_cannot_be_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Exception
) -> None:
    monkeypatch.setattr(pending, "CHECKPOINT_S", 3600.0)
    async with at_the_desk(tmp_path, LONG) as desk:
        writing = Writing("reply", monkeypatch, fails)
        shown = await writing.stops(desk.session.send(content_of("Hello"), desk.thread.leaf))
        writing.go_on()
        await desk.handle.settled()
        await asyncio.sleep(0)
        await desk.handle.settled()
    behind.finish()
    list(recover(desk.library()))
    kept = desk.other().thread
    assert [message.kind for message in kept.path(kept.leaf)[2:]] == ["typed", "partial"]
    assert making.answer_of(shown) == r.text_of(kept.messages[str(kept.leaf)]) != ""
    assert not desk.checkpoints()


@pytest.mark.parametrize("parent", [None, "m0002"], ids=["first", "further"])
async def test_a_question_that_is_stopped_while_it_is_written_and_sent_again_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str | None
) -> None:
    async with at_the_desk(tmp_path, LONG, "Yes.") as desk:
        if parent is None:
            desk.handle = desk.library().new(making.SETTINGS)
        session = desk.session
        writing = Writing("typed", monkeypatch)
        assert not await writing.stops(session.send(content_of("Hello"), parent))
        again = asyncio.create_task(making.events_of(session.send(content_of("Hello"), parent)))
        for _ in range(5):
            await asyncio.sleep(0)
        writing.go_on()
        making.ended(await again)
        # What is changed is another question, and the same words later on are, too.
        await desk.say("Hello")
    typed = [line for line in desk.lines() if line.get("kind") == "typed" and line["content"] == content_of("Hello")]
    assert len(typed) == 2
    assert [line["parent"] for line in typed] == [parent, again.result()[-1].message]


@pytest.mark.parametrize("rounds", range(8))
def test_an_answer_is_kept_where_the_loop_ends_while_it_is_being_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    monkeypatch.setattr(pending, "CHECKPOINT_S", 3600.0)
    shown: list[str] = []

    async def follow(desk: making.Desk, reached: asyncio.Event) -> None:
        async with aclosing(desk.session.send(content_of("Hello"), None)) as events:
            async for event in events:
                if isinstance(event, e.TextDelta):
                    shown.append(event.text)
                if len(shown) == 3:
                    reached.set()
                    await asyncio.Event().wait()

    async def main(desk: making.Desk) -> None:
        reached = asyncio.Event()
        task = asyncio.create_task(follow(desk, reached))
        await reached.wait()
        task.cancel()
        for _ in range(rounds):
            await asyncio.sleep(0)

    with ThreadedReferee([LONG], opinion=False) as server:
        desk = making.desk(server.base_url, tmp_path)
        asyncio.run(main(desk))
    behind.finish()
    assert desk.lines()[-1]["kind"] == "partial"
    assert desk.lines()[-1]["content"] == [making.text("".join(shown))]


async def test_stopped_while_the_person_is_asked_nothing_is_written_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def ask(_: Judgement) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    calls = [calling(request(PLEASE)), calling(request(PLEASE), words="I am sure.")]
    async with at_the_desk(tmp_path, *calls) as desk:
        session = Session(desk.handle, desk.models, desk.paths, ask)
        turn = asyncio.create_task(making.events_of(session.send(content_of(PLEASE), desk.thread.leaf)))
        await asked.wait()
        with monkeypatch.context() as patched:
            slow = Slow(tmp_path, patched)
            slow.go_on()
            turn.cancel()
            await asyncio.wait({turn})
        assert turn.cancelled()
    assert not slow.on_the_loop, slow.on_the_loop[0]
    assert desk.lines()[-1]["kind"] == "partial" and not desk.checkpoints()


async def test_a_write_that_is_done_does_not_wait_on_the_loop_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a slow disk two writes are on their way, as when somebody was stopped: the second has the file."""
    second, gate = threading.Event(), threading.Event()
    append, write = LogFile.append, LogFile._write
    waited: list[bool] = []

    def first_waits(log: LogFile, records: Sequence[r.Record], *more: Any) -> Any:
        found = append(log, records, *more)
        if records[0].label == "first":  # type: ignore[union-attr]
            second.wait(30)
        return found

    def second_waits(log: LogFile, fd: int, data: bytes, end: int) -> None:
        if b'"second"' in data:
            second.set()
            waited.append(gate.wait(5))
        write(log, fd, data, end)

    monkeypatch.setattr(LogFile, "append", first_waits)
    monkeypatch.setattr(LogFile, "_write", second_waits)
    handle = Library(making.paths_in(tmp_path)).new(making.SETTINGS)
    handle.append_now(making.Branch().typed("Hello").path)
    names = ("first", "second")
    labels = [r.Label(at=handle.now(), message="m0001", label=name) for name in names]
    one, other = (asyncio.create_task(handle.append([label])) for label in labels)
    await one
    gate.set()
    await other
    assert waited == [True]


async def test_stopped_before_the_first_word_the_server_is_left(tmp_path: Path) -> None:
    """It would go on answering, at the person's cost, for as long as the connection is kept."""
    slowly = Reply([Text("One two three. " * 40, rate=100.0, chunk=5)])
    async with at_the_desk(tmp_path, slowly) as desk:
        turn = desk.session.send(content_of("Hello"), desk.thread.leaf)
        async for event in turn:
            if isinstance(event, e.ReplyStarted):
                break
        await turn.aclose()
        sdk = (await desk.models.client(desk.thread.settings))._sdk
        assert sdk is not None
        assert not sdk._client._transport._pool.connections  # type: ignore[attr-defined]
