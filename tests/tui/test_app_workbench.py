"""The workbench by keyboard: labels and the breadcrumb, hiding, forks, going on below any reply."""

from __future__ import annotations

from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.making import Branch, at
from tests.referee import ThreadedReferee
from tests.tui.conftest import Home
from tests.tui.workbench import THREAD, forked, opened, title

# -- labels and the breadcrumb


async def test_a_label_is_shown_names_the_branch_and_leads_back(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.sees("first question · main › retry 1 › edit 1")
        await me.goes_to("fourth question")
        await me.press("l")
        await me.sees("Name this message")
        await me.press(*"wild [b]one[/b", "enter")
        await me.reads("⚑ wild [b]one[/b")
        await me.sees("main › retry 1 › wild [b]one[/b")
        await me.goes_to("first question")
        await me.press("l", *"start", "enter")
        await me.reads("⚑ start")
        await me.goes_to("another answer")
        await me.press("left")
        await me.sees("first question · main")
        assert "›" not in title(me)
        await me.press("ctrl+p")
        await me.until(lambda: me.app.screen is not me.chat)
        await me.press(*"one[")
        await me.sees("Go to ⚑ wild [b]one[/b", "fourth question")
        await me.press("enter")
        await me.reads("fourth answer")
        assert me.chat.transcript.focused_key == "x4"
        # Empty takes it away.
        await me.press("l")
        await me.sees("Name this message")
        await me.press("backspace", "enter")
        await me.sees("main › retry 1 › edit 1")
        assert "⚑ wild" not in me.words
    labels = home.library.open(THREAD).thread.labels
    assert {i: label.label for i, label in labels.items()} == {"x4": "", "m0001": "start"}


async def test_a_narrow_title_keeps_both_ends_of_the_branch(home: Home) -> None:
    home.save(forked(), r.Title(at=at(20), title="A title that is much longer than half of a narrow screen is wide"))
    async with home.app((46, 24)) as me:
        await me.press("ctrl+t", "enter")
        await me.sees("A title that", "… · main › … › edit 1")
    async with home.app((80, 24)) as me:
        await me.sees("… · main › retry 1 › edit 1")


async def test_one_branch_has_no_breadcrumb(home: Home) -> None:
    home.save(Branch().typed("Hello").reply("Hi."))
    async with home.app() as me:
        await opened(me, "Hi.")
        assert title(me).strip() == "Hello"


# -- hiding


async def test_what_is_hidden_is_left_out_and_comes_back(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.goes_to("another answer")
        await me.press("left")
        await me.reads("second answer", "‹ 1/2 › 5 messages continue on another branch")
        await me.press("right")
        await me.goes_to("fourth question")
        await me.press("x")
        await me.sees("Hide this message and all below it?", "2 messages on 1 branch go out of sight.")
        await me.press("escape")
        await me.until(lambda: me.app.screen is me.chat)
        assert not me.records("hide")
        await me.press("x", "y")
        await me.reads("third answer")
        assert "‹ 1/1" not in me.words
        await me.sees("first question · main › retry 1")
        await me.goes_to("another answer")
        await me.press("left")
        await me.reads("‹ 1/2 › 3 messages continue on another branch")
        await me.press("u")
        await me.hears("2 messages on 1 branch are back.")
        await me.reads("fourth answer")
        assert me.chat.transcript.focused_key == "x4"
        await me.press("u")
        await me.hears("Undo hide: Nothing is hidden in this chat.")
    assert home.library.open(THREAD).thread.leaf == "x5"


async def test_everything_but_this_path_goes_and_comes_as_one(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.goes_to("another answer")
        await me.press("X")
        await me.sees("Hide every branch but this one?", "5 messages on 2 branches go out of sight.")
        await me.press("enter")
        await me.until(lambda: "continue" not in me.words)
        assert title(me).strip() == "first question"
        await me.press("X")
        await me.hears("Hide others: There is no other branch to hide.")
        await me.goes_to("first question")
        await me.press("x")
        await me.hears("Hide: This is the last path in sight, and it stays in sight.")
        await me.goes_to("another answer")
        await me.press("left")
        await me.hears("There is no other branch here.")
        me.app.clear_notifications()  # they lie over what is read next
        await me.press("u")
        await me.reads("‹ 2/2 › 3 messages continue on another branch")
        assert len({record["at"] for record in me.records("hide")}) == 1


async def test_whoever_stands_on_a_hidden_branch_is_told_and_stays(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        other = home.library.open(THREAD)
        other.append_now([r.Hide(at=other.now(), message="x1")])
        await me.sees("hidden branch")
        await me.reads("fourth answer", "‹ 2/2 › 3 messages continue on another branch")
        await me.goes_to("another answer")
        await me.press("left")
        await me.reads("second answer")
        await me.until(lambda: "hidden branch" not in me.screen and "continue" not in me.words)
    async with home.app() as me:
        await me.reads("second answer")


async def test_a_hidden_lock_is_a_lock(home: Home) -> None:
    branch = forked()
    ended = r.Ended(at=at(20), message="x5", cause="persistent_abuse", explanation="Enough.")
    home.save(branch, ended, r.Leaf(at=at(21), message="x5"))
    async with home.app() as me:
        await opened(me, "ended this conversation")
        await me.reading()
        await me.goes_to("fourth question")
        await me.press("x")
        await me.sees("2 messages on 1 branch go out of sight.", "What the model ended there stays locked.")
        await me.press("enter")
        await me.reads("third answer")
        assert me.chat.composer.locked is None
        thread = me.chat.conversation.thread
        assert thread is not None
        assert lock.may_send(thread, "x5") is not None
        await me.press("u")
        await me.reads("ended this conversation")
        assert me.chat.composer.locked == lock.LOCKED


# -- forks


async def test_a_path_becomes_a_chat_of_its_own(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two.", "Three.")
    async with online.app() as me:
        await me.says("Question A", "Question B")
        source = me.thread_file()
        before = source.read_bytes()
        await me.goes_to("One.")
        await me.press("F")
        await me.sees("Fork into a new chat", "The path down to here", "2 messages", "The whole tree")
        await me.press("enter")
        await me.hears("A copy of “Question A”.")
        await me.until(lambda: me.thread_file() != source)
        await me.until(lambda: "Question B" not in me.words)
        assert source.read_bytes() == before
        await me.says("Question C")
        assert len(me.records("message")) == 4
        origin = me.records("thread")[0]["origin"]
        assert (origin["thread"], origin["app"]) == (source.stem, "convend")
        await me.goes_to("Question A")
        await me.press("F", "down", "enter")
        await me.until(lambda: len(list(online.paths.threads.iterdir())) == 3)
        await me.until(lambda: me.records("thread")[0]["origin"]["message"] is None)
        await me.reads("Question C", "Three.")
    referee.assert_clean()


async def test_the_lock_goes_with_the_path_that_has_it(home: Home) -> None:
    branch = Branch().typed("Hello").reply("Hi.").typed("And?").reply("Enough.")
    home.save(branch, r.Ended(at=at(9), message="m0004", cause="persistent_abuse", explanation="Over."))
    async with home.app() as me:
        await opened(me, "ended this conversation")
        await me.goes_to("Enough.")
        await me.press("F", "enter")
        await me.until(lambda: me.thread_file().stem != THREAD)
        await me.reads("ended this conversation")
        assert me.chat.composer.locked == lock.LOCKED
        await me.goes_to("Hi.")
        await me.press("F", "enter")
        await me.until(lambda: len(list(home.paths.threads.iterdir())) == 3)
        await me.until(lambda: me.chat.composer.locked is None and "Enough." not in me.words)
        assert not me.records("ended")


# -- going on below any reply


async def test_an_earlier_reply_is_gone_on_from(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two.", "Three.")
    async with online.app() as me:
        await me.says("Question A", "Question B")
        await me.writes("for the end")
        await me.goes_to("One.")
        await me.press("i")
        await me.sees("Continues below the reply of", "Esc: at the end", "a new branch")
        assert me.typed == ""
        await me.press(*"for the middle")
        await me.press("escape")
        assert me.typed == "for the end"
        assert "Continues below" not in me.screen
        await me.goes_to("One.")
        await me.press("enter")
        await me.until(lambda: me.typed == "for the middle")
        await me.press("enter")
        await me.reads("for the middle", "Three.", "‹ 2/2 › 2 messages continue on another branch")
        await me.until(lambda: me.idle)
        assert me.typed == ""
        assert "Continues below" not in me.screen
        await me.sees("Question A · main › edit 1")
        await me.goes_to("for the middle")
        await me.press("left")
        await me.until(lambda: me.typed == "for the end")
        # From the last reply, and from one's own message, one writes at the end.
        for words in ("Two.", "Question A"):
            await me.goes_to(words)
            await me.press("i")
            assert me.chat.composer.has_focus_within
            assert "Continues below" not in me.screen
        messages = me.records("message")
        assert [m["parent"] for m in messages].count(messages[1]["id"]) == 2
    referee.assert_clean()


async def test_above_an_ending_one_goes_on_and_within_it_not(online: Home, referee: ThreadedReferee) -> None:
    branch = Branch().typed("Hello").reply("Hi.").typed("And?").reply("Enough.")
    online.save(branch, r.Ended(at=at(9), message="m0004", cause="persistent_abuse", explanation="Over."))
    async with online.app() as me:
        await opened(me, "ended this conversation")
        await me.goes_to("Enough.")
        await me.press("i")
        await me.hears("The model ended this conversation, and this branch is locked.")
        await me.goes_to("Hi.")
        await me.press("i")
        await me.sees("Continues below the reply of 14 Mar 2025, 00:00")
        await me.press(*"so")
        await me.press("escape")
        await me.sees("this branch is locked")
        assert me.chat.composer.locked == lock.LOCKED
        await me.goes_to("Hi.")
        await me.press("i")
        assert me.typed == "so"
        await me.press("enter")
        await me.until(lambda: me.idle and len(me.records("message")) == 6)
        assert me.chat.composer.locked is None
    referee.assert_clean()


async def test_a_lock_that_came_while_one_wrote_stops_it_at_the_send(online: Home, referee: ThreadedReferee) -> None:
    online.save(Branch().typed("Hello").reply("Hi.").typed("And?").reply("Yes."))
    async with online.app() as me:
        await opened(me, "Yes.")
        await me.goes_to("Hi.")
        await me.press("i", *"more")
        other = online.library.open(THREAD)
        other.append_now([r.Ended(at=other.now(), message="m0002", cause="persistent_abuse", explanation="Over.")])
        me.chat.sending.submit(me.typed, ())
        await me.hears("this branch is locked")
        await me.until(lambda: me.idle)
        assert me.typed == "more"
        assert not referee.requests
        assert len(me.records("message")) == 4


async def test_an_answer_in_parts_is_gone_on_from_at_its_end(home: Home) -> None:
    call = {"type": "tool_use", "id": "t1", "name": "end_conversation", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "No."}
    branch = Branch().typed("Hello").reply("May I?", call).guard(result).reply("Let us go on.").typed("x").reply("y")
    home.save(branch)
    async with home.app() as me:
        await opened(me, "May I?")
        await me.goes_to("May I?")
        await me.press("i")
        await me.sees("Continues below the reply of")
        assert me.chat.conversation.below == "m0004"
