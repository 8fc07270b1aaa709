"""Dialogs that open by themselves, while somebody writes."""

from __future__ import annotations

import pytest
from textual import events

from convend_tui.tui import end_for_good
from tests.referee import Reply, ThreadedReferee, end_call
from tests.tui.conftest import Home

QUESTION = "End this conversation for good?"


async def test_what_is_typed_on_while_one_is_asked_about_an_end_is_the_draft(
    online: Home, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_for_good, "QUIET_S", 60)
    async with online.app() as me:
        await me.writes("please end this conversation")
        await me.press("enter")
        await me.sees(QUESTION)
        for key in (*"sx", "backspace", "o", "ctrl+j", "b", "left", "a", "enter", "tab", "end"):
            me.app.post_message(events.Key(key, key if len(key) == 1 else None))  # faster than it can be shown
        await me.pastes("\npasted, ")
        await me.press("o")
        await me.sees(QUESTION, "your words go on where you were writing")
        await me.until(lambda: me.typed == "so\nab\npasted, o")
        await me.press("escape")
        await me.until(lambda: me.idle)
        assert me.typed == "so\nab\npasted, o"
        assert me.chat.composer.has_focus_within
        assert not me.records("ended")
    referee.assert_clean()


async def test_a_wish_in_the_depth_of_a_paste_is_shown_before_anything_ends(
    online: Home, referee: ThreadedReferee
) -> None:
    wish = "I want to end this conversation now"
    referee.enqueue(Reply([end_call("user_request", "As asked.", request=wish)]), "We can go on.")
    async with online.app() as me:
        await me.writes("What do you make of this?\n" + "Some text that was copied from somewhere.\n" * 40 + wish)
        await me.press("enter")
        await me.sees(QUESTION, f"Farther down, it says: “{wish}”")
        await me.press("escape")
        await me.until(lambda: me.idle)
        assert not me.records("ended")
