"""Turns as the screen runs them: each in a worker of its own, so that other chats can be read meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from textual.worker import Worker

from convend_tui.errors import ConvendError, NotConnected
from convend_tui.model import events as e
from convend_tui.store import drafts
from convend_tui.store.handle import Rule, ThreadHandle
from convend_tui.thread import records as r
from convend_tui.tui.composer import ComposerState
from convend_tui.tui.conversation import Conversation, Editing
from convend_tui.tui.drafting import as_state, joined, typed_since
from convend_tui.tui.items import clock
from convend_tui.tui.touring import BANNER as TOUR_ENDS
from convend_tui.tui.turn import Turn

if TYPE_CHECKING:
    from convend_tui.ending.policy import Judgement
    from convend_tui.session import Session
    from convend_tui.tui.screen import ChatScreen

BELOW = "Continues below the reply of {} · Esc: at the end"
AGAIN = "Not answered yet · Enter asks again, or change it first · Esc lets it be"
EDITING = "Enter: a new branch · Esc: your draft"
AS_LEFT = "This edit is as you left it. What you first wrote stands in the conversation."

_WORK_S = 0.01
_REST_S = 0.005
"""Seconds of taking in events without a pause, and of the pause: keys have their turn, however fast a reply comes."""

Events = AsyncGenerator[e.Event, None]
Opening = Coroutine[Any, Any, Events]


class Sending:
    """Starts, stops and follows turns; begins and ends edits."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self._workers: dict[int, Worker[None]] = {}
        self._sent: dict[int, ComposerState] = {}
        """What was in the composer of a chat when it was sent, until it is on the disk."""

    def missing(self) -> str | None:
        """Why nothing can be sent from the chat shown; None where it can be tried."""
        conversation, models = self._screen.conversation, self._screen.convend.models
        thread = conversation.thread
        if conversation.wanted or thread is None or self._screen.touring.is_untouched(conversation):
            return models.missing(conversation.wanted)
        if thread.is_provisional:
            return models.missing(self._screen.convend.choices.model)
        return models.missing_for(thread.settings)

    # -- turns ----------------------------------------------------------------------------------------

    def submit(self, text: str, files: Sequence[Path]) -> None:
        """Send what the composer holds; it is cleared once the text is on the disk."""
        conversation = self._screen.conversation
        if conversation.turn is not None:
            return
        if why := self.missing():
            self._screen.convend.tell(why, severity="warning")
            self._screen.model_choice.offer_local()
            return
        if self._screen.touring.at_end(conversation):
            if not self._screen.touring.leave():
                return
            conversation = self._screen.conversation
        place = self._screen.drafting.place_of(conversation)
        self._sent[id(conversation)] = self._screen.composer.state
        self._start(conversation, self._send(conversation, text, files), draft=place)

    def retry(self, message_id: str) -> None:
        """Ask for one more answer."""
        conversation = self._screen.conversation
        self._start(conversation, self._retry(conversation, message_id))

    def stop(self, conversation: Conversation) -> None:
        """Stop the chat's turn; what arrived is kept."""
        if worker := self._workers.get(id(conversation)):
            worker.cancel()

    def _start(self, conversation: Conversation, opening: Opening, draft: drafts.Place | None = None) -> None:
        conversation.turn = Turn()
        conversation.failure = None
        self._screen.composer.busy = True
        self._workers[id(conversation)] = self._screen.run_worker(
            self._follow(conversation, opening, draft), group=f"turn-{id(conversation)}"
        )

    async def _send(self, conversation: Conversation, text: str, files: Sequence[Path]) -> Events:
        app = self._screen.convend
        from convend_tui.store import blobs  # with all that sending needs, not before the first paint

        attachments = [await asyncio.to_thread(blobs.attach, app.paths, file) for file in files]
        if conversation.handle is None:
            conversation.handle = app.library.new(await app.models.new_settings(conversation.wanted))
        settings = await self._settings(conversation.handle, conversation)
        return conversation.outgoing(self._session(conversation), text, attachments, settings)

    async def _retry(self, conversation: Conversation, message_id: str) -> Events:
        assert conversation.handle is not None
        settings = await self._settings(conversation.handle, conversation)
        return self._session(conversation).retry(message_id, settings)

    def _session(self, conversation: Conversation) -> Session:
        """The chat's own session: it remembers what it has read of the thread."""
        if conversation.session is None:
            from convend_tui.session import Session

            app, endings = self._screen.convend, self._screen.endings
            assert conversation.handle is not None

            async def ask(judgement: Judgement) -> bool:
                return await endings.ask_person(conversation, judgement)

            conversation.session = Session(conversation.handle, app.models, app.paths, ask)
        return conversation.session

    async def _settings(self, handle: ThreadHandle, conversation: Conversation) -> r.Settings | None:
        app = self._screen.convend
        if conversation.wanted is None and not handle.thread.is_provisional:
            return await self._screen.touring.settings(conversation)
        return await app.models.next_settings(handle.thread, conversation.wanted, app.choices.model)

    async def _follow(self, conversation: Conversation, opening: Opening, draft: drafts.Place | None) -> None:
        """Run a turn and show it. `draft` is the place of what was typed for it, None where nothing was."""
        rested = perf_counter()
        try:
            async with aclosing(await opening) as events:
                async for event in events:
                    if isinstance(event, e.TurnStarted):
                        self._started(conversation, draft)
                    self._show(conversation, event)
                    if perf_counter() - rested > _WORK_S:
                        await asyncio.sleep(_REST_S)
                        rested = perf_counter()
        except ConvendError as error:
            self._refused(error)
        finally:
            self._over(conversation)

    def _show(self, conversation: Conversation, event: e.Event) -> None:
        screen = self._screen
        grown = conversation.take(event)
        if not screen.is_whole:
            return
        if isinstance(event, e.TurnFailed) and isinstance(event.error, NotConnected):
            screen.model_choice.offer_local()
        if screen.conversation is not conversation:
            return
        if grown is not None:
            screen.transcript.item_changed(grown)
        else:
            screen.refresh_all(at_end=isinstance(event, e.TurnStarted))

    def _started(self, conversation: Conversation, draft: drafts.Place | None) -> None:
        """The text is on the disk: its draft is not needed, and the composer is free for what comes next."""
        screen = self._screen
        screen.remember(conversation)
        screen.listing.changed()
        conversation.wanted = None
        if draft is None:
            return
        editing, conversation.editing = conversation.editing, None
        if editing is not None:
            draft = drafts.Place(draft.thread, "edit", editing.message)
        sent = self._sent.pop(id(conversation), ComposerState())
        if screen.conversation is conversation:
            later = typed_since(sent, screen.composer.state)
            screen.drafting.forget(draft)
            self.show_banner()
            screen.composer.restore(joined(editing.draft, later) if editing is not None else later)
            screen.keep_draft()
        else:
            screen.drafting.forget(draft, but_for=sent)

    def _refused(self, error: ConvendError) -> None:
        """Nothing was sent: the text is still in the composer."""
        self._screen.convend.tell(str(error), severity="error" if error.exit_code != 3 else "warning")

    def _over(self, conversation: Conversation) -> None:
        """Runs in a `finally`, also when the app is closing: only what cannot fail then."""
        screen = self._screen
        self._workers.pop(id(conversation), None)
        self._sent.pop(id(conversation), None)
        unanswered = conversation.over()
        if not screen.is_whole:
            return
        if screen.conversation is not conversation:
            if unanswered is not None:
                self._keep_for_later(conversation, unanswered)
            return
        screen.refresh_all()
        screen.listing.changed()
        if unanswered is not None and conversation.editing is None and conversation.thread is not None:
            if screen.composer.text.strip():
                screen.convend.tell(
                    "Your message was not answered. With it in focus, e brings it back and r asks again."
                )
            else:
                self.begin_edit(conversation.thread.messages[unanswered], again=True)

    def _keep_for_later(self, conversation: Conversation, question: str) -> None:
        """Another chat is shown: what was not answered is in the composer when the person comes back."""
        thread = conversation.thread
        drafting = self._screen.drafting
        if thread is None or conversation.editing is not None or drafting.draft_of(conversation):
            return
        text = ComposerState(r.text_of(thread.messages[question]))
        conversation.editing = Editing(question, ComposerState(), again=True, text=text)
        drafting.keep_edit(conversation, text, under_way=True)

    # -- edits ----------------------------------------------------------------------------------------

    def begin_edit(self, message: r.Message, *, again: bool) -> None:
        """Bring an old message into the composer; the draft is put aside."""
        screen = self._screen
        conversation = screen.conversation
        before = screen.composer.state
        if conversation.editing is not None:
            before = conversation.editing.draft
            screen.drafting.keep_edit(conversation, screen.composer.state, under_way=False)
        screen.composer.locked = None
        conversation.editing = Editing(message.id, before, again)
        if left := screen.drafting.kept_edit(message):
            screen.composer.restore(as_state(left))
            screen.convend.tell(AS_LEFT)
        else:
            screen.composer.load(r.text_of(message))
        self.show_banner()
        screen.refresh_lines()

    def show_banner(self) -> None:
        """Say in the composer what is being edited, if anything is."""
        conversation = self._screen.conversation
        editing, thread = conversation.editing, conversation.thread
        banner: str | None = None
        if editing is not None and thread is not None:
            when = clock(thread.messages[editing.message].at)
            banner = AGAIN if editing.again else f"Editing your message of {when} · {EDITING}"
        elif conversation.below is not None and thread is not None:
            banner = BELOW.format(clock(thread.messages[conversation.below].at))
        elif self._screen.touring.at_end(conversation):
            banner = TOUR_ENDS
        self._screen.composer.banner = banner

    def end_edit(self) -> None:
        """Leave the edit: the draft comes back."""
        screen = self._screen
        screen.drafting.keep_edit(screen.conversation, screen.composer.state, under_way=False)
        editing, screen.conversation.editing = screen.conversation.editing, None
        self.show_banner()
        screen.composer.restore(editing.draft if editing else ComposerState())
        screen.refresh_all()
        if screen.composer.locked is not None:
            screen.focus_where_one_can_write()

    # -- above the end --------------------------------------------------------------------------------

    def go_on_below(self, message_id: str | None) -> None:
        """What is written from now on goes below a reply above the end (None: at the end). Each has its own draft."""
        screen = self._screen
        screen.conversation.go_on_below(message_id)
        screen.refresh_all()
        self.show_banner()
        if screen.composer.locked is None:
            screen.composer.focus()
        else:
            screen.focus_where_one_can_write()

    # -- other records --------------------------------------------------------------------------------

    def append(
        self,
        handle: ThreadHandle,
        records: Sequence[r.Record],
        rule: Rule | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Write records that are no part of a turn, such as a title; `then` is called when they are on the disk."""

        async def write() -> None:
            try:
                await handle.append(records, rule)
                if then is not None:
                    then()
            except ConvendError as error:
                self._screen.convend.tell(str(error), severity="error")
            if all(isinstance(record, r.Leaf | r.Title) for record in records):
                self._screen.refresh_lines()  # the conversation itself is as it was
            else:
                self._screen.refresh_all()
            self._screen.listing.changed()

        self._screen.run_worker(write(), group="records")
