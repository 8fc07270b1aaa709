"""The replay, from its key to the ending, on saved threads. Nothing is connected."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from convend_tui.thread import records as r
from convend_tui.tui import replay_screen
from convend_tui.tui.replay_screen import ReplayScreen
from tests.making import MODEL, Branch, at, call, result
from tests.tui.conftest import Home, Person
from tests.tui.test_app_tree import opened

ANSWER = "First a piece, then another, and then the very last."
TIMING = {"first_ms": 300, "total_ms": 900, "chunks": [[300, 14], [500, 14], [900, 24]]}


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The replay's clock."""
    clock = Clock()
    monkeypatch.setattr(replay_screen, "monotonic", clock)
    return clock


def ended(*, private: bool = False) -> tuple[Branch, list[r.Record]]:
    """A fork at the first answer; the branch where the person was ended after a call that was to be confirmed."""
    branch = Branch().typed("What is a fox?").reply(ANSWER, timing=TIMING, model=MODEL).typed("Go away.")
    branch.reply("I am asking first.", call("1"), model=MODEL).guard(result("1"))
    branch.reply("Now I end it.", call("2"), model=MODEL)
    first, last = branch.path[3].id, branch.last
    branch.path.append(
        msgspec.structs.replace(
            branch.path[1], id="other", at=at(9), content=[{"type": "text", "text": "A fox barks."}], timing=None
        )
    )
    records: list[r.Record] = [
        r.Verdict(at=at(31), message=first, outcome="declined" if private else "confirm", private=private),
        r.Verdict(at=at(32), message=last, outcome="ended"),
        r.Ended(at=at(33), message=last, cause="user_request", explanation="As you asked."),
        r.Leaf(at=at(34), message=last),
    ]
    return branch, records


def replay(me: Person) -> ReplayScreen:
    """The screen on top."""
    assert isinstance(me.app.screen, ReplayScreen)
    return me.app.screen


async def replaying(me: Person, words: str) -> ReplayScreen:
    """Open the newest chat, and its replay."""
    await me.press("ctrl+t", "enter")
    await me.reads(words)
    await me.reading()
    await me.press("R")
    await me.until(lambda: isinstance(me.app.screen, ReplayScreen))
    return replay(me)


async def pass_time(me: Person, clock: Clock, done: Callable[[], object]) -> None:
    """Let the clock run, in steps that a program takes that runs well, until something is so."""
    for _ in range(400):
        if done():
            return
        clock.now += 0.2
        await me.pilot.pause(0.06)
    raise AssertionError(me.screen)


async def test_a_branch_plays_to_its_ending_and_nothing_is_written(home: Home, clock: Clock) -> None:
    branch, records = ended()
    home.save(branch, *records)
    async with home.app((100, 30)) as me:
        screen = await replaying(me, "Now I end it.")
        before = me.thread_file().read_bytes()
        focused = me.chat.transcript.focused_key
        await me.sees("What is a fox?", "playing · 1× · message 1 of 5", "A replay: nothing can be written here.")
        assert "First a piece" not in me.screen and "⊘ ended" not in me.screen
        await pass_time(me, clock, lambda: "First a piece" in me.screen)
        await pass_time(me, clock, lambda: "asked to confirm" in me.screen)
        assert "(w:" not in me.screen
        await pass_time(me, clock, lambda: screen.player.at_end)
        await me.sees(f"{MODEL} ended this conversation", "As you asked.", "⊘ ended", "at the end", "⊘ The model ended")
        assert "n new chat" not in me.screen, "keys of the conversation do nothing here"
        assert screen.query_one("#replay-input").has_class("-locked")
        await me.press("escape")
        await me.until(lambda: me.app.screen is me.chat)
        assert me.chat.transcript.has_focus and me.chat.transcript.focused_key == focused
        assert me.thread_file().read_bytes() == before


