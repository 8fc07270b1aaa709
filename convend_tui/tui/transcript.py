"""The transcript: the virtual list of a conversation's items, with the keys that act on the focused one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message

from convend_tui.tui.commands import bindings
from convend_tui.tui.conversation import Item
from convend_tui.tui.lines import VirtualLines
from convend_tui.tui.notices import ErrorItem, WelcomeItem


class Transcript(VirtualLines):
    """Walks from message to message; a message taller than the screen is scrolled through first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("transcript"),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("pagedown,ctrl+d,space", "page(1)", show=False),
    ]

    class FocusMoved(Message):
        """Another item has the focus."""

    def show(self, items: Sequence[Item], *, at_end: bool = False) -> None:
        """Show these items; the place on the screen is kept, unless the end is asked for."""
        focused = self.focused_key
        self.set_items(items, keep_position=not at_end, at_end=True)
        if focused is not None and self.focused_key is None and self.items:
            # A reply got its own name, or its branch is gone: what stands last is nearest to it.
            self.focus_item(self._last_message())

    @property
    def focused_item(self) -> Item | None:
        """The focused item, if there is one."""
        place = self._view.index.get(self.focused_key or "")
        return None if place is None else self.items[place]  # type: ignore[return-value]

    def go_to(self, key: str | None) -> None:
        """Focus an item and bring it into view."""
        if key is None:
            return
        self.focus_item(key)
        self.scroll_to_item(key)
        self.post_message(self.FocusMoved())

    def move_focus(self, step: int) -> None:
        """The item above or below; within one that is taller than the screen, a part of a screen."""
        index = self._view.index.get(self.focused_key or "")
        if index is None:
            self.go_to(self._last_message())
            return
        if self.scroll_within(index, step):
            return
        self.go_to(self.items[max(0, min(index + step, len(self.items) - 1))].key)

    def scroll_within(self, index: int, step: int) -> bool:
        """Scroll on inside an item of which a part is out of view, by half a screen at most, towards its end
        (`step` 1) or its beginning (-1). False where there is nothing more of it that way.
        """
        height = self._view.measured(index) - self._view.gap
        top, rows = self._view.heights.offset(index), self._rows
        first = self.scroll_offset.y
        hidden = top + height - (first + rows) if step > 0 else first - top
        in_view = top < first + rows and top + height > first
        if hidden <= 0 or not in_view or height <= rows:
            return False
        self._scroll_by(step * min(hidden, max(1, rows // 2)))
        return True

    def to_first(self) -> None:
        """The first message."""
        if self.items:
            self.go_to(self.items[0].key)
            self.scroll_home()

    def to_last(self) -> None:
        """The last message; the end is followed from now on."""
        if self.items:
            self.go_to(self.items[-1].key)
            self.follow()

    def focus_something(self) -> None:
        """Where nothing has the focus, the last message gets it."""
        if self.focused_key is None:
            self.go_to(self._last_message())

    def action_page(self, pages: int) -> None:
        """Scroll by a screen."""
        if pages < 0:
            self.scroll_page_up()
        else:
            self.scroll_page_down()

    @on(events.Focus)
    def mark_something(self) -> None:
        """The letters act on the focused message: there must be one."""
        self.focus_something()

    @on(VirtualLines.Focused)
    def tell(self, event: VirtualLines.Focused) -> None:
        """An item was clicked."""
        event.stop()
        self.post_message(self.FocusMoved())

    def _last_message(self) -> str | None:
        real = (item.key for item in reversed(self.items) if not isinstance(item, WelcomeItem | ErrorItem))
        return next(real, None)
