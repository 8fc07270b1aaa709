"""The line above the conversation: its title, which branch one is on, and whether it was ended."""

from __future__ import annotations

from rich.cells import cell_len

from convend_tui.plain import one_line
from convend_tui.thread.crumbs import fitted
from convend_tui.tui.conversation import Conversation
from convend_tui.tui.status_words import ENDED

_GAP = " · "
_SHARE = 2
"""The branch takes at most one part in so many of the line, unless the title leaves it more."""


def title_line(conversation: Conversation, width: int) -> str:
    """The line, at most `width` cells: `Title · main › retry 2  ⊘ ended`."""
    mark = f"  {ENDED}" if conversation.ended else ""
    room = max(0, width - cell_len(mark))
    title = one_line(conversation.title, room)
    names = conversation.crumbs
    if not names:
        return one_line(title, room) + mark
    most = max(room // _SHARE, room - cell_len(title)) - len(_GAP)
    branch = fitted(names, max(0, most))
    return one_line(title, max(0, room - cell_len(branch) - len(_GAP))) + _GAP + branch + mark
