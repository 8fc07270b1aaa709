"""What was found, a message in two lines: which, whose and when; and the part of it, the match in bold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message

from convend_tui.plain import one_line
from convend_tui.store.index_search import Hit
from convend_tui.thread import records as r
from convend_tui.tui.rows import BOLD, DIM, RowList
from convend_tui.tui.thread_list import ago

_INDENT = 2


def around(snippet: str, matches: Sequence[tuple[int, int]], room: int) -> tuple[str, list[tuple[int, int]]]:
    """The part of a snippet that fits `room` cells with the first match in it, and where the matches are there."""
    if not matches or cell_len(snippet[: matches[0][1]]) < room:
        return snippet, list(matches)
    begin = matches[0][0]
    while begin > 0 and cell_len(snippet[begin - 1 : matches[0][0]]) <= room // 3:
        begin -= 1
    shift = begin - 1  # for the mark of what is left out
    return f"…{snippet[begin:]}", [(start - shift, end - shift) for start, end in matches if start >= begin]


class HitRows(RowList):
    """Hits in the order of the index. `Chosen` is posted by Enter and by a click."""

    ROW_HEIGHT = 2

    DEFAULT_CSS = """
    HitRows { height: 1fr; background: $background; margin: 1 0 0 0; }
    HitRows > .row-list--cursor { background: $primary-muted; }
    HitRows:ansi > .row-list--cursor { text-style: reverse; }
    """

    class Chosen(Message):
        """A hit is to be shown."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    class Wanted(Message):
        """The cursor has come to the last hit: there may be more."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone()) -> None:
        super().__init__()
        self.can_focus = False
        self.hits: list[Hit] = []
        self._now = now

    def show(self, hits: Sequence[Hit], *, cursor: int = 0) -> None:
        """Show these, the cursor on one of them."""
        self.hits = list(hits)
        self.rows_changed(cursor)

    def place_of(self, hit: Hit | None) -> int | None:
        """Where a hit of another search stands in this one."""
        if hit is None:
            return None
        names = (hit.thread, hit.message)
        return next((at for at, one in enumerate(self.hits) if (one.thread, one.message) == names), None)

    @property
    def hit(self) -> Hit | None:
        """The hit under the cursor."""
        return self.hits[self.cursor] if self.hits else None

    def move_to(self, row: int) -> None:
        """At the end there may be more."""
        super().move_to(row)
        if row >= len(self.hits) - 1:
            self.post_message(self.Wanted())

    # RowList.

    @property
    def row_count(self) -> int:
        """Hits that are shown."""
        return len(self.hits)

    @property
    def empty_text(self) -> str:
        """The screen explains itself beside the list."""
        return ""

    @property
    def keys_go_here(self) -> bool:
        """The line of the query has the focus, and hands the arrow keys on."""
        return True

    def choose(self, row: int) -> None:
        """Tell the screen."""
        self.post_message(self.Chosen(row))

    def draw(self, row: int, line: int, width: int, mark: str) -> Content:
        """Title and facts, or the snippet."""
        hit = self.hits[row]
        room = max(0, width - _INDENT - 1)
        if line == 0:
            facts = _facts(hit, self._now())
            title = one_line(hit.title, max(8, room - cell_len(facts) - 2)).strip() or "Untitled"
            return Content(f"{mark} ") + Content(title) + Content(f"  {facts}").stylize(DIM)
        text, matches = around(hit.snippet, hit.matches, room)
        shown, place = Content(" " * _INDENT), 0
        for start, end in matches:
            shown += Content(text[place:start]).stylize(DIM) + Content(text[start:end]).stylize(BOLD)
            place = end
        return shown + Content(text[place:]).stylize(DIM)


def _facts(hit: Hit, now: datetime) -> str:
    who = {"user": "You", None: "Title"}.get(hit.role, one_line(hit.model or "Model", 24))
    moment = r.moment_of(hit.at)
    when = ago(moment, now) if moment is not None else one_line(hit.at, 20)
    return " · ".join([who, when, *(["⊘ ended"] if hit.ended else [])])
