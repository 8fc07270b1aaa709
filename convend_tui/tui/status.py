"""The two lines at the bottom: what is going on, and which keys do what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from convend_tui.plain import one_line
from convend_tui.tui.rows import BOLD, DIM

SEPARATOR = " · "


class StatusPart(NamedTuple):
    """A piece of the status line. Where it is narrow, the lowest `priority` is dropped first."""

    text: str
    priority: int = 0
    strong: bool = False


def usage_parts(
    tokens_in: int | None = None, cached: float | None = None, tokens_out: int | None = None
) -> list[StatusPart]:
    """The figures of a turn: `1,204 in · 96 % cached · 310 out`. `cached` is a share from 0 to 1."""
    parts = []
    if tokens_in is not None:
        parts.append(StatusPart(f"{tokens_in:,} in", 1))
    if cached is not None:
        parts.append(StatusPart(f"{cached:.0%}".replace("%", " % cached"), 0))
    if tokens_out is not None:
        parts.append(StatusPart(f"{tokens_out:,} out", 1))
    return parts


def _joined(parts: Sequence[StatusPart]) -> Content:
    shown = [Content(part.text).stylize(BOLD if part.strong else DIM) for part in parts]
    return Content(SEPARATOR).stylize(DIM).join(shown)


def _width(parts: Sequence[StatusPart]) -> int:
    return sum(cell_len(part.text) for part in parts) + len(SEPARATOR) * max(0, len(parts) - 1)


class StatusLine(Widget):
    """One line: the model and the state of the thread at the left, figures at the right."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; padding: 0 1; background: $surface; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._left: list[StatusPart] = []
        self._right: list[StatusPart] = []

    def show(self, left: Iterable[StatusPart], right: Iterable[StatusPart] = ()) -> None:
        """Show these parts; empty ones are left out."""
        self._left = [part._replace(text=one_line(part.text)) for part in left if part.text]
        self._right = [part._replace(text=one_line(part.text)) for part in right if part.text]
        self.refresh()

    def render(self) -> Content:
        """The parts that fit, the two groups at the two ends."""
        width = self.content_size.width
        left, right = list(self._left), list(self._right)
        while len(left) + len(right) > 1 and _width(left) + _width(right) + (2 if left and right else 0) > width:
            # Of equally unimportant parts, the one furthest to the right goes.
            weakest = min(reversed([*left, *right]), key=lambda part: part.priority)
            group = right if weakest in right else left
            del group[len(group) - 1 - group[::-1].index(weakest)]
        gap = width - _width(left) - _width(right)
        return (_joined(left) + Content(" " * max(0, gap)) + _joined(right)).truncate(width, ellipsis=True)


class KeyHint(NamedTuple):
    """A key and what it does. `dimmed`: not now; shown in brackets, for screens without colour."""

    key: str
    label: str
    dimmed: bool = False


class KeyHints(Widget):
    """One line of keys: as many as fit, in the order given."""

    DEFAULT_CSS = """
    KeyHints { height: 1; width: 1fr; padding: 0 1; background: $surface; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._hints: list[KeyHint] = []

    def show(self, hints: Iterable[tuple[str, str, bool]]) -> None:
        """Show these hints, the most useful first."""
        self._hints = [KeyHint(*hint) for hint in hints]
        self.refresh()

    def render(self) -> Content:
        """Key in bold, what it does beside it, three blanks between hints."""
        width, line = self.content_size.width, Content("")
        for hint in self._hints:
            if hint.dimmed:
                piece = Content(f"({hint.key} {hint.label})").stylize(DIM)
            else:
                piece = Content(hint.key).stylize(BOLD) + Content(f" {hint.label}")
            longer = line + Content("   ") + piece if line else piece
            if longer.cell_length > width:
                break
            line = longer
        return line
