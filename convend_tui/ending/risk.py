"""Signs that somebody may be in danger: find_signs(text) -> the signs, none where there are none.

Wide on purpose: whoever is overlooked may be turned away, whoever is found by mistake only goes on talking.
The patterns are data (risk_signals.toml, which explains how they are written); the reading of disguised spelling
is in risk_text.py. A pattern is only tried near one of its anchors, literal words that it cannot match without.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from convend_tui.ending import risk_text

Kind = Literal["self_harm", "danger", "threat"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST_QUOTE = 120
"""Characters of the original words that a sign quotes."""

_REACH = 130
"""Characters around an anchor in which its patterns are tried."""
_KEY = 3
"""First letters by which anchors are looked up; none is shorter by more than one."""
_STRIDE = 4000
"""Characters after which the patterns are tried: what is found need not be looked for in the rest."""
_REMEMBERED = 2000
"""Surroundings of anchors that are known to be repeated when they come again."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that speaks of danger to someone."""

    kind: Kind
    language: str
    """Of the pattern that found it, ISO 639-1."""
    quote: str
    """The original words, at most LONGEST_QUOTE characters."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Patterns of one language and kind that share their anchors."""

    language: str
    kind: Kind
    form: Literal["words", "inside", "joined"]
    """Anchors begin words; stand anywhere in words; or the text is read without its spaces."""
    anchors: tuple[str, ...]
    leading: bool
    """A match begins with the anchor."""
    source: str
    place: int
    """In the file."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is needed first: most texts need few."""
        return _compiled(self.source)


Anchors = tuple[tuple[str, Group], ...]
Spot = tuple[int, Sequence[Group], Anchors]
"""A place in a text, the groups of which an anchor stands there, and the anchors that still may."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Anchors that may stand in the middle of words, by their first two characters."""

    begins: re.Pattern[str]
    """Where any may begin: the class of the first characters, then that of the second ones."""
    by_pair: dict[str, tuple[tuple[str, ...], Anchors]]
    """Each pair's anchors, with those of its first character alone: the words, and the words with their groups."""


@dataclass(frozen=True, slots=True)
class Signals:
    """risk_signals.toml, compiled."""

    groups: tuple[Group, ...]
    beginnings: dict[str, Anchors]
    """Anchors of one word, which begin words, by their first letters."""
    phrases: dict[str, Anchors]
    """Anchors of several words, by the first one."""
    inside: Inside
    joined: Inside
    run_together: re.Pattern[str]
    """Whole wishes in one word: hashtags, single letters pulled together."""
    starred: tuple[str, ...]


def find_signs(text: str) -> list[Sign]:
    """The signs of self-harm, danger and threats in a text, the first of each kind and language.

    Pure and deterministic. 100 KB of prose take a few hundredths of a second; time grows with length, not more.
    """
    signals = load()
    found: dict[tuple[str, str], Sign] = {}
    source = risk_text.Source(text)
    _scan(signals, source, source.plain(), found)
    for reading in risk_text.disguises(source.cleaned, _guesser(signals)):
        _scan(signals, source, reading, found)
    return list(found.values())


@cache
def load() -> Signals:
    """Read and compile the patterns: the only thing in ending/ that is read, once, from the package itself."""
    source = resources.files("convend_tui.ending").joinpath("risk_signals.toml").read_text("utf-8")
    return compiled(tomllib.loads(source))


def compiled(data: dict[str, Any]) -> Signals:
    """The patterns of a parsed risk_signals.toml.

    Raises:
        ValueError: a pattern has no anchor, or one that is too short.
        KeyError: a pattern names a set of words that its language does not have.
        re.error: a word of run_together is no regular expression; patterns are compiled when they are first needed.
    """
    groups: list[Group] = []
    for name, part in data["language"].items():
        groups += _groups(name, part, len(groups))
    worded = [group for group in groups if group.form == "words"]
    by_key, by_word = _by(worded, lambda anchor: anchor[:_KEY]), _by(worded, lambda anchor: anchor.partition(" ")[0])
    whole = "|".join(risk_text.fold_letters(word) for word in data["run_together"])
    return Signals(
        tuple(groups),
        {key: only for key, them in by_key.items() if (only := tuple(x for x in them if " " not in x[0]))},
        {key: only for key, them in by_word.items() if (only := tuple(x for x in them if " " in x[0]))},
        _inside(group for group in groups if group.form == "inside"),
        _inside(group for group in groups if group.form == "joined"),
        re.compile(whole),
        tuple(data["starred"]),
    )


