"""A thread as rows of text: straight runs fold, and only forks indent.

Made in two steps: the runs of a thread once (`Outline`), and from them, whenever the place or the filter is another,
the rows (`Outline.rows`), each of which comes into being when it is drawn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from convend_tui.plain import one_line
from convend_tui.thread import records as r
from convend_tui.thread.runs import Run, runs_of
from convend_tui.thread.tree import Thread

PREVIEW = 80
"""Cells of a message's first words."""
KEPT = 2
"""Messages of a run that stay in sight at each of its ends: a question and its answer."""
SHORTEST_FOLD = 4
"""Messages; fewer are not worth a fold."""
_LONGEST = 1000
"""Characters of a message that are looked at for a row."""
_LEAD = 12
"""Characters in front of what a filter found."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a message, or a fold with several."""

    message: r.Message
    """Of a fold, the first one in it."""
    run: Run
    folded: int = 0
    """So many messages are folded here; 0: this is one message."""
    turns: int = 0
    """So many of those are the person's."""
    first: bool = False
    """It is the first of its run."""
    fork: bool = False
    """Several branches go on below it."""
    current: bool = False
    """It is on the path shown (of a fold: some of it)."""
    here: bool = False
    """It has the focus of whoever looks on (of a fold: a message in it)."""
    hidden: bool = False
    """It was pruned, or something above it."""
    ended: bool = False
    """The model ended the conversation here."""
    label: str = ""
    hit: bool = False
    """The filter found it."""


_BITS = 32
"""A place in the outline is one number: the run's, moved so many bits, and the message's in its run. A hundred thousand
numbers are nothing to the garbage collector, a hundred thousand tuples are."""


