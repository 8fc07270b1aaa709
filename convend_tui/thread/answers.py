"""An answer may have several messages: a call, the client's result for it, and how the model went on."""

from __future__ import annotations

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread


def answer_of(thread: Thread, message_id: str) -> str:
    """The first message of the answer that this one is part of: above the client's guards. A question is its own."""
    node = message_id
    while (above := thread.parent(node)) is not None and _goes_on(thread.messages[above], thread.messages[node]):
        node = above
    return node


def answer_end(thread: Thread, message_id: str) -> str:
    """The last message of that answer, on the newest branch of it. A question is its own."""
    node = message_id
    while following := [i for i in thread.shown_children(node) if _goes_on(thread.messages[node], thread.messages[i])]:
        node = max(following, key=lambda i: (thread.messages[i].at, i))
    return node


def _goes_on(above: r.Message, below: r.Message) -> bool:
    if above.kind == "guard":
        return below.role == "assistant"
    return below.kind == "guard" or (above.stop_reason == "pause_turn" and below.role == "assistant")
