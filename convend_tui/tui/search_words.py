"""What is typed into the search: words, and filters among them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from convend_tui.thread import records as r

FILTERS: Final = (
    ("ended:yes", "only chats that the model ended; ended:no only the rest"),
    ("model:opus", "only answers of models with this in their name"),
    ("role:user", "only what you wrote; role:assistant only the answers"),
    ("since:2026-11-01", "from that day on; a month (2026-11) or a time (…T18:30) will do"),
    ("until:2026-11-30", "up to that day, and with it"),
)
"""Each filter as an example, and what it does."""

# A phrase is one piece: what stands between quotation marks is never a filter.
_PIECE: Final = re.compile(r'"[^"]*"?|\S+')
_FILTER: Final = re.compile(r"(ended|model|role|since|until):(.*)", re.DOTALL)
_YES_NO: Final = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_ROLES: Final[dict[str, r.Role]] = {
    "user": "user",
    "you": "user",
    "me": "user",
    "assistant": "assistant",
    "model": "assistant",
}
_MONTH: Final = re.compile(r"(\d{4})-(\d\d)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, taken apart. Filters are None where they are not asked for; see `Index.search`."""

    text: str
    """What is looked for; its last word may be the beginning of one."""
    ended: bool | None = None
    model: str | None = None
    role: r.Role | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Aware; the first moment that is too late."""
    problems: tuple[str, ...] = ()
    """Filters that say nothing yet, with what they want; they filter nothing."""

    @property
    def is_anything(self) -> bool:
        """Whether there are words, or filters, to look for."""
        filters = (self.ended, self.model, self.role, self.since, self.until)
        return bool(self.text) or any(given is not None for given in filters)


def parse(typed: str) -> Asked:
    """Take a query apart. What is no filter is text; of two filters of one name the last one counts."""
    found: dict[str, str] = {}
    kept: list[str] = []
    end = 0
    for piece in _PIECE.finditer(typed):
        named = _FILTER.fullmatch(piece[0])
        if named is not None:
            kept.append(typed[end : piece.start()])
            end = piece.end()
            found[named[1]] = named[2].strip('"')
    kept.append(typed[end:])
    text = "".join(kept).lstrip()
    if found and not kept[-1].strip():
        # The last word is where somebody still types, though a filter stands behind it.
        text = text.rstrip()
    problems: list[str] = []

    def wants(name: str, what: str) -> None:
        problems.append(f"{name}: wants {what}")

    ended = _YES_NO.get(found.get("ended", "").casefold())
    if "ended" in found and ended is None:
        wants("ended", "yes or no")
    role = _ROLES.get(found.get("role", "").casefold())
    if "role" in found and role is None:
        wants("role", "user or assistant")
    model = found.get("model") or None
    if "model" in found and model is None:
        wants("model", "a part of a model's name")
    moments: dict[str, datetime | None] = {}
    for name in ("since", "until"):
        moments[name] = _moment(found[name], end=name == "until") if name in found else None
        if name in found and moments[name] is None:
            wants(name, "a date such as 2026-11-22")
    return Asked(text, ended, model, role, moments["since"], moments["until"], tuple(problems))


def _moment(words: str, *, end: bool) -> datetime | None:
    """A moment by the person's clock, aware: when a month, a day or a time begins, or (`end`) when it is over."""
    try:
        if month := _MONTH.fullmatch(words):
            first = datetime(int(month[1]), int(month[2]), 1)
            return ((first + timedelta(days=31)).replace(day=1) if end else first).astimezone()
        moment = datetime.fromisoformat(words)
        if end and len(words) <= len("2026-11-22"):
            moment += timedelta(days=1)
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return None
