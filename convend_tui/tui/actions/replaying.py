"""Replaying a branch."""

from __future__ import annotations

from convend_tui.tui.actions.area import STREAMING, Area


class Replaying(Area):
    """The replay of the path shown, or of the branch under the tree's cursor."""

    def why_not_replay(self) -> str | None:
        """While a reply comes in its branch has no end yet."""
        conversation = self._screen.conversation
        if conversation.thread is None or not conversation.thread.messages:
            return "This chat is empty: there is nothing to replay."
        return STREAMING if conversation.turn is not None else None

    def do_replay(self) -> None:
        """From the beginning; from a row of the tree, from its message on."""
        from convend_tui.tui.replay_screen import ReplayScreen

        conversation, row = self._screen.conversation, self._row
        thread, leaf = conversation.thread, conversation.leaf
        assert thread is not None
        if row is not None and all(message.id != row.id for message in thread.path(leaf)):
            leaf = thread.last_leaf(row.id)
        app = self._screen.convend
        screen = ReplayScreen(thread, leaf, row.id if row is not None else None, thinking=app.config.ui.show_thinking)
        app.push_screen(screen)
