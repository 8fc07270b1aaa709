"""The two phases of an import: everything is written aside first, then each file is put in place whole.

Until the second phase begins nothing has changed but a folder `state/import-…`, which goes away with the import, or
with the next one after a crash. A crash in the second phase leaves whole threads, and importing again brings the rest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import msgspec

from convend_tui import paths as p
from convend_tui.errors import AttachmentError, ExchangeError, RuleError, StoreError, Unreadable
from convend_tui.exchange.additions import Known, additions, no_new_lock, thread_of
from convend_tui.exchange.incoming import Skip
from convend_tui.exchange.telling import Report
from convend_tui.files import sync_folder, write_atomic
from convend_tui.store import blobs
from convend_tui.store.library import SUFFIX, Library
from convend_tui.store.locks import lock_at
from convend_tui.store.log import AnyRecord, Batch, LogFile, failed
from convend_tui.thread import records as r

_PREFIX: Final = "import-"
_WRITERS: Final = 8
"""The disk takes several files at once faster than one after the other."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is told of a thread that was written aside."""

    messages: int
    branched: bool
    ended: bool
    latest: str
    """When it was used last."""
    own: bool
    """It is convend's: whatever its lines say is taken."""


class Staging:
    """What an import has read so far. Use `staging`."""

    def __init__(self, library: Library, folder: Path) -> None:
        self._library = library
        self._folder = folder
        self._here = replace(library.paths, data=folder)
        self._staged: dict[str, _Facts] = {}

    def attach(self, name: str, data: bytes) -> r.Block | None:
        """Keep an attachment's bytes; the block that names them, or None where they cannot be attached.

        Raises:
            StoreError: the disk refused.
        """
        try:
            return blobs.attach_bytes(self._here, name, data)
        except AttachmentError:
            return None

    def keep_blob(self, sha256: str, data: bytes) -> None:
        """Keep the bytes of an attachment that has been checked already."""
        write_atomic(self._here.blobs / sha256, data)

    def has_blob(self, sha256: str) -> bool:
        """Whether an attachment's bytes are here, or came with the import."""
        return (self._library.paths.blobs / sha256).exists() or (self._here.blobs / sha256).exists()

    def add(self, thread_id: str, records: Sequence[AnyRecord], lines: Sequence[bytes], *, own: bool) -> list[Skip]:
        """Write a thread aside; of one that came twice, what is new. Returns what was left out.

        Args:
            records, lines: the same, the header first; the lines without newlines.

        Raises:
            StoreError: the disk refused.
        """
        file = self._file(thread_id)
        known = self._staged.get(thread_id)
        skipped: list[Skip] = []
        if known is not None:
            before = list(_decoded(file))
            lines = additions(_lines_of(file), before, lines, skipped, own=own)
            records, own = [*before, *map(r.decode, lines)], own or known.own
        try:
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as out:
                out.write(b"".join([line + b"\n" for line in lines]))
        except OSError as error:
            raise failed("written", file, error) from error
        self._staged[thread_id] = _facts(records, own)
        return skipped

    def name(self, thread_id: str, title: r.Title) -> None:
        """Give a thread that was written aside a title which was found later.

        Raises:
            StoreError: the disk refused.
        """
        if thread_id in self._staged:
            self.add(thread_id, [title], [r.encode(title).rstrip(b"\n")], own=False)

    # -- the second phase -------------------------------------------------------------------------------------

    def place(self) -> Report:
        """Put everything in place.

        Raises:
            StoreError: the disk refused; what had been put in place before stays.
        """
        report = Report()
        if not self._staged:
            return report
        trashed = {trashed_id.partition("~")[0] for trashed_id in self._library.trashed_ids()}
        self._sync()
        self._place_blobs()
        p.ensure(self._library.paths.threads)
        for thread_id, facts in self._staged.items():
            if thread_id in trashed:
                title = thread_of(list(_decoded(self._file(thread_id)))).title
                why = f"it is in the trash; to import it, bring it back first: convend restore {thread_id}"
                report.skipped.append(Skip(f"“{title}”", why))
            elif not self._put(thread_id, facts, report):
                self._merge(thread_id, facts, report)
        with suppress(OSError):  # not every file system syncs folders
            sync_folder(self._library.paths.threads)
        return report

    def _sync(self) -> None:
        files = [*self._folder.glob(f"*{SUFFIX}"), *self._here.blobs.glob("*")]
        with ThreadPoolExecutor(_WRITERS) as writers:
            for _ in writers.map(_sync_file, files):
                pass

    def _place_blobs(self) -> None:
        if not self._here.blobs.is_dir():
            return
        p.ensure(self._library.paths.blobs)
        for blob in self._here.blobs.iterdir():
            _link(blob, self._library.paths.blobs / blob.name)
        with suppress(OSError):
            sync_folder(self._library.paths.blobs)

    def _put(self, thread_id: str, facts: _Facts, report: Report) -> bool:
        """Put a new thread in place; False: there is one already."""
        file = self._file(thread_id)
        target = self._library.paths.threads / file.name
        if target.exists():
            return False
        _date(file, facts.latest, 0)
        if not _link(file, target):
            return False
        report.take(facts.messages, branched=facts.branched, ended=facts.ended)
        return True

    def _merge(self, thread_id: str, facts: _Facts, report: Report) -> None:
        """Bring a thread that is here already up to date, under its lock."""
        paths = self._library.paths
        log = LogFile(self._library.file(thread_id), paths.locks / f"{thread_id}.lock", paths.state / "torn")
        try:
            written = log.path.stat().st_mtime
            before = log.read_new().records
            wanted = _lines_of(self._file(thread_id))
            new = additions(_lines_of(log.path), before, wanted, report.skipped, own=facts.own)
        except (StoreError, OSError) as error:
            # One that cannot be read need not hold up the others.
            told = error if isinstance(error, StoreError) else failed("read", log.path, error)
            report.skipped.append(Skip(f"thread {thread_id}", str(told).rstrip(".")))
            return
        if not new:
            report.unchanged += 1
            return

        lacking = new

        def rule(fresh: Batch) -> list[r.Record]:
            nonlocal lacking
            no_new_lock(fresh)
            if fresh.records:  # a sync may have brought the same lines a moment ago
                lacking = list(filter(Known(_lines_of(log.path)).is_new, new))
            # Lines are written as they came, with what this version does not know.
            return cast("list[r.Record]", [msgspec.Raw(line) for line in lacking])

        try:
            log.append([], rule)
        except (Unreadable, RuleError) as error:
            report.skipped.append(Skip(f"thread {thread_id}", str(error).rstrip(".")))
            return
        if not lacking:
            report.unchanged += 1
            return
        added = [r.decode(line) for line in lacking]
        now = _facts([*before, *added], facts.own)
        _date(log.path, facts.latest, written)
        report.grown += 1
        report.take(_facts(added, facts.own).messages, branched=now.branched, ended=now.ended)

    def _file(self, thread_id: str) -> Path:
        return self._folder / f"{thread_id}{SUFFIX}"


