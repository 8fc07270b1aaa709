"""Markdown that is still arriving: what is settled is parsed once, only the end is parsed again and again.

A block is settled when the first line of the next one is complete. Long blocks are settled in parts, so that
the cost of a redraw does not grow with the text: lists by their items, code by a hundred lines, tables by
their rows, paragraphs at a space. These parts are an approximation (a string in code that spans two of them
is coloured wrongly); the whole is parsed again when the text is complete.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from markdown_it.token import Token

from convend_tui.plain import visible
from convend_tui.tui.tables import SAMPLE_ROWS
from convend_tui.tui.units import Unit, parse

_CODE_LINES: Final = 100
_LONG_PARAGRAPH: Final = 6_000
_LONG_LINE: Final = 8_000
_FENCE: Final = re.compile(r"( {0,3})(`{3,}|~{3,})([^\n]*)\n")
_WORD_START: Final = re.compile(r"[ \n](?=[^\W\d_])")


@dataclass(slots=True)
class _OpenFence:
    """A code block whose end has not come."""

    close: re.Pattern[str]
    indent: int
    info: str
    gap: bool
    first: bool = True


@dataclass(slots=True)
class _OpenTable:
    """A table whose first rows are settled."""

    head: str
    sample: Sequence[Token]


class Growing:
    """Splits a growing text into settled units and the units of its end."""

    def __init__(self, text: str = "") -> None:
        self._settled: list[Unit] = []
        self._raw: list[str] = [text] if text else []
        self._tail = ""
        """Visible text after the settled units; complete lines, except after the cut of an overlong line."""
        self._last = ""
        """The incomplete last line, raw."""
        self._number: int | None = None
        self._gap = True
        self._open: _OpenFence | _OpenTable | None = None

    def feed(self, text: str) -> None:
        """Add `text` to the end."""
        self._raw.append(text)

    def units(self) -> tuple[list[Unit], list[Unit]]:
        """All settled units (the list only ever grows), and the units after them, which may change."""
        self._take()
        while True:
            text = self._tail + visible(self._last)
            before = len(self._settled), len(self._tail)
            if isinstance(self._open, _OpenFence):
                tail = self._advance_fence(self._open, text)
            elif isinstance(self._open, _OpenTable):
                tail = self._advance_table(self._open, text)
            else:
                tail = self._advance(text)
            if before == (len(self._settled), len(self._tail)):
                return self._settled, tail

    def _take(self) -> None:
        text = self._last + "".join(self._raw)
        self._raw.clear()
        cut = text.rfind("\n") + 1
        while len(text) - cut > _LONG_LINE and not isinstance(self._open, _OpenFence):
            space = text.rfind(" ", cut + 1, cut + _LONG_LINE)
            cut = space if space > 0 else cut + _LONG_LINE
        self._tail += visible(text[:cut])
        self._last = text[cut:]

    def _settle(self, unit: Unit) -> None:
        self._settled.append(unit)

    def _drop_lines(self, count: int) -> None:
        self._tail = _after_lines(self._tail, count)

    def _advance(self, text: str) -> list[Unit]:
        units, _ = parse(text, number=self._number, gap=self._gap)
        complete = self._tail.count("\n")
        last = max((index for index, unit in enumerate(units) if unit.first_line < complete), default=0)
        if last:
            for unit in units[:last]:
                self._settle(unit)
            self._drop_lines(units[last].first_line)
            self._gap = units[last].gap
            self._number = units[last].number if units[last].kind == "item" else None
            units = [replace(unit, first_line=unit.first_line - units[last].first_line) for unit in units[last:]]
        if len(units) == 1 and units[0].kind == "block":
            self._open_long_block(units[0])
        return units

    def _open_long_block(self, unit: Unit) -> None:
        kind = unit.tokens[0].type
        tail = _after_lines(self._tail, unit.first_line)
        lines = tail.count("\n")
        if kind == "fence" and lines > _CODE_LINES and (opening := _FENCE.match(tail)):
            indent, marker, info = opening.groups()
            close = re.compile(rf" {{0,3}}{marker[0]}{{{len(marker)},}} *")
            self._open = _OpenFence(close, len(indent), info.strip(), unit.gap)
            self._tail = tail[opening.end() :]
        elif kind == "table_open" and lines > SAMPLE_ROWS + 2:
            head = tail[: len(tail) - len(_after_lines(tail, 2))]
            part = _before_lines(tail, SAMPLE_ROWS + 2)
            sample = parse(part)[0][0]
            if sample.as_typed:
                return
            self._settle(Unit("rows", part, sample.tokens, gap=unit.gap, sample=sample.tokens))
            self._tail = tail[len(part) :]
            self._open = _OpenTable(head, sample.tokens)
        elif kind == "paragraph_open" and len(tail) > _LONG_PARAGRAPH:
            self._cut_paragraph(tail)

    def _cut_paragraph(self, tail: str) -> None:
        while len(tail) > _LONG_PARAGRAPH:
            cuts = [match.end() for match in _WORD_START.finditer(tail, _LONG_PARAGRAPH // 2, _LONG_PARAGRAPH)]
            cut = cuts[-1] if cuts else _LONG_PARAGRAPH
            for unit in parse(tail[:cut], gap=self._gap)[0]:
                self._settle(unit)
            tail = tail[cut:]
            self._gap = False
        self._tail = tail
        self._number = None

    def _advance_fence(self, fence: _OpenFence, text: str) -> list[Unit]:
        complete = self._tail.split("\n")[:-1]
        for index, line in enumerate(complete):
            if fence.close.fullmatch(line):
                self._settle_code(fence, complete[:index])
                self._drop_lines(index + 1)
                self._open = None
                self._gap = True
                self._number = None
                return []
        if len(complete) >= _CODE_LINES:
            whole = len(complete) // _CODE_LINES * _CODE_LINES
            for start in range(0, whole, _CODE_LINES):
                self._settle_code(fence, complete[start : start + _CODE_LINES])
            self._drop_lines(whole)
            return []
        if fence.close.fullmatch(text[len(self._tail) :]):
            text = self._tail
        return [_code_unit(fence, text.removesuffix("\n").split("\n"))] if text else []

    def _settle_code(self, fence: _OpenFence, lines: list[str]) -> None:
        if lines:
            self._settle(_code_unit(fence, lines))
            fence.first = False

    def _advance_table(self, table: _OpenTable, text: str) -> list[Unit]:
        unit = parse(table.head + text)[0][0]
        first, end = unit.tokens[0].map or [0, 0]
        rows = end - first - table.head.count("\n")
        if rows < self._tail.count("\n"):  # a whole line that is not a row
            self._settle_rows(table, rows)
            self._open = None
            self._gap = True
            self._number = None
            return []
        if rows > SAMPLE_ROWS:
            for _ in range(rows // SAMPLE_ROWS):
                self._settle_rows(table, SAMPLE_ROWS)
            return []
        return [_rows_unit(unit, table.sample)] if rows else []

    def _settle_rows(self, table: _OpenTable, rows: int) -> None:
        part = _before_lines(self._tail, rows) if rows else ""
        if part:
            self._settle(_rows_unit(parse(table.head + part)[0][0], table.sample))
            self._tail = self._tail[len(part) :]


def _rows_unit(table: Unit, sample: Sequence[Token]) -> Unit:
    return Unit("rows", table.source, table.tokens, gap=False, first=False, sample=sample, as_typed=table.as_typed)


def _code_unit(fence: _OpenFence, lines: list[str]) -> Unit:
    cut = fence.indent
    code = "\n".join(line[min(cut, len(line) - len(line.lstrip(" "))) :] for line in lines)
    return Unit("code", code, gap=fence.gap if fence.first else False, marker=fence.info, first=fence.first)


def _after_lines(text: str, count: int) -> str:
    return text[len(_before_lines(text, count)) :]


def _before_lines(text: str, count: int) -> str:
    position = 0
    for _ in range(count):
        position = text.find("\n", position) + 1
        if not position:
            return text
    return text[:position]
