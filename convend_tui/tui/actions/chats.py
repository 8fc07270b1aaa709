"""Chats: a new one, another one, its name."""

from __future__ import annotations

from convend_tui.errors import StoreError
from convend_tui.thread import records as r
from convend_tui.tui.actions.area import Area
from convend_tui.tui.conversation import Conversation


class Chats(Area):
    """What is done with whole chats."""

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
