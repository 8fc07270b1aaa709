"""Writing a whole file so that a crash leaves either the old content or the new, never a half."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from convend_tui import paths
from convend_tui.errors import StoreError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    fcntl = None


def named(words: str) -> Path:
    """The file that a person names. `~` is a home folder; where that is unknown it stands as it is (`Path.expanduser`
    raises there)."""
    return Path(os.path.expanduser(words))  # noqa: PTH111


def write_atomic(file: Path, data: bytes) -> None:
    """Put `data` in `file`, readable by its owner alone; the folder is created where it is missing.

    The bytes go to a temporary file beside it, are flushed to the disk, and take the name in one step.

    Raises:
        StoreError: the disk refused; the message names the file and says why. The old content stands.
    """
    folder = paths.ensure(file.parent)
    try:
        # mkstemp creates with mode 0600.
        handle, name = tempfile.mkstemp(prefix=f".{file.name[:40]}.", suffix=".tmp", dir=folder)
        temporary = Path(name)
        try:
            with claimed(handle):
                with os.fdopen(handle, "wb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
                temporary.replace(file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(folder)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror or error}.") from error


@contextmanager
def claimed(handle: int) -> Iterator[None]:
    """While this holds, nobody takes the file that was opened for one that a crash left (store/leftovers.py). The
    descriptor may be closed meanwhile."""
    if fcntl is None:  # Windows does not take away what is open
        yield
        return
    own = os.dup(handle)
    try:
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(own)


@contextmanager
def unclaimed(file: Path) -> Iterator[bool]:
    """Whether nobody claims a file; for as long as this holds nobody does.

    Raises:
        OSError: it cannot be opened.
    """
    with os.fdopen(open_regular(file), "rb") as opened:
        if fcntl is None:
            yield True
            return
        try:
            fcntl.flock(opened.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def write_new(file: Path, data: bytes) -> None:
    """Put `data` in a file that must not exist yet, readable by its owner alone.

    Raises:
        StoreError: there is something of that name already, or the disk refused.
    """
    folder = paths.ensure(file.parent)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except FileExistsError:
        raise StoreError(f"{file} exists already; it was not touched.") from None
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror or error}.") from error
    try:
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        sync_folder(folder)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror or error}.") from error


def give_name(temporary: Path, file: Path) -> None:
    """Give a file that is on the disk a name that must be free, in one step; its old name is gone then.

    Raises:
        FileExistsError: there is something of that name already.
        OSError: the disk refused.
    """
    try:
        os.link(temporary, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(file):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file)) from None
        temporary.rename(file)
        return
    try:
        temporary.unlink()
    except OSError:
        # Who is told that it failed tries again: each time there would be one more.
        with suppress(OSError):
            file.unlink()
        raise


def open_regular(file: Path, flags: int = os.O_RDONLY) -> int:
    """Open an ordinary file, and nothing else: reading a pipe or a device may never end. Returns the descriptor.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    # Opening a device may do something, and opening a pipe waits; what is opened is asked once more.
    _require_regular(file.stat().st_mode)
    more = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(file, flags | more)
    try:
        _require_regular(os.fstat(handle).st_mode)
    except OSError:
        os.close(handle)
        raise
    return handle


def read_regular(file: Path) -> bytes:
    """All bytes of an ordinary file.

    Raises:
        OSError: it cannot be read, or is something else.
    """
    with os.fdopen(open_regular(file), "rb") as opened:
        return opened.read()


def set_aside(file: Path) -> Path | None:
    """Give a file that cannot be made sense of another name beside it, so that nothing is written over it. None: that
    did not work, or there is no such file."""
    for number in range(1, 1000):
        aside = file.with_name(f"{file.name}.damaged" + (f"~{number}" if number > 1 else ""))
        if os.path.lexists(aside):
            continue
        try:
            file.rename(aside)
        except OSError:
            return None
        return aside
    return None


def _require_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not an ordinary file")


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power cut, where the platform can open a folder.

    Raises:
        OSError: the disk refused.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