def _date(file: Path, latest: str, written: float) -> None:
    """Let a file be as old as what is in it, and no older than it was: a chat of last year must not become the one used
    last."""
    moment = r.moment_of(latest)
    with suppress(OSError, OverflowError, ValueError):
        seconds = max(written, moment.timestamp() if moment is not None else 0)
        os.utime(file, (seconds, seconds))


def _facts(records: Iterable[AnyRecord], own: bool) -> _Facts:
    parents: dict[str, str | None] = {}
    ended, latest = False, ""
    for record in records:
        if isinstance(record, r.Message):
            parents[record.id] = record.parent
        ended = ended or isinstance(record, r.Ended)
        if not isinstance(record, r.Unknown):
            latest = max(latest, record.at)
    return _Facts(len(parents), len(set(parents.values())) < len(parents), ended, latest, own)


def _lines_of(file: Path) -> list[bytes]:
    try:
        return [line for line in file.read_bytes().split(b"\n") if line]
    except OSError as error:
        raise failed("read", file, error) from error


def _decoded(file: Path) -> Iterator[AnyRecord]:
    try:
        with file.open("rb") as lines:
            yield from (r.decode(line) for line in lines)
    except OSError as error:
        raise failed("read", file, error) from error


def _sync_file(file: Path) -> None:
    try:
        fd = os.open(file, os.O_RDWR)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise failed("written", file, error) from error


def _link(source: Path, target: Path) -> bool:
    """Give a file that is on the disk its place, in one step; False: there is one already."""
    try:
        os.link(source, target)
        return True
    except FileExistsError:
        return False
    except OSError:
        pass  # another file system, or one without links
    if target.exists():
        return False
    try:
        write_atomic(target, source.read_bytes())
    except OSError as error:
        raise failed("read", source, error) from error
    return True


@contextmanager
def staging(library: Library) -> Iterator[Staging]:
    """A place for what is being read; gone in the end, however that comes. One import at a time.

    Raises:
        ExchangeError: another import is running. StoreError: the disk refused.
    """
    import filelock

    state = p.ensure(library.paths.state)
    held = lock_at(p.ensure(library.paths.locks) / "import.lock", 0)
    try:
        held.acquire()
    except filelock.Timeout:
        raise ExchangeError("Another import is running. Try again when it is done.") from None
    except OSError as error:
        raise failed("locked", Path(held.lock_file), error) from error
    try:
        for left in state.glob(f"{_PREFIX}*"):  # by a crash: nobody else can hold it
            shutil.rmtree(left, ignore_errors=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=state))
        except OSError as error:
            raise failed("written", state, error) from error
        try:
            yield Staging(library, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        held.release()
