"""All thread files: create, open, find, list, and bring back what a crash left behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from convend_tui import paths as p
from convend_tui.errors import NotFound, StoreError
from convend_tui.files import sync_folder
from convend_tui.paths import Paths
from convend_tui.plain import one_line
from convend_tui.store import handle as h
from convend_tui.store.copies import original_of
from convend_tui.store.log import LogFile, failed
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

if TYPE_CHECKING:
    from convend_tui.store.index import Index

SUFFIX = ".jsonl"
_LONGEST_NAME = 240
"""Bytes of a thread's id: most file systems have names of 255."""
_BESIDE = re.compile(r"~\d+\Z")
"""What a copy in the trash has behind its name, where there is another one of that name."""
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
    pinned: bool = False
    problem: str | None = None
    """Why the file cannot be read; the other fields are then only its name and its date."""


class Library:
    """The folder of thread files. Nothing is read until asked for."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._known: dict[str, tuple[int, int, Summary]] = {}
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """The index of these threads, as old as its last update."""
        if self._index is None:
            from convend_tui.store.index import Index  # not needed to open a thread, nor for the first paint

            self._index = Index(self.paths)
        return self._index

    def close(self) -> None:
        """Let go of the index. The library can be used again."""
        if self._index is not None:
            self._index.close()

    def new(self, settings: r.Settings) -> h.ThreadHandle:
        """A new thread; its file is made with its first message."""
        now = datetime.now(UTC)
        thread_id = f"{now:%Y%m%dT%H%M%S}-{os.urandom(4).hex()}"
        header = h.new_header(thread_id, r.timestamp(now), settings)
        return h.ThreadHandle(self.log(thread_id), Thread(header), on_disk=False)

    def open(self, thread_id: str) -> h.ThreadHandle:
        """Open a thread by its full id.

        Raises:
            NotFound: there is no such file. Unreadable, StoreError: it cannot be read.
        """
        log = self.log(thread_id)
        if not log.path.exists():
            raise NotFound(f"There is no thread {thread_id}.")
        return h.open_handle(log)

    def ids(self) -> list[str]:
        """Ids of all threads, the one written last first.

        Raises:
            StoreError: the folder cannot be read.
        """
        return [thread_id for _, _, _, thread_id in self.files()]

    def files(self) -> list[tuple[int, int, int, str]]:
        """Time of the last write in ns, size in bytes, inode, and id of each thread file; the newest first.

        Raises:
            StoreError: the folder cannot be read.
        """
        found: list[tuple[int, int, int, str]] = []
        try:
            with os.scandir(self.paths.threads) as entries:
                for entry in entries:
                    # One that has just gone, or a link in a circle, says nothing of the others.
                    with suppress(OSError):
                        if _is_thread(entry.name) and entry.is_file():
                            stat = entry.stat()
                            thread_id = entry.name.removesuffix(SUFFIX)
                            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino, thread_id))
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
        return _resolved(words, self.ids(), "thread", "There are no threads yet.")

    def summaries(self) -> Iterator[Summary]:
        """All threads: those that are pinned, then the one used last.

        From the index, which is brought up to date first. Where none can be kept, each file is read that has changed
        since the last call.

        Raises:
            StoreError: the folder cannot be read.
        """
        if self.index.kept:
            self.index.update()
            yield from self.index.summaries()
        else:
            yield from sorted(self._without_index(), key=lambda s: (s.pinned, s.updated, s.id), reverse=True)

    def _without_index(self) -> Iterator[Summary]:
        files = self.files()
        self._known = {i: known for *_, i in files if (known := self._known.get(i)) is not None}
        for written, size, _, thread_id in files:
            known = self._known.get(thread_id)
            if known is None or known[:2] != (written, size):
                known = self._known[thread_id] = (written, size, self.summary(thread_id))
            yield known[2]

    def summary(self, thread_id: str) -> Summary:
        """One thread as the list shows it; a file that cannot be read has its reason in `problem`."""
        try:
            return summarize(thread_id, self.open(thread_id).thread)
        except StoreError as error:
            return self.unreadable(thread_id, error)

    def unreadable(self, thread_id: str, error: StoreError) -> Summary:
        """What the list shows of a file that cannot be read, and why."""
        at = self._modified(self.file(thread_id))
        return Summary(thread_id, thread_id, at, at, 0, 0, False, False, "", problem=str(error))

    def file(self, thread_id: str) -> Path:
        """The file of a thread, whether it exists or not.

        Raises:
            NotFound: this cannot be a thread's id.
        """
        return self.log(thread_id).path

    # -- what a person does to a thread as a whole ----------------------------------------------------------

    def pin(self, thread_id: str, pinned: bool = True) -> None:
        """Put a thread at the head of the list, or back.

        Raises:
            NotFound, StoreError: see `open`; or the disk refused.
        """
        handle = self.open(thread_id)
        if handle.thread.pinned != pinned:
            handle.append_now([r.Pin(at=handle.now(), pinned=pinned)])

    def trash(self, thread_id: str) -> None:
        """Move a thread's file to the trash. One of that name there is kept beside it.

        Raises:
            NotFound: there is no such thread. StoreError: the disk refused, or another process is writing it.
        """
        log = self.log(thread_id)
        with log.locked():
            if not log.path.exists():
                raise NotFound(f"There is no thread {thread_id}.")
            try:
                place = _place_for(log.path, self.paths.trash / log.path.name)
            except OSError as error:
                raise failed("moved", log.path, error) from error
            move(log.path, place)

    def untrash(self, trashed_id: str) -> str:
        """Bring a thread back from the trash; returns its id.

        Raises:
            NotFound: it is not there. StoreError: the thread is in its place already, or the disk refused.
        """
        thread_id = _BESIDE.sub("", trashed_id)
        source = self.paths.trash / self.file(trashed_id).name
        log = self.log(thread_id)
        with log.locked():
            if not source.exists():
                raise NotFound(f"There is no trashed thread {trashed_id}.")
            if log.path.exists():
                raise StoreError(f"The thread {thread_id} is in its place already. Its copy was left in the trash.")
            move(source, log.path)
        return thread_id

    def part(self, trashed_id: str) -> None:
        """Where a thread is in its place and in the trash too, give the one in the trash a number behind its name.

        Raises:
            StoreError: the disk refused, or another process is writing the thread.
        """
        log = self.log(trashed_id)
        copy = self.paths.trash / log.path.name
        with log.locked():
            if log.path.exists() and copy.exists():
                move(copy, _beside(copy))

    def trashed(self) -> list[Summary]:
        """What is in the trash, the one thrown away last first. Reads each file.

        Raises:
            StoreError: the folder cannot be read.
        """
        found: list[Summary] = []
        for trashed_id in self.trashed_ids():
            file = self.paths.trash / f"{trashed_id}{SUFFIX}"
            try:
                thread = h.open_handle(LogFile(file, self.log(trashed_id).lock_path, self.paths.state / "torn")).thread
                found.append(summarize(trashed_id, thread))
            except StoreError as error:
                at = self._modified(file)
                found.append(Summary(trashed_id, trashed_id, at, at, 0, 0, False, False, "", problem=str(error)))
        return found

    def trashed_ids(self) -> list[str]:
        """Ids of what is in the trash, the one thrown away last first. A copy beside another has `~` and a number
        behind its id.

        Raises:
            StoreError: the folder cannot be read.
        """
        found: list[tuple[int, str]] = []
        try:
            for file in self.paths.trash.iterdir():
                # One that has just been brought back says nothing of the others.
                with suppress(OSError):
                    if file.name.endswith(SUFFIX) and file.is_file():
                        # Moving a file changes nothing of it but this time.
                        found.append((file.stat().st_ctime_ns, file.name.removesuffix(SUFFIX)))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("read", self.paths.trash, error) from error
        return [trashed_id for _, trashed_id in sorted(found, reverse=True)]

    def resolve_trashed(self, words: str) -> str:
        """As `resolve`, for the trash: `@last` was thrown away last.

        Raises:
            NotFound: none or several fit; the message says which.
        """
        return _resolved(words, self.trashed_ids(), "trashed thread", "There is nothing in the trash.")

    def log(self, thread_id: str) -> LogFile:
        """The file of a thread and its lock, whether it exists or not.

        Raises:
            NotFound: this cannot be a thread's id.
        """
        # It may come from a file: no folder, no NUL, and no longer than a file's name may be.
        name = thread_id.encode("utf-8", "surrogatepass")
        if not name or Path(thread_id).name != thread_id or b"\0" in name or len(name) > _LONGEST_NAME:
            raise NotFound(f"{one_line(thread_id, 80)!r} is not a thread id.")
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


def _is_thread(name: str) -> bool:
    """Whether a file of the folder is a thread: no copy in conflict, nor what is hidden, such as `._` of macOS."""
    return name.endswith(SUFFIX) and not name.startswith(".") and original_of(name) is None


def _resolved(words: str, ids: list[str], what: str, nothing: str) -> str:
    if words != LAST:
        return unique(words, ids, what)
    if not ids:
        raise NotFound(nothing)
    return ids[0]


def _place_for(source: Path, target: Path) -> Path:
    """Where to move a file. Where there is one of that name, the newer one has it, the other a number behind it."""
    if not target.exists():
        return target
    beside = _beside(target)
    if source.stat().st_mtime_ns < target.stat().st_mtime_ns:
        return beside
    target.rename(beside)
    return target


def _beside(file: Path) -> Path:
    number = 2
    while (beside := file.with_name(f"{file.stem}~{number}{SUFFIX}")).exists():
        number += 1
    return beside


def move(source: Path, target: Path) -> None:
    """Move a file to a name that is free, durably."""
    p.ensure(target.parent)
    try:
        source.rename(target)
    except OSError as error:
        raise failed("moved", source, error) from error
    for folder in (source.parent, target.parent):
        with suppress(OSError):  # not every file system syncs folders
            sync_folder(folder)


def summarize(thread_id: str, thread: Thread) -> Summary:
    """What the list shows of an open thread."""
    return Summary(
        id=thread_id,
        title=thread.title,
        created=thread.header.at,
        updated=thread.updated,
        messages=sum(not thread.unseen(m) for m in thread.messages.values()),
        branches=len(thread.leaves()),
        ended=any(e in thread.messages for e in thread.ended),
        locked=lock.ending_at(thread, thread.leaf) is not None,
        model=thread.settings.model,
        pinned=thread.pinned,
    )


def find_message(thread: Thread, words: str, *, role: str | None = None) -> str:
    """The id of the message that `words` stand for: an id, a unique beginning of one, or `@last`: the newest on
    the current path, of that role where one is given (guards do not count).

    Raises:
        NotFound: none or several fit.
    """
    if words == LAST:
        for message in reversed(thread.path(thread.leaf)):
            if not thread.unseen(message) and role in (None, message.role):
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
