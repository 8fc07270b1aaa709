"""Kinds of turns, with what the server answers in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from convend_tui.model import events as e
from convend_tui.session import Session, content_of
from convend_tui.thread import records as r
from tests import making
from tests.engine.ending_stage import FIRST, SECOND, WARNING, call, calling, request
from tests.referee import HttpError, Reply, Text, Thinking
from tests.referee.script import Answer, Json

Events = AsyncGenerator[e.Event, None]
LONG = Reply([Text("One two three four five six seven.", chunk=5)])
PLEASE = "Please end this conversation now"
SETTINGS = r.Settings(model=making.MODEL, server="referee", ending=True, tool_version=2)


@dataclass(frozen=True)
class Kind:
    """A kind of turn: what stands before it, how it begins, and what the server answers."""

    name: str
    begin: Callable[[Session, str], Events]
    """Given the session and the words, which no other turn has."""
    answers: tuple[Answer, ...]
    branch: Callable[[], making.Branch] | None = None
    second_opinion: bool = False
    stops: bool = False
    """The person stops it at the second piece of its text."""


def _talked() -> making.Branch:
    return making.Branch().typed("Hello").reply("Hello to you.").typed("A question").reply("An answer.")


def _warned() -> making.Branch:
    branch = making.Branch()
    for typed, answer in (("you fool", FIRST), ("you silly fool", SECOND), ("you fool of a machine", WARNING)):
        branch.typed(typed).reply(answer)
    return branch


def _below(parent: str | None) -> Callable[[Session, str], Events]:
    return lambda session, words: session.send(content_of(words), parent)


AT_ROOT, TALKED, WARNED = _below(None), _below("m0004"), _below("m0006")
RETRIED = "A question"
IN_PIECES = Reply([Thinking("Hm.", display="summarized"), Text("One two three four five.", chunk=5, rate=2000)])

KINDS = (
    Kind("a first message", AT_ROOT, (LONG,)),
    Kind(
        "a message under other settings",
        lambda s, words: s.send(content_of(words), "m0004", replace_settings(s)),
        (LONG,),
        _talked,
    ),
    Kind("an answer in pieces", TALKED, (IN_PIECES,), _talked),
    Kind("an edit", lambda s, words: s.edit("m0003", content_of(words)), (LONG,), _talked),
    Kind("a retry", lambda s, words: s.retry("m0004"), (LONG,), _talked),
    Kind("a message above the end", _below("m0002"), (LONG,), _talked),
    Kind("an ending after a warning", WARNED, (calling(call()), calling(call(), words="I am sure.")), _warned),
    Kind(
        "an ending with a second opinion",
        WARNED,
        (calling(call()), calling(call(), words="I am sure.")),
        _warned,
        second_opinion=True,
    ),
    Kind(
        "an ending at the person's own request",
        lambda s, words: s.send(content_of(f"{words} {PLEASE}"), "m0004"),
        (calling(request(PLEASE)), calling(request(PLEASE), words="I am sure.")),
        _talked,
    ),
    Kind("a call that is declined", TALKED, (calling(call()), calling(call()), LONG), _talked),
    Kind("a turn with retries", TALKED, (HttpError(529, "overloaded_error", "Overloaded"),) * 2 + (LONG,), _talked),
    Kind("an answer that is stopped", TALKED, (IN_PIECES,), _talked, stops=True),
    Kind("an answer that breaks off", TALKED, (replace(LONG, cut_after_events=6),), _talked),
)


def replace_settings(session: Session) -> r.Settings:
    """Other settings than the thread has."""
    old = session.handle.thread.settings
    return r.Settings(
        model=old.model, server=old.server, system="Be brief.", ending=old.ending, tool_version=old.tool_version
    )


class Answers:
    """The script of the referee: what to answer is told by the words that were typed last."""

    def __init__(self) -> None:
        self._turns: dict[str, tuple[Answer, ...]] = {}
        self._asked: Counter[str] = Counter()

    def play(self, words: str, answers: tuple[Answer, ...]) -> None:
        """What is answered in a turn to these words, request by request; the last one again and again."""
        self._turns = {words: answers}
        self._asked.clear()

    def __call__(self, body: Json) -> Answer:
        typed = next(words for message in reversed(body["messages"]) if (words := _typed(message)))
        words = next((known for known in self._turns if known in typed), None)
        if words is None:
            return "Let us go on."
        answers = self._turns[words]
        self._asked[words] += 1
        return answers[min(self._asked[words], len(answers)) - 1]


def _typed(message: Json) -> str:
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    return texts[-1] if texts and message["role"] == "user" else ""
