"""Branching by keyboard."""

from __future__ import annotations

import msgspec

from convend_tui.thread import records as r
from tests.making import Branch
from tests.referee import ThreadedReferee
from tests.tui.conftest import Home


def forked() -> Branch:
    """A thread with two beginnings; the second is where the person was. Between them, four messages."""
    one = Branch().typed("first question").reply("first answer, in **bold**").typed("and then?")
    two = Branch().typed("second question").reply("second answer")
    for number, message in enumerate(two.path):
        parent = message.parent and "x" + message.parent
        at = f"2026-11-22T12:00:0{number}.000Z"
        one.path.append(msgspec.structs.replace(message, id="x" + message.id, parent=parent, at=at))
    return one


async def test_an_edit_is_a_branch_and_one_comes_back_to_where_one_was(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("one", "two", "three", "four")
    async with online.app() as me:
        await me.says("Question A", "Question B")
        await me.writes("a draft of mine")
        await me.goes_to("Question A")
        await me.press("e")
        assert me.typed == "Question A"
        await me.sees("Editing your message of", "Esc: your draft")
        await me.press("escape")
        assert me.typed == "a draft of mine"
        await me.goes_to("Question A")
        await me.press("e")
        await me.press("end", "!", "enter")
        await me.reads("Question A!", "three", "‹ 2/2 ›", "4 messages continue on another branch")
        await me.until(lambda: me.idle)
        assert me.typed == "a draft of mine"
        assert "Question B" not in me.words
        first, second = (m for m in me.records("message") if m["parent"] is None)
        assert (first["content"][0]["text"], second["content"][0]["text"]) == ("Question A", "Question A!")

        await me.goes_to("Question A!")
        await me.press("left")
        await me.reads("Question A", "‹ 1/2 ›", "Question B", "two", "2 messages continue on another branch")
        await me.press("left")
        await me.hears("This is the first branch here.")
        await me.press("right_square_bracket")
        await me.reads("Question A!", "three", "‹ 2/2 ›")
        await me.press("right")
        await me.hears("This is the last branch here.")
        await me.press("left_square_bracket")
        await me.reads("Question B")

        # A branch inside the first branch: coming back leads to its end, not to its beginning.
        await me.goes_to("two")
        await me.press("r")
        await me.reads("four", "1 message continues on another branch")
        await me.until(lambda: me.idle)
        await me.goes_to("four")
        await me.press("left")
        await me.reads("two", "‹ 1/2 ›")
        await me.goes_to("Question A")
        await me.press("right")
        await me.reads("three")
        await me.press("left")
        await me.reads("Question B", "two")
        assert "four" not in me.words
    async with online.app() as me:
        await me.reads("Question B", "two")
        assert "four" not in me.words
        assert me.typed == "a draft of mine"
    referee.assert_clean()


async def test_an_unchanged_edit_is_refused_and_only_ones_own_messages_can_be_edited(
    online: Home, referee: ThreadedReferee
) -> None:
    referee.enqueue("one")
    async with online.app() as me:
        await me.says("Question A")
        await me.goes_to("one")
        await me.press("e")
        await me.hears("Edit: Only your own messages can be edited. For another answer, retry the reply.")
        await me.goes_to("Question A")
        await me.press("e", "enter")
        await me.hears("Nothing was changed.")
        assert me.typed == "Question A"
        await me.sees("Editing your message of")
        assert len(referee.requests) == 1
        assert len(me.records("message")) == 2
        await me.press("escape")
        assert me.typed == ""


async def test_an_edit_in_the_making_is_there_when_one_comes_back_to_the_chat(
    online: Home, referee: ThreadedReferee
) -> None:
    referee.enqueue("one")
    other = online.save(Branch().typed("Another chat").reply("Yes."))
    async with online.app() as me:
        await me.says("Question A")
        chat = me.chat.conversation
        assert chat.thread is not None
        here = chat.thread.id
    async with online.app() as me:
        await me.reads("Question A")
        await me.writes("a draft")
        await me.goes_to("Question A")
        await me.press("e", "end", "X")
        await me.press("ctrl+t")
        me.chat.thread_list.put_cursor_on(other)
        await me.press("enter")
        await me.reads("Another chat")
        assert me.typed == ""
        await me.press("ctrl+t")
        me.chat.thread_list.put_cursor_on(here)
        await me.press("enter")
        await me.reads("Question A")
        assert me.typed == "Question AX"
        await me.sees("Editing your message of")
        await me.press("escape")
        assert me.typed == "a draft"


async def test_a_message_below_one_that_is_gone_is_a_root_and_can_be_flipped(home: Home) -> None:
    branch = forked()
    branch.path[0] = msgspec.structs.replace(branch.path[0], parent="not-there")
    thread_id = home.save(branch, r.Leaf(at="2026-11-22T13:00:00.000Z", message="m0003"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("first question", "‹ 1/2 ›", "2 messages continue on another branch")
        await me.goes_to("first question")
        await me.press("right")
        await me.reads("second question", "3 messages continue on another branch")
    assert home.library.open(thread_id).thread.leaf == "xm0002"
