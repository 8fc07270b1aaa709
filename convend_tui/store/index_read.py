"""What the index takes from a thread file.

Two ways to the same end. `Reading` takes records one after another and can go on later where it stopped; it knows
whole threads in which every message comes after its parent. Any other file (`Odd`) is read by `whole`, through the
tree itself, which is several times as slow, and all of it again when it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from convend_tui.errors import Unreadable
from convend_tui.store.library import Summary, summarize
from convend_tui.thread import records as r
from convend_tui.thread.tree import UNTITLED, Thread, first_words, winner

ON_THE_WAY: Final = 1
"""Of `Node.ended`: a message above an ending."""
LOCKED: Final = 2
"""Of `Node.ended`: a message of the turn that was the last one, or below it."""
PIECE: Final = 256 * 1024
"""Bytes that are decoded at once: meanwhile no other thread of the program can run."""


class Odd(Exception):
    """The records do not make a plain tree; only `thread.tree` knows what they mean."""


class Block(msgspec.Struct, gc=False):
    """As much of a content block as is searched. Any type will do, as in `records`."""

    type: Any = None
    text: Any = None
    source: Any = None
    title: Any = None


class Message(r.Record, frozen=True, kw_only=True, tag="message", gc=False):
    """`records.Message`; what is not looked at is checked and left as it is, which is four times as fast."""

    id: str
    parent: str | None
    role: r.Role
    content: list[Block]
    kind: str
    model: str | None = None
    stop_reason: str | None = None
    stop_details: dict[str, msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None
    request_id: str | None = None
    timing: dict[str, msgspec.Raw] | None = None
    origin: dict[str, msgspec.Raw] | None = None
    made_under: str | None = None


_Line = (
    Message
    | r.Header
    | r.Ended
    | r.Verdict
    | r.Verdict
    | r.SettingsChange
    | r.Title
    | r.Pin
    | r.Label
    | r.Leaf
    | r.Hide
    | r.Restore
    | r.Feedback
)
_decoder: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


class Node(msgspec.Struct, gc=False):
    """A row of the table `message`."""

    num: int
    thread: int
    id: str | None
    at: str
    role: str | None
    model: str | None
    ended: int
    """0, `ON_THE_WAY` or `LOCKED`."""
    children: int
    question: bool
    parent: str | None


class State(msgspec.Struct, omit_defaults=True):
    """What reading on needs to know of the records before."""

    header: str
    """Id of the thread by its header."""
    created: str
    updated: str
    model: str
    """By the header."""
    settings: r.SettingsChange | None = None
    own_title: r.Title | None = None
    other_title: r.Title | None = None
    first: tuple[str, str, str] | None = None
    """Time, id and first words of the first message that has any."""
    pin: r.Pin | None = None
    place: tuple[str, str] | None = None
    """When somebody was last anywhere, and at which message."""
    hidden: str = ""
    """Time of the newest `hide`."""
    messages: int = 0
    branches: int = 0
    ended: bool = False
    title: str | None = None
    """The given title as it stands among the messages, …"""
    title_num: int | None = None
    """… and its number there."""


class Rows:
    """What is to be written, in the order in which it was read."""

    def __init__(self, first: int) -> None:
        self.next = first
        self.nodes: list[Node] = []
        self.texts: list[tuple[int, str]] = []
        self.changed: dict[int, Node] = {}
        """Messages that were there before, by number."""
        self.gone: list[int] = []
        """Numbers of titles that are replaced."""

    def mark(self) -> tuple[int, int]:
        """For `back_to`."""
        return len(self.nodes), len(self.texts)

    def back_to(self, mark: tuple[int, int]) -> None:
        """Forget what was added since."""
        del self.nodes[mark[0] :], self.texts[mark[1] :]

    def number(self) -> int:
        """A number for a message: greater than those before."""
        self.next += 1
        return self.next - 1

    def add_title(self, thread: int, title: str, at: str) -> int:
        """Put a title among the messages; returns its number."""
        num = self.number()
        self.nodes.append(Node(num, thread, None, at, None, None, 0, 0, False, None))
        self.texts.append((num, title))
        return num


Find = Callable[[int, str], Node | None]
"""A message that is in the index already, by its thread's number and its id."""