class Outline:
    """The runs of a thread as it is now, in the order in which they are listed."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.runs = runs_of(thread)
        self._places = {
            message.id: place
            for number, run in enumerate(self.runs)
            for place, message in enumerate(run.messages, number << _BITS)
        }
        self.problems = problems_of(thread)
        self._found: tuple[str, dict[int, list[int]]] = ("", {})
        """What was looked for last, and where it was."""

    def __len__(self) -> int:
        """How many messages there are to see."""
        return len(self._places)

    @property
    def ends(self) -> tuple[int, int]:
        """How many branches can be seen, and how many were pruned."""
        seen = [run.in_sight == len(run.messages) for run in self.runs if not run.branches]
        return sum(seen), len(seen) - sum(seen)

    def place(self, message_id: str | None) -> tuple[int, int] | None:
        """Where a message is, as number of its run and its place in that; of one that nobody is shown, the nearest
        above it that is."""
        while message_id is not None and message_id not in self._places:
            message_id = self.thread.parent(message_id) if message_id in self.thread.messages else None
        return divmod(self._places[message_id], 1 << _BITS) if message_id is not None else None

    def rows(
        self,
        leaf: str | None = None,
        *,
        here: str | None = None,
        kept: str | None = None,
        unfolded: Collection[str] = (),
        wanted: str = "",
        fold: bool = True,
    ) -> Rows:
        """The rows to show.

        Args:
            leaf: the end of the path that is current.
            here: the message with the focus; it is not folded away.
            kept: another message that is not.
            unfolded: ids of runs that are shown whole.
            wanted: only messages in which all of these words are found, and what stands above them.
            fold: False shows every run whole.
        """
        hits = self._find(wanted) if wanted.strip() else None
        stops = (
            {number: len(run.messages) for number, run in enumerate(self.runs)} if hits is None else self._kept(hits)
        )
        pins = self._pins((leaf, here, kept), hits or {})
        starts: list[int] = []
        for number, stop in stops.items():
            first = number << _BITS
            if not fold or self.runs[number].id in unfolded:
                starts.extend(range(first, first + stop))
            else:
                starts.extend(first + index for index in _rows_of(stop, pins.get(number, ())))
        return Rows(self, starts, stops, self._path(leaf), self.place(here), hits)

    def _path(self, leaf: str | None) -> dict[int, int]:
        """How many messages of each run are on the path to `leaf`."""
        place = self.place(leaf)
        if place is None:
            return {}
        number, index = place
        found = {number: index + 1}
        above = self.runs[number].parent
        while above is not None:
            found[above] = len(self.runs[above].messages)
            above = self.runs[above].parent
        return found

    def _pins(self, kept: Iterable[str | None], hits: Mapping[int, Sequence[int]]) -> dict[int, set[int]]:
        """Messages that are not folded away, by run."""
        named = [label.message for label in self.thread.labels.values() if label.label.strip()]
        pins: dict[int, set[int]] = defaultdict(set)
        for place in map(self.place, kept):
            if place is not None:
                pins[place[0]].add(place[1])
        for message in (*named, *self.thread.ended):
            if message in self._places and (place := self.place(message)):
                pins[place[0]].add(place[1])
        for number, indexes in hits.items():
            pins[number].update(indexes)
        return pins

    def _find(self, wanted: str) -> dict[int, list[int]]:
        """The messages that have all the words, by run."""
        words = wanted.casefold().split()
        before, places = self._found
        if not before or not wanted.startswith(before):
            places = {number: list(range(len(run.messages))) for number, run in enumerate(self.runs)}
        # Another letter can only narrow it: what was not found with fewer is not looked at again.
        found: dict[int, list[int]] = {}
        for number, indexes in places.items():
            messages = self.runs[number].messages
            if hits := [i for i in indexes if self._has(messages[i], words)]:
                found[number] = hits
        self._found = (wanted, found)
        return found

    def _has(self, message: r.Message, words: Sequence[str]) -> bool:
        text = self._searched(message)
        return all(word in text for word in words)

    def _searched(self, message: r.Message) -> str:
        text = r.text_of(message)
        if label := self.thread.labels.get(message.id):
            text += f"\n{label.label}"
        if message.id in self.thread.ended:
            text += "\nended"
        return text.casefold()

    def _kept(self, hits: Mapping[int, Sequence[int]]) -> dict[int, int]:
        """The runs with hits and those above them, in order, with how many of their messages are kept."""
        kept = {number: indexes[-1] + 1 for number, indexes in hits.items()}
        whole: set[int] = set()
        for number in hits:
            above = self.runs[number].parent
            while above is not None and above not in whole:
                whole.add(above)
                above = self.runs[above].parent
        kept |= {number: len(self.runs[number].messages) for number in whole}
        return dict(sorted(kept.items()))


class Rows(Sequence[Row]):
    """The rows of an outline; each is made when it is asked for."""

    def __init__(
        self,
        outline: Outline,
        starts: Sequence[int],
        stops: Mapping[int, int],
        path: Mapping[int, int],
        here: tuple[int, int] | None,
        hits: Mapping[int, Sequence[int]] | None,
    ) -> None:
        self._outline = outline
        self._starts = starts
        """Place of each row's first message."""
        self._stops = stops
        """How many messages there are of each run."""
        self._path = path
        self._here = here
        self._hits = {number: set(indexes) for number, indexes in hits.items()} if hits is not None else None

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self._row(row) for row in range(len(self))[index]]
        return self._row(range(len(self))[index])

    def _span(self, row: int) -> tuple[int, int, int]:
        """Of a row: number of its run, its first message, one past its last."""
        number, start = divmod(self._starts[row], 1 << _BITS)
        if row + 1 < len(self._starts):
            below, stop = divmod(self._starts[row + 1], 1 << _BITS)
            if below == number:
                return number, start, stop
        return number, start, self._stops[number]

    def _row(self, index: int) -> Row:
        number, start, stop = self._span(index)
        run, thread = self._outline.runs[number], self._outline.thread
        message = run.messages[start]
        here = self._here is not None and self._here[0] == number and start <= self._here[1] < stop
        common: dict[str, Any] = {
            "first": start == 0,
            "fork": stop == len(run.messages) and run.branches > 1,
            "current": start < self._path.get(number, 0),
            "here": here,
            "hidden": start >= run.in_sight,
        }
        if stop - start > 1:
            turns = sum(m.role == "user" for m in run.messages[start:stop])
            return Row(message, run, folded=stop - start, turns=turns, **common)
        label = thread.labels.get(message.id)
        return Row(
            message,
            run,
            ended=message.id in thread.ended,
            label=label.label if label else "",
            hit=self._hits is not None and start in self._hits.get(number, ()),
            **common,
        )

    # -- where to go ----------------------------------------------------------------------------------

    @property
    def hits(self) -> int | None:
        """How many messages the filter found; None without one."""
        return sum(map(len, self._hits.values())) if self._hits is not None else None

    def index_of(self, message_id: str | None) -> int | None:
        """The row with a message; of one that nobody is shown, the nearest above. None: the filter left it out."""
        place = self._outline.place(message_id)
        if place is None:
            return None
        found = bisect_right(self._starts, place[0] << _BITS | place[1]) - 1
        if found < 0:
            return None
        number, start, stop = self._span(found)
        return found if number == place[0] and start <= place[1] < stop else None

    def next_fork(self, row: int, step: int) -> int | None:
        """The next row below (`step` 1) or above (-1) at which branches part; None: there is none."""
        runs = self._outline.runs
        return self._next(row, step, lambda n, _, stop: stop == len(runs[n].messages) and runs[n].branches > 1)

    def next_hit(self, row: int, step: int) -> int | None:
        """The next row that the filter found."""
        hits = self._hits or {}
        return self._next(row, step, lambda number, start, _: start in hits.get(number, ()))

    def next_branch(self, row: int, step: int) -> int | None:
        """The first row of the branch after (`step` 1) or before (-1) the one that a row belongs to. Where that fork
        has no more, the fork above it is looked at, and so on."""
        runs = self._outline.runs
        beside: dict[int | None, list[tuple[int, int]]] = defaultdict(list)
        for index, place in enumerate(self._starts):
            number, start = divmod(place, 1 << _BITS)
            if start == 0:
                beside[runs[number].parent].append((runs[number].order, index))
        run = runs[self._span(row)[0]]
        while True:
            further = [
                (abs(order - run.order), index) for order, index in beside[run.parent] if (order - run.order) * step > 0
            ]
            if further:
                return min(further)[1]
            if run.parent is None:
                return None
            run = runs[run.parent]

    def fork_above(self, row: int) -> int | None:
        """The row of the message that a row's run forks off."""
        above = self._outline.runs[self._span(row)[0]].parent
        return None if above is None else self.index_of(self._outline.runs[above].messages[-1].id)

    def _next(self, row: int, step: int, wanted: Callable[[int, int, int], bool]) -> int | None:
        rows = range(row + 1, len(self)) if step > 0 else range(row - 1, -1, -1)
        return next((row for row in rows if wanted(*self._span(row))), None)


