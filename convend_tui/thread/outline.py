"""A thread as rows: every message, parents before children, deeper only after forks."""

from __future__ import annotations

from collections.abc import Iterator

from convend_tui.plain import one_line
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

PREVIEW = 80
"""Cells of a message's first words."""


def rows(thread: Thread) -> Iterator[tuple[r.Message, int]]:
    """All messages, with how many forks stand above them."""
    todo = [(root, 0) for root in reversed(thread.roots)]
    if len(todo) > 1:
        todo = [(root, 1) for root, _ in todo]
    while todo:
        node, depth = todo.pop()
        yield thread.messages[node], depth
        children = thread.children(node)
        deeper = depth + (len(children) > 1)
        todo.extend((child, deeper) for child in reversed(children))


def preview(message: r.Message) -> str:
    """The first words of a message, on one line; what it is, where it has none."""
    if text := one_line(r.text_of(message)[:1000], PREVIEW):
        return text
    if message.stop_reason == "refusal":
        return "(refused)"
    kinds = [str(block.get("type")) for block in message.content]
    return f"({', '.join(kinds)})" if kinds else "(empty)"
