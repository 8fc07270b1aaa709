"""A saved thread as timed events: what came when, along one path. Pure: nothing is sent, nothing is waited for.

A typed message appears whole, as it did when it was sent. A reply appears in the chunks that were recorded; where
there is no record of them, or it does not fit the text, at a plausible pace, and `Scene.made_up` says so. Pauses (the
person's, the model's before its first token, and where a stream stood still) are cut to `LONGEST_PAUSE_MS` unless
asked otherwise.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, compress, pairwise, takewhile
from operator import le, sub
from typing import Any, Final, Literal

from convend_tui.plain import visible
from convend_tui.thread import lock, seen
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

LONGEST_PAUSE_MS = 2000
UNKNOWN_PAUSE_MS: Final = 1000
"""Between two messages of which one has no readable time."""
PACE: Final = 60
"""Characters a second, where none were recorded."""
PIECE_MS: Final = 50
"""The pieces of such a reply are no closer together."""
_LONGEST_REPLY_MS: Final = 24 * 60 * 60 * 1000
"""A longer reply was never recorded: such a number is damage."""
_WORD: Final = re.compile(r"[!-\u2e7f]{1,20}\s*|\S{1,3}\s*|\s+")
"""What comes at once: a word; of scripts without spaces between them, a few characters."""

EventKind = Literal["typed", "thinking", "text", "done", "verdict", "ended"]
_Read = Literal["thinking", "text"]
_READ: Final[tuple[_Read, ...]] = ("thinking", "text")
"""What of a reply is read."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that appears."""

    at: int
    """ms since the replay began."""
    kind: EventKind
    """`typed`: a whole message of the person's; `thinking`, `text`: a piece of the model's; `done`: the model's message
    is complete; `verdict`: a call of end_conversation that the person was told of; `ended`: the lock falls."""
    message: str
    """Its id. Of `verdict` and `ended` the key to the thread's tables of these names."""
    text: str = ""
    """Of `typed`, `thinking` and `text`: the words; put together they are the message's, with an empty line between its
    blocks."""


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
    """Of a fork: the message of this path that has siblings. Of an ending: the message with the lock."""


