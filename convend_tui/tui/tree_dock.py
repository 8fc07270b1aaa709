"""Where the tree stands on the screen, and what it is told: beside the transcript, or over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from convend_tui.thread import records as r
from convend_tui.tui.commands import BY_ID
from convend_tui.tui.items import MessageItem

if TYPE_CHECKING:
    from convend_tui.thread.outline import Outline
    from convend_tui.tui.screen import ChatScreen
    from convend_tui.tui.tree_panel import TreePanel

LIST = 32
"""Columns of the list of chats, as in app.tcss."""
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
        self._gave_way = False
        """The list of chats is hidden so that the tree can stand beside the transcript."""

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

    @property
    def row(self) -> r.Message | None:
        """The message under its cursor, where the keys go there."""
        return self._panel.rows.message if self._panel is not None and self.has_focus else None

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
        self._list_returns()
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

    def fit(self, *, list_first: bool = False) -> None:
        """Beside the transcript where both have room, if need be in place of the list of chats; else over it.

        Args:
            list_first: the person has just asked for the list.
        """
        screen, panel = self._screen, self._panel
        if panel is None:
            return
        if list_first:
            self._gave_way = False
        else:
            self._list_returns()
        room = self._room
        if self.is_open and not list_first and not screen.thread_list.has_focus and not _both_fit(room):
            whole = screen.app.size.width
            if whole >= BESIDE and room < whole and _both_fit(whole):
                screen.thread_list.display = False
                self._gave_way, room = True, whole
        self._over = screen.app.size.width < BESIDE or not _both_fit(room)
        panel.styles.width = min(room, OVER) if self._over else _width(room)
        panel.set_class(self._over, "-over")
        screen.set_class(self._over and self.is_open, "-tree-over")

    @property
    def _room(self) -> int:
        """Columns that the list of chats leaves."""
        screen = self._screen
        beside = screen.thread_list.display and not screen.is_narrow
        return screen.app.size.width - (LIST if beside else 0)

    def _list_returns(self) -> None:
        """What gave way for the tree comes back; where it is narrow it is the list's own affair."""
        if self._gave_way and not self._screen.is_narrow:
            self._screen.thread_list.display = True
        self._gave_way = False

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


def _width(room: int) -> int:
    """Columns of the tree beside the transcript."""
    return max(NARROWEST, min(WIDEST, room * 2 // 5))


def _both_fit(room: int) -> bool:
    return room - _width(room) >= TRANSCRIPT
