"""Text for the index, and what a person types to search it.

SQLite's tokenizer `unicode61` folds case and accents, but takes a run of Chinese or Japanese for one word: such
characters are set apart before they are indexed, and a run of them in a query is a phrase. What separates them is
a zero-width space, so that the text can be had back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Final

from convend_tui.plain import visible

APART: Final = "\u200b"
"""Set between characters of scripts that write no blanks. It is no letter to the tokenizer, and nothing to the eye."""
LONGEST_QUERY: Final = 1000
"""Characters of a query; what is beyond is not searched for."""
MOST_TERMS: Final = 40
SHORTEST_PREFIX: Final = 2
"""Letters from which on the last word stands for all that begin with it: one letter would bring half of everything."""

# Thai, Lao, Myanmar, Khmer, kana, bopomofo, ideographs and hangul: no blanks, or particles tied to the word.
_UNSPACED: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"[{_UNSPACED}]+")
_PIECE: Final = re.compile(r'"([^"]*)("?)|([^\s"]+)')
_TOKEN: Final = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W_])+")
_MARKS: Final = "[\u0300-\u036f]*"
_BLANKS: Final = re.compile(r"\s+")
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\ud800-\udfff]")


def apart(text: str) -> str:
    """`text` as it is indexed."""
    if text.isascii():
        return text
    return _RUN.sub(lambda run: APART + APART.join(run[0]) + APART, text.replace(APART, ""))


def joined(text: str) -> str:
    """What `apart` was made of."""
    return text if text.isascii() else text.replace(APART, "")


def fold(text: str) -> str:
    """`text` without case and accents, on one line: for comparing titles."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase."""

    text: str
    tokens: tuple[str, ...]
    prefix: bool
    """Words that begin with the last token count too."""

    @property
    def expression(self) -> str:
        """The term in FTS5's own syntax; nothing in it is left to be understood as an operator."""
        return f'"{apart(self.text)}"{" *" if self.prefix else ""}'

    @property
    def pattern(self) -> str:
        """A regular expression that finds the term in a text."""
        parts: list[str] = []
        for place, token in enumerate(self.tokens):
            unspaced = _RUN.fullmatch(token) is not None
            if place:
                parts.append(r"[\W_]*?" if unspaced or _RUN.fullmatch(self.tokens[place - 1]) else r"[\W_]+?")
            elif not unspaced:
                parts.append(r"(?<![^\W_])")
            parts.extend(map(_any_accent, token))
            if not unspaced and place == len(self.tokens) - 1:
                parts.append(r"[^\W_]*" if self.prefix else r"(?![^\W_])")
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed, taken apart: all terms must be there."""

    terms: tuple[Term, ...]
    found: re.Pattern[str] = field(compare=False, repr=False)
    """Finds any of the terms; the number of the group that matched is the number of the term."""

    @property
    def expression(self) -> str:
        """For FTS5's MATCH."""
        return " AND ".join(term.expression for term in self.terms)

    def matches(self, text: str) -> bool:
        """Whether all terms are in a text: the search where SQLite has no FTS5."""
        text = joined(text)
        return all(re.search(term.pattern, text, re.IGNORECASE) for term in self.terms)


def parse(typed: str) -> Query | None:
    """Words (all of them), "phrases", and `begin*`. The last word is a beginning, as somebody may still be typing
    it; a blank after it ends it. Whatever is typed is a query; None where it holds no word."""
    typed = _NOT_TEXT.sub(" ", typed[:LONGEST_QUERY])
    terms: list[Term] = []
    for piece in islice(_PIECE.finditer(typed), MOST_TERMS):
        phrase, closed, word = piece.groups()
        text = word if phrase is None else phrase
        tokens = tuple(_TOKEN.findall(text))
        if not tokens:
            continue
        typing = piece.end() == len(typed) and not closed and len(tokens[-1]) >= SHORTEST_PREFIX
        # No word goes on after a character that is one by itself.
        goes_on = text[-1].isalnum() and not _RUN.fullmatch(tokens[-1])
        terms.append(Term(text, tokens, (typing and goes_on) or (phrase is None and text.endswith("*"))))
    if not terms:
        return None
    # The longest first: of two that begin at the same place the regular expression takes the first.
    groups = sorted((term.pattern for term in terms), key=len, reverse=True)
    return Query(tuple(terms), re.compile("|".join(f"({group})" for group in groups), re.IGNORECASE))


def snippet(text: str, query: Query | None, width: int = 160) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The part of a text, about `width` characters on one line, that has the most of a query, safe to show, and
    where in it the terms are (pairs of start and end). Without a query: the beginning."""
    text = joined(text)
    begin = _best_place(text, query, width) if query is not None else 0
    if begin:
        begin = max(0, begin - width // 4)
        blank = text.find(" ", begin, begin + width // 8)
        begin = blank + 1 if blank >= 0 and begin else begin
    end = min(len(text), begin + width)
    shown = "…" if begin else ""
    marks: list[tuple[int, int]] = []
    for part, is_match in _parts(text, begin, end, query):
        flat = _BLANKS.sub(" ", visible(part))
        if not shown.rstrip("…") or shown.endswith(" "):
            flat = flat.lstrip()
        if is_match and flat:
            marks.append((len(shown), len(shown) + len(flat.rstrip())))
        shown += flat
    shown = shown.rstrip()
    return shown + ("…" if end < len(text) else ""), tuple(marks)


def _best_place(text: str, query: Query, width: int) -> int:
    """Where the part with the most different terms begins."""
    found = [(match.start(), match.lastindex) for match in islice(query.found.finditer(text), 64)]
    best, most = 0, 0
    for place, (start, _) in enumerate(found):
        near = {number for other, number in found[place : place + 16] if other < start + width * 2 // 3}
        if len(near) > most:
            best, most = start, len(near)
    return best


def _parts(text: str, begin: int, end: int, query: Query | None) -> Iterator[tuple[str, bool]]:
    place = begin
    for match in query.found.finditer(text, begin, end) if query is not None else ():
        yield text[place : match.start()], False
        yield match[0], True
        place = match.end()
    yield text[place:end], False


def _any_accent(char: str) -> str:
    """A pattern for a letter, with or without accents."""
    base = unicodedata.normalize("NFD", char)[0].lower()
    others = _accented().get(base, "")
    return (f"[{base}{others}]" if others else re.escape(char)) + (_MARKS if char.isalpha() else "")


@cache
def _accented() -> dict[str, str]:
    """Letters with accents, by the letter without."""
    found: dict[str, str] = {}
    for code in (*range(0xC0, 0x530), *range(0x1E00, 0x2000)):
        letters = unicodedata.normalize("NFD", chr(code))
        if len(letters) > 1:
            base = letters[0].lower()
            found[base] = found.get(base, "") + chr(code)
    return found
