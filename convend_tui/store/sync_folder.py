"""The data folder's side of `convend sync`: what is new in it since the last commit, and bringing a commit into it.

No file is ever replaced. A thread's file is read under its lock, so that no half of a write is seen, and what it lacks
is appended by `LogFile.append`: under the lock, after mending a torn end, and synced.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import msgspec

from convend_tui import paths as p
from convend_tui.errors import NotFound, StoreError
from convend_tui.files import give_name, read_regular, sync_folder, write_atomic
from convend_tui.paths import Paths
from convend_tui.store import sync_tree as t
from convend_tui.store.git import Change, Entry, Tree
from convend_tui.store.leftovers import NEW
from convend_tui.store.library import SUFFIX, Library, move
from convend_tui.store.log import Batch, LogFile, failed
from convend_tui.thread import records as r

_WRITERS: Final = 8
_AT_ONCE: Final = 256
"""Files that are flushed to the disk together."""
_Stamp = tuple[int, int, int]
"""Inode, size, time of the last write in ns: another one, and the file has changed."""


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    stamp: _Stamp
    sha: str
    """The object that has the same lines (of an attachment: the same bytes)."""


@dataclass(slots=True)
class Received:
    """What came into the folder."""

    threads: set[str] = field(default_factory=set)
    attachments: int = 0
    trashed: set[str] = field(default_factory=set)
    restored: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    """What the person should know, a sentence each."""
    failed: list[str] = field(default_factory=list)
    """What could not be brought in, a sentence each. The next sync tries again."""


class Folder:
    """The data folder. One sync at a time."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._library = Library(paths)
        self._folders = {t.THREADS: paths.threads, t.TRASH: paths.trash}
        self._cache = paths.state / "sync.json"
        self._seen = self._load_seen()
        self._stamps: dict[str, _Stamp] = {}
        """Of files that were read in this sync and hold all that the commit holds."""
        self._complete: dict[str, str] = {}
        """Path -> object: the file holds all of it."""
        self._new: list[tuple[Path, Path, str, str]] = []
        """Files that were written aside: where, what they become, its path and its object."""
        self.left_out: list[str] = []
        """What stays on this machine, a sentence each."""

    def prepare(self) -> None:
        """Put `.gitignore` and `.gitattributes` into the folder, for whoever uses git there by hand; take away what
        a sync that was killed left half done.

        Raises:
            StoreError: the disk refused.
        """
        for name, content in t.OURS.items():
            if not os.path.lexists(self._paths.data / name):
                write_atomic(self._paths.data / name, content)
        for folder in self._folders.values():
            for left in folder.glob(f"{NEW}*.tmp"):
                with suppress(OSError):  # it is in nobody's way
                    left.unlink()
        # In two places, it would be moved on other machines, or not, by where it is there.
        for file in self._paths.trash.glob(f"[!.]*{SUFFIX}"):
            if t.is_name(file.stem) and (self._paths.threads / file.name).exists():
                self._library.part(file.stem)

    # -- what is new here ---------------------------------------------------------------------------------------

    def changes(self, tree: Tree, load: t.Load) -> Iterator[tuple[str, Change]]:
        """What the folder holds and the tree does not. Threads first: whatever attachment one of them names is there
        when the attachments are looked at.

        Raises:
            StoreError: a file cannot be read, or another process writes it for too long.
        """
        were = t.places(tree)
        for name in sorted(set(self._names(t.THREADS)) | set(self._names(t.TRASH))):
            yield from self._thread(name, were.get(name, t.Places()), load)
        for blob in self._blobs():
            path = f"{t.BLOBS}{blob.name}"
            stamp = _stamp(blob)
            entry = tree.get(path)
            if entry is not None and self._is_seen(path, stamp, entry.sha):
                continue
            if stamp is None or not _is_itself(blob):
                continue  # damaged, or gone meanwhile: a good one may come from the other side
            self._stamps[path] = stamp
            if entry is None:
                yield path, blob
        for path, content in t.OURS.items():
            if path not in tree:
                yield path, content

    def committed(self, tree: Tree) -> None:
        """What `changes` told is in this tree now."""
        for path, stamp in self._stamps.items():
            if path in tree:
                self._complete[path] = tree[path].sha
                self._seen[path] = _Seen(stamp, tree[path].sha)
        self._stamps.clear()

    def remember(self) -> None:
        """Keep what the next sync need not read again."""
        for path in [path for path in self._seen if path not in self._complete]:
            del self._seen[path]
        with suppress(StoreError):  # it is only for speed
            write_atomic(self._cache, msgspec.json.encode(self._seen))

    def _thread(self, name: str, was: t.Places, load: t.Load) -> Iterator[tuple[str, Change]]:
        stamps = {folder: stamp for folder in self._folders if (stamp := _stamp(self._file(folder, name))) is not None}
        if stamps.keys() == was.at.keys() and all(
            self._is_seen(t.path_of(folder, name), stamp, was.at[folder].sha) for folder, stamp in stamps.items()
        ):
            return
        here: dict[str, bytes] = {}
        with self._log(t.THREADS, name).locked():
            for folder in self._folders:
                if (stamp := _stamp(self._file(folder, name))) is not None:
                    here[folder] = t.whole(_read(self._file(folder, name)))
                    stamps[folder] = stamp
        moved = here.keys() != was.at.keys() and len(here) == 1 and was.only is not None
        for folder, data in here.items():
            path = t.path_of(folder, name)
            before = was.at[was.only] if moved and was.only else was.at.get(folder)
            committed = load(before.sha) if before is not None else b""
            if not (t.is_of(name, data) or (before is not None and t.is_headless(data))):
                if data:
                    self.left_out.append(f"{path} is not the thread that its name says, and stays on this machine.")
                continue
            new = t.missing(committed, data)
            if not t.missing(data, committed):
                self._stamps[path] = stamps[folder]
            if moved and was.only:
                yield t.path_of(was.only, name), None
            if new or before is None:
                yield path, t.with_lines(committed, new)
            elif moved:
                yield path, before

    def _is_seen(self, path: str, stamp: _Stamp | None, sha: str) -> bool:
        known = self._seen.get(path)
        if known is None or known.stamp != stamp or known.sha != sha:
            return False
        self._complete[path] = sha
        return True

    def _names(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(self._folders[folder]) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX) and not entry.name.startswith(".") and not entry.is_dir():
                        name = entry.name.removesuffix(SUFFIX)
                        if t.is_name(name):
                            yield name
                        else:
                            path = f"{folder}{entry.name}"
                            self.left_out.append(f"{path} has a name that no thread has, and stays on this machine.")
        except FileNotFoundError:
            return
        except OSError as error:
            raise failed("read", self._folders[folder], error) from error

    def _blobs(self) -> list[Path]:
        try:
            return sorted(file for file in self._paths.blobs.iterdir() if t.is_blob(f"{t.BLOBS}{file.name}"))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("read", self._paths.blobs, error) from error

    # -- bringing a commit in -----------------------------------------------------------------------------------

    def bring_in(self, before: Tree, after: Tree, load: t.Load, received: Received) -> None:
        """Append and add what the folder lacks of `after`, and move what `after` has in the other place than `before`.

        Raises:
            StoreError: the disk refused. What was brought in before stays; nothing is half there.
        """
        for path, entry in after.items():
            # Attachments first: no message names one that is not there.
            if t.is_blob(path) and self._complete.get(path) != entry.sha:
                self._bring_blob(path, load(entry.sha), received)
        were = t.places(before)
        for name, places in t.places(after).items():
            paths = {t.path_of(folder, name): entry for folder, entry in places.at.items()}
            was = were.get(name, t.Places())
            is_moved = was.only is not None and places.only is not None and was.only != places.only
            if not is_moved and all(self._complete.get(path) == entry.sha for path, entry in paths.items()):
                continue
            try:
                if is_moved:
                    self._move(name, was, places, load, received)
                for folder, entry in places.at.items():
                    self._bring_thread(folder, name, entry, load, received)
            except NotFound as error:
                received.failed.append(str(error))
            except StoreError as error:
                received.failed.append(f"Thread {name} could not be brought up to date. {error}")
        self._give_names(received)

    def _bring_blob(self, path: str, data: bytes, received: Received) -> None:
        blob = self._paths.data / path
        if blob.exists() and _is_itself(blob):
            return
        if hashlib.sha256(data).hexdigest() != blob.name:
            received.failed.append(f"An attachment that came is damaged, and was not taken: {path}.")
            return
        write_atomic(blob, data)
        received.attachments += 1

    def _bring_thread(self, folder: str, name: str, entry: Entry, load: t.Load, received: Received) -> None:
        data = t.with_lines(b"", t.lines_of(load(entry.sha)))
        place = self._place(folder, name)
        file = self._file(place, name)
        stamp = _stamp(file)
        if stamp is None and not file.exists():
            if not t.is_of(name, data):
                raise NotFound(f"{t.path_of(folder, name)} came without the header of that thread, and was left out.")
            self._create(t.path_of(folder, name), file, entry, data, received)
            return
        if not t.missing(t.whole(_read(file)), data):
            return
        lines: list[bytes] = []

        def lacking(_: Batch) -> list[r.Record]:
            # Asked under the lock: another process may have brought the same lines a moment ago.
            here = _read(file)
            if not (t.is_of(name, here) or t.is_headless(here)):
                raise StoreError(f"{file} holds another thread: another program put it there.")
            lines[:] = t.missing(t.whole(here), data)
            # Lines are written as they came, with what this version does not know.
            return cast("list[r.Record]", [msgspec.Raw(line) for line in lines])

        self._log(place, name).append([], lacking)
        if lines:
            received.threads.add(name)
            _set_time(file, lines, stamp[2] if stamp is not None else 0)

    def _place(self, folder: str, name: str) -> str:
        """Where a thread lies that should lie in `folder`: another process may just have moved it."""
        other = t.TRASH if folder == t.THREADS else t.THREADS
        if not self._file(folder, name).exists() and self._file(other, name).exists():
            return other
        return folder

    def _create(self, path: str, file: Path, entry: Entry, data: bytes, received: Received) -> None:
        """Write a new thread's file aside; `_give_names` puts it in place."""
        try:
            handle, temporary = tempfile.mkstemp(prefix=NEW, suffix=".tmp", dir=p.ensure(file.parent))
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(data)
            except BaseException:
                os.unlink(temporary)  # noqa: PTH108
                raise
        except OSError as error:
            raise failed("created", file, error) from error
        _set_time(Path(temporary), t.lines_of(data), 0)
        self._new.append((Path(temporary), file, path, entry.sha))
        if len(self._new) >= _AT_ONCE:
            self._give_names(received)

    def _give_names(self, received: Received) -> None:
        """Put new files in place, each whole and on the disk. Where somebody else made one meanwhile, the next sync
        brings the rest."""
        new, self._new = self._new, []
        try:
            with ThreadPoolExecutor(_WRITERS) as writers:  # the disk takes several at once faster than one by one
                list(writers.map(_flush, [temporary for temporary, *_ in new]))
            for temporary, file, path, sha in new:
                stamp = _stamp(temporary)
                with suppress(FileExistsError):
                    give_name(temporary, file)
                    received.threads.add(file.stem)
                    self._complete[path] = sha
                    if stamp is not None:
                        self._seen[path] = _Seen(stamp, sha)
            for folder in {file.parent for _, file, *_ in new}:
                with suppress(OSError):  # not every file system syncs folders
                    sync_folder(folder)
        except OSError as error:
            raise failed("written", self._paths.threads, error) from error
        finally:
            for temporary, *_ in new:
                temporary.unlink(missing_ok=True)

    def _move(self, name: str, was: t.Places, places: t.Places, load: t.Load, received: Received) -> None:
        assert was.only is not None and places.only is not None
        source, target = self._file(was.only, name), self._file(places.only, name)
        with self._log(t.THREADS, name).locked():
            if not source.exists() or target.exists():
                return  # somebody else moved it
            if places.only == t.TRASH:
                lines = t.missing(load(was.at[was.only].sha), t.whole(_read(source)))
                if t.has_news(lines) or self._is_streaming(name):
                    why = "somebody is writing to it here: it stays"
                    received.notes.append(f"Thread {name} was thrown away on another machine, but {why}.")
                    return
            move(source, target)
        (received.trashed if places.only == t.TRASH else received.restored).add(name)

    def _is_streaming(self, name: str) -> bool:
        """Whether an answer is on its way, or was left behind by a crash: it needs the thread where it is."""
        for checkpoint in self._paths.partial.glob("*.json"):
            with suppress(OSError):
                if name.encode() in checkpoint.read_bytes():
                    return True
        return False

    def _file(self, folder: str, name: str) -> Path:
        return self._folders[folder] / f"{name}{SUFFIX}"

    def _log(self, folder: str, name: str) -> LogFile:
        log = self._library.log(name)
        return log if folder == t.THREADS else LogFile(self._file(folder, name), log.lock_path, log.torn_folder)

    def _load_seen(self) -> dict[str, _Seen]:
        try:
            return msgspec.json.decode(self._cache.read_bytes(), type=dict[str, _Seen])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return {}


def _stamp(file: Path) -> _Stamp | None:
    """None: there is no such file, or it is a link or a folder."""
    try:
        found = file.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failed("read", file, error) from error
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _read(file: Path) -> bytes:
    try:
        return read_regular(file)
    except OSError as error:
        raise failed("read", file, error) from error


def _flush(file: Path) -> None:
    fd = os.open(file, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_itself(blob: Path) -> bool:
    """Whether an attachment holds what its name says."""
    try:
        with blob.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == blob.name
    except OSError:
        return False


def _set_time(file: Path, lines: list[bytes], before: int) -> None:
    """The thread that was used last is the one that was written last: what comes from another machine was written when
    its records say, not now. `before`: when the file was written last, in ns.
    """
    moment = r.moment_of(t.latest(lines))
    if moment is not None:
        with suppress(OSError, OverflowError, ValueError):
            when = max(before, min(int(moment.timestamp() * 1000) * 1_000_000, time.time_ns()))
            os.utime(file, ns=(when, when))
