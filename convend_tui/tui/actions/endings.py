"""Why a conversation ended or did not, and feedback."""

from __future__ import annotations

from convend_tui.thread import records as r
from convend_tui.tui.actions.area import NO_MESSAGE, Area
from convend_tui.tui.items import MessageItem
from convend_tui.tui.notices import NoticeItem


class Endings(Area):
    """What is done about endings."""

    def _judged(self) -> str | None:
        """The message whose verdict or ending can be explained: the focused one, or the one that the notice is of."""
        item = self._screen.transcript.focused_item
        if isinstance(item, NoticeItem):
            return item.ended.message
        if isinstance(item, MessageItem) and item.verdict is not None and not item.is_private:
            return item.verdict.message
        return None

    def why_not_why(self) -> str | None:
        return None if self._judged() else "The model has not asked for an ending here."

    def do_why(self) -> None:
        message, thread = self._judged(), self._screen.conversation.thread
        assert message is not None and thread is not None
        self._screen.endings.why(thread, message)

    def _rated(self) -> r.Message | None:
        item, thread = self._screen.transcript.focused_item, self._screen.conversation.thread
        if isinstance(item, NoticeItem) and thread is not None:
            return thread.messages.get(item.ended.message)
        return item.message if isinstance(item, MessageItem) else None

    def why_not_feedback(self) -> str | None:
        message, handle = self._rated(), self._screen.conversation.handle
        if message is None or handle is None:
            return NO_MESSAGE
        if message.role != "assistant":
            return "Feedback goes to an answer or an ending."
        return handle.read_only

    def do_feedback(self) -> None:
        message = self._rated()
        assert message is not None
        self._screen.endings.rate(self._screen.conversation, message)

    def why_not_report(self) -> str | None:
        from convend_tui.exchange.report import worth_reporting

        thread = self._screen.conversation.thread
        told = thread is not None and worth_reporting(thread)
        return None if told else "There is no ending, no declined call and no feedback in this chat."

    def do_report(self) -> None:
        thread = self._screen.conversation.thread
        assert thread is not None
        self._screen.endings.report(thread)
