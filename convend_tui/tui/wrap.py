"""Styled text -> lines that fit a width in cells. Knows nothing of Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import msgspec
from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Span = tuple[str, Style]
"""A run of text in one style. A newline in it is a hard line break."""

_WIDE: Final = "\u2e80-\u303e\u3041-\ua4cf\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\U00020000-\U0003fffd"
_OPENING: Final = "（［｛〔〈《「『【〖"
_CLOSING: Final = "、。，．・：；？！ー々）］｝〕〉》」』】〗…"


@cache
def _narrow() -> re.Pattern[str]:
    """Characters that take one cell each and never combine: here lengths are widths. (Compiled when first needed:
    these two take longer than the rest of the module.)"""
    return re.compile(
        "[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff\u2010-\u2027\u202f-\u205f"
        "\u2070-\u20cf\u2190-\u2319\u2400-\u2426\u2500-\u25fc\u27e8\u27e9\ufffd]*"
    )


@cache
def _breakable() -> re.Pattern[str]:
    """A line may break after each of these: an ideograph with the punctuation that clings to it, or a word."""
    return re.compile(f"[{_OPENING}]*[{_WIDE}][\u3099\u309a]*[{_CLOSING}]* *|[^ {_WIDE}]+[{_CLOSING}]* *| +")


class Line(msgspec.Struct, frozen=True):
    """One row of the screen.

    The characters of `segments` are `indent` characters of decoration (bars, margins), then `text`, then
    padding. A space at which the text was wrapped belongs to `text` without being shown, so that joining a
    line with the `soft` lines after it gives the text before it was wrapped.
    """

    segments: tuple[Segment, ...]
    cells: int
    text: str
    soft: bool = False
    """Goes on with the text of the line before."""
    indent: int = 0

    @property
    def strip(self) -> Strip:
        """The line as Textual draws it; no wider than it needs to be."""
        return Strip(self.segments, self.cells)

    def restyled(self, start: int, end: int | None, style: Style) -> list[Segment]:
        """The segments, with `style` laid over the characters of `text` from `start` to `end` (or all)."""
        first = max(0, start) + self.indent
        last = self.indent + (len(self.text) if end is None else max(0, end))
        segments: list[Segment] = []
        position = 0
        for text, own, _ in self.segments:
            left, right = (min(max(cut - position, 0), len(text)) for cut in (first, last))
            right = max(left, right)
            over = (own or Style.null()) + style
            parts = ((text[:left], own), (text[left:right], over), (text[right:], own))
            segments.extend(Segment(part, look) for part, look in parts if part)
            position += len(text)
        return segments


BLANK: Final = Line((), 0, "")


@dataclass(slots=True)
class Margin:
    """What stands at the left of a block: `first` on its first line, `rest` on all others."""

    first: str
    rest: str
    style: Style
    copied: bool
    """Part of the text when copied, as the marker of a list item is and the bar of a quotation is not."""
    used: bool = False

    @property
    def width(self) -> int:
        return cell_len(self.first)


class Margins:
    """The margins of nested blocks, outermost first. Emitting a line uses up their `first` texts."""

    def __init__(self, stack: Iterable[Margin] = ()) -> None:
        self.stack = list(stack)

    @property
    def width(self) -> int:
        """In cells."""
        return sum(margin.width for margin in self.stack)

    def line(self, content: Sequence[Segment], cells: int, text: str, *, soft: bool, decoration: int = 0) -> Line:
        """`content`, of which the first `decoration` characters are not to be copied, behind the margins."""
        if not self.stack:
            return Line(tuple(content), cells, text, soft, decoration)
        segments: list[Segment] = []
        indent = 0
        copied: list[str] = []
        for margin in self.stack:
            shown = margin.rest if margin.used else margin.first
            margin.used = True
            segments.append(Segment(shown, margin.style))
            cells += cell_len(shown)
            if soft or decoration or not (copied or margin.copied):
                indent += len(shown)
            else:
                copied.append(shown)
        segments.extend(content)
        return Line(tuple(segments), cells, "".join(copied) + text, soft, indent + decoration)

    def blank(self) -> Line:
        """An empty line between two blocks inside the margins."""
        if not any(margin.rest.strip() for margin in self.stack):
            return BLANK
        return self.line((), 0, "", soft=False, decoration=0)


def wrap(spans: Sequence[Span], width: int, margins: Margins | None = None, *, soft: bool = False) -> list[Line]:
    """Wrap `spans` at words to `width` cells, margins included; longer words are broken.

    `soft` says that the first line goes on with the line before.
    """
    margins = margins or Margins()
    width = max(1, width - margins.width)
    text = "".join(span for span, _ in spans)
    cutter = SpanCutter(spans)
    lines: list[Line] = []
    position = 0
    for part in text.split("\n"):
        for start, end in break_points(part, width):
            piece = part[start:end]
            shown = piece.rstrip(" ")
            segments = cutter.cut(position + start, position + start + len(shown))
            lines.append(margins.line(segments, cell_len(shown), piece, soft=soft or start > 0))
            soft = False
        position += len(part) + 1
    return lines


def decorated(lines: Iterable[Line]) -> list[Line]:
    """Lines of the program's own, which are not copied with the conversation."""
    return [Line(line.segments, line.cells, "", line.soft, sum(len(s.text) for s in line.segments)) for line in lines]


