"""Parsed Markdown -> lines: one method per kind of block, one function for what stands inside a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.segment import Segment
from rich.style import Style

from convend_tui.plain import visible
from convend_tui.tui import tables
from convend_tui.tui.code import code_lines
from convend_tui.tui.palette import Palette
from convend_tui.tui.wrap import BLANK, Line, Margin, Margins, Span, wrap

MAX_NESTING: Final = 40
"""Levels of quotations and lists; beyond, the parser drops text, so a deeper block is shown as it was typed."""
_MAX_INLINE: Final = 64_000
_MAX_BRACKETS: Final = 1_000
"""Limits on one paragraph. Beyond, it is data more than prose, or made to keep the parser busy."""

_MIN_WIDTH: Final = 12
_BULLETS: Final = "•◦▪"
_INLINE: Final = re.compile(r"[\\`*_~\[<&\n]")
_TASK: Final = re.compile(r"\[([ xX])\](?=\s|$)\s?")
_STYLES: Final = {
    "strong_open": Style(bold=True),
    "em_open": Style(italic=True),
    "s_open": Style(strike=True),
}
# By tag: whether it has the colour of headings, and what tells its level without colour.
_HEADINGS: Final = {
    "h1": (True, Style(bold=True, underline=True)),
    "h2": (True, Style(bold=True)),
    "h3": (True, Style(bold=True, italic=True)),
    "h4": (False, Style(underline=True)),
    "h5": (False, Style(italic=True)),
    "h6": (False, Style(italic=True)),
}


def make_parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough. HTML is text; inline Markdown is parsed when rendered."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.disable(["inline", "text_join"])
    return parser


def inline_spans(parser: MarkdownIt, source: str, refs: dict[str, Any], palette: Palette) -> list[Span]:
    """The inline Markdown of a paragraph, heading or cell as styled spans."""
    if len(source) > _MAX_INLINE or source.count("[") > _MAX_BRACKETS:
        return [(source, Style.null())]
    if _INLINE.search(source) is None:
        return [(visible(source), Style.null())] if source else []
    tokens: list[Token] = []
    parser.inline.parse(source, parser, refs, tokens)
    return _Inline(parser, palette).spans(tokens)


class _Inline:
    def __init__(self, parser: MarkdownIt, palette: Palette) -> None:
        self._parser = parser
        self._palette = palette
        self._out: list[Span] = []
        self._styles = [Style.null()]
        self._links: list[tuple[str, int]] = []

    def spans(self, tokens: Sequence[Token]) -> list[Span]:
        for token in tokens:
            if token.nesting > 0:
                self._open(token)
            elif token.nesting < 0:
                self._close(token)
            elif token.type in ("softbreak", "hardbreak"):
                # A model that breaks a line means it: verse, addresses, steps.
                self._add("\n")
            elif token.type == "code_inline":
                mark = "`" if self._palette.mono else ""
                self._add(f"{mark}{token.content}{mark}", self._palette.style("inline_code"))
            elif token.type == "image":
                self._add(f"[image: {token.content}]" if token.content else "[image]")
                self._add(f" ({self._target(token.attrs.get('src'))})", self._palette.style("dim"))
            else:
                self._add(token.content)
        return self._out

    def _add(self, text: str, style: Style | None = None) -> None:
        text = visible(text)  # entities may have brought back what was taken out
        if text:
            self._out.append((text, self._styles[-1] + style if style else self._styles[-1]))

    def _open(self, token: Token) -> None:
        style = _STYLES.get(token.type, Style.null())
        if token.type == "link_open":
            style = self._palette.style("link")
            self._links.append((self._target(token.attrs.get("href")), len(self._out)))
        self._styles.append(self._styles[-1] + style)

    def _close(self, token: Token) -> None:
        self._styles.pop()
        if token.type == "link_close":
            target, start = self._links.pop()
            text = "".join(part for part, _ in self._out[start:])
            if target and target not in (text, f"mailto:{text}"):
                self._add(f" ({target})", self._palette.style("dim"))

    def _target(self, address: object) -> str:
        return self._parser.normalizeLinkText(str(address or ""))


class Blocks:
    """Renders the tokens of one unit (a top-level block, or an item of a top-level list)."""

    def __init__(self, parser: MarkdownIt, refs: dict[str, Any], width: int, palette: Palette) -> None:
        self._parser = parser
        self._refs = refs
        self._width = width
        self._palette = palette
        self._null = Style.null()
        self._in_quote = False

    def render(self, tokens: Sequence[Token]) -> list[Line]:
        """The lines of a top-level block."""
        return self._children(tokens, Margins(), 0)

    def item(self, tokens: Sequence[Token], marker: str, depth: int = 0, margins: Margins | None = None) -> list[Line]:
        """The lines of a list item, whose tokens begin with `list_item_open`. `marker` is a bullet or a number."""
        margins = margins or Margins()
        body = list(tokens[1:-1])
        if len(body) > 1 and body[1].type == "inline" and (task := _TASK.match(body[1].content)):
            text = body[1].copy(content=body[1].content[task.end() :])
            body[1] = text
            marker = "☐" if task[1] == " " else "☑"
        style = self._null if marker[0] in "☐☑" else self._palette.style("dim")
        margin = Margin(f"{marker} ", " " * (len(marker) + 1), style, copied=True)
        inner = self._inside(margins, margin)
        lines = self._children(body, inner, depth + 1)
        return lines or [inner.line((), 0, "", soft=False)]

    def _inside(self, margins: Margins, margin: Margin) -> Margins:
        stack = [*margins.stack, margin]
        # Where nesting leaves no room to read in, the outer margins give way.
        while len(stack) > 1 and stack[0].used and self._width - Margins(stack).width < _MIN_WIDTH:
            del stack[0]
        return Margins(stack)

    def _children(self, tokens: Sequence[Token], margins: Margins, depth: int) -> list[Line]:
        lines: list[Line] = []
        index = 0
        while index < len(tokens):
            end = closing(tokens, index)
            if lines and tokens[index].meta.get("gap", True):
                lines.append(margins.blank())
            lines.extend(self._block(tokens[index : end + 1], margins, depth))
            index = end + 1
        return lines

    def _block(self, tokens: Sequence[Token], margins: Margins, depth: int) -> list[Line]:
        kind = tokens[0].type
        if kind == "heading_open":
            return self._heading(tokens, margins)
        if kind in ("fence", "code_block"):
            code = tokens[0].content.removesuffix("\n")
            return code_lines(code, tokens[0].info, self._width, self._palette, margins)
        if kind == "blockquote_open":
            return self._quote(tokens, margins, depth)
        if kind in ("bullet_list_open", "ordered_list_open"):
            return self._list(tokens, margins, depth)
        if kind == "table_open":
            return self._table(tokens, margins)
        if kind == "hr":
            rule = "─" * max(1, self._width - margins.width)
            segment = Segment(rule, self._palette.style("rule"))
            return [margins.line([segment], len(rule), "", soft=False, decoration=len(rule))]
        return self._paragraph(tokens, margins)

    def _paragraph(self, tokens: Sequence[Token], margins: Margins) -> list[Line]:
        source = "\n".join(token.content for token in tokens if token.content)
        return wrap(self._inline(source), self._width, margins)

    def _inline(self, source: str) -> list[Span]:
        return inline_spans(self._parser, source, self._refs, self._palette)

    def _heading(self, tokens: Sequence[Token], margins: Margins) -> list[Line]:
        own_colour, form = _HEADINGS[tokens[0].tag]
        style = self._palette.style("heading") + form if own_colour else form
        spans = [(text, style + own) for text, own in self._inline(tokens[1].content)]
        return wrap(spans, self._width, margins)

    def _quote(self, tokens: Sequence[Token], margins: Margins, depth: int) -> list[Line]:
        style = self._palette.style("quote")
        inner = self._inside(margins, Margin("▎ ", "▎ ", self._palette.style("rule"), copied=False))
        is_inner, self._in_quote = self._in_quote, True
        lines = self._children(tokens[1:-1], inner, depth) or [inner.line((), 0, "", soft=False)]
        self._in_quote = is_inner
        if is_inner:
            return lines  # the outermost one styles all of them
        return [
            msgspec.structs.replace(
                line, segments=tuple(Segment(text, style + own if own else style) for text, own, _ in line.segments)
            )
            for line in lines
        ]

    def _list(self, tokens: Sequence[Token], margins: Margins, depth: int) -> list[Line]:
        lines: list[Line] = []
        number = list_start(tokens[0])
        index = 1
        while index < len(tokens) - 1:
            end = closing(tokens, index)
            if lines and tokens[index].meta.get("gap", False):
                lines.append(margins.blank())
            item = tokens[index : end + 1]
            lines.extend(self.item(item, marker_of(item[0], number, depth), depth, margins))
            number += 1
            index = end + 1
        return lines

    def _table(self, tokens: Sequence[Token], margins: Margins) -> list[Line]:
        return self.table_rows(tokens, tokens, margins, first=True)

    def table_rows(
        self, tokens: Sequence[Token], sample: Sequence[Token], margins: Margins | None = None, *, first: bool
    ) -> list[Line]:
        """The rows of a table, laid out like `sample`, the table's beginning. `first`: with the head."""
        margins = margins or Margins()
        width = self._width - margins.width
        head, rows, aligns = self._cells(tokens, None)
        known = rows if tokens is sample else self._cells(sample, tables.SAMPLE_ROWS)[1]
        plan = tables.layout(head, known, aligns, width)
        lines = tables.head_lines(head, plan, self._palette, margins) if first else []
        lines.extend(tables.row_lines(head, rows, plan, self._palette, self._width, margins, first=first))
        return lines or [BLANK]

    def _cells(self, tokens: Sequence[Token], limit: int | None) -> tuple[tables.Row, list[tables.Row], list[str]]:
        rows: list[list[list[Span]]] = []
        aligns: list[str] = []
        for token in tokens:
            if token.type == "tr_open":
                if limit is not None and len(rows) > limit:
                    break
                rows.append([])
            elif token.type == "th_open":
                aligns.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))
            elif token.type == "inline":
                rows[-1].append(self._inline(token.content))
        return rows[0], [*rows[1:]], aligns


def closing(tokens: Sequence[Token], index: int) -> int:
    """The index of the token that closes the block opened by `tokens[index]`."""
    if tokens[index].nesting <= 0:
        return index
    level = tokens[index].level
    index += 1
    while not (tokens[index].level == level and tokens[index].nesting < 0):
        index += 1
    return index


def list_start(token: Token) -> int:
    """The number of the first item of a list, 1 for bullets."""
    start = token.attrs.get("start", 1)
    return int(start) if isinstance(start, (int, str)) else 1


def marker_of(item: Token, number: int, depth: int) -> str:
    """The marker of a list item: a bullet by depth, or its number."""
    if item.markup in (".", ")"):
        return f"{number}{item.markup}"
    return _BULLETS[min(depth, len(_BULLETS) - 1)]
