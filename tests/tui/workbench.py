"""A chat with forks, opened."""

from __future__ import annotations

import msgspec
from textual.widgets import Static

from tests.making import Branch, at
from tests.tui.conftest import Person

THREAD = "20261122T000001-00000001"


def forked() -> Branch:
    """Two answers to the first question. Below the first, a second question; below the other answer, two."""
    branch = Branch().typed("first question").reply("first answer").typed("second question").reply("second answer")
    others = (
        ("x1", "m0001", "reply", "another answer"),
        ("x2", "x1", "typed", "third question"),
        ("x3", "x2", "reply", "third answer"),
        ("x4", "x1", "typed", "fourth question"),
        ("x5", "x4", "reply", "fourth answer"),
    )
    for number, (name, parent, kind, words) in enumerate(others, 10):
        made = Branch().typed(words) if kind == "typed" else Branch().reply(words)
        branch.path.append(msgspec.structs.replace(made.path[0], id=name, parent=parent, at=at(number)))
    return branch


async def opened(me: Person, *parts: str) -> None:
    """Open the only thread."""
    await me.press("ctrl+t", "enter")
    await me.reads(*parts)


def title(me: Person) -> str:
    return str(me.chat.query_one("#title", Static).visual)
