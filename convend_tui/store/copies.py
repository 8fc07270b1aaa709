"""Names that programs which keep folders in step give to a copy in conflict. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_OWN: Final = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}\.jsonl")
"""What convend calls its files: of ten thousand of them not one has to be looked at more closely."""
_INSIDE: Final = r"(?:[^()]|\([^()]*\))*"
"""Of parentheses; with others inside, as in `(Ann's Mac (2)'s conflicted copy 2026-11-22 (1))`."""
_CLASH: Final = r"(?:[ck]onfli(?:ct|kt|t)|конфл[иі]кт|mots?trid|modstrid|競合|冲突|衝突|충돌)"
_IN_CONFLICT: Final = (
    r"(?P<original>.+?)(?:"
    r"\.sync-conflict-\d{8}-\d{6}(?:-[A-Z0-9]+)?"  # Syncthing
    rf"| ?\({_INSIDE}{_CLASH}{_INSIDE}\)(?: ?\(\d+\))?"  # Dropbox, Nextcloud, Seafile
    r"|_conflict-\d{8}-\d{6}"  # ownCloud
    r"| ?\[conflict(?:ed)?\]|\.conflict"  # pCloud, Resilio
    r")+\.jsonl\Z"
)
_BESIDE: Final = (
    r"(?P<original>\d{8}T\d{6}-[0-9a-f]{8})"
    r"(?: \d{1,3}"  # iCloud
    r"|-[A-Z0-9][A-Z0-9_-]*)"  # OneDrive: the computer's name
    r"\.jsonl\Z"
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """When the first name needs it, not when the program starts."""
    return re.compile(pattern, re.IGNORECASE)


def original_of(name: str) -> str | None:
    """The id of the thread that a file is a copy in conflict of, by its name; None: it is no such copy. Whether it is
    one of that thread, its header says."""
    if _OWN.fullmatch(name):
        return None
    found = _compiled(_IN_CONFLICT).fullmatch(name) or _compiled(_BESIDE).fullmatch(name)
    return found["original"] if found else None