class Reading:
    """Takes the records of one thread file."""

    def __init__(self, thread: int, state: State | None, rows: Rows, find: Find) -> None:
        self.state = state
        self._thread = thread
        self._rows = rows
        self._find = find if state is not None else None
        self._new: dict[str, Node] = {}
        self._old: dict[str, Node] = {}
        """Messages that were in the index before."""

    def take(self, data: bytes) -> None:
        """Take whole lines.

        Raises:
            Odd: they are not for this way of reading.
        """
        for record in _records(data):
            state = self.state
            if state is None:
                if not isinstance(record, r.Header):
                    raise Odd
                state = self.state = State(record.id, record.at, record.at, record.settings.model)
            if record.at > state.updated and not isinstance(record, r.Pin):
                state.updated = record.at
            if type(record) is Message:
                self._message(record, state)
            else:
                self._other(record, state)

    def finish(self) -> None:
        """All of the file has been taken.

        Raises:
            Odd: only the tree knows where the person is, or the file has no header.
        """
        state = self.state
        if state is None or (state.hidden and (state.place is None or state.hidden >= state.place[0])):
            raise Odd

    def summary(self, thread_id: str) -> Summary:
        """The thread as far as it has been read. A new title is put among the messages."""
        state = self.state
        assert state is not None
        given = _given(state)
        if given != state.title:
            if state.title_num is not None:
                self._rows.gone.append(state.title_num)
            state.title = given
            state.title_num = self._rows.add_title(self._thread, given, state.updated) if given else None
        place = self._get(state.place[1]) if state.place else None
        return Summary(
            id=thread_id,
            title=given or (state.first[2] if state.first else UNTITLED),
            created=state.created,
            updated=state.updated,
            messages=state.messages,
            branches=state.branches,
            ended=state.ended,
            locked=place is not None and place.ended == LOCKED,
            model=state.settings.model if state.settings else state.model,
            pinned=state.pin is not None and state.pin.pinned,
        )

    def _message(self, message: Message, state: State) -> None:
        if message.id in self._new or (self._find is not None and self._get(message.id) is not None):
            raise Odd
        ended = 0
        if message.parent is None:
            state.branches += 1
        else:
            above = self._new.get(message.parent) or self._get(message.parent)
            if above is None:
                raise Odd
            state.branches += above.children > 0
            above.children += 1
            if message.parent in self._old:
                self._rows.changed[above.num] = above
            ended = LOCKED if above.ended == LOCKED else 0
        rows = self._rows
        num = rows.next
        rows.next = num + 1
        guard = message.kind == "guard"
        question = not guard and message.role == "user"
        thread, parent = self._thread, message.parent
        node = Node(num, thread, message.id, message.at, message.role, message.model, ended, 0, question, parent)
        self._new[message.id] = node
        rows.nodes.append(node)
        visit = (message.at, message.id)
        if state.place is None or visit > state.place:
            state.place = visit
        if not guard:
            state.messages += 1
            if text := searched(message.content):
                rows.texts.append((num, text))
            elif message.kind == "partial":
                raise Odd  # whether it can be seen is for the tree to say
        first = message.parent is None and (state.first is None or visit < state.first[:2])
        if first and (words := first_words(_text(message.content))):
            state.first = (*visit, words)

    def _other(self, record: r.Record, state: State) -> None:
        match record:
            case r.Leaf():
                if self._get(record.message) is None:
                    raise Odd
                visit = (record.at, record.message)
                state.place = max(state.place or visit, visit)
            case r.Ended():
                self._end(record.message)
                state.ended = True
            case r.Title() if record.by == "person":
                state.own_title = winner(state.own_title, record)
            case r.Title():
                state.other_title = winner(state.other_title, record)
            case r.Verdict(private=True):
                raise Odd  # its message may be one that nobody is to know of
            case r.SettingsChange():
                state.settings = winner(state.settings, record)
            case r.Pin():
                state.pin = winner(state.pin, record)
            case r.Hide():
                state.hidden = max(state.hidden, record.at)
            case r.Header() if record.id != state.header:
                raise Odd

    def _end(self, message_id: str) -> None:
        """The lock: on the message, and on what stands in the same turn above it; the rest of the path leads there. All
        below is locked with it; where that is more than the turn itself, it is for the tree to say."""
        node = self._get(message_id)
        if node is None:
            raise Odd
        below, in_turn = 0, True
        while node is not None and (in_turn or not node.ended):
            if in_turn and node.children != below:
                raise Odd
            node.ended = LOCKED if in_turn else ON_THE_WAY
            if node.id in self._old:
                self._rows.changed[node.num] = node
            above = self._get(node.parent) if node.parent is not None else None
            in_turn = in_turn and above is not None and not node.question and not above.question
            node, below = above, 1

    def _get(self, message_id: str) -> Node | None:
        node = self._new.get(message_id) or self._old.get(message_id)
        if node is None and self._find is not None:
            node = self._find(self._thread, message_id)
            if node is not None:
                self._old[message_id] = node
        return node


