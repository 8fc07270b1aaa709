"""The client's own question before a conversation is ended at the person's request."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, Static, TextArea

from convend_tui.plain import one_line
from convend_tui.tui.composer_input import NEWLINE_KEYS
from convend_tui.tui.dialogs import Confirm

QUIET_S = 0.8
"""Seconds without a key before the dialog can be answered: it may come in the middle of a word."""
_TYPING_ON = "It can be answered when you stop typing; your words go on where you were writing"
_NOT_HANDED_ON = ("enter", "tab", "shift+tab")
"""Keys that send, keep or go elsewhere: never meant for what is below a dialog."""


class EndForGood(Confirm, inherit_bindings=False):
    """Only a yes ends. No letter answers, the cursor stands on no, Esc is no, and it waits for a pause in typing: what
    is typed until then, and what is pasted, goes on where it was being written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "No", show=False),
        Binding("left,up", "choose(True)", "Yes", show=False),
        Binding("right,down", "choose(False)", "No", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]
    HINT = "←→ choose · Enter · Esc goes on talking"

    def __init__(self, typed: str, chat: str, cited: str = "") -> None:
        """`cited`: what the model takes for the wish; shown where the beginning of what was typed does not have it. It
        may stand far down, in a text that was pasted."""
        shown, wish = one_line(typed, 300), one_line(cited, 200)
        where = f"\n\nFarther down, it says: “{wish}”" if wish.casefold() not in shown.casefold() else ""
        super().__init__(
            "End this conversation for good?",
            "The model takes what you wrote as a wish to end the conversation. If you say yes, this branch is closed "
            "and cannot be opened again: neither of you can write in it any more. You can still read it, start a new "
            "chat, or edit an earlier message and go on from there.\n\n"
            f"In “{one_line(chat, 60)}” you wrote: “{shown}”{where}",
            yes="End it for good",
            no="Go on talking",
        )
        self._given_up = False
        self._is_ready = False
        self._wait: Timer | None = None
        self._writing: Widget | None = None
        """Where the person was writing when the dialog came."""

    def on_mount(self) -> None:
        """Nothing can be answered yet."""
        below = self.app.screen_stack[:-1]
        focused = below[-1].focused if below else None
        self._writing = focused if isinstance(focused, Input | TextArea) else None
        for button in self.query(Button):
            button.disabled = True
        self._wait = self.set_timer(QUIET_S, self._ready)

    def on_key(self, event: events.Key) -> None:
        """Somebody is still typing."""
        if self._is_ready or event.key == "escape":
            return
        event.stop()
        if self._wait is not None:
            self._wait.reset()
        if self._writing is not None and event.key not in _NOT_HANDED_ON:
            self.query_one(".dialog--hint", Static).update(Content(_TYPING_ON))
            self._hand_on(self._writing, event)

    def on_paste(self, event: events.Paste) -> None:
        """A paste is no answer, however late it comes."""
        event.stop()
        if self._writing is not None:
            self._writing._forward_event(events.Paste(event.text))

    def _hand_on(self, writing: Widget, event: events.Key) -> None:
        """Have a key do what it would have done. All of it goes through the queue of messages: in the order typed."""
        if event.is_printable or (isinstance(writing, TextArea) and event.key in NEWLINE_KEYS):
            writing._forward_event(events.Key(event.key, event.character))
            return
        for binding in writing._bindings.key_to_bindings.get(event.key, ()):
            writing.call_later(writing.run_action, binding.action)
            return

    def _ready(self) -> None:
        self._is_ready = True
        self.query_one(".dialog--hint", Static).update(Content(self.HINT))
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
        """On top again; or told so late that it has left already."""
        if self._given_up and self.app.screen is self:
            self.dismiss(False)
