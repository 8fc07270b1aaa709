"""One thread file into the index: what is new of it, or all of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from convend_tui.errors import NotFound, StoreError
from convend_tui.store.index_read import Node, Odd, Reading, Rows, State, whole
from convend_tui.store.index_schema import checked, key_of
from convend_tui.store.index_text import apart, fold
from convend_tui.store.library import SUFFIX, Library, Summary
from convend_tui.store.log import failed

STEP: Final = 8 * 1024 * 1024
"""Bytes of a thread file that are read in one transaction: a fraction of a second."""
SEALED: Final = 1024
"""Bytes at the start and before the old end of a file that are compared before it is read on."""
_UNFINISHED: Final = -1
_GAP: Final = 1 << 24
"""Numbers kept free for the messages of one transaction, where they are numbered backwards."""

_ASKED: Final = 500
"""Files that are looked up in one question: SQLite may allow no more than 999 values."""
_NODE: Final = "num, thread, id, at, role, model, ended, children, question, parent"
_Row = tuple[bytes, int, int, int, int, int, bytes | None, bytes | None]
"""What is asked of a file that is known: its key, number, inode, size, time, what was read, seal and state."""
_states = msgspec.json.Decoder(State)


@dataclass(frozen=True, slots=True)
class File:
    """A thread file as the folder has it."""

    id: str
    """The thread's: its name without the ending."""
    inode: int
    size: int
    mtime: int
    """ns"""

    @property
    def stamp(self) -> tuple[int, int, int]:
        """Another one: the file has changed."""
        return self.inode, self.size, self.mtime


