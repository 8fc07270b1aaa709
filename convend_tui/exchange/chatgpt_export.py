"""One conversation of ChatGPT's data export: an entry of conversations.json, or of a shard of it.

An entry is a graph of nodes: `mapping` has them by id, each with a `parent` and its `children` in order. Nothing of it
is relied on: parents may be missing or run in a circle, times may be null, any value may be of any type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from convend_tui.exchange.chatgpt_blocks import Part, Reader, clean, dict_in, ms_of, text_in
from convend_tui.exchange.incoming import Context, Incoming, Skip, digest, message_id
from convend_tui.plain import one_line
from convend_tui.thread import records as r

SOURCE = "chatgpt"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def recognizes(value: Any) -> bool:
    """Whether a decoded value is a conversation of ChatGPT's; also one without its messages."""
    if not isinstance(value, dict) or "chat_messages" in value:
        return False
    if "mapping" in value or "current_node" in value:
        return True
    return "create_time" in value and ("conversation_id" in value or "title" in value)


def read(value: Any, context: Context) -> Incoming | Skip:
    """Make a thread of one conversation. Whatever the value holds: what is not understood is skipped and named.

    All branches come in as branches. What ChatGPT does not show is left out, and what hangs below it moves up. Thinking
    and tools go into the answer that they led to; where there is none they are a message of their own.

    Raises:
        StoreError: from `context`: an attachment cannot be kept.
    """
    if not isinstance(value, dict):
        return Skip("an entry of ChatGPT's export", "it is no conversation")
    mapping = value.get("mapping")
    nodes = {key: node for key, node in mapping.items() if isinstance(key, str)} if isinstance(mapping, dict) else {}
    key, title = _key(value, nodes), value.get("title")
    title = clean(title).strip() if isinstance(title, str) else ""
    reader = Reader(context, f"“{one_line(title, 60)}”" if title else f"conversation {one_line(key, 60)}")
    if not nodes:
        return Skip(_whole(title, key), "the export holds none of its messages")
    parts = reader.parts(nodes, _preorder(nodes))
    if not parts:
        return Skip(_whole(title, key), "there is nothing in it that ChatGPT shows")
    created = _created(value, parts)
    messages, places = _messages(parts, key, created)
    leaf = places.get(reader.above.get(text_in(value.get("current_node"))) or "") or _latest_leaf(messages)
    records: list[r.Record] = [*messages]
    if title:
        records.append(r.Title(at=_at(created), title=title, by="import"))
    if value.get("is_starred") is True:
        records.append(r.Pin(at=_at(created), pinned=True))
    end = r.moment_of(max(message.at for message in messages)) or _EPOCH
    records.append(r.Leaf(at=r.timestamp(end + timedelta(milliseconds=1)), message=leaf))
    return Incoming(
        source=SOURCE,
        key=key,
        created=_at(created),
        # Not with the model that answered there, which each answer names: no server of the Messages API has it.
        settings=context.settings,
        records=tuple(records),
        skipped=tuple(reader.skips()),
    )


def _created(value: dict[str, Any], parts: list[Part]) -> int:
    """When the conversation began, in ms since 1970."""
    times = [ms_of(value.get("create_time")), min((p.time for p in parts if p.time is not None), default=None)]
    return next((t for t in (*times, ms_of(value.get("update_time"))) if t is not None), 0)


