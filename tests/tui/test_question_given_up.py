"""The question whether to end the conversation, when its turn is stopped at the very moment at which it comes."""

from __future__ import annotations

from convend_tui.tui.end_for_good import EndForGood
from tests.tui.conftest import Home


async def test_a_question_that_hears_late_that_it_is_on_top_leaves_only_once(home: Home) -> None:
    async with home.app() as me:
        dialog = EndForGood("Please end this.", "A chat", "Please end")
        await me.app.push_screen(dialog)
        dialog.give_up()
        assert me.app.screen is me.chat
        dialog.on_screen_resume()
        assert me.app.screen is me.chat
