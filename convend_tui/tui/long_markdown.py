"""A long message in Markdown: cut into chunks, of which only those near the screen are parsed and rendered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from rich.style import Style

from convend_tui.tui.blocks import inline_spans
from convend_tui.tui.chunks import Chunk, Chunks
from convend_tui.tui.code import code_lines
from convend_tui.tui.palette import Palette
from convend_tui.tui.pieces import Piece, Pieces
from convend_tui.tui.units import Unit, parse, parser, render
from convend_tui.tui.wrap import BLANK, Line, Margins, decorated, wrap

_TYPED: Final = "⋯ shown as typed: more link definitions than are read"
_APART: Final = "⋯ very long: what follows belongs to the list item above"


class LongMarkdown:
    """The lines of a text that may be growing. While it grows, links whose addresses come later are shown as typed."""

    def __init__(self, source: str, *, grows: bool) -> None:
        self._chunks = Chunks()
        self._chunks.feed(source)
        self._grows = grows
        self._cut: list[Chunk] | None = None
        self._key: tuple[int, Palette] | None = None
        self._pieces: list[tuple[Chunk, Piece]] = []

    def append(self, text: str) -> None:
        """Add `text` to the end."""
        self._chunks.feed(text)
        self._cut = None

    def finish(self, source: str) -> None:
        """Nothing will be added to what is now `source`: it is cut as a whole, however it arrived."""
        self._chunks = Chunks()
        self._chunks.feed(source)
        self._grows = False
        self._cut = None

    def lines(self, width: int, palette: Palette) -> Pieces:
        """All lines at `width` cells, in pieces. What was rendered before and is the same stays."""
        if self._key != (width, palette):
            self._key, self._pieces = (width, palette), []
        if self._cut is None:
            self._cut = self._chunks.so_far()
        refs = {} if self._grows else _definitions(self._cut)
        # Of a text that grows, only what was its last chunk may be another one now.
        same = max(0, len(self._pieces) - 1) if self._grows else 0
        before, self._pieces = self._pieces, self._pieces[:same]
        for index, chunk in enumerate(self._cut[same:], same):
            old = before[index] if index < len(before) else None
            if old is not None and old[0] == chunk and not (refs and "[" in chunk.source):
                self._pieces.append(old)
            else:
                piece = _Piece(chunk, refs, width, palette, index == 0, old[1].rendered if old is not None else None)
                self._pieces.append((chunk, piece))
        return Pieces([piece for _, piece in self._pieces])


class _Piece(Piece):
    __slots__ = ()

    def __init__(
        self,
        chunk: Chunk,
        refs: dict[str, Any],
        width: int,
        palette: Palette,
        is_first: bool,
        before: Sequence[Line] | None,
    ) -> None:
        def rendered() -> list[Line]:
            lines = _rendered(chunk, refs, width, palette, is_first)
            # What did not change stays the same object: whoever drew it need not draw it again.
            for index, line in enumerate(before or ()):
                if index < len(lines) and lines[index] == line:
                    lines[index] = line
            return lines

        super().__init__(1 + chunk.source.count("\n") + len(chunk.source) // width, rendered)


def _definitions(chunks: Sequence[Chunk]) -> dict[str, Any]:
    """The link definitions of a text; empty where there are none."""
    refs: dict[str, Any] = {}
    for chunk in chunks:
        if chunk.defines:
            parse(chunk.source, refs=refs)
    return refs


def _rendered(chunk: Chunk, refs: dict[str, Any], width: int, palette: Palette, is_first: bool) -> list[Line]:
    lines: list[Line] = [BLANK] if chunk.kind == "code" and chunk.gap and not is_first else []
    if chunk.kind == "code":
        of = (chunk.sample, chunk.line) if chunk.sample and not chunk.soft else None
        is_label = chunk.line == 0 and not chunk.soft
        lines += code_lines(chunk.source, chunk.head, width, palette, Margins(), label=is_label, soft=chunk.soft, of=of)
    elif chunk.kind == "typed":
        lines += wrap([(chunk.source.removesuffix("\n"), Style.null())], width)
        lines += decorated(wrap([(_TYPED, palette.style("dim") + Style(italic=True))], width))
    elif chunk.kind == "text":
        lines += wrap(inline_spans(parser(), chunk.source, refs, palette), width, soft=chunk.soft)
    else:
        for unit in _units(chunk, refs):
            if unit.gap and (lines or not is_first):
                lines.append(BLANK)
            lines += render(unit, refs, width, palette)
    if chunk.is_apart:
        lines += decorated(wrap([(_APART, palette.style("dim") + Style(italic=True))], width))
    return lines


def _units(chunk: Chunk, refs: dict[str, Any]) -> list[Unit]:
    if chunk.kind == "rows":
        units, _ = parse(chunk.head + chunk.source, refs=refs)
        sample = _sample(chunk.head + chunk.sample)
        if units and sample and units[0].tokens and units[0].tokens[0].type == "table_open":
            table = units[0]
            rows = Unit("rows", table.source, table.tokens, gap=False, first=False, sample=sample[0].tokens)
            return [rows, *units[1:]]
    return parse(chunk.source, number=chunk.number, gap=chunk.gap, refs=refs)[0]


@lru_cache(maxsize=4)
def _sample(table: str) -> list[Unit]:
    return parse(table)[0]
