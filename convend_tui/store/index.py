"""The index: the list and the search at any size. A copy of what the thread files say, which can be thrown away.

`Index.update` looks at the folder and reads what is new: of a file that has grown, only the part that was appended. It
may be interrupted or killed at any point and run in several processes at once: each step is a transaction of its own,
and what it finds done already it leaves alone.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

from convend_tui.paths import Paths
from convend_tui.store import index_search
from convend_tui.store.index_schema import DAMAGE, Database, checked, key_of
from convend_tui.store.index_search import Hit, Wanted
from convend_tui.store.index_write import STEP, Bringing, File, take_out
from convend_tui.store.library import Library, Summary
from convend_tui.thread import records as r

MOST_FILES: Final = 4000
"""Files in one transaction."""
_PURGED: Final = 5000
"""Messages that are taken out in one transaction."""

_T = TypeVar("_T")


class Index:
    """The index of one installation. Nothing is opened before it is needed. Methods may be called from any thread;
    they block, but a search does not wait for an update (unless the database had to be made in memory).

    Args:
        full_text: False does without SQLite's FTS5; None uses it where there is one.
    """

    def __init__(self, paths: Paths, *, full_text: bool | None = None) -> None:
        self.paths = paths
        self._library = Library(paths)
        self._data = Database(paths.cache / "index.sqlite3", paths.locks / "index.lock", full_text=full_text)
        # Taken in this order where both are.
        self._updating = threading.RLock()
        self._reading = threading.RLock()

    @property
    def kept(self) -> bool:
        """Whether the index is a file, and not in memory. Opens it."""
        self._ask(lambda connection: None)
        return self._data.memory is None

    @property
    def note(self) -> str | None:
        """What the person should know of this index, in a sentence; None: all is well."""
        if self._data.memory is not None:
            return f"The search index cannot be kept ({self._data.memory}): it is made in memory, at each start."
        if not self._data.full_text:
            return "This Python's SQLite has no FTS5: searching works, but takes longer the more there is."
        return None

    def close(self) -> None:
        """Let go of the file. The index can be used again."""
        with self._updating, self._reading:
            self._data.close()

    # -- bringing it up to date -------------------------------------------------------------------------

    def update(
        self, progress: Callable[[int, int], None] | None = None, stop: Callable[[], bool] | None = None
    ) -> bool:
        """Bring the index up to what the folder holds, the newest files first.

        Args:
            progress: told now and then how many bytes of how many are read.
            stop: asked now and then; True ends the update early. The next one goes on from there.

        Returns:
            Whether anything was new.

        Raises:
            StoreError: the folder cannot be read, or no index can be made even in memory.
        """
        changed = False
        with self._updating:
            self._let_go_if_replaced()
            while True:
                try:
                    for done, total in self._steps():
                        changed = True
                        if progress is not None:
                            progress(done, total)
                        if stop is not None and stop():
                            break
                    return changed
                except DAMAGE as error:
                    with self._reading:
                        self._data.mend(error)

    def _steps(self) -> Iterator[tuple[int, int]]:
        """Do the work in steps; after each, how many bytes of how many are read."""
        connection = self._data.writer()
        asked = connection.execute("SELECT file, inode, size, mtime FROM thread WHERE file IS NOT NULL")
        rows = checked(asked, tuple[bytes, int, int, int])
        newest = max((row[3] for row in rows), default=None)
        known = {row[0]: row[1:] for row in rows}
        changed: list[File] = []
        for mtime, size, inode, thread_id in self._library.files():
            if known.pop(key_of(thread_id), None) != (inode, size, mtime):
                changed.append(File(thread_id, inode, size, mtime))
        if known:  # these are gone
            with self._data.transaction():
                connection.executemany("UPDATE thread SET file = NULL WHERE file = ?", [(key,) for key in known])
            yield 0, 0
        done, total = 0, sum(file.size for file in changed)
        for batch, forward in _batches(changed, newest):
            while self._step(batch, forward):
                yield done, total
            done += sum(file.size for file in batch)
            yield done, total
        while self._purge():
            yield done, total

    def _step(self, batch: Sequence[File], forward: bool) -> bool:
        """Read files in one transaction. True: there is more of one."""
        with self._data.transaction() as connection:
            bringing = Bringing(connection, self._library, batch, forward=forward)
            more = [bringing.bring(file) for file in batch]
            bringing.write()
        return any(more)

    def _purge(self) -> bool:
        """Take out messages of threads that are gone. True: there were some."""
        connection = self._data.writer()
        if connection.execute("SELECT 1 FROM thread WHERE file IS NULL LIMIT 1").fetchone() is None:
            return False
        with self._data.transaction():
            found = connection.execute(
                "SELECT m.num FROM thread t JOIN message m ON m.thread = t.num WHERE t.file IS NULL LIMIT ?", (_PURGED,)
            ).fetchall()
            take_out(connection, [num for (num,) in found])
            if len(found) < _PURGED:
                connection.execute("DELETE FROM thread WHERE file IS NULL")
        return True

    # -- asking it ----------------------------------------------------------------------------------------

    def summaries(self, title: str = "", *, limit: int | None = None, offset: int = 0) -> list[Summary]:
        """What the list shows, as of the last update: pinned threads first, then the one used last.

        Args:
            title: words that must all stand in the title, in any order, whole or in part, whatever their case.

        Raises:
            StoreError: no index can be made even in memory.
        """
        return self._ask(lambda connection: index_search.summaries(connection, title, limit, offset))

    def count(self) -> int:
        """How many threads there are, as of the last update.

        Raises:
            StoreError: no index can be made even in memory.
        """
        return self._ask(index_search.count)

    def search(
        self,
        query: str,
        *,
        ended: bool | None = None,
        model: str | None = None,
        role: r.Role | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        thread: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Hit]:
        """Messages of every branch of every thread, and titles, as of the last update; the best first.

        Words must all be there; "phrases" as they stand; `begin*` and the last word are beginnings. Case and accents
        do not count. Whatever is typed is a query. Where thousands of messages match, the newest are put in order.
        Without a word, but with a filter: the newest messages that it leaves.

        Args:
            ended: True: only what is locked; False: only what is not.
            model: only answers of models with this in their name.
            since, until: from when (that moment too), and until when (without it); aware.
            thread: the id of the only thread to look in.

        Raises:
            StoreError: no index can be made even in memory.
        """
        wanted = Wanted(ended, model, role, since, until, thread)
        full_text = self._data.full_text
        return self._ask(
            lambda connection: index_search.search(connection, query, wanted, limit, offset, full_text=full_text)
        )

    def _let_go_if_replaced(self) -> None:
        if self._data.replaced:
            with self._updating, self._reading:
                self._data.close()

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        while True:
            self._let_go_if_replaced()
            try:
                # In memory there is one connection for everything.
                with self._updating if self._data.memory is not None else self._reading:
                    return question(self._data.reader())
            except DAMAGE as error:
                with self._updating, self._reading:
                    self._data.mend(error)
                self.update()


def _batches(files: Sequence[File], newest: int | None) -> Iterator[tuple[list[File], bool]]:
    """Files in the order in which they are read, and whether they are newer than all that is known. What is newer comes
    first, then the rest, the newest first: that is what somebody looks for first."""
    for forward in (True, False):
        group = [file for file in files if (newest is not None and file.mtime > newest) == forward]
        group.sort(key=lambda file: file.mtime, reverse=not forward)
        batch: list[File] = []
        size = 0
        for file in group:
            if batch and (size + file.size > STEP or len(batch) == MOST_FILES):
                yield batch if forward else batch[::-1], forward
                batch, size = [], 0
            batch.append(file)
            size += file.size
        if batch:
            yield batch if forward else batch[::-1], forward
