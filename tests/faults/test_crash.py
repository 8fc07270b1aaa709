"""Crashes at every step of a turn, an edit, an ending and the rest: nothing that was shown as kept is lost.

`CONVEND_FAULTS=all` tries every byte of every write; without it, some of each.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from convend_tui import config, pending
from convend_tui.errors import Locked
from convend_tui.model import events as e
from convend_tui.paths import Paths
from convend_tui.session import content_of
from convend_tui.store import blobs, drafts, fork
from convend_tui.store.conflicts import merge
from convend_tui.store.library import Library
from convend_tui.store.partial import recover
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests import making
from tests.faults.crashing import Crash, Recorder, kills, power_cuts
from tests.making import SETTINGS, at, paths_in
from tests.referee import Referee, Reply, Text, end_call

ALL = os.environ.get("CONVEND_FAULTS") == "all"
FAST = Path("/dev/shm")
"""A file system in memory: what is tried here is not the disk."""
MOST = 400
"""Power cuts that are tried of one scenario."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="open files are named by /proc")

THEMES = ("textual-light", "nord", "gruvbox")
FIRST, SECOND = "Let us look at the problem instead of calling names.", "I would still like to help you with it."
WARNING = "If the insults go on, I will end this conversation for good."


# What the person had been shown


@dataclass(frozen=True)
class Said:
    """A message that was shown as kept."""

    thread: str
    message: r.Message


@dataclass(frozen=True)
class Ended:
    """A lock that was shown."""

    thread: str
    message: str


@dataclass(frozen=True)
class Typed:
    """Words that are not sent yet, or sent: they are in a draft or in a thread."""

    text: str


@dataclass(frozen=True)
class Record:
    """A line of a thread."""

    thread: str
    line: bytes


@dataclass(frozen=True)
class Attached:
    """Bytes that a message names."""

    sha256: str
    data: bytes


@dataclass(frozen=True)
class Chosen:
    """A choice."""

    theme: str


def lost(paths: Paths, acks: Iterable[object]) -> list[str]:
    """What of all that is not there, or cannot be gone on with. Opens the folder as the next start does."""
    library = Library(paths)
    problems = []
    told = [*recover(library), *merge(library)]
    threads = {}
    for thread_id in library.ids():
        handle = library.open(thread_id)
        threads[thread_id] = handle
    waiting = [drafts.load(paths, place).text for place in _places(paths)]
    for ack in acks:
        match ack:
            case Said(thread, message):
                found = threads[thread].thread.messages.get(message.id) if thread in threads else None
                if found is None or (found.content, found.parent) != (message.content, message.parent):
                    problems.append(f"{ack} is lost; {told}")
            case Ended(thread, message_id):
                if thread not in threads or not lock.may_send(threads[thread].thread, message_id):
                    problems.append(f"{ack} is not in force")
            case Typed(text):
                typed = (r.text_of(m) for h in threads.values() for m in h.thread.messages.values())
                if text not in waiting and text not in typed:
                    problems.append(f"{ack} is lost")
            case Record(thread, line):
                kept = library.file(thread)
                kept = kept if kept.exists() else paths.trash / kept.name
                if not kept.exists() or line not in kept.read_bytes():
                    problems.append(f"{ack} is lost")
            case Attached(sha256, data):
                if blobs.load(paths, sha256) != data:
                    problems.append(f"{ack} is lost")
            case Chosen(theme):
                if config.load_choices(paths).theme not in THEMES[THEMES.index(theme) :]:
                    problems.append(f"{ack} is lost")
    for thread_id, handle in threads.items():
        words = r.Message(
            at=handle.now(), id="f" * 16, parent=None, role="user", kind="typed", content=[making.text("next")]
        )
        handle.append_now([words], lambda thread: lock.require(lock.may_send(thread, None)))
        again = library.open(thread_id)
        if "f" * 16 not in again.thread.messages:
            problems.append(f"the next append to {thread_id} is lost")
        for ended in handle.thread.ended.values():
            if ended.message in again.thread.messages:
                with pytest.raises(Locked):
                    lock.require(lock.may_send(again.thread, ended.message))
    return problems


def _places(paths: Paths) -> Iterator[drafts.Place]:
    yield drafts.NEW
    for file in paths.drafts.glob("*.json") if paths.drafts.is_dir() else ():
        thread, _, rest = file.stem.partition(".")
        kind, _, message = rest.partition("-")
        yield drafts.Place(thread, kind or "whole", message)  # type: ignore[arg-type]


