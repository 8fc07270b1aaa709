"""Every message of every branch, to go to one of them."""

from __future__ import annotations

from convend_tui.plain import one_line
from convend_tui.thread import outline
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from convend_tui.tui.items import clock
from convend_tui.tui.pick import Pick, PickOption

WIDTH = 60
"""Cells of a row's indentation and first words."""
DEEPEST = 12
"""Levels of forks that are indented; deeper ones stand at this one's place."""


def pick_message(thread: Thread, here: str | None) -> Pick:
    """A dialog that gives the id of a message, or None. The cursor begins at `here`."""
    options = [
        PickOption(message.id, _label(thread, message, depth), _detail(thread, message))
        for message, depth in outline.rows(thread)
        if not thread.unseen(message)
    ]
    return Pick("Go to a message", options, here)


def _label(thread: Thread, message: r.Message, depth: int) -> str:
    fork = "├ " if len(thread.siblings(message.id)) > 1 else "  "
    who = "You" if message.role == "user" else "Model"
    # Blanks that are no white space: a row's label is put on one line.
    indent = "\N{NO-BREAK SPACE}" * (2 * min(depth, DEEPEST))
    return f"{indent}{fork if depth else ''}{who}: {one_line(outline.preview(message), WIDTH)}"


def _detail(thread: Thread, message: r.Message) -> str:
    return clock(message.at) + (" · ended here" if message.id in thread.ended else "")
