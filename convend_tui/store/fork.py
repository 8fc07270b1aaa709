"""A path of a thread, or the whole tree, as a new thread that remembers where it came from.

Lines are copied as they stand in the file, so that fields this version does not know come along too. The lock goes
with the path that has it; a fork above it is free. The new file appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from convend_tui.ending.signs import RiskReader, inherited
from convend_tui.errors import NotFound, RuleError, Unreadable
from convend_tui.files import write_atomic
from convend_tui.store import blobs
from convend_tui.store.library import SUFFIX, Library
from convend_tui.store.log import AnyRecord, failed
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.answers import answer_end
from convend_tui.thread.tree import Thread

APP = "convend"
"""What `origin` names as the program that the thread came from."""

_Line = tuple[bytes, AnyRecord]


def fork_path(library: Library, thread: Thread, message_id: str) -> str:
    """Make a new thread of the path down to a message, with all that was said of its messages; returns its id.

    The path goes on to the end of an answer that has several parts, and to the lock of a turn that was ended.

    Raises:
        NotFound: the thread has no such message. RuleError: a newer convend wrote it.
        StoreError: the disk refused. In each case nothing was made.
    """
    current, lines = _read(library, thread)
    if message_id not in current.messages:
        raise NotFound(lock.GONE)
    last = last_of(current, message_id)
    kept = {message.id for message in current.path(last)}
    return _write(library, current, lines, kept, last, held=_held(library, current))


def fork_tree(library: Library, thread: Thread, leaf: str | None = None) -> str:
    """Make a new thread with every branch; returns its id. It opens at `leaf`, by default where this one would.

    Raises:
        RuleError: a newer convend wrote it. StoreError: the disk refused. In each case nothing was made.
    """
    current, lines = _read(library, thread)
    # All that was said comes along, and with it whatever speaks of a risk; but for what the first fork left behind.
    return _write(library, current, lines, None, leaf or current.leaf, held=bool(inherited(current.header)))


def _held(library: Library, thread: Thread) -> bool:
    """Whether somebody may be in danger by anything in the thread: once seen, that holds for its forks as well."""
    reader = RiskReader(lambda block: blobs.text_of(library.paths, block))
    return bool(inherited(thread.header) or reader.read(thread.messages.values(), thread.verdicts.values()))


def last_of(thread: Thread, message_id: str) -> str:
    """Where a fork of the path down to a message ends: with the lock that lies on it, else with its whole answer."""
    ended = lock.ending_at(thread, message_id)
    if ended is None:
        return answer_end(thread, message_id)
    passed = any(message.id == ended.message for message in thread.ancestry(message_id))
    return message_id if passed else ended.message


def _read(library: Library, thread: Thread) -> tuple[Thread, list[_Line]]:
    """The thread as file and memory together know it, and the lines of the file that can be read."""
    if thread.header.format > r.FORMAT:
        raise RuleError("This thread was written by a newer convend. To fork it, update convend.")
    file = library.paths.threads / f"{thread.id}{SUFFIX}"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise failed("read", file, error) from error
    lines: list[_Line] = []
    for line in data.split(b"\n"):
        try:
            lines.append((line, r.decode(line)))
        except Unreadable:
            continue  # a broken line stays in the file it is in
    return thread.with_records(record for _, record in lines), lines


def _write(
    library: Library,
    thread: Thread,
    lines: Sequence[_Line],
    kept: Collection[str] | None,
    leaf: str | None,
    *,
    held: bool,
) -> str:
    """Write the new file; `kept` None: all messages."""
    new = library.new(thread.header.settings)
    origin: dict[str, object] = {"thread": thread.id, "message": leaf if kept is not None else None, "app": APP}
    if held:
        origin["held"] = True
    header = new.thread.header = msgspec.structs.replace(
        new.thread.header, origin=origin, provisional=thread.header.provisional
    )
    out = [r.encode(header)]
    for line, record in lines:
        if _belongs(line, record, kept):
            new.thread.apply(record)
            out.append(line + b"\n")
    out += _missing(thread, new.thread, kept)
    if leaf is not None:
        out.append(r.encode(r.Leaf(at=new.now(), message=leaf)))
    write_atomic(library.paths.threads / f"{header.id}{SUFFIX}", b"".join(out))
    return header.id


def _belongs(line: bytes, record: AnyRecord, kept: Collection[str] | None) -> bool:
    """Whether a line comes along; a pin does not. With a path: its messages, what was said of them, the thread's
    settings and title; not where the person once was, nor what was hidden."""
    if isinstance(record, r.Header | r.Pin):
        return False
    if kept is None or isinstance(record, r.SettingsChange | r.Title):
        return True
    match record:
        case r.Message(id=message_id):
            return message_id in kept
        case r.Leaf() | r.Hide() | r.Restore():
            return False
    message = msgspec.json.decode(line).get("message")
    return isinstance(message, str) and message in kept


def _missing(thread: Thread, copy: Thread, kept: Collection[str] | None) -> Iterator[bytes]:
    """What only memory knows, because the file was replaced by an older copy: no lock must get lost that way."""
    for message in thread.messages.values():
        if message.id not in copy.messages and (kept is None or message.id in kept):
            yield r.encode(message)
    said: list[r.Ended | r.Verdict] = [
        *(ended for ended in thread.ended.values() if ended.message not in copy.ended),
        *(verdict for verdict in thread.verdicts.values() if verdict.message not in copy.verdicts),
    ]
    for record in said:
        if kept is None or record.message in kept:
            yield r.encode(record)
