"""Copies in conflict, which Syncthing, Dropbox and their like put beside a thread file that two machines wrote at once.

The union of two copies is always a valid thread: the lines that only the copy has are appended to the thread's file,
under its lock. The copy then moves to `state/conflicts/`. It is never deleted, and never a thread of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import msgspec

from convend_tui import paths as p
from convend_tui.errors import NotFound, StoreError, Unreadable
from convend_tui.files import give_name, sync_folder, write_atomic
from convend_tui.store.copies import original_of
from convend_tui.store.library import SUFFIX, Library
from convend_tui.store.locks import lock_at
from convend_tui.store.log import Batch, LogFile, failed
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

FOLDER: Final = "conflicts"
"""Where copies are kept once they are merged, below the folder of states."""
_LOCK: Final = "conflicts.lock"


def merge(library: Library) -> Iterator[str]:
    """Bring in what copies in conflict hold. Yields a sentence for each; one that cannot be merged stays as it is."""
    folder = library.paths.threads
    try:
        with os.scandir(folder) as entries:
            copies = sorted(e.name for e in entries if original_of(e.name) is not None and e.is_file())
    except OSError:
        return  # whoever lists the threads says what is wrong with the folder
    if not copies:
        return
    import filelock  # not needed for the first paint

    lock = lock_at(library.paths.locks / _LOCK)
    try:
        p.ensure(library.paths.locks)
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return  # another process is at it
    except (OSError, StoreError) as error:
        yield f"{folder / copies[0]} is a copy in conflict. It could not be merged: {error}"
        return
    try:
        for name in copies:
            yield from _merge(library, folder / name)
    finally:
        lock.release()


def _merge(library: Library, copy: Path) -> Iterator[str]:
    try:
        before = copy.stat()
        # Another program may have changed the ends of lines.
        lines = [line.removesuffix(b"\r") for line in copy.read_bytes().split(b"\n")]
        log, is_back = _out_of_trash(library, _log_of(library, copy, lines), lines)
        if not log.path.exists():
            give_name(copy, log.path)
            _sync(copy.parent)
            yield f"{copy.name} was a copy in conflict of a thread that was not there. It is the thread now."
            return
        title, count, broken = _bring_in(log, lines)
        if copy.stat().st_mtime_ns != before.st_mtime_ns:
            return  # it is still being written: the next time brings the rest
        place = _put_away(library, copy)
    except FileNotFoundError:
        return  # its synchroniser took it back
    except (StoreError, OSError) as error:
        why = error if isinstance(error, StoreError) else failed("read", copy, error)
        yield f"{copy} is a copy in conflict. It could not be merged, and was left as it is: {why}"
        return
    what = f"{count} record{'s' if count != 1 else ''} came in" if count else "it held nothing new"
    left = f", {broken} broken line{'s' if broken != 1 else ''} stayed behind" if broken else ""
    back = " The chat was in the trash; somebody went on with it, and it is back." if is_back else ""
    yield f"A copy in conflict of “{title}” was merged: {what}{left}. It is kept in {place}.{back}"


def _log_of(library: Library, copy: Path, lines: list[bytes]) -> LogFile:
    """The file of the thread that this is a copy of, by its name and by its header.

    Raises:
        Unreadable: they do not agree, or a newer convend wrote it.
    """
    header = next((record for record in _records(lines) if isinstance(record, r.Header)), None)
    if header is None:
        raise Unreadable("It has no header line.")
    original = original_of(copy.name)
    # A copy because of a name's case has the other case in its name.
    if original is None or header.id.casefold() != original.casefold():
        raise Unreadable("It is of another thread, by its header.")
    if header.format > r.FORMAT:
        raise Unreadable("A newer convend wrote it. Update convend.")
    try:
        return library.log(header.id)
    except NotFound as error:
        raise Unreadable(str(error)) from None


def _out_of_trash(library: Library, log: LogFile, lines: list[bytes]) -> tuple[LogFile, bool]:
    """The file that a copy goes into, and whether the thread was brought back for that. It was thrown away here: it
    comes back where the copy says more than where somebody went, as when machines sync."""
    trashed = LogFile(library.paths.trash / log.path.name, log.lock_path, log.torn_folder)
    if log.path.exists() or not trashed.path.exists():
        return log, False
    if all(isinstance(record, r.Leaf) for record in _records(_lacking(trashed, lines)[0])):
        return trashed, False
    library.untrash(log.path.stem)
    return log, True


def _bring_in(log: LogFile, lines: list[bytes]) -> tuple[str, int, int]:
    """Append what only the copy has: title of the thread, number of lines, number of lines that cannot be read.

    Raises:
        StoreError: the disk refused, or the thread's file cannot be written.
    """
    known = log.read_new().records
    header = next((record for record in known if isinstance(record, r.Header)), None)
    if header is None:
        raise Unreadable(f"{log.path} has no header line.")
    if header.format > r.FORMAT:
        raise Unreadable(f"A newer convend wrote {log.path}. Update convend.")
    new, broken = _lacking(log, lines)

    def still_lacking(fresh: Batch) -> list[r.Record]:
        # Asked under the lock: another process may have brought the same lines a moment ago.
        if fresh.records:
            new[:] = _lacking(log, lines)[0]
        # Lines are written as they came, with what this version does not know.
        return cast("list[r.Record]", [msgspec.Raw(line) for line in new])

    if new:
        log.append([], still_lacking)
    return Thread(header, [*known, *_records(new)]).title, len(new), broken


def _lacking(log: LogFile, lines: list[bytes]) -> tuple[list[bytes], int]:
    """The lines that a thread's file lacks, and the number of those that cannot be read."""
    try:
        # Without its newline the last line is not read yet, and may be a torn one.
        have = {line.removesuffix(b"\r") for line in log.path.read_bytes().split(b"\n")[:-1]}
    except OSError as error:
        raise failed("read", log.path, error) from error
    new: list[bytes] = []
    broken = 0
    for line in lines:
        if not line.strip() or line in have:
            continue
        try:
            record = r.decode(line)
        except Unreadable:
            broken += 1
            continue
        if not isinstance(record, r.Header):
            have.add(line)
            new.append(line)
    return new, broken


def _put_away(library: Library, copy: Path) -> Path:
    """Move a copy out of the synchronised folder, under a name that is free there."""
    folder = p.ensure(library.paths.state / FOLDER)
    number = 1
    while True:
        place = folder / (copy.name if number == 1 else f"{copy.name.removesuffix(SUFFIX)}~{number}{SUFFIX}")
        try:
            if place.exists():
                raise FileExistsError
            if copy.stat().st_dev == folder.stat().st_dev:
                give_name(copy, place)
            else:
                write_atomic(place, copy.read_bytes())
                copy.unlink()
        except FileExistsError:
            number += 1
            continue
        _sync(folder)
        _sync(copy.parent)
        return place


def _records(lines: list[bytes]) -> Iterator[r.AnyRecord | r.Unknown]:
    for line in lines:
        with suppress(Unreadable):
            yield r.decode(line)


def _sync(folder: Path) -> None:
    with suppress(OSError):  # not every file system syncs folders
        sync_folder(folder)
