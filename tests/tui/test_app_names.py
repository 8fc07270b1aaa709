"""Names of files that people type into dialogs: a wrong one is a sentence, wherever it is asked for."""

from __future__ import annotations

from tests.tui.conftest import Home
from tests.tui.test_app_ending import ended, locked_branch

NOBODY = "~nobody-of-that-name/file.md"


async def test_a_home_folder_that_there_is_not(home: Home) -> None:
    branch = locked_branch()
    home.save(branch, *ended(branch))
    async with home.app() as me:
        me.chat.action_do("attach")
        await me.sees("Attach a file")
        await me.pastes(NOBODY)
        await me.press("enter")
        await me.hears(f"{NOBODY} is not a file that can be read.")
        await me.press("ctrl+t", "enter")
        await me.until(lambda: me.chat.composer.locked)
        me.chat.action_do("report")
        await me.sees("Write a report")
        await me.pastes(NOBODY)
        await me.press("enter")
        await me.hears(f"{NOBODY} cannot be written")
