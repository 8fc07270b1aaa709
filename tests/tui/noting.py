"""A list of notes on the screen, for tests of the virtual list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from convend_tui.tui.lines import VirtualLines
from convend_tui.tui.markdown import Line, MarkdownBody, Palette
from convend_tui.tui.palette import Tone
from convend_tui.tui.plain_body import PlainBody
from tests.tui.waiting import until


class Note:
    """An item of the list that counts how often it is rendered."""

    rendered: ClassVar[list[str]] = []
    tone: Tone = "user"

    def __init__(self, key: str, text: str, guess: int | None = None) -> None:
        self.key = key
        self.body: PlainBody | MarkdownBody = PlainBody(text)
        self.guess = guess
        self.forgotten = 0

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        Note.rendered.append(self.key)
        return self.body.lines(width, palette)

    def estimate(self, width: int) -> int:
        return self.body.estimate(width) if self.guess is None else self.guess

    def forget(self) -> None:
        self.forgotten += 1


class Notes(App[None]):
    def __init__(self, items: Iterable[Note]) -> None:
        super().__init__()
        self.start = list(items)
        self.clicked: list[str] = []

    def compose(self) -> ComposeResult:
        yield VirtualLines()

    def on_mount(self) -> None:
        Note.rendered.clear()
        self.list.set_items(self.start)
        self.list.focus()

    def on_virtual_lines_focused(self, event: VirtualLines.Focused) -> None:
        self.clicked.append(event.key)

    @property
    def list(self) -> VirtualLines:
        return self.query_one(VirtualLines)


def notes(count: int, lines: int = 3, guess: int | None = None) -> list[Note]:
    return [Note(f"n{n}", "\n".join(f"note {n} line {k}" for k in range(lines)), guess) for n in range(count)]


def screen(app: Notes) -> list[str]:
    """The rows of the list without bars, as drawn."""
    view = app.list
    return [view.render_line(y).text[2:].rstrip() for y in range(view.size.height)]


async def shown(pilot: Pilot[Any], app: Notes, text: str) -> None:
    await until(pilot, lambda: text in screen(app))
