"""Small modal screens. Esc leaves each of them; all of them work from the keyboard, at 80 by 24."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import CommandInput
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen, ScreenResultType
from textual.widget import Widget
from textual.widgets import Button, Input, ProgressBar, Static

from convend_tui.plain import one_line, visible

BOX_SHARE = 0.92
"""Of the screen's height, at most, for a dialog's box."""
LOW = 16
"""Rows of a screen below which a dialog takes all of it, with no blank lines."""
LEAST = 3
"""Rows that what scrolls keeps, however low the screen."""
LONGEST_PASTE = 10_000
"""Characters of a paste that a one-line input looks at."""


def take(widget: Input, text: str) -> None:
    """Put the beginning of a text that is pasted in place of the selection, without what a terminal would obey: Textual
    draws the value of an input as it is."""
    widget.replace(one_line(text[:LONGEST_PASTE]), *widget.selection)


class LineInput(Input):
    """An input of one line. What it begins with and what is pasted becomes one visible line: it may be out of a
    file."""

    DEFAULT_CSS = """
    LineInput { border: none; height: 1; padding: 0 1; background: $background; }
    LineInput:focus { border: none; }
    """

    def __init__(self, value: str = "", *, placeholder: str = "", select_on_focus: bool = True) -> None:
        shown = visible(value).replace("\n", " ")
        super().__init__(shown, placeholder=one_line(placeholder), select_on_focus=select_on_focus)

    def on_paste(self, event: events.Paste) -> None:
        """From another program."""
        event.stop()
        event.prevent_default()
        take(self, event.text)

    def action_paste(self) -> None:
        """What was copied in this program: a message, maybe."""
        take(self, self.app.clipboard)


class PaletteInput(CommandInput):
    """The palette's, which takes what is pasted in the same way."""

    def on_paste(self, event: events.Paste) -> None:
        """From another program."""
        event.stop()
        event.prevent_default()
        take(self, event.text)

    def action_paste(self) -> None:
        """What was copied in this program."""
        take(self, self.app.clipboard)


class Dialog(ModalScreen[ScreenResultType], Generic[ScreenResultType]):
    """A titled box in the middle of the screen. A subclass fills it, and says what Esc gives."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW, "-high")]  # noqa: RUF012 - as the base class has it

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > .dialog--box {
        width: 68;
        max-width: 94%;
        height: auto;
        max-height: 92%;
        padding: 0 2;
        background: $surface;
        border: round $primary-muted;
    }
    Dialog.-wide > .dialog--box { width: 100; }
    Dialog:ansi > .dialog--box { background: ansi_default; border: round $border; }
    Dialog .dialog--title { text-style: bold; margin: 0 0 1 0; }
    Dialog .dialog--body { height: auto; margin: 0 0 1 0; scrollbar-size-vertical: 1; }
    Dialog .dialog--hint { color: $text-muted; margin: 1 0 0 0; }
    Dialog .dialog--buttons { height: 1; }
    Dialog .dialog--buttons Button { margin: 0 2 0 0; min-width: 10; }
    Dialog:ansi .dialog--hint { color: ansi_default; text-style: dim; }
    Dialog.-low > .dialog--box { max-width: 100%; max-height: 100%; padding: 0 1; }
    Dialog.-low .dialog--title, Dialog.-low .dialog--body, Dialog.-low .dialog--hint { margin: 0; }
    Dialog.-low .dialog--buttons, Dialog.-low OptionRows { margin: 0; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.heading = one_line(title)

    def compose(self) -> ComposeResult:
        """The title above what the subclass puts in."""
        with Vertical(classes="dialog--box"):
            yield Static(Content(self.heading), classes="dialog--title")
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        """What stands below the title."""
        raise NotImplementedError

    def action_cancel(self) -> None:
        """Leave without a result."""
        self.dismiss(None)


def _hint(text: str) -> Static:
    return Static(Content(text), classes="dialog--hint")


def room_for(widget: Widget, container: Size, viewport: Size, width: int) -> int:
    """Rows that a dialog's box has left for one of its children; the others are shown whole. (A relative `max-height`
    does not count inside a box of automatic height, hence this.)"""
    box = widget.parent
    assert isinstance(box, Widget)
    room = viewport.height if viewport.height < LOW else int(viewport.height * BOX_SHARE)
    room -= box.gutter.height + widget.styles.margin.height
    for child in box.displayed_children:
        if child is widget:
            continue
        fixed = child.styles.height
        if fixed is not None and fixed.cells is not None:
            height = fixed.cells
        else:
            height = child.get_content_height(container, viewport, max(1, width - child.gutter.width))
        room -= height + child.gutter.height + child.styles.margin.height
    return max(LEAST, room)


class DialogBody(VerticalScroll):
    """What may be longer than the screen: as high as its content, within what the dialog has left for it."""

    def __init__(self, *children: Widget, can_focus: bool = False) -> None:
        super().__init__(*children, classes="dialog--body", can_focus=can_focus)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The height of the content, where there is room for it."""
        height = super().get_content_height(container, viewport, width)
        return max(1, min(height, room_for(self, container, viewport, width)))


