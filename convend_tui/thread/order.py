"""Records of a thread whose newest is far in the future, as a clock that was wrong has left it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

AHEAD = timedelta(days=1)
"""How far another machine's clock may be ahead, so that every new record is simply later than all."""
_COMPETING = (r.Title, r.Pin, r.Label, r.Leaf, r.Hide, r.Restore, r.SettingsChange, r.Feedback)
"""Of these the newest counts."""


def ahead_of(thread: Thread, now: datetime) -> datetime | None:
    """The time of the newest record, where it is too far ahead to be the past of everything new."""
    last = r.moment_of(thread.updated)
    return last if last is not None and last >= now + AHEAD else None


def in_force(thread: Thread, records: Sequence[r.Record], now: datetime) -> list[r.Record]:
    """New records so that they count, although the thread has some from far ahead: those of which the newest counts
    are dated after all, messages stay where they are in time, and the person is where the last one is."""
    last = ahead_of(thread, now)
    if last is None:
        return list(records)
    times: dict[str, str] = {}

    def later(at: str) -> str:
        # What was done at once keeps one time.
        return times.setdefault(at, r.timestamp(last + timedelta(milliseconds=len(times) + 1)))

    found: list[r.Record] = [
        msgspec.structs.replace(record, at=later(record.at)) if isinstance(record, _COMPETING) else record
        for record in records
    ]
    messages = [record for record in records if isinstance(record, r.Message)]
    if messages:
        found.append(r.Leaf(at=later(messages[-1].at), message=messages[-1].id))
    return found
