"""Drafts by branch: kept, found again, and never in the way of each other."""

from __future__ import annotations

import threading

from convend_tui.store import drafts
from convend_tui.store.drafts import Draft, Place
from convend_tui.thread import records as r
from tests.referee import HttpError, Reply, ThreadedReferee
from tests.tui.conftest import Home, Person
from tests.tui.workbench import THREAD, forked, opened


async def test_each_branch_has_its_draft_also_after_a_restart(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.writes("for the fourth")
        await me.goes_to("another answer")
        await me.press("left")
        await me.until(lambda: me.typed == "")
        await me.press("end")
        await me.writes("for the second")
        await me.goes_to("first answer")
        await me.press("right")
        await me.until(lambda: me.typed == "for the fourth")
        await me.goes_to("fourth question")
        await me.press("left")
        await me.reads("third answer")
        await me.until(lambda: me.typed == "")
    async with home.app() as me:
        await me.reads("third answer")
        assert me.typed == ""
        await me.goes_to("third question")
        await me.press("right")
        await me.until(lambda: me.typed == "for the fourth")
        await me.goes_to("another answer")
        await me.press("left")
        await me.until(lambda: me.typed == "for the second")


async def test_a_draft_of_before_is_found(home: Home) -> None:
    home.save(forked())
    home.paths.drafts.mkdir(parents=True)
    (home.paths.drafts / f"{THREAD}.json").write_text('{"text":"from before","cursor":[0,3]}')
    async with home.app() as me:
        await opened(me, "fourth answer")
        assert me.typed == "from before"
        await me.goes_to("another answer")
        await me.press("left")
        await me.until(lambda: me.typed == "")
        await me.press("right")
        await me.until(lambda: me.typed == "from before")
    assert [file.name for file in home.paths.drafts.iterdir()] == [f"{THREAD}.end-x5.json"]


def grow(home: Home, leaf: str, name: str) -> None:
    """Another process adds a message below a leaf."""
    other = home.library.open(THREAD)
    content = [{"type": "text", "text": f"from afar {name}"}]
    message = r.Message(at=other.now(), id=name, parent=leaf, role="user", content=content, kind="typed")
    other.append_now([message])


async def test_a_draft_follows_where_the_branch_grows(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.writes("for the fourth")
        grow(home, "x5", "y1")
        await me.reads("from afar y1")
        assert me.typed == "for the fourth"
        # While another branch is shown, and while nobody looks.
        await me.goes_to("another answer")
        await me.press("left")
        await me.until(lambda: me.typed == "")
        grow(home, "y1", "y2")
        await me.until(lambda: "y2" in (me.chat.conversation.thread or Person).messages)  # type: ignore[union-attr]
        await me.press("right")
        await me.reads("from afar y2")
        assert me.typed == "for the fourth"
    grow(home, "y2", "y3")
    async with home.app() as me:
        await me.reads("from afar y3")
        assert me.typed == "for the fourth"
        await me.press("ctrl+q")
    assert [file.name for file in home.paths.drafts.iterdir()] == [f"{THREAD}.end-y3.json"]


async def test_two_drafts_that_meet_are_both_kept(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.writes("mine")
        drafts.save(home.paths, Place(THREAD, "end", "y1"), Draft(text="of another window"))
        grow(home, "x5", "y1")
        await me.until(lambda: me.typed == "mine\n\nof another window")
        await me.hears("Another draft was kept at the end of this branch.")
    assert drafts.load(home.paths, Place(THREAD, "end", "y1")).text == "mine\n\nof another window"


async def test_branching_off_keeps_the_draft_on_both_branches(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two.")
    async with online.app() as me:
        await me.says("Question A")
        await me.writes("what comes next")
        await me.goes_to("One.")
        await me.press("r")
        await me.reads("Two.")
        await me.until(lambda: me.idle)
        assert me.typed == "what comes next"
        await me.writes("after two")
        await me.goes_to("Two.")
        await me.press("left")
        await me.until(lambda: me.typed == "what comes next")
        await me.press("right")
        await me.until(lambda: me.typed == "after two")


async def test_an_edit_under_way_and_one_that_was_left_are_kept(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.writes("for the end")
        await me.goes_to("fourth question")
        await me.press("e", "end", *", longer")
    async with home.app() as me:
        await me.sees("Editing your message of")
        assert me.typed == "fourth question, longer"
        await me.press("escape")
        assert me.typed == "for the end"
        # Left, not thrown away.
        await me.goes_to("fourth question")
        await me.press("e")
        assert me.typed == "fourth question, longer"
        await me.hears("This edit is as you left it.")
        await me.press(*["backspace"] * len(", longer"), "escape")
        assert me.typed == "for the end"
    async with home.app() as me:
        assert me.typed == "for the end"
        assert "Editing" not in me.screen
    assert [file.name for file in home.paths.drafts.iterdir()] == [f"{THREAD}.end-x5.json"]


async def test_what_was_written_below_an_earlier_reply_is_there_after_a_restart(home: Home) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        await me.writes("for the end")
        await me.goes_to("another answer")
        await me.press("i", *"for the middle")
    async with home.app() as me:
        await me.sees("Continues below the reply of")
        assert me.typed == "for the middle"
        await me.press("escape")
        assert me.typed == "for the end"
    async with home.app() as me:
        assert me.typed == "for the end"
        assert "Continues below" not in me.screen
        await me.goes_to("another answer")
        await me.press("i")
        assert me.typed == "for the middle"
        # Another branch is another place.
        me.chat.transcript.focus()
        await me.until(lambda: me.chat.transcript.has_focus)
        await me.goes_to("another answer")
        await me.press("left")
        await me.until(lambda: me.typed == "" and "Continues below" not in me.screen)


async def test_a_send_that_failed_leaves_the_other_drafts_alone(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two.", HttpError(529, "overloaded_error", "Overloaded"), "Three.")
    async with online.app() as me:
        await me.says("Question A", "Question B")
        await me.writes("for the end")
        await me.goes_to("One.")
        await me.press("i")
        await me.writes("Question C")
        await me.press("enter")
        await me.reads("overloaded (529)")
        await me.until(lambda: me.idle)
        assert me.typed == "Question C"
        await me.sees("Not answered yet")
    async with online.app() as me:
        await me.sees("Not answered yet")
        assert me.typed == "Question C"
        await me.press("enter")
        await me.reads("Three.")
        await me.until(lambda: me.idle)
        assert me.texts() == ["Question A", "Question B", "Question C"]
        assert me.typed == ""
        await me.goes_to("Question C")
        await me.press("left")
        await me.until(lambda: me.typed == "for the end")
    referee.assert_clean()


async def test_what_is_typed_while_a_reply_comes_in_belongs_to_its_end(online: Home, referee: ThreadedReferee) -> None:
    rest = threading.Event()
    referee.enqueue(Reply("Slowly. " * 20, stall_after_events=6, stall_until=rest))
    async with online.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.reads("Slowly.")
        await me.writes("and then")
        rest.set()
        await me.until(lambda: me.idle)
        thread_id, leaf = me.thread_file().stem, me.chat.conversation.leaf
        assert me.typed == "and then"
    assert [file.name for file in online.paths.drafts.iterdir()] == [f"{thread_id}.end-{leaf}.json"]
