"""What was typed and not yet sent: one small file for each branch of a thread, replaced as a whole.

A draft belongs to the end of a branch, to a reply above the end that the person goes on below, or to a message that
is being edited. Files of before, with one draft a thread, are still found.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from convend_tui.errors import StoreError
from convend_tui.files import read_regular, set_aside, write_atomic
from convend_tui.paths import Paths

_LONGEST = 60
"""Bytes of a message's id in a file's name."""
_LONGEST_THREAD = 120
"""Bytes of a thread's."""
_DAMAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading raises of a file that is no draft."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a draft belongs to."""

    thread: str
    kind: Literal["whole", "end", "below", "edit"] = "whole"
    """The whole thread (as before there were drafts of branches), the end of a branch, below a reply above the end, or
    the edit of a message."""
    message: str = ""
    """The leaf, the reply or the message."""

    @property
    def name(self) -> str:
        """The name of its file, without the ending."""
        # Ids come from files, which other programs write too.
        thread = re.sub(r"[^\w-]", "_", self.thread)
        if thread != self.thread or len(thread.encode()) > _LONGEST_THREAD:
            # Two threads must not have one draft: `a.b` and `a_b`.
            thread = f"{_cut(thread, _LONGEST_THREAD)}-{_digest(self.thread)}"
        if self.kind == "whole":
            return thread
        message = _cut(re.sub(r"[^\w-]", "_", self.message), _LONGEST)
        # Folders of macOS and Windows take two names that differ in their case for one.
        if message != self.message.lower():
            message += f"-{_digest(self.message)}"
        return f"{thread}.{self.kind}-{message}"


def _cut(name: str, most: int) -> str:
    return name.encode()[:most].decode("utf-8", "ignore")


def _digest(name: str) -> str:
    import hashlib  # loads OpenSSL: not before the first paint

    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]


NEW = Place("new")
"""Of a chat that has no thread yet."""


class Draft(msgspec.Struct, frozen=True):
    """All that the composer holds."""

    text: str = ""
    """With a token where a long paste is folded."""
    pastes: list[tuple[str, str]] = []
    """Token and pasted text."""
    cursor: tuple[int, int] = (0, 0)
    """Row and column, from 0."""
    attachments: list[str] = []
    """Paths of files that are not attached yet."""
    message: str = ""
    """`Place.message`: a file's name does not always tell."""
    under_way: bool = False
    """Of an edit, and of what goes on above the end: it was in the composer when it was kept."""
    again: bool = False
    """Of an edit: the message has got no answer."""

    def __bool__(self) -> bool:
        return bool(self.text or self.attachments)


def load(paths: Paths, place: Place) -> Draft:
    """The draft of a place; an empty one where there is none or it cannot be read."""
    return _read(_file(paths, place))


def rescue(paths: Paths, place: Place) -> Path | None:
    """Where a draft is there and cannot be read, put it aside, so that the next one is not written over it. Returns
    where it is now."""
    file = _file(paths, place)
    if not file.exists():
        return None
    try:
        _decoded(file)
    except _DAMAGE:
        return set_aside(file)
    except OSError:
        return None  # it may be readable another time; nothing can be written over it either
    return None


def save(paths: Paths, place: Place, draft: Draft) -> None:
    """Keep a draft; an empty one is forgotten.

    Raises:
        StoreError: the disk refused.
    """
    file = _file(paths, place)
    if draft:
        write_atomic(file, msgspec.json.encode(msgspec.structs.replace(draft, message=place.message)))
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{file} cannot be removed: {error.strerror or error}.") from error


def of_branches(paths: Paths, thread_id: str) -> list[tuple[Place, Draft]]:
    """All drafts of a thread that can be read, but for the one of the whole; the one written last at the end."""
    found: list[tuple[int, str, Place, Draft]] = []
    beginning = Place(thread_id).name + "."
    with suppress(OSError), os.scandir(paths.drafts) as entries:
        for entry in entries:
            kind = entry.name.removeprefix(beginning).partition("-")[0]
            if entry.name.startswith(beginning) and kind in ("end", "below", "edit"):
                draft = _read(Path(entry.path))
                place = Place(thread_id, kind, draft.message)  # type: ignore[arg-type]
                if draft and entry.name == f"{place.name}.json":
                    found.append((entry.stat().st_mtime_ns, entry.name, place, draft))
    return [(place, draft) for _, _, place, draft in sorted(found, key=lambda one: one[:2])]


def _read(file: Path) -> Draft:
    try:
        return _decoded(file)
    except (OSError, *_DAMAGE):
        return Draft()


def _decoded(file: Path) -> Draft:
    return msgspec.json.decode(read_regular(file), type=Draft)


def _file(paths: Paths, place: Place) -> Path:
    return paths.drafts / f"{place.name}.json"
