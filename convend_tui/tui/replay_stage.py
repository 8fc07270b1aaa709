"""What a replay shows at a place in it: messages as in the conversation, the one under way, the notice.

Items are made when a message is reached first, and kept: a path may have ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from convend_tui.replay import Event
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from convend_tui.tui.items import ALONE, MessageItem, Place, markdown_body
from convend_tui.tui.notices import NoticeItem, WelcomeItem
from convend_tui.tui.replay_player import Player, branches_at

Item = MessageItem | NoticeItem | WelcomeItem
Change = Literal["same", "grown", "other"]
"""Of the items: none, the growing one has more text, or they are others."""


class ReplayedMessage(MessageItem):
    """A message with which nothing can be done here."""

    __slots__ = ()
    KEYS: ClassVar[bool] = False


class Stage:
    """Turns a player's place into items."""

    def __init__(self, *, show_thinking: bool) -> None:
        self.items: list[Item] = []
        self.growing: MessageItem | None = None
        """The reply that is coming in."""
        self.ended: r.Ended | None = None
        """The lock that has fallen."""
        self._show_thinking = show_thinking
        self._known: dict[str, MessageItem] = {}
        self._settled: list[MessageItem] = []
        """The items of the first scenes of the path."""
        self._place: tuple[object, int, int] = (None, -1, 0)
        """What is shown: replay, scene, events."""

    def show(self, player: Player) -> Change:
        """Come to where the player is."""
        replay, scene, shown = self._place
        now = (player.replay, player.scene, player.shown)
        if self._place == now:
            return "same"
        self._place = now
        if replay is not player.replay:
            self._settled = []
        elif self.growing is not None and (player.scene, player.shown) > (scene, shown):
            # The growing one gets the rest of its text, even if it is complete by now: what was drawn of it is kept.
            new = player.events(scene)[shown : player.shown if player.scene == scene else None]
            self._grow(self.growing, new)
            if player.scene == scene and all(event.kind in ("text", "thinking") for event in new):
                return "grown"
        self._build(player)
        return "other"

    def unfold(self) -> None:
        """Show the thinking of all messages, or fold it again."""
        self._show_thinking = not self._show_thinking
        for item in [*self._known.values(), *([self.growing] if self.growing else [])]:
            item.unfolded = self._show_thinking

    def _build(self, player: Player) -> None:
        before, self.growing = self.growing, None
        del self._settled[player.scene :]
        for number in range(len(self._settled), player.scene):
            self._settled.append(self._item(player, number, before))
        # The last one may have been there before its verdict was.
        for item in self._settled[-1:]:
            item.verdict = player.thread.verdicts.get(item.key)
        self.items = [*self._settled]
        self.ended = self._ended(player)
        if player.shown:
            self.items.append(self._under_way(player, before))
        if self.ended is not None:
            model = player.thread.messages[self.ended.message].model
            self.items.append(NoticeItem(self.ended, model or "", keys=False))

    def _item(self, player: Player, number: int, before: MessageItem | None) -> MessageItem:
        """The item of a message that is complete; what was rendered of it while it grew (`before`) is kept."""
        message = player.replay.scenes[number].message
        item = self._known.get(message.id)
        if item is None:
            item = self._known[message.id] = ReplayedMessage(message, show_thinking=self._show_thinking)
        if before is not None and before.key == item.key and before.body.source == r.text_of(message):
            item.body = before.body
            item.body.finish()
        _dress(item, player, number)
        item.verdict = player.thread.verdicts.get(message.id)
        return item

    def _under_way(self, player: Player, before: MessageItem | None) -> MessageItem:
        """The item of the message that is not complete, or about which something is still to come."""
        events = player.appeared
        if any(event.kind in ("typed", "done") for event in events):
            item = self._item(player, player.scene, before)
            if not any(event.kind == "verdict" for event in events):
                item.verdict = None
            return item
        message = player.replay.scenes[player.scene].message
        self.growing = ReplayedMessage(None, show_thinking=self._show_thinking)
        self.growing.key, self.growing.model = message.id, message.model or ""
        self.growing.body = markdown_body()
        _dress(self.growing, player, player.scene)
        self._grow(self.growing, events)
        return self.growing

    def _grow(self, item: MessageItem, events: Sequence[Event]) -> None:
        item.body.append("".join(event.text for event in events if event.kind == "text"))
        if thinking := "".join(event.text for event in events if event.kind == "thinking"):
            item.add_thinking(thinking)

    def _ended(self, player: Player) -> r.Ended | None:
        """The first lock of the path that has fallen by now."""
        for mark in player.replay.marks:
            if mark.kind != "ending" or mark.message not in player.thread.ended:
                continue
            # It may be the lock of a message that is not shown, or that the path stops above.
            number = player.nearest(mark.message)
            fallen = number is None or number < player.scene
            if fallen or any(e.kind == "ended" and e.message == mark.message for e in player.appeared):
                return player.thread.ended[mark.message]
        return None


def _dress(item: MessageItem, player: Player, number: int) -> None:
    """What the head of a message says of its place in the tree."""
    thread, message = player.thread, player.replay.scenes[number].message
    item.label = label.label if (label := thread.labels.get(message.id)) else ""
    item.place = ALONE
    if player.is_fork(number):
        found = branches_at(thread, message.id)
        elsewhere = sum(thread.count_below(i) for i in found if i != message.id)
        item.place = Place(found.index(message.id) + 1, len(found), elsewhere, message.id)
    item.goes_on = number > 0 and message.role == "assistant" and _continues(thread, message)


def _continues(thread: Thread, message: r.Message) -> bool:
    """Whether the model went on after a call of its own that can be seen."""
    node = thread.parent(message.id)
    while node is not None and thread.messages[node].kind == "guard":
        above = thread.parent(node)
        if above is None or not thread.unseen(thread.messages[above]):
            return above is not None
        node = thread.parent(above)
    return False
