"""A case of an ending: a row of the README's table, and how it is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from convend_tui.model import events as e
from convend_tui.session import content_of
from convend_tui.thread import records as r
from tests.engine.ending_stage import INSULTS, Stage

ENDS = "ends"
DECLINED = "is declined, and goes on"
SILENT = "goes on, and nobody is told"
IGNORED = "is no call, and goes on"
UNCONFIRMED = "is to be confirmed, and goes on"

AND = "Let us go on, then."
LAST = INSULTS[-1]
WISH = "Please end this conversation."
DESPAIR = "I want to die."


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    group: str
    name: str
    outcome: str
    play: Callable[[Stage], Awaitable[object]]
    options: dict[str, Any] = field(default_factory=dict)


class Cases(list[Case]):
    """Cases in their order; called, it adds one."""

    def __call__(self, group: str, name: str, outcome: str, **options: Any) -> Callable[[Any], Any]:
        """Add a case: a function that plays it."""

        def add(play: Callable[[Stage], Awaitable[object]]) -> Callable[[Stage], Awaitable[object]]:
            self.append(Case(group, name, outcome, play, options))
            return play

        return add


async def goes_on(stage: Stage) -> None:
    """After every decline the conversation goes on, and the next request is accepted."""
    await stage.say("And now?", "Now we talk about foxes.")
    assert isinstance(stage.events[-1], e.TurnEnded)
    assert not stage.events[-1].locked


async def is_locked(stage: Stage) -> None:
    """After an ending: nothing is sent below it, and an earlier message can be edited."""
    from convend_tui.errors import Locked

    (ended,) = stage.desk.thread.ended
    asked, before = len(stage.referee.requests), stage.desk.file.read_bytes()
    for turn in (stage.session().send(content_of("hello?"), ended), stage.session().retry(ended)):
        try:
            async for _ in turn:
                pass
        except Locked:
            continue
        raise AssertionError("the lock did not hold")
    assert (len(stage.referee.requests), stage.desk.file.read_bytes()) == (asked, before)
    question = stage.desk.thread.question_of(ended)
    assert question is not None
    assert r.is_question(question)
    await stage.edit(question.id, "I am sorry.", "Thank you. Where were we?")
    assert isinstance(stage.events[-1], e.TurnEnded)
    assert not stage.events[-1].locked
