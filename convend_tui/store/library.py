"""All thread files: create, open, find, list, and bring back what a crash left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from convend_tui.errors import NotFound, StoreError
from convend_tui.paths import Paths
from convend_tui.store import handle as h
from convend_tui.store.log import LogFile, failed
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

SUFFIX = ".jsonl"
LAST = "@last"
"""The word that names the thread used last, or the newest message on the current path."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the list shows of a thread."""

    id: str
    title: str
    created: str
    updated: str
    messages: int
    """Messages of all branches; the client's own guards do not count."""
    branches: int
    """How many leaves the tree has."""
    ended: bool
    """The model ended the conversation on some branch."""
    locked: bool
    """The branch where the person last was is locked."""
    model: str
    problem: str | None = None
    """Why the file cannot be read; the other fields are then only its name and its date."""


class Library:
    """The folder of thread files. Nothing is read until asked for."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._known: dict[str, tuple[int, int, Summary]] = {}

    def new(self, settings: r.Settings) -> h.ThreadHandle:
        """A new thread; its file is made with its first message."""
        now = datetime.now(UTC)
        thread_id = f"{now:%Y%m%dT%H%M%S}-{os.urandom(4).hex()}"
        header = h.new_header(thread_id, r.timestamp(now), settings)
        return h.ThreadHandle(self._log(thread_id), Thread(header), on_disk=False)

    def open(self, thread_id: str) -> h.ThreadHandle:
        """Open a thread by its full id.

        Raises:
            NotFound: there is no such file. Unreadable, StoreError: it cannot be read.
        """
        log = self._log(thread_id)
        if not log.path.exists():
            raise NotFound(f"There is no thread {thread_id}.")
        return h.open_handle(log)

    def ids(self) -> list[str]:
        """Ids of all threads, the one written last first.

        Raises:
            StoreError: the folder cannot be read.
        """
        return [thread_id for _, _, thread_id in self._files()]

    def _files(self) -> list[tuple[int, int, str]]:
        """Time of the last write in ns, size in bytes, and id of each thread file; the newest first."""
        found: list[tuple[int, int, str]] = []
        try:
            with os.scandir(self.paths.threads) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX) and entry.is_file():
                        stat = entry.stat()
                        found.append((stat.st_mtime_ns, stat.st_size, entry.name.removesuffix(SUFFIX)))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("read", self.paths.threads, error) from error
        return sorted(found, reverse=True)

    def resolve(self, words: str) -> str:
        """The id that `words` stand for: an id, a unique beginning of one, or `@last`.

        Raises:
            NotFound: none or several fit; the message says which.
        """
        ids = self.ids()
        if words == LAST:
            if not ids:
                raise NotFound("There are no threads yet.")
            return ids[0]
        return unique(words, ids, "thread")

    def summaries(self) -> Iterator[Summary]:
        """All threads, the one written last first. Reads each file that has changed since the last call."""
        files = self._files()
        self._known = {i: known for _, _, i in files if (known := self._known.get(i)) is not None}
        for written, size, thread_id in files:
            known = self._known.get(thread_id)
            if known is None or known[:2] != (written, size):
                known = self._known[thread_id] = (written, size, self.summary(thread_id))
            yield known[2]

    def summary(self, thread_id: str) -> Summary:
        """One thread as the list shows it; a file that cannot be read has its reason in `problem`."""
        try:
            return summarize(thread_id, self.open(thread_id).thread)
        except StoreError as error:
            at = self._modified(self._log(thread_id).path)
            return Summary(thread_id, thread_id, at, at, 0, 0, False, False, "", str(error))

    def _log(self, thread_id: str) -> LogFile:
        if not thread_id or Path(thread_id).name != thread_id:
            raise NotFound(f"{thread_id!r} is not a thread id.")
        return LogFile(
            self.paths.threads / f"{thread_id}{SUFFIX}",
            self.paths.locks / f"{thread_id}.lock",
            self.paths.state / "torn",
        )

    def _modified(self, path: Path) -> str:
        try:
            return r.timestamp(datetime.fromtimestamp(path.stat().st_mtime, UTC))
        except OSError:
            return r.timestamp(datetime.now(UTC))


def summarize(thread_id: str, thread: Thread) -> Summary:
    """What the list shows of an open thread."""
    return Summary(
        id=thread_id,
        title=thread.title,
        created=thread.header.at,
        updated=thread.updated,
        messages=sum(m.kind != "guard" for m in thread.messages.values()),
        branches=len(thread.leaves()),
        ended=any(e in thread.messages for e in thread.ended),
        locked=lock.ending_at(thread, thread.leaf) is not None,
        model=thread.settings.model,
    )


def find_message(thread: Thread, words: str, *, role: str | None = None) -> str:
    """The id of the message that `words` stand for: an id, a unique beginning of one, or `@last`: the newest on
    the current path, of that role where one is given (guards do not count).

    Raises:
        NotFound: none or several fit.
    """
    if words == LAST:
        for message in reversed(thread.path(thread.leaf)):
            if message.kind != "guard" and role in (None, message.role):
                return message.id
        raise NotFound("There is no such message on the current path of this thread.")
    return unique(words, list(thread.messages), "message")


def unique(words: str, ids: list[str], what: str) -> str:
    """The only id that begins with `words`, or is it.

    Raises:
        NotFound: none or several fit.
    """
    if words in ids:
        return words
    fits = [i for i in ids if words and i.startswith(words)]
    if len(fits) == 1:
        return fits[0]
    if not fits:
        raise NotFound(f"There is no {what} {words!r}.")
    shown = ", ".join(sorted(fits)[:4])
    raise NotFound(f"{len(fits)} {what}s begin with {words!r}: {shown}{', …' if len(fits) > 4 else ''}.")
