"""Where a replay is: time, steps, speeds, forks. No screen."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from convend_tui.replay import Replay
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from convend_tui.tui.replay_player import INSTANT, LONGEST_TICK_S, SPEEDS, Player
from tests.making import Branch, at

ANSWER = "First a piece, then another, then the last."
TIMING = {"first_ms": 300, "total_ms": 1000, "chunks": [[300, 14], [500, 15], [900, 14]]}


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def a_thread() -> Thread:
    """Two questions; the second has been asked in two ways, the first of which was answered twice."""
    branch = Branch().typed("What is a fox?").reply(ANSWER, timing=TIMING).typed("And a wolf?").reply("One answer.")
    fork, question = branch.path[1].id, branch.path[2].id

    def beside(parent: str, number: int, like: r.Message, words: str) -> r.Message:
        content = [{"type": "text", "text": words}]
        return msgspec.structs.replace(like, id=f"x{number}", parent=parent, at=at(40 + number), content=content)

    branch.path += [
        beside(question, 1, branch.path[3], "Another answer."),
        beside(fork, 2, branch.path[2], "And a bear?"),
        beside("x2", 3, branch.path[3], "A bear is large."),
    ]
    return branch.thread()


def a_player(leaf: str = "m0004", thread: Thread | None = None) -> tuple[Player, Clock]:
    clock, thread = Clock(), thread or a_thread()
    return Player(lambda end: Replay(thread, end), leaf, clock=clock), clock


def so_far(player: Player) -> list[tuple[str, str, str]]:
    """All that has appeared."""
    scenes = [event for number in range(player.scene) for event in player.replay.events(number)]
    return [(e.message, e.kind, e.text) for e in [*scenes, *player.appeared]]


def due(player: Player, moment: float) -> list[tuple[str, str, str]]:
    """All whose time has come."""
    scenes = [event for number in range(player.count) for event in player.replay.events(number)]
    return [(e.message, e.kind, e.text) for e in scenes if e.at <= moment]


def elapse(player: Player, clock: Clock, seconds: float) -> None:
    """Let time pass in small ticks."""
    for _ in range(round(seconds / 0.05)):
        clock.now += 0.05
        player.tick()


def test_what_appears_is_what_is_due() -> None:
    player, clock = a_player()
    player.play()
    for passed in range(1, 200):
        clock.now += 0.05
        player.tick()
        if player.at_end:
            break
        assert so_far(player) == due(player, player.moment)
        assert abs(player.moment - passed * 50) < 1
    assert player.at_end and not player.playing
    assert so_far(player) == due(player, player.replay.duration)


def test_time_stands_still_in_a_pause() -> None:
    player, clock = a_player()
    player.play()
    elapse(player, clock, 0.4)
    player.pause()
    moment, shown = player.moment, so_far(player)
    clock.now += 60
    assert not player.tick()
    player.play()
    player.tick()
    assert (player.moment, so_far(player)) == (moment, shown)


def test_a_program_that_stood_still_goes_on_where_it_was() -> None:
    player, clock = a_player()
    player.play()
    clock.now += 3600
    player.tick()
    assert player.moment == LONGEST_TICK_S * 1000


def test_speeds_go_from_a_quarter_to_instant() -> None:
    player, clock = a_player()
    player.play()
    for _ in SPEEDS:
        player.faster(-1)
    assert player.speed == 0.25
    elapse(player, clock, 0.4)
    assert abs(player.moment - 100) < 1
    for _ in range(4):
        player.faster(1)
    assert player.speed == 4
    elapse(player, clock, 0.1)
    assert abs(player.moment - 500) < 1
    for _ in SPEEDS:
        player.faster(1)
    assert player.speed == INSTANT
    player.tick()
    assert player.at_end and player.moment == player.replay.duration


def test_steps_show_piece_after_piece() -> None:
    player, _ = a_player()
    player.play()
    seen: list[str] = []
    while not player.at_end:
        before = len(so_far(player))
        player.step()
        assert not player.playing
        seen += [text for _, kind, text in so_far(player)[before:] if kind in ("typed", "text")]
        assert player.moment <= player.replay.duration
    pieces = [text for _, kind, text in due(player, player.replay.duration) if kind in ("typed", "text")]
    assert seen == pieces
    assert "".join(seen).startswith("What is a fox?" + ANSWER)
    assert seen[1:4] == [ANSWER[:14], ANSWER[14:29], ANSWER[29:]]
    player.step()
    assert player.at_end


def test_messages_complete_and_go_away() -> None:
    player, _ = a_player()
    player.move(1)
    player.step()
    assert (player.scene, player.shown) == (1, 1)
    player.move(1)
    assert (player.scene, player.shown, player.moment) == (2, 0, player.replay.scenes[1].end)
    player.move(-1)
    assert (player.scene, player.shown, player.moment) == (1, 0, player.replay.scenes[0].end)
    player.step()
    player.move(-1)
    assert (player.scene, player.shown) == (1, 0), "what is under way goes first"
    for _ in range(3):
        player.move(-1)
    assert (player.scene, player.moment) == (0, 0)
    for _ in range(9):
        player.move(1)
    assert player.at_end and player.moment == player.replay.duration


def test_end_then_home_then_space_plays_from_the_beginning() -> None:
    player, clock = a_player()
    player.play()
    player.to_end()
    assert not player.playing
    player.to_start()
    assert so_far(player) == [] and not player.playing
    player.play()
    elapse(player, clock, 0.2)
    assert player.playing and so_far(player)[0][2] == "What is a fox?"
    player.to_end()
    player.play()
    player.tick()
    assert player.moment == 0 and player.playing, "at the end it begins again"


def test_home_while_it_plays_plays_on() -> None:
    player, clock = a_player()
    player.play()
    elapse(player, clock, 0.4)
    player.to_start()
    assert player.playing and player.moment == 0


def test_a_moment_is_found_by_its_time() -> None:
    player, _ = a_player()
    for moment in range(0, player.replay.duration, 37):
        player.to_moment(moment)
        assert so_far(player) == due(player, moment)
    player.to_moment(10**9)
    assert player.at_end


def test_a_replay_begins_at_a_message() -> None:
    player, _ = a_player()
    player.to_message("m0003")
    assert player.scene == 2 and player.moment == player.replay.scenes[2].begin
    player.play()
    player.tick()
    assert so_far(player)[-1][2] == "And a wolf?"


def test_the_fork_is_the_last_that_appeared_or_the_next() -> None:
    player, _ = a_player()
    assert player.fork is None
    player.move(1)
    assert player.fork is None
    player.move(1)
    fork = player.fork
    assert fork and fork.coming and (fork.scene, fork.place, fork.branches) == (2, 0, ["m0003", "x2"])
    player.move(1)
    fork = player.fork
    assert fork and not fork.coming and fork.scene == 2, "what is there counts before what comes"
    player.move(1)
    fork = player.fork
    assert fork and (fork.scene, fork.branches) == (3, ["m0004", "x1"])


def test_a_pause_shows_the_other_branch_at_the_same_place() -> None:
    player, clock = a_player()
    for _ in range(3):
        player.move(1)
    assert not player.choose(-1)
    assert player.choose(1)
    assert player.replay.leaf == "x3" and player.scene == 3
    assert so_far(player)[-1][2] == "And a bear?"
    assert not player.choose(1)
    player.play()
    elapse(player, clock, 10)
    assert player.at_end
    assert "".join(text for _, kind, text in so_far(player) if kind == "text").endswith("A bear is large.")


def test_while_it_plays_the_other_branch_begins_at_once() -> None:
    player, clock = a_player()
    for _ in range(3):
        player.move(1)
    player.play()
    assert player.choose(1)
    assert player.playing
    clock.now += 0.01
    player.tick()
    assert so_far(player)[-1][2] == "And a bear?"


def test_what_comes_next_can_be_chosen_before_it_comes() -> None:
    player, _ = a_player()
    player.move(1)
    player.move(1)
    assert player.choose(1)
    assert player.scene == 2 and player.shown == 0
    player.step()
    assert so_far(player)[-1][2] == "And a bear?"


def test_the_way_back_leads_to_the_branch_one_was_on() -> None:
    thread = a_thread()
    for leaf in ("m0004", "x1"):
        player, _ = a_player(leaf, thread)
        for _ in range(3):
            player.move(1)
        player.choose(1)
        assert player.replay.leaf == "x3"
        player.choose(-1)
        assert player.replay.leaf == leaf


def test_with_other_times_it_stays_at_its_place() -> None:
    thread, longest = a_thread(), 100
    player = Player(lambda end: Replay(thread, end, longest_pause_ms=longest), "m0004", clock=Clock())
    short = player.replay.duration
    while not player.at_end:
        before = so_far(player)
        longest = 100 if longest > 100 else 5000
        player.again()
        assert so_far(player) == before
        events = player.appeared
        assert not events or player.moment == events[-1].at
        player.step()
    longest = 5000
    player.again()
    assert player.at_end and player.moment == player.replay.duration > short


def test_nothing_to_play() -> None:
    player, clock = a_player(thread=Branch().thread(), leaf=None)  # type: ignore[arg-type]
    player.play()
    elapse(player, clock, 0.2)
    player.step()
    player.move(1)
    player.move(-1)
    player.to_moment(5)
    assert player.at_end and not player.playing and player.fork is None and not player.made_up


def test_made_up_times_are_told_where_they_are() -> None:
    player, _ = a_player()
    told = []
    while not player.at_end:
        told.append(player.made_up)
        player.move(1)
    assert told == [scene.made_up for scene in player.replay.scenes] == [False, False, False, True]


def go(player: Player, key: str) -> None:
    """One thing that a person does."""
    does = {
        "step": player.step,
        "right": lambda: player.move(1),
        "left": lambda: player.move(-1),
        "home": player.to_start,
        "end": player.to_end,
        "play": player.play,
        "older": lambda: player.choose(-1),
        "newer": lambda: player.choose(1),
        "seek": lambda: player.to_moment(player.replay.duration / 2),
        "faster": lambda: player.faster(1),
        "again": player.again,
    }
    does[key]()


KEYS = ("step", "right", "left", "home", "end", "play", "older", "newer", "seek", "faster", "again")


@given(st.lists(st.sampled_from(KEYS)))
def test_whatever_is_pressed_it_is_at_a_place_there_is(keys: list[str]) -> None:
    player, clock = a_player()
    for key in keys:
        go(player, key)
        clock.now += 0.3
        player.tick()
        assert 0 <= player.scene <= player.count
        assert player.at_end or player.shown < len(player.events(player.scene))
        assert 0 <= player.moment <= player.replay.duration
        assert not (player.playing and player.at_end)
