"""Threads: a quick look at their files and at the index. `convend check` reads everything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from convend_tui.cli.doctor.finding import Finding
from convend_tui.errors import StoreError, Unreadable
from convend_tui.paths import Paths
from convend_tui.store.library import SUFFIX, Library
from convend_tui.thread import records as r

_AREA = "Threads"
MOST = 500
"""Files of which the first line is read, the newest first."""
_LONGEST_HEADER = 4 * 2**20
_CHECK = "convend check says what is wrong with each."


def examine(where: Paths) -> Iterator[Finding]:
    """The thread files, what a crash left behind, and the index."""
    try:
        files = Library(where).files()
    except StoreError as error:
        yield Finding(_AREA, "wrong", str(error), "See the folders above.")
        return
    bad = [file for _, _, _, name in files[:MOST] if not _begins_well(file := where.threads / f"{name}{SUFFIX}")]
    if bad:
        said = f"{bad[0].name} cannot be read" + (f", nor can {len(bad) - 1:,} more" if len(bad) > 1 else "")
        yield Finding(_AREA, "warning", f"{said}. Nothing is written over; the others work.", _CHECK)
    threads = f"{len(files):,} thread{'' if len(files) == 1 else 's'}"
    size = sum(size for _, size, _, _ in files)
    yield Finding(_AREA, "ok", f"{threads}, {size / 1e6:,.1f} MB. This was a quick look; `convend check` reads all.")
    with suppress(OSError):
        if left := sum(1 for _ in where.partial.glob("*.json")):
            yield Finding(_AREA, "ok", f"Replies that broke off and are brought back at the next start: {left:,}.")
    yield _index(where.cache / "index.sqlite3")


def _begins_well(file: Path) -> bool:
    """Whether the first line is the header of a thread. A file that is gone by now is no problem."""
    try:
        with file.open("rb") as opened:
            return isinstance(r.decode(opened.readline(_LONGEST_HEADER)), r.Header)
    except FileNotFoundError:
        return True
    except (OSError, Unreadable):
        return False


def _index(file: Path) -> Finding:
    if not file.exists():
        return Finding(_AREA, "ok", "The search index is made when it is first needed.")
    try:
        # Read only, so that nothing is made or mended by looking.
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM message").fetchone()
    except sqlite3.Error as error:
        return Finding(
            _AREA,
            "warning",
            f"The search index cannot be read ({type(error).__name__}).",
            f"Delete {file}: it is made anew from the threads.",
        )
    return Finding(_AREA, "ok", f"The search index holds {count:,} message{'' if count == 1 else 's'}.")
