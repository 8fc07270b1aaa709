"""The bodies of messages as lines: Markdown that may still be growing, and text as it was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convend_tui.plain import visible
from convend_tui.tui.growing import Growing
from convend_tui.tui.long_markdown import LongMarkdown
from convend_tui.tui.palette import Palette, Tone, palette_of
from convend_tui.tui.pieces import LONG
from convend_tui.tui.plain_body import TextSize
from convend_tui.tui.units import Unit, parse, render
from convend_tui.tui.wrap import BLANK, Line

__all__ = ["Line", "MarkdownBody", "Palette", "Tone", "palette_of"]


class MarkdownBody:
    """A message in Markdown, rendered by its top-level blocks.

    Grows by `append`: then only the end of the text is parsed and rendered again (the last block, list item,
    hundred lines of code or sixty rows of a table). `finish` renders the whole once more, reusing what is
    settled, so that the result never depends on how the text arrived. Until then links whose addresses
    come later in the text are shown as typed. A long text is rendered in pieces, see long_markdown.py.
    """

    def __init__(self, source: str = "") -> None:
        self._source = [source] if source else []
        self._length = len(source)
        self._growing: Growing | None = None
        self._long: LongMarkdown | None = None
        self._size = TextSize()
        self._reset()

    def _reset(self) -> None:
        self._key: tuple[int, Palette] | None = None
        self._lines: Sequence[Line] | None = None
        # Rendered units by their content, and the lines of the settled units, for the current key only.
        self._rendered: dict[tuple[object, ...], list[Line]] = {}
        self._settled: list[Line] = []
        self._settled_units = 0
        self._shown: list[Line] = []

    @property
    def source(self) -> str:
        """The Markdown as it arrived."""
        if len(self._source) > 1:
            self._source = ["".join(self._source)]
        return self._source[0] if self._source else ""

    def append(self, text: str) -> None:
        """Add `text` to the end. Costs next to nothing until `lines` is called."""
        if not text:
            return
        if self._growing is None:
            self._reset()
            self._growing = Growing(self.source)
        self._source.append(text)
        self._length += len(text)
        self._size.add(text)
        self._lines = None
        if self._long is not None:
            self._long.append(text)
        elif self._length > LONG:
            self._long = LongMarkdown(self.source, grows=True)
        else:
            self._growing.feed(text)

    def finish(self) -> None:
        """Nothing will be added: from now on the lines are those of the whole text."""
        if self._growing is not None:
            self._growing = None
            self._settled, self._settled_units, self._shown = [], 0, []
            self._lines = None
            if self._long is not None:
                self._long.finish(self.source)

    def forget(self) -> None:
        """Give back the memory of the rendered lines; `lines` renders them again."""
        if self._growing is None:
            self._reset()
            self._long = None

    def estimate(self, width: int) -> int:
        """A cheap guess of the number of lines at `width` cells."""
        return self._size.lines(self._source, width)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """All lines at `width` cells. The result is kept until the text, the width or the palette changes."""
        if self._key != (width, palette):
            self._reset()
            self._key = (width, palette)
        if self._lines is None:
            growing = self._growing
            if self._length > LONG:
                self._long = self._long or LongMarkdown(self.source, grows=growing is not None)
                self._lines = self._long.lines(width, palette)
                return self._lines
            self._lines = self._whole(width, palette) if growing is None else self._so_far(growing, width, palette)
        return self._lines

    def _whole(self, width: int, palette: Palette) -> list[Line]:
        units, refs = parse(visible(self.source))
        lines: list[Line] = []
        for unit in units:
            _extend(lines, unit, self._unit(unit, refs, width, palette))
        self._rendered = {}
        return lines

    def _unit(self, unit: Unit, refs: dict[str, Any], width: int, palette: Palette) -> list[Line]:
        done = self._rendered.get(unit.key) if self._rendered else None
        # A definition anywhere in the text may turn brackets into links.
        if done is None or (refs.get("references") and "[" in unit.source):
            done = render(unit, refs, width, palette)
        return done

    def _so_far(self, growing: Growing, width: int, palette: Palette) -> list[Line]:
        settled, tail = growing.units()
        before, unsettled = self._shown, len(self._settled)
        for unit in settled[self._settled_units :]:
            done = render(unit, {}, width, palette)
            self._rendered[unit.key] = done
            _extend(self._settled, unit, done)
        self._settled_units = len(settled)
        lines = list(self._settled)
        for unit in tail:
            _extend(lines, unit, render(unit, {}, width, palette))
        # What did not change stays the same object: whoever drew it need not draw it again.
        for index in range(unsettled, min(len(lines), len(before))):
            if lines[index] == before[index]:
                lines[index] = before[index]
        self._shown = lines
        return lines


def _extend(lines: list[Line], unit: Unit, rendered: list[Line]) -> None:
    if lines and unit.gap:
        lines.append(BLANK)
    lines.extend(rendered)
