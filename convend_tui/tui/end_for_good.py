"""The client's own question before a conversation is ended at the person's request."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Button

from convend_tui.plain import one_line
from convend_tui.tui.dialogs import Confirm

QUIET_S = 0.8
"""Seconds without a key before the dialog can be answered: it may come in the middle of a word."""


class EndForGood(Confirm, inherit_bindings=False):
    """Only a yes ends. No letter answers, the cursor stands on no, Esc is no, and it waits for a pause in typing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "No", show=False),
        Binding("left,up", "app.focus_previous", "Previous", show=False),
        Binding("right,down", "app.focus_next", "Next", show=False),
    ]
    HINT = "←→ choose · Enter · Esc goes on talking"

    def __init__(self, typed: str, chat: str) -> None:
        super().__init__(
            "End this conversation for good?",
            f"In “{one_line(chat, 60)}” you wrote: “{one_line(typed, 300)}”\n\n"
            "The model takes that as a wish to end the conversation. If you say yes, this branch is closed and cannot "
            "be opened again: neither of you can write in it any more. You can still read it, start a new chat, or "
            "edit an earlier message and go on from there.",
            yes="End it for good",
            no="Go on talking",
        )
        self._given_up = False
        self._wait: Timer | None = None

    def on_mount(self) -> None:
        """Nothing can be answered yet."""
        for button in self.query(Button):
            button.disabled = True
        self._wait = self.set_timer(QUIET_S, self._ready)

    def on_key(self, event: events.Key) -> None:
        """Somebody is still typing."""
        if self._wait is not None and event.key != "escape":
            event.stop()
            self._wait.reset()

    def _ready(self) -> None:
        self._wait = None
        for button in self.query(Button):
            button.disabled = False
        self.query_one("#no", Button).focus()

    def give_up(self) -> None:
        """Nobody waits for the answer any more: the turn was stopped. A dialog below another one leaves when it is on
        top again."""
        self._given_up = True
        if self.is_attached and self.app.screen is self:
            self.dismiss(False)

    def on_screen_resume(self) -> None:
        """On top again."""
        if self._given_up:
            self.dismiss(False)
