"""Which branch a path is on, in a few words: `main › retry 2 › edit 1`."""

from __future__ import annotations

from collections.abc import Sequence

from convend_tui.plain import one_line
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

MAIN = "main"
SEPARATOR = " › "
LONGEST = 24
"""Cells of one name."""


def crumbs(thread: Thread, leaf: str | None) -> list[str]:
    """The names of the branches that lead to `leaf`, from `main` on; empty where the path has no other beside it.

    A branch has the name of its first message's label, else `edit N` (a sibling of a typed message) or `retry N` (of
    an answer), counted from 1 for the second sibling; those that were hidden count too, so that no name changes. The
    first sibling, unless it has a label, goes on with the branch it is on.
    """
    names, beside = [MAIN], False
    above, forks = None, thread.forks
    for message in thread.path(leaf):
        if above is None or above in forks:
            siblings = thread.siblings(message.id)
            beside = beside or len(thread.shown_siblings(message.id)) > 1
            if len(siblings) > 1 and (name := _name(thread, message, siblings.index(message.id))):
                names.append(name)
        above = message.id
    return names if beside else []


def _name(thread: Thread, message: r.Message, number: int) -> str:
    label = thread.labels.get(message.id)
    if label is not None and (name := one_line(label.label, LONGEST)):
        return name
    if number == 0:
        return ""
    return f"{'edit' if r.is_question(message) else 'retry'} {number}"


def fitted(names: Sequence[str], width: int) -> str:
    """The names in one line of at most `width` cells: cut in the middle, so that the beginning and the place where
    one is stay as long as they can."""
    line = SEPARATOR.join(names)
    head, tail = list(names[:1]), list(names[1:])
    while not _fits(line, width) and len(tail) > 1:
        del tail[0]
        line = SEPARATOR.join([*head, "…", *tail])
    if _fits(line, width):
        return line
    return one_line(SEPARATOR.join(["…", *tail]) if tail else line, max(0, width))


def _fits(line: str, width: int) -> bool:
    return one_line(line, width) == line
