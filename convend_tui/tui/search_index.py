"""The index is kept up to date in the background, one update at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from convend_tui.store.library import Library, Summary

_EVERY_S = 0.7
"""Seconds between two looks at what an update that takes long has got so far."""


class Indexing:
    """Updates the index of a library off the event loop."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.is_reading = False
        """An update has found much to read, and is at it."""
        self.count: tuple[int, int] | None = None
        """While it is: threads in the index, and threads in the folder."""
        self.version = 0
        """Grows with each update that found anything new, and while one that takes long goes on."""

    @property
    def words(self) -> str:
        """What there is to wait for, in a few words; nothing: the index is ready."""
        if not self.is_reading:
            return ""
        if self.count is None or self.count[0] >= self.count[1]:
            return "the index is being brought up to date"
        return f"the index is being built ({self.count[0]:,} of {self.count[1]:,})"

    async def head(self, limit: int) -> list[Summary]:
        """The head of the list as of the last update: nothing is read but the index.

        Raises:
            StoreError: no index can be made.
        """
        return await asyncio.to_thread(lambda: self._library.index.summaries(limit=limit))

    async def count_and_head(self, limit: int) -> tuple[int, list[Summary]]:
        """How many threads there are, and the head of the list.

        Raises:
            StoreError: no index can be made.
        """
        return await asyncio.to_thread(lambda: self._library.index.count()), await self.head(limit)

    async def update(self, so_far: Callable[[list[Summary]], None] | None = None) -> bool:
        """Bring the index up to what the folder holds; cancelling it stops it. Returns whether anything was new.

        Args:
            so_far: told now and then what is in the index, where the update takes long.

        Raises:
            StoreError: the folder cannot be read, or no index can be made.
        """
        stop = threading.Event()
        steps = 0

        def progress(done: int, total: int) -> None:
            nonlocal steps
            steps += 1
            self.is_reading = steps > 1 or done < total

        reading = asyncio.ensure_future(
            asyncio.to_thread(lambda: self._library.index.update(progress, stop.is_set)),
        )
        try:
            while not (await asyncio.wait([reading], timeout=_EVERY_S))[0]:
                if self.is_reading:
                    await self._look(so_far)
            changed = reading.result()
        finally:
            stop.set()
            self.is_reading, self.count = False, None
        self.version += changed
        return changed

    async def summaries(self) -> list[Summary]:
        """All threads, as of the last update.

        Raises:
            StoreError: no index can be made.
        """
        return await asyncio.to_thread(lambda: self._library.index.summaries())

    async def _look(self, so_far: Callable[[list[Summary]], None] | None) -> None:
        index = self._library.index
        if not await asyncio.to_thread(lambda: index.kept):
            return  # in memory every question waits for the update
        total = self.count[1] if self.count is not None else len(await asyncio.to_thread(self._library.ids))
        self.count = (await asyncio.to_thread(index.count), total)
        self.version += 1
        if so_far is not None:
            so_far(await self.summaries())
