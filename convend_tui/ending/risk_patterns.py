"""The notation of risk_signals.toml -> patterns, and what a sentence must have for one of them to match.

Most of what a pattern says are words in a row, each one of several. A sentence without any of the words of one of these
parts can't match, and that is known from a look at its words, long before a regular expression is run (risk_search.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from convend_tui.ending import risk_text

Kind = Literal["self_harm", "danger", "threat"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Form = Literal["words", "inside", "joined"]
"""Anchors begin words; stand anywhere in words; or the text is read without its spaces."""

SHORTEST_ANCHOR = 2
"""Letters of an anchor that begins a word, after folding has made two equal ones one."""

_SPECIAL = re.compile(r"[\[\]()\\?*+<>^$.~]")


@dataclass(frozen=True, eq=False)
class Group:
    """One pattern, as it is written; read in full when it is needed first, as most texts need few."""

    language: str
    kind: Kind
    form: Form
    source: str
    words: Mapping[str, str]
    """The sets of words of its language."""
    parts: tuple[Part, ...]
    """A match has one of the words of each."""

    @property
    def leading(self) -> bool:
        """Whether a match begins with the anchor."""
        return self.source.startswith("{") and self.form != "inside"

    @cached_property
    def _translated(self) -> tuple[tuple[str, ...], str]:
        return translated(self.source, self.words, self.form)

    @property
    def anchors(self) -> tuple[str, ...]:
        """Words, or beginnings of them, near which alone the pattern is tried."""
        return self._translated[0]

    @cached_property
    def sought(self) -> tuple[str, ...]:
        """The anchors as they are looked for in a text."""
        return tuple(f" {anchor}" for anchor in self.anchors) if self.form == "words" else self.anchors

    @cached_property
    def plain(self) -> bool:
        """Whether its anchors stand wherever it matches: one that is written like a pattern itself doesn't."""
        return not any(_SPECIAL.search(anchor) for anchor in self.anchors)

    @cached_property
    def needles(self) -> tuple[tuple[str, ...], ...]:
        """Of each part with long phrases what folded text must contain one of."""
        if self.form == "joined":
            return tuple(part for part in self.parts if any(len(phrase) > 3 for phrase in part))
        if self.form == "inside":
            return tuple(part for part in self.parts if any(" " in phrase for phrase in part))
        long = [part for part in self.parts if any(phrase.count(" ") > 1 for phrase in part)]
        return tuple(
            tuple(f" {phrase[:-1]}" if phrase[-1] == "~" else f" {phrase} " for phrase in part) for part in long
        )

    @cached_property
    def far(self) -> bool:
        """Whether a match may go on into the next sentence."""
        return self.leading and "[^ ]" in self._translated[1]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The regular expression."""
        return re.compile(self._translated[1])


Part = tuple[str, ...]
"""Words or phrases of which a match has one. One that ends in `~` may go on."""


def translated(source: str, words: Mapping[str, str], form: str) -> tuple[tuple[str, ...], str]:
    """A pattern as it is written in risk_signals.toml -> its anchors, and its regular expression.

    Raises:
        ValueError: it has no anchor, or one that is too short.
        KeyError: it names a set of words that its language does not have.
    """
    while match := re.search(r"<(\w+)>", source):
        source = f"{source[: match.start()]}({words[match[1]]}){source[match.end() :]}"
    # The marks of the notation end a run of letters, so folding can't merge across them.
    source = risk_text.fold_letters(re.sub("['’]", "", source))
    anchored = re.search(r"\{([^}\d][^}]*)\}", source)
    if anchored is None:
        raise ValueError(f"no anchor in {source!r}")
    anchors = tuple(sorted({part.strip("~ ") for part in anchored[1].split("|")}))
    if form == "words" and any(len(anchor) < SHORTEST_ANCHOR for anchor in anchors):
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


def groups(data: Mapping[str, Any], of_model: bool) -> Iterator[Group]:
    """All patterns of a parsed risk_signals.toml, those for people's words or those for the model's.

    Raises:
        ValueError: one has no anchor.
        KeyError: one names a set of words that its language does not have.
    """
    for language, of_language in data["language"].items():
        words = of_language.get("words", {})
        lists = of_language.get("told", {}) if of_model else of_language
        form = of_language["form"]
        sources = [(kind, source) for kind in KINDS for source in lists.get(kind, ())]
        reader = _Reader(dict(zip(_folded(words), _folded(words.values()), strict=True)), form)
        for (kind, source), folded in zip(sources, _folded(source for _, source in sources), strict=True):
            yield Group(language, kind, form, source, words, reader.parts(folded))


def _folded(sources: Iterable[str]) -> list[str]:
    """All at once, as folding one by one would take as long as all the rest."""
    whole = "\n".join(sources)
    return risk_text.fold_letters(whole.replace("'", "").replace("’", "")).split("\n") if whole else []


class _Node(NamedTuple):
    """A piece of a pattern."""

    text: str | None = None
    """Letters, spaces, gaps."""
    choice: tuple[tuple[_Node, ...], ...] | None = None
    """In brackets: one of these rows."""
    plain: str | None = None
    """In brackets: one of the texts between the bars. Most choices are no more than that, so it is left as it is."""
    optional: bool = False
    again: bool = False
    """It may follow itself."""
    empty: bool = False
    """It takes up no text."""
    named: bool = False
    """It is a set of words."""


_TEXT = r"[^()\[\]{}<>\\*+?^$]+"
_TOKEN = re.compile(
    rf"\(\?<?[=!]|\(\?:|\{{\d[\d,]*\}}|<\w+>|\({_TEXT}\)|{{{_TEXT}}}|[({{)}}]|\[\^?\]?[^\]]*\]|\\.|[*+?^$]|{_TEXT}"
)
_AROUND = ("(?=", "(?!", "(?<")
_OPAQUE = _Node()
_GAP = re.compile(r"\.+")
_INNER_GAP = re.compile(r"\.|~(?![|]|$)")
"""What parts the words of a text; an ending that is left open at its end doesn't."""


