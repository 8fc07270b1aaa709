"""All keys on one page, grouped, in as many columns as fit, narrowed by typing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input, Static

from convend_tui.plain import one_line
from convend_tui.tui.dialogs import Dialog, DialogBody, LineInput
from convend_tui.tui.rows import BOLD, DIM

COLUMN = 46
"""Cells that a column needs to read well."""
GAP = 4
"""Cells between two columns."""

Entry = tuple[str, str, str, str | None]
"""keys, title, help, why it cannot be done now (None: it can)"""
Section = tuple[str, Sequence[Entry]]


def matching(sections: Sequence[Section], wanted: str) -> list[Section]:
    """The entries that hold every word of `wanted`, in the sections that still have any."""
    words = wanted.casefold().split()
    kept: list[Section] = []
    for name, entries in sections:
        hits = [
            entry
            for entry in entries
            if all(word in f"{name} {entry[0]} {entry[1]} {entry[2]}".casefold() for word in words)
        ]
        if hits:
            kept.append((name, hits))
    return kept


def _section_lines(section: Section, keys_width: int, width: int) -> list[Content]:
    name, entries = section
    lines = [Content(one_line(name, width)).stylize(Style(bold=True, underline=True))]
    indent = Content(" " * (keys_width + 2))
    room = max(1, width - keys_width - 2)
    for keys, title, explanation, reason in entries:
        usable = reason is None
        key = Content(one_line(keys, keys_width)).stylize(BOLD if usable else DIM)
        label = Content(one_line(title, room))
        lines.append(key.truncate(keys_width, pad=True) + Content("  ") + (label if usable else label.stylize(DIM)))
        note = one_line(explanation) if usable else f"not now: {one_line(reason or '')}"
        lines.extend(indent + part.stylize(DIM) for part in Content(note).wrap(room) if note)
    return [*lines, Content("")]


def page(sections: Sequence[Section], width: int) -> Content:
    """The sections in columns, side by side within `width` cells."""
    count = max(1, min(3, (width + GAP) // (COLUMN + GAP), len(sections) or 1))
    column_width = max(1, (width - GAP * (count - 1)) // count)
    widest = max((cell_len(one_line(entry[0])) for _, entries in sections for entry in entries), default=0)
    keys_width = min(widest, max(1, column_width // 3))
    blocks = [_section_lines(section, keys_width, column_width) for section in sections]
    columns: list[list[Content]] = [[] for _ in range(count)]
    height = sum(map(len, blocks)) / count
    at = 0
    for block in blocks:
        # Reading order goes down: move on when this block would be mostly below the even height.
        if columns[at] and at < count - 1 and len(columns[at]) + len(block) / 2 > height:
            at += 1
        columns[at].extend(block)
    lines = []
    for row in range(max(map(len, columns))):
        cells = [column[row] if row < len(column) else Content("") for column in columns]
        padded = [cell.truncate(column_width, pad=True) for cell in cells[:-1]]
        lines.append(Content(" " * GAP).join([*padded, cells[-1]]))
    return Content("\n").join(lines)


class HelpPage(Widget):
    """The page, laid out for the width it gets."""

    DEFAULT_CSS = "HelpPage { height: auto; width: 1fr; }"

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        self._all = sections
        self._sections = list(sections)

    def narrow(self, wanted: str) -> None:
        """Show only what matches."""
        self._sections = matching(self._all, wanted)
        self.refresh(layout=True)

    def render(self) -> Content:
        """Lay it out."""
        if not self._sections:
            return Content("No key matches. Backspace widens the filter.").stylize(DIM)
        return page(self._sections, self.content_size.width or COLUMN)


class HelpScreen(Dialog[None]):
    """Every key there is. Esc closes, typing narrows, the arrow keys scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "Up", show=False, priority=True),
        Binding("down", "scroll(1)", "Down", show=False, priority=True),
        Binding("pageup", "scroll(-10)", "Page up", show=False, priority=True),
        Binding("pagedown", "scroll(10)", "Page down", show=False, priority=True),
        Binding("enter,f1", "cancel", "Close", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    HelpScreen > .dialog--box { width: 94%; max-width: 160; }
    HelpScreen .dialog--body { margin: 1 0 0 0; }
    """

    def __init__(self, sections: Sequence[Section], title: str = "Keys") -> None:
        super().__init__(title)
        self._page = HelpPage(sections)
        self._scroll = DialogBody(self._page)

    def compose_body(self) -> ComposeResult:
        """The filter, the page, and how to leave."""
        yield LineInput(placeholder="Type to filter")
        yield self._scroll
        yield Static(Content("↑↓ scroll · type to filter · Esc closes"), classes="dialog--hint")

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """The filter changed."""
        event.stop()
        self._page.narrow(event.value)
        self._scroll.scroll_home(animate=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by so many lines."""
        self._scroll.scroll_relative(y=lines, animate=False)
