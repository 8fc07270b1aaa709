"""The tree with the rest of the screen: how it and the transcript follow each other, where it stands, and what can be
done with the message under its cursor."""

from __future__ import annotations

import msgspec
import pytest

from convend_tui.thread import records as r
from convend_tui.tui.tree_panel import TreePanel
from tests.making import MODEL, Branch, at
from tests.referee import Reply, ThreadedReferee
from tests.tui.conftest import Home, Person
from tests.unit.test_tree import message

WIDE = (150, 36)


def forked() -> Branch:
    """A question with two answers, the second of which goes on."""
    branch = Branch().typed("Root").reply("First answer")
    more = Branch().typed("Root").reply("Second answer").typed("And then?").reply("Then came the rest.").path[1:]
    above = branch.path[0].id
    for number, one in enumerate(more):
        branch.path.append(msgspec.structs.replace(one, id=f"second{number}", parent=above, at=at(40 + number)))
        above = f"second{number}"
    return branch


def a_long_chat() -> tuple[Branch, list[r.Record]]:
    """A chat with one of everything that the tree marks: an ending, a name, something pruned, a fold."""
    branch = (
        Branch().typed("How do I find the largest files?").reply("Let `du` measure and `sort` choose.", model=MODEL)
    )
    fork = branch.last

    def aside(name: str, *words: str) -> None:
        above = fork
        for number, text in enumerate(words):
            kind, role = ("reply", "assistant") if number % 2 else ("typed", "user")
            one = message(f"{name}{number}", above, len(branch.path) + 1, text, kind=kind, role=role)
            branch.path.append(msgspec.structs.replace(one, model=MODEL if number % 2 else None))
            above = one.id

    aside("rude", "wrong, you useless junk", "I am ending the conversation here.")
    aside("gone", "And on Windows?", "There, ask PowerShell.", "No, thanks.")
    lines = [line for n in range(1, 7) for line in (f"And step {n}?", f"Step {n} is like the one before.")]
    aside("main", *lines, "Which one is faster?", "`du` is.")
    return branch, [
        r.Ended(at=at(90), message="rude1", cause="persistent_abuse", explanation="It went on."),
        r.Hide(at=at(91), message="gone0"),
        r.Label(at=at(92), message="main3", label="the plan"),
        r.Leaf(at=at(93), message="main13"),
    ]


async def opened(me: Person) -> TreePanel:
    """Open the tree by its key."""
    await me.reading()
    await me.press("t")
    await me.until(lambda: me.chat.tree_dock.has_focus)
    return me.chat.query_one(TreePanel)


async def in_the_chat(me: Person, words: str) -> None:
    """Open the newest thread of the list."""
    await me.press("ctrl+t", "enter")
    await me.reads(words)


async def test_the_tree_leads_to_any_message_of_any_branch(home: Home) -> None:
    home.save(branch := forked())
    async with home.app(WIDE) as me:
        await in_the_chat(me, "Then came the rest.")
        panel = await opened(me)
        await me.sees("Tree · 5 messages · 2 branches", "1/2 First answer", "2/2 Second answer")
        assert panel.rows.message_id == "second2"
        await me.press("up", "up", "up")
        assert panel.rows.message_id == branch.path[1].id
        assert me.chat.transcript.focused_key == "second2"
        assert "Then came the rest." in me.words
        await me.press("enter")
        await me.reads("First answer", "‹ 1/2 ›")
        assert me.chat.transcript.has_focus
        assert me.chat.transcript.focused_key == branch.path[1].id
        assert "Then came the rest." not in me.words
        assert me.chat.tree_dock.is_open
        await me.until(lambda: me.records("leaf"))
        assert panel.rows.row is not None
        assert panel.rows.row.here


async def test_the_tree_follows_the_transcript(home: Home) -> None:
    home.save(forked())
    async with home.app(WIDE) as me:
        await in_the_chat(me, "Then came the rest.")
        panel = await opened(me)
        await me.press("enter", "up", "up")
        await me.until(lambda: panel.rows.message_id == "second0")
        await me.press("left")
        await me.reads("First answer")
        await me.until(lambda: panel.rows.row is not None and panel.rows.row.current)
        assert panel.rows.message_id == "m0002"
        await me.press("t")
        await me.until(lambda: panel.rows.has_focus)
        await me.press("t")
        await me.until(lambda: me.chat.transcript.has_focus)
        assert not me.chat.tree_dock.is_open
        assert "Tree ·" not in me.screen


@pytest.mark.parametrize(("size", "beside"), [((80, 24), False), ((100, 30), False), ((160, 48), True)])
async def test_where_it_is_narrow_it_lies_over_the_chat_and_leaves_when_one_goes_on(
    home: Home, size: tuple[int, int], beside: bool
) -> None:
    home.save(forked())
    async with home.app(size) as me:
        await in_the_chat(me, "Then came the rest.")
        before = me.chat.transcript.region
        panel = await opened(me)
        await me.until(lambda: (me.chat.transcript.region.width < before.width) == beside)
        assert panel.region.right == size[0]
        assert panel.region.overlaps(me.chat.transcript.region) != beside
        await me.press("home", "enter")
        await me.until(lambda: me.chat.transcript.focused_key == "m0001")
        assert me.chat.tree_dock.is_open == beside
        await opened(me)
        await me.press("ctrl+n")
        await me.until(lambda: me.chat.composer.has_focus_within)
        assert me.chat.tree_dock.is_open == beside
        assert me.chat.transcript.region.width == (before.width if not beside else before.width - panel.region.width)


