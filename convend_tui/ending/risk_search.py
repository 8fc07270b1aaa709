"""Where the patterns of risk_signals.toml match in folded text, sentence by sentence.

Few sentences have a word of every part of any pattern. Each word has the bits of the parts it is among, one for each
pattern and part; what they come to together tells in a handful of operations which patterns are worth trying.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from convend_tui.ending.risk_patterns import Form, Group
from convend_tui.ending.risk_words import Likely

REACH = 130
"""Characters around an anchor in which its pattern is tried."""

_LONG, _STEP, _MARGIN = 800, 400, 150
"""Longer sentences are looked at in pieces, so far apart, for anchors so far from the beginning of each."""
_FURTHER = 450
"""Characters after a sentence at which a pattern may look."""
_SOON = 4000
"""Characters after a match in which a plainer one may take its place."""
_REMEMBERED = 10_000
"""Sentences that are known when they come again."""


class Piece(NamedTuple):
    """A sentence of a text, or a piece of a long one."""

    words: str
    low: int
    """Where it begins in the text."""
    start: int
    end: int
    """Of the whole sentence."""

    @property
    def high(self) -> int:
        """Where it ends."""
        return self.low + len(self.words)

    @property
    def first(self) -> int:
        """Where anchors may stand: those before are the piece before's."""
        return self.low if self.low == self.start else self.low + _MARGIN

    @property
    def last(self) -> int:
        """Where anchors are the next piece's."""
        return self.high if self.high == self.end else self.low + _MARGIN + _STEP


def pieces(text: str) -> Iterator[tuple[str, int, int, int]]:
    """The sentences of folded text, the long ones in pieces; not as Piece yet, as few are worth a closer look."""
    start = 0
    for sentence in text.split("."):
        end = start + len(sentence)
        if len(sentence) <= _LONG:
            yield sentence, start, start, end
        else:
            for low in range(start, end - _LONG + _STEP, _STEP):
                yield text[low : min(low + _LONG, end)], low, start, end
        start = end + 1


class Index:
    """All patterns of one form, by the words of their parts."""

    def __init__(self, form: Form, groups: Iterable[Group]) -> None:
        self._form = form
        self._groups = tuple(group for group in groups if group.form == form)
        self._all = (1 << len(self._groups)) - 1
        self._same: dict[tuple[str, str], int] = {}
        for number, group in enumerate(self._groups):
            key = group.language, group.kind
            self._same[key] = self._same.get(key, 0) | 1 << number

    @cached_property
    def _likely(self) -> Likely:
        """Not made before it is needed: text of many languages needs one of the three forms only."""
        return Likely(self._form, self._groups)

    @cached_property
    def _foreign(self) -> re.Pattern[str]:
        """Letters that tell of the languages of these patterns."""
        keys = (key for key in self._likely.inner.letters if not key.isascii())
        letters = "".join(sorted({next(letter for letter in key if not letter.isascii()) for key in keys}))
        return re.compile(f"[{re.escape(letters)}]" if letters else "(?!)")

    @cached_property
    def _ascii(self) -> list[str]:
        """What their patterns look for all the same in other letters."""
        return [key for key in self._likely.inner.letters if key.isascii()]

    def _any(self, text: str) -> bool:
        """Whether a text has any letters of the languages of these patterns: most often it has none."""
        if self._form == "words" or self._foreign.search(text):
            return True
        # Read without its spaces, a sentence in Latin letters has everything in it.
        return self._form == "inside" and any(map(text.__contains__, self._ascii))

    def search(
        self, text: str, found: Container[tuple[str, str]], is_ordinary: Callable[[str, int, int], bool]
    ) -> list[tuple[Group, int, int]]:
        """A match of each language and kind that is not found yet, with its place in the text.

        It is the first match, or one soon after it of a pattern that stands before in the file, where the plainest do.

        Args:
            is_ordinary: whether a match in the text, from one place to another, does not count.
        """
        if not self._any(text):
            return []
        wanted = sum(same for key, same in self._same.items() if key not in found)
        best: dict[tuple[str, str], tuple[Group, int, int]] = {}
        open_until: dict[tuple[str, str], int] = {}
        known: dict[str, int] = {}
        seen: set[tuple[str, str]] = set()
        for words, *place in pieces(text):
            likely = known.get(words, -1)
            if likely < 0:
                if len(known) >= _REMEMBERED:
                    known.clear()
                likely = known[words] = self._likely.patterns(words) if self._any(words) else 0
            likely &= wanted
            if not likely:
                continue
            piece = Piece(words, *place)
            for key in [key for key, end in open_until.items() if end < piece.low]:
                del open_until[key]
                wanted &= ~self._same[key]
                likely &= ~self._same[key]
            surroundings = text[max(piece.low - _MARGIN, 0) : piece.low], text[piece.low : piece.high + _FURTHER]
            if surroundings in seen:
                continue
            if len(seen) >= _REMEMBERED:
                seen.clear()
            seen.add(surroundings)
            while likely:
                lowest = likely & -likely
                group = self._groups[lowest.bit_length() - 1]
                likely ^= lowest
                match = _match(group, text, piece) if _said(group, words) else None
                if match and not is_ordinary(text, *match.span()):
                    key = group.language, group.kind
                    best[key] = group, *match.span()
                    open_until.setdefault(key, piece.low + _SOON)
                    likely &= ~self._same[key]
                    wanted &= ~self._same[key] | lowest - 1
        return list(best.values())


def _said(group: Group, words: str) -> bool:
    """Whether the phrases of all its parts stand in these words, not only one or two words of each."""
    return all(any(map(words.__contains__, needles)) for needles in group.needles)


def _match(group: Group, text: str, piece: Piece) -> re.Match[str] | None:
    """The first match of a pattern at one of its anchors in this piece."""
    pattern = group.pattern
    if group.leading:
        return _leading(group, text, piece)
    if group.plain and piece.end - piece.start <= REACH:
        return pattern.search(text, piece.start, piece.end)
    for low, high in _windows(_places(group, text, piece), piece):
        if match := pattern.search(text, low, high):
            return match
    return None


def _leading(group: Group, text: str, piece: Piece) -> re.Match[str] | None:
    before = 1 if group.form == "words" else 0
    # It may look at what follows the sentence, but it must begin here.
    at, limit = max(piece.first - before, 0), piece.high + (_FURTHER if group.far else 2)
    while (match := group.pattern.search(text, at, limit)) and match.start() < piece.last:
        at = match.start()
        if text.startswith(group.anchors, at + before) and (match := group.pattern.match(text, at)):
            return match
        at += 1
    return None


def _places(group: Group, text: str, piece: Piece) -> list[int]:
    """Where the anchors of a pattern stand."""
    before = 1 if group.form == "words" else 0
    # An anchor may be written with the end of the sentence.
    first, last, limit = max(piece.first - before, 0), piece.last, piece.high + 2
    places = []
    for anchor in group.sought:
        if anchor in piece.words or "." in anchor:
            at = text.find(anchor, first, limit)
            while -1 < at < last:
                places.append(at + before)
                at = text.find(anchor, at + 1, limit)
    return sorted(places)


def _windows(places: Iterable[int], piece: Piece) -> list[tuple[int, int]]:
    """The surroundings of all places in their sentence, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for at in places:
        low, high = max(at - REACH, piece.start), min(at + REACH, piece.end)
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged
