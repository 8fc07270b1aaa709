"""`search`: every message of every branch of every thread."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, time, timedelta
from typing import Any

from convend_tui.cli.look import when
from convend_tui.cli.output import emit, open_library, say, write
from convend_tui.errors import StoreError, UsageError
from convend_tui.plain import one_line
from convend_tui.store.index import Index
from convend_tui.store.index_search import Hit
from convend_tui.store.index_text import parse
from convend_tui.store.library import Library
from convend_tui.thread.lock import ending_at
from convend_tui.thread.outline import PREVIEW
from convend_tui.thread.tree import Thread

_WHO = {"user": "you", "assistant": "model", None: "title"}


def search(arguments: argparse.Namespace) -> int:
    """`convend search QUERY`: the best hit first."""
    filters = (*arguments.ended, arguments.model, arguments.role, arguments.since, arguments.until)
    if parse(arguments.query) is None and (arguments.query.strip() or all(given is None for given in filters)):
        raise UsageError("There is no word in the QUERY to look for. An empty one needs a filter, such as --ended.")
    if len(arguments.ended) > 1:
        raise UsageError("Say either --ended or --not-ended.")
    wanted: dict[str, Any] = {
        "ended": arguments.ended[0] if arguments.ended else None,
        "model": arguments.model,
        "role": arguments.role,
        "since": _moment(arguments.since, "--since"),
        "until": _moment(arguments.until, "--until", whole_day=True),
        "limit": arguments.limit,
    }
    library = open_library()
    if arguments.thread is not None:
        wanted["thread"] = library.resolve(arguments.thread)
    index = library.index
    try:
        _bring_up_to_date(index)
        hits = index.search(arguments.query, **wanted)
    finally:
        index.close()
    if arguments.json:
        _print_json(library, hits, only_ended=bool(wanted["ended"]))
    else:
        _print_text(hits)
    if not hits:
        say("convend: Nothing was found.")
    return 0


def _bring_up_to_date(index: Index) -> None:
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if percent != shown:
            shown = percent
            print(f"\rReading the threads: {percent} %", end="", file=sys.stderr, flush=True)

    try:
        index.update(progress if sys.stderr.isatty() else None)
    finally:
        if shown >= 0:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if index.note is not None:
        say(f"convend: {index.note}")


def _print_json(library: Library, hits: list[Hit], *, only_ended: bool) -> None:
    """Of a message on several branches the leaf is where the person last was; of those that ended, if only they were
    asked for. `ended` says whether that leaf is locked."""
    threads: dict[str, Thread | None] = {}
    for hit in hits:
        if hit.thread not in threads:
            threads[hit.thread] = _open(library, hit.thread)
        thread = threads[hit.thread]
        leaf = _ended_leaf(thread, hit.message) if only_ended else None
        leaf = leaf or _leaf(thread, hit.message)
        emit(
            {
                "thread": hit.thread,
                "message": hit.message,
                "leaf": leaf,
                "title": hit.title,
                "snippet": hit.snippet,
                "ended": thread is not None and ending_at(thread, leaf) is not None,
            }
        )


def _open(library: Library, thread_id: str) -> Thread | None:
    try:
        return library.open(thread_id).thread
    except StoreError:
        return None  # it has gone since it was found


def _leaf(thread: Thread | None, message: str | None) -> str | None:
    """Where `show --at` ends: the leaf below a message where the person last was."""
    if thread is None:
        return message
    if message is None:
        return thread.leaf
    return thread.last_leaf(message) if message in thread.messages else message


def _ended_leaf(thread: Thread | None, message: str | None) -> str | None:
    """The end of the newest locked branch that a message leads to."""
    if thread is None or message is None:
        return None
    for leaf in reversed(thread.leaves()):
        if ending_at(thread, leaf) and any(above.id == message for above in thread.ancestry(leaf)):
            return leaf
    return None


def _print_text(hits: list[Hit]) -> None:
    for hit in hits:
        ended = "  [ended]" if hit.ended else ""
        place = f"{hit.thread}  {hit.message or '-'}  {when(hit.at)}  {_WHO.get(hit.role, 'model')}"
        write(f"{place}  {one_line(hit.title, PREVIEW)}{ended}\n    {hit.snippet}\n")


def _moment(words: str | None, option: str, *, whole_day: bool = False) -> datetime | None:
    """A date or a time as the person's clock has it; a date as an end is the end of that day."""
    if words is None:
        return None
    try:
        moment = datetime.fromisoformat(words.strip())
        if whole_day and moment.time() == time() and len(words.strip()) <= len("2026-11-22"):
            moment += timedelta(days=1)
        return moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} takes a date, such as 2026-11-22 or 2026-11-22T18:30.") from error
