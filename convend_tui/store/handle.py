"""An open thread: its tree in memory and its file, kept in step.

The tree is only ever changed on the caller's own thread (the event loop's, in the TUI), while the disk may be
waited for elsewhere. Applying records is independent of their order, so what two reads bring may come in any order.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from convend_tui import __version__
from convend_tui.errors import StoreError, Unreadable
from convend_tui.store.log import Batch, LogFile
from convend_tui.thread import records as r
from convend_tui.thread.order import AHEAD, in_force
from convend_tui.thread.tree import Thread
from convend_tui.thread.whole import lacking, records_of

Rule = Callable[[Thread], None]
"""Given the thread as it stands on the disk, raises where an append must not happen."""


class ThreadHandle:
    """A thread that can be read and appended to. Made by `store.library.Library`."""

    def __init__(self, log: LogFile, thread: Thread, *, on_disk: bool, problems: Sequence[str] = ()) -> None:
        self.thread = thread
        self.on_disk = on_disk
        """False for a new thread until its first message is written."""
        self.problems = list(problems)
        self._log = log
        self._lacking: list[r.Record] = []
        """What the file had once, and lacks since another program put an older copy in its place."""
        self._foreign = False
        """Another thread's file lies in the place of this one's."""
        self._known = on_disk
        """The file's header was read."""
        self._made = on_disk
        """As `on_disk`, at once: another write may be waiting for the one that makes the file."""
        self._making = threading.Lock()
        self._writing: set[asyncio.Future[Batch]] = set()

    @property
    def read_only(self) -> str | None:
        """Why nothing can be written to this thread, or None."""
        number = self.thread.header.format
        if number > r.FORMAT:
            return (
                f"This thread was written by a newer convend (format {number}, this one knows {r.FORMAT}). "
                "It can be read; to go on in it, update convend."
            )
        return None

    def now(self) -> str:
        """The time for a new record: later than every record of the thread, so that the newest wins although
        clocks of two machines differ."""
        now = datetime.now(UTC)
        # Records have whole milliseconds: two of the same one would have no order.
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        last = r.moment_of(self.thread.updated)
        # A record from a clock that is far ahead must not drag every later one along (thread/order.py).
        if last is not None and now <= last < now + AHEAD:
            now = last + timedelta(milliseconds=1)
        return r.timestamp(now)

    def times(self, count: int) -> list[str]:
        """Times for `count` records of one write, each later than the one before."""
        first = r.moment_of(self.now())
        assert first is not None
        return [r.timestamp(first + timedelta(milliseconds=i)) for i in range(count)]

    def refresh(self) -> bool:
        """Read what others appended. True where anything changed. Blocks on the disk.

        Raises:
            StoreError: the file cannot be read.
        """
        return self.on_disk and self._take(self._log.read_new())

    async def catch_up(self) -> bool:
        """As `refresh`, while the event loop goes on. A cancelled caller loses nothing of what was read.

        Raises:
            StoreError: the file cannot be read.
        """
        if not self.on_disk:
            return False
        grown = False

        def absorb(done: asyncio.Future[Batch]) -> None:
            nonlocal grown
            if not done.cancelled() and done.exception() is None:
                grown = self._take(done.result())

        future = asyncio.get_running_loop().run_in_executor(None, self._log.read_new)
        future.add_done_callback(absorb)
        await asyncio.shield(future)
        return grown

    def append_now(self, records: Sequence[r.Record], rule: Rule | None = None) -> None:
        """Write records and wait for the disk; for the command line and for clean-up code that cannot await.

        Raises:
            StoreError: the disk refused; Unreadable: a file of a newer format.
            Whatever `rule` raises. In each case nothing was written.
        """
        records = in_force(self.thread, records, datetime.now(UTC))
        try:
            self._absorb(self._append(records, rule), records)
        finally:
            self._take(self._log.held())

    async def mend(self) -> bool:
        """Write back what the file lacks, where another program put an older copy in its place. True: there was any.

        Raises:
            StoreError: as `append_now`.
        """
        if not self._lacking:
            return False
        await self.append([])
        return True

    async def append(self, records: Sequence[r.Record], rule: Rule | None = None) -> None:
        """As `append_now`, while the event loop goes on. A cancelled caller leaves the write to finish; its records
        are then taken into the tree all the same."""
        await asyncio.shield(self.begin_append(records, rule))

    def begin_append(self, records: Sequence[r.Record], rule: Rule | None = None) -> asyncio.Future[Batch]:
        """As `append`, for one who does not wait: what is returned has the outcome, and is not to be cancelled. When
        its callbacks are called the tree has the records."""
        records = in_force(self.thread, records, datetime.now(UTC))
        future = asyncio.get_running_loop().run_in_executor(None, self._append, records, rule)

        def absorb(done: asyncio.Future[Batch]) -> None:
            self._writing.discard(done)
            if not done.cancelled() and done.exception() is None:
                self._absorb(done.result(), records)
            # What an append that failed had read: a lock made by another process above all.
            self._take(self._log.held())

        self._writing.add(future)
        future.add_done_callback(absorb)
        return future

    async def settled(self) -> None:
        """Wait for the writes that somebody who was cancelled has left to finish, however they end."""
        while self._writing:
            await asyncio.wait(self._writing)

    def _append(self, records: Sequence[r.Record], rule: Rule | None) -> Batch:
        if reason := self.read_only:
            raise Unreadable(reason)
        with self._making:
            if not self._made:
                if rule is not None:
                    rule(self.thread)
                self._log.create([self.thread.header, *records])
                self._made = True
                # Read at once, though applying it again changes nothing: a file that another program puts in its place
                # is then known for another one.
                with suppress(StoreError):
                    return self._log.read_new()
                return Batch()

        def ask(fresh: Batch) -> Sequence[r.Record]:
            if self._is_foreign(fresh):
                raise StoreError(
                    f"{self._log.path} holds another thread now: another program put it there. Nothing was written. "
                    "Put a copy of this one back."
                )
            if rule is not None:
                rule(self.thread.with_records(fresh.records) if fresh.records else self.thread)
            return self._still_lacking(fresh)

        return self._log.append(records, ask)

    def _is_foreign(self, fresh: Batch) -> bool:
        ids = {record.id for record in fresh.records if isinstance(record, r.Header)}
        # Further down in a file that is this thread's, another header is only a contradiction.
        if ids and (fresh.replaced or not self._known):
            return self.thread.id not in ids
        return self._foreign

    def _still_lacking(self, fresh: Batch) -> list[r.Record]:
        """What this process knows and a file that was replaced does not: a message that is being answered, and a lock
        above all."""
        if fresh.replaced:
            return lacking(records_of(self.thread), fresh.records) if _header(fresh) is not None else []
        return lacking(self._lacking, fresh.records)

    def _absorb(self, fresh: Batch, records: Sequence[r.Record]) -> None:
        self.on_disk = True
        self._take(fresh)
        self._lacking = []
        for record in records:
            self.thread.apply(record)  # type: ignore[arg-type]

    def _take(self, fresh: Batch) -> bool:
        self._foreign = self._is_foreign(fresh)
        self._known = self._known or bool(fresh.records)
        if not self._foreign:
            self._lacking = self._still_lacking(fresh)
            self.problems.extend(fresh.problems)
            for record in fresh.records:
                self.thread.apply(record)
        return bool(fresh.records or fresh.problems or fresh.replaced)