def _by(groups: Iterable[Group], key: Callable[[str], str]) -> dict[str, Anchors]:
    keys: dict[str, list[tuple[str, Group]]] = {}
    for group in groups:
        for anchor in group.anchors:
            keys.setdefault(key(anchor), []).append((anchor, group))
    return {key: tuple(anchors) for key, anchors in keys.items()}


def _inside(groups: Iterable[Group]) -> Inside:
    anchors = _by(groups, lambda anchor: anchor[:2])
    for pair in anchors:
        if len(pair) == 2:
            anchors[pair] += anchors.get(pair[0], ())
    by_pair = {pair: (tuple(anchor for anchor, _ in them), them) for pair, them in anchors.items()}
    pairs = [pair for pair in by_pair if len(pair) == 2]
    first, second = ("".join(sorted({re.escape(pair[place]) for pair in pairs})) for place in (0, 1))
    single = "".join(re.escape(pair) for pair in by_pair if len(pair) == 1)
    # A class at the beginning is what a search skips other text by.
    begins = f"[{first}{single}](?:(?=[{second}])" + (f"|(?<=[{single}]))" if single else ")")
    return Inside(re.compile(begins if by_pair else "(?!)"), by_pair)


def _groups(language: str, part: dict[str, Any], place: int) -> Iterator[Group]:
    form = part["form"]
    words = part.get("words", {})
    for kind in KINDS:
        patterns: dict[tuple[tuple[str, ...], bool], list[str]] = {}
        for source in part[kind]:
            anchors, pattern = translated(source, words, form)
            leading = source.startswith("{") and form != "inside"
            patterns.setdefault((anchors, leading), []).append(pattern)
        for (anchors, leading), alternatives in patterns.items():
            yield Group(language, kind, form, anchors, leading, "|".join(alternatives), place)
            place += 1


@cache
def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(source)


def translated(source: str, words: dict[str, str], form: str) -> tuple[tuple[str, ...], str]:
    """A pattern as it is written in risk_signals.toml -> its anchors, and its regular expression."""
    while match := re.search(r"<(\w+)>", source):
        source = f"{source[: match.start()]}({words[match[1]]}){source[match.end() :]}"
    # The marks of the notation end a run of letters, so folding can't merge across them.
    source = risk_text.fold_letters(re.sub("['’]", "", source))
    anchored = re.search(r"\{([^}\d][^}]*)\}", source)
    if anchored is None:
        raise ValueError(f"no anchor in {source!r}")
    anchors = tuple(sorted({part.strip("~ ") for part in anchored[1].split("|")}))
    if form == "words" and any(len(anchor) < _KEY - 1 for anchor in anchors):
        raise ValueError(f"an anchor is too short in {source!r}")
    pattern = f"{source[: anchored.start()]}({anchored[1]}){source[anchored.end() :]}"
    pattern = re.sub(r"\((?!\?)", "(?:", pattern)
    if form == "joined":
        pattern = pattern.replace(" ", "").replace("..", "[^.]{0,10}")
        return tuple(anchor.replace(" ", "") for anchor in anchors), pattern
    # What may follow adds nothing to a match; a gap that may be missing is a gap.
    pattern = re.sub(r"(\(\?: \.\. \)\?|\s?\.\.\s?)+$", "", pattern)
    pattern = (
        pattern.replace("(?: .. )? ", " .. ").replace(" .. ", " (?:[^ .]{1,25} ){0,5}").replace("~", "[^ .]{0,14}")
    )
    prefix = " (?:[وفبلك]|ال|وال|بال|لل|ي|س|ها|ه)?" if form == "inside" else " "
    return anchors, f"{prefix}{pattern}(?= )"


