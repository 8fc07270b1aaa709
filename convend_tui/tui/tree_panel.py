"""The tree of a chat's branches: what it is, what is wrong with it, a filter, and the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from convend_tui.plain import one_line
from convend_tui.thread.outline import Outline
from convend_tui.tui.commands import bindings
from convend_tui.tui.dialogs import LineInput
from convend_tui.tui.rows import BOLD, DIM
from convend_tui.tui.tree_rows import TreeRows

TOLD = 2
"""Problems that are told; of more, their number."""
MOMENT_S = 2.0


class TreePanel(Vertical):
    """Lists every message of every branch. `TreeRows.GoTo` says where to go, `Closed` that it was enough."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("tree"),
        Binding("escape", "leave", "Close", show=False),
        Binding("up", "from_filter(-1)", "Up", show=False),
        Binding("down", "from_filter(1)", "Down", show=False),
        Binding("t", "close", "Close", show=False),
        Binding("slash", "filter", "Filter", show=False),
        Binding("question_mark", "screen.do('keys')", "Help", show=False),
    ]

    DEFAULT_CSS = """
    TreePanel { width: 44; height: 100%; background: $surface; }
    TreePanel > .tree--head { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    TreePanel > .tree--problems { height: auto; max-height: 6; padding: 0 1; color: $text-warning; }
    TreePanel > LineInput { margin: 0 1; }
    """

    class Closed(Message):
        """The panel is to go."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._outline: Outline | None = None
        self._head = Static(classes="tree--head", markup=False)
        self._problems = Static(classes="tree--problems", markup=False)
        self._filter = LineInput(placeholder="Words of a message")
        self.rows = TreeRows()
        self._filter.display = self._problems.display = False

    def compose(self) -> ComposeResult:
        """The rows below the rest."""
        yield self._head
        yield self._problems
        yield self._filter
        yield self.rows

    def on_mount(self) -> None:
        """Whoever opens it wants to go somewhere."""
        self.rows.focus()

    def show(
        self, outline: Outline | None, leaf: str | None, here: str | None, problems: Sequence[str], *, follow: bool
    ) -> None:
        """Show an outline; see `TreeRows.show`. `problems` are sentences on what is wrong with it."""
        self._outline = outline
        self.rows.show(outline, leaf, here, follow=follow)
        if self._filter.value.strip() and not self.rows.wanted:
            self._filter.value = ""
            self._filter.display = False
        self._tell(problems)

    def _tell(self, problems: Sequence[str]) -> None:
        told = [f"⚠ {one_line(problem, 200)}" for problem in problems[:TOLD]]
        if len(problems) > TOLD:
            told.append(f"⚠ and {len(problems) - TOLD:,} more")
        self._problems.update(Content("\n".join(told)))
        self._problems.display = bool(told)

    @on(TreeRows.Changed)
    def count(self, event: TreeRows.Changed) -> None:
        """Say how much there is."""
        event.stop()
        self._head.update(self._heading())

    @on(TreeRows.Stuck)
    def explain(self, event: TreeRows.Stuck) -> None:
        """Say for a moment why nothing moved."""
        event.stop()
        self._head.update(self._heading(event.words))
        self.set_timer(MOMENT_S, lambda: self._head.update(self._heading()))

    def _heading(self, words: str = "") -> Content:
        facts = [words] if words else []
        if (hits := self.rows.hits) is not None:
            facts.append(f"{hits:,} found")
        if self._outline:
            messages, (branches, hidden) = len(self._outline), self._outline.ends
            facts.append(f"{messages:,} message{'s' if messages != 1 else ''}")
            facts += [f"{branches:,} branches"] if branches > 1 else []
            facts += [f"{hidden:,} hidden"] if hidden else []
        return Content("Tree").stylize(BOLD) + Content("".join(f" · {fact}" for fact in facts)).stylize(DIM)

    # -- the filter -------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Go to the filter."""
        self._filter.display = True
        self._filter.focus()

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """The filter changed."""
        event.stop()
        self.rows.filter(event.value)

    @on(Input.Submitted)
    def take_cursor(self, event: Input.Submitted) -> None:
        """Enter in the filter does what it does on the row under the cursor."""
        event.stop()
        # As if the key had come to the rows: a message of theirs that is sent from here would not get past this panel.
        self.rows.call_next(self.rows.action_choose)

    def action_from_filter(self, step: int) -> None:
        """The arrow keys lead out of the filter, to the rows."""
        self._focus_rows()
        self.rows.action_move(step)

    def _focus_rows(self) -> None:
        # At once, not as `Widget.focus` does it: the next key may be here already, and is not meant for the filter.
        self.screen.set_focus(self.rows)

    def action_leave(self) -> None:
        """Esc: leave the filter; else the panel."""
        if self._filter.display:
            self._filter.display = False
            self._filter.value = ""
            self._focus_rows()
        else:
            self.action_close()

    def action_close(self) -> None:
        """Close the panel."""
        self.post_message(self.Closed())
