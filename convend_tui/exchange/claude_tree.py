"""What Claude.ai and Claude Code have in common: the placing of messages in a tree, and the endings in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, get_args

from convend_tui.ending import tool
from convend_tui.exchange.claude_content import Losses, dicts, ms_of, stamp
from convend_tui.exchange.incoming import TOOL, message_id
from convend_tui.thread import records as r

_CONFIRM: Final = re.compile(r"\bconfirm|\bare you sure\b|\bcall\b.{0,40}\bagain\b", re.IGNORECASE | re.DOTALL)
_CAUSES: Final = get_args(tool.Cause)
_LONGEST_TURN: Final = 100
"""Messages of a turn that are searched for the call that ended it: it stands in the last, the one before it near by."""


@dataclass(slots=True)
class Node:
    """A message on its way in."""

    key: str
    """Its id in the source."""
    time: int | None
    """ms since 1970; None: unknown."""
    parent: str | None = None
    role: r.Role = "user"
    kind: str = "typed"
    content: list[r.Block] = field(default_factory=list)
    model: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    request_id: str | None = None
    keep: bool = True
    """False: it is no message; what hangs below it goes below what is above it."""
    empty: bool = False
    """There is nothing in it: it goes, unless something hangs below it."""
    parts: list[str] = field(default_factory=list)
    """The ids of what was put together with it. The message's id is made from them too: should it grow in the source,
    the whole of it is another message than the part that came in before."""
    touched: int = 0
    """When somebody was last there, ms since 1970."""

    def words(self) -> str:
        """Its text."""
        return "\n\n".join(block["text"] for block in self.content if block["type"] == "text")


_N = TypeVar("_N", bound=Node)


def distinct(nodes: Iterable[_N], losses: Losses) -> list[_N]:
    """The nodes with a key of their own each: the same message again goes, another one of the same key gets a new
    key."""
    known: dict[str, _N] = {}
    numbers: dict[str, int] = {}
    for node in nodes:
        first = known.get(node.key)
        if first is not None and (first.role, first.content, first.parent) == (node.role, node.content, node.parent):
            if node.keep:
                losses.count("message", "it stands there more than once")
            continue
        name = node.key
        while node.key in known:
            numbers[name] = numbers.get(name, 1) + 1
            node.key = f"{name}#{numbers[name]}"
        known[node.key] = node
    return list(known.values())


def place(nodes: Sequence[Node], source: str, key: str, start: int | None, losses: Losses) -> Placed:
    """Put nodes of distinct keys into a tree, and make messages of them.

    Args:
        source, key: the program and the conversation there.
        start: when the conversation began, in ms since 1970: the time of a first message that has none.
    """
    above = links(nodes, losses)
    nearest = _nearest(nodes, above)
    if _drop_empty(nodes, above, nearest, losses):
        nearest = _nearest(nodes, above)
    below: dict[str | None, list[Node]] = {}
    for node in nodes:
        if node.keep:
            below.setdefault(nearest[above[node.key]], []).append(node)
    times = [node.time for node in nodes if node.keep and node.time is not None]
    earliest = min(times, default=start or 0)
    ids: dict[str, str] = {}
    messages: list[r.Message] = []
    for node, parent, ms in _in_order(below, earliest if start is None else start):
        ids[node.key] = message_id(source, key, "\n".join([node.key, *node.parts]))
        message = r.Message(
            at=stamp(ms),
            id=ids[node.key],
            parent=None if parent is None else ids[parent],
            role=node.role,
            content=node.content,
            kind=node.kind,
            model=node.model,
            stop_reason=node.stop_reason,
            usage=node.usage,
            request_id=node.request_id,
            origin={"app": source, "id": node.key},
        )
        messages.append(message)
    leaves = [
        (max(node.touched, node.time or 0), n) for n, node in enumerate(nodes) if node.keep and node.key not in below
    ]
    newest = nodes[max(leaves)[1]].key if leaves else None
    return Placed(messages, earliest, newest, ids, nearest)


@dataclass(frozen=True, slots=True)
class Placed:
    """The messages of a conversation, parents before children."""

    messages: list[r.Message]
    earliest: int
    """The first time in it, ms since 1970."""
    newest: str | None
    """The key of the leaf where somebody last was."""
    _ids: dict[str, str]
    _nearest: dict[str | None, str | None]

    def nearest(self, key: str | None) -> str | None:
        """The id of the message of that key in the source, or of the nearest one above it that came in."""
        found = self._nearest.get(key)
        return None if found is None else self._ids[found]

    def records(self, title: str, leaf: str | None, program: str) -> tuple[r.Record, ...]:
        """All records of the thread.

        Args:
            leaf: the message at the end of the current path.
            program: what the source is called in a sentence.
        """
        found: list[r.Record] = [*self.messages, *endings(self.messages, program)]
        if title:
            found.append(r.Title(at=self.messages[0].at, title=title, by="import"))
        last = max(message.at for message in self.messages)
        if leaf is not None and leaf != max((message.at, message.id) for message in self.messages)[1]:
            # A message that came as late as this record would count as the newer place.
            last = stamp((ms_of(last) or 0) + 1)
        return (*found, r.Leaf(at=last, message=leaf)) if leaf is not None else tuple(found)


def links(nodes: Sequence[Node], losses: Losses) -> dict[str, str | None]:
    """The parent of each node: none where it is missing, and where it closes a circle."""
    above = {node.key: node.parent for node in nodes}
    for key, parent in above.items():
        if parent is not None and parent not in above:
            above[key] = None
            losses.count("link", "the message that it leads to is not there; what follows stands by itself")
    places = {node.key: place for place, node in enumerate(nodes)}
    done: set[str] = set()
    for node in nodes:
        trail: dict[str, None] = {}
        at: str | None = node.key
        while at is not None and at not in done and at not in trail:
            trail[at] = None
            at = above[at]
        if at is not None and at in trail:
            circle = list(trail)[list(trail).index(at) :]
            above[min(circle, key=places.__getitem__)] = None
            losses.count("link", "it was part of a circle, which was cut there")
        done.update(trail)
    return above


def _nearest(nodes: Sequence[Node], above: dict[str, str | None]) -> dict[str | None, str | None]:
    """Of each node, itself or the nearest one above it that is kept."""
    found: dict[str | None, str | None] = {None: None}
    found |= {node.key: node.key for node in nodes if node.keep}
    for node in nodes:
        trail: list[str] = []
        at: str | None = node.key
        while at is not None and at not in found:
            trail.append(at)
            at = above[at]
        found.update(dict.fromkeys(trail, found[at]))
    return found


def _drop_empty(
    nodes: Sequence[Node], above: dict[str, str | None], nearest: dict[str | None, str | None], losses: Losses
) -> bool:
    """Let go of empty nodes with nothing below them. Whether there were any."""
    empty = {node.key: node for node in nodes if node.keep and node.empty}
    if not empty:
        return False
    many: dict[str | None, int] = {}
    for node in nodes:
        if node.keep:
            parent = nearest[above[node.key]]
            many[parent] = many.get(parent, 0) + 1
    todo = [key for key in empty if not many.get(key)]
    for key in todo:  # grows while it is walked
        empty[key].keep = False
        losses.count("message", "it is empty")
        parent = nearest[above[key]]
        many[parent] -= 1
        if parent in empty and not many[parent]:
            todo.append(parent)
    return bool(todo)


def _in_order(below: dict[str | None, list[Node]], start: int) -> Iterator[tuple[Node, str | None, int]]:
    """All nodes, parents before children, each with its parent and its time.

    Siblings are ordered by time, those of one or no time as they stand in the source; as our files order them by time
    and id alone, times are moved on by a millisecond where that is needed to tell them apart.
    """
    todo: list[tuple[str | None, int]] = [(None, start)]
    while todo:
        parent, time = todo.pop()
        children = below.get(parent)
        if children is None:
            continue
        timed: list[tuple[int, int]] = []
        for number, node in enumerate(children):
            time = time if node.time is None else node.time
            timed.append((time, number))
        before = -1
        for time, number in sorted(timed):
            before = max(time, before + 1)
            yield children[number], parent, before
            todo.append((children[number].key, before))


# Endings


def endings(messages: Sequence[r.Message], program: str) -> Iterator[r.Ended]:
    """The endings that the source shows: on each branch whose last turn called for one, with nothing below it."""
    if not any(map(_calls_for_end, messages)):
        return
    by_id = {message.id: message for message in messages}
    inner = {message.parent for message in messages}
    for leaf in messages:
        if leaf.id in inner:
            continue
        turn: list[r.Message] = []
        at: r.Message | None = leaf
        while at is not None and not r.is_question(at) and len(turn) < _LONGEST_TURN:
            turn.append(at)
            at = by_id.get(at.parent or "")
        call = _last_word([block["block"] for one in turn[::-1] for block in one.content if block["type"] == TOOL])
        if call is not None:
            ended = next(message for message in turn if _calls_for_end(message))
            yield _ended(ended, call.get("input"), program)


def _calls_for_end(message: r.Message) -> bool:
    return any(block["type"] == TOOL and _is_end(block["block"]) for block in message.content)


def _is_end(block: r.Block) -> bool:
    return block.get("type") == "tool_use" and block.get("name") == tool.NAME


def _last_word(blocks: Sequence[r.Block]) -> r.Block | None:
    """The call that ended the conversation, of all calls and results of a turn: the last call of all, unless its
    result is an error, or asks to confirm what was not confirmed before."""
    calls = [number for number, block in enumerate(blocks) if block.get("type") == "tool_use"]
    if not calls or not _is_end(blocks[calls[-1]]):
        return None
    call = blocks[calls[-1]]
    results = {str(block.get("tool_use_id")): block for block in blocks if block.get("type") == "tool_result"}
    answer = results.get(str(call.get("id")), {})
    earlier = (results.get(str(blocks[number].get("id")), {}) for number in calls[:-1] if _is_end(blocks[number]))
    if answer.get("is_error") or (_asks(answer) and not any(map(_asks, earlier))):
        return None
    return call


def _asks(result: r.Block) -> bool:
    """Whether a result asks to confirm the call."""
    parts = result.get("content")
    texts = [parts] if isinstance(parts, str) else [one.get("text") for one in dicts(parts)]
    return not result.get("is_error") and any(isinstance(text, str) and _CONFIRM.search(text) for text in texts)


def _ended(message: r.Message, given: object, program: str) -> r.Ended:
    call = given if isinstance(given, dict) else {}
    cause, explanation = call.get("cause"), call.get("explanation")
    words = explanation.strip() if isinstance(explanation, str) else ""
    return r.Ended(
        at=message.at,
        message=message.id,
        cause=cause if isinstance(cause, str) and cause in _CAUSES else "unknown",
        explanation=words or f"The model ended this conversation in {program}, which does not say why.",
    )
