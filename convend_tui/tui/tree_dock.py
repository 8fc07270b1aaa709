"""Where the tree stands on the screen, and what it is told: beside the transcript, or over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from convend_tui.tui.commands import BY_ID
from convend_tui.tui.items import MessageItem

if TYPE_CHECKING:
    from convend_tui.thread.outline import Outline
    from convend_tui.tui.screen import ChatScreen
    from convend_tui.tui.tree_panel import TreePanel

BESIDE = 110
"""Columns of the screen from which on the tree may stand beside the transcript."""
TRANSCRIPT = 56
"""Columns that the transcript keeps beside it."""
NARROWEST, WIDEST = 40, 64
"""Columns of the tree beside the transcript."""
OVER = 90
"""Columns of the tree over the transcript, at most."""
_HINTS = {"tree_go": 1, "tree_fold": 1, "tree_filter": 1, "tree_fork": 1, "tree_branch": 2, "tree_close": 1, "keys": 1}
"""Commands, and how many of their keys are named."""


class TreeDock:
    """Opens the tree, and keeps it in step with the conversation. Nothing of it is imported before."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self._panel: TreePanel | None = None
        self._outline: Outline | None = None
        self._version = -1
        """Of the thread, when its outline was made."""
        self._over = False

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self._panel is not None and bool(self._panel.display)

    @property
    def has_focus(self) -> bool:
        """Whether the keys go there."""
        return self._panel is not None and self.is_open and self._panel.has_focus_within

    @property
    def here(self) -> str | None:
        """The message that the tree calls the focused one: the transcript's, else the end of the path shown."""
        item = self._screen.transcript.focused_item
        message = item.message if isinstance(item, MessageItem) else None
        return message.id if message is not None else self._screen.conversation.leaf

    def open(self) -> None:
        """Show it, the cursor on the transcript's message."""
        panel = self._panel
        if panel is None:
            from convend_tui.tui.tree_panel import TreePanel

            panel = self._panel = TreePanel(id="tree")
            self._screen.query_one(Horizontal).mount(panel)
        panel.display = True
        self.fit()
        self.refresh(follow=True)
        panel.rows.focus()

    def close(self) -> None:
        """Hide it. What was unfolded stays so until another chat is shown in it."""
        if self._panel is None or not self.is_open:
            return
        had_focus = self.has_focus
        self._panel.display = False
        self.fit()
        if had_focus:
            self._screen.transcript.focus()

    def refresh(self, *, follow: bool | None = None) -> None:
        """The thread, the path shown or the focused message may be another. Unless the tree has the focus, its cursor
        follows (`follow` says otherwise)."""
        panel = self._panel
        if panel is None or not self.is_open:
            return
        conversation = self._screen.conversation
        thread, handle = conversation.thread, conversation.handle
        if thread is None or not thread.messages:
            self._outline = None
        elif self._outline is None or self._outline.thread is not thread or self._version != thread.version:
            from convend_tui.thread.outline import Outline

            self._outline, self._version = Outline(thread), thread.version
        problems = (
            [*handle.problems, *self._outline.problems] if handle is not None and self._outline is not None else []
        )
        follow = not self.has_focus if follow is None else follow
        panel.show(self._outline, conversation.leaf, self.here, problems, follow=follow)

    def fit(self) -> None:
        """Beside the transcript where both have room; else over it."""
        screen, panel = self._screen, self._panel
        if panel is None:
            return
        taken = screen.thread_list.outer_size.width if screen.thread_list.display and not screen.is_narrow else 0
        room = screen.app.size.width - taken
        width = max(NARROWEST, min(WIDEST, room * 2 // 5))
        self._over = screen.app.size.width < BESIDE or room - width < TRANSCRIPT
        panel.styles.width = min(room, OVER) if self._over else width
        panel.set_class(self._over, "-over")
        screen.set_class(self._over and self.is_open, "-tree-over")

    def hints(self) -> list[tuple[str, str, bool]]:
        """The keys of the tree, for the line of key hints."""
        keys = self._screen.keys
        return [(keys.shown(BY_ID[name], most), BY_ID[name].label, False) for name, most in _HINTS.items()]

    def focus_moved(self) -> None:
        """Over the transcript it would hide what has the focus now: it goes."""
        if self._over and self.is_open and not self.has_focus:
            self.close()

    def went(self) -> None:
        """The person went to a message: what lies over it goes."""
        if self._over:
            self.close()
