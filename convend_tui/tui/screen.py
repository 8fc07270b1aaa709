"""The one screen: thread list, transcript, composer, status. It shows a conversation and hands commands on."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from convend_tui.errors import StoreError
from convend_tui.thread import lock
from convend_tui.tui.actions import Actions
from convend_tui.tui.commands import BY_ID, Keys, bindings
from convend_tui.tui.composer import Composer
from convend_tui.tui.conversation import Conversation
from convend_tui.tui.drafting import Drafting
from convend_tui.tui.listing import Listing
from convend_tui.tui.notices import NoticeItem
from convend_tui.tui.sending import Sending
from convend_tui.tui.status import KeyHints, StatusLine
from convend_tui.tui.status_words import hints, status
from convend_tui.tui.thread_list import ThreadList
from convend_tui.tui.title_line import title_line
from convend_tui.tui.touring import Touring
from convend_tui.tui.transcript import Transcript
from convend_tui.tui.tree_dock import TreeDock
from convend_tui.tui.welcome import welcome

if TYPE_CHECKING:
    from convend_tui.tui.app import ConvendApp
    from convend_tui.tui.endings import Endings
    from convend_tui.tui.model_choice import ModelChoice
    from convend_tui.tui.tree_rows import TreeRows

PARTS = "ThreadList, #title, Transcript, Composer, StatusLine, KeyHints"
"""What the screen is made of, as a CSS selector."""
OPENED = 8
"""Chats that are kept in memory as they were on the screen."""
QUIET_S = 0.8
"""Seconds without a key press, after the focus moved by itself, before letters are commands again."""
TYPED_ON = "The conversation ended while you were writing: these keys did nothing. What you wrote is kept."
LATER_S = 0.25
"""Seconds after which the list is filled and the disk is watched: the first paint comes first."""
NARROW = 100
"""Columns below which the thread list lies over the transcript instead of beside it."""


class ChatScreen(Screen[None]):
    """Composes the widgets, keeps them in step with the conversation, and dispatches commands."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings("anywhere")
    thread_list = getters.query_one(ThreadList)
    transcript = getters.query_one(Transcript)
    composer = getters.query_one(Composer)

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self.keys = keys
        self.conversation = Conversation(None)
        self.actions = Actions(self)
        self.sending = Sending(self)
        self.drafting = Drafting(self)
        self.listing = Listing(self)
        self.tree_dock = TreeDock(self)
        self.touring = Touring(self)
        self._parts: list[Widget] = []
        self.opened: dict[str, Conversation] = {}
        """Chats that are or were on the screen, the last one last."""
        self._quiet_until = 0.0
        self._shown_version = 0
        self._typed_at = 0.0
        self._was_narrow: bool | None = None

    @cached_property
    def convend(self) -> ConvendApp:
        """The app, with what lives as long as the program does. Kept: at the end the screen is taken off its app, and
        what is written then still asks for it."""
        return cast("ConvendApp", self.app)

    @cached_property
    def endings(self) -> Endings:
        """The dialogs about endings, imported when first needed."""
        from convend_tui.tui.endings import Endings

        return Endings(self)

    @cached_property
    def model_choice(self) -> ModelChoice:
        """The dialogs about models, imported after the first paint."""
        from convend_tui.tui.model_choice import ModelChoice

        return ModelChoice(self)

    @property
    def is_whole(self) -> bool:
        """False once the app is closing: its widgets go before its workers do."""
        if not self._parts or not all(part.is_attached for part in self._parts):
            # Looked up once: a reply that streams asks this thousands of times a second.
            self._parts = list(self.query(PARTS))
        return self.is_attached and len(self._parts) == PARTS.count(",") + 1

    def compose(self) -> ComposeResult:
        """The list at the left, everything else beside it."""
        with Horizontal():
            yield ThreadList(id="threads")
            with Vertical(id="chat"):
                yield Static(id="title", markup=False)
                yield Transcript()
                yield Composer()
                yield StatusLine()
        yield KeyHints()

    async def on_mount(self) -> None:
        """Open the thread that was open last, and begin to watch the disk."""
        self.thread_list.styles.width = self.convend.config.ui.list_width
        self._fit_list()
        self._open_last()
        # Filling the list reads every thread's file: it waits until this one has been painted.
        self.set_timer(LATER_S, self.listing.start)
        if self.keys.unknown:
            self.convend.tell(
                f"[keys] in config.toml names no command: {', '.join(self.keys.unknown)}.", severity="warning"
            )
        if self.keys.fixed:
            self.convend.tell(
                f"[keys] in config.toml cannot change the key of: {', '.join(self.keys.fixed)}.", severity="warning"
            )

    def _open_last(self) -> None:
        """convend opens where it was left."""
        toured = self.touring.begin()
        last = toured or self.convend.choices.last_thread
        conversation = Conversation(None, show_thinking=self.convend.config.ui.show_thinking)
        conversation.wanted = self.convend.choices.model if last is None else None
        if last is not None:
            with suppress(StoreError):  # the thread is gone: a new chat is as good a place to begin
                handle = self.convend.library.open(last)
                conversation = Conversation(handle, show_thinking=self.convend.config.ui.show_thinking)
        self.conversation = conversation
        self.remember(conversation)
        self.drafting.show()
        self.refresh_all(at_end=True)
        if toured is not None:
            self.transcript.to_first()
        self.focus_where_one_can_write()

    # -- what is shown ------------------------------------------------------------------------------

    def refresh_all(self, *, at_end: bool = False) -> None:
        """Bring every widget in step with the conversation."""
        if not self.is_whole:
            return
        conversation = self.conversation
        self.drafting.fit()
        items = conversation.items(welcome(self.convend.models, conversation))
        if conversation.thread is None or not conversation.thread.messages:
            self.transcript.set_items(items, at_end=False)  # a page is read from its beginning
        else:
            self.transcript.show(items, at_end=at_end)
        ended = conversation.ended
        locked = ended is not None and conversation.editing is None and conversation.below is None
        was_typing = self.composer.has_focus_within and self.composer.locked is None
        self.composer.locked = lock.LOCKED if locked else None
        self.composer.busy = conversation.turn is not None
        if locked and was_typing:
            # Whoever is in the middle of a word must not set off commands with the letters that follow.
            # Whoever stopped to think, in the middle of a message, goes on without a look at the screen.
            self._quiet_until = math.inf if self.composer.text else self._typed_at + QUIET_S
            self.focus_where_one_can_write()
        self.tree_dock.refresh()
        self.refresh_lines()

    @property
    def is_behind(self) -> bool:
        """Whether the conversation's thread has more to show than the screen does, with nothing under way."""
        return self.conversation.turn is None and self.conversation.version != self._shown_version

    def refresh_lines(self) -> None:
        """The title, the status line and the key hints."""
        if not self.is_whole:
            return
        title = self.query_one("#title", Static)
        title.update(Content(title_line(self.conversation, title.size.width or self.size.width)))
        self.query_one(StatusLine).show(*status(self))
        self.query_one(KeyHints).show(self.tree_dock.hints() if self.tree_dock.has_focus else hints(self))

    def show_conversation(self, conversation: Conversation) -> None:
        """Show another chat. The draft of the one left is kept."""
        self.keep_draft()
        if (editing := self.conversation.editing) is not None:
            self.conversation.editing = replace(editing, text=self.composer.state)
        self.conversation = conversation
        self._quiet_until = 0.0
        self.remember(conversation)
        self.composer.locked = None
        self.drafting.show()
        self.refresh_all(at_end=True)
        self.focus_where_one_can_write()

    def focus_where_one_can_write(self) -> None:
        """The composer; where it is locked, the notice that says so."""
        if self.composer.locked is None:
            self.composer.focus()
            return
        self.transcript.focus()
        if notice := next((item for item in self.transcript.items if isinstance(item, NoticeItem)), None):
            self.transcript.go_to(notice.key)

    def remember(self, conversation: Conversation) -> None:
        """Keep a chat as it is on the screen, for when the person comes back to it."""
        if conversation is self.conversation:
            on_disk = conversation.handle is not None and conversation.handle.on_disk
            self.convend.choose(last_thread=conversation.handle.thread.id if on_disk and conversation.handle else None)
        if conversation.thread is not None:
            self.opened.pop(conversation.thread.id, None)
            self.opened[conversation.thread.id] = conversation
        for thread_id in list(self.opened)[:-OPENED]:
            if self.opened[thread_id].turn is None:
                del self.opened[thread_id]

    def keep_draft(self) -> None:
        """Write down what is in the composer."""
        self.drafting.keep()

    # -- commands -----------------------------------------------------------------------------------

    def refusal(self, command_id: str) -> str | None:
        """Why a command cannot be done now, in a sentence; None where it can."""
        return self.actions.refusal(command_id)

    def action_do(self, command_id: str) -> None:
        """Do a command of the table, or say why not."""
        if BY_ID[command_id].where == "transcript" and monotonic() < self._quiet_until:
            if math.isinf(self._quiet_until):
                self.convend.tell(TYPED_ON, severity="warning", seconds=8)
            self._quiet_until = monotonic() + QUIET_S
            return
        if why := self.refusal(command_id):
            self.convend.tell(f"{self.actions.label(command_id)}: {why}", severity="warning")
            return
        self.actions.run(command_id)

    # -- messages of the widgets --------------------------------------------------------------------

    @on(Composer.Submitted)
    def send(self, event: Composer.Submitted) -> None:
        """Enter in the composer."""
        self._typed_at = 0.0
        self.actions.searching.over()
        self.sending.submit(event.text, event.attachments)

    @on(Composer.Changed)
    def keep_draft_soon(self, event: Composer.Changed) -> None:
        """What was typed reaches the disk a moment later, in one write for many keys."""
        self.transcript.give_way()
        if not event.text_is_empty:
            self._typed_at = monotonic()
        self.listing.draft_changed()

    @on(ThreadList.Opened)
    def open_thread(self, event: ThreadList.Opened) -> None:
        """Enter in the list."""
        self.actions.chats.open(event.id)

    @on(Transcript.FocusMoved)
    def show_hints(self) -> None:
        """What can be done depends on the message that has the focus."""
        self.tree_dock.refresh()
        self.refresh_lines()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The hints follow the focus."""
        self.tree_dock.focus_moved()
        self.refresh_lines()

    # The tree's own messages, by name: it is imported when it is first opened.

    def on_tree_rows_go_to(self, event: TreeRows.GoTo) -> None:
        """Enter in the tree."""
        self.actions.branches.go_to_row(event.id)

    def on_tree_panel_closed(self) -> None:
        """Esc in the tree."""
        self.tree_dock.close()

    @on(events.Resize)
    def fit(self) -> None:
        """The title is cut to the width; where it is narrow the list gives way."""
        self._fit_list()
        self.tree_dock.fit()
        self.refresh_lines()

    def _fit_list(self) -> None:
        if self.is_narrow != self._was_narrow:
            self._was_narrow = self.is_narrow
            self.set_class(self.is_narrow, "-narrow")
            wanted = self.convend.choices.list_open is not False
            self.thread_list.display = self.thread_list.has_focus if self.is_narrow else wanted

    @property
    def is_narrow(self) -> bool:
        """Whether the list lies over the conversation instead of beside it."""
        return self.app.size.width < NARROW

    def show_list(self, shown: bool) -> None:
        """Show or hide the thread list; where it has a place of its own, the choice is kept."""
        self.thread_list.display = shown
        self.tree_dock.fit(list_first=shown)
        if not self.is_narrow:
            self.convend.choose(list_open=shown)
