"""Two branches beside each other from where they part, the words that differ marked; one of them is kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from convend_tui.plain import one_line, visible
from convend_tui.thread import records as r
from convend_tui.thread.compare import Pair, Piece, compare, differences, likeness
from convend_tui.thread.outline import preview
from convend_tui.thread.tree import Thread
from convend_tui.tui.items import clock
from convend_tui.tui.lines import VirtualLines
from convend_tui.tui.palette import Palette, Tone
from convend_tui.tui.status import KeyHints
from convend_tui.tui.wrap import BLANK, Line, Span, wrap

SIDE_BY_SIDE = 84
"""Cells of a row from which on two columns read well; below it the two stand one after the other."""
GAP = 3
"""Cells between the columns."""
ALIKE = 0.3
"""Texts that share less than this are different texts: marking every word would tell nothing."""

Side = Literal["left", "right"]
NAMES: dict[Side, str] = {"left": "1", "right": "2"}


class PairItem:
    """A message of each branch, side by side or one below the other."""

    tone: Tone = "none"

    def __init__(self, number: int, pair: Pair) -> None:
        self.key = f"pair {number}"
        self._pair = pair
        self._pieces: tuple[list[Piece], list[Piece]] | None = None

    def estimate(self, width: int) -> int:
        """A cheap guess of its height."""
        column = max(1, (width - GAP) // 2 if width >= SIDE_BY_SIDE else width)
        heights = [2 + len(r.text_of(m)) // column for m in (self._pair.left, self._pair.right) if m is not None]
        return max(heights) if width >= SIDE_BY_SIDE else sum(heights)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """The heads and the words of both."""
        if width < SIDE_BY_SIDE:
            left, right = (self._side(side, width, palette) for side in ("left", "right"))
            return [*left, *([BLANK] if left and right else []), *right]
        column = (width - GAP) // 2
        left, right = (self._side(side, column, palette) for side in ("left", "right"))
        dim = palette.style("rule")
        return [_beside(one, two, column, dim) for one, two in zip_longest(left, right, fillvalue=BLANK)]

    def _side(self, side: Literal["left", "right"], width: int, palette: Palette) -> list[Line]:
        message = self._pair.left if side == "left" else self._pair.right
        if message is None:
            return []
        tone: Tone = "user" if message.role == "user" else "assistant"
        who = "You" if tone == "user" else one_line(message.model or "Model")
        head: list[Span] = [
            (f"{NAMES[side]} ", palette.style("text") + Style(bold=True)),
            (who, palette.bar(tone) + Style(bold=True)),
            (f" · {clock(message.at)}", palette.style("dim")),
        ]
        plain = palette.style("text")
        mark = palette.style("accent") + Style(bold=True, underline=True)
        pieces = self._marked()[side == "right"]
        words: list[Span] = [(text, mark if differs else plain) for text, differs in pieces]
        return [*wrap(head, width), *wrap(words or [("(no words)", palette.style("dim"))], width)]

    def _marked(self) -> tuple[list[Piece], list[Piece]]:
        """The words of both sides; worked out when they first come near the screen."""
        if self._pieces is None:
            left, right = (visible(_words(m)) if m is not None else "" for m in (self._pair.left, self._pair.right))
            same_role = self._pair.left is not None and self._pair.right is not None
            if same_role and likeness(left, right) >= ALIKE:
                self._pieces = differences(left, right)
            else:
                self._pieces = ([(left, False)] if left else []), ([(right, False)] if right else [])
        return self._pieces


class EdgeItem:
    """What stands above the first pair, or below the last."""

    tone: Tone = "none"

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        self._text = text

    def estimate(self, width: int) -> int:
        """A cheap guess of its height."""
        return 1 + len(self._text) // max(1, width)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """One dim sentence."""
        return wrap([(self._text, palette.style("dim"))], width)


class CompareScreen(ModalScreen[str | None]):
    """Gives the end of the branch that is kept, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1,left", "keep('left')", "Keep the left one", show=False),
        Binding("2,right", "keep('right')", "Keep the right one", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False, priority=True),
        Binding("down,j", "scroll(1)", "Down", show=False, priority=True),
        Binding("escape,q,d", "leave", "Back", show=False),
    ]
    DEFAULT_CSS = """
    CompareScreen { background: $background; }
    CompareScreen Static { height: 1; width: 1fr; padding: 0 1; background: $surface; }
    CompareScreen:ansi Static { background: ansi_default; text-style: reverse; }
    """

    def __init__(self, thread: Thread, left: str, right: str) -> None:
        super().__init__()
        self._leaves: dict[Side, str] = {"left": left, "right": right}
        found = compare(thread, left, right)
        above = "They begin with different messages"
        if found.fork is not None:
            before = f" and {found.shared - 1:,} messages before it" if found.shared > 1 else ""
            above = f"After “{one_line(preview(found.fork), 60)}”{before}"
        pairs = [PairItem(number, pair) for number, pair in enumerate(found.pairs)]
        ends = [
            f"Branch {NAMES[side]} ends here: the model ended the conversation."
            for side, leaf in self._leaves.items()
            if any(message.id in thread.ended for message in thread.ancestry(leaf))
        ]
        self._hints = KeyHints()
        self._items: list[PairItem | EdgeItem] = [
            EdgeItem("above", above),
            *pairs,
            *(EdgeItem(end, end) for end in ends),
        ]

    def compose(self) -> ComposeResult:
        """A title, the two branches, and the keys."""
        with Vertical():
            yield Static(Content("Compare · what differs is underlined"))
            # Two columns want more room than one text does.
            yield VirtualLines(max_width=180)
            yield self._hints

    def on_mount(self) -> None:
        """Begin where they part."""
        lines = self.query_one(VirtualLines)
        lines.set_items(self._items, at_end=False)
        lines.focus()

    @on(events.Resize)
    def name_sides(self, event: events.Resize) -> None:
        """The keys, with the words that fit how the two stand."""
        one, other = ("left", "right") if event.size.width >= SIDE_BY_SIDE else ("first", "second")
        self._hints.show(
            [
                ("1", f"Keep the {one}", False),
                ("2", f"Keep the {other}", False),
                ("Esc", "Back", False),
                ("↑↓", "Scroll", False),
            ]
        )

    def action_keep(self, side: Side) -> None:
        """Go on with one of them."""
        self.dismiss(self._leaves[side])

    def action_leave(self) -> None:
        """Stay where one was."""
        self.dismiss(None)

    def action_scroll(self, rows: int) -> None:
        """Scroll by so many rows."""
        self.query_one(VirtualLines).scroll_relative(y=rows, animate=False)


def _words(message: r.Message) -> str:
    return r.text_of(message) or preview(message)


def _beside(left: Line, right: Line, column: int, rule: Style) -> Line:
    """Two lines as one row; what is copied is both, with a tab between."""
    padding = Segment(" " * max(0, column - left.cells) + " │ ", rule)
    segments = (*left.segments, padding, *right.segments)
    text = "".join(segment.text for segment in segments)
    return Line(segments, column + GAP + right.cells, text)
