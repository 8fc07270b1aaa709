"""What each command of the table does, and why it cannot be done now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from convend_tui.errors import AttachmentError, StoreError
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.tui.commands import COMMANDS, SECTIONS
from convend_tui.tui.conversation import Conversation
from convend_tui.tui.items import MessageItem, NoticeItem

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen

STREAMING = "A reply is coming in. Esc stops it."
NO_MESSAGE = "No message has the focus."


class Actions:
    """One method `do_<id>` a command, and a `why_not_<id>` where it is not always possible."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen

    def refusal(self, command_id: str) -> str | None:
        """Why not now; None where it can be done."""
        check = getattr(self, f"why_not_{command_id}", None)
        return check() if check is not None else None

    def run(self, command_id: str) -> None:
        """Do it."""
        getattr(self, f"do_{command_id}")()

    # -- chats --------------------------------------------------------------------------------------

    def do_new(self) -> None:
        screen = self._screen
        conversation = Conversation(None, show_thinking=screen.convend.config.ui.show_thinking)
        conversation.wanted = screen.convend.choices.model
        left = screen.conversation
        screen.show_conversation(conversation)
        if left.ended is not None:
            screen.endings.offer_draft(left)

    do_new_here = do_new

    def do_threads(self) -> None:
        screen = self._screen
        if screen.thread_list.has_focus:
            screen.show_list(False)
            screen.focus_where_one_can_write()
        else:
            screen.show_list(True)
            screen.thread_list.focus()

    def open(self, thread_id: str) -> None:
        """Open a thread of the list."""
        screen = self._screen
        known = screen.opened.get(thread_id)
        if known is None:
            try:
                handle = screen.convend.library.open(thread_id)
            except StoreError as error:
                screen.convend.tell(str(error), severity="error")
                return
            known = Conversation(handle, show_thinking=screen.convend.config.ui.show_thinking)
            for problem in [*handle.problems, *handle.thread.problems][:3]:
                screen.convend.tell(f"In this thread's file, {problem}.", severity="warning")
        if screen.is_narrow:
            screen.show_list(False)
        screen.show_conversation(known)
        screen.listing.mark_current()

    def why_not_rename(self) -> str | None:
        handle = self._screen.conversation.handle
        if handle is None or not handle.on_disk:
            return "This chat is empty. Write something first."
        return handle.read_only

    def do_rename(self) -> None:
        screen = self._screen
        conversation = screen.conversation

        def rename(title: str | None) -> None:
            if title is not None and title.strip() and conversation.handle is not None:
                handle = conversation.handle
                screen.sending.append(handle, [r.Title(at=handle.now(), title=title.strip(), by="person")])

        from convend_tui.tui.dialogs import Prompt  # dialogs come after the first paint

        screen.convend.push_screen(Prompt("Rename this chat", conversation.title, "A name"), rename)

    # -- the message that has the focus ---------------------------------------------------------------

    @property
    def _focused(self) -> r.Message | None:
        item = self._screen.transcript.focused_item
        return item.message if isinstance(item, MessageItem) else None

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

    def _why_not_flip(self, step: int) -> str | None:
        conversation = self._screen.conversation
        if conversation.turn is not None:
            return STREAMING
        message = self._fork()
        if message is None or conversation.thread is None:
            return "There is no other branch here."
        siblings = conversation.thread.siblings(message.id)
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

    # -- endings and feedback -------------------------------------------------------------------------

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

    # -- the tree -------------------------------------------------------------------------------------

    def why_not_tree(self) -> str | None:
        conversation = self._screen.conversation
        if conversation.turn is not None:
            return STREAMING
        return None if conversation.thread is not None else NO_MESSAGE

    def do_tree(self) -> None:
        from convend_tui.tui.tree_pick import pick_message

        screen = self._screen
        thread = screen.conversation.thread
        assert thread is not None
        item = screen.transcript.focused_item
        here = (
            item.message.id if isinstance(item, MessageItem) and item.message is not None else screen.conversation.leaf
        )
        screen.convend.push_screen(pick_message(thread, here), self._go_to)

    def _go_to(self, message_id: str | None) -> None:
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
            self._screen.sending.append(handle, [r.Leaf(at=handle.now(), message=conversation.leaf)])

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

    # -- moving ---------------------------------------------------------------------------------------

    def do_previous(self) -> None:
        self._screen.transcript.move_focus(-1)

    def do_next(self) -> None:
        self._screen.transcript.move_focus(1)

    def do_top(self) -> None:
        self._screen.transcript.to_first()

    def do_bottom(self) -> None:
        self._screen.transcript.to_last()

    def why_not_write(self) -> str | None:
        return self._screen.composer.locked

    def do_write(self) -> None:
        self._screen.composer.focus()

    def do_back(self) -> None:
        """Esc: stop; else leave the edit; else switch between writing and the conversation."""
        screen = self._screen
        if screen.thread_list.has_focus:
            if screen.is_narrow:
                screen.show_list(False)
            screen.focus_where_one_can_write()
        elif screen.conversation.turn is not None:
            screen.sending.stop(screen.conversation)
        elif screen.conversation.editing is not None:
            screen.sending.end_edit()
        elif screen.composer.has_focus_within:
            screen.transcript.focus()
            screen.transcript.focus_something()
        else:
            screen.focus_where_one_can_write()

    # -- everything else ------------------------------------------------------------------------------

    def do_model(self) -> None:
        self._screen.model_choice.choose()

    def do_attach(self) -> None:
        screen = self._screen

        def attach(name: str | None) -> None:
            if name and name.strip():
                try:
                    screen.composer.add_attachment(Path(name.strip()).expanduser())
                except AttachmentError as error:
                    screen.convend.tell(str(error), severity="error")
            screen.composer.focus()

        from convend_tui.tui.dialogs import Prompt

        screen.convend.push_screen(Prompt("Attach a file", "", "Path of a text file, an image or a PDF"), attach)

    def why_not_attach(self) -> str | None:
        return self._screen.composer.locked

    def do_help(self) -> None:
        from convend_tui.tui.help import HelpScreen
        from convend_tui.tui.status_words import MARKS

        screen = self._screen
        sections = [
            (
                title,
                [(screen.keys.shown(c), c.label, c.help, self.refusal(c.id)) for c in COMMANDS if c.where == where],
            )
            for where, title in SECTIONS.items()
        ]
        sections.append(("Marks", list(MARKS)))
        screen.convend.push_screen(HelpScreen(sections))

    do_keys = do_help

    def do_theme(self) -> None:
        self._screen.convend.search_themes()

    def do_quit(self) -> None:
        self._screen.convend.call_later(self._screen.convend.action_quit)
