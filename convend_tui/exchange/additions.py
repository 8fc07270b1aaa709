"""What an import adds to a thread that is here already: of the lines that it lacks those that may come in.

Pure: the files are read and written in `staging`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from convend_tui.errors import RuleError, Unreadable
from convend_tui.exchange.incoming import Skip
from convend_tui.store.log import AnyRecord, Batch
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread


class Known:
    """The lines of a thread that is here."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = set(lines)
        self._values: set[str] | None = None

    def is_new(self, line: bytes) -> bool:
        """Whether no line says the same; the order of the keys does not count, and a header is never new."""
        if line in self._lines:
            return False
        if self._values is None:
            self._values = {same for known in self._lines if (same := _canonical(known)) is not None}
        return _canonical(line) not in self._values and not isinstance(r.decode(line), r.Header)


def _canonical(line: bytes) -> str | None:
    try:
        return json.dumps(json.loads(line), sort_keys=True)
    except (ValueError, RecursionError):
        return None  # a broken line is the same as none


def additions(
    here: Iterable[bytes], before: Sequence[AnyRecord], lines: Iterable[bytes], skipped: list[Skip], *, own: bool
) -> list[bytes]:
    """The lines that a thread does not have yet. Of convend's own: all of these, for the union is always a thread; but
    no other message in the place of one that is here.

    Raises:
        Unreadable: the thread that is here has no header, or a newer convend wrote it.
    """
    thread, known = thread_of(before), Known(here)
    new = [line for line in lines if known.is_new(line)]
    return list(_own(thread, new, skipped) if own else _foreign(thread, before, new, skipped))


def _own(thread: Thread, lines: Iterable[bytes], skipped: list[Skip]) -> Iterator[bytes]:
    fixed = _fixed(thread.settings)
    for line in lines:
        record = r.decode(line)
        if isinstance(record, r.Message) and thread.messages.get(record.id, record) != record:
            skipped.append(Skip(f"message {record.id} of “{thread.title}”", "another one of this id is here already"))
        elif isinstance(record, r.SettingsChange) and not thread.is_provisional and _fixed(record) != fixed:
            # No convend writes one: a file of somebody else's must not change what the model of this chat is told.
            what = "its system prompt and its rules of ending are fixed when a chat begins"
            skipped.append(Skip(f"settings of “{thread.title}”", what))
        else:
            yield line


def _fixed(settings: r.Settings | r.SettingsChange) -> tuple[str, bool, int]:
    return settings.system, settings.ending, settings.tool_version


def _foreign(
    thread: Thread, before: Iterable[AnyRecord], lines: Iterable[bytes], skipped: list[Skip]
) -> Iterator[bytes]:
    """What a later export of another program adds: messages by their ids, and what is said of them. Nothing comes
    below a lock, and no title that was given here is given again."""
    titles = {record.title for record in before if isinstance(record, r.Title) and record.by != "person"}
    locked: set[str] = set()
    left: list[bytes] = []
    has_message = False
    for line in lines:
        match record := r.decode(line):
            case r.Message(id=message_id, parent=parent):
                if message_id in thread.messages:
                    continue
                if parent in locked or lock.may_send(thread, parent if parent in thread.messages else None):
                    locked.add(message_id)
                    skipped.append(
                        Skip(f"message {message_id} of “{thread.title}”", "the model ended this conversation above it")
                    )
                    continue
                has_message = True
                yield line
            case r.Title(title=title) if title in titles:
                pass
            case r.Ended(message=message_id) if message_id in thread.ended or message_id in locked:
                pass
            case r.Leaf():
                if record.message not in locked:
                    left.append(line)
            case _:
                yield line
    if has_message:
        yield from left


def no_new_lock(fresh: Batch) -> None:
    """The rule of an append: what another process wrote a moment ago may be a lock."""
    if any(isinstance(record, r.Ended) for record in fresh.records):
        raise RuleError("It was ended a moment ago by another process; import it again.")


def thread_of(records: Sequence[AnyRecord]) -> Thread:
    """The tree of a thread file.

    Raises:
        Unreadable: it has no header, or a newer convend wrote it.
    """
    header = next((record for record in records if isinstance(record, r.Header)), None)
    if header is None:
        raise Unreadable("The file that is here has no header line.")
    if header.format > r.FORMAT:
        raise Unreadable("The thread that is here was written by a newer convend. Update convend.")
    return Thread(header, records)
