"""Calls of end_conversation, and how they are judged."""

from __future__ import annotations

from typing import Any

from convend_tui.ending.policy import Judgement, judge
from convend_tui.thread import records as r
from tests.making import Branch, call

FIRST = "Let us look at the problem instead of calling names."
SECOND = "I would still like to help with this, whatever was said."
WARNING = "If the insults go on, I will end this conversation for good."


def quoting(number: str = "1", **other: Any) -> r.Block:
    """A call with everything in it, but for what `other` changes."""
    given: dict[str, Any] = {
        "cause": "persistent_abuse",
        "explanation": "The insults went on.",
        "redirections": [FIRST, SECOND],
        "warning": WARNING,
        "request": "",
    }
    return call(number, **(given | other))


def abused(first: str = FIRST, second: str = SECOND, warning: str = WARNING) -> Branch:
    """Redirection, redirection, warning, and one more insult."""
    branch = Branch().typed("fool").reply(first).typed("fool!").reply(second)
    return branch.typed("fool!!").reply(warning).typed("fool!!!")


def judged(branch: Branch, **options: Any) -> Judgement:
    found = judge(branch.path, **options)
    assert found is not None
    return found


def outcome(branch: Branch, **options: Any) -> str:
    return judged(branch, **options).outcome


def called(branch: Branch | None = None, **other: Any) -> Branch:
    return (branch or abused()).reply("That is it.", quoting(**other))