def problems_of(thread: Thread) -> list[str]:
    """What is wrong with a thread, in words."""
    links = [thread.messages[root].parent for root in thread.roots]
    lost = sum(parent is not None and parent not in thread.messages for parent in links)
    found = thread.problems
    if lost == 1:
        found.append("a message answers one that is not in the file")
    elif lost:
        found.append(f"{lost:,} messages answer messages that are not in the file")
    return found


def preview(message: r.Message, width: int = PREVIEW, around: str = "") -> str:
    """The first words of a message, on one line; what it is, where it has none. With `around`, the words that a
    filter looks for, the part where the first of them stands."""
    text = r.text_of(message).lstrip()
    if around and (found := _first(text, around)) > width - _LEAD:
        text = f"…{text[found - _LEAD :].lstrip()[:_LONGEST]}"
    if words := one_line(text[:_LONGEST], width):
        return words
    if message.stop_reason == "refusal":
        return one_line("(refused)", width)
    # Calls and their results are not named: not every one was told.
    kinds = [
        str(block.get("type")) for block in message.content if block.get("type") not in ("tool_use", "tool_result")
    ]
    return one_line(f"({', '.join(kinds)})" if kinds else "(no words)", width)


def _first(text: str, wanted: str) -> int:
    """Where in `text` the first of the words that are found begins; -1: none is there."""
    folded = text.casefold()
    places = [folded.find(word) for word in wanted.casefold().split()]
    return min((place for place in places if place >= 0), default=-1)


def _rows_of(stop: int, pins: Collection[int]) -> Iterator[int]:
    """Where the rows of a run's first `stop` messages begin: each is one message or a fold."""
    kept = {*range(min(KEPT, stop)), *range(max(0, stop - KEPT), stop), *(pin for pin in pins if pin < stop)}
    at = 0
    for index in sorted(kept):
        yield from range(at, at + 1 if index - at >= SHORTEST_FOLD else index)
        yield index
        at = index + 1
