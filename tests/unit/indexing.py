"""Threads to index, and what an index says of them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from convend_tui.paths import Paths
from convend_tui.store.index import Index
from convend_tui.store.index_read import LOCKED, ON_THE_WAY
from convend_tui.store.library import Library
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.making import Branch, at, header, text

ROOT = Path(__file__).parents[2]
ID = "20261122T000000-0000000{}"


def file_of(paths: Paths, thread_id: str) -> Path:
    paths.threads.mkdir(parents=True, exist_ok=True)
    return paths.threads / f"{thread_id}.jsonl"


def save(paths: Paths, name: str, *records: r.Record, head: bool = True) -> str:
    """Write a thread file as another program does, in one step; returns the thread's id."""
    thread_id = name if len(name) > 1 else ID.format(name)
    file = file_of(paths, thread_id)
    first = [header(id=thread_id)] if head else []
    temporary = file.with_suffix(".new")
    temporary.write_bytes(b"".join(map(r.encode, (*first, *records))))
    temporary.replace(file)
    return thread_id


def append(paths: Paths, thread_id: str, *records: r.Record) -> None:
    with file_of(paths, thread_id).open("ab") as file:
        file.write(b"".join(map(r.encode, records)))


def message(name: str, parent: str | None = None, when: int = 1, words: str | None = None, **more: Any) -> r.Message:
    given: dict[str, Any] = {"role": "user", "kind": "typed"} | more
    return r.Message(at=at(when), id=name, parent=parent, content=[text(words or name)], **given)


def ended(name: str, when: int = 90) -> r.Ended:
    return r.Ended(at=at(when), message=name, cause="persistent_abuse", explanation="It went on.")


def chat(*words: str) -> list[r.Message]:
    branch = Branch()
    for place, said in enumerate(words):
        branch.typed(said) if place % 2 == 0 else branch.reply(said, model="claude-test-1")
    return branch.path


def found(index: Index, query: str, **filters: Any) -> list[str | None]:
    return [hit.message for hit in index.search(query, **filters)]


def contents(index: Index) -> dict[str, Any]:
    """All that the index has to say."""
    connection = sqlite3.connect(index.paths.cache / "index.sqlite3")
    try:
        rows = connection.execute(
            "SELECT t.file, m.id, m.at, m.role, m.model, m.ended, w.text FROM message m "
            "JOIN thread t ON t.num = m.thread LEFT JOIN words w ON w.rowid = m.num"
        ).fetchall()
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    finally:
        connection.close()
    threads = {s.id: s for s in index.summaries()}
    # The title has no time of its own.
    known = [(file, i, when if i is not None else "", *more) for file, i, when, *more in rows]
    return {"threads": threads, "messages": sorted(known, key=repr)}


def rebuilt(paths: Paths) -> dict[str, Any]:
    """What an index says that is made anew."""
    fresh = Index(Paths(paths.config_file, paths.data, paths.cache / "fresh", paths.state))
    try:
        fresh.update()
        return contents(fresh)
    finally:
        fresh.close()
        for file in fresh.paths.cache.iterdir():
            file.unlink()


def agrees(index: Index) -> None:
    """The index says what a new one would say, and what the threads themselves say."""
    says = contents(index)
    assert says == rebuilt(index.paths)
    library = Library(index.paths)
    assert says["threads"] == {i: library.summary(i) for i in library.ids()}
    ended_at = {(os.fsdecode(file), i): state for file, i, _, _, _, state, _ in says["messages"] if i is not None}
    for thread_id, summary in says["threads"].items():
        if summary.problem is None:
            thread = library.open(thread_id).thread
            leading = {above.id for i in thread.ended.keys() & thread.messages.keys() for above in thread.ancestry(i)}
            for i in thread.messages:
                expected = LOCKED if lock.ending_at(thread, i) else ON_THE_WAY if i in leading else 0
                assert ended_at[thread_id, i] == expected, i
