"""The rows of the tree: a line a message, bars at forks, folds for straight runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style

from convend_tui.plain import one_line
from convend_tui.thread import records as r
from convend_tui.thread.outline import Outline, Row, Rows, preview
from convend_tui.tui.rows import BOLD, DIM, RowList

EMPTY = "No messages yet. What you write and every answer will be listed here. Esc closes."
NO_MATCH = "Nothing matches. Esc leaves the filter."
HERE, CURRENT, ASIDE, FOLD = "◉", "●", "○", "┊"
"""The message with the focus; one on the path shown; one that is not; a fold."""
FOUND = Style(bold=True, underline=True)
DEEPEST = 8
"""Steps of indentation that are drawn."""
_ROLE = 6
"""Cells of who wrote it."""
_WORDS = 12
"""Cells that the first words get before there is room for the time."""
_MANY_WORDS = 32
"""Cells that the first words get before there is room for the model."""
_LABEL = 20
"""Cells of a label."""
_MODEL = 24
_WHEN = 12


class TreeRows(RowList):
    """The messages of all branches. Moving does nothing but move; `GoTo` is posted by Enter and by a click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "move(-1)", "Up", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("g", "first", "First", show=False),
        Binding("G", "last", "Last", show=False),
        Binding("ctrl+u", "page(-1)", "Page up", show=False),
        Binding("ctrl+d,space", "page(1)", "Page down", show=False),
        Binding("o", "turn", "Fold", show=False),
        Binding("O", "turn_all", "Fold all", show=False),
        Binding("right", "unfold", "Unfold", show=False),
        Binding("left", "fold", "Fold", show=False),
        Binding("n", "jump('fork', 1)", "Next fork", show=False),
        Binding("N", "jump('fork', -1)", "Previous fork", show=False),
        Binding("right_square_bracket", "jump('branch', 1)", "Next branch", show=False),
        Binding("left_square_bracket", "jump('branch', -1)", "Previous branch", show=False),
    ]

    DEFAULT_CSS = """
    TreeRows { height: 1fr; background: $surface; }
    TreeRows:ansi { background: ansi_default; }
    TreeRows > .tree-rows--you { color: $text-accent; }
    TreeRows > .tree-rows--model { color: $text-primary; }
    TreeRows > .tree-rows--ended { color: $text-warning; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tree-rows--you", "tree-rows--model", "tree-rows--ended"}

    @dataclass
    class GoTo(Message):
        """A message was chosen."""

        id: str

    @dataclass
    class Changed(Message):
        """There are other rows than before."""

    @dataclass
    class Stuck(Message):
        """There is nothing to jump to."""

        words: str

    def __init__(self) -> None:
        super().__init__()
        self._outline: Outline | None = None
        self._rows: Rows | None = None
        self._leaf: str | None = None
        self._here: str | None = None
        self._unfolded: set[str] = set()
        self._wanted = ""

    # -- what is shown --------------------------------------------------------------------------------

    def show(self, outline: Outline | None, leaf: str | None, here: str | None, *, follow: bool) -> None:
        """Show an outline. `leaf` ends the current path, `here` is the message with the focus; with `follow` the cursor
        goes there, else it stays on its message."""
        other = outline is None or self._outline is None or outline.thread.id != self._outline.thread.id
        if other:
            self._unfolded, self._wanted = set(), ""
        self._outline, self._leaf, self._here = outline, leaf, here
        if follow or other:
            self._make(here)
        else:
            self._make(self.message_id, whole=not self._on_fold)

    @property
    def wanted(self) -> str:
        """What the filter looks for; empty: everything."""
        return self._wanted

    def filter(self, wanted: str) -> None:
        """Show only the messages with these words and what stands above them, the cursor on the first of them."""
        self._wanted = wanted
        self._make(self.message_id or self._here, whole=not self._on_fold)
        if self._rows is not None and self._rows.hits:
            self.move_to(self._rows.next_hit(-1, 1) or 0)

    @property
    def hits(self) -> int | None:
        """How many messages the filter found; None without one."""
        return self._rows.hits if self._rows is not None else None

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    @property
    def message(self) -> r.Message | None:
        """The message under the cursor; of a fold, its first."""
        return row.message if (row := self.row) else None

    @property
    def message_id(self) -> str | None:
        """The id of that message."""
        return message.id if (message := self.message) else None

    @property
    def _on_fold(self) -> bool:
        return (row := self.row) is not None and row.folded > 0

    def _make(self, stay_on: str | None, *, whole: bool = True) -> None:
        """Make the rows anew, the cursor on a message (where it is left out, on the row where it was). With `whole`
        that message is not folded away."""
        place: int | None = None
        self._rows = None
        if self._outline is not None:
            self._rows = self._outline.rows(
                self._leaf,
                here=self._here,
                kept=stay_on if whole else None,
                unfolded=self._unfolded,
                wanted=self._wanted,
            )
            place = self._rows.index_of(stay_on)
        self.rows_changed(self.cursor if place is None else place)
        self.post_message(self.Changed())

    # -- folding --------------------------------------------------------------------------------------

    def action_turn(self) -> None:
        """Fold or unfold the run under the cursor."""
        if row := self.row:
            self._set_folded(row, not row.folded)

    def action_unfold(self) -> None:
        """Unfold what is under the cursor."""
        if (row := self.row) and row.folded:
            self._set_folded(row, False)

    def action_fold(self) -> None:
        """Fold the run under the cursor; where it is folded, go to the fork above it."""
        if not (row := self.row) or self._rows is None:
            return
        if row.run.id in self._unfolded:
            self._set_folded(row, True)
        elif (above := self._rows.fork_above(self.cursor)) is not None:
            self.move_to(above)

    def action_turn_all(self) -> None:
        """Fold every run; where they are all folded, unfold them."""
        if self._outline is None:
            return
        self._unfolded = set() if self._unfolded else {run.id for run in self._outline.runs}
        self._make(self.message_id, whole=False)

    def _set_folded(self, row: Row, folded: bool) -> None:
        if folded:
            self._unfolded.discard(row.run.id)
        else:
            self._unfolded.add(row.run.id)
        self._make(row.message.id, whole=False)

    # -- moving ---------------------------------------------------------------------------------------

    def action_jump(self, what: str, step: int) -> None:
        """Go to the next fork (with a filter: to the next message found), or to the next branch of this fork."""
        if not self._rows:
            return
        if what == "branch":
            place = self._rows.next_branch(self.cursor, step)
        elif self._rows.hits is not None:
            what, place = "match", self._rows.next_hit(self.cursor, step)
        else:
            place = self._rows.next_fork(self.cursor, step)
        if place is None:
            self.post_message(self.Stuck(f"No {what} further {'down' if step > 0 else 'up'}"))
        else:
            self.move_to(place)

    # -- RowList ----------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        """Messages and folds."""
        return len(self._rows) if self._rows is not None else 0

    @property
    def empty_text(self) -> str:
        """What to do next."""
        return NO_MATCH if self._wanted.strip() else EMPTY

    @property
    def keys_go_here(self) -> bool:
        """The filter hands Enter on."""
        return self.has_focus or (self.parent is not None and self.parent.has_focus_within)  # type: ignore[attr-defined]

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> None:
        """Scroll in the frame that comes next; by itself it would be the one after."""
        super().scroll_to(x, y, **(options | {"animate": False, "immediate": True}))

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        changed = super()._size_updated(size, virtual_size, container_size, layout)
        if changed:
            # The Resize event would come after the first frame, which would show other rows than the cursor's.
            self.show_cursor_row()
        return changed

    def choose(self, row: int) -> None:
        """Go to a message; unfold a fold."""
        assert self._rows is not None
        chosen = self._rows[row]
        if chosen.folded:
            self._set_folded(chosen, False)
        else:
            self.post_message(self.GoTo(chosen.message.id))

    def draw(self, row: int, line: int, width: int, mark: str) -> Content:
        """The mark, the bars of the forks, and the message or the fold."""
        assert self._rows is not None
        shown = self._rows[row]
        start = Content(mark) + self._stem(shown)
        room = max(0, width - start.cell_length - 1)
        if shown.folded:
            return start + Content(" ") + Content(one_line(fold_words(shown), room)).stylize(DIM)
        return start + Content(" ") + self._message(shown, room)

    def _stem(self, row: Row) -> Content:
        steps = min(row.run.depth, DEEPEST)
        bars = "│ " * steps
        if row.first and row.run.inner:
            bars = "│ " * (steps - 1) + "├─"
        if row.folded:
            return Content(bars + FOLD).stylize(DIM)
        sign = HERE if row.here else CURRENT if row.current else ASIDE
        return Content(bars).stylize(DIM) + Content(sign).stylize(BOLD if row.current else DIM)

    def _message(self, row: Row, room: int) -> Content:
        who = "You" if row.message.role == "user" else "Model"
        line = Content(f"{who:<{_ROLE}}")
        line = line.stylize(self._style(who.lower()))
        line = line.stylize(BOLD) if row.current else line
        if row.first and row.run.place:
            line += Content(f"{row.run.place} ").stylize(BOLD)
        if label := one_line(row.label, _LABEL):
            line += Content(f"⚑ {label} ").stylize(BOLD)
        states = ["⊘ ended"] * row.ended + ["(hidden)"] * row.hidden
        left = room - line.cell_length - sum(cell_len(state) + 1 for state in states)
        facts = _facts(row, left)
        words = max(0, left - (cell_len(facts) + 2 if facts else 0))
        text = self._marked(preview(row.message, words, self._wanted), row)
        line += text.truncate(words, pad=True)
        for state in states:
            line += Content(" ") + Content(state).stylize(self._style("ended") if state != "(hidden)" else Style())
        if facts:
            line += Content("  ") + Content(facts).stylize(DIM)
        return line.stylize(DIM) if row.hidden else line

    def _marked(self, text: str, row: Row) -> Content:
        """The words with what the filter found in them; what stands only for its place in the tree is dimmed."""
        content, folded = Content(text), text.casefold()
        if not self._wanted.strip():
            return content
        if not row.hit:
            return content.stylize(DIM)
        for word in self._wanted.casefold().split() if len(folded) == len(text) else ():
            if (place := folded.find(word)) >= 0:
                content = content.stylize(FOUND, place, place + len(word))
        return content

    def _style(self, name: str) -> Style:
        return self.get_visual_style(f"tree-rows--{name}", partial=True)


def fold_words(row: Row) -> str:
    """What a fold says: `▸ 6 turns`."""
    if row.turns:
        return f"▸ {row.turns:,} turn{'s' if row.turns > 1 else ''}"
    return f"▸ {row.folded:,} messages"


def _when(at: str) -> str:
    """A time of today as `14:02`, of another day as `12 Nov` or `12 Nov 2025`."""
    moment = r.moment_of(at)
    if moment is None:
        return at
    moment, now = moment.astimezone(), datetime.now().astimezone()
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment:%-d %b}" if moment.year == now.year else f"{moment:%-d %b %Y}"


def _facts(row: Row, room: int) -> str:
    """Model and time, as far as there is room beside the first words."""
    when = one_line(_when(row.message.at), _WHEN)
    model = one_line(row.message.model or "", _MODEL)
    for facts, words in ((f"{model}  {when}" if model else when, _MANY_WORDS), (when, _WORDS)):
        if room - cell_len(facts) - 2 >= words:
            return facts
    return ""
