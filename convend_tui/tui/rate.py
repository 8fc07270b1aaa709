"""Thumbs and a comment, on an answer or on an ending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Static

from convend_tui.plain import visible
from convend_tui.thread import records as r
from convend_tui.tui.dialogs import Dialog, DialogBody, LineInput


@dataclass(frozen=True, slots=True)
class Rating:
    """What the person says of a message."""

    thumb: str
    """`up` or `down`."""
    comment: str


class RateDialog(Dialog[Rating | None]):
    """Choose a thumb, then write a comment or leave it empty. Esc gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", "Previous", show=False),
        Binding("right", "app.focus_next", "Next", show=False),
        Binding("u,plus", "thumb('up')", "Thumbs up", show=False),
        Binding("d,minus", "thumb('down')", "Thumbs down", show=False),
        Binding("up", "back", "Back to the thumbs", show=False),
        Binding("down", "comment", "To the comment", show=False),
    ]
    AUTO_FOCUS = "Button"
    DEFAULT_CSS = """
    RateDialog .dialog--buttons { margin: 0 0 1 0; }
    RateDialog.-low .dialog--buttons { margin: 0; }
    """

    def __init__(self, title: str, body: str, before: Rating | None = None) -> None:
        super().__init__(title)
        self._body = visible(body)
        self._thumb = before.thumb if before is not None and before.thumb in r.THUMBS else None
        self._comment = before.comment if before is not None else ""

    def compose_body(self) -> ComposeResult:
        """What it is about, the two thumbs, and the comment."""
        with DialogBody():
            yield Static(Content(self._body))
        with Horizontal(classes="dialog--buttons"):
            for thumb in r.THUMBS:
                yield Button(self._label(thumb), id=thumb, compact=True)
        yield LineInput(self._comment, placeholder="A comment, if you like")
        yield Static("", classes="dialog--hint", id="rate-hint", markup=False)

    def on_mount(self) -> None:
        """Say what to do first."""
        self._show()

    def _label(self, thumb: str) -> Content:
        return Content(f"{'●' if thumb == self._thumb else '○'} {r.THUMBS[thumb].capitalize()}")

    def _show(self) -> None:
        for thumb in r.THUMBS:
            self.query_one(f"#{thumb}", Button).label = self._label(thumb)
        then = "Enter in the comment keeps it" if self._thumb else "u or d, or ←→ and Enter"
        self.query_one("#rate-hint", Static).update(Content(f"{then} · Esc cancels"))

    def action_thumb(self, thumb: str) -> None:
        """Choose a thumb; the comment comes next."""
        self._thumb = thumb
        self._show()
        self.action_comment()

    def action_comment(self) -> None:
        """Go to the comment."""
        self.query_one(LineInput).focus()

    def action_back(self) -> None:
        """Go to the thumbs."""
        self.query_one(f"#{self._thumb or 'up'}", Button).focus()

    @on(Button.Pressed)
    def take_thumb(self, event: Button.Pressed) -> None:
        """A thumb was pressed."""
        event.stop()
        self.action_thumb(event.button.id or "up")

    @on(Input.Submitted)
    def keep(self, event: Input.Submitted) -> None:
        """Enter in the comment."""
        event.stop()
        if self._thumb is None:
            self.action_back()
        else:
            self.dismiss(Rating(self._thumb, event.value.strip()))
