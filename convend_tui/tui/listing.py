"""The thread list and the disk: what others wrote is noticed, what was typed is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.worker import Worker

from convend_tui.errors import StoreError
from convend_tui.store.library import Summary
from convend_tui.thread import records as r
from convend_tui.tui.search_index import Indexing
from convend_tui.tui.thread_list import ThreadRow

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen

WATCH_S = 1.0
"""Seconds between two looks at the open thread's file."""
LIST_S = 5.0
"""Seconds between two looks at the folder."""
HEAD = 200
"""Threads at the head of the list, which are shown before the folder has been looked through."""
DRAFT_S = 0.7
"""Seconds after the last key until a draft is written."""
DRAFT_MOST_S = 3.0
"""Seconds after which it is written although the person types on."""


class Listing:
    """Feeds the thread list, watches the open thread's file, and writes drafts."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self._library_index: Indexing | None = None
        self._rows: list[ThreadRow] = []
        self._shown_of: tuple[int, list[Summary]] | None = None
        """How many threads there were, and the head of the list, when it was last filled."""
        self._filling: Worker[None] | None = None
        self._stale = False
        self._fill_lock = asyncio.Lock()
        self._cursor_on: str | None = None
        self._draft_timer: Timer | None = None
        self._typing_since = 0.0
        self._looking: Worker[None] | None = None
        self._trouble = ""
        """What was last wrong with the open thread's file; said once."""

    @property
    def indexing(self) -> Indexing:
        """What keeps the index up to date."""
        if self._library_index is None:
            self._library_index = Indexing(self._screen.convend.library)
        return self._library_index

    def start(self) -> None:
        """After the first paint: bring back what a crash left, open the last thread, fill the list."""
        screen = self._screen
        screen.run_worker(self._begin(), group="begin")
        screen.set_interval(WATCH_S, self._watch)
        screen.set_interval(LIST_S, self.changed)
        screen.set_interval(1.0, self._tick)

    def _watch(self) -> None:
        # One look at a time, and none is cancelled: what it has read already would be lost.
        if self._looking is None or self._looking.is_finished:
            self._looking = self._screen.run_worker(self._look, group="watch")

    def _tick(self) -> None:
        if (turn := self._screen.conversation.turn) is not None:
            self._screen.refresh_lines()
            if (key := turn.count_down()) is not None:
                self._screen.transcript.item_changed(key)

    def changed(self) -> None:
        """The list may be old: bring the index up to date in the background, and the list if there is anything new."""
        self._stale = True
        if not self._fill_lock.locked():
            # Not the coroutine: a worker cancelled before its first step would leave it behind, with a warning.
            self._filling = self._screen.run_worker(self._fill, group="list")

    def go_to(self, thread_id: str) -> None:
        """Put the cursor on a thread that the list may not show yet."""
        if not self._screen.thread_list.put_cursor_on(thread_id):
            self._cursor_on = thread_id

    def mark_current(self) -> None:
        """Show in the list which thread is open."""
        thread = self._screen.conversation.thread
        current = thread.id if thread is not None else None
        self._rows = [
            row if row.current == (row.id == current) else replace(row, current=row.id == current) for row in self._rows
        ]
        if not self._screen.is_whole:
            return
        self._screen.thread_list.set_rows(self._rows)
        if self._cursor_on is not None and self._screen.thread_list.put_cursor_on(self._cursor_on):
            self._cursor_on = None

    def draft_changed(self) -> None:
        """A key was pressed in the composer."""
        if self._draft_timer is not None:
            self._draft_timer.stop()
        else:
            self._typing_since = monotonic()
        left = self._typing_since + DRAFT_MOST_S - monotonic()
        self._draft_timer = self._screen.set_timer(min(DRAFT_S, max(left, 0.001)), self._pause)

    def _pause(self) -> None:
        """Nothing was typed for a moment, or much without one."""
        self._draft_timer = None
        self._screen.keep_draft()
        self._screen.refresh_lines()

    async def _begin(self) -> None:
        screen = self._screen
        with suppress(StoreError):  # it is said when the list is filled
            self._show(await self.indexing.head(HEAD))
        for sentence in await asyncio.to_thread(screen.convend.recovered):
            screen.convend.tell(sentence)
        self._stale = True
        await self._fill()
        if not self._rows or screen.touring.is_first_run:
            # The first run: whoever has no model yet is offered the built-in one.
            screen.model_choice.offer_local()

    async def _fill(self) -> None:
        async with self._fill_lock:
            while self._stale:
                self._stale = False
                try:
                    await self._refill()
                except StoreError as error:
                    self._screen.convend.tell(str(error), severity="error")

    async def _refill(self) -> None:
        """Ten thousand rows are only made anew where any of them is another: at the head, or in their number (another
        process may have updated the index too)."""
        for sentence in await asyncio.to_thread(self._screen.convend.merged):
            self._screen.convend.tell(sentence)
        changed = await self.indexing.update(self._show)
        shows = await self.indexing.count_and_head(HEAD)
        if changed or shows != self._shown_of:
            summaries = await self.indexing.summaries()
            self._rows = await asyncio.to_thread(lambda: [_row(summary) for summary in summaries])
            if self._shown_of is not None and not changed:
                self.indexing.version += 1
            self._shown_of = shows
            self.mark_current()

    def _show(self, summaries: Sequence[Summary]) -> None:
        """Show these for the time being."""
        self._rows = [_row(summary) for summary in summaries]
        self.mark_current()

    async def _look(self) -> None:
        """What another process wrote into the open thread."""
        screen = self._screen
        conversation = screen.conversation
        handle = conversation.handle
        if handle is None or not handle.on_disk:
            return
        try:
            grown = await handle.catch_up()
            # Not while the file is changing: the other program may be in the middle of writing it.
            if not grown and await handle.mend():
                screen.convend.tell("Another program put an older copy of this chat in its place. It is whole again.")
        except StoreError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                screen.convend.tell(self._trouble, severity="error")
            return
        # A write that was stopped half-way finishes by itself: what it brought (a lock above all) is to be shown too.
        if screen.conversation is conversation and (grown or screen.is_behind):
            conversation.followed()
            screen.refresh_all()
            self.changed()


def _row(summary: Summary) -> ThreadRow:
    return ThreadRow(
        id=summary.id,
        title=summary.title,
        updated=r.moment_of(summary.updated) or datetime.now(UTC),
        ended=summary.locked,
        branches=summary.branches,
        unreadable=summary.problem is not None,
        pinned=summary.pinned,
    )
