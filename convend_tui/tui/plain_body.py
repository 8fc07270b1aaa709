"""Text as it was typed -> lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.style import Style

from convend_tui.plain import visible
from convend_tui.tui.palette import Palette
from convend_tui.tui.pieces import LONG, Piece, Pieces
from convend_tui.tui.wrap import Line, wrap

_LEAST: Final = 1_000
_MOST: Final = 4_000
"""Characters of a part of a long text."""


class _Part(NamedTuple):
    source: str
    soft: bool
    """Goes on with the line before."""


class PlainBody:
    """A message as it was typed: no Markdown, white space kept, wrapped at words. A long one is rendered in pieces."""

    def __init__(self, source: str = "") -> None:
        self._source = [source] if source else []
        self._length = len(source)
        self._size = TextSize()
        self._key: tuple[int, Palette] | None = None
        self._lines: Sequence[Line] | None = None
        self._parts: list[_Part] = []
        """Of a long text, but for its end."""
        self._parted = 0
        """So many characters of the text are in them."""
        self._soft = False
        """The end goes on with the line before."""
        self._pieces: list[Piece] = []
        self._counted = (0, 0)
        """So many characters of the text have been counted, and so many words."""

    @property
    def words(self) -> int:
        """How many words the text has, by the white space between them."""
        source, (begin, words) = self.source, self._counted
        # The last word may go on.
        end = max(source.rfind("\n", begin), source.rfind(" ", begin)) + 1
        if end:
            words += len(source[begin:end].split())
            self._counted = end, words
        return words + len(source[max(begin, end) :].split())

    @property
    def source(self) -> str:
        """The text as it was typed."""
        if len(self._source) > 1:
            self._source = ["".join(self._source)]
        return self._source[0] if self._source else ""

    def append(self, text: str) -> None:
        """Add `text` to the end."""
        if text:
            self._source.append(text)
            self._length += len(text)
            self._size.add(text)
            self._lines = None

    def finish(self) -> None:
        """Nothing will be added. (There is nothing to settle in plain text.)"""

    def forget(self) -> None:
        """Give back the memory of the rendered lines; `lines` renders them again."""
        self._lines = None
        self._pieces = []

    def estimate(self, width: int) -> int:
        """A cheap guess of the number of lines at `width` cells."""
        return self._size.lines(self._source, width)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """All lines at `width` cells."""
        if self._key != (width, palette):
            self._key, self._lines, self._pieces = (width, palette), None, []
        if self._lines is None:
            style = palette.style("text")
            if self._length > LONG:
                self._lines = self._in_pieces(width, style)
            else:
                self._lines = wrap([(visible(self.source), style)], width)
        return self._lines

    def _in_pieces(self, width: int, style: Style) -> Pieces:
        source = self.source
        while len(source) - self._parted > _MOST:
            low, high = self._parted + _LEAST, self._parted + _MOST
            line = source.rfind("\n", low, high)
            end = line if line >= 0 else source.rfind(" ", low, high) + 1 or high
            self._parts.append(_Part(source[self._parted : end], self._soft))
            self._parted, self._soft = end + (line >= 0), line < 0
        for part in self._parts[len(self._pieces) :]:
            self._pieces.append(_piece(part, width, style))
        return Pieces([*self._pieces, _piece(_Part(source[self._parted :], self._soft), width, style)])


def _piece(part: _Part, width: int, style: Style) -> Piece:
    estimate = 1 + part.source.count("\n") + len(part.source) // max(1, width)
    return Piece(estimate, lambda: wrap([(visible(part.source), style)], width, soft=part.soft))


class TextSize:
    """Length and newlines of a text, counted once and then kept up."""

    def __init__(self) -> None:
        self._counted = False
        self._characters = 0
        self._newlines = 0

    def add(self, text: str) -> None:
        """More text, where it has been counted before."""
        if self._counted:
            self._characters += len(text)
            self._newlines += text.count("\n")

    def lines(self, parts: list[str], width: int) -> int:
        """A guess of the lines that `parts`, all of the text, take at `width` cells."""
        if not self._counted:
            self._counted = True
            for part in parts:
                self.add(part)
        return 1 + self._newlines + self._characters // max(1, width)
