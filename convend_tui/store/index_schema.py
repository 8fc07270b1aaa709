"""The index's database: its tables, how it is opened, and what is done when it is old, damaged or out of reach.

Whatever goes wrong, there is a database in the end: the file in the cache folder, a new file in its place, or one in
memory.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from convend_tui import paths as p
from convend_tui.errors import StoreError
from convend_tui.store.locks import lock_at

VERSION: Final = 3
"""Of the tables and of what stands in them. A database of another one is made anew."""
LOCK_S: Final = 15.0
"""Seconds without any progress after which a database that another process has locked counts as stuck."""
MOST_TRIES: Final = 3
"""So often a database is made anew; then it is made in memory."""
TRY_S: Final = 0.5
"""Seconds that SQLite itself waits for a lock, before it is looked whether anybody gets on."""
_APPLICATION: Final = 0x636F6E76
"""`conv`: tells our database from any other file of that name."""

_TABLES: Final = """
CREATE TABLE thread (
    num INTEGER PRIMARY KEY,
    file BLOB UNIQUE,      -- name without its ending. NULL: gone, its messages are yet to be taken out
    inode INTEGER, size INTEGER, mtime INTEGER,  -- when it was looked at. mtime -1: there is more to read
    read INTEGER,          -- bytes that are in the index
    seal BLOB,             -- of bytes before that. NULL: read it all again when it has changed
    title TEXT, folded TEXT, created TEXT, updated TEXT, messages INTEGER, branches INTEGER,
    ended INTEGER, locked INTEGER, model TEXT, pinned INTEGER, problem TEXT,
    state BLOB             -- what reading on needs to know
);
CREATE INDEX thread_use ON thread (pinned DESC, updated DESC, file DESC);
CREATE TABLE message (     -- one with no id is the thread's title
    num INTEGER PRIMARY KEY,
    thread INTEGER, id TEXT, at TEXT, role TEXT, model TEXT,
    ended INTEGER,         -- 2: locked, 1: on the way to what is locked, 0: neither
    children INTEGER, question INTEGER, parent TEXT
);
CREATE UNIQUE INDEX message_id ON message (thread, id);
"""
_WORDS: Final = """CREATE VIRTUAL TABLE words USING fts5(text, tokenize="unicode61 remove_diacritics 2")"""
_NO_WORDS: Final = "CREATE TABLE words (rowid INTEGER PRIMARY KEY, text TEXT)"

DAMAGE: Final = (sqlite3.DatabaseError, UnicodeDecodeError, msgspec.MsgspecError)
"""What is raised where a database does not hold what was written: by SQLite, and by what makes text and states of its
bytes."""
_OUT_OF_REACH: Final = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOLFS,
}


class Database:
    """The connections of one process: one to write with, and one to read with meanwhile. Made when first asked for."""

    def __init__(self, file: Path, lock_file: Path, *, full_text: bool | None = None) -> None:
        self.file = file
        self.full_text = has_fts5() if full_text is None else full_text
        """Whether there is FTS5; without it each search reads all there is."""
        self.memory: str | None = None
        """Why the database is in memory; None: it is the file."""
        self._lock_file = lock_file
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._inode = 0
        self._made_anew = 0

    def writer(self) -> sqlite3.Connection:
        """The connection to write with.

        Raises:
            sqlite3.DatabaseError: to be given to `mend`.
        """
        if self._writer is None:
            self._writer = self._open()
        return self._writer

    def reader(self) -> sqlite3.Connection:
        """The connection to read with; in memory there is only one.

        Raises:
            sqlite3.DatabaseError: to be given to `mend`.
        """
        if self.memory is not None:
            return self.writer()
        if self._reader is None:
            self._reader = self._open()
        return self._reader

    @property
    def replaced(self) -> bool:
        """Whether somebody deleted or replaced the file while it is open here: it has to be closed."""
        is_open = self._writer is not None or self._reader is not None
        return is_open and self.memory is None and _inode(self.file) != self._inode

    def mend(self, error: Exception) -> None:
        """After an error: the next connection is to a new database.

        Raises:
            StoreError: that is how it was before, and it did not help.
        """
        if self.memory is not None:
            raise StoreError(f"The search index cannot be made: {error}.") from error
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        inode = self._inode
        self.close()
        moved = _inode(self.file) != inode
        if (code in _OUT_OF_REACH and not moved) or self._made_anew == MOST_TRIES:
            self.memory = str(error)
            return
        self._made_anew += 1
        try:
            self._remove(inode)
        except (OSError, StoreError) as why:
            self.memory = str(why)

    def close(self) -> None:
        """Let go of the file."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._reader = self._writer = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. Waits for other processes for as long as they get on.

        Raises:
            sqlite3.DatabaseError: to be given to `mend`.
        """
        connection = self.writer()
        _patiently(connection, lambda: connection.execute("BEGIN IMMEDIATE"))
        try:
            yield connection
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        if self.memory is None:
            try:
                p.ensure(self.file.parent)
                # SQLite gives its other files the rights of this one.
                os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
                self._inode = _inode(self.file)
            except (OSError, StoreError) as error:
                self.memory = str(error)
        where = ":memory:" if self.memory is not None else str(self.file)
        connection = sqlite3.connect(where, timeout=TRY_S, isolation_level=None, check_same_thread=False)
        try:
            # Two processes that make a new database at once stand in each other's way for a moment.
            _patiently(connection, lambda: self._prepare(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # Half a database that looks whole is worse than none: the log is synced before it is copied over.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=8000", "cache_size=-8000"):
            connection.execute(f"PRAGMA {pragma}").fetchone()
        if not self._fits(connection):
            connection.execute("BEGIN IMMEDIATE")
            if not self._fits(connection):  # another process may have been quicker
                self._make(connection)
            connection.execute("COMMIT")

    def _fits(self, connection: sqlite3.Connection) -> bool:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return (application, version) == (_APPLICATION, self._version)

    @property
    def _version(self) -> int:
        return VERSION * 2 + self.full_text

    def _make(self, connection: sqlite3.Connection) -> None:
        # The words first: their own tables go with them.
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name != 'words'")
        for (name,) in rows.fetchall():
            with suppress(sqlite3.OperationalError):
                connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        for statement in (*_TABLES.split(";"), _WORDS if self.full_text else _NO_WORDS):
            connection.execute(statement)
        if self.full_text:
            # More is put in order in memory before it is written, and pieces are merged later, more of them at once.
            for name, value in (("hashsize", 1 << 24), ("automerge", 16), ("crisismerge", 32)):
                connection.execute("INSERT INTO words (words, rank) VALUES (?, ?)", (name, value))
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {self._version}")

    def _remove(self, inode: int) -> None:
        """Remove the file, unless another process has put a new one in its place already."""
        import filelock  # needed in this case only

        p.ensure(self._lock_file.parent)
        try:
            with lock_at(self._lock_file, LOCK_S):
                if _inode(self.file) == inode:
                    # The database before its log: a log without a database is thrown away by SQLite itself.
                    for ending in ("", "-wal", "-shm", "-journal"):
                        self.file.with_name(self.file.name + ending).unlink(missing_ok=True)
        except filelock.Timeout as error:
            raise StoreError(str(error)) from error


def checked(rows: Iterable[Any], kind: Any) -> list[Any]:
    """Rows, each of which must be of this kind of tuple: SQLite keeps any type in any column, and a file may hold
    anything.

    Raises:
        msgspec.ValidationError: a value is of another type: one of `DAMAGE`.
    """
    found: list[Any] = msgspec.convert(list(rows), list[kind])
    return found


def key_of(thread_id: str) -> bytes:
    """A thread's id as the database has it: names of files are not always proper text."""
    return thread_id.encode("utf-8", "surrogatepass")


def id_of(key: bytes) -> str:
    """The thread's id that `key_of` was given."""
    return key.decode("utf-8", "surrogatepass")


def _patiently(connection: sqlite3.Connection, work: Callable[[], object]) -> None:
    """Do `work`, again and again while the database is busy. Each time that another process commits, the wait begins
    anew."""
    seen, end = None, time.monotonic() + LOCK_S
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            # One that Python raises itself has no code.
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if (commits := _commits(connection)) != seen:
                seen, end = commits, time.monotonic() + LOCK_S
            elif time.monotonic() > end:
                raise
            time.sleep(0.01)


def _commits(connection: sqlite3.Connection) -> int | None:
    """A number that changes whenever another connection has committed; None: nobody can tell now."""
    with suppress(sqlite3.OperationalError):
        (number,) = connection.execute("PRAGMA data_version").fetchone()
        return int(number)
    return None


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except OSError:
        return 0


@cache
def has_fts5() -> bool:
    """Whether this Python's SQLite has FTS5."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        except sqlite3.OperationalError:
            return False
    return True
