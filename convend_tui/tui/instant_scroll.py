"""Scrolling without animation, by lines and by pages."""

from __future__ import annotations

from typing import Any

from textual.scroll_view import ScrollView


class InstantScroll(ScrollView):
    """A view that is at once where it is sent."""

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> None:
        """Scroll at once: an animation would be at odds with heights that become known on the way."""
        super().scroll_to(x, y, **(options | {"animate": False}))

    def scroll_up(self, **_: Any) -> None:
        """Scroll up by a line."""
        self._scroll_by(-1)

    def scroll_down(self, **_: Any) -> None:
        """Scroll down by a line."""
        self._scroll_by(1)

    def scroll_page_up(self, **_: Any) -> None:
        """Scroll up by a page, less two lines to find one's place."""
        self._scroll_by(-max(1, self._rows - 2))

    def scroll_page_down(self, **_: Any) -> None:
        """Scroll down by a page, less two lines to find one's place."""
        self._scroll_by(max(1, self._rows - 2))

    def _scroll_by(self, lines: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + lines)

    @property
    def _rows(self) -> int:
        return max(1, self.size.height)
