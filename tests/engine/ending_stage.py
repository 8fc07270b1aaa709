"""A stage for the cases of an ending: a thread, the referee, and a script of answers that may do something first."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convend_tui.config import Ending
from convend_tui.ending.policy import Judgement
from convend_tui.model import events as e
from convend_tui.session import Session, content_of
from convend_tui.store import blobs
from convend_tui.thread import records as r
from tests import making
from tests.making import Desk, events_of
from tests.referee import Referee, Reply, Text, ToolUse, end_call, opinion, wants_structure
from tests.referee.script import Answer

Json = dict[str, Any]
Step = Answer | Callable[[], Awaitable[Answer]]

INSULTS = ("you fool", "you silly fool", "you fool of a machine", "you fool, once more")
FIRST = "Let us look at the problem instead of calling names."
SECOND = "I would still like to help you with the script."
WARNING = "If the insults go on, I will end this conversation for good."


def call(**other: Any) -> ToolUse:
    """A call of end_conversation with everything in it, but for what `other` changes."""
    given: Json = {"redirections": [FIRST, SECOND], "warning": WARNING, "request": "", "cause": "persistent_abuse"}
    given |= other
    return end_call(explanation="The insults went on after a warning.", **given)


def request(words: str) -> ToolUse:
    """A call at the person's own request."""
    return call(cause="user_request", redirections=[], warning="", request=words)


@dataclass
class Stage:
    """Plays one case."""

    desk: Desk
    referee: Referee
    root: Path
    answers: deque[Step] = field(default_factory=deque)
    opinions: deque[Answer] = field(default_factory=deque)
    """Answers to requests for a second opinion; where there is none, nobody is at risk."""
    willing: bool | None = None
    """What the person says when asked; None: nobody can be asked."""
    asked: list[Judgement] = field(default_factory=list)
    while_asked: Callable[[], Awaitable[None]] | None = None
    """What happens while the question is open."""
    events: list[e.Event] = field(default_factory=list)

    async def answer(self, body: Json) -> Answer:
        if wants_structure(body):
            return self.opinions.popleft() if self.opinions else opinion(False)
        step = self.answers.popleft()
        return await step() if callable(step) else step

    def session(self) -> Session:
        async def ask(judgement: Judgement) -> bool:
            self.asked.append(judgement)
            if self.while_asked is not None:
                await self.while_asked()
            return self.willing is True

        return Session(self.desk.handle, self.desk.models, self.desk.paths, None if self.willing is None else ask)

    async def say(self, words: str, *answers: Step, parent: str | None = "leaf", files: tuple[str, ...] = ()) -> str:
        """A turn with these answers; returns the id of what was typed. `files` are texts to attach."""
        self.answers.extend(answers)
        below = self.desk.thread.leaf if parent == "leaf" else parent
        content = content_of(words, [self.attach(text) for text in files])
        self.events = await events_of(self.session().send(content, below))
        started = self.events[0]
        assert isinstance(started, e.TurnStarted)
        return started.message

    async def edit(self, message: str, words: str, *answers: Step) -> None:
        """A new branch beside a typed message."""
        self.answers.extend(answers)
        self.events = await events_of(self.session().edit(message, content_of(words)))

    async def insulted(self, *answers: str) -> list[str]:
        """As many insults as answers; returns the ids of the insults."""
        return [await self.say(words, text) for words, text in zip(INSULTS, answers, strict=False)]

    async def warned(self) -> list[str]:
        """Two redirections and a warning."""
        return await self.insulted(FIRST, SECOND, WARNING)

    def attach(self, text: str) -> r.Block:
        file = self.root / f"note{len(text)}.txt"
        file.write_text(text)
        return blobs.attach(self.desk.paths, file)

    async def elsewhere(self, words: str) -> None:
        """Another process types something at the root of the same thread."""
        other = self.desk.other().handle
        other.append_now(
            [
                r.Message(
                    at=other.now(), id="f" * 16, parent=None, role="user", kind="typed", content=[making.text(words)]
                )
            ]
        )

    # -- what came of it

    @property
    def told(self) -> list[str]:
        """The outcomes that anybody was told."""
        return [event.outcome for event in self.events if isinstance(event, e.VerdictGiven) and not event.private]

    def outcome(self) -> str:
        """What happened, by the thread's file, in the words of the README."""
        lines = self.desk.lines()
        if any(line["type"] == "ended" for line in lines):
            return "ends"
        verdicts = [line for line in lines if line["type"] == "verdict"]
        if not verdicts:
            return "is no call, and goes on"
        if verdicts[-1].get("private"):
            return "goes on, and nobody is told"
        return (
            "is declined, and goes on" if verdicts[-1]["outcome"] == "declined" else "is to be confirmed, and goes on"
        )


@asynccontextmanager
async def stage(
    root: Path, *, second_opinion: bool = True, ending: bool = True, server: Json | None = None
) -> AsyncIterator[Stage]:
    """An empty thread, a referee that has nothing to object to in the end, and nothing left unsaid."""
    played: list[Stage] = []

    async def script(body: Json) -> Answer:
        return await played[0].answer(body)

    async with Referee(script) as referee:
        settings = replace_settings(ending)
        desk = making.desk(referee.base_url, root, settings, **(server or {}))
        desk.models.config = replace(desk.models.config, ending=Ending(second_opinion=second_opinion))
        played.append(Stage(desk, referee, root))
        try:
            yield played[0]
        finally:
            await desk.models.close()
        referee.assert_clean()
        assert not played[0].answers, "answers that were not asked for"


def replace_settings(ending: bool) -> r.Settings:
    """The settings of a new thread."""
    return r.Settings(model=making.MODEL, server="referee", ending=ending, tool_version=2)


def calling(*calls: ToolUse, words: str = "That is it.", **options: Any) -> Reply:
    """A reply with a call."""
    return Reply([Text(words), *calls], **options)
