"""The palette over every screen and dialog: each command is done, or it is said why not."""

from __future__ import annotations

from textual.command import DiscoveryHit
from textual.widgets import Input

from convend_tui.thread import records as r
from convend_tui.tui.commands import COMMANDS
from convend_tui.tui.end_for_good import EndForGood
from convend_tui.tui.palette_provider import EVERYWHERE, TableCommands
from convend_tui.tui.pick import Pick
from tests.making import at
from tests.tui.conftest import Home, Person
from tests.tui.test_app_ending import ended, locked_branch

OPENERS = ["search", "compare", "replay", "help", "cost", "rename", "feedback", "why", "model", "trash"]
"""Commands that open a screen or a dialog on an ended chat with two branches: one of every kind."""
LABELS = {command.id: command.label for command in COMMANDS}


def saved(home: Home) -> str:
    """An ended chat with a second branch."""
    branch = locked_branch()
    other = r.Message(
        at=at(5), id="other", parent="m0001", role="assistant", content=[{"type": "text", "text": "Hi."}], kind="reply"
    )
    return home.save(branch, other, r.Leaf(at=at(200), message=branch.last), *ended(branch))


async def offered(me: Person) -> dict[str, DiscoveryHit]:
    """What the palette offers over the screen that is shown."""
    hits = [hit async for hit in TableCommands(me.app.screen).discover()]
    return {hit.text or "": hit for hit in hits if isinstance(hit, DiscoveryHit)}


def stand(me: Person, thread: str, message: str) -> None:
    """Be in a chat, on a message of its ended branch."""
    conversation = me.chat.conversation
    if conversation.thread is None or conversation.thread.id != thread:
        me.chat.actions.chats.open(thread)
    me.chat.actions.branches.go_to_message("m0010")
    me.chat.actions.branches.go_to_message(message)


async def leave_all(me: Person) -> None:
    """Close whatever is open over the chat."""
    while len(me.app.screen_stack) > 1:
        await me.app.pop_screen()


async def test_every_command_over_every_screen_and_in_the_chat(home: Home) -> None:
    thread = saved(home)
    async with home.app() as me:
        me.app.notify = lambda message, **_: me.heard.append(message)  # type: ignore[method-assign]
        for opener in [*OPENERS, EndForGood("Please", "Chat")]:
            stand(me, thread, "m0010")
            if opener == "why":
                me.chat.transcript.go_to(me.chat.transcript.items[-1].key)
            if isinstance(opener, str):
                assert me.chat.refusal(opener) is None, opener
                me.chat.action_do(opener)
            else:
                me.app.push_screen(opener)
            await me.pilot.pause()
            over = me.app.screen
            assert over is not me.chat, opener
            found = await offered(me)
            assert {*map(LABELS.__getitem__, EVERYWHERE)} <= found.keys(), opener
            for command_id, label in LABELS.items():
                if label in found and command_id not in EVERYWHERE:
                    me.app._told.clear()  # what was said a moment ago is not said again
                    found.pop(label).command()
                    assert me.heard[-1].startswith(f"{label}: ") and "(Esc)" in me.heard.pop(), (opener, label)
                    assert me.app.screen is over
            await leave_all(me)
        for command_id in (command.id for command in COMMANDS if command.bound and command.id not in EVERYWHERE):
            stand(me, thread, "m0009")
            before = len(me.heard)
            me.app._told.clear()
            why = me.chat.refusal(command_id)
            me.chat.action_do(command_id)
            assert why is None or why in me.heard[before]
            if len(me.app.screen_stack) > 1:
                await me.pilot.pause()
                await leave_all(me)
            assert me.app._exception is None, command_id
        assert not me.records("title") and not (home.paths.state / "trash").exists()


async def test_the_palettes_key_goes_up_in_a_list_that_takes_it(home: Home) -> None:
    thread = saved(home)
    async with home.app() as me:
        stand(me, thread, "m0010")
        me.chat.action_do("export")
        await me.pilot.pause()
        await me.press("ctrl+n", "ctrl+n", "ctrl+p")
        assert isinstance(me.app.screen, Pick)
        assert me.app.screen._rows.cursor == 1
        await me.press("escape")
        me.chat.action_do("rename")
        await me.press("ctrl+p", *"rename")
        await me.sees("Not now: Close what is open over the chat first (Esc).")
        await me.press("enter")
        await me.hears("Rename: Close what is open over the chat first (Esc).")
        assert me.app.screen.query_one(Input).value
