"""What of the palette fits what was typed: words of names by their beginnings, never letters from anywhere. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

_LEAST: Final = 2
"""Letters that are looked for within words, and in sentences: a single one is in most of them."""

Spans = Sequence[tuple[int, int]]
"""Where the letters of a name stand that were typed."""


def match(query: str, name: str, about: str = "") -> tuple[float, Spans] | None:
    """How well a command fits, from above 0 to 1, and what of its name fits; None where it does not.

    In this order: the name itself, its beginning, one of its words (`chat` for New chat), beginnings of several (`nc`,
    `newc`), letters within a word (`name` for Rename), and words of the name and of the sentence `about` it.
    """
    words = query.split()
    if not words:
        return None
    typed = r"\s+".join(map(re.escape, words))
    for score, pattern in ((1.0, rf"{typed}\Z"), (0.9, typed), (0.8, rf".*?(?<!\w)({typed})")):
        if found := re.match(pattern, name, re.IGNORECASE):
            return score, [found.span(found.lastindex or 0)]
    if spans := _beginnings("".join(words), name):
        return 0.7, spans
    if len("".join(words)) < _LEAST:
        return None
    if found := re.search(typed, name, re.IGNORECASE):
        return 0.6, [found.span()]
    starts = [re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE) for word in words]
    if all(start.search(f"{name}\n{about}") for start in starts):
        return 0.4, [found.span() for start in starts if (found := start.search(name))]
    return None


def _beginnings(letters: str, name: str) -> Spans:
    """Where the letters stand if they are beginnings of words of the name, one after the other; else nothing. For names
    of a few words: it tries all ways."""
    if len(letters) > len(name):
        return []
    given, text = letters.lower(), name.lower()
    if len(text) != len(name):
        return []  # some characters become two in lower case
    begins = {found.start() for found in re.finditer(r"(?<!\w)\w|[^\w\s]", text)}

    @cache
    def after(letter: int, before: int) -> tuple[int, ...] | None:
        """The places of the letters from this one on, the last one being at `before`."""
        if letter == len(given):
            return ()
        for place in range(before + 1, len(text)):
            if (
                text[place] == given[letter]
                and (place in begins or (letter and place == before + 1))
                and (rest := after(letter + 1, place)) is not None
            ):
                return (place, *rest)
        return None

    return [(place, place + 1) for place in after(0, -1) or ()]