def _header(batch: Batch) -> r.Header | None:
    return next((record for record in batch.records if isinstance(record, r.Header)), None)


def open_handle(log: LogFile) -> ThreadHandle:
    """Read a thread file.

    Raises:
        Unreadable: it has no header, so that nobody can say what it is.
        StoreError: the file cannot be read.
    """
    batch = log.read_new()
    header = _header(batch)
    if header is None:
        why = f" ({batch.problems[0]})" if batch.problems else ""
        raise Unreadable(f"{log.path} is not a thread file: it has no header line{why}. It was left as it is.")
    thread = Thread(header, batch.records)
    return ThreadHandle(log, thread, on_disk=True, problems=batch.problems)


def new_header(thread_id: str, at: str, settings: r.Settings) -> r.Header:
    """The first line of a new thread file."""
    return r.Header(at=at, id=thread_id, format=r.FORMAT, app=f"convend {__version__}", settings=settings)


def taken_in(header: r.Header, origin: dict[str, Any]) -> r.Header:
    """The first line of a thread that was begun elsewhere. Its settings are nobody's choice: where a model could not
    end a conversation under them, they are only provisional."""
    settings = header.settings
    provisional = not (settings.ending and settings.server)
    return msgspec.structs.replace(header, origin=origin, provisional=provisional)
