"""A saved thread as timed events: what came when, along one path. Pure: nothing is sent, nothing is waited for.

A typed message appears whole, as it did when it was sent. A reply appears in the chunks that were recorded; where
there is no record of them, or it does not fit the text, at a plausible pace, and `Scene.made_up` says so. Pauses (the
person's, and the model's before its first token) are cut to `LONGEST_PAUSE_MS` unless asked otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

LONGEST_PAUSE_MS = 2000

EventKind = Literal["typed", "thinking", "text", "done", "verdict", "ended"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that appears."""

    at: int
    """ms since the replay began."""
    kind: EventKind
    """`typed`: a whole message of the person's; `thinking`, `text`: a piece of the model's; `done`: its message is
    complete; `verdict`: a call of end_conversation that the person was told of; `ended`: the lock falls."""
    message: str
    """Its id."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One message of the path, with its place in time."""

    message: r.Message
    begin: int
    """ms since the replay began: when its first piece appears."""
    end: int
    """When it is complete."""
    made_up: bool
    """The times of its pieces are plausible, not recorded."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the progress bar."""

    at: int
    kind: Literal["fork", "ending"]
    message: str
    """Of a fork: the message of this path that has siblings."""


class Replay:
    """A path of a thread, in time. Pieces are made message by message as they are asked for: a thread may be long."""

    def __init__(self, thread: Thread, leaf: str | None = None, *, longest_pause_ms: int | None = LONGEST_PAUSE_MS):
        """Args: leaf: the end of the path; None: where the thread was left. longest_pause_ms: None keeps pauses."""
        raise NotImplementedError

    thread: Thread
    leaf: str | None
    scenes: Sequence[Scene]
    """Messages that nobody is shown (thread/seen.py) are left out."""
    marks: Sequence[Mark]
    duration: int
    """ms."""
    made_up: bool
    """Some times are plausible, not recorded."""

    def events(self, number: int) -> list[Event]:
        """The events of one scene, in order; at least one."""
        raise NotImplementedError

    def scene_at(self, moment: int) -> int | None:
        """The number of the last scene that has begun at `moment` ms; None: none has."""
        raise NotImplementedError