def whole(number: int, thread_id: str, thread: Thread, rows: Rows) -> Summary:
    """Take a thread from its tree, whatever shape that has."""
    locked: set[str] = set()
    above: set[str] = set()
    for message_id in thread.ended.keys() & thread.messages.keys():
        above.update(message.id for message in thread.ancestry(message_id))
        todo = [message_id, *(message.id for message in thread.turn_of(message_id))]
        while todo:
            node = todo.pop()
            if node not in locked:
                locked.add(node)
                todo.extend(thread.children(node))
    for message in thread.messages.values():
        num = rows.number()
        ended = LOCKED if message.id in locked else ON_THE_WAY if message.id in above else 0
        row = Node(num, number, message.id, message.at, message.role, message.model, ended, 0, False, None)
        rows.nodes.append(row)
        if message.kind != "guard" and (text := searched(msgspec.convert(message.content, list[Block]))):
            rows.texts.append((num, text))
    if thread.given_title is not None:
        rows.add_title(number, thread.given_title, thread.updated)
    return summarize(thread_id, thread)


def searched(content: list[Block]) -> str:
    """What of a message can be found: its own words, and what is attached by name."""
    if len(content) == 1 and content[0].type == "text" and isinstance(content[0].text, str):
        return content[0].text
    names = [name for block in content if (name := _name(block))]
    return "\n\n".join([text for text in (_text(content), *names) if text])


def _text(content: list[Block]) -> str:
    """As `records.text_of`."""
    return "\n\n".join(b.text for b in content if b.type == "text" and isinstance(b.text, str))


def _name(block: Block) -> str | None:
    """The name of an attachment."""
    if block.type not in ("image", "document"):
        return None
    name = block.source.get("name") if isinstance(block.source, dict) else None
    return next((word for word in (name, block.title) if isinstance(word, str)), None)


def _given(state: State) -> str | None:
    """As `Thread.given_title`."""
    given = (record.title for record in (state.own_title, state.other_title) if record is not None)
    return next((title for title in given if title.strip()), None)


def _records(data: bytes) -> Iterator[_Line]:
    """The records in whole lines; what cannot be read, or is of an unknown type, is left out."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE) + 1 or len(data)
        piece = data if start == 0 and end == len(data) else data[start:end]
        start = end
        try:
            # Strings that are skipped are not looked at; in a valid file they are UTF-8 as well.
            if not piece.isascii():
                piece.decode()
            found = _decoder.decode_lines(piece)
            if len(found) == piece.count(b"\n"):
                yield from found
                continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        yield from _one_by_one(piece)


def _one_by_one(piece: bytes) -> Iterator[_Line]:
    for line in piece.split(b"\n"):
        try:
            record = r.decode(line)
        except Unreadable:
            continue
        if isinstance(record, r.Message):
            yield _decoder.decode(line)
        elif not isinstance(record, r.Unknown):
            yield record
