"""One thread file: append + fsync, tolerant read, file lock.

Many processes may hold the same file. Each reads what the others appended, from where it last stopped; an append
happens under the file's lock, after reading up to the end and asking the caller's rule again.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from convend_tui import paths as p
from convend_tui.errors import StoreError, Unreadable
from convend_tui.files import claimed, give_name, open_regular, sync_folder, write_atomic
from convend_tui.store.locks import lock_at
from convend_tui.thread import records as r

LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing the same thread."""

MOST_TRIES = 5
"""Times that an append is made again because the file was replaced under it."""
SEALED = 256
"""Bytes before the place where reading goes on, by which the file is known again."""
_BINARY = getattr(os, "O_BINARY", 0)

AnyRecord = r.AnyRecord | r.Unknown


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read or append found."""

    records: tuple[AnyRecord, ...] = ()
    """Records not seen before, in the order of the file."""
    problems: tuple[str, ...] = ()
    """Broken lines, in words, with their number."""
    replaced: bool = False
    """The file was replaced or shortened by another program: `records` are all of it, from the first line."""


Rule = Callable[[Batch], Sequence[r.Record] | None]
"""See `LogFile.append`."""


@dataclass(slots=True)
class LogFile:
    """A thread file and how far this process has read it. Methods may be called from any thread, one at a time
    (an inner lock sees to it); they block."""

    path: Path
    lock_path: Path
    torn_folder: Path
    """Where the bytes of a torn last line are kept when it is cut off."""
    _offset: int = 0
    _lines: int = 0
    _identity: tuple[int, int] | None = None
    _seal: bytes = b""
    """The last bytes before `_offset`."""
    _headed: bool = False
    """A header was read since the file was made or replaced."""
    _held: Batch = Batch()
    """What an append read before it failed: nobody has been given it yet."""
    _mutex: threading.RLock = field(default_factory=threading.RLock)

    def read_new(self) -> Batch:
        """What was appended since the last call; everything at the first. A last line without its newline is left
        for the next call.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._mutex:
            return self._with_held(self._read_new())

    def held(self) -> Batch:
        """What an append that failed had read before. Does not wait for the disk: where another write is under way,
        that one brings it."""
        if not self._mutex.acquire(blocking=False):
            return Batch()
        try:
            return self._with_held(Batch())
        finally:
            self._mutex.release()

    def create(self, records: Sequence[r.Record]) -> None:
        """Write a new file, durably, under a name that does not exist yet.

        Raises:
            StoreError: the disk refused; no file is left behind.
        """
        with self._mutex:
            p.ensure(self.path.parent)
            # The name comes last: a crash leaves no file that is empty or has half a header.
            temporary = self.path.with_name(f".{self.path.name[:40]}.{os.urandom(4).hex()}.tmp")
            try:
                fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
                try:
                    with claimed(fd):
                        with os.fdopen(fd, "wb", buffering=0) as file:
                            self._write(file.fileno(), b"".join(map(r.encode, records)), 0)
                        give_name(temporary, self.path)
                except BaseException:
                    with suppress(OSError):
                        temporary.unlink(missing_ok=True)
                    raise
            except OSError as error:
                raise failed("created", self.path, error) from error
            with suppress(OSError):  # not every file system syncs folders
                sync_folder(self.path.parent)

    def append(self, records: Sequence[r.Record], rule: Rule | None = None) -> Batch:
        """Append records in one write, and return when they are on the disk.

        Under the file's lock the file is first read up to its end; `rule` is given what that brought and raises
        to stop the append, or returns what is to be written before the records. A torn last line (a crash in the
        middle of a write) is cut off first; its bytes are kept in `torn_folder`.

        Returns:
            What others had appended meanwhile. Not the records given.

        Raises:
            StoreError: the disk refused, or another process holds the file for too long. Nothing was written.
            Whatever `rule` raises. What others had appended comes with the next `held` or `read_new`.
        """
        with self._mutex, self.locked():
            for _ in range(MOST_TRIES):
                fresh = self._append(records, rule)
                if fresh is not None:
                    return fresh
        raise StoreError(f"{self.path} is being replaced again and again by another program. Try again later.")

    def _append(self, records: Sequence[r.Record], rule: Rule | None) -> Batch | None:
        """Append once; None: meanwhile another program put another file in the place of the one that was written."""
        try:
            with os.fdopen(open_regular(self.path, os.O_RDWR), "r+b", buffering=0) as file:
                fd = file.fileno()
                fresh = self._up_to_date(fd)
                if not self._headed:
                    raise StoreError(
                        f"{self.path} was emptied or replaced by another program, and is no thread file any "
                        "more. Nothing was written. Put a copy of it back."
                    )
                if rule is not None:
                    records = [*(rule(fresh) or ()), *records]
                data = b"".join(map(r.encode, records))
                if data:
                    self._write(fd, data, self._offset)
                # Programs that copy files between machines know nothing of our lock.
                if _identity(os.fstat(fd)) != _identity(self.path.stat()):
                    return None
        except FileNotFoundError as error:
            raise StoreError(
                f"The thread file {self.path} is gone: it was moved or deleted by another program."
            ) from error
        except OSError as error:
            raise failed("written", self.path, error) from error
        self._held = Batch()
        self._passed(data)
        self._lines += len(records)
        return fresh

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While this holds, no other process writes the file.

        Raises:
            StoreError: another process holds it for too long.
        """
        import filelock  # not needed to read, and so not for the first paint

        p.ensure(self.lock_path.parent)
        lock = lock_at(self.lock_path, LOCK_TIMEOUT)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise StoreError("Another process has been writing this thread for too long. Try again.") from error
        except OSError as error:
            raise failed("locked", self.lock_path, error) from error
        try:
            yield
        finally:
            lock.release()

    def _up_to_date(self, fd: int) -> Batch:
        """Read up to the end, and mend what stands after the last newline: a whole record is completed, a torn one
        is cut off."""
        self._held = fresh = self._with_held(self._read_from(fd))
        tail = _bytes(fd, self._offset, os.fstat(fd).st_size)
        if not tail or not self._headed:  # a file that is no thread is none of ours: nothing of it is cut off
            return fresh
        try:
            r.decode(tail)
        except Unreadable:
            self._keep_torn(tail)
            os.ftruncate(fd, self._offset)
            problem = f"the last line was torn ({len(tail)} bytes) and was cut off"
            self._held = Batch(fresh.records, (*fresh.problems, problem), fresh.replaced)
            return self._held
        self._write(fd, b"\n", self._offset + len(tail))
        self._held = self._with_held(self._read_from(fd))
        return self._held

    def _keep_torn(self, tail: bytes) -> None:
        file = self.torn_folder / f"{self.path.stem}-{self._offset}"
        number = 1
        while file.exists() and file.read_bytes() != tail:
            number += 1
            file = file.with_name(f"{self.path.stem}-{self._offset}~{number}")
        write_atomic(file, tail)

    def _with_held(self, more: Batch) -> Batch:
        held, self._held = self._held, Batch()
        return Batch(held.records + more.records, held.problems + more.problems, held.replaced or more.replaced)

    def _read_new(self) -> Batch:
        try:
            with os.fdopen(open_regular(self.path), "rb", buffering=0) as file:
                return self._read_from(file.fileno())
        except OSError as error:
            raise failed("read", self.path, error) from error

    def _read_from(self, fd: int) -> Batch:
        stat = os.fstat(fd)
        replaced = self._is_other(fd, stat)
        if replaced:
            self._offset = self._lines = 0
            self._seal = b""
            self._headed = False
        self._identity = _identity(stat)
        data = _bytes(fd, self._offset, stat.st_size)
        end = data.rfind(b"\n") + 1
        records: list[AnyRecord] = []
        problems: list[str] = []
        for line in data[:end].split(b"\n")[:-1]:
            self._lines += 1
            if not line.strip():
                continue
            try:
                records.append(r.decode(line))
            except Unreadable as error:
                problems.append(f"line {self._lines} is skipped: {error}")
        self._headed = self._headed or any(isinstance(record, r.Header) for record in records)
        self._passed(data[:end])
        return Batch(tuple(records), tuple(problems), replaced)

    def _is_other(self, fd: int, stat: os.stat_result) -> bool:
        """Whether this is not the file that was read before, with something behind it."""
        if self._identity is None:
            return False
        if _identity(stat) != self._identity or stat.st_size < self._offset:
            return True
        # Without a header the file is read from its start, until somebody has put it right.
        if not self._headed and stat.st_size != self._offset:
            return True
        # An editor may have written it anew in its place, and a new file may get the old one's number.
        return _bytes(fd, self._offset - len(self._seal), self._offset) != self._seal

    def _passed(self, data: bytes) -> None:
        """These bytes were read or written."""
        self._offset += len(data)
        self._seal = (self._seal + data)[-SEALED:]

    def _write(self, fd: int, data: bytes, end: int) -> None:
        """Write all of `data` at `end` and sync; on failure the file is as long as before."""
        try:
            os.lseek(fd, end, os.SEEK_SET)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(fd, end)
            raise failed("written", self.path, error) from error


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _bytes(fd: int, start: int, end: int) -> bytes:
    """What a file holds from `start` to `end`, or to its end."""
    if start >= end:
        return b""
    os.lseek(fd, start, os.SEEK_SET)
    found: list[bytes] = []
    while start < end and (piece := os.read(fd, end - start)):
        found.append(piece)
        start += len(piece)
    return b"".join(found)


_NO_LOCKS = "this file system cannot lock files. Put convend's folders on a local disk (CONVEND_HOME)"


def failed(what: str, path: Path, error: OSError) -> StoreError:
    """An operating system's error as a sentence: `path` cannot be `what`, and why."""
    hints = {
        errno.ENOSPC: "the disk is full. Free some space and try again",
        errno.EDQUOT: "your disk quota is used up. Free some space and try again",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.ENOLCK: _NO_LOCKS,
        errno.EOPNOTSUPP: _NO_LOCKS,
        errno.ENOSYS: _NO_LOCKS,
    }
    why = hints.get(error.errno or 0, error.strerror or str(error))
    return StoreError(f"{path} cannot be {what}: {why}.")
