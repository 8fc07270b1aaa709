"""Units of Markdown: the smallest pieces that are parsed once and rendered by themselves.

A unit is a top-level block, or one item of a top-level list; while a text grows, also a part of a long code
block or of a long table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.style import Style

from convend_tui.tui.blocks import MAX_NESTING, Blocks, closing, list_start, make_parser, marker_of
from convend_tui.tui.code import code_lines
from convend_tui.tui.palette import Palette
from convend_tui.tui.wrap import Line, Margins, decorated, wrap

Kind = Literal["block", "item", "code", "rows"]

_MAX_UNIT: Final = 200_000
"""Characters; a larger block, unless it is code, is shown as it was typed."""
_MAX_CELLS: Final = 20_000
"""Cells of a table; the same."""
_MAX_WORK: Final = 20_000
"""Lines of a text, those of tables and of nested quotes counted several times: more would take over a second. The text
is shown as it was typed."""
_AS_TYPED: Final = "⋯ shown as typed: too much to lay out"
DELIMITERS: Final = re.compile(r"^ {0,3}(?:\| *)?:?-+:? *(?:\| *:?-+:? *)*(?:\| *)?\n", re.MULTILINE)
"""What may be the line below the head of a table."""
_QUOTES: Final = re.compile(r"^[ \t\-+*\d.)]{0,20}>[> \t\-+*]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of Markdown that renders by itself. `source` is its text, `tokens` what the parser made of it."""

    kind: Kind
    source: str
    tokens: Sequence[Token] = ()
    first_line: int = 0
    """In the text that was parsed."""
    gap: bool = True
    """A blank line stands before it, unless it comes first."""
    marker: str = ""
    """Of a list item: the bullet or the number. Of code: the info string."""
    number: int = 0
    """Of a list item: its number in the list."""
    first: bool = True
    """The beginning of the block it belongs to, with the label of code or the head of a table."""
    sample: Sequence[Token] = ()
    """Of the rows of a table: the table's beginning, which decides the layout."""
    as_typed: bool = False
    """It was not parsed: that would take too long."""

    @property
    def key(self) -> tuple[object, ...]:
        """Equal keys render equally, as long as no link definitions are involved."""
        tokens = tuple(
            (
                token.type,
                token.tag,
                token.markup,
                token.info,
                token.content,
                *token.attrs.values(),
                *token.meta.values(),
            )
            for token in self.tokens
        )
        return self.kind, self.source, self.marker, self.first, tokens


@cache
def parser() -> MarkdownIt:
    """The one parser; it keeps no state between calls."""
    return make_parser()


def parse(
    source: str, *, number: int | None = None, gap: bool = True, refs: dict[str, Any] | None = None
) -> tuple[list[Unit], dict[str, Any]]:
    """The units of `source`, which has been made visible, and the link definitions in it, added to `refs`.

    `number` and `gap` belong to the first unit: its number, if it goes on with a list, and whether a gap is
    before it.
    """
    refs = {} if refs is None else refs
    if _is_too_much(source):
        # As one paragraph: while the text grows, it is settled in pieces as such.
        block = [Token("paragraph_open", "p", 1, map=[0, source.count("\n") + (not source.endswith("\n"))])]
        return [replace(_unit("block", block, source.split("\n")), gap=gap, as_typed=True)], refs
    tokens = parser().parse(source, refs)
    lines = source.split("\n")
    _mark_gaps(tokens, lines)
    units: list[Unit] = []
    index = 0
    while index < len(tokens):
        end = closing(tokens, index)
        block = tokens[index : end + 1]
        if block[0].type in ("bullet_list_open", "ordered_list_open"):
            units.extend(_items(block, lines, number if not units else None))
        else:
            units.append(_unit("block", block, lines))
        index = end + 1
    if units and not gap:
        units[0] = replace(units[0], gap=False)
    return units, refs


def _is_too_much(source: str) -> bool:
    """Whether parsing would take too long, whatever the text is."""
    lines = source.count("\n")
    # A row that is short of cells is filled up, and so has as many as the head.
    widest = max((found[0].count("|") for found in DELIMITERS.finditer(source)), default=0)
    if lines * widest > _MAX_CELLS:
        return True
    if lines < _MAX_WORK // MAX_NESTING:
        return False
    # Each line is looked at once for every quote that it might go on with.
    depth = max((found[0].count(">") for found in _QUOTES.finditer(source)), default=0)
    return lines * (1 + min(depth, MAX_NESTING) / 4) + source.count("|") / 4 > _MAX_WORK


def _unit(kind: Kind, block: list[Token], lines: list[str], **more: Any) -> Unit:
    start, end = block[0].map or (0, len(lines))
    source = "\n".join(lines[start:end]).rstrip("\n")
    return Unit(kind, source, block, first_line=start, **more)


def _items(block: list[Token], lines: list[str], number: int | None) -> list[Unit]:
    units: list[Unit] = []
    number = list_start(block[0]) if number is None else number
    index = 1
    while index < len(block) - 1:
        end = closing(block, index)
        item = block[index : end + 1]
        gap = not units or bool(item[0].meta["gap"])
        units.append(_unit("item", item, lines, gap=gap, marker=marker_of(item[0], number, 0), number=number))
        number += 1
        index = end + 1
    return units


def _mark_gaps(tokens: Sequence[Token], lines: list[str]) -> None:
    """Note in each block whether a blank line stands before it in the source."""
    for token in tokens:
        if token.map and token.nesting >= 0 and token.type != "inline":
            start = token.map[0]
            token.meta["gap"] = start > 0 and not lines[start - 1].strip(" >")


def render(unit: Unit, refs: dict[str, Any], width: int, palette: Palette) -> list[Line]:
    """The lines of a unit at `width` cells."""
    if unit.kind == "code":
        return code_lines(unit.source, unit.marker, width, palette, Margins(), label=unit.first)
    if _is_unfit(unit):
        word = [(_AS_TYPED, palette.style("dim") + Style(italic=True))]
        return [*wrap([(unit.source, Style.null())], width), *decorated(wrap(word, width))]
    blocks = Blocks(parser(), refs, width, palette)
    if unit.kind == "item":
        return blocks.item(unit.tokens, unit.marker)
    if unit.kind == "rows":
        return blocks.table_rows(unit.tokens, unit.sample, first=unit.first)
    return blocks.render(unit.tokens)


def _is_unfit(unit: Unit) -> bool:
    """Whether rendering would take too long, or the parser gave up on the depth of the block."""
    if unit.as_typed:
        return True
    kind = unit.tokens[0].type
    if kind in ("fence", "code_block"):
        return False
    if len(unit.source) > _MAX_UNIT or any(token.level >= MAX_NESTING - 1 for token in unit.tokens):
        return True
    return kind == "table_open" and sum(token.type == "inline" for token in unit.tokens) > _MAX_CELLS
