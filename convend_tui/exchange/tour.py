"""The tour: one thread that comes with convend, and becomes a chat like any other.

tour.jsonl is a thread file whose times begin at its header's; they are moved so that the tour ends now.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources

import msgspec

from convend_tui.errors import StoreError
from convend_tui.files import write_atomic
from convend_tui.store.handle import taken_in
from convend_tui.store.library import SUFFIX, Library
from convend_tui.thread import records as r

APP = "convend"
VERSION = 1
_LONGEST = 1 << 16
"""Bytes of the first line of the tour: a file of another kind may be one line of any length."""


def make(library: Library, settings: r.Settings) -> str:
    """Put the tour among the threads; returns its id.

    Args:
        settings: of a new chat: what is branched off in the tour is sent with these.

    Raises:
        StoreError: the disk refused.
    """
    header, *records = _records()
    assert isinstance(header, r.Header)
    new = library.new(settings).thread.header
    latest = max(moment for record in records if (moment := r.moment_of(record.at)) is not None)
    now = datetime.now(UTC)
    shift = now - latest
    origin = {"app": APP, "tour": VERSION}
    begin = taken_in(msgspec.structs.replace(new, at=_moved(header.at, shift)), origin)
    lines = [begin, *(msgspec.structs.replace(record, at=_moved(record.at, shift)) for record in records)]
    write_atomic(library.paths.threads / f"{new.id}{SUFFIX}", b"".join(map(r.encode, lines)))
    return new.id


def find(library: Library) -> str | None:
    """The id of the tour among the threads; None: there is none.

    Raises:
        StoreError: the folder cannot be read.
    """
    for thread_id in sorted(library.ids()):
        try:
            with library.file(thread_id).open("rb") as file:
                header = r.decode(file.readline(_LONGEST))
        except (OSError, StoreError):
            continue
        if isinstance(header, r.Header) and is_tour(header):
            return thread_id
    return None


def is_tour(header: r.Header) -> bool:
    """Whether a thread is the tour itself, and no fork of it."""
    origin = header.origin or {}
    return origin.get("app") == APP and "tour" in origin


def _records() -> Iterator[r.AnyRecord]:
    data = resources.files("convend_tui.exchange").joinpath("tour.jsonl").read_bytes()
    for line in data.splitlines():
        record = r.decode(line)
        assert not isinstance(record, r.Unknown)
        yield record


def _moved(at: str, shift: timedelta) -> str:
    moment = r.moment_of(at)
    assert moment is not None
    return r.timestamp(moment + shift)