def _scan(
    signals: Signals, source: risk_text.Source, reading: risk_text.Reading, found: dict[tuple[str, str], Sign]
) -> None:
    """Find what is not found yet in one reading of the text."""
    _search(_words(signals, reading.text, found), reading.text, reading, source, found)
    unspaced = ""
    if not reading.text.isascii():
        _search(_parts(signals.inside, reading.text), reading.text, reading, source, found)
        unspaced = risk_text.joined(reading.text)
        _search(_parts(signals.joined, unspaced), unspaced, reading, source, found)
    if ("en", "self_harm") not in found and (word := _run_together(signals, reading)):
        quote = source.quote(reading, *word)
        found["en", "self_harm"] = Sign("self_harm", "en", quote[:LONGEST_QUOTE])


def _words(signals: Signals, text: str, found: Container[tuple[str, str]]) -> Iterator[Spot]:
    """Where the anchors of the form `words` stand, of what is not found yet."""
    words = text.split(" ")
    near: dict[str, tuple[list[Group], tuple[str, ...], Anchors]] = {}
    for word in set(words):
        entries = signals.beginnings.get(word[:_KEY], ()) + signals.beginnings.get(word[: _KEY - 1], ())
        begun = list(dict.fromkeys(group for anchor, group in entries if word.startswith(anchor)))
        phrases = signals.phrases.get(word, ())
        if found:
            begun = [group for group in begun if (group.language, group.kind) not in found]
            phrases = tuple(entry for entry in phrases if (entry[1].language, entry[1].kind) not in found)
        if begun or phrases:
            near[word] = begun, tuple(phrase for phrase, _ in phrases), phrases
    at = 0
    for word in words:
        if word in near:
            begun, starts, phrases = near[word]
            if text.startswith(starts, at):
                yield at, begun, phrases
            elif begun:
                yield at, begun, ()
        at += len(word) + 1


def _parts(inside: Inside, text: str) -> Iterator[Spot]:
    """Where the anchors of the other forms may stand."""
    pairs = inside.by_pair
    for match in inside.begins.finditer(text):
        at = match.start()
        near = pairs.get(text[at : at + 2]) or pairs.get(text[at])
        if near and text.startswith(near[0], at):
            yield at, (), near[1]


def _search(
    spots: Iterable[Spot],
    text: str,
    reading: risk_text.Reading,
    source: risk_text.Source,
    found: dict[tuple[str, str], Sign],
) -> None:
    """Try the patterns of all anchors that stand in a text, which is a reading's, or that without its spaces."""
    places: dict[Group, list[int]] = {}
    # Text that repeats itself is looked at once.
    seen: set[tuple[int, str]] = set()

    def try_all() -> None:
        for group in sorted(places, key=lambda group: group.place):
            if (group.language, group.kind) not in found and (match := _match(group, text, places[group])):
                low, high = match.span()
                if group.form == "joined":
                    low, high = risk_text.spaced(reading.text, low), risk_text.spaced(reading.text, high - 1) + 1
                quote = source.quote(reading, low, high)
                found[group.language, group.kind] = Sign(group.kind, group.language, quote[:LONGEST_QUOTE])
        places.clear()

    tried = 0
    for at, groups, anchors in spots:
        if at - tried > _STRIDE:
            try_all()
            tried = at
        surroundings = min(at, _REACH), text[max(at - _REACH, 0) : at + _REACH]
        if surroundings not in seen:
            if len(seen) >= _REMEMBERED:
                seen.clear()
            seen.add(surroundings)
            for group in groups:
                places.setdefault(group, []).append(at)
            for anchor, group in anchors:
                if text.startswith(anchor, at):
                    places.setdefault(group, []).append(at)
    try_all()


def _match(group: Group, text: str, places: list[int]) -> re.Match[str] | None:
    """The first match of a group's patterns at one of these anchors."""
    pattern = group.pattern
    if group.leading:
        before = 1 if group.form == "words" else 0
        matches = (pattern.match(text, at - before) for at in places)
    else:
        matches = (pattern.search(text, low, high) for low, high in _windows(text, places))
    return next((match for match in matches if match), None)


def _windows(text: str, places: list[int]) -> list[tuple[int, int]]:
    """The surroundings of all places, in their sentences, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for at in places:
        # No pattern goes beyond a sentence's end.
        low, high = max(at - _REACH, 0), at + _REACH
        end = text.find(".", at, high)
        low, high = max(low, text.rfind(".", low, at)), high if end < 0 else end
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


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
