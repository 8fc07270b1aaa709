"""Writing a whole file so that a crash leaves either the old content or the new, never a half."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from convend_tui import paths
from convend_tui.errors import StoreError


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