@dataclass
class Figure:
    """What came of it."""

    points: int = 0
    lost: int = 0

    def tell(self, what: str) -> None:
        print(f"\n{what}: {self.points:,} points tried, records lost: {self.lost}")


def survive(crashes: Iterable[Crash], figure: Figure) -> None:
    """Build each folder, open it, and look for what was shown as kept."""
    base = Path(tempfile.mkdtemp(dir=FAST if FAST.is_dir() else None))
    seen: set[tuple[object, ...]] = set()
    try:
        for crash in crashes:
            key = (tuple(sorted(crash.tree.items())), len(crash.acks))
            if hash(key) in seen:
                continue
            seen.add(hash(key))  # type: ignore[arg-type]
            root = base / str(figure.points)
            root.mkdir()
            for path, content in crash.tree.items():
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            problems = lost(paths_in(root), crash.acks)
            figure.points += 1
            figure.lost += len(problems)
            assert not problems, f"{crash.what}: {problems}"
            shutil.rmtree(root)
    finally:
        shutil.rmtree(base, ignore_errors=True)


# What is done


class Person:
    """Does what the screen does: keeps the draft, sends, and forgets the draft once the words are on the disk."""

    def __init__(self, recorder: Recorder, desk: making.Desk) -> None:
        self.recorder = recorder
        self.desk = desk

    def shown(self, message_id: str) -> None:
        self.recorder.ack(Said(self.desk.thread.id, self.desk.thread.messages[message_id]))

    async def follow(self, words: str, turn: Callable[[], AsyncIterator[e.Event]], place: drafts.Place) -> None:
        self.keep(words, place)
        async with aclosing(turn()) as events:  # type: ignore[type-var]
            async for event in events:
                match event:
                    case e.TurnStarted():
                        self.shown(event.message)
                        drafts.save(self.desk.paths, place, drafts.Draft())
                    case e.ReplySaved() | e.TurnEnded():
                        self.shown(event.message)
                        if isinstance(event, e.TurnEnded) and event.locked:
                            self.recorder.ack(Ended(self.desk.thread.id, event.message))

    def keep(self, words: str, place: drafts.Place) -> None:
        drafts.save(self.desk.paths, place, drafts.Draft(text=words))
        self.recorder.ack(Typed(words))

    async def says(self, words: str, *blocks: r.Block) -> None:
        place = drafts.Place(self.desk.thread.id, "end", self.desk.thread.leaf) if self.desk.thread.leaf else drafts.NEW
        await self.follow(
            words, lambda: self.desk.session.send(content_of(words, blocks), self.desk.thread.leaf), place
        )

    async def edits(self, message_id: str, words: str) -> None:
        place = drafts.Place(self.desk.thread.id, "edit", message_id)
        await self.follow(words, lambda: self.desk.session.edit(message_id, content_of(words)), place)

    def writes(self, record: r.Record) -> None:
        self.desk.handle.append_now([record])
        self.recorder.ack(Record(self.desk.thread.id, r.encode(record)))


