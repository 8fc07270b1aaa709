"""Homes (`CONVEND_HOME`) with threads of a given length, made for measuring."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from convend_tui import config
from convend_tui.thread import records as r
from tests.making import paths_in
from tests.referee.prose import essay

MODEL = "claude-sonnet-5-5"
FIRST, SECOND = "This is the first answer.", "This is the second answer."
"""The last lines of a thread's two last replies, which are siblings. The second one is shown."""
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_SMALL = 6


def thread_id(number: int) -> str:
    """The id of the thread `number` of a home."""
    return f"{_BEGIN + timedelta(days=number):%Y%m%dT%H%M%S}-{number:08x}"


def records(number: int, length: int) -> Iterator[r.Record]:
    """A thread with `length` messages on the path shown. Those at its end are the same whatever the length."""
    begin = _BEGIN + timedelta(days=number)
    settings = r.Settings(model=MODEL, server="claude")
    yield r.Header(at=r.timestamp(begin), id=thread_id(number), format=r.FORMAT, settings=settings)
    parent: str | None = None
    for place in range(length):
        from_end = length - place
        question = place % 2 == 0
        text = f"Question number {from_end}: what now?" if question else essay("that", random.Random(from_end))
        message = _message(begin, place, f"m{place:06d}", parent, question, text)
        if from_end == 1:
            yield _message(begin, place, "first", parent, question, f"{text}\n\n{FIRST}")
            message = _message(begin, place + 1, "second", parent, question, f"{text}\n\n{SECOND}")
        yield message
        parent = message.id


def _message(begin: datetime, place: int, name: str, parent: str | None, question: bool, text: str) -> r.Message:
    return r.Message(
        at=r.timestamp(begin + timedelta(seconds=place + 1)),
        id=name,
        parent=parent,
        role="user" if question else "assistant",
        content=[{"type": "text", "text": text}],
        kind="typed" if question else "reply",
        model=None if question else MODEL,
        stop_reason=None if question else "end_turn",
        usage=None if question else {"input_tokens": 100, "output_tokens": 100},
    )


def home(folder: Path, threads: int = 10, length: int | None = None) -> Path:
    """A home with `threads` threads. With `length`, the newest one has so many messages and is the one that
    convend opens; without, convend opens with a new chat."""
    paths = paths_in(folder)
    paths.threads.mkdir(parents=True)
    for number in range(threads):
        newest = number == threads - 1
        lines = map(r.encode, records(number, length if newest and length else _SMALL))
        (paths.threads / f"{thread_id(number)}.jsonl").write_bytes(b"".join(lines))
    if length:
        config.save_choices(paths, config.Choices(last_thread=thread_id(threads - 1)))
    return folder
