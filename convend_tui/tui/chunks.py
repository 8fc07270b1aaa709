"""A long Markdown text cut into chunks that are parsed and rendered one by one, wherever they come into view.

Cutting looks at the text only: its cost grows with the length of the text, whatever the text is. At a blank line before
a line that can go on with nothing, before an item of a list and around a fence a cut changes nothing. A block that is
longer than `_MOST` is cut all the same: code and tables at their lines, all else at a line or a word. A text that grows
is cut where the whole of it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from convend_tui.plain import visible
from convend_tui.tui.tables import SAMPLE_ROWS
from convend_tui.tui.units import DELIMITERS, parse

Kind = Literal["markdown", "text", "rows", "code", "typed"]

_LEAST: Final = 800
"""Characters of a chunk, unless it is the last of its kind."""
_MOST: Final = 4_000
"""Characters of a chunk."""
_BLOCK: Final = 24_000
"""Characters of code that is highlighted as a whole; in longer code no part knows what came before it."""
_LONG_LINE: Final = 8_000
"""Characters of a line that is taken in before its end has come."""

_DEFINITIONS: Final = 20_000
"""Characters of chunks with link definitions. Later ones are shown as typed: they would all be parsed before a line of
the message is shown, and none of them can be seen."""

_MARKER: Final = r"(?:[-*+]|\d{1,9}[.)])"
_FENCE: Final = re.compile(r"^(?:(`{3,})([^`\n]*)|(~{3,})(.*))$", re.MULTILINE)
_BREAK: Final = re.compile(rf"\n *\n(?!{_MARKER}(?: |$))(?=[^ \n])", re.MULTILINE)
_ITEM: Final = re.compile(rf"\n(?={_MARKER} +[^ \n])(?!(?:[-*] *){{3,}}$)", re.MULTILINE)
_LEFT: Final = re.compile(r"^[^ \n]", re.MULTILINE)
_LIST: Final = re.compile(r"([-*+])(?= |\n)|(\d{1,9})([.)])(?= |\n)")
_BULLET: Final = re.compile(r"^[-*+] ", re.MULTILINE)
_TABLE_END: Final = re.compile(r"^(?: *\n| {0,3}(?:#{1,6} |>|[-*+] |1[.)] ))", re.MULTILINE)
_PLAIN_LINE: Final = re.compile(r"\n(?=[^ \n>])(?![=-]+ *$)", re.MULTILINE)
_APART: Final = re.compile(r"#{1,6} |(?:[-*_] *){3,}$", re.MULTILINE)
_DEFINITION: Final = re.compile(r"^ {0,3}\[[^\]\n]+\]:", re.MULTILINE)
_NESTED: Final = re.compile(rf"^ {{0,3}}(?:>|{_MARKER}(?: |$))", re.MULTILINE)
_STATEMENT: Final = re.compile(r"\n\n(?=[^\s)\]}])")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a Markdown text that is rendered by itself."""

    kind: Kind
    """Blocks of Markdown, text inside a paragraph, rows of a table, code, text shown as it was typed."""
    source: str
    gap: bool = True
    """A blank line stands before it."""
    number: int | None = None
    """Of its first list item, where it goes on with a list."""
    head: str = ""
    """Of rows: the head of their table. Of code: the info string of its fence."""
    sample: str = ""
    """Of rows: the first rows of their table, which decide the layout. Of code: the whole block, unless it is long."""
    line: int = 0
    """Of code: its first line in the block."""
    soft: bool = False
    """It goes on with the line before."""
    defines: bool = False
    """It may hold link definitions."""
    is_apart: bool = False
    """What follows it is cut off from the list item it stands in."""