class Replay:
    """A path of a thread, in time. Pieces are made message by message as they are asked for: a thread may be long."""

    def __init__(self, thread: Thread, leaf: str | None = None, *, longest_pause_ms: int | None = LONGEST_PAUSE_MS):
        """Args: leaf: the end of the path, a message of the thread; None: where the thread was left.
        longest_pause_ms: None keeps pauses."""
        self.thread = thread
        self.leaf = leaf if leaf is not None else thread.leaf
        self._longest = longest_pause_ms
        self._scenes: list[Scene] = []
        self._marks: list[Mark] = []
        self._endings: dict[int, list[str]] = {}
        """The messages whose locks fall at the end of a scene, by its number."""
        self._stage()
        self.scenes = self._scenes
        self.marks = self._marks
        self.duration = self._scenes[-1].end if self._scenes else 0
        self.made_up = any(scene.made_up for scene in self._scenes)
        self._begins = [scene.begin for scene in self._scenes]

    thread: Thread
    leaf: str | None
    scenes: Sequence[Scene]
    """Messages that nobody is shown (thread/seen.py) are left out."""
    marks: Sequence[Mark]
    """In order."""
    duration: int
    """ms."""
    made_up: bool
    """Some times are plausible, not recorded."""

    def events(self, number: int) -> list[Event]:
        """The events of one scene, in order; at least one."""
        scene = self._scenes[number]
        message = scene.message
        if message.role == "user":
            found = [Event(scene.begin, "typed", message.id, r.text_of(message))]
        else:
            found = [*self._pieces(scene), Event(scene.end, "done", message.id)]
        return found + self.outcome(number)

    def outcome(self, number: int) -> list[Event]:
        """The last of the events of a scene: the verdict that was told, and the lock. Cheap."""
        number = range(len(self._scenes))[number]
        scene = self._scenes[number]
        verdict = self.thread.verdicts.get(scene.message.id)
        told = verdict is not None and not verdict.private
        found = [Event(scene.end, "verdict", scene.message.id)] * told
        return found + [Event(scene.end, "ended", ended) for ended in self._endings.get(number, ())]

    def scene_at(self, moment: int) -> int | None:
        """The number of the last scene that has begun at `moment` ms; None: none has."""
        number = bisect_right(self._begins, moment) - 1
        return number if number >= 0 else None

    # -- times ----------------------------------------------------------------------------------------

    def _stage(self) -> None:
        """The scenes, the marks and the locks of the path."""
        thread, scenes = self.thread, self._scenes
        forked = locked = False
        for message in thread.path(self.leaf):
            # Ten thousand messages come by here, and few of them have siblings.
            above = thread.parent(message.id)
            forked = forked or above is None or thread.child_count(above) > 1
            if not thread.unseen(message):
                scenes.append(self._scene(message, scenes[-1] if scenes else None))
                if forked and len(branches(thread, message.id)) > 1:
                    self._marks.append(Mark(scenes[-1].begin, "fork", message.id))
                forked = False
            if message.id in thread.ended:
                locked = True
                self._lock(message.id)
        # The path may stop above the message with the lock, in the same turn: it is locked as well.
        if not locked and (ended := lock.ending_at(thread, self.leaf)) is not None:
            self._lock(ended.message)

    def _lock(self, message_id: str) -> None:
        """The lock falls at the end of the last scene there is."""
        if self._scenes:
            self._endings.setdefault(len(self._scenes) - 1, []).append(message_id)
            self._marks.append(Mark(self._scenes[-1].end, "ending", message_id))

    def _scene(self, message: r.Message, before: Scene | None) -> Scene:
        """The next scene."""
        begin = before.end if before is not None else 0
        since = _between(before.message, message) if before is not None else 0
        if message.role == "user":
            begin += self._cut(since)
            return Scene(message, begin, begin, False)
        size = sum(len(text) for _, text in _blocks(message))
        recorded = recorded_chunks(message, size)
        if recorded is None:
            # `at` is when it was complete.
            lasts = size * 1000 // PACE
            begin += self._cut(max(0, since - lasts))
            return Scene(message, begin, begin + lasts, size > 0)
        times, _, total = recorded
        # Not the time since the question: an answer that was asked for again came long after it.
        begin += self._cut(times[0] if times else total)
        return Scene(message, begin, begin + sum(self._gaps([*times, total])), False)

    def _cut(self, pause: int) -> int:
        return pause if self._longest is None else min(pause, self._longest)

    def _gaps(self, times: Sequence[int]) -> list[int]:
        """How long each of `times` but the first comes after the one before, in the replay."""
        gaps = list(map(sub, times[1:], times))
        if self._longest is None or max(gaps, default=0) <= self._longest:
            return gaps
        return [min(gap, self._longest) for gap in gaps]

    def _pieces(self, scene: Scene) -> Iterator[Event]:
        """The thinking and the text of a reply, in its chunks."""
        whole = "".join(text for _, text in _blocks(scene.message))
        recorded = recorded_chunks(scene.message, len(whole))
        if recorded is not None:
            times, sizes, _ = recorded
            times = list(accumulate(self._gaps(times), initial=0))
        else:
            times, sizes = plausible_chunks(whole)
        moments = zip(times, sizes, strict=False)
        after, left = 0, 0
        for kind, lead, text in _led(scene.message):
            place = 0
            while place < len(text):
                while not left:
                    after, left = next(moments)
                piece = text[place : place + left]
                yield Event(scene.begin + after, kind, scene.message.id, lead + piece)
                lead = ""
                place += len(piece)
                left -= len(piece)
            if lead:
                yield Event(scene.end, kind, scene.message.id, lead)


