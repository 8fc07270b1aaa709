"""The model ends the conversation: the branch locks, and nothing gets round the lock."""

from __future__ import annotations

import threading

import msgspec
import pytest

from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.tui import screen
from convend_tui.tui.screen import ChatScreen
from tests.making import Branch, at
from tests.referee import Reply, Text, ThreadedReferee, end_call
from tests.referee.scenario import REDIRECTIONS, WARNING
from tests.tui.conftest import INSULTS, Home, Person

LOCKED = "this branch is locked"


def before_the_end() -> Branch:
    """A branch with two redirections and a warning."""
    return (
        Branch()
        .typed("Hello")
        .reply("Hello! What can I do?")
        .typed("insult: useless machine")
        .reply(REDIRECTIONS[0])
        .typed("insult: are you stupid or what")
        .reply(REDIRECTIONS[1])
        .typed("insult: shut up you idiot")
        .reply(WARNING)
    )


def ended(branch: Branch) -> list[r.Record]:
    """The records that lock a branch at its last message."""
    evidence = [{"kind": "warning", "message": branch.path[7].id, "quotation": WARNING}]
    record = r.Ended(
        at=at(100),
        message=branch.last,
        cause="persistent_abuse",
        explanation="The attacks went on after a warning.",
        evidence=evidence,
    )
    return [record]


def locked_branch() -> Branch:
    """A branch that ended."""
    return before_the_end().typed("insult: go to hell").reply("I am ending the conversation here.")


async def open_first(me: Person) -> None:
    """Open the first thread of the list."""
    await me.press("ctrl+t", "home", "enter")
    await me.until(lambda: me.chat.conversation.thread is not None)


async def nothing_can_be_sent(me: Person, referee: ThreadedReferee) -> None:
    """Every way to send, tried on a locked branch."""
    requests, content = len(referee.requests), me.thread_file().read_bytes()
    messages = content.count(b'"type":"message"')
    await me.reading()
    assert me.chat.composer.locked == lock.LOCKED
    await me.press("end")
    await me.sees(LOCKED, "e Edit", "w Why")
    await me.press("enter", "i")
    await me.hears("Write: The model ended this conversation")
    assert not me.chat.composer.has_focus_within
    await me.press("x", "x", "ctrl+j", "tab", "enter")
    await me.pastes("pasted\n")
    await me.press("enter")
    await me.reading()
    # On the notice, on the call, and on the ended reply.
    await me.press("end", "r", "up", "r", "up", "r")
    await me.hears("Retry: The model ended this conversation")
    for command in ("retry", "write", "attach"):
        assert me.chat.refusal(command) == lock.LOCKED
        me.chat.action_do(command)
    await me.press("ctrl+p", *"retry")
    await me.sees("Not now: The model ended this conversation")
    await me.press("enter")
    await me.until(lambda: me.app.screen is me.chat)
    me.chat.sending.submit("by the back door", ())
    await me.until(lambda: me.idle)
    assert len(referee.requests) == requests
    assert me.thread_file().read_bytes().count(b'"type":"message"') == messages


