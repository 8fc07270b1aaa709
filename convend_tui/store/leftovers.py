"""Temporary files that a crash left behind, which nobody would ever look for again.

A file is written under a name that begins with a dot and ends in `.tmp` (files.py, store/log.py), and takes its own
name once it is on the disk. What is in one that was left was never said to be kept. Those of a sync are taken away by
the next sync.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from convend_tui.files import unclaimed
from convend_tui.paths import Paths

NEW: Final = ".sync."
"""Begins the name of a file that a sync is making."""
OLD_S: Final = 24 * 3600
"""Seconds since the last write, after which a file counts as left behind."""
_OURS: Final = re.compile(r"\..{1,40}\.[0-9a-z_]{8}\.tmp", re.DOTALL)
_CHECKPOINT: Final = re.compile(r"[0-9a-f]{16}\.tmp")


def clear(paths: Paths) -> int:
    """Take away what a crash left, once it is a day old and no living process writes it; returns how many files. What
    cannot be taken away stays."""
    folders = (paths.threads, paths.trash, paths.blobs, paths.partial, paths.drafts, paths.state, paths.state / "torn")
    return sum(_remove(file) for folder in folders for file in _old(folder))


def _old(folder: Path) -> Iterator[Path]:
    before = time.time() - OLD_S
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (_OURS.fullmatch(entry.name) or _CHECKPOINT.fullmatch(entry.name)) or entry.name.startswith(NEW):
                continue
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_mtime < before:
                    yield Path(entry.path)


def _remove(file: Path) -> bool:
    try:
        with unclaimed(file) as free:
            if free:
                file.unlink()
            return free
    except OSError:
        return False
