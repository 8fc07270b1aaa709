"""Going from hit to hit does not end where the search screen had stopped asking."""

from __future__ import annotations

import pytest

from convend_tui.tui import search_screen
from tests.making import Branch
from tests.tui.conftest import Home
from tests.tui.test_app_search import looks_for


async def test_n_asks_for_more_hits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_screen, "PAGE", 2)
    branch = Branch()
    for word in ("one", "two", "three", "four", "five"):
        branch.typed(f"apple {word}").reply("pear")
    home.save(branch)
    async with home.app() as me:
        search = await looks_for(me, "apple role:user")
        await me.until(lambda: len(search._rows.hits) == 2)
        await me.press("enter")
        seen = set()
        for step in range(5):
            if step:
                await me.press("n")
            await me.sees(f"hit {step + 1} of ")
            seen.add(me.chat.transcript.focused_key)
        assert seen == {message.id for message in branch.path if message.role == "user"}
        await me.press("n")
        await me.hears("This is the last hit.")
        await me.sees("hit 5 of 5")
