"""A thread as records again: what is to be written where a file lacks what is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread


def records_of(thread: Thread) -> Iterator[r.Record]:
    """What makes a thread, apart from where the person went and from what newer records have outdone."""
    yield from sorted(thread.messages.values(), key=lambda message: (message.at, message.id))
    yield from thread.verdicts.values()
    yield from thread.ended.values()
    yield from thread.labels.values()
    for given in thread.feedback.values():
        yield from given
    yield from thread._titles.values()
    yield from thread._settings
    if thread._pin is not None:
        yield thread._pin
    for message, (at, is_hidden) in thread._hidden.items():
        yield r.Hide(at=at, message=message) if is_hidden else r.Restore(at=at, message=message)


def lacking(wanted: Iterable[r.Record], have: Iterable[r.AnyRecord | r.Unknown]) -> list[r.Record]:
    """The records of `wanted` that are not among `have`."""
    wanted = list(wanted)
    if not wanted:
        return []
    known = {r.encode(record) for record in have if isinstance(record, r.Record)}
    return [record for record in wanted if r.encode(record) not in known]