async def test_an_ending_from_the_first_insult_to_the_new_branch(
    online: Home, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_on_disk: list[bool] = []
    refresh_all = ChatScreen.refresh_all

    def watched(chat: ChatScreen, *, at_end: bool = False) -> None:
        before = chat.composer.locked
        refresh_all(chat, at_end=at_end)
        if chat.composer.locked and not before:
            file = chat.convend.paths.threads / f"{chat.conversation.thread.id}.jsonl"  # type: ignore[union-attr]
            locked_on_disk.append(b'"type":"ended"' in file.read_bytes())

    monkeypatch.setattr(ChatScreen, "refresh_all", watched)
    async with online.app((110, 50)) as me:
        await me.says("How do I sort a list?", *INSULTS)
        assert locked_on_disk == [True], "the composer greys out once, after the lock is in the file"
        await me.reads(
            "claude-sonnet-5-5 ended this conversation",
            "persistent abuse",
            "The personal attacks went on after two requests to stop and a warning.",
            "n new chat",
            "e edit an earlier message",
        )
        (record,) = me.records("ended")
        await me.reads(record["at"][11:16])
        await me.sees(LOCKED, "⊘ ended", "ended by the model")
        await nothing_can_be_sent(me, referee)

        await me.reading()
        await me.press("end", "e")
        assert me.typed == INSULTS[2]
        focused = me.chat.transcript.focused_item
        assert getattr(focused, "body", None) is not None and focused.body.source == INSULTS[2]
        assert me.chat.composer.has_focus_within
        await me.press("enter")
        await me.hears("Nothing was changed.")
        assert me.typed == INSULTS[2]
        await me.writes("Sorry. How do I sort a list backwards?")
        await me.press("enter")
        await me.reads("Sorry. How do I sort", "‹ 2/2 ›", "messages continue on another branch")
        await me.until(lambda: me.idle)
        assert me.chat.composer.locked is None
        assert "⊘ ended" not in me.rows[0]
        await me.says("Thank you")

        await me.goes_to("Sorry. How do I sort")
        await me.press("left_square_bracket")
        await me.reads("ended this conversation")
        await nothing_can_be_sent(me, referee)
    async with online.app((110, 50)) as me:
        await me.reads("ended this conversation")
        await nothing_can_be_sent(me, referee)
        await me.press("n")
        await me.reads("A new chat")
        assert me.chat.composer.locked is None
        assert me.chat.composer.has_focus_within
        await me.says("Hello again")
    referee.assert_clean()


async def test_letters_typed_as_the_lock_falls_are_no_commands_and_the_draft_is_kept(
    online: Home, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "QUIET_S", 600)  # however slow the machine
    call = end_call("persistent_abuse", "Enough.", REDIRECTIONS, WARNING)
    rest = threading.Event()
    sure = Reply([Text("Yes, I am sure. " * 8), call], stall_after_events=6, stall_until=rest)
    referee.enqueue(Reply([Text("I am ending this."), call]), sure)
    branch = before_the_end()
    thread_id = online.save(branch)
    async with online.app() as me:
        await open_first(me)
        await me.writes("insult: go to hell")
        await me.press("enter")
        await me.reads("Yes, I am sure.")
        await me.press(*"wait, I ")
        rest.set()
        await me.until(lambda: me.chat.composer.locked is not None)
        await me.pilot.press(*"never meant it")
        await me.until(lambda: me.idle)
        assert me.app.screen is me.chat
        assert me.chat.conversation.thread is not None and me.chat.conversation.thread.id == thread_id
        assert me.chat.conversation.editing is None
        assert me.chat.composer.locked
        await me.sees(LOCKED)
        assert me.typed == "wait, I "
        me.chat._quiet_until = 0.0
        await me.reading()
        await me.press("end", "e")
        assert me.typed == "insult: shut up you idiot"
        await me.press("escape")
        await me.sees(LOCKED)
        assert me.typed == "wait, I "
        assert me.chat.transcript.has_focus
        me.chat._quiet_until = 0.0
        await me.reading()
        await me.press("end", "e")
        await me.writes("Let us begin again.")
        await me.press("enter")
        await me.until(lambda: me.idle and "Let us begin again." in me.words)
        assert me.typed == "wait, I "
    async with online.app() as me:
        await me.reads("Let us begin again.")
        assert me.typed == "wait, I "
    referee.assert_clean()


async def test_the_first_message_of_an_ended_chat_can_be_edited_too(online: Home, referee: ThreadedReferee) -> None:
    branch = locked_branch()
    online.save(branch, *ended(branch))
    async with online.app() as me:
        await open_first(me)
        await me.reads("ended this conversation", "14 March 2025, 00:01 · persistent abuse")
        await me.reading()
        await me.press("home", "e")
        assert me.typed == "Hello"
        await me.press("end", *" there", "enter")
        await me.reads("Hello there", "‹ 2/2 ›", "10 messages continue on another branch")
        await me.until(lambda: me.idle)
        await me.goes_to("Hello there")
        await me.press("left", "end")
        await me.reads("ended this conversation")
        await nothing_can_be_sent(me, referee)
    referee.assert_clean()


async def test_other_chats_and_their_drafts_are_untouched(online: Home, referee: ThreadedReferee) -> None:
    branch = locked_branch()
    online.save(branch, *ended(branch))
    online.save(Branch().typed("Another chat").reply("Yes."), name="2")
    async with online.app() as me:
        await me.until(lambda: len(me.chat.thread_list._rows) == 2)
        await me.press("ctrl+t")
        me.chat.thread_list.put_cursor_on("20261122T000002-00000002")
        await me.press("enter")
        await me.reads("Another chat")
        await me.writes("a draft")
        await me.press("ctrl+t")
        me.chat.thread_list.put_cursor_on("20261122T000001-00000001")
        await me.press("enter")
        await me.sees(LOCKED)
        assert me.typed == ""
        await me.press("ctrl+t")
        me.chat.thread_list.put_cursor_on("20261122T000002-00000002")
        await me.press("enter")
        await me.until(lambda: me.typed == "a draft")
        await me.press("enter")
        await me.until(lambda: me.idle and referee.requests)
    referee.assert_clean()


async def test_a_declined_call_is_told_and_the_chat_goes_on(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.says("premature ending, please")
        await me.reads("The model asked to end the conversation · not ended", "go on")
        assert me.chat.composer.locked is None
        assert not me.records("ended")
    referee.assert_clean()


async def test_a_private_decline_leaves_no_trace_on_the_screen(home: Home) -> None:
    declined = (
        Branch()
        .typed("I can't go on")
        .reply({"type": "tool_use", "id": "toolu_1", "name": "end_conversation", "input": {"explanation": "SECRET"}})
    )
    hidden = declined.last
    declined.guard({"type": "tool_result", "tool_use_id": "toolu_1", "content": "HUSH", "is_error": True})
    declined.reply("I am here. Tell me more.", model="claude-sonnet-5-5")
    verdict = r.Verdict(at=at(50), message=hidden, outcome="declined", reasons=["RISK"], private=True)
    plain = Branch().typed("I can't go on").reply("I am here. Tell me more.", model="claude-sonnet-5-5")
    home.save(declined, verdict, r.Title(at=at(60), title="Same"), name="1")
    home.save(plain, r.Title(at=at(60), title="Same"), name="2")
    shown: list[str] = []
    async with home.app() as me:
        for thread_id in home.library.ids():
            await me.press("ctrl+t")
            me.chat.thread_list.put_cursor_on(thread_id)
            await me.press("enter")
            await me.reads("I can't go on", "I am here. Tell me more.")
            area = me.chat.transcript.region
            shown.append("\n".join(row[area.x :] for row in me.rows[area.y :]).replace("▌", "▎"))
            await me.reading()
            await me.press("end", "up")
            assert getattr(me.chat.transcript.focused_item, "key", "") == declined.path[0].id
    assert shown[0] == shown[1]


async def test_another_answer_after_a_private_decline_can_be_flipped_both_ways(home: Home) -> None:
    branch = Branch().typed("I can't go on").reply({"type": "tool_use", "id": "t1", "name": "x", "input": {}})
    hidden = branch.last
    branch.guard({"type": "tool_result", "tool_use_id": "t1", "content": "HUSH", "is_error": True})
    branch.reply("The first answer.")
    other = Branch().typed("I can't go on").reply("The other answer.").path[1]
    branch.path.append(msgspec.structs.replace(other, id="other", parent=branch.path[0].id, at=at(40)))
    home.save(branch, r.Verdict(at=at(50), message=hidden, outcome="declined", private=True))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.goes_to("The other answer.")
        await me.press("left")
        await me.reads("The first answer.", "‹ 1/2 ›")
        await me.press("end", "right")
        await me.reads("The other answer.", "‹ 2/2 ›")