class Bringing:
    """Brings files into the index, within one transaction. What is found is written by `write`."""

    def __init__(
        self, connection: sqlite3.Connection, library: Library, files: Sequence[File], *, forward: bool
    ) -> None:
        self._connection = connection
        self._library = library
        # A Path for each file would take as long as reading it.
        self._folder = f"{library.paths.threads}{os.sep}"
        self._rows = Rows(_first_number(connection, forward))
        self._last = _number(connection, "SELECT max(num) FROM thread") or 0
        self._threads: list[tuple[Any, ...]] = []
        self._known = dict(_known(connection, [key_of(file.id) for file in files]))

    def bring(self, file: File) -> bool:
        """Read what is new of a file. True: there is more of it, for the next transaction."""
        row = self._known.get(key_of(file.id))
        if row is not None and row[1:4] == file.stamp:
            return False  # another process was quicker
        try:
            fd = os.open(f"{self._folder}{file.id}{SUFFIX}", os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            self._bury(row)
            return False
        except OSError as error:
            problem = failed("read", self._library.file(file.id), error)
            self._bury(row)
            self._keep(file, self._new(), self._library.unreadable(file.id, problem))
            return False
        try:
            stat = os.fstat(fd)
            now = File(file.id, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            return self._read(fd, now, row)
        finally:
            os.close(fd)

    def write(self) -> None:
        """Write what was found."""
        rows, execute = self._rows, self._connection.executemany
        take_out(self._connection, rows.gone)
        execute(f"INSERT INTO message ({_NODE}) VALUES (?,?,?,?,?,?,?,?,?,?)", map(msgspec.structs.astuple, rows.nodes))
        texts = [pair if pair[1].isascii() else (pair[0], apart(pair[1])) for pair in rows.texts]
        execute("INSERT INTO words (rowid, text) VALUES (?, ?)", texts)
        execute(
            "UPDATE message SET ended = ?, children = ? WHERE num = ?",
            [(node.ended, node.children, num) for num, node in rows.changed.items()],
        )
        execute(f"INSERT OR REPLACE INTO thread VALUES ({','.join('?' * 19)})", self._threads)

    def _read(self, fd: int, file: File, row: tuple[Any, ...] | None) -> bool:
        if row is not None and _has_grown(fd, file, row):
            number, start, state = row[0], row[4], _states.decode(row[6])
        else:
            self._bury(row)
            row = None
            number, start, state = self._new(), 0, None
        data, ended = _whole_lines(fd, start, file.size)
        reading = Reading(number, state, self._rows, self._find)
        before = self._rows.mark()
        try:
            reading.take(data)
            if ended:
                reading.finish()
        except Odd:
            self._rows.back_to(before)
            self._bury(row)
            self._whole(file)
            return False
        read = start + len(data)
        head = data[:SEALED] if start == 0 else _bytes(fd, 0, SEALED)
        tail = data[-SEALED:] if len(data) >= SEALED or start == 0 else _bytes(fd, max(0, read - SEALED), read)
        mtime = file.mtime if ended else _UNFINISHED
        self._keep(
            File(file.id, file.inode, file.size, mtime),
            number,
            reading.summary(file.id),
            read,
            _seal(head[:read], tail),
            reading.state,
        )
        return not ended

    def _whole(self, file: File) -> None:
        number = self._new()
        try:
            summary = whole(number, file.id, self._library.open(file.id).thread, self._rows)
        except NotFound:
            return
        except StoreError as error:
            summary = self._library.unreadable(file.id, error)
        self._keep(file, number, summary)

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _bury(self, row: tuple[Any, ...] | None) -> None:
        """Forget a thread; its messages are taken out later."""
        if row is not None:
            self._connection.execute("UPDATE thread SET file = NULL WHERE num = ?", (row[0],))

    def _keep(
        self, file: File, num: int, s: Summary, read: int = 0, seal: bytes | None = None, state: State | None = None
    ) -> None:
        summary = (s.title, fold(s.title), s.created, s.updated, s.messages, s.branches, s.ended, s.locked, s.model)
        encoded = msgspec.json.encode(state) if state is not None else None
        self._threads.append((num, key_of(file.id), *file.stamp, read, seal, *summary, s.pinned, s.problem, encoded))

    def _find(self, thread: int, message_id: str) -> Node | None:
        row = self._connection.execute(
            f"SELECT {_NODE} FROM message WHERE thread = ? AND id = ?", (thread, message_id)
        ).fetchone()
        # SQLite has no booleans.
        named = dict(zip(Node.__struct_fields__, row, strict=True)) if row is not None else None
        return msgspec.convert(named, Node | None, strict=False)


def _known(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
    """What is in the index of these files. A question for each would take as long as reading it."""
    for start in range(0, len(keys), _ASKED):
        some = keys[start : start + _ASKED]
        marks = ",".join("?" * len(some))
        columns = "file, num, inode, size, mtime, read, seal, state"
        for key, *row in checked(
            connection.execute(f"SELECT {columns} FROM thread WHERE file IN ({marks})", some), _Row
        ):
            yield key, tuple(row)


def take_out(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Take messages out of the index."""
    # In their order: FTS5 writes what it has gathered whenever a number is less than the one before.
    rows = [(num,) for num in sorted(numbers)]
    connection.executemany("DELETE FROM words WHERE rowid = ?", rows)
    connection.executemany("DELETE FROM message WHERE num = ?", rows)


def _first_number(connection: sqlite3.Connection, forward: bool) -> int:
    """Newer messages have greater numbers, more or less: where so much is found that not all can be put in order,
    it is the newest that count. What is older than all that is known is therefore numbered backwards."""
    # One question each: SQLite answers both at once by reading the whole table.
    least = _number(connection, "SELECT min(num) FROM message")
    greatest = _number(connection, "SELECT max(num) FROM message")
    if least is None or greatest is None:
        return 0
    return greatest + 1 if forward else least - _GAP


def _number(connection: sqlite3.Connection, question: str) -> int | None:
    found: int | None
    ((found,),) = checked(connection.execute(question), tuple[int | None])
    return found


def _has_grown(fd: int, file: File, row: tuple[Any, ...]) -> bool:
    """Whether the file is the one that was read, with something behind it."""
    _, inode, size, mtime, read, seal, _ = row
    if seal is None or inode != file.inode or not 0 <= read <= file.size:
        return False
    if file.size == size and mtime != _UNFINISHED:
        return False
    return bool(_seal(_bytes(fd, 0, min(read, SEALED)), _bytes(fd, max(0, read - SEALED), read)) == seal)


def _seal(head: bytes, tail: bytes) -> bytes:
    return blake2b(head + tail, digest_size=16).digest()


def _whole_lines(fd: int, start: int, size: int) -> tuple[bytes, bool]:
    """Whole lines from `start` on, some megabytes of them or one; and whether that is all there is."""
    end = min(size, start + STEP)
    data = _bytes(fd, start, end)
    while (last := data.rfind(b"\n")) < 0 and end < size:
        start_of_more, end = end, min(size, end + STEP)
        data += _bytes(fd, start_of_more, end)
    return data if last == len(data) - 1 else data[: last + 1], end >= size


def _bytes(fd: int, start: int, end: int) -> bytes:
    os.lseek(fd, start, os.SEEK_SET)
    return os.read(fd, end - start)
