"""Code blocks: highlighted, on a tint, every character shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from time import thread_time
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from convend_tui.plain import one_line
from convend_tui.tui.palette import Palette, legible
from convend_tui.tui.wrap import Line, Margins, Span, SpanCutter, hard_breaks

if TYPE_CHECKING:
    from pygments.lexer import Lexer

MAX_HIGHLIGHTED: Final = 200_000
"""Characters; beyond, highlighting would hold up the screen, and a block so long is data more than code."""
_MAX_LINE: Final = 5_000
"""Characters; lexers are at their slowest on very long lines, such as minified code."""
_MAX_SECONDS: Final = 0.3
"""CPU time for one block: some lexers take quadratic time on nested quotes. The rest of it stays plain."""

_PAD: Final = 2
_LANGUAGE: Final = re.compile(r"[\w+#.-]+")

# For terminals with 16 colours, and for none: Pygments token names (their beginnings) and styles.
_ANSI: Final = {
    "Token.Comment": "dim italic",
    "Token.Keyword": "magenta",
    "Token.Keyword.Constant": "cyan",
    "Token.Literal.String": "green",
    "Token.Literal.Number": "yellow",
    "Token.Name.Function": "blue",
    "Token.Name.Class": "yellow",
    "Token.Name.Builtin": "cyan",
    "Token.Name.Tag": "blue",
    "Token.Name.Attribute": "yellow",
    "Token.Name.Decorator": "blue",
    "Token.Operator.Word": "magenta",
    "Token.Generic.Deleted": "red",
    "Token.Generic.Inserted": "green",
    "Token.Generic.Heading": "bold",
    "Token.Generic.Subheading": "bold",
}
_MONO: Final = {
    "Token.Comment": "italic",
    "Token.Keyword": "bold",
    "Token.Operator.Word": "bold",
    "Token.Generic.Heading": "bold",
}


def language_of(info: str) -> str:
    """The language named by the info string of a fence, or an empty string."""
    match = _LANGUAGE.match(info.strip().removeprefix("{").removeprefix("."))
    return match[0] if match else ""


def code_lines(
    code: str,
    info: str,
    width: int,
    palette: Palette,
    margins: Margins,
    *,
    label: bool = True,
    soft: bool = False,
    of: tuple[str, int] | None = None,
) -> list[Line]:
    """The lines of a code block, `width` cells with its margins; rows too long are wrapped, not cut.

    Args:
        info: names the language.
        label: false for the later parts of a block rendered in parts.
        soft: the first row goes on with the one before.
        of: the block that `code` is a part of, and the part's first line in it: it is coloured as a part of it.
    """
    tint = palette.style("code_bg")
    dim = palette.style("dim") + tint
    left = "  " if palette.code_bg else "│ "
    room = max(8, width - margins.width)
    inner = max(4, room - _PAD - 1)
    lines: list[Line] = []
    name = one_line(info, inner)
    if label and name:
        lines.append(_row([Segment(name, dim)], cell_len(name), "", left, room, dim, margins, decoration=len(name)))
    for number, row in enumerate(_rows(code, language_of(info), palette, of)):
        text = "".join(part for part, _ in row)
        cutter = SpanCutter(row)
        for start, end in hard_breaks(text, inner):
            segments = [Segment(part, tint + style if style else tint) for part, style, _ in cutter.cut(start, end)]
            piece = text[start:end]
            goes_on = start > 0 or (soft and not number)
            before = "↪ " if goes_on else left
            lines.append(_row(segments, cell_len(piece), piece, before, room, dim, margins, soft=goes_on, fill=tint))
    return lines


def _rows(code: str, language: str, palette: Palette, of: tuple[str, int] | None) -> Sequence[list[Span]]:
    if of is None:
        return highlight(code, language, palette)
    block, first = of
    return _kept(block, language, palette)[first : first + code.count("\n") + 1]


@lru_cache(maxsize=8)
def _kept(block: str, language: str, palette: Palette) -> list[list[Span]]:
    """The lines of a block that is shown in parts."""
    return highlight(block, language, palette)


def _row(
    segments: list[Segment],
    cells: int,
    text: str,
    left: str,
    room: int,
    dim: Style,
    margins: Margins,
    *,
    soft: bool = False,
    decoration: int = 0,
    fill: Style | None = None,
) -> Line:
    row = [Segment(left, dim), *segments]
    if dim.bgcolor is not None:
        row.append(Segment(" " * max(0, room - _PAD - cells), fill or dim))
        cells = max(cells, room - _PAD)
    return margins.line(row, _PAD + cells, text, soft=soft, decoration=_PAD + decoration)


def highlight(code: str, language: str, palette: Palette) -> list[list[Span]]:
    """The lines of `code` as spans; plain where the language is unknown or the code is very long."""
    plain = [[(line, Style.null())] if line else [] for line in code.split("\n")]
    lexer = _lexer(language.lower()) if language else None
    if lexer is None or len(code) > MAX_HIGHLIGHTED or _longest_line(code) > _MAX_LINE:
        return plain
    rows: list[list[Span]] = [[]]
    look = _Look(palette.code_theme, palette.code_bg.removeprefix("on "), palette.text)
    end = thread_time() + _MAX_SECONDS
    for token, value in lexer.get_tokens(code):
        if thread_time() > end:
            return rows[:-1] + plain[len(rows) - 1 :]
        style = _token_style(look, str(token))
        first, *others = value.split("\n")
        if first:
            rows[-1].append((first, style))
        for part in others:
            rows.append([(part, style)] if part else [])
    del rows[len(plain) :]  # the lexer ends the last line
    shown = ["".join(part for part, _ in row) for row in rows]
    # A lexer that loses or adds characters must not decide what is read.
    return rows if shown == code.split("\n") else plain


def _longest_line(code: str) -> int:
    ends = [-1, *(match.start() for match in re.finditer("\n", code)), len(code)]
    return max(after - before - 1 for before, after in pairwise(ends))


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None


class _Look(NamedTuple):
    """What the colours of code depend on."""

    theme: str
    background: str
    text: str


@lru_cache(maxsize=1024)
def _token_style(look: _Look, token: str) -> Style:
    table = {"ansi": _ANSI, "mono": _MONO}.get(look.theme)
    if table is None:
        return _pygments_styles(look).get(token) or _inherited(look, token)
    return Style.parse(table[token]) if token in table else _inherited(look, token)


def _inherited(look: _Look, token: str) -> Style:
    parent, _, _ = token.rpartition(".")
    return _token_style(look, parent) if parent else Style.null()


@lru_cache(maxsize=8)
def _pygments_styles(look: _Look) -> dict[str, Style]:
    from pygments.styles import get_style_by_name

    def colour(value: str | None) -> str | None:
        if value is None or not (look.background and look.text):
            return f"#{value}" if value else None
        return legible(f"#{value}", look.background, look.text)

    return {
        str(token): Style(
            color=colour(parts["color"]),
            bold=parts["bold"] or None,
            italic=parts["italic"] or None,
            underline=parts["underline"] or None,
        )
        for token, parts in get_style_by_name(look.theme)
    }
