"""The search: a line that searches as one types, and what was found below it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.worker import Worker

from convend_tui.errors import StoreError
from convend_tui.plain import visible
from convend_tui.store.index import Index
from convend_tui.store.index_search import Hit
from convend_tui.store.library import Library
from convend_tui.tui.dialogs import LineInput
from convend_tui.tui.rows import BOLD, DIM
from convend_tui.tui.search_index import Indexing
from convend_tui.tui.search_rows import HitRows
from convend_tui.tui.search_words import FILTERS, Asked, parse

PAGE = 100
"""Hits that are asked for at once."""
_LEAST = 30
"""Cells of a column that sentences need; in fewer, they stand below what they explain."""
LOOK_S = 0.3
"""Seconds between two looks at what the index has got."""
HINT = "↑↓ choose · Enter opens it · Esc back"
NOTHING = "Nothing was found. All words must stand in one message; fewer words or filters find more."


@dataclass(frozen=True, slots=True)
class Search:
    """A search that goes on after its screen is closed: from one hit to the next."""

    typed: str = ""
    hits: Sequence[Hit] = ()
    place: int = 0
    """Of the hit that is shown, or under the cursor."""
    is_all: bool = False
    """There are no hits after these."""

    @property
    def may_go_on(self) -> bool:
        """Whether it is at its last hit, and the index may have more."""
        return not self.is_all and self.place + 1 >= len(self.hits) and len(self.hits) % PAGE == 0 < len(self.hits)


async def more(library: Library, search: Search) -> tuple[Search, int | None]:
    """The search with the next hits as well, and where the first of these is; None: there are none.

    Raises:
        StoreError: the index cannot be read.
    """
    hits, _ = await asyncio.to_thread(_ask, library, parse(search.typed), len(search.hits) + PAGE)
    seen = {(hit.thread, hit.message) for hit in search.hits}
    # The index may have grown meanwhile: what is new goes behind what was gone through.
    new = [hit for hit in hits if (hit.thread, hit.message) not in seen]
    longer = Search(search.typed, (*search.hits, *new), search.place, is_all=len(new) < PAGE)
    return longer, len(search.hits) if new else None


class SearchScreen(ModalScreen[Search | None]):
    """Gives the search with the hit that was chosen, or None for Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,ctrl+p", "list('move', -1)", "Up", show=False, priority=True),
        Binding("down,ctrl+n", "list('move', 1)", "Down", show=False, priority=True),
        Binding("pageup", "list('page', -1)", "Page up", show=False, priority=True),
        Binding("pagedown", "list('page', 1)", "Page down", show=False, priority=True),
        Binding("escape", "leave", "Back", show=False),
    ]
    DEFAULT_CSS = """
    SearchScreen { background: $background; }
    SearchScreen > .search--bar { height: 1; width: 1fr; padding: 0 1; background: $surface; }
    SearchScreen:ansi > .search--bar { background: ansi_default; text-style: reverse; }
    SearchScreen > LineInput { margin: 1 1 0 1; background: $surface; }
    SearchScreen > .search--state { height: auto; max-height: 3; margin: 0 2; color: $text-muted; }
    SearchScreen:ansi > .search--state { color: ansi_default; text-style: dim; }
    SearchScreen > .search--help { height: 1fr; margin: 1 2; }
    """

    def __init__(self, library: Library, indexing: Indexing, before: Search) -> None:
        super().__init__()
        self._library, self._indexing, self._before = library, indexing, before
        self._input = LineInput(before.typed, placeholder="Words, “a phrase”, begin*, filters", select_on_focus=True)
        self._rows = HitRows()
        self._state = Static(classes="search--state", markup=False)
        self._help = Static(markup=False)
        self._page = VerticalScroll(self._help, classes="search--help", can_focus=False)
        self._asked = parse(before.typed)
        self._limit = max(PAGE, len(before.hits))
        self._wanted = self._answered = 0
        """Number of the newest question, and of the one whose answer is shown."""
        self._is_searching = False
        self._shown_text: str | None = self._asked.text
        self._version = indexing.version
        self._trouble = ""
        self._note: str | None = None

    def compose(self) -> ComposeResult:
        """The line, what there is to say, the hits, the keys."""
        yield Static(Content("Search every message of every chat"), classes="search--bar")
        yield self._input
        yield self._state
        yield self._rows
        yield self._page
        yield Static(Content(HINT), classes="search--bar")

    def on_mount(self) -> None:
        """Begin where the last search was left."""
        self._rows.show(self._before.hits, cursor=self._before.place)
        self._input.focus()
        self._search()
        self.set_interval(LOOK_S, self._look)

    # -- asking -----------------------------------------------------------------------------------------

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        """Another query."""
        event.stop()
        asked = parse(event.value)
        if asked != self._asked:
            self._asked, self._limit = asked, PAGE
            self._search()
        self._tell()

    def _search(self) -> None:
        """Ask the index. While it works, newer questions replace one another: only the last one is asked."""
        self._wanted += 1
        if not self._is_searching:
            self._is_searching = True
            self._worker: Worker[None] = self.run_worker(self._answer, group="search")
        self._tell()

    async def _answer(self) -> None:
        try:
            while self._answered != self._wanted:
                number, asked, limit = self._wanted, self._asked, self._limit
                trouble, hits = "", list[Hit]()
                try:
                    hits, self._note = await asyncio.to_thread(_ask, self._library, asked, limit)
                except StoreError as error:
                    trouble = str(error)
                if number == self._wanted:
                    self._answered, self._trouble = number, trouble
                    self._show(asked, hits)
        finally:
            self._is_searching = False
        self._tell()

    def _show(self, asked: Asked, hits: Sequence[Hit]) -> None:
        """Where the words are the same (the index has got more, or more was asked for) a cursor that was moved stays on
        its hit."""
        rows = self._rows
        same = asked.is_anything and asked.text == self._shown_text
        before, place = (rows.hit, rows.cursor) if same and rows.cursor else (None, 0)
        self._shown_text = asked.text
        rows.show(hits, cursor=place)
        if (again := rows.place_of(before)) is not None:
            rows.show(hits, cursor=again)

    @on(HitRows.Wanted)
    def more(self, event: HitRows.Wanted) -> None:
        """The cursor is at the end of what was asked for."""
        event.stop()
        if len(self._rows.hits) >= self._limit and not self._is_searching:
            self._limit += PAGE
            self._search()

    def _look(self) -> None:
        """The index may have got more."""
        if self._version != self._indexing.version:
            self._version = self._indexing.version
            if self._asked.is_anything:
                self._search()
        self._tell()

    # -- saying -----------------------------------------------------------------------------------------

    def _tell(self) -> None:
        if not self.is_attached:
            return
        self._state.update(Content(visible(" · ".join(self._facts()))))
        words = self._explanation()
        self._rows.display = not words
        self._page.display = bool(words)
        self._help.update(words)

    def _facts(self) -> list[str]:
        facts: list[str] = []
        count = len(self._rows.hits)
        if self._trouble:
            facts.append(f"⚠ {self._trouble}")
        elif self._indexing.words:
            facts.append(f"Searching… {self._indexing.words}")
        elif self._is_searching and self._asked.is_anything and not count:
            facts.append("Searching…")
        if count:
            facts.append(f"{count:,} hit{'' if count == 1 else 's'}{' and more' if count >= self._limit else ''}")
        return [*facts, *self._asked.problems, *([self._note] if self._note else [])]

    def _explanation(self) -> Content:
        """What stands in the place of the hits; nothing where there are any."""
        if self._rows.hits and self._asked.is_anything:
            return Content("")
        if self._asked.is_anything:
            waiting = self._is_searching or self._indexing.words or self._trouble
            return Content("" if waiting else NOTHING).stylize(DIM)
        lines = [Content("It searches as you type; the last word may be begun.")]
        lines += [Content(""), Content("Filters, anywhere among the words, or alone:").stylize(DIM)]
        width = max(len(example) for example, _ in FILTERS) + 2
        room = max(1, self.size.width - 4 - width)
        for example, what in FILTERS:
            if room >= _LEAST:
                first, *rest = Content(what).wrap(room)
                lines.append(Content(example.ljust(width)).stylize(BOLD) + first.stylize(DIM))
                lines += [Content(" " * width) + part.stylize(DIM) for part in rest]
            else:
                lines += [Content(example).stylize(BOLD), Content(f"  {what}").stylize(DIM)]
        return Content("\n").join(lines)

    # -- going ------------------------------------------------------------------------------------------

    def action_list(self, what: str, amount: int) -> None:
        """Move the cursor of the hits by rows or by pages; where there are none, scroll what stands there."""
        if self._page.display:
            self._page.scroll_relative(y=amount * (1 if what == "move" else self._page.size.height), animate=False)
        elif what == "move":
            self._rows.action_move(amount)
        else:
            self._rows.action_page(amount)

    @on(Input.Submitted)
    def take_cursor(self, event: Input.Submitted) -> None:
        """Enter opens what is under the cursor."""
        event.stop()
        self._rows.action_choose()

    @on(HitRows.Chosen)
    def open_hit(self, event: HitRows.Chosen) -> None:
        """Leave with a hit."""
        event.stop()
        if self._asked.is_anything:
            self.dismiss(Search(self._input.value, tuple(self._rows.hits), event.place))

    def action_leave(self) -> None:
        """Stay where one was."""
        self.dismiss(None)


def _ask(library: Library, asked: Asked, limit: int) -> tuple[list[Hit], str | None]:
    """Ask the index, and whether there is anything to know of it. Blocks."""
    index: Index = library.index
    hits = index.search(
        asked.text,
        ended=asked.ended,
        model=asked.model,
        role=asked.role,
        since=asked.since,
        until=asked.until,
        limit=limit,
    )
    return hits, index.note
