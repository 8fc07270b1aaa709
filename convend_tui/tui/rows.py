"""A list of rows drawn line by line: ten thousand rows cost what ten do."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

DIM = Style(dim=True)
BOLD = Style(bold=True)
CURSOR_MARK = "›"


class RowList(ScrollView, can_focus=True):
    """Rows of equal height with a cursor. A subclass says how many there are, and draws one line of one."""

    ALLOW_SELECT = False
    ROW_HEIGHT: ClassVar[int] = 1
    """lines a row"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]

    DEFAULT_CSS = """
    RowList {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .row-list--cursor { background: $surface-lighten-1; }
        &:focus > .row-list--cursor { background: $primary-muted; }
        &:ansi > .row-list--cursor { background: ansi_default; }
        &:ansi:focus > .row-list--cursor { text-style: reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--cursor"}

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._cursor = 0

    # What a subclass says.

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def empty_text(self) -> str:
        """What stands there when there are no rows."""
        raise NotImplementedError

    def draw(self, row: int, line: int, width: int, mark: str) -> Content:
        """One line of a row, at most `width` cells. `mark` is one cell: the cursor's mark or a blank."""
        raise NotImplementedError

    def choose(self, row: int) -> None:
        """Enter or a click on a row."""
        raise NotImplementedError

    # The cursor.

    @property
    def cursor(self) -> int:
        """The row under the cursor, from 0; 0 too when there are none."""
        return self._cursor

    def move_to(self, row: int) -> None:
        """Put the cursor on a row, the nearest there is, and scroll it into view."""
        before, self._cursor = self._cursor, max(0, min(row, self.row_count - 1))
        self.show_cursor_row()
        for touched in {before, self._cursor}:
            self.refresh_lines(touched * self.ROW_HEIGHT, self.ROW_HEIGHT)

    def show_cursor_row(self) -> None:
        """Scroll so that the row under the cursor is seen whole."""
        height = self.scrollable_content_region.height
        top = self._cursor * self.ROW_HEIGHT
        if not height:
            return
        if top < self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)
        elif top + self.ROW_HEIGHT > self.scroll_offset.y + height:
            self.scroll_to(y=top + self.ROW_HEIGHT - height, animate=False, force=True)

    def rows_changed(self, cursor: int) -> None:
        """Call when there are other rows: measure and draw anew, the cursor on row `cursor`."""
        self._cursor = max(0, min(cursor, self.row_count - 1))
        self.virtual_size = Size(0, max(1, self.row_count) * self.ROW_HEIGHT)
        self._refresh_scrollbars()
        self.show_cursor_row()
        self.refresh()

    def action_move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self.move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many screenfuls."""
        page = max(1, self.scrollable_content_region.height // self.ROW_HEIGHT - 1)
        self.move_to(self._cursor + pages * page)

    def action_first(self) -> None:
        """Put the cursor on the first row."""
        self.move_to(0)

    def action_last(self) -> None:
        """Put the cursor on the last row."""
        self.move_to(self.row_count - 1)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.row_count:
            self.choose(self._cursor)

    def on_click(self, event: events.Click) -> None:
        """A click chooses what it hits."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row = (offset.y + self.scroll_offset.y) // self.ROW_HEIGHT
        if row < self.row_count:
            event.stop()
            self.move_to(row)
            self.choose(row)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.show_cursor_row()

    @property
    def keys_go_here(self) -> bool:
        """Whether the arrow keys move this list's cursor now."""
        return self.has_focus

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is visible."""
        width = self.scrollable_content_region.width
        row, line = divmod(y + self.scroll_offset.y, self.ROW_HEIGHT)
        style = self.visual_style
        if not self.row_count:
            lines = Content(self.empty_text).wrap(max(1, width - 2)) if width else []
            content = Content("  ") + lines[y].stylize(DIM) if y < len(lines) else Content("")
        elif row >= self.row_count:
            content = Content("")
        elif row == self._cursor:
            style = self.get_visual_style("row-list--cursor")
            # get_visual_style leaves `reverse` out, which marks the cursor where themes have no colours.
            if self.get_component_styles("row-list--cursor").text_style.reverse:
                style += Style(reverse=True)
            content = self.draw(row, line, width, CURSOR_MARK if self.keys_go_here else " ")
        else:
            content = self.draw(row, line, width, " ")
        content = content.truncate(width, ellipsis=True, pad=True)
        return Strip(content.render_segments(style), width)
