"""Comparing two branches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convend_tui.plain import one_line
from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.answers import answer_of
from convend_tui.thread.tree import Thread
from convend_tui.tui.actions.area import NO_MESSAGE, STREAMING, Area
from convend_tui.tui.items import MessageItem, clock

if TYPE_CHECKING:
    from convend_tui.tui.pick import PickOption

_NO_OTHER = "There is no other branch to compare with."


class Comparing(Area):
    """The comparison of the path shown with another."""

    def why_not_compare(self) -> str | None:
        """While a reply comes in its branch has no end yet."""
        conversation = self._screen.conversation
        if conversation.turn is not None:
            return STREAMING
        if conversation.thread is None or conversation.leaf is None:
            return NO_MESSAGE
        return None if next(self._others(conversation.thread), None) else _NO_OTHER

    def do_compare(self) -> None:
        """With the only sibling of the focused message; else with a branch of one's choice. From a row of the tree
        beside the path shown: with its branch."""
        thread, row = self._screen.conversation.thread, self._row
        assert thread is not None
        if row is not None and row.id not in self._shown(thread):
            self._compare(row.id)
            return
        siblings = self._siblings(thread)
        if len(siblings) == 1:
            self._compare(siblings[0])
            return
        from convend_tui.tui.pick import Pick  # dialogs come after the first paint

        options = [
            *(_option(thread, thread.last_leaf(i), f"beside it: {_words(thread, i)}") for i in siblings),
            *(_option(thread, i, _words(thread, _last_seen(thread, i))) for i in self._others(thread)),
        ]
        unique = {option.id: option for option in reversed(options)}
        self._screen.convend.push_screen(Pick("Compare with which branch?", list(unique.values())[::-1]), self._compare)

    def _siblings(self, thread: Thread) -> list[str]:
        """The others at the place of the focused message."""
        item, row = self._screen.transcript.focused_item, self._row
        if row is not None:
            here = answer_of(thread, row.id)
        elif isinstance(item, MessageItem) and item.place.of > 1:
            here = item.place.message
        else:
            return []
        found = [i for i in thread.siblings(here) if i != here]
        return [i for i in found if not thread.hidden(i) and next(seen.below(thread, i), None)]

    def _others(self, thread: Thread) -> Iterator[str]:
        """The ends of the other branches, the newest first."""
        here = self._shown(thread)
        return (i for i in reversed(thread.leaves()) if _last_seen(thread, i) not in here and not thread.hidden(i))

    def _shown(self, thread: Thread) -> set[str]:
        """The path that is shown."""
        return {message.id for message in thread.path(self._screen.conversation.leaf)}

    def _compare(self, other: str | None) -> None:
        from convend_tui.tui.compare import CompareScreen

        conversation = self._screen.conversation
        if other is None or conversation.thread is None or conversation.leaf is None:
            return
        thread = conversation.thread
        pair = CompareScreen(thread, conversation.leaf, thread.last_leaf(other))
        self._screen.convend.push_screen(pair, self.go_to_message)


def _option(thread: Thread, leaf: str, words: str) -> PickOption:
    from convend_tui.tui.pick import PickOption

    message: r.Message = thread.messages[leaf]
    ended = " · ⊘ ended" if leaf in thread.ended else ""
    return PickOption(leaf, one_line(words, 60), f"{clock(message.at)}{ended}")


def _last_seen(thread: Thread, leaf: str) -> str:
    """The last message of a branch that can be seen."""
    return next((message.id for message in thread.ancestry(leaf) if not thread.unseen(message)), leaf)


def _words(thread: Thread, message_id: str) -> str:
    """The first words of a message, or of the first one below it that can be seen."""
    from convend_tui.thread.outline import preview

    return preview(thread.messages[next(seen.below(thread, message_id), message_id)])
