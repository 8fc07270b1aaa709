"""Locks between processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


def lock_at(file: Path, timeout: float = -1) -> BaseFileLock:
    """The lock that this file is; not acquired yet.

    A crash leaves no lock behind: it is the system's. On a file system that has none, acquiring raises OSError: a mere
    file in its place would stay for ever after a crash.

    Args:
        timeout: seconds to wait for another process; below 0: for ever.
    """
    import filelock  # not needed to read, and so not for the first paint

    try:
        return filelock.FileLock(file, timeout=timeout, mode=0o600, fallback_to_soft=False)
    except TypeError:  # an older one has no such option
        return filelock.FileLock(file, timeout=timeout, mode=0o600)