class SpanCutter:
    """Cuts styled segments out of spans, front to back."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._index = 0
        self._offset = 0

    def cut(self, start: int, end: int) -> list[Segment]:
        """The segments of the characters from `start` to `end`; no call may reach before an earlier one."""
        spans = self._spans
        segments: list[Segment] = []
        while start < end:
            text, style = spans[self._index]
            if start >= self._offset + len(text):
                self._offset += len(text)
                self._index += 1
                continue
            stop = min(end, self._offset + len(text))
            segments.append(Segment(text[start - self._offset : stop - self._offset], style))
            start = stop
        return segments


def break_points(text: str, width: int) -> Iterator[tuple[int, int]]:
    """The `(start, end)` of each row of `text`, which has no newline, wrapped at words to `width` cells.

    Spaces at the end of a row count to it, and may stand out beyond the width. No character is lost.
    """
    if len(text) <= width and text.isascii():
        yield 0, len(text)
    elif (text.isascii() and text.isprintable()) or _narrow().fullmatch(text):
        yield from _narrow_breaks(text, width)
    elif cell_len(text) <= width:
        yield 0, len(text)
    else:
        yield from _wide_breaks(text, width)


def _narrow_breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    start = 0
    length = len(text)
    while length - start > width:
        end = start + width
        if text[end] != " ":
            space = text.rfind(" ", start, end)
            if space >= 0 and text[start:space].strip(" "):
                end = space
        while end < length and text[end] == " ":
            end += 1
        yield start, end
        start = end
    if start < length or not length:
        yield start, length


def _wide_breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    start = used = 0
    for match in _breakable().finditer(text):
        token = match[0]
        word = token.rstrip(" ")
        cells = cell_len(word)
        if used and used + cells > width and text[start : match.start()].strip(" "):
            yield start, match.start()
            start, used = match.start(), 0
        if used + cells > width:
            for offset, size in _grapheme_ends(word):
                if used + size > width and match.start() + offset > start:
                    yield start, match.start() + offset
                    start, used = match.start() + offset, 0
                used += size
        else:
            used += cells
        used += len(token) - len(word)
    if start < len(text):
        yield start, len(text)


def _grapheme_ends(word: str) -> Iterator[tuple[int, int]]:
    for start, _, size in split_graphemes(word)[0]:
        yield start, size


def hard_breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    """The rows of `text` cut wherever the width ends, as code is; wide characters are kept whole."""
    if _narrow().fullmatch(text):
        for start in range(0, max(1, len(text)), width):
            yield start, min(start + width, len(text))
        return
    start = used = 0
    for offset, size in _grapheme_ends(text):
        if used + size > width and offset > start:
            yield start, offset
            start, used = offset, 0
        used += size
    yield start, len(text)


def joined(lines: Iterable[tuple[int, Line]], span_of: Callable[[int], tuple[int, int] | None]) -> str:
    """The selected text of some lines, each with the number of its row, with wrapped lines joined again.

    Args:
        span_of: the selected span of a row by its number, as Textual's `Selection.get_span` gives it; an end of -1
            is the end of the line, None is no part of it.
    """
    words: list[str] = []
    for row, line in lines:
        span = span_of(row)
        if span is not None:
            words.append("\n" if words and not line.soft else "")
            words.append(line.text[max(0, span[0]) : len(line.text) if span[1] == -1 else max(0, span[1])])
    return "".join(words).rstrip("\n")
