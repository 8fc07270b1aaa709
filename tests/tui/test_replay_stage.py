"""What a replay shows at each place, and its bar. No app."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from convend_tui.replay import Mark, Replay
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from convend_tui.tui.items import MessageItem
from convend_tui.tui.palette import Palette
from convend_tui.tui.replay_bar import cell_of, clock_of, drawn, marked_cells
from convend_tui.tui.replay_player import Player
from convend_tui.tui.replay_stage import Stage
from tests.making import SETTINGS, Branch, at, call, header, result
from tests.unit.test_replay_player import go

THOUGHT = {"type": "thinking", "thinking": "They want an end. " * 4}


def ended_thread(*, private: bool = False) -> list[r.Record]:
    """A call that was to be confirmed (or was declined in private), another that ended it, and a fork above."""
    branch = Branch().typed("What is a fox?").reply("A *red*\n\nanimal.").typed("Go away.")
    branch.reply(THOUGHT, "I am asking first.", call("1")).guard(result("1"))
    branch.reply("Now I end it.", call("2"))
    first, last = branch.path[3].id, branch.last
    outcome = "declined" if private else "confirm"
    other = msgspec.structs.replace(
        branch.path[1], id="other", at=at(30), content=[{"type": "text", "text": "A fox barks."}]
    )
    return [
        header(SETTINGS),
        *branch.path,
        other,
        r.Verdict(at=at(31), message=first, outcome=outcome, reasons=["Because."], private=private),
        r.Verdict(at=at(32), message=last, outcome="ended"),
        r.Ended(at=at(33), message=last, cause="user_request", explanation="As you asked."),
    ]


def a_player(**options: bool) -> Player:
    first, *records = ended_thread(**options)
    assert isinstance(first, r.Header)
    thread = Thread(first, records)  # type: ignore[arg-type]
    return Player(lambda end: Replay(thread, end), "m0006", clock=lambda: 0.0)


def words(stage: Stage) -> list[str]:
    """What is to be read of each item."""
    return ["\n".join(line.text for line in item.lines(100, Palette())) for item in stage.items]


def test_a_reply_grows_and_settles_with_what_was_drawn() -> None:
    player, stage = a_player(), Stage(show_thinking=True)
    player.move(1)
    assert stage.show(player) == "other"
    player.step()
    assert stage.show(player) == "other" and stage.growing is not None
    growing, body = stage.growing, stage.growing.body
    while player.scene == 1:
        player.step()
        assert stage.show(player) == ("grown" if player.shown else "other")
    assert stage.growing is None and isinstance(settled := stage.items[1], MessageItem)
    assert settled is not growing and settled.body is body and settled.key == growing.key == "m0002"
    assert stage.show(player) == "same"
    assert body.source == "A *red*\n\nanimal."


def test_the_ending_plays_as_it_was() -> None:
    player, stage = a_player(), Stage(show_thinking=False)
    seen: list[tuple[bool, bool]] = []
    while not player.at_end:
        player.step()
        stage.show(player)
        text = "\n".join(words(stage))
        now = ("asked to end the conversation · it was asked to confirm: Because." in text, "ended this" in text)
        if now not in seen:
            seen.append(now)
        assert (stage.ended is not None) == now[1]
        assert "w:" not in text, "keys of the conversation do nothing here"
    assert seen == [(False, False), (True, False), (True, True)]
    assert [item.key for item in stage.items] == ["m0001", "m0002", "m0003", "m0004", "m0006", "ended:m0006"]
    heads = [item.goes_on for item in stage.items if isinstance(item, MessageItem)]
    assert heads == [False, False, False, False, True]


def test_a_private_decline_is_never_mentioned() -> None:
    player, stage = a_player(private=True), Stage(show_thinking=True)
    while not player.at_end:
        player.step()
        stage.show(player)
        text = "\n".join(words(stage))
        assert "asked to end" not in text and "Because" not in text


def test_the_fork_says_where_one_is() -> None:
    player, stage = a_player(), Stage(show_thinking=False)
    player.move(1)
    player.move(1)
    stage.show(player)
    assert stage.items[1].place.of == 2 and stage.items[1].place.number == 1  # type: ignore[union-attr]
    player.choose(1)
    stage.show(player)
    assert [item.key for item in stage.items] == ["m0001", "other"]
    assert stage.items[1].place.number == 2  # type: ignore[union-attr]
    assert stage.ended is None


@given(st.lists(st.sampled_from(["step", "step", "right", "left", "home", "end", "older", "newer", "seek"])))
def test_a_place_looks_the_same_however_one_came_there(keys: list[str]) -> None:
    player, stage = a_player(), Stage(show_thinking=True)
    for key in keys:
        go(player, key)
        stage.show(player)
    fresh = Stage(show_thinking=True)
    fresh.show(player)
    stage.show(player)
    assert [item.key for item in stage.items] == [item.key for item in fresh.items]
    assert words(stage) == words(fresh)


def test_the_bar_shows_forks_and_endings_by_their_form() -> None:
    marks = [Mark(2000, "fork", "a"), Mark(6000, "fork", "b"), Mark(10_000, "fork", "c"), Mark(10_000, "ending", "c")]
    marked = marked_cells(marks, 10_000, 11)
    assert "".join(drawn(cell_of(0, 10_000, 11), marked, 11)) == "●─┬───┬───⊘"
    assert drawn(cell_of(4000, 10_000, 11), marked, 11) == ("━━┳━●", "─┬───⊘")
    assert drawn(cell_of(10_000, 10_000, 11), marked, 11) == ("━━┳━━━┳━━━⊘", "")
    assert marked_cells(list(reversed(marks)), 10_000, 11) == marked, "whatever their order"


def test_a_bar_of_no_time_and_of_no_width() -> None:
    assert drawn(cell_of(0, 0, 5), marked_cells([Mark(0, "ending", "a")], 0, 5), 5) == ("⊘", "────")
    assert drawn(cell_of(5, 10, 0), {}, 0) == ("", "")


def test_times_are_written_as_clocks_do() -> None:
    assert [clock_of(ms) for ms in (0, 59_999, 60_000, 3_599_000, 3_600_000)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:00:00",
    ]
