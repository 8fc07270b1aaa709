"""What belongs to an ending: the question before one, why, feedback, the mark, a draft's way into the new chat."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from convend_tui.tui import end_for_good
from tests.making import Branch
from tests.referee import Reply, Text, ThreadedReferee, end_call
from tests.referee.scenario import REDIRECTIONS, WARNING
from tests.tui.conftest import INSULTS, Home
from tests.tui.test_app_ending import ended, locked_branch

QUESTION = "End this conversation for good?"


@pytest.fixture(autouse=True)
def no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_for_good, "QUIET_S", 0.15)


async def test_an_ending_at_ones_own_request_is_asked_for_and_only_yes_ends(
    online: Home, referee: ThreadedReferee
) -> None:
    async with online.app() as me:
        await me.says("hello")
        await me.writes("please end this conversation")
        await me.press("enter")
        await me.sees(QUESTION, "you wrote: “please end this conversation”", "cannot be opened again")
        await me.until(lambda: getattr(me.app.focused, "id", None) == "no")
        await me.press("y")
        await me.sees(QUESTION)
        await me.press("enter")
        await me.until(lambda: me.idle)
        await me.reads("not ended: The person was asked", "go on")
        assert not me.records("ended")
        await me.writes("please end this conversation")
        await me.press("enter")
        await me.sees(QUESTION)
        await me.until(lambda: getattr(me.app.focused, "id", None) == "no")
        await me.press("left", "enter")
        await me.until(lambda: me.idle)
        await me.reads("ended this conversation", "your own request")
        assert [line["outcome"] for line in me.records("verdict")] == ["declined", "confirm", "ended"]
    referee.assert_clean()


async def test_whoever_is_typing_answers_nothing_and_esc_is_no(
    online: Home, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_for_good, "QUIET_S", 60)
    async with online.app() as me:
        await me.says("hello")
        await me.writes("please end this conversation")
        await me.press("enter")
        await me.sees(QUESTION)
        await me.press("y", "left", "enter", "space", "tab", "enter")
        await me.sees(QUESTION)
        await me.press("escape")
        await me.until(lambda: me.idle)
        await me.reads("not ended: The person was asked")
        assert not me.records("ended")
    referee.assert_clean()


async def test_leaving_while_being_asked_ends_nothing(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.says("hello")
        await me.writes("please end this conversation")
        await me.press("enter")
        await me.sees(QUESTION)
        file = me.thread_file()
    lines = [msgspec.json.decode(line) for line in file.open("rb")]
    assert not [line for line in lines if line["type"] in ("ended", "verdict")]
    assert [line["kind"] for line in lines if line["type"] == "message"][-1] == "partial"
    referee.assert_clean()


async def test_why_shows_the_evidence_and_jumps_to_it(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.says("hello", *INSULTS)
        await me.reading()
        await me.press("end", "w")
        await me.sees("Why this conversation ended", "saw nobody at risk", "and confirmed", f"“{WARNING[:40]}")
        await me.press("2")
        await me.until(lambda: len(me.app.screen_stack) == 1)
        assert me.chat.transcript.has_focus
        assert me.chat.transcript.focused_item.body.source == REDIRECTIONS[1]  # type: ignore[union-attr]
        await me.reads(REDIRECTIONS[1])
        await me.press("w")
        await me.hears("The model has not asked for an ending here.")


async def test_why_of_a_declined_call_names_what_was_missing(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.says("premature ending, please")
        await me.reads("(w: why)")
        await me.reading()
        await me.press("home", "down", "w")
        await me.sees("Why this conversation was not ended", "not found on this branch")
        await me.press("escape")
        await me.reads("go on")
    referee.assert_clean()


async def test_a_warned_branch_is_marked_and_help_explains_it(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.says("hello")
        assert "warned" not in me.screen
        await me.says("premature ending, please")
        await me.sees("⚠ warned")
        await me.goes_to("hello")
        await me.press("e")
        await me.pastes(" again")
        await me.press("enter")
        await me.until(lambda: me.idle and "again" in me.words)
        assert "warned" not in me.screen
        await me.press("f1")
        for letter in "marks":
            await me.press(letter)
        await me.sees("⚠ warned", "Nothing is locked")
    referee.assert_clean()


async def test_feedback_on_an_answer_and_on_the_ending(home: Home) -> None:
    home.save(branch := locked_branch(), *ended(branch))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("ended this conversation")
        await me.reading()
        await me.press("end", "f")
        await me.sees("Was it right to end this conversation?")
        await me.press("d")
        await me.pastes("Too early, I think.")
        await me.press("enter")
        await me.reads("Your feedback: thumbs down · Too early, I think.")
        await me.press("f")
        await me.sees("● Thumbs down", "Too early, I think.")
        await me.press("escape")
        await me.goes_to(REDIRECTIONS[0])
        await me.press("f")
        await me.sees("What do you think of this answer?")
        await me.press("enter", "enter")
        await me.reads("Your feedback: thumbs up")
        await me.goes_to("Hello")
        thumbs = [(line["thumb"], line.get("comment", "")) for line in me.records("feedback")]
        assert thumbs == [("down", "Too early, I think."), ("up", "")]


async def test_feedback_is_not_for_ones_own_messages(home: Home) -> None:
    home.save(Branch().typed("Hello").reply("Hello!"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.goes_to("Hello")
        await me.press("up", "f")
        await me.hears("Feedback goes to an answer or an ending.")


async def test_a_draft_typed_when_the_lock_fell_is_offered_to_the_new_chat(
    online: Home, referee: ThreadedReferee
) -> None:
    async with online.app() as me:
        await me.says("hello", *INSULTS[:-1])
        call_ = end_call("persistent_abuse", "It went on.", REDIRECTIONS, WARNING)
        referee.enqueue(Reply([Text("So be it."), call_], delay=0.3), Reply([call_]))
        await me.writes(INSULTS[-1])
        await me.press("enter")
        await me.until(lambda: not me.typed and not me.idle)
        await me.pastes("what I wanted to say")
        await me.until(lambda: me.idle)
        await me.reads("ended this conversation")
        await me.reading()
        await me.press("n")
        await me.until(lambda: me.typed == "what I wanted to say")
        await me.hears("What you were writing when the chat ended is here.")
        assert me.chat.conversation.handle is None
        # A draft that is there already is not written over.
        await me.press("ctrl+t", "down", "enter")
        await me.sees("this branch is locked")
        await me.press("n")
        await me.until(lambda: me.typed == "what I wanted to say")


async def test_the_report_is_written_to_a_new_file_only(home: Home, tmp_path: Path) -> None:
    home.save(branch := locked_branch(), *ended(branch))
    file = tmp_path / "report.md"
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("ended this conversation")
        for _ in range(2):
            me.chat.action_do("report")
            await me.sees("Write a report on this chat's endings")
            await me.pastes(str(file))
            await me.press("enter")
            await me.until(lambda: file.exists())
        text = file.read_text()
        assert "The conversation was ended" in text
        assert "insult" not in text
        await me.hears("report.md")
        assert len([words for words in me.heard if re.search("exists|already", words)]) == 1
        assert file.read_text() == text
