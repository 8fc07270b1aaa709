"""A list of ten thousand messages that costs as much as ten: only what is near the screen is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar, Final, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip

from convend_tui.tui.instant_scroll import InstantScroll
from convend_tui.tui.palette import Palette, palette_of
from convend_tui.tui.viewport import Anchor, Item, Viewport
from convend_tui.tui.wrap import Line, joined

__all__ = ["Item", "VirtualLines", "Where"]

_GUTTER: Final = 2
_RIGHT_MARGIN: Final = 1
_BAR, _FOCUS_BAR = "▎", "▌"
_MIN_REDRAW: Final = 0.08
"""Seconds between two redraws of what is growing."""
_SHARE: Final = 5
"""A pause is at least so many times as long as a redraw took: the rest of the time belongs to the keyboard."""
_GIVE_WAY: Final = 0.12
"""Seconds after a key press in which nothing that grows is drawn, unless it has waited for `_LONGEST_WAIT`."""
_LONGEST_WAIT: Final = 0.3
_ROW_BITS: Final = 24
"""Rows are numbered `(item << _ROW_BITS | piece) << _ROW_BITS | line` for selections, so that changing heights do not
move them."""

Where = Literal["top", "visible", "end"]


class VirtualLines(InstantScroll, can_focus=True):
    """A scrolling list of items of any height, drawn line by line."""

    DEFAULT_CSS = """
    VirtualLines {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
    }
    """
    HELP: ClassVar[str | None] = "Wheel, PageUp and PageDown scroll; End goes back to the newest line."

    class Focused(Message):
        """An item was clicked and is now the focused one."""

        def __init__(self, sender: VirtualLines, key: str) -> None:
            super().__init__()
            self.sender = sender
            self.key = key

        @property
        def control(self) -> VirtualLines:
            """The list."""
            return self.sender

    def __init__(
        self,
        *,
        max_width: int = 100,
        gap: int = 1,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        """`max_width`: cells of text in a row; longer rows tire the eye, however wide the terminal is.
        `gap`: blank lines after each item.
        """
        super().__init__(name=name, id=id, classes=classes)
        self._max_width = max_width
        self._view = Viewport(gap)
        self._strips: LRUCache[tuple[int, int, bool], tuple[Line | None, Strip]] = LRUCache(1024)
        self._wanted: tuple[str, Where] | None = None
        self._focused_key: str | None = None
        self._adjusting = False
        self._dirty: set[str] = set()
        self._redraw_waits = False
        self._last_cost = 0.0
        self._last_drawn = 0.0
        self._give_way_until = 0.0
        self._pressed_at: tuple[int, int] | None = None

    # What is in the list

    @property
    def items(self) -> Sequence[Item]:
        """The items, first to last. Do not change it."""
        return self._view.items

    @property
    def palette(self) -> Palette:
        """The colours the items are rendered in."""
        return self._view.palette

    def set_items(self, items: Iterable[Item], *, keep_position: bool = False, at_end: bool = True) -> None:
        """Show other items. `keep_position` keeps the line at the top (or the end, if it was followed), as
        long as its item is still there; otherwise the list goes to its end, or to its beginning.
        """
        if not self._view.set_items(items, keep_anchor=keep_position):
            self._view.following = at_end
        self._dirty.clear()
        self._after_removal()

    def append_item(self, item: Item) -> None:
        """Add an item at the end."""
        self._view.append(item)
        self._settle()

    def replace_item(self, key: str, item: Item) -> None:
        """Put `item`, whose key may be another, in the place of the item `key`."""
        self._view.replace(key, item)
        self._dirty.discard(key)
        if self._focused_key == key:
            self._focused_key = item.key
        self._settle()

    def remove_items_from(self, index: int) -> None:
        """Remove the item at `index` and all after it."""
        self._view.truncate(index)
        self._dirty &= self._view.index.keys()
        self._after_removal()

    def _after_removal(self) -> None:
        if self._focused_key not in self._view.index:
            self._focused_key = None
        self._clear_selection()
        self._settle()

    def item_changed(self, key: str) -> None:
        """The item `key` grew or changed. It is drawn again soon: many calls make one redraw."""
        if key not in self._view.index:
            return
        self._dirty.add(key)
        if not self._redraw_waits and self.is_mounted:
            self._redraw_waits = True
            pause = max(_MIN_REDRAW, _SHARE * self._last_cost)
            self.set_timer(max(0.001, self._last_drawn + pause - perf_counter()), self._redraw_dirty)

    def give_way(self) -> None:
        """A key was pressed elsewhere: what grows waits a moment, so that the next key need not wait for it."""
        self._give_way_until = perf_counter() + _GIVE_WAY

    def _redraw_dirty(self) -> None:
        started = perf_counter()
        late = started - self._last_drawn > _LONGEST_WAIT
        if not late and started < self._give_way_until:
            self.set_timer(self._give_way_until - started, self._redraw_dirty)
            return
        places = [self._view.index[key] for key in self._dirty if key in self._view.index]
        self._dirty.clear()
        for place in places:
            self._view.remeasure(place)
        self._settle(refresh=any(place in self._view.window for place in places))

        def drawn() -> None:
            self._last_drawn = perf_counter()
            self._last_cost = self._last_drawn - started
            self._redraw_waits = False
            if self._dirty:
                self.item_changed(next(iter(self._dirty)))

        if self.screen.is_current:
            self.call_after_refresh(drawn)
        else:  # below a dialog nothing is refreshed
            drawn()

    # The focused item

    @property
    def focused_key(self) -> str | None:
        """The key of the focused item."""
        return self._focused_key

    def focus_item(self, key: str | None) -> None:
        """Mark the item `key` (or none) as the focused one. Does not scroll; see `scroll_to_item`."""
        if key != self._focused_key and (key is None or key in self._view.index):
            self._focused_key = key
            self.refresh()

    def item_at(self, y: int) -> Item | None:
        """The item on row `y` of the widget."""
        place, _ = self._view.heights.find(self.scroll_offset.y + y)
        return self.items[place] if place < len(self.items) else None

    @on(events.MouseDown)
    def remember_press(self, event: events.MouseDown) -> None:
        """Where the button went down: a click that moved is a selection."""
        self._pressed_at = (event.x, event.y)

    @on(events.Click)
    def focus_clicked(self, event: events.Click) -> None:
        """Focus the item under the mouse."""
        item = self.item_at(event.y)
        if item is not None and self._pressed_at == (event.x, event.y):
            self.focus_item(item.key)
            self.post_message(self.Focused(self, item.key))

    # Scrolling

    @property
    def following(self) -> bool:
        """Whether the end stays in view as the list grows. Scrolling up releases it, the end resumes it."""
        return self._view.following

    def follow(self) -> None:
        """Go to the end and stay there."""
        self._view.following = True
        self._settle()

    def scroll_to_item(self, key: str, where: Where = "visible") -> None:
        """Bring the item `key` into view: its first line to the top, its last to the bottom, or no more
        than is needed. Unknown keys are ignored.
        """
        place = self._view.index.get(key)
        if place is None:
            return
        if not self._view.width:
            self._wanted = (key, where)
            return
        height = self._view.measured(place) - self._view.gap
        top, rows = self._view.heights.offset(place), self._rows
        first = self.scroll_offset.y
        if where == "visible":
            if first <= top and top + height <= first + rows:
                return
            where = "top" if top < first or height > rows else "end"
        self._view.following = where == "end" and place == len(self.items) - 1
        if where == "top":
            self._view.anchor = self._view.anchor_above(place, 0)
        else:
            self._view.anchor = self._view.anchor_above(place + 1, rows + self._view.gap)
        self._settle()

    def scroll_home(self, **_: Any) -> None:
        """Go to the first line."""
        self._view.following = False
        self._view.anchor = Anchor()
        self._settle()

    def scroll_end(self, **_: Any) -> None:
        """Go to the last line and follow it."""
        self.follow()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._adjusting and round(old_value) != round(new_value):
            self._view.following = round(new_value) >= self.max_scroll_y
            self._view.anchor = self._view.anchor_at(round(new_value))
            self._settle()

    def _settle(self, *, refresh: bool = True) -> None:
        """Render what is near the screen, keep the anchor (or the end) in its place, and draw."""
        if not self._view.width:
            return
        top = self._view.settle(self._rows)
        moved = top != self.scroll_offset.y
        self._adjusting = True
        try:
            self.virtual_size = Size(self.size.width, self._view.heights.total)
            self.scroll_y = self.scroll_target_y = top
        finally:
            self._adjusting = False
        if refresh or moved:
            self.refresh()

    # Size, theme, selection

    def on_mount(self) -> None:
        """Take the colours of the theme, now and whenever it changes."""
        self._view.palette = palette_of(self.app)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.restyle())

    def restyle(self) -> None:
        """Render everything anew in the colours of the current theme."""
        self._view.palette = palette_of(self.app)
        self._view.unrender()
        self._forget_strips()
        self._settle()

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        changed = super()._size_updated(size, virtual_size, container_size, layout)
        if changed and not self._view.width:
            # The Resize event would come after the first frame, which would then be drawn without a line in it.
            self.fit()
        return changed

    @on(events.Resize)
    def fit(self) -> None:
        """Wrap to the new width what is in view; the first visible item stays in view."""
        width = max(8, min(self._max_width, self.size.width - _GUTTER - _RIGHT_MARGIN))
        if width != self._view.width and self.size.width:
            self._view.width = width
            self._view.estimate_all()
            self._forget_strips()
            self._clear_selection()
        self._settle()
        if self._wanted and self._view.width:
            wanted, self._wanted = self._wanted, None
            self.scroll_to_item(*wanted)

    def notify_style_update(self) -> None:
        """The colour or background of the widget changed."""
        super().notify_style_update()
        self._forget_strips()

    def _forget_strips(self) -> None:
        self._strips.clear()
        vars(self).pop("_style", None)

    @property
    def allow_select(self) -> bool:
        """Text can be selected with the mouse."""
        return True

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the selection."""
        self.refresh()

    def _clear_selection(self) -> None:
        if self.is_mounted and self.text_selection is not None:
            self.screen.clear_selection()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text without bars and margins; wrapped lines are joined again."""
        start = selection.start.y >> 2 * _ROW_BITS if selection.start else 0
        end = selection.end.y >> 2 * _ROW_BITS if selection.end else len(self.items)
        places = range(start, min(end + 1, len(self.items)))
        text = "\n\n".join(joined(self._numbered(place), selection.get_span) for place in places)
        return (text, "\n") if text else None

    def _numbered(self, place: int) -> Iterator[tuple[int, Line]]:
        """The lines of an item with their rows."""
        sheet = self._view.sheet(place)
        for piece in range(sheet.count):
            for number, line in enumerate(sheet.lines(piece)):
                yield _row(place, piece, number), line

    # Drawing

    @cached_property
    def _style(self) -> Style:
        return self.rich_style

    def render_line(self, y: int) -> Strip:
        """The row `y` of the widget."""
        place, piece, number, line = self._view.line(self.scroll_offset.y + y)
        if place >= len(self.items):
            return Strip.blank(self.size.width, self._style)
        item, row = self.items[place], _row(place, piece, number)
        selection = self.text_selection
        span = selection.get_span(row) if selection is not None else None
        if span is not None and line is not None:
            return self._draw(line, item, row, span)
        key = (id(line), row, item.key == self._focused_key)
        cached = self._strips.get(key)
        if cached is not None and cached[0] is line:  # an id may be used again
            return cached[1]
        strip = self._draw(line, item, row, None)
        self._strips[key] = (line, strip)
        return strip

    def _draw(self, line: Line | None, item: Item, row: int, span: tuple[int, int] | None) -> Strip:
        segments: list[Segment] = []
        width = self.size.width
        cells = indent = 0
        if line is not None:
            focused = item.key == self._focused_key
            bar = self.palette.style("focus_bar") if focused else self.palette.bar(item.tone)
            glyph = _FOCUS_BAR if focused else _BAR if item.tone != "none" else " "
            content = self._with_selection(line, span) if span else line.segments
            segments = [Segment(glyph, bar), Segment(" " * (_GUTTER - 1)), *content]
            cells = _GUTTER + line.cells
            indent = _GUTTER + line.indent
        segments.append(Segment(" " * max(0, width - cells)))
        strip = Strip(segments, max(width, cells)).apply_style(self._style).crop(0, width)
        return strip.apply_offsets(-indent, row)

    def _with_selection(self, line: Line, span: tuple[int, int]) -> list[Segment]:
        style = self.screen.get_component_rich_style("screen--selection")
        if self.app.no_color:
            style += Style(reverse=True)
        return line.restyled(span[0], None if span[1] == -1 else span[1], style)


def _row(place: int, piece: int, number: int) -> int:
    """The row of a line, for selections."""
    return (place << _ROW_BITS | piece) << _ROW_BITS | number
