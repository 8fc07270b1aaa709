"""The progress bar of a replay: how far it is, where the path forks, where it ended, and the times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from convend_tui.replay import Mark
from convend_tui.tui.rows import BOLD, DIM

HEAD, PLAYED, COMING = "●", "━", "─"
FORKS = {True: "┳", False: "┬"}
"""A fork that was played, and one that comes."""
ENDING = "⊘"
_NARROWEST = 10
"""Cells of the bar; where there are fewer, the times go."""


def clock_of(ms: float) -> str:
    """A time in the replay: `0:07`, `1:02:03`."""
    minutes, seconds = divmod(int(ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def cell_of(moment: float, duration: int, width: int) -> int:
    """The cell, from 0, of a moment in a bar of `width` cells."""
    last = max(0, width - 1)
    return min(last, max(0, round(moment / duration * last))) if duration else 0


def marked_cells(marks: Sequence[Mark], duration: int, width: int) -> dict[int, str]:
    """The kind of the mark in each cell that has one: of several, an ending."""
    found: dict[int, str] = {}
    for mark in marks:
        cell = cell_of(mark.at, duration, width)
        if found.get(cell) != "ending":
            found[cell] = mark.kind
    return found


def drawn(head: int, marked: Mapping[int, str], width: int) -> tuple[str, str]:
    """The part of the bar up to its head, and the part after it."""

    def glyph(cell: int) -> str:
        kind = marked.get(cell)
        if cell == head and kind != "ending":
            return HEAD
        return ENDING if kind == "ending" else FORKS[cell < head] if kind else PLAYED if cell < head else COMING

    whole = "".join(map(glyph, range(width)))
    return whole[: head + 1], whole[head + 1 :]


class ReplayBar(Widget):
    """One line. A click goes to a moment."""

    DEFAULT_CSS = """
    ReplayBar { height: 1; width: 1fr; padding: 0 1; }
    """

    class Clicked(Message):
        """The person wants to be at another moment."""

        def __init__(self, moment: float) -> None:
            super().__init__()
            self.moment = moment
            """ms since the replay began."""

    def __init__(self) -> None:
        super().__init__()
        self._moment = 0.0
        self._duration = 0
        self._marks: Sequence[Mark] = ()
        self._marked: tuple[int, dict[int, str]] = (-1, {})
        """Width, and what was worked out for it."""

    def show(self, moment: float, duration: int, marks: Sequence[Mark]) -> None:
        """Show this place of a replay of `duration` ms."""
        before = self._look()
        self._moment = moment
        if marks is not self._marks or duration != self._duration:
            self._marks, self._duration, self._marked = marks, duration, (-1, {})
            self.refresh()
        elif self._look() != before:
            self.refresh()

    def _look(self) -> tuple[int, str]:
        """All of it that changes as time goes by."""
        return cell_of(self._moment, self._duration, self._room), self._times

    @property
    def _times(self) -> str:
        whole = clock_of(self._duration)
        return f"  {clock_of(self._moment).rjust(len(whole))} / {whole}"

    @property
    def _room(self) -> int:
        """Cells of the bar itself."""
        width = self.content_size.width
        room = width - cell_len(self._times)
        return room if room >= _NARROWEST else width

    def render(self) -> Content:
        """The bar, and how much of how much."""
        room, width = self._room, self.content_size.width
        if self._marked[0] != room:
            self._marked = (room, marked_cells(self._marks, self._duration, room))
        played, coming = drawn(cell_of(self._moment, self._duration, room), self._marked[1], room)
        line = Content(played).stylize(BOLD) + Content(coming).stylize(DIM)
        return line + Content(self._times) if room < width else line

    def on_click(self, event: events.Click) -> None:
        """Go where it was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.x < self._room:
            event.stop()
            self.post_message(self.Clicked(offset.x / max(1, self._room - 1) * self._duration))