@dataclass(frozen=True, slots=True)
class _At:
    """What the next chunk is."""

    kind: Kind = "markdown"
    gap: bool = True
    number: int | None = None
    mark: str = ""
    """Of the list that goes on: its bullet or what stands after its numbers."""
    head: str = ""
    sample: str = ""
    line: int = 0
    soft: bool = False
    close: re.Pattern[str] | None = None
    """Of code: the line that ends it."""

    def chunk(self, source: str, *, is_apart: bool = False) -> Chunk:
        """The chunk that is there."""
        defines = self.kind == "markdown" and _DEFINITION.search(source) is not None
        return Chunk(
            self.kind, source, self.gap, self.number, self.head, self.sample, self.line, self.soft, defines, is_apart
        )


_TOP: Final = _At()


class Chunks:
    """Cuts a text that may be growing."""

    def __init__(self) -> None:
        self._settled: list[Chunk] = []
        self._raw: list[str] = []
        self._last = ""
        """The incomplete last line, raw."""
        self._rest = ""
        """Visible text after the settled chunks."""
        self._at = _TOP
        self._is_apart = False
        self._defining = 0
        """Characters of settled chunks with link definitions."""

    def feed(self, text: str) -> None:
        """Add `text` to the end. Costs next to nothing until `so_far` is called."""
        self._raw.append(text)

    def so_far(self) -> list[Chunk]:
        """All chunks; the last one may change with what comes."""
        text = self._last + "".join(self._raw)
        self._raw.clear()
        cut = text.rfind("\n") + 1
        while len(text) - cut > _LONG_LINE:
            space = text.rfind(" ", cut + 1, cut + _LONG_LINE)
            cut = space if space > 0 else cut + _LONG_LINE
        self._last = text[cut:]
        self._rest += visible(text[:cut])
        self._cut()
        last, at = visible(self._last), self._at
        if at.close is not None and at.close.fullmatch(last):
            last = ""
        rest = self._rest + last
        if at.kind == "code":
            rest = rest.removesuffix("\n")
        return [*self._settled, at.chunk(rest)] if rest.strip() else [*self._settled]

    def _settle(self, begin: int, end: int, then: _At, *, is_apart: bool = False) -> int:
        """Make a chunk, after which comes `then`. Returns its end."""
        source = self._rest[begin:end]
        if source.strip():
            chunk = self._at.chunk(source, is_apart=is_apart)
            if chunk.defines:
                self._defining += len(source)
                if self._defining > _DEFINITIONS:
                    chunk = replace(chunk, kind="typed", defines=False)
            self._settled.append(chunk)
        self._at = then
        return end

    def _cut(self) -> None:
        text = self._rest
        begin = scan = 0
        fence = _FENCE.search(text)
        while begin < len(text):
            if self._at.kind in ("code", "text"):
                begin = scan = self._code(begin) if self._at.kind == "code" else self._line(begin)
                if self._at.kind in ("code", "text"):
                    break
            if fence is not None and fence.start() < scan:
                fence = _FENCE.search(text, scan)
            begin = self._stretch(begin, fence.start() if fence is not None else len(text))
            if self._at.kind == "text":
                continue
            if fence is None:
                break
            begin, after = self._fenced(begin, fence)
            if after is None:
                break
            scan = after
        self._rest = text[begin:]

    def _stretch(self, begin: int, stop: int) -> int:
        """Cut text without fences. Returns where its last chunk begins, which may go on after it."""
        while begin < stop and self._at.kind != "text":
            if self._at.kind == "rows":
                begin, is_open = self._rows(begin, stop)
                if is_open:
                    return begin
                continue
            found = self._break(begin, begin + _LEAST, min(begin + _MOST, stop))
            if found is not None:
                begin = self._settle(begin, *found)
            elif stop - begin > _MOST:
                begin = self._force(begin, begin + _LEAST, begin + _MOST)
            else:
                return begin
        return begin

    def _break(self, begin: int, low: int, high: int) -> tuple[int, _At] | None:
        """The first place between `low` and `high` where a cut changes nothing, and what comes there."""
        found = _BREAK.search(self._rest, low, high)
        for item in _ITEM.finditer(self._rest, low, found.start() if found is not None else high):
            at = self._item(begin, item.end())
            if at is not None:
                return item.end(), at
        return (found.end(), _TOP) if found is not None else None

    def _item(self, begin: int, cut: int) -> _At | None:
        """What a list item is that begins at `cut`; None if it may be part of a paragraph."""
        text = self._rest
        marker = _LIST.match(text, cut)
        assert marker is not None
        mark, number = marker[1] or marker[3], marker[2]
        after_blank = self._is_after_blank(cut)
        left = self._block_above(begin, cut)
        above = _LIST.match(text, left)
        if above is None or (above[1] or above[3]) != mark:
            return _At(mark=mark) if after_blank or number in (None, "1") else None
        if number is None:
            return _At(gap=after_blank, mark=mark)
        # Its number is counted: what is written there does not matter.
        first = begin
        for found in (*_BREAK.finditer(text, begin, cut), *_BULLET.finditer(text, begin, cut)):
            first = max(first, found.end())
        before = list(_numbers(mark).finditer(text, first, cut))
        goes_on = first == begin and self._at.number is not None and self._at.mark == mark
        if not before:  # a blank line of spaces ended that list
            return _At(mark=mark) if after_blank or number == "1" else None
        start = self._at.number if goes_on else int(before[0][1])
        return _At(gap=after_blank, number=(start or 0) + len(before), mark=mark)

    def _block_above(self, begin: int, cut: int) -> int:
        """Where the last block before `cut` begins that is no part of a list item, or the last item."""
        text, block = self._rest, begin
        for found in _LEFT.finditer(text, begin, cut):
            start = found.start()
            is_lazy = start > begin and text[start - 2] != "\n" and text[start] not in "#>`~-*+=_0123456789"
            if not is_lazy:
                block = start
        return block

    def _is_after_blank(self, cut: int) -> bool:
        """Whether the line above the one that begins at `cut` is blank."""
        return not self._rest[self._rest.rfind("\n", 0, cut - 1) + 1 : cut].strip()

    def _force(self, begin: int, low: int, high: int) -> int:
        """Cut a long block. Returns where it goes on."""
        text = self._rest
        if (table := self._table(begin, low, high)) is not None:
            return self._settle(begin, *table)
        plain = 0
        for found in _PLAIN_LINE.finditer(text, low, high):
            plain = found.end()
        cut = plain or text.rfind("\n", low, high) + 1
        if cut:
            is_apart = text[cut] == " " and not self._is_apart
            self._is_apart |= is_apart
            gap = self._is_after_blank(cut) or _APART.match(text, cut) is not None
            return self._settle(begin, cut, _At(gap=gap), is_apart=is_apart)
        cut = text.rfind(" ", low, high) + 1 or high
        return self._settle(begin, cut, _At("text", gap=False, soft=True))

    def _line(self, begin: int) -> int:
        """Cut the rest of a long line."""
        text = self._rest
        end = text.find("\n", begin)
        stop = end if end >= 0 else len(text)
        while stop - begin > _MOST:
            begin = self._settle(begin, text.rfind(" ", begin + _LEAST, begin + _MOST) + 1 or begin + _MOST, self._at)
        if end < 0:
            return begin
        return self._settle(begin, end, _At(gap=text[end + 1 : end + 2] == "\n")) + 1

    def _table(self, begin: int, low: int, high: int) -> tuple[int, _At] | None:
        """Where to cut a table, and what comes there: its end, or its rows if it is still open at `high`."""
        text = self._rest
        rule = next(reversed([*DELIMITERS.finditer(text, begin, high)]), None)
        if rule is None or rule.start() == begin:
            return None
        first = rule.end()
        end = _TABLE_END.search(text, first, high)
        cut = text.rfind("\n", first, high) + 1
        if not cut or (end is not None and end.start() < low):
            return None
        top = max(begin, text.rfind("\n", begin, rule.start() - 1) + 1)
        if _NESTED.search(text, max(begin, text.rfind("\n\n", begin, top)), top) is not None:
            return None  # it goes on with a list or a quotation
        head = text[top:first]
        units, _ = parse(head)
        if not units or not units[0].tokens or units[0].tokens[0].type != "table_open":
            return None
        if end is not None:
            return end.start(), _TOP
        sample = "".join(text[first:cut].splitlines(keepends=True)[:SAMPLE_ROWS])
        return cut, _At("rows", gap=False, head=head, sample=sample)

    def _rows(self, begin: int, stop: int) -> tuple[int, bool]:
        """Cut the rows of a table. Returns where it goes on, and whether more rows may come."""
        text = self._rest
        end = _TABLE_END.search(text, begin, min(stop, begin + _MOST))
        if end is not None:
            return self._settle(begin, end.start(), _TOP), False
        if stop - begin > _MOST:
            cut = text.rfind("\n", begin + _LEAST, begin + _MOST) + 1
            return self._settle(begin, cut or begin + _MOST, self._at if cut else _At("text", gap=False)), False
        if stop < len(text):
            return self._settle(begin, stop, _TOP), False
        return begin, True

    def _fenced(self, begin: int, fence: re.Match[str]) -> tuple[int, int | None]:
        """Take in a fence. Returns where the chunk begins that is open after it, and where to look on (None: when more
        has come).
        """
        text, start = self._rest, fence.start()
        if self._at.kind == "rows":
            self._at = _TOP
        close = _closing(fence[1] or fence[3])
        end = close.search(text, min(fence.end() + 1, len(text)))
        stop = min(end.end() + 1, len(text)) if end is not None else len(text)
        is_long = stop - start > _MOST
        if start - begin >= _LEAST or (start > begin and (is_long or (end is not None and stop - begin > _MOST))):
            begin = self._settle(begin, start, _TOP)
        if is_long:
            info = (fence[2] or fence[4] or "").strip()
            first = min(fence.end() + 1, len(text))
            block = text[first : end.start()] if end is not None and stop - start <= _BLOCK else ""
            self._at = _At("code", head=info, sample=block, close=close)
            return first, first
        if end is None:
            return begin, None
        if stop - begin >= _LEAST:
            begin = self._settle(begin, stop, _TOP)
        return begin, stop

    def _code(self, begin: int) -> int:
        """Cut the code of an open fence."""
        text, at = self._rest, self._at
        assert at.close is not None
        # The end of a line that was cut is no line of its own.
        look = begin if not at.soft else (text.find("\n", begin) + 1 or len(text))
        end = at.close.search(text, look)
        stop = end.start() if end is not None else len(text)
        while stop - begin > _MOST:
            cut = 0
            for found in _STATEMENT.finditer(text, begin + _LEAST, begin + _MOST):
                cut = found.end()
            cut = cut or text.rfind("\n", begin + _LEAST, begin + _MOST) + 1
            self._code_part(begin, cut or begin + _MOST, is_line=bool(cut))
            begin = cut or begin + _MOST
        if end is None:
            return begin
        self._code_part(begin, stop, is_line=True)
        self._at = _TOP
        return min(end.end() + 1, len(text))

    def _code_part(self, begin: int, end: int, *, is_line: bool) -> None:
        source, at = self._rest[begin:end], self._at
        if source:
            self._settled.append(at.chunk(source.removesuffix("\n") if is_line else source))
        line = at.line + source.count("\n")
        self._at = _At("code", False, head=at.head, sample=at.sample, line=line, soft=not is_line, close=at.close)


@lru_cache(maxsize=64)
def _closing(marker: str) -> re.Pattern[str]:
    return re.compile(rf"^ {{0,3}}{marker[0]}{{{len(marker)},}} *$", re.MULTILINE)


@lru_cache(maxsize=2)
def _numbers(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf"^(\d{{1,9}})\{delimiter}(?= |$)", re.MULTILINE)
