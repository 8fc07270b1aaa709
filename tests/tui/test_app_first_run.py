"""Nothing is connected: convend opens all the same, says how to connect, and everything saved can be read."""

from __future__ import annotations

import pytest

from convend_tui.model import local_weights
from tests.making import Branch
from tests.tui.conftest import Home
from tests.tui.test_app_branches import forked


async def test_the_first_page_says_how_to_connect_and_sending_says_what_is_missing(home: Home) -> None:
    async with home.app() as me:
        await me.reads("No model is connected yet", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "convend local install")
        await me.sees("no model", "No conversations yet.")
        await me.writes("Is anybody there?")
        await me.press("enter")
        await me.hears("No model is connected. Set ANTHROPIC_API_KEY")
        assert me.typed == "Is anybody there?"
        assert not home.library.ids()
        assert me.idle
    async with home.app() as me:
        assert me.typed == "Is anybody there?"


async def test_the_built_in_model_is_offered_once_where_it_could_be_fetched(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_weights, "server_available", lambda: True)
    async with home.app() as me:
        await me.sees("Fetch the built-in model?", "98 MB", "tiny")
        await me.press("escape")
        await me.writes("Hello")
        await me.press("enter")
        await me.hears("No model is connected.")
        assert me.app.screen is me.chat
        assert me.typed == "Hello"


async def test_saved_threads_are_read_flipped_and_copied_without_a_model(home: Home) -> None:
    thread_id = home.save(forked())
    before = home.file(thread_id).read_bytes()
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("second question", "second answer", "‹ 2/2 ›")
        await me.goes_to("second question")
        await me.press("left_square_bracket")
        await me.reads("first question", "first answer", "‹ 1/2 ›")
        await me.press("down", "y")
        await me.until(lambda: me.app.clipboard == "first answer, in **bold**")
        assert not me.told or "Copied" in me.told[-1]
        await me.press("r")
        await me.hears("Retry: The server “referee” of this thread is not in config.toml any more")
        await me.writes("Go on")
        await me.press("enter")
        await me.until(lambda: sum("not in config.toml" in sentence for sentence in me.told) == 2)
        assert me.typed == "Go on"
    assert home.file(thread_id).read_bytes().startswith(before)
    assert len(home.library.open(thread_id).thread.messages) == 5


async def test_a_new_chat_from_an_empty_one_is_an_empty_one(home: Home) -> None:
    home.save(Branch().typed("Hello").reply("Hi."))
    async with home.app() as me:
        await me.press("ctrl+n", "ctrl+n")
        await me.reads("No model is connected yet")
        await me.press("f2")
        await me.hears("Rename: This chat is empty. Write something first.")