def branches(thread: Thread, message_id: str) -> list[str]:
    """The messages at this one's place that can be chosen, itself included, the oldest first: those that were pruned
    and those that nobody is shown are not among them."""
    above = seen.parent(thread, message_id)

    def is_pruned(sibling: str) -> bool:
        way = takewhile(lambda message: message.id != above, thread.ancestry(sibling))
        return any(thread.pruned(message.id) for message in way)

    siblings = (found for child in thread.children(above) for found in seen.below(thread, child))
    shown = (i for i in siblings if not thread.unseen(thread.messages[i]))
    return [i for i in shown if i == message_id or not is_pruned(i)]


def recorded_chunks(message: r.Message, size: int) -> tuple[Sequence[int], Sequence[int], int] | None:
    """What a reply's `timing` says: when its pieces came, in ms since the request left, of how many characters (of
    thinking and text together) each was, and when all was there. None: there is no record, or it does not fit the
    `size` characters that there are."""
    timing = message.timing
    pairs = timing.get("chunks") if timing is not None else None
    if timing is None or not isinstance(pairs, list):
        return None
    times: Sequence[Any] = ()
    sizes: Sequence[Any] = ()
    if pairs:
        # A long thread has millions of pairs: whole columns are looked at.
        try:
            times, sizes = zip(*pairs, strict=True)
        except (TypeError, ValueError):
            return None
    if not {*map(type, times), *map(type, sizes)} <= {int}:
        return None
    if min(sizes, default=0) < 0 or sum(sizes) != size:
        return None
    if times and (times[0] < 0 or times[-1] > _LONGEST_REPLY_MS or not all(map(le, times, times[1:]))):
        return None
    total, last = timing.get("total_ms"), times[-1] if times else 0
    if 0 in sizes:
        # Nothing was seen to come then: the pause goes on.
        times, sizes = list(compress(times, sizes)), list(filter(None, sizes))
    return times, sizes, total if type(total) is int and last <= total <= _LONGEST_REPLY_MS else last


def plausible_chunks(text: str) -> tuple[Sequence[int], Sequence[int]]:
    """Times and sizes for a text of which none were recorded: words at `PACE`, in pieces of `PIECE_MS` or more."""
    times: list[int] = []
    sizes: list[int] = []
    for word in _WORD.finditer(text):
        ms = word.start() * 1000 // PACE
        if times and ms - times[-1] < PIECE_MS:
            sizes[-1] += len(word[0])
        else:
            times.append(ms)
            sizes.append(len(word[0]))
    return times, sizes


def made_visible(texts: Sequence[str]) -> list[str]:
    """`plain.visible` of pieces that follow each other: as one text, then cut at the same places. (Made visible one by
    one, what belongs together across a cut would be taken for something else.)"""
    whole = "".join(texts)
    shown = visible(whole)
    ends = list(accumulate(map(len, texts)))
    if len(shown) != len(whole):
        # Nearly the same places: what was dropped or spelt out is a small part of any text that is read.
        ends = [end * len(shown) // len(whole) for end in ends]
    return [shown[start:end] for start, end in pairwise([0, *ends])]


def _blocks(message: r.Message) -> Iterator[tuple[_Read, str]]:
    """What of a reply is read: its blocks of thinking and of text."""
    for block in message.content:
        for kind in _READ:
            if block.get("type") == kind and isinstance(text := block.get(kind), str):
                yield kind, text


def _led(message: r.Message) -> Iterator[tuple[_Read, str, str]]:
    """The same, each with what stands between it and the one before it of its kind. The last may have no text."""
    begun: set[str] = set()
    lead = dict.fromkeys(_READ, "")
    for kind, text in _blocks(message):
        if not text and kind == "thinking":
            continue  # hidden by the server
        lead[kind] += "\n\n" * (kind in begun)
        begun.add(kind)
        if text:
            yield kind, lead[kind], text
            lead[kind] = ""
    yield "text", lead["text"], ""


def _between(first: r.Message, second: r.Message) -> int:
    """ms between the times of two messages."""
    one, other = r.moment_of(first.at), r.moment_of(second.at)
    if one is None or other is None:
        return UNKNOWN_PAUSE_MS
    return max(0, (other - one) // timedelta(milliseconds=1))