@asynccontextmanager
async def recording(root: Path, answers: list[object]) -> AsyncIterator[Person]:
    """Someone at a new thread; all that is done to the disk is recorded."""
    root.mkdir()
    async with Referee(answers, opinion=False) as referee:  # type: ignore[arg-type]
        desk = making.desk(referee.base_url, root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(making.KEY_VARIABLE, "test-key")
            await desk.models.client(SETTINGS)  # what importing the SDK does to the disk is not of interest
            patch.setattr(pending, "CHECKPOINT_S", 0.0)
            try:
                yield Person(Recorder(root, patch), desk)
            finally:
                await desk.models.close()


async def a_turn(me: Person) -> None:
    await me.says("A first question")
    block = blobs.attach_bytes(me.desk.paths, "note.txt", b"What was attached.")
    await me.says("A question about a note", block)
    me.recorder.ack(Attached(block["source"]["sha256"], b"What was attached."))


async def an_edit(me: Person) -> None:
    await me.says("A first question")
    first = next(iter(me.desk.thread.messages))
    await me.edits(first, "A better question")
    await me.says("And one below it")


async def an_ending(me: Person) -> None:
    for words in ("you fool", "you silly fool", "you fool of a machine", "you fool, once more"):
        await me.says(words)
    assert me.desk.thread.ended


async def a_broken_answer(me: Person) -> None:
    """The answer breaks off, and the person asks again; then stops one."""
    await me.says("A first question")
    await me.says("A first question")
    turn = me.desk.session.send(content_of("Stop me"), me.desk.thread.leaf)
    async with aclosing(turn) as events:
        async for event in events:
            if isinstance(event, e.TextDelta):
                break
    for message in me.desk.thread.messages.values():
        me.shown(message.id)


async def all_the_rest(me: Person) -> None:
    """Titles, labels, forks, the trash, choices, drafts."""
    await me.says("A first question")
    handle, paths, library = me.desk.handle, me.desk.paths, me.desk.library()
    me.writes(r.Title(at=handle.now(), title="A name"))
    me.writes(r.Label(at=handle.now(), message=handle.thread.leaf or "", label="here"))
    for theme in THEMES:
        config.save_choices(paths, config.Choices(theme=theme))
        me.recorder.ack(Chosen(theme))
    new = fork.fork_tree(library, handle.thread)
    for message in library.open(new).thread.messages.values():
        me.recorder.ack(Said(new, message))
    copy = making.Desk(paths, me.desk.models, library.open(new))
    lines = [Record(new, r.encode(m)) for m in copy.thread.messages.values()]
    me.recorder.ops = [op for op in me.recorder.ops if not (isinstance(op.ack, Said) and op.ack.thread == new)]
    for line in lines:
        me.recorder.ack(line)
    library.trash(new)
    library.untrash(new)
    library.trash(new)


async def a_copy_in_conflict(me: Person) -> None:
    """Lines of a copy are merged."""
    await me.says("A first question")
    copy = me.desk.file.with_name(f"{me.desk.thread.id} (conflicted copy 2026-11-22).jsonl")
    theirs = r.Message(at=at(1), id="e" * 16, parent=None, role="user", content=[making.text("There")], kind="typed")
    copy.write_bytes(me.desk.file.read_bytes() + r.encode(theirs))
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    folder = os.open(copy.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    me.recorder.ack(Said(me.desk.thread.id, theirs))
    assert len(list(merge(me.desk.library()))) == 1


CALL = end_call("persistent_abuse", "The insults went on after a warning.", [FIRST, SECOND], WARNING)
SCENARIOS: dict[str, tuple[Callable[[Person], Awaitable[None]], list[object]]] = {
    "a turn": (a_turn, ["An answer. " * 20, "Another answer."]),
    "an edit": (an_edit, ["An answer.", "A better answer.", "One below it."]),
    "an ending": (an_ending, [FIRST, SECOND, WARNING, Reply((Text("So be it."), CALL)), Reply((Text("Yes."), CALL))]),
    "a broken answer": (
        a_broken_answer,
        [
            Reply((Text("An answer that is never finished. " * 3, chunk=20),), cut_after_events=6),
            "An answer.",
            Reply((Text("And so on. " * 40, chunk=5, rate=400),)),
        ],
    ),
    "all the rest": (all_the_rest, ["An answer."]),
    "a copy in conflict": (a_copy_in_conflict, ["An answer."]),
}


@linux
@pytest.mark.parametrize("name", SCENARIOS)
async def test_nothing_that_was_shown_as_kept_is_lost(tmp_path: Path, name: str) -> None:
    do, answers = SCENARIOS[name]
    async with recording(tmp_path / "home", list(answers)) as me:
        await do(me)
        ops = list(me.recorder.ops)
    assert {"create", "write", "sync", "sync_folder", "ack"} <= {op.kind for op in ops}
    figure = Figure()
    survive(kills(ops, 1 if ALL else 97), figure)
    cuts: list[Crash] = list(power_cuts(ops, 7 if ALL else 211))
    if not ALL and len(cuts) > MOST:
        cuts = random.Random(name).sample(cuts, MOST)
    survive(cuts, figure)
    figure.tell(f"crashes in {name}")


@linux
@pytest.mark.parametrize("missing", ["sync", "sync_folder"])
async def test_the_simulation_finds_what_was_not_synced(tmp_path: Path, missing: str) -> None:
    """It would be worth nothing if it found no defect where there is one."""
    do, answers = SCENARIOS["a copy in conflict"]
    async with recording(tmp_path / "home", list(answers)) as me:
        await do(me)
        ops = [op for op in me.recorder.ops if op.kind != missing]
    with pytest.raises(AssertionError, match="is lost"):
        survive(power_cuts(ops, 999), Figure())
