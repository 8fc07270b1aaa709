"""Branches: the siblings of a message, and the tree."""

from __future__ import annotations

from convend_tui.thread import records as r
from convend_tui.tui.actions.area import STREAMING, Area
from convend_tui.tui.items import MessageItem


class Branches(Area):
    """What is done with branches."""

    def _why_not_flip(self, step: int) -> str | None:
        conversation = self._screen.conversation
        if conversation.turn is not None:
            return STREAMING
        message = self._fork()
        if message is None or conversation.thread is None:
            return "There is no other branch here."
        siblings = conversation.thread.shown_siblings(message.id)
        if not 0 <= siblings.index(message.id) + step < len(siblings):
            return "This is the first branch here." if step < 0 else "This is the last branch here."
        return None

    def _fork(self) -> r.Message | None:
        """The message to flip: the focused one, else, from a notice, the nearest above that has siblings."""
        item, thread = self._screen.transcript.focused_item, self._screen.conversation.thread
        if thread is None:
            return None
        if isinstance(item, MessageItem):
            return thread.messages.get(item.place.message)
        for above in reversed(self._screen.transcript.items):
            if isinstance(above, MessageItem) and above.place.of > 1:
                return thread.messages.get(above.place.message)
        return None

    def _flip(self, step: int) -> None:
        screen = self._screen
        message = self._fork()
        assert message is not None
        sibling = screen.conversation.flip(message.id, step)
        if sibling is None:
            return
        self._keep_place()
        screen.refresh_all()
        screen.transcript.go_to(sibling)

    def why_not_older(self) -> str | None:
        return self._why_not_flip(-1)

    def do_older(self) -> None:
        self._flip(-1)

    def why_not_newer(self) -> str | None:
        return self._why_not_flip(1)

    def do_newer(self) -> None:
        self._flip(1)

    def do_tree(self) -> None:
        tree = self._screen.tree_dock
        if tree.has_focus:
            tree.close()
        else:
            tree.open()

    def go_to_row(self, message_id: str) -> None:
        """Show a message that was chosen in the tree."""
        screen = self._screen
        thread, leaf = screen.conversation.thread, screen.conversation.leaf
        if screen.conversation.turn is not None and thread is not None:
            # The branch on which a reply comes in stays on the screen.
            if all(message.id != message_id for message in thread.path(leaf)):
                screen.convend.tell(f"Tree: {STREAMING}", severity="warning")
                return
            screen.transcript.focus()
            screen.transcript.go_to(message_id)
        else:
            self.go_to_message(message_id)
        screen.tree_dock.went()
