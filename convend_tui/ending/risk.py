"""Signs that somebody may be in danger: find_signs(text) -> the signs, none where there are none.

Wide on purpose: whoever is overlooked may be turned away, whoever is found by mistake only goes on talking.
The patterns are data (risk_signals.toml, which explains how they are written). risk_text.py reads disguised spelling,
risk_patterns.py the notation; risk_words.py and risk_search.py find the few patterns worth trying, and try them;
risk_weighing.py sorts out what they find in clearly ordinary words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from convend_tui.ending import risk_text, risk_weighing
from convend_tui.ending.risk_patterns import KINDS, Group, Kind, groups, translated
from convend_tui.ending.risk_search import Index

__all__ = ["KINDS", "LONGEST_QUOTE", "Group", "Kind", "Sign", "Signals", "compiled", "find_signs", "load", "translated"]

LONGEST_QUOTE = 120
"""Characters of the original words that a sign quotes."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that speaks of danger to someone."""

    kind: Kind
    language: str
    """Of the pattern that found it, ISO 639-1."""
    quote: str
    """The original words, at most LONGEST_QUOTE characters."""


@dataclass(frozen=True, slots=True)
class Signals:
    """risk_signals.toml, compiled."""

    groups: tuple[Group, ...]
    words: Index
    inside: Index
    joined: Index
    is_ordinary: Callable[[str, int, int], bool]
    """Whether a match at some place in folded text does not count."""
    run_together: re.Pattern[str]
    """Whole wishes in one word: hashtags, single letters pulled together."""
    starred: tuple[str, ...]


def find_signs(text: str, *, of_model: bool = False) -> list[Sign]:
    """The signs of self-harm, danger and threats in a text, the first of each kind and language.

    Pure and deterministic. 100 KB of prose take a few hundredths of a second; time grows with length, not more.

    Args:
        of_model: the model wrote it. It names danger in words of its own ("you want to die", a crisis line), and speaks
            of harm whenever it declines to help with it: other, narrower patterns are for that.
    """
    signals = load(of_model)
    found: dict[tuple[str, str], Sign] = {}
    source = risk_text.Source(text)
    _scan(signals, source, source.plain(), found)
    for reading in risk_text.disguises(source.cleaned, _guesser(signals)):
        _scan(signals, source, reading, found)
    return list(found.values())


@cache
def load(of_model: bool = False) -> Signals:
    """Read and compile the patterns: the only thing in ending/ that is read, once, from the package itself."""
    source = resources.files("convend_tui.ending").joinpath("risk_signals.toml").read_text("utf-8")
    return compiled(tomllib.loads(source), of_model)


def compiled(data: dict[str, Any], of_model: bool = False) -> Signals:
    """The patterns of a parsed risk_signals.toml, those for people's words or those for the model's.

    Raises:
        ValueError: a pattern has no anchor, or one that is too short.
        KeyError: a pattern names a set of words that its language does not have.
        re.error: a word of run_together is no regular expression; patterns are compiled when they are first needed.
    """
    every = tuple(groups(data, of_model))
    run_together = [] if of_model else data["run_together"]
    whole = "|".join(risk_text.fold_letters(word) for word in run_together) or "(?!)"
    return Signals(
        every,
        Index("words", every),
        Index("inside", every),
        Index("joined", every),
        _never if of_model else risk_weighing.load().is_ordinary,
        re.compile(whole),
        tuple(data["starred"]),
    )


def _never(text: str, low: int, high: int) -> bool:
    """The weights know how people write, not how the model does."""
    return False


def _scan(
    signals: Signals, source: risk_text.Source, reading: risk_text.Reading, found: dict[tuple[str, str], Sign]
) -> None:
    """Find what is not found yet in one reading of the text."""

    def keep(kind: Kind, language: str, low: int, high: int) -> None:
        found[language, kind] = Sign(kind, language, source.quote(reading, low, high)[:LONGEST_QUOTE])

    text = reading.text
    for index in (signals.words,) if text.isascii() else (signals.words, signals.inside):
        for group, low, high in index.search(text, found, signals.is_ordinary):
            keep(group.kind, group.language, low, high)
    if not text.isascii():
        for group, low, high in signals.joined.search(risk_text.joined(text), found, signals.is_ordinary):
            keep(group.kind, group.language, risk_text.spaced(text, low), risk_text.spaced(text, high - 1) + 1)
    if ("en", "self_harm") not in found and (word := _run_together(signals, reading)):
        keep("self_harm", "en", *word)


def _run_together(signals: Signals, reading: risk_text.Reading) -> tuple[int, int] | None:
    """Where a whole wish stands as one word."""
    shortest = 0 if reading.run else 7
    for word in dict.fromkeys(reading.text.split(" ")):
        if len(word) > shortest and (match := signals.run_together.search(word)):
            at = reading.text.index(f" {word} ") + 1
            return at + match.start(), at + match.end()
    return None


def _guesser(signals: Signals) -> Callable[[str], str | None]:
    """The word that a starred one stands for: `k*ll` for kill."""
    by_letter: dict[str, list[str]] = {}
    for plain in signals.starred:
        by_letter.setdefault(plain[0], []).append(plain)

    @cache
    def guess(word: str) -> str | None:
        word = word.lower()
        near = [plain for plain in by_letter.get(word[0], ()) if plain.endswith(word[-1]) and len(plain) <= len(word)]
        if not near:
            return None
        wild = re.compile("".join("[a-z]{0,2}" if c in risk_text.STARS else c for c in word))
        return next((plain for plain in near if wild.fullmatch(plain)), None)

    return guess