async def test_the_size_of_the_terminal_may_change(home: Home) -> None:
    home.save(forked())
    async with home.app((160, 48)) as me:
        await in_the_chat(me, "Then came the rest.")
        panel = await opened(me)
        await me.until(lambda: not panel.region.overlaps(me.chat.transcript.region))
        await me.pilot.resize_terminal(80, 24)
        await me.until(lambda: panel.region.width == 80)
        assert panel.rows.has_focus
        await me.pilot.resize_terminal(160, 48)
        await me.until(lambda: 0 < panel.region.width < 80)
        await me.press("escape")
        assert not me.chat.tree_dock.is_open


async def test_another_chat_has_another_tree(home: Home) -> None:
    home.save(forked())
    other = home.save(Branch().typed("Somewhere else").reply("Indeed."), name="2")
    async with home.app(WIDE) as me:
        me.chat.actions.chats.open("20261122T000001-00000001")
        await me.reads("Then came the rest.")
        panel = await opened(me)
        await me.press("slash", *"then")
        await me.sees("2 found")
        me.chat.actions.chats.open(other)
        await me.sees("Tree · 2 messages")
        assert panel.rows.wanted == ""
        await me.press("ctrl+n")
        await me.sees("No messages yet.")


async def test_while_a_reply_comes_in_the_tree_grows_and_its_branch_is_not_left(
    online: Home, referee: ThreadedReferee
) -> None:
    referee.enqueue("one", "two", Reply("a slow answer " * 20, stall_after_events=8))
    async with online.app(WIDE) as me:
        await me.says("Question A")
        await me.goes_to("one")
        await me.press("r")
        await me.reads("two")
        await me.until(lambda: me.idle)
        panel = await opened(me)
        await me.sees("Tree · 3 messages · 2 branches")
        await me.press("escape")
        await me.writes("Question B")
        await me.press("enter")
        await me.reads("a slow answer")
        me.chat.transcript.focus()  # Esc would stop the reply
        await me.until(lambda: me.chat.transcript.has_focus)
        await opened(me)
        await me.sees("Tree · 4 messages · 2 branches", "Question B")
        await me.press("home", "down")
        assert panel.rows.row is not None
        assert not panel.rows.row.current
        await me.press("enter")
        await me.hears("Tree: A reply is coming in.")
        assert panel.rows.has_focus
        await me.press("home", "enter")
        await me.until(lambda: me.chat.transcript.has_focus)
        assert not me.idle
        await me.press("escape")
        await me.until(lambda: me.idle)
        await me.sees("Tree · 5 messages · 2 branches")


# -- the row under the cursor


async def test_what_is_done_from_the_tree_is_done_to_its_row_and_the_branch_shown_stays(home: Home) -> None:
    home.save(forked())
    async with home.app(WIDE) as me:
        await in_the_chat(me, "Then came the rest.")
        panel = await opened(me)
        await me.press("up", "up", "up")
        await me.press("l")
        await me.sees("Name this message")
        await me.press(*"aside", "enter")
        await me.sees("⚑ aside")
        assert [label["message"] for label in me.records("label")] == ["m0002"]
        await me.press("d")
        await me.sees("Keep the left")
        await me.press("escape")
        await me.until(lambda: panel.rows.has_focus)
        await me.press("x")
        await me.sees("Hide this message and all below it?", "1 message on 1 branch")
        await me.press("enter")
        await me.sees("1 hidden")
        assert "Then came the rest." in me.words
        await me.press("end", "x", "escape", "home", "down")
        assert panel.rows.message_id == "m0002"
        await me.press("u")
        await me.hears("1 message on 1 branch is back.")
        await me.until(lambda: "hidden" not in me.screen)
        assert panel.rows.has_focus
        assert "Then came the rest." in me.words
        await me.press("F")
        await me.sees("The path down to here", "2 messages")
        await me.press("enter")
        await me.until(lambda: len(list(home.paths.threads.iterdir())) == 2)
        await me.reads("First answer")
        assert "Second answer" not in me.words


async def test_a_hidden_row_comes_back_though_another_was_hidden_later(home: Home) -> None:
    home.save(forked(), r.Hide(at=at(60), message="m0002"), r.Hide(at=at(61), message="second1"))
    async with home.app(WIDE) as me:
        await in_the_chat(me, "Second answer")
        panel = await opened(me)
        await me.press("home", "down")
        assert panel.rows.message_id == "m0002"
        await me.press("u")
        await me.hears("1 message on 1 branch is back.")
        assert [restored["message"] for restored in me.records("restore")] == ["m0002"]


async def test_the_list_gives_way_where_all_three_have_no_room(home: Home) -> None:
    home.save(forked())
    async with home.app((120, 30)) as me:
        await in_the_chat(me, "Then came the rest.")
        chats = me.chat.thread_list
        assert chats.display
        panel = await opened(me)
        await me.until(lambda: not panel.region.overlaps(me.chat.transcript.region))
        assert not chats.display
        await me.press("t")
        await me.until(lambda: chats.display)
        await opened(me)
        await me.until(lambda: not chats.display)
        # Whoever wants the list gets it, and the tree goes.
        await me.press("ctrl+t")
        await me.until(lambda: chats.has_focus and not me.chat.tree_dock.is_open)
        assert chats.display
        # Where the person does without the list, it does not come back with the tree's leaving.
        await me.press("ctrl+t")
        await me.until(lambda: not chats.display)
        await opened(me)
        await me.press("t")
        await me.until(lambda: me.chat.transcript.has_focus)
        assert not chats.display