async def test_every_key_does_what_it_says(home: Home, clock: Clock) -> None:
    branch, records = ended()
    home.save(branch, *records)
    async with home.app((80, 24)) as me:
        screen = await replaying(me, "Now I end it.")
        await me.press("space")
        await me.sees("paused", "Space Play", "Esc Back", "? Keys")
        await me.press("right")
        await me.sees("First a piece", "very last.", "message 2 of 5")
        await me.press("left", "left", "full_stop", "full_stop")
        await me.sees("First a piece", "message 2 of 5")
        assert "very last" not in me.screen
        await me.press("up", "up", "down")
        await me.sees("paused · 2×")
        await me.press(*["full_stop"] * 40)
        await me.until(lambda: screen.player.at_end)
        await me.sees("ended this conversation", "⊘ ended")
        await me.press("home")
        await me.sees("Replay 5 messages,", "message 0 of 5", "Space plays and pauses.")
        await me.press("end", "home", "space")
        await me.sees("What is a fox?", "playing · 2×")
        assert "First a piece" not in me.screen
        await me.press(*["up"] * 9)
        await me.sees("instant")
        await me.until(lambda: screen.player.at_end)
        await me.press("p")
        await me.sees("long pauses", "at the end")
        await me.press("f1")
        await me.sees("Keys of the replay", "The next piece of a reply")
        await me.press("escape", "q")
        await me.until(lambda: me.app.screen is me.chat)


async def test_at_a_fork_it_goes_on_along_another_branch(home: Home, clock: Clock) -> None:
    branch, records = ended()
    home.save(branch, *records)
    async with home.app((100, 30)) as me:
        screen = await replaying(me, "Now I end it.")
        await me.press("space", "left_square_bracket")
        await me.sees("next: branch 1 of 2", "This is the first branch here.")
        me.app.clear_notifications()  # they lie over what is looked for next
        await me.press("right", "right_square_bracket")
        await me.sees("A fox barks.", "‹ 2/2 ›", "branch 2 of 2", "timing made up", "message 2 of 2")
        assert "First a piece" not in me.screen and "⊘" not in me.screen, "this branch did not end"
        await me.press("left_square_bracket")
        await me.sees("very last.", "‹ 1/2 ›", "message 2 of 5")
        bar = next(row for row in me.rows if "━" in row)
        assert "┳" in bar and "●─" in bar and "─⊘" in bar
        await me.press("up", "up", "up", "space")
        await pass_time(me, clock, lambda: screen.player.at_end)
        await me.sees("ended this conversation")


async def test_it_fits_whatever_size_the_terminal_gets(home: Home, clock: Clock) -> None:
    branch, records = ended()
    home.save(branch, *records)
    async with home.app((120, 40)) as me:
        await replaying(me, "Now I end it.")
        await me.press("end")
        await me.sees("As you asked.")
        for width, height in ((80, 24), (40, 12), (100, 30)):
            await me.pilot.resize_terminal(width, height)
            await me.until(lambda w=width, h=height: (len(me.rows[0]), len(me.rows)) == (w, h))
            await me.sees("at the end", "Space Play", "╰")
        await me.pilot.resize_terminal(20, 8)
        await me.press("home", "space", "full_stop", "end")
        await me.sees("at the end")


async def test_the_tree_replays_the_branch_under_its_cursor(home: Home, clock: Clock) -> None:
    branch, records = ended()
    home.save(branch, *records)
    async with home.app((150, 36)) as me:
        await me.press("ctrl+t", "enter")
        await me.reads("Now I end it.")
        panel = await opened(me)
        await me.press("home", "down", "right_square_bracket")
        assert panel.rows.message_id == "other"
        await me.press("R")
        await me.until(lambda: isinstance(me.app.screen, ReplayScreen))
        assert replay(me).player.replay.leaf == "other" and replay(me).player.scene == 1
        await pass_time(me, clock, lambda: replay(me).player.at_end)
        await me.sees("A fox barks.")
        await me.press("escape")
        await me.until(lambda: me.app.screen is me.chat)
        assert me.chat.tree_dock.has_focus and panel.rows.message_id == "other"


async def test_a_private_decline_is_not_replayed_and_an_empty_chat_says_so(home: Home, clock: Clock) -> None:
    branch, records = ended(private=True)
    home.save(branch, records[0], r.Leaf(at=at(34), message=branch.path[3].id))
    async with home.app((100, 30)) as me:
        await me.reading()
        await me.press("R")
        await me.hears("This chat is empty: there is nothing to replay.")
        screen = await replaying(me, "I am asking first.")
        while not screen.player.at_end:
            await me.press("full_stop")
            assert "asked to end" not in me.screen and "declined" not in me.screen
        await me.sees("I am asking first.", "at the end")
        await me.press("ctrl+p")
        await me.sees("Not now: Leave the replay first (Esc).")
