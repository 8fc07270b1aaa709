"""No answer came: one clear sentence, the text back in the composer, and Enter asks again."""

from __future__ import annotations

import socket

import pytest

from tests.referee import Hangup, HttpError, Refusal, Reply, Text, ThreadedReferee
from tests.referee.script import Answer
from tests.tui.conftest import CONFIG, Home

BACK = "Not answered yet"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            HttpError(429, "rate_limit_error", "Slow down.", {"retry-after": "7"}),
            "Too many requests to referee just now (429). It says: Slow down. Try again in 7 s.",
        ),
        (HttpError(529, "overloaded_error", "Overloaded"), "The server referee is overloaded (529). Try again"),
        (HttpError(404, "not_found_error", "model: x"), "does not know the model “claude-sonnet-5-5”"),
        (HttpError(413, "request_too_large", "Too large"), "too large for the server referee (413)"),
        (Hangup(), "No connection to 127.0.0.1"),
        (Reply("x", no_message_start=True, eof_after_events=0), "closed the connection without an answer"),
    ],
    ids=["429", "529", "404", "413", "reset", "no stream"],
)
async def test_a_failure_is_one_sentence_and_enter_asks_again(
    online: Home, referee: ThreadedReferee, answer: Answer, sentence: str
) -> None:
    referee.enqueue(answer, "Here I am.")
    async with online.app() as me:
        await me.writes("Hello, are you there?")
        await me.press("enter")
        await me.reads("No answer", sentence)
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "Hello, are you there?")
        await me.sees(BACK)
        assert me.chat.composer.has_focus_within
        await me.press("enter")
        await me.reads("Here I am.")
        await me.until(lambda: me.idle)
        assert "No answer" not in me.words
        assert me.typed == ""
        assert me.texts() == ["Hello, are you there?"]
        assert len(referee.requests) == 2


async def test_a_wrong_key_and_a_missing_one(online: Home, referee: ThreadedReferee) -> None:
    online.key("wrong")
    async with online.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.reads("The server referee did not accept the key (401). Check the key")
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "Hello")
    online.key("")
    async with online.app() as me:
        await me.reads("Hello")
        await me.until(lambda: me.typed == "Hello")
        await me.press("enter")
        await me.reads("No answer", "REFEREE_KEY")
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "Hello")
    online.key(referee.key)
    async with online.app() as me:
        await me.press("enter")
        await me.until(lambda: me.idle and len(me.records("message")) == 2)
        assert me.texts() == ["Hello"]
        assert me.typed == ""


async def test_a_server_that_is_not_there(home: Home) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        home.configure(CONFIG.format(model="m", url=f"http://127.0.0.1:{unused.getsockname()[1]}", retries=0))
        async with home.app() as me:
            await me.writes("Hello")
            await me.press("enter")
            await me.reads("No answer · No connection to 127.0.0.1", "Check the network, and base_url")
            await me.until(lambda: me.idle)
            await me.until(lambda: me.typed == "Hello")


async def test_a_retry_is_shown_and_escape_stops_it(home: Home, referee: ThreadedReferee) -> None:
    home.connect(referee, retries=1)
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded", {"retry-after": "50"}))
    async with home.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.reads("The server referee is overloaded (529). Trying again (1 of 1) in", "Esc stops it")
        await me.press("escape")
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "Hello")
        await me.sees(BACK)
        assert len(referee.requests) == 1


async def test_a_reset_in_mid_answer_keeps_both_sides(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text("Half of the answer is here, and", chunk=8)], cut_after_events=6), "All of it.")
    async with online.app() as me:
        await me.writes("Tell me")
        await me.press("enter")
        await me.reads("Half of the", "broke off in the middle of the answer")
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "Tell me")
        assert me.records("message")[-1]["kind"] == "partial"
        await me.press("enter")
        await me.reads("All of it.", "‹ 2/2 ›")
        await me.until(lambda: me.idle)
        assert me.texts() == ["Tell me"]
        assert me.typed == ""
    referee.assert_clean()


async def test_a_changed_text_is_a_sibling_of_the_unanswered_one(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("First.", HttpError(529, "overloaded_error", "Overloaded"), "Yes.")
    async with online.app() as me:
        await me.says("Before")
        await me.writes("Helo")
        await me.press("enter")
        await me.reads("overloaded (529)")
        await me.until(lambda: me.idle)
        await me.press("end", *", world", "enter")
        await me.reads("Helo, world", "Yes.", "‹ 2/2 ›")
        await me.until(lambda: me.idle)
        old, new = (m for m in me.records("message") if m["kind"] == "typed" and m["parent"] is not None)
        assert old["parent"] == new["parent"]
        assert me.texts() == ["Before", "Helo", "Helo, world"]
    referee.assert_clean()


async def test_escape_lets_an_unanswered_message_be(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded"), "Now.")
    async with online.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.sees(BACK)
        await me.press("escape")
        assert me.typed == ""
        await me.goes_to("Hello")
        await me.press("r")
        await me.reads("Now.")
        await me.until(lambda: me.idle)
        assert me.texts() == ["Hello"]


async def test_a_draft_typed_while_waiting_is_not_overwritten(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded", delay=0.3), "Now.")
    async with online.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.until(lambda: not me.typed)
        await me.writes("the next thing")
        await me.reads("overloaded (529)")
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "the next thing")
        await me.hears("Your message was not answered.")
        await me.goes_to("Hello")
        await me.press("e")
        await me.until(lambda: me.typed == "Hello")
        await me.press("escape")
        await me.until(lambda: me.typed == "the next thing")


async def test_a_failure_in_a_chat_that_is_not_shown_waits_there(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded", delay=0.3), "Now.")
    async with online.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.until(lambda: referee.requests)
        failing = me.chat.conversation
        await me.press("ctrl+n")
        await me.until(lambda: failing.turn is None)
        await me.reads("A new chat")
        assert me.typed == ""
        await me.until(lambda: me.chat.thread_list._rows)
        await me.press("ctrl+t", "enter")
        await me.reads("overloaded (529)")
        await me.sees(BACK)
        await me.until(lambda: me.typed == "Hello")
        await me.press("enter")
        await me.reads("Now.")
        await me.until(lambda: me.idle)
        assert me.texts() == ["Hello"]


async def test_a_refusal_is_no_ending_and_an_edit_goes_on(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Refusal("cyber", "This was declined by a classifier.", "Well, one way is"), "Gladly.")
    async with online.app() as me:
        await me.says("Something refused")
        await me.reads("The server refused to answer: This was declined by a classifier", "This is no ending")
        assert "one way is" not in me.words
        assert "ended" not in me.screen
        assert me.chat.composer.locked is None
        assert me.typed == ""
        await me.goes_to("Something refused")
        await me.press("e", "end", *" differently", "enter")
        await me.reads("Gladly.", "‹ 2/2 ›")
        await me.until(lambda: me.idle)
        assert "Something refused" not in str(referee.requests[-1]["messages"][0]["content"]).replace(
            "Something refused differently", ""
        )
    referee.assert_clean()


async def test_a_full_disk_loses_nothing_and_says_so(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        # A file where the folder of the threads should be: nothing can be written.
        online.paths.threads.write_bytes(b"")
        await me.writes("Hello")
        await me.press("enter")
        await me.hears("threads cannot be created")
        await me.until(lambda: me.idle)
        await me.until(lambda: me.typed == "Hello")
        assert not referee.requests
