"""The least a chat program in Textual can be: what everything else is compared with."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static, TextArea

READY = ("A bare app.", "Write here.")
"""What is on the screen when it has been painted."""


class BareApp(App[None]):
    """A line of text and a text area."""

    def compose(self) -> ComposeResult:
        """No more than this."""
        yield Static(READY[0])
        yield TextArea(READY[1])


if __name__ == "__main__":
    BareApp().run()
