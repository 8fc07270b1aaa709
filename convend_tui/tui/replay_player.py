"""Where a replay is, and how it goes on: play and pause, speed, steps, other branches. Draws nothing, knows no widget;
the time comes from a clock that can be another."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from convend_tui.replay import Event, Replay, branches
from convend_tui.thread.tree import Thread

INSTANT = math.inf
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, INSTANT)
LONGEST_TICK_S = 0.5
"""A program that stood still (stopped, or its machine asleep) goes on where it was."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A message of the path that has siblings."""

    scene: int
    """Its number."""
    branches: Sequence[str]
    """The messages at its place, itself included, the oldest first."""
    place: int
    """Its own place among them, from 0."""
    coming: bool
    """It is what comes next; else it is there already."""


class Player:
    """A place in a replay. All scenes before `scene` are complete; of this one `shown` events have appeared: always
    less than all. After the last scene, `scene` is their number."""

    def __init__(
        self, make: Callable[[str | None], Replay], leaf: str | None = None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        """Args: make: the replay of the path that ends in a message. clock: seconds, never going back."""
        self._make = make
        self._clock = clock
        self._then = clock()
        self._leaves: dict[str, str | None] = {}
        """Where the branches end that were left for others here, by the message they begin with."""
        self.speed = 1.0
        self.playing = False
        self.scene = self.shown = 0
        self.moment = 0.0
        """ms since the replay began."""
        self._take(make(leaf))

    def _take(self, replay: Replay) -> None:
        self.replay = replay
        self._numbers: dict[str, int] | None = None
        self._forks: list[int] | None = None
        self._events: tuple[int, list[Event]] = (-1, [])

    # -- where it is --------------------------------------------------------------------------------

    @property
    def thread(self) -> Thread:
        """What is replayed."""
        return self.replay.thread

    @property
    def count(self) -> int:
        """How many scenes the path has."""
        return len(self.replay.scenes)

    @property
    def at_end(self) -> bool:
        """Whether everything has appeared."""
        return self.scene >= self.count

    @property
    def made_up(self) -> bool:
        """Whether the times of what appears now (or next, or appeared last) are plausible ones, not recorded."""
        scenes = self.replay.scenes
        return bool(scenes) and scenes[min(self.scene, len(scenes) - 1)].made_up

    def events(self, number: int) -> Sequence[Event]:
        """The events of a scene."""
        if self._events[0] != number:
            self._events = (number, self.replay.events(number))
        return self._events[1]

    @property
    def appeared(self) -> Sequence[Event]:
        """What has appeared of the scene that is under way."""
        return self.events(self.scene)[: self.shown] if self.shown else ()

    def number_of(self, message_id: str) -> int | None:
        """The number of a message's scene; None: it is not on this path, or nobody is shown it."""
        if self._numbers is None:
            self._numbers = {scene.message.id: number for number, scene in enumerate(self.replay.scenes)}
        return self._numbers.get(message_id)

    def nearest(self, message_id: str) -> int | None:
        """The number of a message's scene; where it has none, of the nearest message above that has one."""
        numbers = (self.number_of(message.id) for message in self.thread.ancestry(message_id))
        return next((number for number in numbers if number is not None), None)

    # -- time -----------------------------------------------------------------------------------------

    def play(self) -> None:
        """Go on from here; from the end, begin again."""
        if self.at_end:
            self.to_start()
        self._then = self._clock()
        self.playing = self.count > 0

    def pause(self) -> None:
        """Stand still."""
        self.playing = False

    def tick(self) -> bool:
        """Let the time pass that has passed since the last tick. Returns whether anything may have changed."""
        now = self._clock()
        passed, self._then = min(now - self._then, LONGEST_TICK_S), now
        if not self.playing:
            return False
        if self.speed == INSTANT:
            self.to_end()
        else:
            self.moment += passed * 1000 * self.speed
            self._catch_up()
        return True

    def faster(self, step: int) -> None:
        """The next speed up (`step` 1) or down (-1), as far as there is one."""
        place = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]

    def _catch_up(self) -> None:
        """Let everything appear whose time has come."""
        while not self.at_end:
            events = self.events(self.scene)
            while self.shown < len(events) and events[self.shown].at <= self.moment:
                self.shown += 1
            if self.shown < len(events):
                return
            self.scene, self.shown = self.scene + 1, 0
        self._rest()

    def _rest(self) -> None:
        """At the end there is nothing to play."""
        if self.at_end:
            self.moment = float(self.replay.duration)
            self.playing = False

    # -- steps ----------------------------------------------------------------------------------------

    def step(self) -> None:
        """The next piece, and a pause."""
        self.pause()
        if self.at_end:
            return
        events = self.events(self.scene)
        self.shown += 1
        while self.shown < len(events) and events[self.shown].kind == "done":
            self.shown += 1  # nothing is to be seen of it
        self.moment = float(events[self.shown - 1].at)
        if self.shown == len(events):
            self.scene, self.shown = self.scene + 1, 0
            self._rest()

    def move(self, messages: int) -> None:
        """One message on (1), which completes the one under way, or back (-1), which takes it away."""
        back = messages < 0 and not self.shown
        self._put(self.scene + (1 if messages > 0 else -1 if back else 0))

    def to_start(self) -> None:
        """Before the first message."""
        self._put(0)

    def to_end(self) -> None:
        """After the last one."""
        self._put(self.count)

    def to_message(self, message_id: str) -> None:
        """Just before a message of this path appears; where nobody is shown it, before the one above."""
        if (number := self.nearest(message_id)) is not None:
            self._put(number, begin=True)

    def to_moment(self, moment: float) -> None:
        """To what had appeared at a time in ms."""
        self.moment = max(0.0, min(moment, float(self.replay.duration)))
        self.scene = self.replay.scene_at(int(self.moment)) or 0
        self.shown = 0
        self._catch_up()

    def _put(self, scene: int, *, begin: bool = False) -> None:
        """Before a scene: where the one above ended, or (`begin`) where this one begins."""
        scenes = self.replay.scenes
        self.scene, self.shown = max(0, min(scene, len(scenes))), 0
        if begin and not self.at_end:
            self.moment = float(scenes[self.scene].begin)
        else:
            self.moment = float(scenes[self.scene - 1].end) if self.scene else 0.0
        self._rest()

    def again(self) -> None:
        """The times are others now: make the replay anew, and stay at the same place in it."""
        scene, shown = self.scene, self.shown
        self._take(self._make(self.replay.leaf))
        self._put(scene)
        if shown and not self.at_end:
            self.shown = min(shown, len(self.events(scene)) - 1)
            self.moment = float(self.events(scene)[self.shown - 1].at) if self.shown else self.moment

    # -- branches ---------------------------------------------------------------------------------------

    @property
    def fork(self) -> Fork | None:
        """Where another branch can be chosen: the message that appeared last, else the one that comes next, else the
        nearest above; the first of these that has siblings."""
        forks = self._fork_scenes()
        last = self.scene if self.shown else self.scene - 1
        above = bisect_right(forks, last)
        nearest = forks[above - 1] if above else None
        coming = not self.shown and nearest != last and above < len(forks) and forks[above] == self.scene
        number = self.scene if coming else nearest
        if number is None:
            return None
        message = self.replay.scenes[number].message.id
        found = branches_at(self.thread, message)
        return Fork(number, found, found.index(message), coming)

    def _fork_scenes(self) -> list[int]:
        """The numbers of the scenes that have siblings."""
        if self._forks is None:
            found = (self.number_of(mark.message) for mark in self.replay.marks if mark.kind == "fork")
            self._forks = sorted({n for n in found if n is not None})
        return self._forks

    def is_fork(self, number: int) -> bool:
        """Whether the message of a scene has siblings."""
        forks = self._fork_scenes()
        place = bisect_right(forks, number)
        return place > 0 and forks[place - 1] == number

    def choose(self, step: int) -> bool:
        """Go to the branch before (-1) or after (1) at the fork. Returns False where there is none.

        While it plays, the other branch's first message begins at once; else it stands there, whole.
        """
        fork = self.fork
        if fork is None or not 0 <= fork.place + step < len(fork.branches):
            return False
        left, wanted = fork.branches[fork.place], fork.branches[fork.place + step]
        self._leaves[left] = self.replay.leaf
        self._take(self._make(self._leaves.get(wanted) or self.thread.last_leaf(wanted)))
        number = self.number_of(wanted)
        number = fork.scene if number is None else number
        if self.playing or fork.coming:
            self._put(number, begin=not fork.coming)
        else:
            self._put(number + 1)
        return True


def branches_at(thread: Thread, message_id: str) -> list[str]:
    """The messages at one's place that can be chosen. It is among them even if others hid it meanwhile."""
    found = branches(thread, message_id)
    return found if message_id in found else [message_id]
