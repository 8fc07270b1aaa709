"""Questions to the index: the list, and the search."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from convend_tui.store import index_text
from convend_tui.store.index_schema import checked, id_of, key_of
from convend_tui.store.index_text import Query
from convend_tui.store.library import Summary
from convend_tui.thread import records as r

CONSIDERED: Final = 1000
"""Of so many messages that match, the newest, the best are chosen."""
RECENT_DAYS: Final = 60.0
"""After this time the little that a new message is worth more has halved."""
RECENCY: Final = 0.3
"""How much more a message of this moment is worth than an old one."""

_SUMMARY: Final = "file, title, created, updated, messages, branches, ended, locked, model, pinned, problem"

_Row = tuple[bytes, str, str, str, int, int, int, int, str, int, str | None]
_Found = tuple[bytes, str, int, str | None, str | None, str, str | None, int | None, str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, or a thread by its title."""

    thread: str
    message: str | None
    """None: it is the title that was found."""
    title: str
    role: str | None
    at: str
    model: str | None
    """The model that answered."""
    ended: bool
    """The model ended the conversation at this message, above it or below it; of a title: where the person last was."""
    snippet: str
    """The part around what was found, on one line, safe to show."""
    matches: tuple[tuple[int, int], ...]
    """Where in the snippet it is: pairs of start and end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of a search; None: all. See `Index.search`."""

    ended: bool | None = None
    model: str | None = None
    role: r.Role | None = None
    since: datetime | None = None
    until: datetime | None = None
    thread: str | None = None

    def conditions(self) -> tuple[str, list[Any]]:
        """For SQL: each begins with AND; and their values."""
        found: list[tuple[str, Any]] = []
        if self.ended is not None:
            found.append(("(CASE WHEN m.id IS NULL THEN t.locked ELSE m.ended > 0 END) = ?", self.ended))
        if self.model is not None:
            found.append(("instr(lower(m.model), ?) > 0", _sound(self.model).lower()))
        if self.role is not None:
            found.append(("m.role = ?", self.role))
        if self.since is not None:
            found.append(("m.at >= ?", r.timestamp(self.since)))
        if self.until is not None:
            found.append(("m.at < ?", r.timestamp(self.until)))
        if self.thread is not None:
            found.append(("t.file = ?", key_of(self.thread)))
        return "".join(f" AND {condition}" for condition, _ in found), [value for _, value in found]


def count(connection: sqlite3.Connection) -> int:
    """How many threads there are."""
    (number,) = connection.execute("SELECT count(*) FROM thread WHERE file IS NOT NULL").fetchone()
    return int(number)


def summaries(connection: sqlite3.Connection, title: str, limit: int | None, offset: int) -> list[Summary]:
    """See `Index.summaries`."""
    words = index_text.fold(_sound(title)).split()
    conditions = " AND instr(folded, ?) > 0" * len(words)
    asked = connection.execute(
        f"SELECT {_SUMMARY} FROM thread WHERE file IS NOT NULL{conditions} "
        "ORDER BY pinned DESC, updated DESC, file DESC LIMIT ? OFFSET ?",
        (*words, -1 if limit is None else limit, offset),
    )
    rows = checked(asked, _Row)
    return [
        Summary(
            id_of(file),
            name,
            created,
            updated,
            messages,
            branches,
            bool(ended),
            bool(locked),
            model,
            bool(pinned),
            problem,
        )
        for file, name, created, updated, messages, branches, ended, locked, model, pinned, problem in checked(
            rows, _Row
        )
    ]


def search(
    connection: sqlite3.Connection, typed: str, wanted: Wanted, limit: int, offset: int, *, full_text: bool
) -> list[Hit]:
    """See `Index.search`."""
    query = index_text.parse(typed)
    conditions, values = wanted.conditions()
    if limit <= 0 or (query is None and not conditions):
        return []
    if query is None:
        newest = connection.execute(
            "SELECT m.num FROM message m JOIN words ON words.rowid = m.num JOIN thread t ON t.num = m.thread "
            f"WHERE t.file IS NOT NULL AND m.id IS NOT NULL{conditions} ORDER BY m.num DESC LIMIT ? OFFSET ?",
            (*values, limit, offset),
        ).fetchall()
        return [_hit(connection, num, None) for (num,) in newest]
    if full_text:
        worth, which, words = "bm25(words)", "words MATCH ?", query.expression
    else:
        connection.create_function("holds", 1, query.matches, deterministic=True)
        worth, which, words = "-1.0", "holds(words.text) AND ?", "1"
    asked = connection.execute(
        f"SELECT m.num, {worth}, m.at FROM words JOIN message m ON m.num = words.rowid "
        f"JOIN thread t ON t.num = m.thread WHERE {which} AND t.file IS NOT NULL{conditions} "
        "ORDER BY words.rowid DESC LIMIT ?",
        (words, *values, max(CONSIDERED, offset + limit)),
    )
    rows = checked(asked, tuple[int, float, str])
    now = datetime.now(UTC)
    weights = {day: 1 + RECENCY * _recency(day, now) for day in {row[2][:10] for row in rows}}
    # bm25 is below 0, and the lower the better.
    ranked = sorted(rows, key=lambda row: (row[1] * weights[row[2][:10]], -row[0]))
    return [_hit(connection, num, query) for num, _, _ in ranked[offset : offset + limit]]


def _hit(connection: sqlite3.Connection, num: int, query: Query | None) -> Hit:
    asked = connection.execute(
        "SELECT t.file, t.title, t.locked, m.id, m.role, m.at, m.model, m.ended, words.text FROM words "
        "JOIN message m ON m.num = words.rowid JOIN thread t ON t.num = m.thread WHERE words.rowid = ?",
        (num,),
    )
    ((file, title, locked, message, role, at, model, ended, text),) = checked(asked, _Found)
    shown, matches = index_text.snippet(text, query)
    return Hit(
        thread=id_of(file),
        message=message,
        title=title,
        role=role,
        at=at,
        model=model,
        ended=bool(locked if message is None else ended),
        snippet=shown,
        matches=matches,
    )


def _recency(day: str, now: datetime) -> float:
    """1 for today, half of it after `RECENT_DAYS`, and so on."""
    moment = r.moment_of(day)
    if moment is None:
        return 0.0
    return float(0.5 ** (max(0.0, (now - moment).total_seconds()) / 86400 / RECENT_DAYS))


def _sound(text: str) -> str:
    """Without halves of characters, which no database takes."""
    return text.encode("utf-8", "replace").decode()