class _Reader:
    """Reads the folded patterns of a language for the words that they can't match without."""

    def __init__(self, words: Mapping[str, str], form: Form) -> None:
        self._words = words
        self._form = form
        self._sets: dict[str, _Node] = {}
        self._known: dict[tuple[int, bool], Part | None] = {}
        """Of sets, which are the same in many patterns."""

    def parts(self, source: str) -> tuple[Part, ...]:
        """Parts of a pattern, in order; few patterns have words of which none tells anything."""
        if "{" not in source:
            raise ValueError(f"no anchor in {source!r}")
        node = self._read(source)
        if node.choice and len(node.choice) == 1:
            return tuple(dict.fromkeys(self._row(node.choice[0], True, True)))
        part = self._part(node, True)
        return (part,) if part else ()

    def _read(self, source: str) -> _Node:
        """The tree of a pattern."""
        if self._form == "joined":
            source = source.replace(" ", "")
        tokens = _TOKEN.findall(source)
        if len(tokens) == 1 and source[0] not in "({":
            return _Node(plain=source)
        return self._choice(iter(tokens))

    def _choice(self, tokens: Iterator[str]) -> _Node:
        """Up to the closing bracket."""
        rows: list[list[_Node]] = [[]]
        for token in tokens:
            row = rows[-1]
            first = token[0]
            if first in ")}":
                break
            if token[:3] in _AROUND or (first == "{" and token[1:2].isdecimal()):
                if first == "(":
                    self._choice(tokens)
                    row.append(_Node(empty=True))
                else:
                    _repeat(row, optional=token[1] == "0")
            elif first in "({":
                row.append(_Node(plain=token[1:-1]) if token[-1] in ")}" else self._choice(tokens))
            elif first == "<" and len(token) > 1:
                row.append(self._set(token[1:-1]))
            elif first in "*+?":
                _repeat(row, optional=first != "+")
            elif first in "[\\^$":
                row.append(_OPAQUE)
            else:
                text, *others = token.split("|")
                if text:
                    row.append(_Node(text))
                rows += [[_Node(other)] if other else [] for other in others]
        if all(row and all(node.empty for node in row) for row in rows):
            return _Node(empty=True)
        return _Node(choice=tuple(map(tuple, rows)))

    def _set(self, name: str) -> _Node:
        if name not in self._sets:
            self._sets[name] = self._read(self._words[name])._replace(named=True)
        return self._sets[name]

    def _row(self, row: Sequence[_Node], begins: bool, ends: bool) -> list[Part]:
        """The parts of a row, which stands at the beginning and the end of words or not."""
        found: list[Part] = []
        for place, node in enumerate(row):
            if node.empty:
                continue
            if not (node.optional or node is _OPAQUE) and (begins or self._form != "words"):
                closed = self._closed(row, place, ends)
                if node.text is not None:
                    found += [(phrase,) for phrase in self._phrases(node.text, closed)]
                elif part := self._part(node, closed):
                    found.append(part)
            elif node.text is not None and " " in node.text:
                closed = self._closed(row, place, ends)
                found += [(phrase,) for phrase in self._phrases(node.text.partition(" ")[2], closed)]
            begins = _leaves_space(node) and (begins or not node.optional)
        return found

    def _closed(self, row: Sequence[_Node], place: int, ends: bool) -> bool:
        """Whether a word ends where this node does."""
        if row[place].again:
            return _leaves_space(row[place])
        for node in row[place + 1 :]:
            if node.empty:
                continue
            if not _begins_with_space(node):
                return False
            if not node.optional:
                return True
        return ends

    def _part(self, node: _Node, closed: bool) -> Part | None:
        """What one of all the rows of a choice must have."""
        if not node.named:
            return self._read_part(node, closed)
        key = id(node), closed
        if key not in self._known:
            self._known[key] = self._read_part(node, closed)
        return self._known[key]

    def _read_part(self, node: _Node, closed: bool) -> Part | None:
        if node.plain is not None:
            return self._plain_part(node.plain, closed)
        found: list[str] = []
        for row in node.choice or ():
            parts = self._row(row, True, closed)
            if not parts:
                return None
            rarest: Part = min(parts, key=self._commonness)
            found += rarest
        return tuple(found)

    def _plain_part(self, plain: str, closed: bool) -> Part | None:
        if self._form == "words" and not _INNER_GAP.search(plain):
            texts = plain.split("|")
            if not closed:
                texts = [text if text[-1:] in ("~", " ") else f"{text}~" for text in texts]
            if " |" in plain or "| " in plain or " " in (plain[0], plain[-1]):
                texts = [text.strip() for text in texts]
            # With nothing between two bars it may be missing.
            return tuple(texts) if "" not in texts and "~" not in texts else None
        found: list[str] = []
        for text in plain.split("|"):
            phrases = self._phrases(text, closed)
            if not phrases:
                return None
            found.append(max(phrases, key=lambda phrase: len(key_word(phrase))) if len(phrases) > 1 else phrases[0])
        return tuple(found)

    def _commonness(self, part: Part) -> float:
        return commonness(part, self._form)

    def _phrases(self, text: str, closed: bool) -> list[str]:
        """The words in a row without a gap."""
        if self._form != "words":
            if "." not in text and "~" not in text:
                return [run] if (run := text.strip()) else []
            return [run for piece in re.split(r"[.~]+", text) if (run := piece.strip())]
        found: list[list[str]] = [[]]
        words = text.split(" ")
        for place, word in enumerate(words):
            stem = _GAP.split(word.partition("~")[0])[0]
            whole = stem == word and (place + 1 < len(words) or closed)
            if stem:
                found[-1].append(stem if whole else f"{stem}~")
            if not (stem and whole):
                found.append([])
        return [" ".join(phrase) for phrase in found if phrase]


