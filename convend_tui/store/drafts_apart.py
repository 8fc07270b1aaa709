"""Drafts of several windows at one place. The first has the place's own file (drafts.py); what another one types there
goes into a file apart, named after its process, and is brought together with the first when that has ended."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from convend_tui.errors import StoreError
from convend_tui.files import read_regular, write_atomic
from convend_tui.paths import Paths
from convend_tui.store.drafts import Draft, Place

_NAME = re.compile(r"~(\d{1,10})\.json")


def load(paths: Paths, place: Place) -> Draft:
    """What this process keeps apart there."""
    return _read(_file(paths, place))


def save(paths: Paths, place: Place, draft: Draft) -> None:
    """Keep it apart; an empty one is forgotten.

    Raises:
        StoreError: the disk refused.
    """
    file = _file(paths, place)
    if draft:
        write_atomic(file, msgspec.json.encode(draft))
    else:
        remove(file)


def left(paths: Paths, place: Place) -> Iterator[tuple[Path, Draft]]:
    """What processes that have ended kept apart there, and in which files; none where that cannot be found out."""
    beginning = place.name
    found: list[Path] = []
    with suppress(OSError), os.scandir(paths.drafts) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name.removeprefix(beginning))
            if entry.name.startswith(beginning) and named is not None and not is_running(int(named[1])):
                found.append(Path(entry.path))
    for file in sorted(found):
        if draft := _read(file):
            yield file, draft


def remove(file: Path) -> None:
    """Forget what was kept apart.

    Raises:
        StoreError: the disk refused.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{file} cannot be removed: {error.strerror or error}.") from error


def is_running(process: int) -> bool:
    """Whether there is a process of this number. On Windows that is not asked: there, to ask would be to end it."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True


def _file(paths: Paths, place: Place) -> Path:
    return paths.drafts / f"{place.name}~{os.getpid()}.json"


def _read(file: Path) -> Draft:
    try:
        return msgspec.json.decode(read_regular(file), type=Draft)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Draft()
