"""The command palette, fed by the table of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from convend_tui.plain import one_line
from convend_tui.tui.commands import COMMANDS, Command
from convend_tui.tui.items import LONGEST_LABEL

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen


class TableCommands(Provider):
    """Every command of the table, and the labels of the chat. A command that cannot be done now says why in its help
    line."""

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
                found.append((command, _unmarked(one_line(f"Not now: {why}" if why else command.help))))
        return found

    def _run(self, command: Command) -> None:
        screen = cast("ChatScreen", self.screen)
        screen.action_do(command.id)

    def _labels(self) -> list[tuple[str, str, str]]:
        """The labelled messages of the chat that is shown: what the palette says, what the message begins with, id."""
        conversation = getattr(self.screen, "conversation", None)
        thread = conversation.thread if conversation is not None and conversation.turn is None else None
        if thread is None:
            return []
        from convend_tui.thread.outline import preview

        found: list[tuple[str, str, str]] = []
        for label in thread.labels.values():
            name, message = one_line(label.label, LONGEST_LABEL), thread.messages.get(label.message)
            if name and message is not None:
                hidden = "Hidden · " if thread.hidden(message.id) else ""
                found.append((f"Go to ⚑ {name}", _unmarked(hidden + preview(message)), message.id))
        return sorted(found)

    def _go_to(self, message_id: str) -> None:
        cast("ChatScreen", self.screen).actions.branches.go_to_message(message_id)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for command, text in self._choices():
            yield DiscoveryHit(command.label, lambda c=command: self._run(c), help=text)
        for name, text, message in self._labels():
            yield DiscoveryHit(Content(name), lambda m=message: self._go_to(m), text=name, help=text)

    async def search(self, query: str) -> Hits:
        """Those that fit what was typed, in label or help."""
        matcher = self.matcher(query)
        for command, text in self._choices():
            score = max(matcher.match(command.label), 0.9 * matcher.match(command.help))
            if score > 0:
                yield Hit(score, matcher.highlight(command.label), lambda c=command: self._run(c), help=text)
        for name, text, message in self._labels():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(_unmarked(name)), lambda m=message: self._go_to(m), help=text)


def _unmarked(text: str) -> str:
    """`text` as markup that says just that. (`textual.markup.escape` leaves some of what is markup as it is.)"""
    return text.replace("[", "\\[")
