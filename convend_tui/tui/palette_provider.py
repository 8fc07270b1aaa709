"""The command palette, fed by the table of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape

from convend_tui.plain import one_line
from convend_tui.tui.commands import COMMANDS, Command

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen


class TableCommands(Provider):
    """Every command of the table; one that cannot be done now says why in its help line."""

    def _choices(self) -> list[tuple[Command, str]]:
        screen = cast("ChatScreen", self.screen)
        refusal = getattr(screen, "refusal", None)
        found: list[tuple[Command, str]] = []
        seen: set[str] = set()
        for command in COMMANDS:
            if command.bound or command.id == "theme":
                if command.label in seen:
                    continue
                seen.add(command.label)
                why = refusal(command.id) if refusal else None
                # The palette takes help for markup, and a reason may hold a name from somebody's file.
                found.append((command, escape(one_line(f"Not now: {why}" if why else command.help))))
        return found

    def _run(self, command: Command) -> None:
        screen = cast("ChatScreen", self.screen)
        screen.action_do(command.id)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for command, text in self._choices():
            yield DiscoveryHit(command.label, lambda c=command: self._run(c), help=text)

    async def search(self, query: str) -> Hits:
        """Those that fit what was typed, in label or help."""
        matcher = self.matcher(query)
        for command, text in self._choices():
            score = max(matcher.match(command.label), 0.9 * matcher.match(command.help))
            if score > 0:
                yield Hit(score, matcher.highlight(command.label), lambda c=command: self._run(c), help=text)
