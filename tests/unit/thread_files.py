"""Thread files to read, append to and spoil."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convend_tui.store.log import LogFile
from convend_tui.thread import records as r
from tests.making import at, header, text

ROOT = Path(__file__).parents[2]
HEAD = header()
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")


def message(name: str, parent: str | None = None, when: int = 1, words: str = "x") -> r.Message:
    return r.Message(at=at(when), id=name, parent=parent, role="user", content=[text(words)], kind="typed")


def log_in(root: Path) -> LogFile:
    return LogFile(root / "threads" / "t.jsonl", root / "locks" / "t.lock", root / "torn")


def filled(root: Path, *records: r.Record) -> LogFile:
    """A file with a header and `records`, read up to its end."""
    log = log_in(root)
    log.create([HEAD, *records])
    assert len(log.read_new().records) == 1 + len(records)
    return log


def ids(log: LogFile) -> list[str]:
    """The messages that a new reader of the file finds."""
    fresh = LogFile(log.path, log.lock_path, log.torn_folder)
    return [record.id for record in fresh.read_new().records if isinstance(record, r.Message)]


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
