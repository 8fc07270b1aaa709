"""The composer's text area: Enter asks to send, long pastes fold into tokens, hidden characters show."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.document._document import EditResult, Location
from textual.document._edit import Edit
from textual.geometry import Size
from textual.message import Message
from textual.widgets import TextArea

from convend_tui.tui.folding import Folding, drawn, hold, normalise

NEWLINE_KEYS = frozenset({"ctrl+j", "shift+enter", "alt+enter", "shift+\r", "alt+\r"})
"""Ctrl+J arrives under this name with and without the kitty protocol; the others where a terminal has them."""


class ComposerInput(TextArea):
    """A text area in which a token is one piece: the cursor steps over it, deleting takes it whole.

    The document holds what `folding.hold` makes of the text; use `full_text`, never `text`.
    """

    DEFAULT_CSS = """
    ComposerInput {
        height: auto;
        min-height: 1;
        border: none;
        padding: 0;
        background: transparent;
        scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & .composer--token { color: $text-accent; background: $accent-muted; }
        & .text-area--placeholder { color: $text-muted; }
        &:ansi .composer--token { background: ansi_default; text-style: reverse; }
        &:ansi .text-area--placeholder { color: ansi_default; text-style: dim; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"composer--token"}

    class Entered(Message):
        """Enter was pressed."""

    class NothingLeft(Message):
        """Backspace was pressed in an empty text."""

    def __init__(self) -> None:
        self.folding = Folding()
        super().__init__(tab_behavior="focus", highlight_cursor_line=False, soft_wrap=True)
        self.match_cursor_bracket = False

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The height of the text, at most a third of the screen.

        A relative `max-height` does not count inside a box of automatic height.
        """
        return max(1, min(super().get_content_height(container, viewport, width), viewport.height // 3))

    @property
    def held_text(self) -> str:
        """The document as it is held: tokens and stand-ins unresolved."""
        return self.document.text

    @property
    def full_text(self) -> str:
        """All that was written and pasted, verbatim."""
        return self.folding.expand(self.held_text)

    def load_full(self, text: str) -> None:
        """Replace everything by `text`; a huge one becomes one token. The cursor goes to its end."""
        self.load_text(self.folding.take(text))
        self.move_cursor(self.document.end)

    # What the base class knows as text is what is held; what leaves it is the full text.

    @property
    def selected_text(self) -> str:
        """The selection, with its pastes unfolded: this is what Copy copies."""
        return self.folding.expand(super().selected_text)

    def action_cut(self) -> None:
        """Copy the selection with its pastes unfolded, and delete it; without one, the line."""
        if self.selection.is_empty:
            self.action_select_line()
        if text := self.selected_text:
            self.app.copy_to_clipboard(text)
            self.action_delete_left()

    # Keys and pastes.

    async def on_key(self, event: events.Key) -> None:
        """Enter sends; the keys for a new line make one. All else is the base class's."""
        if event.key != "enter" and event.key not in NEWLINE_KEYS:
            return
        event.stop()
        event.prevent_default()
        if event.key == "enter":
            self.post_message(self.Entered())
        else:
            self._replace_via_keyboard("\n", *self.selection)

    async def on_paste(self, event: events.Paste) -> None:
        """Take a bracketed paste; fold it if it is long."""
        event.stop()
        event.prevent_default()
        self.paste(event.text)

    def action_paste(self) -> None:
        """Paste what was copied in this program."""
        self.paste(self.app.clipboard)

    def paste(self, text: str) -> None:
        """Put `text` in place of the selection, folded if it is long."""
        if self.disabled or self.read_only or not text:
            return
        text = normalise(text)
        held = self.held_text
        piece = self.folding.fold(text, held) if self.folding.is_long(text, len(held)) else hold(text)
        if result := self._replace_via_keyboard(piece, *self.selection):
            self.history.checkpoint()
            self.move_cursor(result.end_location)

    def action_delete_left(self) -> None:
        """Delete the selection, or the character or token left of the cursor."""
        if not self.held_text:
            self.post_message(self.NothingLeft())
        super().action_delete_left()

    # A token is one piece.

    def edit(self, edit: Edit) -> EditResult:
        """Perform an edit; a range that cuts through a token takes the whole token."""
        top, bottom = edit.top, edit.bottom
        if top == bottom:
            edit.from_location = edit.to_location = self._out_of_token(top, forward=True)
        else:
            edit.from_location = self._out_of_token(top, forward=False)
            edit.to_location = self._out_of_token(bottom, forward=True)
        return super().edit(edit)

    def clamp_visitable(self, location: Location) -> Location:
        """The nearest place the cursor may be: never inside a token."""
        row, column = super().clamp_visitable(location)
        token = self.folding.around(self.document[row], column)
        if token is None:
            return row, column
        start, end = token
        return row, start if column - start < end - column else end

    def get_cursor_left_location(self) -> Location:
        """One character or token to the left."""
        return self._out_of_token(super().get_cursor_left_location(), forward=False)

    def get_cursor_word_left_location(self) -> Location:
        """One word or token to the left."""
        return self._out_of_token(super().get_cursor_word_left_location(), forward=False)

    def get_cursor_up_location(self) -> Location:
        """One row up."""
        return self._out_of_token(super().get_cursor_up_location(), forward=False)

    def get_cursor_right_location(self) -> Location:
        """One character or token to the right."""
        return self._out_of_token(super().get_cursor_right_location(), forward=True)

    def get_cursor_word_right_location(self) -> Location:
        """One word or token to the right."""
        return self._out_of_token(super().get_cursor_word_right_location(), forward=True)

    def get_cursor_down_location(self) -> Location:
        """One row down."""
        return self._out_of_token(super().get_cursor_down_location(), forward=True)

    def _out_of_token(self, location: Location, forward: bool) -> Location:
        row, column = location
        if row >= self.document.line_count:
            return location
        token = self.folding.around(self.document[row], column)
        return location if token is None else (row, token[1] if forward else token[0])

    def get_line(self, line_index: int) -> Text:
        """A line as it is drawn: hidden characters visible, tokens marked."""
        held = self.document.get_line(line_index)
        line = Text(drawn(held), end="", no_wrap=True)
        for start, end in self.folding.spans(held):
            line.stylize(self.get_component_rich_style("composer--token"), start, end)
        return line
