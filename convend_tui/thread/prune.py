"""What hiding a subtree, or everything but a path, puts out of sight, and what restoring brings back.

Nothing leaves the file. A lock is a lock, hidden or not: `thread/lock.py` knows nothing of any of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from convend_tui.thread import records as r
from convend_tui.thread.answers import answer_of
from convend_tui.thread.lock import GONE, Refusal
from convend_tui.thread.tree import Thread


class Pruning(msgspec.Struct, frozen=True):
    """What goes out of sight, or comes back."""

    targets: tuple[str, ...]
    """The messages at the top of it: a `hide` or a `restore` each."""
    messages: int
    """Those that nobody is shown (see `Thread.unseen`) do not count."""
    branches: int
    """How many leaves."""
    ended: int
    """How many of the messages are endings."""

    @property
    def words(self) -> str:
        """`3 messages on 2 branches`."""
        messages = f"{self.messages:,} message{'' if self.messages == 1 else 's'}"
        return f"{messages} on {self.branches:,} branch{'' if self.branches == 1 else 'es'}"


def subtree(thread: Thread, message_id: str) -> Pruning:
    """What hiding a message and all below it puts out of sight. An answer of several parts goes as a whole."""
    return _counted(thread, [answer_of(thread, message_id)])


def all_but(thread: Thread, leaf: str) -> Pruning:
    """What hiding everything but the path to `leaf` puts out of sight."""
    return _counted(thread, [*_beside(thread, leaf), *thread.shown_children(leaf)])


def _beside(thread: Thread, leaf: str) -> Iterator[str]:
    above, forks = None, thread.forks
    for message in thread.path(leaf):
        if above is None or above in forks:
            yield from (i for i in thread.shown_siblings(message.id) if i != message.id)
        above = message.id


def may_hide(thread: Thread, targets: Sequence[str]) -> Refusal | None:
    """Whether these messages, and all below them, may go out of sight: not where nothing would be left to see."""
    if not targets:
        return Refusal("There is no other branch to hide.")
    if any(i not in thread.messages for i in targets):
        return Refusal(GONE)
    if any(thread.hidden(i) for i in targets):
        return Refusal("This is hidden already.")
    if not set(thread.shown_children(None)) - set(targets):
        return Refusal("This is the last path in sight, and it stays in sight.")
    return None


def hiding(thread: Thread, message_id: str) -> list[str]:
    """The messages on which a `hide` stands that keep this one out of sight: itself, or some above it."""
    return [message.id for message in thread.ancestry(message_id) if thread.pruned(message.id)]


def last_act(thread: Thread) -> list[str]:
    """The messages that were hidden last, by one act, and still are."""
    prunings = thread.prunings
    return [message_id for at, message_id in prunings if at == prunings[-1][0]]


def coming_back(thread: Thread, targets: Sequence[str]) -> Pruning:
    """What restoring these messages brings back into sight."""
    return _counted(thread, targets)


def _counted(thread: Thread, targets: Sequence[str]) -> Pruning:
    """Count what is in sight below the targets, as if they were."""
    opened, seen = set(targets), set[str]()
    messages = branches = ended = 0
    todo = [i for i in targets if i in thread.messages]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        messages += not thread.unseen(thread.messages[node])
        ended += node in thread.ended
        children = [i for i in thread.children(node) if i in opened or not thread.pruned(i)]
        branches += not children
        todo += children
    return Pruning(tuple(targets), messages, branches, ended)


def hide_records(targets: Sequence[str], at: str) -> list[r.Hide]:
    """One act: its records have one time, by which `last_act` knows them."""
    return [r.Hide(at=at, message=message_id) for message_id in targets]


def restore_records(targets: Sequence[str], at: str) -> list[r.Restore]:
    """The undo of hidden messages."""
    return [r.Restore(at=at, message=message_id) for message_id in targets]
