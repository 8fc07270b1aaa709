"""One chat on the screen: which path is shown, what is coming in, what failed, what is being edited.

It turns the thread and the events of a turn into the transcript's items. It draws nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from convend_tui.ending.marks import warned
from convend_tui.model import events as e
from convend_tui.store.drafts import Place as DraftPlace
from convend_tui.store.handle import ThreadHandle
from convend_tui.thread import lock, seen
from convend_tui.thread import records as r
from convend_tui.thread.crumbs import crumbs
from convend_tui.thread.tree import Thread
from convend_tui.tui.composer import ComposerState
from convend_tui.tui.items import ALONE, MessageItem, Place, markdown_body
from convend_tui.tui.notices import ErrorItem, NoticeItem, WelcomeItem
from convend_tui.tui.turn import Turn

if TYPE_CHECKING:
    from convend_tui.session import Session

Item = MessageItem | NoticeItem | ErrorItem | WelcomeItem


REMEMBERED = 50
"""Branches of which it is remembered how they stand."""


class Standing(msgspec.Struct, frozen=True):
    """What is said of the path shown as a whole."""

    crumbs: list[str] = msgspec.field(default_factory=list)
    hidden: bool = False
    warned: bool = False
    ended: r.Ended | None = None


@dataclass(frozen=True, slots=True)
class Editing:
    """The composer holds an old message."""

    message: str
    draft: ComposerState
    """What was in the composer before, given back afterwards."""
    again: bool = False
    """The message got no answer: sent unchanged, it is asked again."""
    text: ComposerState = field(default_factory=ComposerState)
    """What the edit has come to, while another chat is shown."""


class Conversation:
    """The state of one chat. `handle` is None for a new one until its first message is sent."""

    def __init__(self, handle: ThreadHandle | None, *, show_thinking: bool = False) -> None:
        self.handle = handle
        self.leaf: str | None = handle.thread.leaf if handle else None
        """The end of the path shown. Other processes move the thread's own; this one stays where the person is."""
        self.session: Session | None = None
        """Made when something is sent first."""
        self.turn: Turn | None = None
        self.failure: ErrorItem | None = None
        self.editing: Editing | None = None
        self.below: str | None = None
        """The reply above the end of the path that what is written goes on below; None: at the end."""
        self.draft: DraftPlace | None = None
        """What the draft in the composer belongs to."""
        self.draft_goes: Literal["along", "stays", "both"] = "along"
        """With the draft, when this chat comes to another place: the branch has grown; the person has gone to another;
        or has branched off, and then it stays where it was as well."""
        self.is_taken_up = False
        """An edit that was under way when the thread was last left has been looked for."""
        self.wanted: str | None = None
        """The model chosen for the next message, as `server/model`."""
        self.usage: dict[str, int] = {}
        self._show_thinking = show_thinking
        self._items: dict[str, MessageItem] = {}
        self._shown: tuple[int, str | None, list[MessageItem]] = (-1, None, [])
        """The messages of the path as they were last shown, while no reply comes in; of which version and leaf."""
        self._places: dict[str, int] = {}
        """Where each of them stands."""
        self._standing: dict[tuple[int, str], Standing] = {}

    @property
    def thread(self) -> Thread | None:
        """The thread, once there is one."""
        return self.handle.thread if self.handle else None

    @property
    def version(self) -> int:
        """Grows with what there is to show."""
        return self.thread.version if self.thread else 0

    @property
    def title(self) -> str:
        """The thread's name."""
        return self.thread.title if self.thread and self.thread.messages else "New chat"

    @property
    def ended(self) -> r.Ended | None:
        """The ending that locks the path shown."""
        return self._stands().ended

    @property
    def crumbs(self) -> list[str]:
        """The names of the branches that lead to the end of the path shown; see `thread/crumbs.py`."""
        return self._stands().crumbs

    @property
    def is_hidden(self) -> bool:
        """Whether the path shown was hidden."""
        return self._stands().hidden

    @property
    def is_warned(self) -> bool:
        """Whether the path shown has been warned; see `ending/marks.py`."""
        return self._stands().warned

    def _stands(self) -> Standing:
        """Worked out once for each state of the thread: it takes a look at every message of the path."""
        thread, leaf = self.thread, self.leaf
        if thread is None or leaf is None:
            return Standing()
        known = self._standing.get((thread.version, leaf))
        if known is None:
            if len(self._standing) >= REMEMBERED:
                self._standing.clear()
            known = self._standing[thread.version, leaf] = Standing(
                crumbs(thread, leaf), thread.hidden(leaf), warned(thread, leaf), lock.ending_at(thread, leaf)
            )
        return known

    # -- the transcript -----------------------------------------------------------------------------

    def items(self, welcome: WelcomeItem) -> list[Item]:
        """What the transcript shows now. Items of messages are kept, and with them what was rendered."""
        found: list[Item] = []
        if self.thread is not None:
            found += self._messages(self.thread)
        if self.failure is not None:
            found.append(self.failure)
        if self.thread is not None and (ended := self.ended) is not None:
            model = self.thread.messages[ended.message].model if ended.message in self.thread.messages else None
            found.append(NoticeItem(ended, model or "", _newest(self.thread.feedback.get(ended.message))))
        return found or [welcome]

    def _messages(self, thread: Thread) -> list[MessageItem]:
        """The messages of the path shown, and the reply that is coming in."""
        if self.turn is None and self._shown[:2] == (thread.version, self.leaf):
            return self._shown[2]
        found, path = self._kept_part(thread)
        kept = len(found)
        hidden: MessageItem | None = None
        above = [found[-1].message if found else None, *path]
        all_items = [self._item(thread, m, up) for m, up in zip(path, above, strict=False) if m.kind != "guard"]
        if self.turn is not None and self.turn.reply is not None and self.turn.reply.message is None:
            all_items.append(self.turn.reply)
        for item in all_items:
            if item.message is not None and thread.unseen(item.message):
                # Nothing of a decline that protects someone may be seen, not even an empty answer.
                hidden = hidden or item
                continue
            if hidden is not None and item.goes_on:
                item.goes_on, item.place = hidden.goes_on, hidden.place
                item.label = hidden.label or item.label
            hidden = None
            found.append(item)
        if self.turn is None:
            for item in self._shown[2][kept:]:
                self._places.pop(item.key, None)
            self._places |= {item.key: place for place, item in enumerate(found[kept:], kept)}
            self._shown = (thread.version, self.leaf, found)
        return found

    def _kept_part(self, thread: Thread) -> tuple[list[MessageItem], list[r.Message]]:
        """What of the messages last shown stands on this path too, and the messages below it: a flip far down a long
        thread is about a few of them."""
        version, _, shown = self._shown
        if self.turn is not None or version != thread.version or self.leaf is None:
            self._places.clear()
            self._shown = (-1, None, [])
            return [], thread.path(self.leaf)
        new: list[r.Message] = []
        for message in thread.ancestry(self.leaf):
            if (place := self._places.get(message.id)) is not None:
                return shown[: place + 1], new[::-1]
            new.append(message)
        return [], new[::-1]

    def _item(self, thread: Thread, message: r.Message, parent: r.Message | None) -> MessageItem:
        item = self._items.get(message.id)
        if item is None:
            item = self._items[message.id] = MessageItem(message, show_thinking=self._show_thinking)
        item.place = ALONE
        # Ten thousand messages come by here at every refresh, and few of them have siblings.
        if parent is None or thread.child_count(parent.id) > 1:
            siblings = thread.shown_siblings(message.id)
            elsewhere = sum(thread.count_below(i) for i in siblings if i != message.id)
            if len(siblings) > 1:
                item.place = Place(siblings.index(message.id) + 1, len(siblings), elsewhere, message.id)
        item.goes_on = parent is not None and parent.kind == "guard" and message.role == "assistant"
        item.verdict = thread.verdicts.get(message.id)
        item.label = label.label if (label := thread.labels.get(message.id)) else ""
        if message.id not in thread.ended:
            item.feedback = _newest(thread.feedback.get(message.id))
        return item

    def item(self, key: str) -> MessageItem | None:
        """The item of a message that is or was shown."""
        return self._items.get(key)

    # -- events of a turn -----------------------------------------------------------------------------

    def take(self, event: e.Event) -> str | None:
        """Take an event in. Returns the key of the item that grew, or None where the items may be others now."""
        turn = self.turn
        assert turn is not None
        match event:
            case e.TurnStarted(_, question):
                turn.question = self.leaf = question
                self.below, self.draft_goes = None, "both"
                self.failure = None
                turn.reply = self._new_reply("…")
            case e.Waiting():
                turn.reply = turn.reply or self._new_reply("…")
                turn.waits(event)
                return turn.count_down()
            case e.ReplyStarted(_, _, model):
                turn.reply = turn.reply or self._new_reply("…")
                turn.reply.model = model
                turn.goes_on()
            case e.TextDelta(text) if turn.reply is not None:
                turn.reply.status = ""
                turn.reply.body.append(text)
                return turn.reply.key
            case e.ThinkingDelta(text) if turn.reply is not None:
                turn.reply.status = ""
                turn.reply.add_thinking(text)
                return turn.reply.key
            case e.ReplySaved(message):
                self._settle(message)
            case e.TurnEnded(message, _, _, usage):
                self.usage = usage
            case e.TurnFailed(error, question, partial):
                self.failure = ErrorItem(
                    str(error), "Your message is kept. r asks again, e brings it back to change it."
                )
                self._stopped(question, partial)
        return None

    def _new_reply(self, status: str) -> MessageItem:
        item = MessageItem(None, show_thinking=self._show_thinking)
        item.body = markdown_body()
        item.status = status
        if self.thread is not None:
            item.model = self.thread.settings.model
            item.goes_on = self.leaf is not None and self.thread.messages[self.leaf].kind == "guard"
        return item

    def _settle(self, message_id: str) -> None:
        """The reply is on the disk: its rendered text becomes the message's."""
        assert self.thread is not None and self.turn is not None
        message = self.thread.messages[message_id]
        item = MessageItem(message, show_thinking=self._show_thinking)
        if self.turn.reply is not None and self.turn.reply.body.source == r.text_of(message):
            item.body = self.turn.reply.body
            item.body.finish()
            item.unfolded = self.turn.reply.unfolded
        self._items[message_id] = item
        self.turn.reply = None
        self.leaf = self.thread.last_leaf(message_id)
        if self.thread.messages[self.leaf].kind == "guard":
            self.turn.reply = self._new_reply("…")

    def _stopped(self, question: str, partial: str | None) -> None:
        assert self.thread is not None
        self.leaf = partial or self.thread.last_leaf(question)

    def over(self) -> str | None:
        """The turn is over, however it ended. Returns the question if it is to be asked again: nothing came of it,
        or it broke off. An answer that the person stopped counts."""
        turn, self.turn = self.turn, None
        if turn is None or turn.question is None or self.thread is None:
            return None
        if self.leaf is not None and self.failure is None:
            # Stopped: what had arrived is below by now.
            self.leaf = self.thread.last_leaf(self.leaf)
        kinds = {message.kind for message in seen.answers(self.thread, turn.question)}
        again = not kinds or (self.failure is not None and kinds == {"partial"})
        return turn.question if again else None

    # -- where the person goes ------------------------------------------------------------------------

    def flip(self, message_id: str, step: int) -> str | None:
        """Show the sibling `step` further, where the person last was on it. Returns the sibling, or None."""
        if self.thread is None or message_id not in self.thread.messages:
            return None
        siblings = self.thread.shown_siblings(message_id)
        index = siblings.index(message_id) + step
        if not 0 <= index < len(siblings):
            return None
        self.show_branch_of(siblings[index])
        return siblings[index]

    def show_branch_of(self, message_id: str) -> bool:
        """Show the path through a message, where the person last was below it. False where there is no such message."""
        if self.thread is None or message_id not in self.thread.messages:
            return False
        if all(message.id != message_id for message in self.thread.path(self.leaf)):
            self._go(self.thread.last_leaf(message_id))
        return True

    def come_into_sight(self) -> None:
        """Where the path shown was hidden, go to the nearest one that was not."""
        if self.thread is not None and self.leaf is not None and self.leaf in self.thread.messages:
            leaf = self.thread.in_sight(self.leaf)
            if leaf != self.leaf:
                self._go(leaf)

    def _go(self, leaf: str) -> None:
        assert self.thread is not None
        self.leaf = leaf
        self.failure = None
        self.usage = {}
        self.draft_goes = "stays"
        if self.below is not None and all(message.id != self.below for message in self.thread.path(leaf)):
            self.below = None

    def go_on_below(self, message_id: str | None) -> None:
        """From now on what is written goes below a reply above the end of the path (None: at the end)."""
        if message_id is not None and not self.show_branch_of(message_id):
            return
        self.below = message_id if message_id != self.leaf else None
        self.draft_goes = "stays"

    def followed(self) -> None:
        """Others wrote: go on to the end of the path shown, if it has grown."""
        if self.thread is None or self.turn is not None:
            return
        if self.leaf is None or self.leaf not in self.thread.messages:
            self.leaf = self.thread.leaf
        else:
            self.leaf = self.thread.last_leaf(self.leaf)

    def before_warning(self) -> str | None:
        """On an ended path, the last typed message before the warning (before the ending, where none was cited)."""
        if self.thread is None or (ended := self.ended) is None:
            return None
        cited = [p.get("message") for p in ended.evidence if p.get("kind") == "warning"]
        above = next((i for i in cited if i in self.thread.messages), ended.message)
        question = self.thread.question_of(above) if above in self.thread.messages else None
        return question.id if question else None

    # -- what to do with what was typed ---------------------------------------------------------------

    def outgoing(
        self, session: Session, text: str, attachments: list[r.Block], settings: r.Settings | None
    ) -> AsyncGenerator[e.Event, None]:
        """The turn for a text: an edit, the same question again, or a message at the end of the path."""
        from convend_tui.session import content_of, edited

        if self.editing is None:
            return session.send(content_of(text, attachments), self.below or self.leaf, settings)
        assert self.thread is not None
        message = self.thread.messages[self.editing.message]
        content = edited(message, text, attachments)
        if self.editing.again and lock.unchanged(message, content):
            return session.retry(message.id, settings)
        return session.edit(message.id, content, settings)


def _newest(given: Sequence[r.Feedback] | None) -> r.Feedback | None:
    return given[-1] if given else None
