"""What each command of the table does, and why it cannot be done now: an area a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convend_tui.tui.actions.branches import Branches
from convend_tui.tui.actions.chats import Chats
from convend_tui.tui.actions.comparing import Comparing
from convend_tui.tui.actions.endings import Endings
from convend_tui.tui.actions.exporting import Exporting
from convend_tui.tui.actions.importing import Importing
from convend_tui.tui.actions.library import Keeping, Searching
from convend_tui.tui.actions.linking import Linking
from convend_tui.tui.actions.messages import Messages
from convend_tui.tui.actions.program import Program
from convend_tui.tui.actions.pruning import Pruning
from convend_tui.tui.actions.replaying import Replaying
from convend_tui.tui.commands import BY_ID

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen


class Actions:
    """All areas."""

    def __init__(self, screen: ChatScreen) -> None:
        self.chats = Chats(screen)
        self.branches = Branches(screen)
        program = Program(screen)
        self.searching = Searching(screen, self.chats.do_new, program.do_back)
        # The first that knows a command does it: while somebody goes from hit to hit, some keys mean another thing.
        self._areas = (
            self.searching,
            Keeping(screen),
            self.chats,
            Messages(screen),
            Linking(screen),
            self.branches,
            Comparing(screen),
            Pruning(screen),
            Endings(screen),
            Exporting(screen),
            Importing(screen),
            Replaying(screen),
            program,
        )

    def refusal(self, command_id: str) -> str | None:
        """Why not now; None where it can be done."""
        check = self._find(f"why_not_{command_id}")
        return check() if check is not None else None

    def label(self, command_id: str) -> str:
        """What a command is called now: while somebody goes from hit to hit, some keys mean another thing."""
        called = self._find(f"label_{command_id}")
        return str(called()) if called is not None else BY_ID[command_id].label

    def run(self, command_id: str) -> None:
        """Do it."""
        do = self._find(f"do_{command_id}")
        assert do is not None, f"no area does {command_id}"
        do()

    def _find(self, name: str) -> Callable[[], Any] | None:
        return next((found for area in self._areas if (found := getattr(area, name, None)) is not None), None)
