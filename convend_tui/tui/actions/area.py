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

    @property
    def _row(self) -> r.Message | None:
        """The message under the tree's cursor, where the keys go to the tree."""
        return self._screen.tree_dock.row

    def go_to_message(self, message_id: str | None) -> None:
        """Show a message of any branch."""
        screen = self._screen
        if message_id is None or not screen.conversation.show_branch_of(message_id):
            return
        self._keep_place()
        screen.refresh_all()
        screen.transcript.focus()
        screen.transcript.go_to(message_id)

    def _keep_place(self) -> None:
        """Write down where the person is, so that the thread opens there."""
        conversation = self._screen.conversation
        handle = conversation.handle
        if handle is not None and handle.read_only is None and conversation.leaf:
            record = r.Leaf(at=handle.now(), message=conversation.leaf)
            handle.thread.apply(record)  # behind a slow disk, too, the next flip back leads here
            self._screen.sending.append(handle, [record])
