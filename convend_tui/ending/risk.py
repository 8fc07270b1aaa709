"""Signs that somebody may be in danger: find_signs(text) -> the signs, none where there are none.

Wide on purpose: whoever is overlooked may be turned away, whoever is found by mistake only goes on talking.
The patterns are data (risk_signals.toml, which explains how they are written); the reading of disguised spelling
is in risk_text.py. A pattern is only tried near one of its anchors, literal words that it cannot match without.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from convend_tui.ending import risk_text

Kind = Literal["self_harm", "danger", "threat"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST_QUOTE = 120
"""Characters of the original words that a sign quotes."""

_PIECE = 4000
_OVERLAP = 200
_REACH = 130
"""Characters around an anchor in which its patterns are tried."""
_KEY = 3
"""First letters by which anchors are looked up; none is shorter by more than one."""


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
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Signals:
    """risk_signals.toml, compiled."""

    groups: tuple[Group, ...]
    by_key: dict[str, tuple[tuple[str, Group], ...]]
    """Anchors of the form `words`, by their first letters."""
    elsewhere: dict[str, tuple[tuple[str, Group], ...]]
    """Anchors of the other forms, by their first character."""
    run_together: re.Pattern[str]
    """Whole wishes in one word: hashtags, single letters pulled together."""
    starred: tuple[str, ...]


def find_signs(text: str) -> list[Sign]:
    """The signs of self-harm, danger and threats in a text, the first of each kind and language.

    Pure and deterministic. 100 KB take a few hundredths of a second; no input makes it slow.
    """
    signals = load()
    found: dict[tuple[str, str], Sign] = {}
    for piece in _pieces(text):
        cleaned = risk_text.clean(piece)
        _scan(signals, piece, risk_text.View(cleaned, 0), found)
        for view in risk_text.views(cleaned, lambda word: _unmasked(signals, word)):
            _scan(signals, piece, view, found)
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
        re.error: a pattern is no regular expression.
    """
    groups = [group for name, part in data["language"].items() for group in _groups(name, part)]
    by_key: dict[str, list[tuple[str, Group]]] = {}
    elsewhere: dict[str, list[tuple[str, Group]]] = {}
    for group in groups:
        for anchor in group.anchors:
            if group.form == "words":
                by_key.setdefault(anchor.partition(" ")[0][:_KEY], []).append((anchor, group))
            else:
                elsewhere.setdefault(anchor[0], []).append((anchor, group))
    whole = "|".join(risk_text.fold_letters(word) for word in data["run_together"])
    return Signals(
        tuple(groups),
        {key: tuple(entries) for key, entries in by_key.items()},
        {first: tuple(entries) for first, entries in elsewhere.items()},
        re.compile(whole),
        tuple(data["starred"]),
    )


def _groups(language: str, part: dict[str, Any]) -> Iterator[Group]:
    form = part["form"]
    words = part.get("words", {})
    for kind in KINDS:
        patterns: dict[tuple[str, ...], list[str]] = {}
        for source in part[kind]:
            anchors, pattern = translated(source, words, form)
            patterns.setdefault(anchors, []).append(pattern)
        for anchors, alternatives in patterns.items():
            yield Group(language, kind, form, anchors, re.compile("|".join(alternatives)))


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


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that overlap, so that what is found needs to be traced back in little text only."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        yield text[start:end]
        if end >= len(text):
            break
        start = end - _OVERLAP


def _scan(signals: Signals, piece: str, view: risk_text.View, found: dict[tuple[str, str], Sign]) -> None:
    folded = risk_text.fold(view.text.replace("\u200b", ""))
    unspaced = risk_text.joined(folded)
    for group, anchors in _candidates(signals, folded, unspaced).items():
        if (group.language, group.kind) in found:
            continue
        text = unspaced if group.form == "joined" else folded
        for low, high in _windows(text, anchors):
            if match := group.pattern.search(text, low, high):
                quote = risk_text.quote_of(
                    piece, view, match.start(), match.end(), without_spaces=group.form == "joined"
                )
                found[group.language, group.kind] = Sign(group.kind, group.language, quote[:LONGEST_QUOTE])
                break
    if ("en", "self_harm") not in found:
        long = [word for word in set(folded.split(" ")) if len(word) > 7]
        if any(signals.run_together.search(word) for word in ([unspaced] if view.run else long)):
            match = signals.run_together.search(unspaced)
            assert match is not None
            quote = risk_text.quote_of(piece, view, match.start(), match.end(), without_spaces=True)
            found["en", "self_harm"] = Sign("self_harm", "en", quote[:LONGEST_QUOTE])


def _candidates(signals: Signals, folded: str, unspaced: str) -> dict[Group, list[str]]:
    """The groups of which an anchor stands in the text, with those anchors."""
    groups: dict[Group, list[str]] = {}
    for word in set(folded.split(" ")):
        near = signals.by_key.get(word[:_KEY], ()) + signals.by_key.get(word[: _KEY - 1], ())
        for anchor, group in near:
            if word.startswith(anchor.partition(" ")[0]):
                groups.setdefault(group, []).append(" " + anchor)
    if not folded.isascii():
        characters = set(unspaced)
        # The last character tells most of the rest apart, at a fraction of a search's cost.
        near = tuple(e for c in characters for e in signals.elsewhere.get(c, ()) if e[0][-1] in characters)
        for anchor, group in near:
            if anchor in (unspaced if group.form == "joined" else folded):
                groups.setdefault(group, []).append(anchor)
    return groups


def _windows(text: str, anchors: list[str]) -> list[tuple[int, int]]:
    """The surroundings of all anchors, cut between words, those that touch as one."""
    places: set[int] = set()
    for anchor in anchors:
        at = text.find(anchor)
        while at >= 0:
            places.add(at)
            at = text.find(anchor, at + 1)
    merged: list[tuple[int, int]] = []
    for at in sorted(places):
        low, high = max(at - _REACH, 0), at + _REACH
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def _unmasked(signals: Signals, word: str) -> str | None:
    """The word that a starred one stands for: `k*ll` for kill."""
    wild = re.compile("".join("[a-z]{0,2}" if c in "*#•×" else re.escape(c) for c in word.lower()))
    return next((plain for plain in signals.starred if len(plain) <= len(word) and wild.fullmatch(plain)), None)
