"""Labels, what is hidden and brought back, and forks into a new chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from convend_tui.errors import ConvendError
from convend_tui.plain import one_line
from convend_tui.store.handle import Rule, ThreadHandle
from convend_tui.thread import lock, prune
from convend_tui.thread import records as r
from convend_tui.thread.answers import answer_of
from convend_tui.thread.tree import Thread
from convend_tui.tui.actions.area import NO_MESSAGE, STREAMING, Area
from convend_tui.tui.items import MessageItem

_PATH, _TREE = "path", "tree"


class Pruning(Area):
    """What is done to keep a tree readable."""

    def _open(self) -> tuple[ThreadHandle, r.Message] | None:
        """The thread and the message it is about. An answer that begins with a part nobody is shown begins there."""
        item, handle = self._screen.transcript.focused_item, self._screen.conversation.handle
        if handle is None:
            return None
        if row := self._row:
            return handle, handle.thread.messages[answer_of(handle.thread, row.id)]
        if not isinstance(item, MessageItem) or item.message is None:
            return None
        first = item.place.message or item.message.id
        if item.goes_on:
            first = answer_of(handle.thread, first)
        return handle, handle.thread.messages[first]

    def _why_not(self) -> str | None:
        """Why nothing can be written about the message."""
        if self._screen.conversation.turn is not None:
            return STREAMING
        opened = self._open()
        return NO_MESSAGE if opened is None else opened[0].read_only

    # -- labels ---------------------------------------------------------------------------------------

    def why_not_label(self) -> str | None:
        return self._why_not()

    def do_label(self) -> None:
        from convend_tui.tui.dialogs import Prompt  # dialogs come after the first paint

        opened = self._open()
        assert opened is not None
        handle, message = opened
        known = handle.thread.labels.get(message.id)
        before = known.label if known is not None else ""

        def name(label: str | None) -> None:
            if label is not None and label != before:
                self._screen.sending.append(handle, [r.Label(at=handle.now(), message=message.id, label=label)])

        prompt = Prompt("Name this message", before, "A name; empty takes it away")
        self._screen.convend.push_screen(prompt, name)

    # -- hiding ---------------------------------------------------------------------------------------

    def why_not_hide(self) -> str | None:
        return self._why_not() or self._refused(self._subtree())

    def do_hide(self) -> None:
        self._ask("Hide this message and all below it?", self._subtree())

    def why_not_hide_others(self) -> str | None:
        return self._why_not() or self._refused(self._others())

    def do_hide_others(self) -> None:
        self._ask("Hide every branch but this one?", self._others())

    def _subtree(self) -> prune.Pruning:
        opened = self._open()
        assert opened is not None  # `_why_not` refuses otherwise
        return prune.subtree(opened[0].thread, opened[1].id)

    def _others(self) -> prune.Pruning:
        conversation = self._screen.conversation
        assert conversation.thread is not None and conversation.leaf is not None
        return prune.all_but(conversation.thread, conversation.leaf)

    def _refused(self, pruning: prune.Pruning) -> str | None:
        thread = self._screen.conversation.thread
        assert thread is not None
        refusal = prune.may_hide(thread, pruning.targets)
        return refusal.reason if refusal else None

    def _ask(self, question: str, pruning: prune.Pruning) -> None:
        """Say how much it is, and hide it if the person still wants to."""
        from convend_tui.tui.dialogs import Confirm

        verb = "goes" if pruning.messages == 1 else "go"
        body = f"{pruning.words} {verb} out of sight. Nothing leaves the file, and u brings it back."
        if pruning.ended:
            body += " What the model ended there stays locked."
        conversation = self._screen.conversation
        handle = conversation.handle
        assert handle is not None

        def hide(agreed: bool | None) -> None:
            if agreed:
                self._write(
                    handle,
                    prune.hide_records(pruning.targets, handle.now()),
                    lambda thread: lock.require(prune.may_hide(thread, pruning.targets)),
                    self._hidden,
                )

        self._screen.convend.push_screen(Confirm(question, body, "Hide", "Keep", default_yes=True), hide)

    def _hidden(self) -> None:
        self._screen.conversation.come_into_sight()
        self._keep_place()

    def _write(
        self, handle: ThreadHandle, records: Sequence[r.Record], rule: Rule | None, then: Callable[[], None]
    ) -> None:
        """Write, and then go on, if the chat is still on the screen."""
        conversation = self._screen.conversation

        def shown() -> None:
            if self._screen.conversation is conversation:
                then()

        self._screen.sending.append(handle, records, rule, shown)

    def why_not_unhide(self) -> str | None:
        conversation = self._screen.conversation
        if conversation.turn is not None:
            return STREAMING
        if conversation.handle is None or not prune.last_act(conversation.handle.thread):
            return "Nothing is hidden in this chat."
        return conversation.handle.read_only

    def do_unhide(self) -> None:
        handle = self._screen.conversation.handle
        assert handle is not None
        from_tree = self._row is not None
        targets = self._hidden_row(handle.thread) or prune.last_act(handle.thread)
        back = prune.coming_back(handle.thread, targets)

        def show() -> None:
            self._screen.convend.tell(f"{back.words} {'is' if back.messages == 1 else 'are'} back.")
            if len(targets) == 1 and not from_tree:
                self.go_to_message(targets[0])

        self._write(handle, prune.restore_records(targets, handle.now()), None, show)

    def _hidden_row(self, thread: Thread) -> list[str]:
        """From a row of the tree that is out of sight: what keeps it there."""
        return prune.hiding(thread, self._row.id) if self._row is not None else []

    # -- a fork ---------------------------------------------------------------------------------------

    def why_not_fork(self) -> str | None:
        if self._screen.conversation.turn is not None:
            return STREAMING
        return NO_MESSAGE if self._open() is None else None

    def do_fork(self) -> None:
        from convend_tui.store.fork import last_of
        from convend_tui.tui.pick import Pick, PickOption

        opened = self._open()
        assert opened is not None
        thread = opened[0].thread
        message = self._row or self._focused
        assert message is not None
        here = message.id
        path = [message for message in thread.path(last_of(thread, here)) if not thread.unseen(message)]
        messages = sum(not thread.unseen(message) for message in thread.messages.values())
        leaves = len(thread.leaves())
        options = [
            PickOption(_PATH, "The path down to here", f"{len(path):,} message{'' if len(path) == 1 else 's'}"),
            PickOption(
                _TREE,
                "The whole tree",
                prune.Pruning((), messages, leaves, 0).words,
                "This chat has one branch." if leaves == 1 and path and path[-1].id == thread.leaf else None,
            ),
        ]

        def fork(choice: str | None) -> None:
            if choice is not None:
                # A copy of the tree: it is read in a thread of its own, while this one may grow.
                source = thread.with_records(())
                self._screen.run_worker(self._fork(source, here if choice == _PATH else None), group="fork")

        self._screen.convend.push_screen(Pick("Fork into a new chat", options), fork)

    async def _fork(self, source: Thread, message_id: str | None) -> None:
        from convend_tui.store import fork

        screen = self._screen
        library, leaf = screen.convend.library, screen.conversation.leaf
        try:
            if message_id is not None:
                made = await asyncio.to_thread(fork.fork_path, library, source, message_id)
            else:
                made = await asyncio.to_thread(fork.fork_tree, library, source, leaf)
        except ConvendError as error:
            screen.convend.tell(str(error), severity="error")
            return
        if screen.is_whole:
            screen.actions.chats.open(made)
            screen.listing.changed()
            screen.convend.tell(f"A copy of “{one_line(source.title, 40)}”. The chat it comes from stays as it is.")
