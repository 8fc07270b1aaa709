"""Thread: records in; paths, siblings, leaves and forks out.

Records may come in any order and more than once (git's union merge, two processes, a synchroniser): what a
thread says depends on the set of its records alone. Where several records compete (titles, settings, where the
person is) the one with the greatest (`at`, line) wins.
"""

from __future__ import annotations

import copy
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.cycles import oldest_of_cycles

_R = TypeVar("_R", bound=r.Record)

UNTITLED = "Untitled"
"""The title of a thread without words."""


class Thread:
    """The tree of one thread. Links that cannot be followed (a missing parent, a cycle) make a root."""

    def __init__(self, header: r.Header, records: Iterable[r.AnyRecord | r.Unknown] = ()) -> None:
        self.header = header
        self.messages: dict[str, r.Message] = {}
        self.ended: dict[str, r.Ended] = {}
        self.verdicts: dict[str, r.Verdict] = {}
        self.labels: dict[str, r.Label] = {}
        self.feedback: dict[str, list[r.Feedback]] = {}
        self.updated = header.at
        self._titles: dict[bool, r.Title] = {}
        """The newest title, by whether a person gave it."""
        self._pin: r.Pin | None = None
        self._settings: list[r.SettingsChange] = []
        self._visits: dict[str, str] = {}
        """Leaf id -> when the person last went there."""
        self._hidden: dict[str, tuple[str, bool]] = {}
        self._children: dict[str | None, list[tuple[str, str]]] = {}
        self._contradictions: list[str] = []
        self._cycles: frozenset[str] | None = frozenset()
        """The oldest member of each cycle of parents; None: to be looked for again."""
        self.version = 0
        """Grows with every record but a visit: what was worked out under another number may be old."""
        self._latest: dict[str, str] | None = None
        self._place: tuple[str, str] | None = None
        for record in records:
            self.apply(record)

    # -- records in ---------------------------------------------------------------------------------

    def apply(self, record: r.AnyRecord | r.Unknown) -> None:
        """Take a record in. A record that is already here changes nothing."""
        if isinstance(record, r.Unknown):
            return
        self.version += not isinstance(record, r.Leaf)
        if not isinstance(record, r.Pin):  # who pins a thread has not used it
            self.updated = max(self.updated, record.at)
        match record:
            case r.Message():
                self._add(record)
            case r.Ended():
                _newest(self.ended, record.message, record)
            case r.Verdict():
                _newest(self.verdicts, record.message, record)
            case r.Label():
                _newest(self.labels, record.message, record)
            case r.Title():
                own = record.by == "person"
                self._titles[own] = winner(self._titles.get(own), record)
            case r.Pin():
                self._pin = winner(self._pin, record)
            case r.SettingsChange():
                if record not in self._settings:
                    insort(self._settings, record, key=_rank)
            case r.Leaf():
                self._visit(record.message, record.at)
            case r.Hide() | r.Restore():
                mark = (record.at, isinstance(record, r.Hide))
                self._hidden[record.message] = max(mark, self._hidden.get(record.message, mark))
                self._latest = None
            case r.Feedback():
                given = self.feedback.setdefault(record.message, [])
                if record not in given:
                    insort(given, record, key=_rank)
            case r.Header():
                # A union merge may bring the header twice; it is the same line.
                if record.id != self.header.id:
                    self._contradict(f"a second header, of thread {record.id}")

    def with_records(self, records: Iterable[r.AnyRecord | r.Unknown]) -> Thread:
        """A copy of this thread with `records` taken in; this one stays as it is."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (dict, list, set)):
                setattr(other, name, copy.copy(value))
        other._children = {parent: list(ids) for parent, ids in self._children.items()}
        other.feedback = {message: list(given) for message, given in self.feedback.items()}
        for record in records:
            other.apply(record)
        return other

    def _add(self, message: r.Message) -> None:
        known = self.messages.get(message.id)
        if known == message:
            return
        if known is not None:
            # Ids are unique: two different messages of one id mean a damaged or forged file.
            self._contradict(f"two different messages have the id {message.id}")
        if known is None or _rank(message) < _rank(known):
            if known is not None:
                self._children[known.parent].remove((known.at, known.id))
            self.messages[message.id] = message
            insort(self._children.setdefault(message.parent, []), (message.at, message.id))
            if known is not None or message.id in self._children:
                # Only a message that comes after its children, or in place of another, can open or close a cycle.
                self._cycles = self._latest = None
        self._visit(message.id, message.at)

    def _contradict(self, problem: str) -> None:
        if problem not in self._contradictions:
            self._contradictions.append(problem)

    @property
    def _cut(self) -> frozenset[str]:
        """Messages whose parent link closes a cycle, the oldest of each: they are roots."""
        if self._cycles is None:
            self._cycles = frozenset(oldest_of_cycles(self.messages))
        return self._cycles

    def _visit(self, message: str, at: str) -> None:
        self._visits[message] = at = max(at, self._visits.get(message, ""))
        if message not in self.messages:
            return
        self._place = max(self._place or ("", ""), (at, message))
        latest, node = self._latest, message
        while latest is not None and (node not in latest or latest[node] < at):
            latest[node] = at
            if self.pruned(node) or (above := self.parent(node)) is None:
                break
            node = above

    # -- what the thread is ---------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The thread's id."""
        return self.header.id

    @property
    def problems(self) -> list[str]:
        """What was contradictory in the records, in words."""
        circles = (f"the parents of message {oldest} run in a circle" for oldest in sorted(self._cut))
        return [*self._contradictions, *circles]

    @property
    def settings(self) -> r.Settings:
        """The settings in force. `system`, `ending` and the tool's version are the header's for ever (where that is
        provisional, the first change's): a thread's tools and system prompt never change."""
        if not self._settings:
            return self.header.settings
        first = self._settings[0] if self.header.provisional else self.header.settings
        return msgspec.structs.replace(
            r.as_settings(self._settings[-1]),
            system=first.system,
            ending=first.ending,
            tool_version=first.tool_version,
        )

    @property
    def is_provisional(self) -> bool:
        """Whether nobody has gone on with the thread since it came in, and its settings are still to be decided."""
        return self.header.provisional and not self._settings

    @property
    def settings_at(self) -> str:
        """When the settings in force came into force: what `made_under` of a new reply is."""
        return self._settings[-1].at if self._settings else self.header.at

    def settings_of(self, message: r.Message) -> r.Settings:
        """The settings under which a reply was made."""
        under = message.made_under or message.at
        found: r.Settings | None = None
        for change in self._settings:
            if change.at <= under:
                found = r.as_settings(change)
        return found or self.header.settings

    @property
    def title(self) -> str:
        """The person's title, else one that somebody else gave, else the first words of the first message, on one
        line."""
        if self.given_title is not None:
            return self.given_title
        # Roots with no parent come first and are at hand; orphans are looked for only where there are none.
        for root in [i for _, i in self._children.get(None, ())] or self.roots:
            if words := first_words(r.text_of(self.messages[root])):
                return words
        return UNTITLED

    @property
    def given_title(self) -> str | None:
        """The title that was given; a person's own is never replaced by another kind. None: nobody gave one."""
        given = (self._titles[own].title for own in (True, False) if own in self._titles)
        return next((title for title in given if title.strip()), None)

    @property
    def pinned(self) -> bool:
        """Whether the thread stands at the head of the list."""
        return self._pin is not None and self._pin.pinned

    # -- the tree ---------------------------------------------------------------------------------------

    def parent(self, message_id: str) -> str | None:
        """The parent's id, or None for a root (also where the parent is missing or a cycle was cut)."""
        message = self.messages[message_id]
        if message.parent is None or message.parent not in self.messages or message_id in self._cut:
            return None
        return message.parent

    @property
    def roots(self) -> list[str]:
        """Messages with no parent to be found, oldest first."""
        found = list(self._children.get(None, ()))
        for parent, children in self._children.items():
            if parent is not None and parent not in self.messages:
                found.extend(children)
        found.extend((self.messages[i].at, i) for i in self._cut)
        return [message_id for _, message_id in sorted(set(found))]

    def children(self, message_id: str | None) -> list[str]:
        """Ids of the answers to a message (of the roots for None), oldest first."""
        if message_id is None:
            return self.roots
        cut = self._cut
        return [i for _, i in self._children.get(message_id, ()) if i not in cut]

    def siblings(self, message_id: str) -> list[str]:
        """All children of the message's parent, itself included, oldest first."""
        return self.children(self.parent(message_id))

    def child_count(self, message_id: str) -> int:
        """How many children a message has, more cheaply than `children` tells it."""
        return len(self._children.get(message_id, ())) if not self._cut else len(self.children(message_id))

    @property
    def forks(self) -> set[str]:
        """The messages with more than one child. (Where a cycle was cut there may be one less.)"""
        return {parent for parent, children in self._children.items() if len(children) > 1 and parent is not None}

    def ancestry(self, message_id: str) -> Iterator[r.Message]:
        """The message, its parent, and so on up to the root."""
        node: str | None = message_id
        while node is not None:
            yield self.messages[node]
            node = self.parent(node)

    def path(self, message_id: str | None) -> list[r.Message]:
        """From the root down to the message; empty for None."""
        if message_id is None:
            return []
        found = list(self.ancestry(message_id))
        found.reverse()
        return found

    def leaves(self) -> list[str]:
        """Messages without answers, oldest first."""
        ends = [(m.at, m.id) for m in self.messages.values() if not self.children(m.id)]
        return [message_id for _, message_id in sorted(ends)]

    def question_of(self, message_id: str) -> r.Message | None:
        """The person's message that a reply (or a guard) answers; a question is its own."""
        return next((m for m in self.ancestry(message_id) if r.is_question(m)), None)

    def turn_of(self, message_id: str) -> Sequence[r.Message]:
        """The messages from just below the question down to `message_id`: calls and guards belong together."""
        found: list[r.Message] = []
        for message in self.ancestry(message_id):
            if r.is_question(message):
                break
            found.append(message)
        return found[::-1]

    def unseen(self, message: r.Message) -> bool:
        """Whether nobody is shown this message in a conversation: the client's own, or a secret (thread/seen.py)."""
        return message.kind == "guard" or seen.is_secret(self, message)

    def is_private(self, message_id: str) -> bool:
        """Whether the message holds a call that was declined to protect someone."""
        verdict = self.verdicts.get(message_id)
        return verdict is not None and verdict.private

    def count_below(self, message_id: str) -> int:
        """How many messages the subtree of a message has, itself included; unseen ones and what was pruned below it
        do not count."""
        count, todo = 0, [message_id]
        while todo:
            node = todo.pop()
            count += not self.unseen(self.messages[node])
            todo.extend(self.shown_children(node))
        return count

    # -- what was pruned ----------------------------------------------------------------------------------

    def pruned(self, message_id: str) -> bool:
        """Whether a `hide` stands on this very message."""
        return self._hidden.get(message_id, ("", False))[1]

    @property
    def prunings(self) -> list[tuple[str, str]]:
        """Time and message of each `hide` in force, the oldest first. Those of one act have one time."""
        return sorted((at, i) for i, (at, is_hidden) in self._hidden.items() if is_hidden and i in self.messages)

    def hidden(self, message_id: str) -> bool:
        """Whether this message or one above it was pruned."""
        return bool(self._hidden) and any(self.pruned(m.id) for m in self.ancestry(message_id))

    def shown_children(self, message_id: str | None) -> list[str]:
        """The children (of None: the roots) that were not pruned."""
        children = self.children(message_id)
        return [i for i in children if not self.pruned(i)] if self._hidden else children

    def shown_siblings(self, message_id: str) -> list[str]:
        """The siblings that were not pruned and under which there is anything to see, and the message itself: it may be
        where the person stands."""
        siblings = self.siblings(message_id)
        if len(siblings) < 2:
            return siblings
        return [
            i for i in siblings if i == message_id or not (self.pruned(i) or next(seen.below(self, i), None) is None)
        ]

    def in_sight(self, message_id: str, since: str = "") -> str:
        """The message; where it was pruned (at `since` or later), the leaf nearest to it that can be seen. Where
        nothing can be seen at all, the message after all."""
        marks = ((m.id, *self._hidden.get(m.id, ("", False))) for m in self.ancestry(message_id))
        pruned = [i for i, at, is_hidden in marks if is_hidden and at >= since] if self._hidden else []
        if not pruned:
            return message_id
        above, latest = self.parent(pruned[-1]), self._latest_visits()
        shown = [above] if above is not None else self.shown_children(None)
        return self.last_leaf(max(shown, key=lambda i: (latest[i], i))) if shown else message_id

    # -- where the person is ------------------------------------------------------------------------------

    @property
    def leaf(self) -> str | None:
        """The end of the current path: where the person last went or the last message came, whichever is newer.
        If that was pruned since, the nearest leaf that can be seen."""
        return self.in_sight(self._place[1], self._place[0]) if self._place else None

    def last_leaf(self, message_id: str) -> str:
        """The leaf below a message where the person last was, apart from what was pruned below it."""
        latest = self._latest_visits()
        node = message_id
        while children := self.shown_children(node):
            # A visit to the node itself (the person stood there) counts only against what is older below it.
            node = max(children, key=lambda i: (latest[i], i))
        return node

    def _latest_visits(self) -> dict[str, str]:
        """For each message, when somebody last was in its subtree, apart from what was pruned below it."""
        if self._latest is None:
            order: list[str] = []
            todo = self.roots
            while todo:
                node = todo.pop()
                order.append(node)
                todo.extend(self.children(node))
            latest: dict[str, str] = {}
            for node in reversed(order):
                below = [latest[child] for child in self.shown_children(node)]
                latest[node] = max([self._visits.get(node, ""), *below])
            self._latest = latest
        return self._latest


def _rank(record: r.Record) -> tuple[str, bytes]:
    """Orders competing records: by time, then by their own line, so that file order plays no part."""
    return record.at, r.encode(record)


def first_words(text: str) -> str:
    """What a thread is called after a message when nobody gave it a title."""
    return " ".join(text[:400].split())[:80]


def winner(old: _R | None, new: _R) -> _R:
    """Which of two competing records counts: the one with the greater (`at`, line)."""
    return new if old is None or _rank(new) > _rank(old) else old


def _newest(table: dict[str, _R], key: str, record: _R) -> None:
    table[key] = winner(table.get(key), record)
