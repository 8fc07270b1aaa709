"""The tour: given on the first run, and whenever it is asked for. What is written at its end begins another chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convend_tui.errors import ConvendError, NotConnected
from convend_tui.thread import records as r
from convend_tui.tui.composer import ComposerState

if TYPE_CHECKING:
    from convend_tui.tui.conversation import Conversation
    from convend_tui.tui.screen import ChatScreen

NARRATOR = "the tour"
"""What the tour's own answers have for a model."""
BANNER = "This is the tour · what you write here begins a chat of your own"


class Touring:
    """Makes the tour, finds it, and leaves it."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self.is_first_run = False

    def begin(self) -> str | None:
        """On the first run put the tour among the chats. Returns its id where it is to be opened: whoever has no model
        yet is told how to connect one first."""
        app = self._screen.convend
        choices = app.choices
        try:
            if choices.tour is not None or choices.last_thread is not None or app.library.files():
                return None
            self.is_first_run = True
            made = self._make()
        except ConvendError:
            return None  # a disk that takes nothing is told of when something of the person's is to be kept
        app.choose(tour=True)
        return made if app.models.missing() is None else None

    def _make(self) -> str:
        from convend_tui.exchange import tour  # on the first run only

        app = self._screen.convend
        try:
            settings = app.models.settings()
        except NotConnected:
            settings = r.Settings(model="")
        return tour.make(app.library, settings)

    def open(self) -> None:
        """Open the tour; where it was thrown away, a new one."""
        from convend_tui.exchange import tour

        screen = self._screen
        try:
            found = tour.find(screen.convend.library) or self._make()
        except ConvendError as error:
            screen.convend.tell(str(error), severity="error")
            return
        screen.actions.chats.open(found)
        if self.is_untouched(screen.conversation):
            screen.transcript.to_first()
        screen.listing.changed()

    def at_end(self, conversation: Conversation) -> bool:
        """Whether what is written now would stand at the end of the tour itself, and not on a branch of one's own."""
        thread, leaf = conversation.thread, conversation.leaf
        if thread is None or leaf is None or conversation.editing is not None or conversation.below is not None:
            return False
        is_tour = bool((thread.header.origin or {}).get("tour"))
        return is_tour and thread.messages[leaf].model == NARRATOR and conversation.ended is None

    def is_untouched(self, conversation: Conversation) -> bool:
        """Whether this is the tour, and nobody has said yet which model is to answer in it."""
        thread = conversation.thread
        is_tour = thread is not None and bool((thread.header.origin or {}).get("tour"))
        return is_tour and thread is not None and thread.settings_at == thread.header.at

    async def settings(self, conversation: Conversation) -> r.Settings | None:
        """With what a branch of the tour is sent: the tour was made before anybody asked which models there are. None:
        with its own.

        Raises:
            NotConnected: there is nothing to ask.
        """
        thread, app = conversation.thread, self._screen.convend
        if thread is None or not self.is_untouched(conversation):
            return None
        own, new = thread.settings, await app.models.new_settings(app.choices.model)
        if (own.server, own.model) == (new.server, new.model):
            return None
        return app.models.with_model(own, f"{new.server}/{new.model}")

    def leave(self) -> bool:
        """Begin a new chat with what is in the composer. False: it holds an older draft already, and now both."""
        screen = self._screen
        state = screen.composer.state
        screen.composer.restore(ComposerState())
        screen.actions.chats.do_new()
        return screen.drafting.take_over(state)
