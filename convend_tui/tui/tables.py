"""Tables fitted to a width: cells wrap, rules are light, and a table too wide for columns becomes records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from convend_tui.tui.palette import Palette
from convend_tui.tui.wrap import Line, Margins, Span, wrap

SAMPLE_ROWS: Final = 64
"""The widths of the columns come from this many rows, so that a growing table need not be laid out anew."""

_MIN_COLUMN: Final = 4
_RULE: Final = " │ "

Cell = Sequence[Span]
Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a table: `widths` in cells (none: show records), `aligns` (left, right, center)."""

    widths: tuple[int, ...]
    aligns: tuple[str, ...]
    ruled: bool
    """A rule between rows: some cell takes more than one line."""


def layout(head: Row, rows: Sequence[Row], aligns: Sequence[str], width: int) -> Layout:
    """Column widths for a table of `width` cells, from its head and its first rows."""
    columns = len(head)
    natural = [0] * columns
    longest = [0] * columns
    for row in (head, *rows[:SAMPLE_ROWS]):
        for column, cell in enumerate(row[:columns]):
            text = "".join(part for part, _ in cell)
            natural[column] = max(natural[column], *(cell_len(line) for line in text.split("\n")))
            longest[column] = max(longest[column], *(cell_len(word) for word in text.split() or [""]))
    natural = [max(1, size) for size in natural]
    room = width - len(_RULE) * (columns - 1)
    if sum(natural) <= room:
        return Layout(tuple(natural), tuple(aligns), ruled=False)
    if room < _MIN_COLUMN * columns:
        return Layout((), tuple(aligns), ruled=False)
    return Layout(tuple(_shares(natural, longest, room)), tuple(aligns), ruled=True)


def _shares(natural: list[int], longest: list[int], room: int) -> list[int]:
    """Narrow columns get what they need; the others share the rest, none below its longest word if possible."""
    shares = [0] * len(natural)
    open_columns = set(range(len(natural)))
    while open_columns:
        fair = room // len(open_columns)
        content = {column for column in open_columns if natural[column] <= fair}
        if not content:
            break
        for column in content:
            shares[column] = natural[column]
            room -= natural[column]
        open_columns -= content
    wanted = sum(natural[column] for column in open_columns)
    floor = {column: min(longest[column], max(_MIN_COLUMN, room // len(open_columns))) for column in open_columns}
    spare = room - sum(floor.values())
    for column in sorted(open_columns):
        shares[column] = floor[column] + max(0, spare) * natural[column] // wanted
    return shares


def head_lines(head: Row, plan: Layout, palette: Palette, margins: Margins) -> list[Line]:
    """The head of a table and the rule below it; nothing for records, which name each cell."""
    if not plan.widths:
        return []
    rule = palette.style("rule")
    bold = [[(text, style + Style(bold=True)) for text, style in cell] for cell in head]
    lines = _row_lines(bold, plan, rule, margins)
    lines.append(_rule_line(plan, rule, margins, "─"))
    return lines


def row_lines(
    head: Row, rows: Sequence[Row], plan: Layout, palette: Palette, width: int, margins: Margins, *, first: bool
) -> list[Line]:
    """The rows of a table; `first` says that the head stands right above them."""
    rule = palette.style("rule")
    lines: list[Line] = []
    for number, row in enumerate(rows):
        after_row = number > 0 or not first
        if plan.widths:
            if plan.ruled and after_row:
                lines.append(_rule_line(plan, rule, margins, "┈"))
            lines.extend(_row_lines(row, plan, rule, margins))
            continue
        if after_row:
            lines.append(margins.blank())
        for name, cell in zip(head, row, strict=False):
            label = [(text, style + palette.style("dim")) for text, style in name]
            lines.extend(wrap([*label, (": ", palette.style("dim")), *cell], width, margins))
    return lines


def _row_lines(row: Row, plan: Layout, rule: Style, margins: Margins) -> list[Line]:
    columns: list[list[Line]] = []
    for width, cell in zip(plan.widths, row, strict=False):
        columns.append(wrap(list(cell), width))
    height = max((len(column) for column in columns), default=0)
    lines: list[Line] = []
    for index in range(height):
        segments: list[Segment] = []
        begin = 0
        for number, (width, column) in enumerate(zip(plan.widths, columns, strict=False)):
            line = column[index] if index < len(column) else None
            # A wide character in a column of one cell takes the space beside it: what follows stays in its place.
            over = 1 if line is not None and line.cells > width else 0
            if number:
                segments.append(Segment(_RULE[begin : len(_RULE) - over], rule))
            begin = over if not number else 0
            cells = min(line.cells, width) if line else 0
            before, after = _padding(width - cells, plan.aligns[number] if number < len(plan.aligns) else "")
            segments.append(Segment(" " * before))
            segments.extend(line.segments if line else ())
            segments.append(Segment(" " * after))
        segments = [segment for segment in segments if segment.text]
        text = "".join(segment.text for segment in segments)
        lines.append(margins.line(segments, cell_len(text), text.rstrip(), soft=False))
    return lines


def _padding(spare: int, align: str) -> tuple[int, int]:
    if align == "right":
        return spare, 0
    return (spare // 2, spare - spare // 2) if align == "center" else (0, spare)


def _rule_line(plan: Layout, style: Style, margins: Margins, dash: str) -> Line:
    cross = "┼" if dash == "─" else "│"
    text = f"{dash}{cross}{dash}".join(dash * width for width in plan.widths)
    return margins.line([Segment(text, style)], cell_len(text), text, soft=False)
