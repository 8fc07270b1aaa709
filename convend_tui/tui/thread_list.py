"""The list of threads: a title and a dim line of facts each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from convend_tui.plain import one_line
from convend_tui.tui.commands import bindings
from convend_tui.tui.rows import BOLD, DIM, RowList

NO_THREADS = "No conversations yet. Write below and press Enter."
LONGEST_FILTER = 200
"""Characters of a paste that a filter takes."""
NO_MATCH = "Nothing matches. Esc clears."
PINNED = "★"

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """What the list shows of a thread."""

    id: str
    title: str
    updated: datetime
    """aware"""
    ended: bool
    """the branch the person is on is locked"""
    branches: int
    unreadable: bool = False
    current: bool = False
    """the thread that is open beside the list"""
    pinned: bool = False


def ago(then: datetime, now: datetime) -> str:
    """How long ago in few letters: `now`, `3 min`, `5 h`, `yesterday`, `Tuesday`, `12 Nov`, `12 Nov 2025`.

    Both times are aware; days are those of the time zone of `now`.
    """
    then = then.astimezone(now.tzinfo)
    past = now - then
    days = (now.date() - then.date()).days
    if past < timedelta(minutes=1) and days <= 0:
        return "now"
    if past < timedelta(hours=1):
        return f"{int(past.total_seconds()) // 60} min"
    if days == 0:
        return f"{int(past.total_seconds()) // 3600} h"
    if days == 1:
        return "yesterday"
    if days < 7:
        return _DAYS[then.weekday()]
    year = f" {then.year}" if then.year != now.year else ""
    return f"{then.day} {_MONTHS[then.month - 1]}{year}"


def _local_now() -> datetime:
    return datetime.now(UTC).astimezone()


class ThreadList(RowList):
    """Threads as the caller orders them. `Opened` is posted by Enter and by a click."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("list")
    ROW_HEIGHT = 2

    DEFAULT_CSS = """
    ThreadList { width: 36; height: 1fr; background: $surface; }
    ThreadList > .thread-list--bar { color: $primary; }
    ThreadList.-filtering { border-top: solid $primary; border-title-color: $text; padding: 0 !important; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"thread-list--bar"}

    class Opened(Message):
        """A thread was chosen."""

        def __init__(self, id: str) -> None:  # noqa: A002 - what it is
            super().__init__()
            self.id = id

    def __init__(
        self,
        rows: Sequence[ThreadRow] = (),
        *,
        now: Callable[[], datetime] = _local_now,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._now = now
        self._rows: list[ThreadRow] = []
        self._folded: list[str] = []
        self._shown: list[int] = []
        self._filter = ""
        self.is_filtering = False
        """Letters go to the filter."""
        self.set_rows(rows)

    def on_mount(self) -> None:
        """Times grow older."""
        self.set_interval(30, self.refresh)

    def set_rows(self, rows: Sequence[ThreadRow]) -> None:
        """Show these threads. The cursor stays on its thread, or where it was if that is gone."""
        under_cursor = self.cursor_thread
        self._rows = list(rows)
        self._folded = [row.title.casefold() for row in self._rows]
        self._narrow(under_cursor)

    @property
    def filter_text(self) -> str:
        """Only threads with this in their title show; case does not matter."""
        return self._filter

    @filter_text.setter
    def filter_text(self, text: str) -> None:
        under_cursor = self.cursor_thread
        self._filter = text
        self._narrow(under_cursor)

    def begin_filter(self) -> None:
        """From now on letters narrow the list, until Esc or until a thread is opened."""
        self.is_filtering = True
        self.add_class("-filtering")
        self._show_filter()

    def end_filter(self) -> None:
        """Show all threads again; the cursor stays on its thread."""
        self.is_filtering = False
        self.remove_class("-filtering")
        self.border_title = None
        self.filter_text = ""

    def _show_filter(self) -> None:
        room = max(1, self.size.width - 12)
        shown = one_line(self._filter[-room:])
        title = Content(f"/ {shown}▏") + Content(f" {self.row_count:,}").stylize(DIM)
        self.border_title = title

    def _add_to_filter(self, text: str) -> None:
        self.filter_text += one_line(text[:LONGEST_FILTER])
        self._show_filter()

    def on_key(self, event: events.Key) -> None:
        """While the list is being narrowed, what is typed is text."""
        if not self.is_filtering:
            return
        if event.key == "escape":
            self.end_filter()
        elif event.key in ("backspace", "ctrl+h"):
            self.filter_text = self.filter_text[:-1]
            self._show_filter()
        elif event.key == "ctrl+u":
            self.filter_text = ""
            self._show_filter()
        elif event.is_printable and event.character:
            self.filter_text += event.character
            self._show_filter()
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """A paste narrows too."""
        if self.is_filtering:
            event.stop()
            self._add_to_filter(event.text)

    @property
    def cursor_thread(self) -> ThreadRow | None:
        """The thread under the cursor."""
        return self._rows[self._shown[self.cursor]] if self._shown else None

    def put_cursor_on(self, thread_id: str) -> bool:
        """Put the cursor on a thread; says whether it is in the list as filtered."""
        for place, index in enumerate(self._shown):
            if self._rows[index].id == thread_id:
                self.move_to(place)
                return True
        return False

    def _narrow(self, stay_on: ThreadRow | None) -> None:
        wanted = self._filter.casefold()
        self._shown = [index for index, title in enumerate(self._folded) if wanted in title]
        place = self.cursor
        if stay_on is not None:
            ids = (self._rows[index].id for index in self._shown)
            place = next((at for at, thread_id in enumerate(ids) if thread_id == stay_on.id), place)
        self.rows_changed(place)

    # RowList.

    @property
    def row_count(self) -> int:
        """Threads that match the filter."""
        return len(self._shown)

    @property
    def empty_text(self) -> str:
        """What to do next."""
        return NO_MATCH if self._rows else NO_THREADS

    def choose(self, row: int) -> None:
        """Open it; the others are seen again."""
        self.post_message(self.Opened(self._rows[self._shown[row]].id))
        if self.is_filtering:
            self.end_filter()

    def draw(self, row: int, line: int, width: int, mark: str) -> Content:
        """The bar of the current thread, the mark, and the title or the facts."""
        thread = self._rows[self._shown[row]]
        bar = Content("▌" if thread.current else " ").stylize(self.get_visual_style("thread-list--bar", partial=True))
        room = max(0, width - 3)
        if line:
            return bar + Content("  ") + Content(self._facts(thread, room)).stylize(DIM)
        star = f"{PINNED} " if thread.pinned else ""
        title = one_line(thread.title, max(0, room - len(star))).strip()
        shown = Content(title).stylize(BOLD) if thread.current else Content(title)
        return bar + Content(f"{mark} {star}") + (shown if title else Content("Untitled").stylize(DIM))

    def _facts(self, thread: ThreadRow, room: int) -> str:
        facts = [ago(thread.updated, self._now())]
        if thread.unreadable:
            facts.insert(0, "⚠ cannot be read")
        if thread.ended:
            facts.append("⊘ ended")
        if thread.branches > 1:
            facts.append(f"{thread.branches:,} branches")
        # A fact that does not fit is left out whole; the ones that matter more come first.
        while len(facts) > 1 and cell_len(" · ".join(facts)) > room:
            facts.pop()
        return " · ".join(facts)
