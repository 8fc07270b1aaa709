"""Checkpoints of replies while they stream, so that `kill -9` loses at most the last second.

A checkpoint is a small file of its own, replaced as a whole about once a second. Its lock file is held for as long
as the turn runs: a checkpoint whose lock is free belongs to a process that died, and is brought back.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from convend_tui import paths as p
from convend_tui.errors import StoreError
from convend_tui.files import read_regular, write_atomic
from convend_tui.store.library import Library
from convend_tui.store.locks import lock_at
from convend_tui.store.log import failed
from convend_tui.thread import records as r

OTHERS_S = 24 * 3600
"""Seconds for which a checkpoint of another machine, in a folder that several share, is left to that one: its lock says
nothing here, and the answer may still be on its way there."""


class _Saved(msgspec.Struct, frozen=True):
    thread: str
    message: r.Message
    host: str = ""
    """The machine that wrote it."""


class Checkpoint:
    """The checkpoint of one streaming reply.

    Raises:
        StoreError: the disk refused.
    """

    def __init__(self, folder: Path, thread_id: str, message_id: str) -> None:
        p.ensure(folder)
        self._file = folder / f"{message_id}.json"
        self._thread = thread_id
        self._lock = lock_at(folder / f"{message_id}.lock")
        try:
            self._lock.acquire()
        except OSError as error:
            raise failed("locked", Path(self._lock.lock_file), error) from error

    def write(self, message: r.Message) -> None:
        """Replace the checkpoint. Not synced: it guards against the death of the process, not of the machine.

        Raises:
            StoreError: the disk refused.
        """
        temporary = self._file.with_suffix(".tmp")
        try:
            fd = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(_Saved(self._thread, message, platform.node())))
            temporary.replace(self._file)
        except OSError as error:
            _remove(temporary)
            raise failed("written", self._file, error) from error

    def close(self, *, keep: bool = False) -> None:
        """End the checkpoint; with `keep` it stays for the next start (the thread file could not be written)."""
        if not keep:
            _remove(self._file)
        self._lock.release()
        if not keep:
            _remove(Path(self._lock.lock_file))


def recover(library: Library) -> Iterator[str]:
    """Bring back what dead processes left: each as a `partial` message of its thread. Yields a sentence for each.

    A checkpoint that cannot be placed is left where it is; one that cannot be read (a power cut leaves such: it is not
    synced) is put aside.
    """
    folder = library.paths.partial
    if not folder.is_dir():
        return
    import filelock

    for file in sorted(folder.glob("*.json")):
        lock = lock_at(file.with_suffix(".lock"))
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            continue  # its process lives
        except OSError:
            continue  # a folder that cannot be written: nothing can be brought back now
        try:
            yield from _bring_back(library, file)
        finally:
            lock.release()
            if not file.exists():
                _remove(Path(lock.lock_file))


def _bring_back(library: Library, file: Path) -> Iterator[str]:
    try:
        saved = msgspec.json.decode(read_regular(file), type=_Saved)
        if saved.host not in ("", platform.node()) and time.time() - file.stat().st_mtime < OTHERS_S:
            return
        handle = library.open(saved.thread)
        if saved.message.id not in handle.thread.messages:
            handle.append_now([msgspec.structs.replace(saved.message, at=handle.now())])
            yield f"A reply that was cut off has been brought back in “{handle.thread.title}”."
        file.unlink()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield _put_aside(library, file, error)
    except StoreError as error:
        yield f"A reply that was cut off could not be brought back: {error} It is kept in {file}."
    except OSError as error:
        yield f"{file} could not be read or removed, and was left as it is: {error.strerror or error}."


def _put_aside(library: Library, file: Path, error: Exception) -> str:
    """Keep a broken checkpoint where torn lines are kept: it must not be told of at every start."""
    try:
        data = file.read_bytes()
        if not data.strip(b"\0"):
            file.unlink()
            return "A reply that was cut off could not be brought back: nothing of it had reached the disk."
        place = library.paths.state / "torn" / file.name
        write_atomic(place, data)
        file.unlink()
    except (OSError, StoreError):
        return f"{file} could not be read and was left as it is: {error}"
    return f"A reply that was cut off could not be brought back: {error}. What there is of it is kept in {place}."


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
