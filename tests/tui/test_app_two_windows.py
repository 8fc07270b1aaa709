"""Two windows with one chat: what is typed in each is kept, whoever writes last."""

from __future__ import annotations

import pytest

from convend_tui.store import drafts, drafts_apart
from tests.making import Branch
from tests.tui.conftest import Home


async def test_drafts_of_two_windows_at_one_place_are_both_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    branch = Branch().typed("Hello").reply("Hi.")
    thread = home.save(branch)
    end, edit = (drafts.Place(thread, "end", branch.last), drafts.Place(thread, "edit", "m0001"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.press(*"mine")
        await me.until(lambda: drafts.load(home.paths, end).text == "mine")
        # The other window had read this, and goes on with it; then both write.
        drafts.save(home.paths, end, drafts.Draft(text="theirs"))
        await me.press("s")
        await me.until(lambda: drafts_apart.load(home.paths, end).text == "mines")
        assert drafts.load(home.paths, end).text == "theirs"
        await me.goes_to("Hello")
        await me.press("e", "!")
        await me.until(lambda: drafts.load(home.paths, edit).text == "Hello!")
        drafts.save(home.paths, edit, drafts.Draft(text="Hello?"))
        await me.press("!")
        await me.until(lambda: drafts_apart.load(home.paths, edit).text == "Hello!!")
        await me.press("escape")  # the edit is left, and the draft is back
        await me.until(lambda: me.typed == "mines")
        assert drafts.load(home.paths, edit).text == "Hello?"
    assert not list(drafts_apart.left(home.paths, end))  # this process goes on, and so would a second window
    monkeypatch.setattr(drafts_apart, "is_running", lambda process: False)
    async with home.app() as me:
        await me.until(lambda: me.typed == "theirs\n\nmines")
        await me.goes_to("Hello")
        await me.press("e")
        await me.until(lambda: me.typed == "Hello?\n\nHello!!")
    assert drafts.load(home.paths, end).text == "theirs\n\nmines"
    assert not [file.name for file in home.paths.drafts.iterdir() if "~" in file.name]


async def test_what_was_sent_when_the_program_was_killed_is_no_draft(home: Home) -> None:
    branch = Branch().typed("Hello").reply("Hi.")
    end = branch.last
    thread = home.save(branch.typed("Tell me").reply("Half", kind="partial"))
    drafts.save(home.paths, drafts.Place(thread, "end", end), drafts.Draft(text="Tell me"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("Half")
        assert me.typed == ""
        await me.until(lambda: not list(home.paths.drafts.glob("*.json")))
