"""What was typed and not yet sent: one small file a thread, replaced as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from convend_tui.errors import StoreError
from convend_tui.files import write_atomic
from convend_tui.paths import Paths

NEW = "new"
"""The draft of a chat that has no thread yet."""


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

    def __bool__(self) -> bool:
        return bool(self.text or self.attachments)


def load(paths: Paths, thread_id: str) -> Draft:
    """The draft of a thread; an empty one where there is none or it cannot be read."""
    try:
        return msgspec.json.decode(_file(paths, thread_id).read_bytes(), type=Draft)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Draft()


def save(paths: Paths, thread_id: str, draft: Draft) -> None:
    """Keep a draft; an empty one is forgotten.

    Raises:
        StoreError: the disk refused.
    """
    file = _file(paths, thread_id)
    if draft:
        write_atomic(file, msgspec.json.encode(draft))
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{file} cannot be removed: {error.strerror or error}.") from error


def _file(paths: Paths, thread_id: str) -> Path:
    # Ids come from file names, which other programs choose too.
    return paths.drafts / (re.sub(r"[^\w-]", "_", thread_id) + ".json")
