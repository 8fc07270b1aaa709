"""What words tell of the patterns of risk_signals.toml: bits of the parts of patterns that a word is among.

All tables are dicts that find out about a word when it is met first, and forget everything when they grow too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from operator import or_

from convend_tui.ending.risk_patterns import Form, Group, Part, commonness, key_word

PARTS = 3
"""Parts of a pattern that are looked for before it is tried: the rarest."""
REMEMBERED = 10_000
"""Words of which the bits are kept."""


class Parts:
    """The parts of all patterns, by number, and their bits.

    The first part of each pattern has the bit of its number, the second that and the number of all patterns, and so on.
    """

    def __init__(self, form: Form, groups: Sequence[Group]) -> None:
        self.absent = 0
        """The bits of parts that patterns don't have."""
        self._bits: list[list[int]] = []
        self._sums: dict[int, int] = {}
        numbers: dict[Part, list[int]] = {}
        for number, group in enumerate(groups):
            parts = group.parts
            if len(parts) > PARTS:
                parts = tuple(sorted(parts, key=lambda part: commonness(part, form))[:PARTS])
            for place, part in enumerate(parts):
                numbers.setdefault(part, []).append(place * len(groups) + number)
            for place in range(len(parts), PARTS):
                self.absent |= 1 << (place * len(groups) + number)
        self.all = list(numbers)
        self._bits = list(numbers.values())

    def bits(self, parts: Iterable[int]) -> int:
        """Of these parts together."""
        return reduce(or_, map(self._sum, parts), 0)

    def _sum(self, part: int) -> int:
        if part not in self._sums:
            self._sums[part] = reduce(or_, (1 << bit for bit in self._bits[part]))
        return self._sums[part]


class Words(dict[str, int]):
    """Single words, whole or by their beginnings."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts
        self._whole: dict[str, list[int]] = {}
        self._begun: dict[str, list[int]] = {}
        self._lengths: dict[str, set[int]] = {}
        """Of the beginnings with the same first two letters."""

    def add(self, word: str, part: int) -> None:
        """Take up a word, or a beginning of words."""
        if word[-1] == "~":
            self._begun.setdefault(word[:-1], []).append(part)
            self._lengths.setdefault(word[:-1][:2], set()).add(len(word) - 1)
        else:
            self._whole.setdefault(word, []).append(part)

    def look(self, word: str) -> int:
        """Its bits."""
        parts = set(self._whole.get(word, ()))
        for end in (1, *self._lengths.get(word[:2], ())):
            parts.update(self._begun.get(word[:end], ()))
        return self._parts.bits(parts) if parts else 0

    def __missing__(self, word: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        self[word] = bits = self.look(word)
        return bits


class Pairs(dict[tuple[str, str], int]):
    """Two words in a row, the second whole or by its beginning: a phrase of common words is rare itself."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts
        self.seconds: dict[str, list[tuple[str, int]]] = {}
        """By the first word."""
        self._known: dict[str, Words] = {}

    def add(self, phrase: str, part: int) -> None:
        """Take up the two longest words of a phrase."""
        first, _, second = phrase.partition(" ")
        if " " in second:
            words = phrase.split(" ")
            first, second = max(pairwise(words), key=lambda pair: len(pair[0]) + len(pair[1]))
        self.seconds.setdefault(first, []).append((second, part))

    def __missing__(self, pair: tuple[str, str]) -> int:
        if len(self) >= 3 * REMEMBERED:
            self.clear()
        first, second = pair
        if first not in self._known:
            self._known[first] = Words(self._parts)
            for word, part in self.seconds[first]:
                self._known[first].add(word, part)
        self[pair] = bits = self._known[first].look(second)
        return bits


class Inner(dict[str, int]):
    """What stands anywhere in words, or at the beginning of the three next characters of text without spaces."""

    def __init__(self, parts: Parts, *, anywhere: bool) -> None:
        super().__init__()
        self._parts = parts
        self._anywhere = anywhere
        self._parts_of: dict[str, list[int]] = {}
        self._firsts: set[str] = set()
        self._begun: set[str] = set()
        """The first two characters, or the only one."""
        self._longest = 0

    def add(self, key: str, part: int) -> None:
        """Take up some letters."""
        self._parts_of.setdefault(key, []).append(part)
        self._longest = max(self._longest, len(key))
        self._firsts.add(key[0])
        self._begun.add(key[:2])

    @property
    def letters(self) -> Iterable[str]:
        """All that was taken up."""
        return self._parts_of

    def runs(self, text: str) -> list[str]:
        """The three characters from each place where something may begin."""
        begun = self._begun
        return [text[at : at + 3] for at in range(len(text)) if text[at : at + 2] in begun or text[at] in begun]

    def _found(self, word: str) -> Iterator[int]:
        for start in range(len(word) if self._anywhere else 1):
            if word[start] in self._firsts:
                for end in range(start + 1, min(len(word), start + self._longest) + 1):
                    yield from self._parts_of.get(word[start:end], ())

    def __missing__(self, word: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        self[word] = bits = self._parts.bits({*self._found(word)})
        return bits


class Likely:
    """Which patterns may match in a sentence, by its words."""

    def __init__(self, form: Form, groups: Sequence[Group]) -> None:
        self._form = form
        self._count = len(groups)
        self._parts = Parts(form, groups)
        self._words, self._pairs = Words(self._parts), Pairs(self._parts)
        self.inner = Inner(self._parts, anywhere=form == "inside")
        for number, part in enumerate(self._parts.all):
            for phrase in part:
                if form == "joined":
                    self.inner.add(_telling(phrase), number)
                elif form == "inside":
                    self.inner.add(key_word(phrase), number)
                elif " " in phrase:
                    self._pairs.add(phrase, number)
                else:
                    self._words.add(phrase, number)

    def patterns(self, sentence: str) -> int:
        """The bits of their numbers."""
        if self._form == "joined":
            bits = reduce(or_, map(self.inner.__getitem__, self.inner.runs(sentence)), 0)
        else:
            words = sentence.split()
            if self._form == "inside":
                bits = reduce(or_, map(self.inner.__getitem__, words), 0)
            else:
                bits = reduce(or_, map(self._words.__getitem__, words), 0)
                seconds = self._pairs.seconds
                pairs = [pair for pair in pairwise(words) if pair[0] in seconds]
                bits = reduce(or_, map(self._pairs.__getitem__, pairs), bits)
        if not bits:
            return 0
        found = bits | self._parts.absent
        likely = found & (1 << self._count) - 1
        for _ in range(PARTS - 1):
            found >>= self._count
            likely &= found
        return likely


def _telling(phrase: str) -> str:
    """Its three characters in a row that tell most: hiragana are in every sentence."""
    if len(phrase) <= 3:
        return phrase
    runs = (phrase[at : at + 3] for at in range(len(phrase) - 2))
    return max(runs, key=lambda run: sum(character > "ゟ" for character in run))
