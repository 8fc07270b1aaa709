"""The first run, and nothing connected: convend opens all the same, says how to connect, and everything saved can be
read. The tour."""

from __future__ import annotations

import pytest

from convend_tui.exchange import tour
from convend_tui.model import local_weights
from tests.making import Branch
from tests.referee import ThreadedReferee
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


# -- the tour


async def test_the_first_run_opens_the_tour_and_what_is_written_at_its_end_is_a_chat_of_its_own(
    online: Home, referee: ThreadedReferee
) -> None:
    online.first_run()
    referee.enqueue("Good morning!")
    async with online.app() as me:
        await me.sees("A tour of convend", "This is the tour")
        (shown,) = online.library.ids()
        before = online.file(shown).read_bytes()
        assert me.chat.composer.has_focus_within
        await me.sees("This is a tour of convend")
        await me.writes("Good morning")
        await me.press("enter")
        await me.reads("Good morning!")
        assert "tour" not in me.words
        assert len(online.library.ids()) == 2
        assert online.file(shown).read_bytes() == before
        assert len(referee.turns[-1]["messages"]) == 1
    async with online.app() as me:
        await me.reads("Good morning!")
    referee.assert_clean()


async def test_the_tour_can_be_branched_ends_on_one_branch_and_can_be_thrown_away_and_had_again(
    online: Home, referee: ThreadedReferee
) -> None:
    online.first_run()
    referee.enqueue("A branch is a fork in the road.", "It goes on.")
    async with online.app() as me:
        await me.sees("A tour of convend")
        await me.goes_to("A branch is a second way on")
        await me.press("r")
        await me.reads("A branch is a fork in the road.", "‹ 3/3 ›")
        await me.until(lambda: me.idle)
        await me.says("And then?")
        await me.reads("It goes on.")
        assert len(online.library.ids()) == 1
    (shown,) = online.library.ids()
    online.library.trash(shown)
    async with online.app() as me:
        assert not online.library.ids()
        await me.press("ctrl+p", *"tour", "enter")
        await me.sees("A tour of convend")
        (again,) = online.library.ids()
        assert tour.find(online.library) == again != shown
    referee.assert_clean()


async def test_whoever_has_no_model_is_told_how_to_connect_first_and_finds_the_tour_in_the_list(home: Home) -> None:
    home.first_run()
    async with home.app() as me:
        await me.reads("No model is connected yet", "The tour shows how")
        await me.press("ctrl+t", "enter")
        await me.sees("A tour of convend")
        await me.goes_to("And the model can really end a conversation?")
        await me.press("right_square_bracket", "end")
        await me.reads("ended this conversation", "You went on with insults")
        assert me.chat.composer.locked is not None


async def test_a_tour_from_before_anything_was_connected_is_branched_with_the_model_there_is(
    home: Home, referee: ThreadedReferee
) -> None:
    home.first_run()
    async with home.app() as me:
        await me.reads("No model is connected yet")
    home.connect(referee)
    referee.enqueue("A branch is a fork in the road.")
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.sees("A tour of convend")
        await me.goes_to("A branch is a second way on")
        await me.press("r")
        await me.reads("A branch is a fork in the road.", "‹ 3/3 ›")
        assert [change["model"] for change in me.records("settings")] == [referee.turns[-1]["model"]]
    referee.assert_clean()


async def test_whoever_has_chats_already_is_not_given_the_tour(online: Home) -> None:
    online.first_run()
    online.save(Branch().typed("Hello").reply("Hi."))
    async with online.app() as me:
        await me.reads("A new chat")
        assert len(online.library.ids()) == 1
