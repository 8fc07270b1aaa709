"""The command palette, fed by the table of commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.style import Style

from convend_tui.plain import one_line
from convend_tui.tui.commands import COMMANDS, Command
from convend_tui.tui.items import LONGEST_LABEL
from convend_tui.tui.matching import Spans, match

if TYPE_CHECKING:
    from convend_tui.tui.app import ConvendApp
    from convend_tui.tui.screen import ChatScreen

EVERYWHERE = ("theme", "quit")
"""Commands that are about no chat: they can be done over whatever is open."""
LEAVE_FIRST = "Close what is open over the chat first (Esc)."


class TableCommands(Provider):
    """Every command of the table, and the labels of the chat. A command that cannot be done now says why in its help
    line; over a dialog or another screen that is nearly all of them."""

    @property
    def _chat(self) -> ChatScreen:
        """What commands are about: the screen below all others."""
        return cast("ChatScreen", self.app.screen_stack[0])

    def _refusal(self, command_id: str) -> str | None:
        if self.screen is self._chat or command_id in EVERYWHERE:
            return self._chat.refusal(command_id)
        return getattr(self.screen, "LEAVE_FIRST", LEAVE_FIRST)

    def _choices(self) -> list[tuple[Command, str]]:
        found: list[tuple[Command, str]] = []
        seen: set[str] = set()
        for command in COMMANDS:
            if command.bound or command.id == "theme":
                if command.label in seen:
                    continue
                seen.add(command.label)
                why = self._refusal(command.id)
                # The palette takes help for markup, and a reason may hold a name from somebody's file.
                found.append((command, _unmarked(one_line(f"Not now: {why}" if why else command.help))))
        return found

    def _run(self, command: Command) -> None:
        if self.screen is not self._chat and (why := self._refusal(command.id)):
            cast("ConvendApp", self.app).tell(f"{command.label}: {why}", severity="warning")
        else:
            self._chat.action_do(command.id)

    def _labels(self) -> list[tuple[str, str, str]]:
        """The labelled messages of the chat that is shown: what the palette says, what the message begins with, id."""
        conversation, thread = self._chat.conversation, self._chat.conversation.thread
        if thread is None or conversation.turn is not None or self.screen is not self._chat:
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
        self._chat.actions.branches.go_to_message(message_id)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for command, text in self._choices():
            yield DiscoveryHit(command.label, partial(self._run, command), help=text)
        for name, text, message in self._labels():
            yield DiscoveryHit(Content(name), partial(self._go_to, message), text=name, help=text)

    async def search(self, query: str) -> Hits:
        """Those that fit what was typed, in label or help."""
        marked = self.matcher(query).match_style
        for command, text in self._choices():
            if found := match(query, command.label, command.help):
                shown = _highlighted(command.label, found[1], marked)
                yield Hit(found[0], shown, partial(self._run, command), help=text)
        for name, text, message in self._labels():
            if found := match(query, name):
                yield Hit(found[0], _highlighted(name, found[1], marked), partial(self._go_to, message), help=text)


def _highlighted(name: str, spans: Spans, marked: Style) -> Content:
    content = Content(name)
    for start, end in spans:
        content = content.stylize(marked, start, end)
    return content


def _unmarked(text: str) -> str:
    """`text` as markup that says just that. (`textual.markup.escape` leaves some of what is markup as it is.)"""
    return text.replace("[", "\\[")
