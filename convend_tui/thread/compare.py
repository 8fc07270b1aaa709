"""Two branches side by side: where they part, which messages stand beside each other, and which words differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

MOST_COMPARISONS = 4_000_000
"""Words of one side times words of the other, without what is the same at both ends: above it the whole middle counts
as different, since comparing would take seconds."""

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Piece = tuple[str, bool]
"""Text, and whether the other side has something else there."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Messages that stand beside each other; a side that has ended has None."""

    left: r.Message | None
    right: r.Message | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two paths of one thread."""

    fork: r.Message | None
    """The last message they share; None: they begin with different messages."""
    shared: int
    """How many messages they share."""
    pairs: tuple[Pair, ...]


def compare(thread: Thread, left: str, right: str) -> Comparison:
    """The paths down to two messages, from where they part. Unseen messages are left out.

    Turns stand beside turns: where one side's answer took more messages (a call and what followed), the other waits.

    Raises:
        KeyError: there is no such message.
    """
    one, two = ([m for m in thread.path(i) if not thread.unseen(m)] for i in (left, right))
    shared = 0
    while shared < min(len(one), len(two)) and one[shared].id == two[shared].id:
        shared += 1
    turns = zip_longest(_turns(one[shared:]), _turns(two[shared:]), fillvalue=())
    pairs = (Pair(a, b) for x, y in turns for a, b in zip_longest(x, y))
    return Comparison(one[shared - 1] if shared else None, shared, tuple(pairs))


def _turns(path: list[r.Message]) -> Iterator[tuple[r.Message, ...]]:
    """Runs of messages of one role: what the person typed, and the answer to it."""
    run: list[r.Message] = []
    for message in path:
        if run and message.role != run[-1].role:
            yield tuple(run)
            run = []
        run.append(message)
    if run:
        yield tuple(run)


def differences(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, word by word: what they share, and what only one has."""
    one, two = _WORDS.findall(left), _WORDS.findall(right)
    low = 0
    while low < min(len(one), len(two)) and one[low] == two[low]:
        low += 1
    high = 0
    while high < min(len(one), len(two)) - low and one[-1 - high] == two[-1 - high]:
        high += 1
    middle_one, middle_two = one[low : len(one) - high], two[low : len(two) - high]
    found: tuple[list[Piece], list[Piece]] = ([], [])
    for side, words in zip(found, (one, two), strict=True):
        _add(side, words[:low], differs=False)
    if len(middle_one) * len(middle_two) > MOST_COMPARISONS:
        _add(found[0], middle_one, differs=True)
        _add(found[1], middle_two, differs=True)
    else:
        matcher = SequenceMatcher(None, middle_one, middle_two, autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            _add(found[0], middle_one[a:b], differs=kind != "equal")
            _add(found[1], middle_two[c:d], differs=kind != "equal")
    for side, words in zip(found, (one, two), strict=True):
        _add(side, words[len(words) - high :], differs=False)
    return found


def likeness(left: str, right: str) -> float:
    """How much of two texts is the same, from 0 to 1, by words."""
    if not left and not right:
        return 1.0
    one, two = differences(left, right)
    same = sum(len(text) for text, differs in one + two if not differs)
    return same / (len(left) + len(right))


def _add(pieces: list[Piece], words: list[str], *, differs: bool) -> None:
    if not words:
        return
    text = "".join(words)
    if pieces and pieces[-1][1] == differs:
        text = pieces.pop()[0] + text
    pieces.append((text, differs))
