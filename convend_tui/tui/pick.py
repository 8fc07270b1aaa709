"""Pick one of many: a filter that takes the typing, and a list that takes the arrow keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widgets import Input, Static

from convend_tui.plain import one_line, visible
from convend_tui.tui.dialogs import Dialog, LineInput, room_for
from convend_tui.tui.rows import BOLD, DIM, RowList

LOADING = "Loading…"
NO_MATCH = "Nothing matches. Backspace widens the filter."


@dataclass(frozen=True, slots=True)
class PickOption:
    """One of the things that can be picked."""

    id: str
    label: str
    detail: str = ""
    disabled_reason: str | None = None
    """why it cannot be picked now; None: it can"""


class OptionRows(RowList):
    """The options that match the filter."""

    DEFAULT_CSS = """
    OptionRows { height: auto; min-height: 3; background: $surface; margin: 1 0 0 0; }
    OptionRows:ansi { background: ansi_default; }
    OptionRows > .row-list--cursor { background: $primary-muted; }
    OptionRows:ansi > .row-list--cursor { text-style: reverse; }
    """

    @dataclass
    class Chosen(Message):
        """Enter or a click on an option."""

        option: PickOption

    def __init__(self, current: str | None) -> None:
        super().__init__()
        self.can_focus = False
        self._current = current
        self._options: list[PickOption] = []
        self._folded: list[str] = []
        self._shown: list[int] = []
        self._label_width = 0
        self._wanted = ""
        self._empty = LOADING

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """At most half the screen, and what the dialog has left."""
        room = min(viewport.height // 2, room_for(self, container, viewport, width))
        return min(super().get_content_height(container, viewport, width), room)

    def set_options(self, options: Sequence[PickOption], empty: str) -> None:
        """Show these; `empty` stands there when there are none. The cursor goes to the current one."""
        stay_on = self.option.id if self.option else self._current
        self._options = list(options)
        self._folded = [f"{one.label} {one.detail} {one.id}".casefold() for one in self._options]
        self._label_width = max((cell_len(one_line(one.label)) for one in self._options), default=0)
        self._empty = empty
        self._narrow(stay_on)

    def filter(self, wanted: str) -> None:
        """Show the options that hold every word of `wanted`, the cursor on the first of them."""
        self._wanted = wanted
        self._narrow(None if wanted else self._current)

    @property
    def option(self) -> PickOption | None:
        """The option under the cursor."""
        return self._options[self._shown[self.cursor]] if self._shown else None

    def _narrow(self, stay_on: str | None) -> None:
        words = self._wanted.casefold().split()
        matching = [at for at, text in enumerate(self._folded) if all(word in text for word in words)]
        self._shown = matching
        self.rows_changed(next((at for at, i in enumerate(matching) if self._options[i].id == stay_on), 0))

    @property
    def row_count(self) -> int:
        """Options that match."""
        return len(self._shown)

    @property
    def empty_text(self) -> str:
        """Loading, the error, or nothing there."""
        return NO_MATCH if self._options else self._empty

    @property
    def keys_go_here(self) -> bool:
        """The filter has the focus, and hands the arrow keys on."""
        return True

    def choose(self, row: int) -> None:
        """Tell the dialog."""
        self.post_message(self.Chosen(self._options[self._shown[row]]))

    def draw(self, row: int, line: int, width: int, mark: str) -> Content:
        """The mark, a dot at the current one, the label, and the detail or the reason."""
        option = self._options[self._shown[row]]
        dot = "●" if option.id == self._current else " "
        room = max(0, width - 4)
        column = min(self._label_width, max(12, room * 2 // 3))
        label = Content(one_line(option.label, min(column, room)))
        reason = option.disabled_reason
        rest = one_line(option.detail if reason is None else f"not now: {reason}", max(0, room - column - 2))
        if rest:
            label = label.truncate(column, pad=True) + Content("  ") + Content(rest).stylize(DIM)
        shown = label if reason is None else label.stylize(DIM)
        return Content(f"{mark} {dot} ") + (shown.stylize(BOLD) if option.id == self._current else shown)


class Pick(Dialog[str | None]):
    """Pick one option; gives its id, or None for Esc. `options` None: they come later, by `set_options`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,ctrl+p", "list('move', -1)", "Up", show=False, priority=True),
        Binding("down,ctrl+n", "list('move', 1)", "Down", show=False, priority=True),
        Binding("pageup", "list('page', -1)", "Page up", show=False, priority=True),
        Binding("pagedown", "list('page', 1)", "Page down", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        options: Sequence[PickOption] | None = None,
        current: str | None = None,
        empty: str = "There is nothing to pick from.",
    ) -> None:
        super().__init__(title)
        self.add_class("-wide")
        self._empty = visible(empty)
        self._filter = LineInput(placeholder="Type to filter")
        self._rows = OptionRows(current)
        self._reason = Static("", classes="dialog--hint", markup=False)
        if options is not None:
            self._rows.set_options(options, self._empty)

    def compose_body(self) -> ComposeResult:
        """The filter, the list, and a line that explains."""
        yield self._filter
        yield self._rows
        self._explain()
        yield self._reason

    def set_options(self, options: Sequence[PickOption]) -> None:
        """Show these options from now on; filter and cursor stay."""
        self._rows.set_options(options, self._empty)
        self._explain()

    def show_loading(self) -> None:
        """Show that the options are on their way."""
        self._rows.set_options([], LOADING)

    def show_error(self, message: str) -> None:
        """Show why there are no options."""
        self._rows.set_options([], f"⚠ {visible(message)}")

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """The filter changed."""
        event.stop()
        self._rows.filter(event.value)
        self._explain()

    @on(Input.Submitted)
    def take_cursor(self, event: Input.Submitted) -> None:
        """Enter in the filter picks what is under the cursor."""
        event.stop()
        self._rows.action_choose()

    @on(OptionRows.Chosen)
    def take(self, event: OptionRows.Chosen) -> None:
        """Leave with the option, or say why not."""
        event.stop()
        if event.option.disabled_reason is None:
            self.dismiss(event.option.id)
        else:
            self._explain()

    def action_list(self, what: str, amount: int) -> None:
        """Move the cursor of the list by rows or by pages."""
        if what == "move":
            self._rows.action_move(amount)
        else:
            self._rows.action_page(amount)
        self._explain()

    def _explain(self) -> None:
        option = self._rows.option
        reason = option.disabled_reason if option else None
        hint = "↑↓ choose · Enter picks · Esc cancels"
        self._reason.update(Content(hint if reason is None else f"Not now: {visible(reason)}"))
