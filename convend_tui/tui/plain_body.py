"""Text as it was typed -> lines."""

from __future__ import annotations

from collections.abc import Sequence

from convend_tui.plain import visible
from convend_tui.tui.palette import Palette
from convend_tui.tui.wrap import Line, wrap


class PlainBody:
    """A message as it was typed: no Markdown, white space kept, wrapped at words."""

    def __init__(self, source: str = "") -> None:
        self._source = [source] if source else []
        self._size = TextSize()
        self._key: tuple[int, Palette] | None = None
        self._lines: list[Line] = []

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
            self._size.add(text)
            self._key = None

    def finish(self) -> None:
        """Nothing will be added. (There is nothing to settle in plain text.)"""

    def forget(self) -> None:
        """Give back the memory of the rendered lines; `lines` renders them again."""
        self._key = None
        self._lines = []

    def estimate(self, width: int) -> int:
        """A cheap guess of the number of lines at `width` cells."""
        return self._size.lines(self._source, width)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """All lines at `width` cells."""
        if self._key != (width, palette):
            self._lines = wrap([(visible(self.source), palette.style("text"))], width)
            self._key = (width, palette)
        return self._lines


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
