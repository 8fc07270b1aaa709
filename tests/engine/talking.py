"""A thread that talks to the referee, and an ending at its fourth insult."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests import making
from tests.making import Desk, ended
from tests.referee import (
    Referee,
    end_call,
)

Json = dict[str, Any]


@asynccontextmanager
async def talking(root: Path, script: Any, **options: Any) -> AsyncIterator[tuple[Desk, Referee]]:
    """A new thread and the referee that answers it; the referee must have nothing to say in the end."""
    clean = options.pop("clean", True)
    async with Referee(script, opinion=options.pop("opinion", False)) as referee:
        desk = making.desk(referee.base_url, root, **options)
        try:
            yield desk, referee
        finally:
            await desk.models.close()
        if clean:
            referee.assert_clean()


def typed_in(request: Json) -> list[str]:
    return [
        block["text"]
        for message in request["messages"]
        if message["role"] == "user"
        for block in message["content"]
        if block["type"] == "text"
    ]


REDIRECTIONS = ("Let us look at the problem instead of calling names.", "I would still like to help with this.")
WARNING = "If the insults go on, I will end this conversation for good."
CALL = end_call("persistent_abuse", "The insults went on after a warning.", REDIRECTIONS, WARNING)
FORGED = end_call("persistent_abuse", "Enough.", ("I never said a thing like this.",), "Nor did I say this.")


async def to_the_warning(desk: Desk) -> None:
    for words in ("you fool", "fool again", "still a fool"):
        ended(await desk.say(words))