def _preorder(nodes: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """All nodes with their parents, parents first, siblings in the order of `children`."""
    below: dict[str | None, list[str]] = {}
    for key, parent in _parents(nodes).items():
        below.setdefault(parent, []).append(key)
    for parent, keys in below.items():
        if len(keys) > 1:
            _sort(keys, _children(nodes[parent]) if parent is not None else [], nodes)
    stack: list[tuple[str, str | None]] = [(key, None) for key in reversed(below.get(None, ()))]
    while stack:
        key, above = stack.pop()
        yield key, above
        stack.extend((child, key) for child in reversed(below.get(key, ())))


def _sort(keys: list[str], listed: list[str], nodes: dict[str, Any]) -> None:
    """Bring siblings into the order of their parent's list; those that are not in it come last, by their time."""
    order: dict[str, int] = {}
    for child in listed:
        order.setdefault(child, len(order))
    keys.sort(key=lambda i: (order.get(i, len(order)), _time_of(nodes[i]) or 0))


def _parents(nodes: dict[str, Any]) -> dict[str, str | None]:
    """The parent of each node: the one it names; where that is missing, one that lists it among its children."""
    listed: dict[str, list[str]] = {}
    for key, node in nodes.items():
        for child in _children(node):
            if child in nodes and child != key:
                listed.setdefault(child, []).append(key)
    parents: dict[str, str | None] = {}
    for key, node in nodes.items():
        named = node.get("parent") if isinstance(node, dict) else None
        known = isinstance(named, str) and named in nodes and named != key
        parents[key] = named if known else next(iter(listed.get(key, ())), None)
    _cut_circles(nodes, parents, listed)
    return parents


def _cut_circles(nodes: dict[str, Any], parents: dict[str, str | None], listed: dict[str, list[str]]) -> None:
    """Take one link out of each circle: of a node that another one, outside it, lists as its child; else the oldest."""
    done: set[str] = set()
    for start in nodes:
        trail: dict[str, None] = {}
        node: str | None = start
        while node is not None and node not in done and node not in trail:
            trail[node] = None
            node = parents[node]
        if node is not None and node in trail:
            circle = list(trail)[list(trail).index(node) :]
            # The way up from a node that is done ends at a root, and leads through nodes that are done.
            outside = ((i, other) for i in circle for other in listed.get(i, ()) if other in done)
            oldest = min(circle, key=lambda i: _time_of(nodes[i]) or math.inf)
            cut, parent = next(outside, (oldest, None))
            parents[cut] = parent
        done.update(trail)


def _children(node: Any) -> list[str]:
    children = node.get("children") if isinstance(node, dict) else None
    return [child for child in children if isinstance(child, str)] if isinstance(children, list) else []


def _time_of(node: Any) -> int | None:
    return ms_of(dict_in(dict_in(node).get("message")).get("create_time"))


@dataclass(slots=True)
class _Carried:
    """Thinking and tools on their way into the answer that they led to."""

    blocks: list[r.Block]
    parent: str | None
    """The message above."""
    keys: list[str]
    """The nodes they come from."""


def _messages(parts: list[Part], key: str, created: int) -> tuple[list[r.Message], dict[str, str]]:
    """The messages, parents first, and for each node that comes in the message that holds it.

    A child is later than its parent, and a sibling later than the one before: that is the order of a thread's branches.
    """
    messages: list[r.Message] = []
    places: dict[str, str] = {}
    below = {part.parent: part.role for part in parts}
    carried: dict[str | None, _Carried] = {}
    times: dict[str | None, int] = {None: -1}
    siblings: dict[str | None, int] = {}
    for part in parts:
        load = carried.pop(part.parent, None) or _Carried([], places.get(part.parent or ""), [])
        load.blocks.extend(part.blocks)
        load.keys.append(part.key)
        if part.children == 1 and part.leads_on and below[part.key] == "assistant":
            carried[part.key] = load
            continue
        # Made of all that is in it: a later export may have the same nodes in another shape.
        here = message_id(SOURCE, key, "\n".join(load.keys))
        given = part.time if part.time is not None else created if load.parent is None else 0
        times[here] = max(given, times[load.parent] + 1, siblings.get(load.parent, -1) + 1)
        siblings[load.parent] = times[here]
        places.update(dict.fromkeys(load.keys, here))
        messages.append(
            r.Message(
                at=_at(times[here]),
                id=here,
                parent=load.parent,
                role=part.role,
                content=load.blocks,
                kind=part.kind,
                model=part.model,
                stop_reason=part.stop_reason,
                origin={"app": SOURCE, "id": clean(part.key)},
            )
        )
    return messages, places


def _latest_leaf(messages: list[r.Message]) -> str:
    parents = {message.parent for message in messages}
    return max((m.at, m.id) for m in messages if m.id not in parents)[1]


def _key(value: dict[str, Any], nodes: dict[str, Any]) -> str:
    """The conversation's id; one made of what it holds where it has none."""
    for name in ("conversation_id", "id"):
        if key := text_in(value.get(name)).strip():
            return clean(key)
    return digest(text_in(value.get("title")), str(value.get("create_time")), *sorted(nodes))


def _whole(title: str, key: str) -> str:
    return f"conversation {one_line(key, 60)}" + (f" (“{one_line(title, 60)}”)" if title else "")


def _at(ms: int) -> str:
    return r.timestamp(_EPOCH + timedelta(milliseconds=ms))
