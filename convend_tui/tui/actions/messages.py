"""The message that has the focus: edit, retry, copy, fold; and moving between messages."""

from __future__ import annotations

from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.answers import answer_end
from convend_tui.tui.actions.area import NO_MESSAGE, STREAMING, Area
from convend_tui.tui.items import MessageItem
from convend_tui.tui.notices import NoticeItem


class Messages(Area):
    """What is done with the focused message, and going from one to another."""

    def _target(self) -> r.Message | None:
        """The message an edit is about: the focused one; on a notice, the last one before the warning."""
        conversation = self._screen.conversation
        thread = conversation.thread
        if thread is None:
            return None
        on_notice = isinstance(self._screen.transcript.focused_item, NoticeItem)
        if on_notice or (self._focused is None and conversation.ended is not None):
            question = conversation.before_warning()
            return thread.messages[question] if question else None
        return self._focused

    def why_not_edit(self) -> str | None:
        conversation = self._screen.conversation
        message = self._target()
        if conversation.turn is not None:
            return STREAMING
        if message is None or conversation.thread is None:
            return NO_MESSAGE
        refusal = lock.may_edit(conversation.thread, message.id)
        return refusal.reason if refusal else None

    def do_edit(self) -> None:
        message = self._target()
        assert message is not None
        self._screen.sending.begin_edit(message, again=False)
        self._screen.transcript.go_to(message.id)
        self._screen.composer.focus()

    def why_not_retry(self) -> str | None:
        conversation = self._screen.conversation
        message = self._focused
        if conversation.turn is not None:
            return STREAMING
        if isinstance(self._screen.transcript.focused_item, NoticeItem):
            return lock.LOCKED
        if message is None or conversation.thread is None:
            return NO_MESSAGE
        if refusal := lock.may_retry(conversation.thread, message.id):
            return refusal.reason
        return self._screen.sending.missing()

    def do_retry(self) -> None:
        message = self._focused
        assert message is not None
        self._screen.sending.retry(message.id)

    def why_not_copy(self) -> str | None:
        return None if self._copied() else NO_MESSAGE

    def _copied(self) -> str:
        item = self._screen.transcript.focused_item
        if isinstance(item, MessageItem):
            return item.body.source
        return item.ended.explanation if isinstance(item, NoticeItem) else ""

    def do_copy(self) -> None:
        text = self._copied()
        self._screen.convend.copy_to_clipboard(text)
        self._screen.convend.tell(f"Copied, {len(text):,} characters.", seconds=2)

    def why_not_fold(self) -> str | None:
        item = self._screen.transcript.focused_item
        thinking = isinstance(item, MessageItem) and item.thinking
        return None if thinking else "This message shows no thinking."

    def do_fold(self) -> None:
        item = self._screen.transcript.focused_item
        assert isinstance(item, MessageItem)
        item.unfolded = not item.unfolded
        self._screen.transcript.item_changed(item.key)

    def do_previous(self) -> None:
        self._screen.transcript.move_focus(-1)

    def do_next(self) -> None:
        self._screen.transcript.move_focus(1)

    def do_top(self) -> None:
        self._screen.transcript.to_first()

    def do_bottom(self) -> None:
        self._screen.transcript.to_last()

    def _place_to_write(self) -> str | None:
        """The reply above the end of the path that is focused: what is written goes below it. None: at the end."""
        conversation, message = self._screen.conversation, self._focused
        if conversation.thread is None or conversation.turn is not None or conversation.editing is not None:
            return None
        if message is None or message.role != "assistant":
            return None
        end = answer_end(conversation.thread, message.id)
        return end if end != conversation.leaf else None

    def why_not_write(self) -> str | None:
        place, thread = self._place_to_write(), self._screen.conversation.thread
        if place is None or thread is None:
            return self._screen.composer.locked
        refusal = lock.may_send(thread, place)
        return refusal.reason if refusal else None

    def do_write(self) -> None:
        screen = self._screen
        place = self._place_to_write()
        at_end = self._focused is not None and self._focused.id == screen.conversation.leaf
        if place is not None or (at_end and screen.conversation.below is not None):
            screen.sending.go_on_below(place)
        else:
            screen.composer.focus()
