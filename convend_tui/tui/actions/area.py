"""What the areas of commands have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convend_tui.thread import records as r
from convend_tui.tui.items import MessageItem

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen

STREAMING = "A reply is coming in. Esc stops it."
NO_MESSAGE = "No message has the focus."


class Area:
    """Commands that belong together: a method `do_<id>` each, and a `why_not_<id>` where it is not always possible."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen

    @property
    def _focused(self) -> r.Message | None:
        item = self._screen.transcript.focused_item
        return item.message if isinstance(item, MessageItem) else None