def _repeat(row: list[_Node], *, optional: bool) -> None:
    """The last node of a row, or its last letter, may be missing, or come again."""
    last = row.pop()
    if last.text is None:
        if last is not _OPAQUE:
            last = last._replace(optional=last.optional or optional, again=True, named=False)
        row.append(last)
        return
    kept = last.text if not optional else last.text[:-1]
    if kept:
        row.append(_Node(kept))
    row.append(_OPAQUE)


def _begins_with_space(node: _Node) -> bool:
    if node.text is not None:
        return node.text.startswith(" ")
    if node.plain is not None:
        return node.plain.startswith(" ") and all(text.startswith(" ") for text in node.plain.split("|"))
    return bool(node.choice) and all(row and _begins_with_space(row[0]) for row in node.choice or ())


def _leaves_space(node: _Node) -> bool:
    if node.text is not None:
        return node.text.endswith(" ")
    if node.plain is not None:
        return node.plain.endswith(" ") and all(text.endswith(" ") for text in node.plain.split("|"))
    return bool(node.choice) and all(row and _leaves_space(row[-1]) for row in node.choice or ())


def key_word(phrase: str) -> str:
    """The longest word of a phrase, by which it is looked up."""
    return max(phrase.split(" "), key=len) if " " in phrase else phrase


def commonness(part: Part, form: Form) -> float:
    """How likely a text is to have one of them, from their length."""
    letters = 30.0 if form == "joined" else 4.0
    return float(sum(letters ** -len(key_word(phrase)) for phrase in part))