class Confirm(Dialog[bool]):
    """A question with two answers. Esc is no, and the cursor stands on no unless `default_yes`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
        Binding("left,up", "choose(True)", "Yes", show=False),
        Binding("right,down", "choose(False)", "No", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]
    AUTO_FOCUS = "Button.-chosen"
    HINT = "←→ choose · Enter · y yes · n no · Esc cancels"

    def __init__(self, title: str, body: str, yes: str = "Yes", no: str = "No", *, default_yes: bool = False) -> None:
        super().__init__(title)
        self._body, self._yes, self._no, self._default_yes = visible(body), yes, no, default_yes

    def compose_body(self) -> ComposeResult:
        """The question and the two answers."""
        with DialogBody():
            yield Static(Content(self._body))
        with Horizontal(classes="dialog--buttons"):
            yes = "-chosen" if self._default_yes else ""
            no = "" if self._default_yes else "-chosen"
            yield Button(Content(one_line(self._yes)), id="yes", classes=yes, compact=True)
            yield Button(Content(one_line(self._no)), id="no", classes=no, compact=True)
        yield _hint(self.HINT)

    @on(Button.Pressed)
    def take_answer(self, event: Button.Pressed) -> None:
        """A button was pressed."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_page(self, pages: int) -> None:
        """Scroll a question that is longer than the screen."""
        body = self.query_one(DialogBody)
        body.scroll_relative(y=pages * max(1, body.size.height - 1), animate=False)

    def action_choose(self, yes: bool) -> None:
        """Stand on an answer. It does not go round: one key too many must not turn a no into a yes."""
        self.query_one("#yes" if yes else "#no", Button).focus()

    def action_answer(self, yes: bool) -> None:
        """Answer by letter."""
        self.dismiss(yes)

    def action_cancel(self) -> None:
        """Esc is no."""
        self.dismiss(False)


class Prompt(Dialog[str | None]):
    """Asks for one line, such as a title. Esc gives None. `enter` is what Enter does with it."""

    def __init__(self, title: str, value: str = "", placeholder: str = "", *, enter: str = "keeps it") -> None:
        super().__init__(title)
        self._value, self._placeholder, self._enter = one_line(value), one_line(placeholder), enter

    def compose_body(self) -> ComposeResult:
        """The input, its text selected so that typing replaces it."""
        yield LineInput(self._value, placeholder=self._placeholder, select_on_focus=True)
        yield _hint(f"Enter {self._enter} · Esc cancels")

    @on(Input.Submitted)
    def take_value(self, event: Input.Submitted) -> None:
        """Enter was pressed."""
        event.stop()
        self.dismiss(event.value.strip())


class Progress(Dialog[None]):
    """A bar for something that takes long. Esc posts `Cancelled`; whoever opened it dismisses it."""

    DEFAULT_CSS = """
    Progress ProgressBar { width: 1fr; }
    Progress ProgressBar Bar { width: 1fr; }
    """

    @dataclass
    class Cancelled(Message):
        """The person wants it stopped."""

        progress: Progress

    def __init__(self, title: str, body: str = "") -> None:
        super().__init__(title)
        self._body = Static(Content(visible(body)), classes="dialog--body")
        self._bar = ProgressBar(show_eta=False)
        self._detail = Static("", classes="dialog--hint", markup=False)

    def compose_body(self) -> ComposeResult:
        """The body, the bar, and the figures in words."""
        yield self._body
        yield self._bar
        yield self._detail
        yield Static(Content("Esc stops it"), classes="dialog--hint")

    def update(self, done: float, total: float | None, detail: str = "") -> None:
        """Show how far it is, in any unit; with `total` None the bar only says that it goes on.

        Args:
            detail: in words, such as `12.3 of 98.0 MB`.
        """
        self._bar.update(total=total, progress=done)
        self._detail.update(Content(one_line(detail)))

    def action_cancel(self) -> None:
        """Ask whoever opened it to stop."""
        self.post_message(self.Cancelled(self))


class TextPanel(Dialog[None]):
    """A text to read, as it is. Esc and Enter close it; the arrow keys scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "cancel", "Close", show=False)]
    AUTO_FOCUS = ".dialog--body"

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self.add_class("-wide")
        self._text = visible(text)

    def compose_body(self) -> ComposeResult:
        """The text in a box that scrolls."""
        with DialogBody(can_focus=True):
            yield Static(Content(self._text or "There is nothing to show."))
        yield _hint("↑↓ scroll · Esc closes")
