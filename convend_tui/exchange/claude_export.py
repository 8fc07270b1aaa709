"""Claude.ai's data export (one conversation of `conversations.json`) and the browser exporters' single conversation.

Both are one object with `chat_messages`; the second names the model and the current leaf. What Claude Code's session
files have in common with them, content blocks and the placing of messages in a tree, is here too (claude_code.py).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, get_args

import msgspec

from convend_tui.ending import tool
from convend_tui.exchange.incoming import MISSING, TOOL, Context, Incoming, Skip, digest, message_id
from convend_tui.plain import one_line
from convend_tui.thread import records as r

SOURCE: Final = "claude.ai"

_SENTINELS: Final = frozenset({"00000000-0000-4000-8000-000000000000", "00000000-0000-0000-0000-000000000000"})
"""What stands for the parent of a first message."""
_ROLES: Final[dict[object, r.Role]] = {"human": "user", "user": "user", "assistant": "assistant"}
_NOTHING_TO_READ: Final = frozenset({"token_budget", "flag"})
_STOPPED: Final = frozenset({"user_canceled", "user_cancelled", "user_interrupted"})
_PLACEHOLDER: Final = re.compile(r"(?:```\s*)?This block is not supported on your current device yet\.(?:\s*```)?")
"""What the plain `text` of a message has in place of a tool call."""
_OTHERS: Final = (
    (("conversations_memory",), "memories", "memories are not conversations"),
    (("project", "messages"), "a design chat", "design chats cannot be brought in"),
    (("prompt_template", "docs"), "a project", "projects are not conversations"),
)
"""What else lies in the same export: the fields that tell it, what it is, and why it stays out."""
_CONFIRM: Final = re.compile(r"\bconfirm|\bare you sure\b|\bcall\b.{0,40}\bagain\b", re.IGNORECASE | re.DOTALL)
_CAUSES: Final = get_args(tool.Cause)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LAST_YEAR: Final = 2200
_DEEPEST: Final = 60
"""Levels of a verbatim block that are kept: far fewer than JSON readers can take."""
_LONGEST_NAME: Final = 200
_MOST_BITS: Final = 63
_LONGEST_TURN: Final = 100
"""Messages of a turn that are searched for the call that ended it: it stands in the last, the one before it near by."""


def recognizes(value: Any) -> bool:
    """Whether a decoded value is a conversation of Claude.ai's, or something else of its export that `read` declines
    by name."""
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("chat_messages"), list) or _other(value) is not None


def read(value: Any, context: Context) -> Incoming | Skip:
    """Make a thread of one conversation: all its branches, the current leaf, its name, and what ended.

    The conversation's summary, sources of citations and signatures of thinking are not kept.
    """
    if not isinstance(value, dict):
        return Skip("an entry of the export", "it is not a conversation")
    title = name_of(value.get("name")) or name_of(value.get("snapshot_name"))
    given = value.get("chat_messages")
    if not isinstance(given, list):
        return _other(value) or Skip(_called(title, value.get("uuid")), "it has no list of messages")
    losses = Losses()
    named = value.get("model")
    model = clean(named) if isinstance(named, str) and named.strip() else None
    nodes = _nodes(given, model, Blocks(context, losses), losses)
    key = _key(value, nodes)
    created = ms_of(value.get("created_at"))
    placed = place(nodes, SOURCE, key, created, losses)
    if not placed.messages:
        why = f"none of its {len(given)} messages holds anything that can be read" if given else "it holds no messages"
        return Skip(_called(title, key), why)
    settings = context.settings if model is None else msgspec.structs.replace(context.settings, model=model)
    current = value.get("current_leaf_message_uuid")
    leaf = (placed.nearest(clean(current)) if isinstance(current, str) else None) or placed.nearest(placed.newest)
    return Incoming(
        source=SOURCE,
        key=key,
        created=stamp(placed.earliest if created is None else created),
        settings=settings,
        records=placed.records(title, leaf, "Claude.ai"),
        skipped=losses.all(_called(title, key)),
    )


def _other(value: dict[str, Any]) -> Skip | None:
    for fields, what, why in _OTHERS:
        if all(name in value for name in fields):
            called = name_of(value.get("name"))
            return Skip(f"{what} “{called}”" if called else what, why)
    return None


def _called(title: str, key: object) -> str:
    return f"“{title}”" if title else f"conversation {name_of(key) or 'without a name'}"


def _key(value: dict[str, Any], nodes: Sequence[Node]) -> str:
    for name in ("uuid", "conversation_uuid"):
        if isinstance(value.get(name), str) and value[name].strip():
            return clean(value[name])
    # Made from what cannot change, so that the same file makes the same thread.
    return digest(*(node.key + str(node.time) + node.words() for node in nodes))


def _nodes(given: Sequence[Any], model: str | None, blocks: Blocks, losses: Losses) -> list[Node]:
    messages = [message for message in given if isinstance(message, dict)]
    for _ in range(len(given) - len(messages)):
        losses.count("message", "it has not the form of one")
    # Older exports name no parents; they have one branch, in order.
    linear = not any(isinstance(message.get("parent_message_uuid"), str) for message in messages)
    nodes: list[Node] = []
    for number, message in enumerate(messages):
        node = _node(message, f"#{number}", model, blocks, losses)
        above = message.get("parent_message_uuid")
        if isinstance(above, str):
            node.parent = None if above in _SENTINELS else clean(above)
        elif (linear or "parent_message_uuid" not in message) and nodes:
            node.parent = nodes[-1].key
        nodes.append(node)
    return distinct(nodes, losses)


def _node(message: dict[str, Any], number: str, model: str | None, blocks: Blocks, losses: Losses) -> Node:
    uuid = message.get("uuid")
    created, changed = ms_of(message.get("created_at")), message.get("updated_at")
    node = Node(clean(uuid) if isinstance(uuid, str) and uuid else number, created)
    # They are the same, mostly, and reading a time takes time.
    node.touched = max(created or 0, (changed != message.get("created_at") and ms_of(changed)) or 0)
    role = _ROLES.get(sender) if isinstance(sender := message.get("sender"), str) else None
    if role is None:
        node.keep = False
        losses.count("message", "it is neither the person's nor the model's")
        return node
    node.role = role
    content = message.get("content")
    if role == "assistant":
        named = message.get("model")
        node.model = clean(named) if isinstance(named, str) and named.strip() else model
    node.content = blocks.read([content] if isinstance(content, str) else content, role)
    text = message.get("text")
    if not node.words() and isinstance(text, str) and (words := clean(_PLACEHOLDER.sub("", text)).strip()):
        node.content.append({"type": "text", "text": words})
    if isinstance(summary := message.get("compaction_summary"), str) and summary.strip():
        node.content.append(tool_block({"type": "compaction_summary", "text": summary}))
    node.content[:0] = blocks.uploads(message, role)
    if role == "assistant":
        reason = message.get("stop_reason")
        node.stop_reason = clean(reason) if isinstance(reason, str) and reason else None
        node.kind = "partial" if node.stop_reason in _STOPPED else "reply"
        if node.stop_reason is None and node.content:
            node.stop_reason = "end_turn"
    node.empty = not node.content and node.stop_reason != "refusal"
    return node


# What can be in a message


class Losses:
    """What did not come in, named once for each kind of it."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, what: str, why: str) -> None:
        """One more of a kind; `what` in the singular."""
        self._counts[what, why] = self._counts.get((what, why), 0) + 1

    def all(self, called: str) -> tuple[Skip, ...]:
        """All of it. `called`: the conversation."""
        return tuple(
            Skip(f"{what} of {called}" if many == 1 else f"{many} {what}s of {called}", why)
            for (what, why), many in self._counts.items()
        )


class Blocks:
    """Turns content blocks of Claude's into ours."""

    def __init__(self, context: Context, losses: Losses) -> None:
        self._context = context
        self._losses = losses
        self._calls: dict[str, str] = {}
        """The name of the tool by the id of its call."""

    def read(self, content: object, role: r.Role) -> list[r.Block]:
        """The blocks of a message: its words and thinking as they are, everything else in a TOOL block."""
        if not isinstance(content, list):
            if content is not None:
                self._losses.count("message content", "it has not the form of one")
            return []
        found: list[r.Block] = []
        for block in content:
            if isinstance(block, str):
                block = {"type": "text", "text": block}
            kind = block.get("type") if isinstance(block, dict) else None
            if not isinstance(kind, str):
                self._losses.count("content block", "it has not the form of one")
            elif kind == "text" and isinstance(text := block.get("text"), str):
                if text.strip():
                    found.append({"type": "text", "text": clean(text)})
                if block.get("citations"):
                    self._losses.count("citation list", "sources of citations are not kept")
            elif kind == "thinking":
                found += self._thinking(block)
            elif kind in _NOTHING_TO_READ:
                self._losses.count(f"{kind} block", "it holds nothing to read")
            elif kind in ("image", "document") and isinstance(block.get("source"), dict):
                found.append(self._inline(block, block["source"], role))
            else:
                found.append(self._of_tool(block, kind))
        return found

    def uploads(self, message: dict[str, Any], role: r.Role) -> Iterator[r.Block]:
        """The attachments of a message: those whose text the export holds, and files, which it may hold or not."""
        ids: set[str] = set()
        names: set[str] = set()
        loose: set[str] = set()
        """Names of what came without an id: a file of the same name with one is the same."""
        for one in _dicts(message.get("attachments")):
            name, text = name_of(one.get("file_name")), one.get("extracted_content")
            loose |= {name} - {""}
            if isinstance(text, str) and text.strip():
                yield self._kept(name or "pasted text.txt", text.encode("utf-8", "replace"), role, of_text=True)
            else:
                yield self._file(one, name, role)
        for one in (*_dicts(message.get("files")), *_dicts(message.get("files_v2"))):
            name, uuid = name_of(one.get("file_name")), name_of(one.get("file_uuid"))
            # `files_v2` has the same files again, and an upload may stand among the attachments too.
            if name in loose or (uuid in ids if uuid else name in names):
                continue
            ids |= {uuid} - {""}
            names |= {name} - {""}
            loose |= set() if uuid else {name} - {""}
            yield self._file(one, name, role)

    def _file(self, one: dict[str, Any], name: str, role: r.Role) -> r.Block:
        keys = (one.get("file_uuid"), one.get("uuid"), one.get("id"), one.get("file_name"))
        found = (self._context.asset(key) for key in keys if isinstance(key, str) and key.strip())
        asset = next((asset for asset in found if asset is not None), None)
        if asset is None:
            return self._missing(name or "a file without a name", "its content is not in the export")
        return self._kept(name or name_of(asset[0]) or "a file", asset[1], role)

    def _inline(self, block: r.Block, source: dict[str, Any], role: r.Role) -> r.Block:
        """An attachment whose bytes stand in the block."""
        kind, media, data = source.get("type"), source.get("media_type"), source.get("data")
        ending = media.rpartition("/")[2] if isinstance(media, str) and media != "text/plain" else "txt"
        name = name_of(block.get("title")) or f"{block['type']}.{name_of(ending)}"
        if kind == "text" and isinstance(data, str):
            return self._kept(name, data.encode("utf-8", "replace"), role, of_text=True)
        try:
            found = base64.b64decode(data) if kind == "base64" and isinstance(data, str) else b""
        except (binascii.Error, ValueError):
            found = b""
        return self._kept(name, found, role) if found else self._missing(name, "its content is not in the export")

    def _kept(self, name: str, data: bytes, role: r.Role, *, of_text: bool = False) -> r.Block:
        block = self._context.attach(name, data)
        if block is None and of_text:
            # What was read out of a PDF is no PDF, whatever its name says.
            block = self._context.attach(f"{name}.txt", data)
        if block is None:
            return self._missing(name, "it is of a kind or size that cannot be attached")
        # The API takes no attachments from the model.
        return block if role == "user" else {"type": TOOL, "name": name, "block": block}

    def _missing(self, name: str, why: str) -> r.Block:
        self._losses.count(f"attachment “{name}”", why)
        return {"type": MISSING, "name": name}

    def _thinking(self, block: r.Block) -> list[r.Block]:
        words = block.get("thinking")
        if not isinstance(words, str) or not words.strip():
            summaries = (one.get("summary") for one in _dicts(block.get("summaries")))
            words = "\n\n".join(one for one in summaries if isinstance(one, str))
        if words.strip():
            return [{"type": "thinking", "thinking": clean(words)}]
        self._losses.count("thinking block", "it is empty")
        return []

    def _of_tool(self, block: r.Block, kind: str) -> r.Block:
        call, name = block.get("id"), name_of(block.get("name"))
        if kind.endswith("tool_use") and isinstance(call, str) and name:
            self._calls[call] = name
        answered = block.get("tool_use_id")
        return tool_block(block, name or self._calls.get(answered if isinstance(answered, str) else "", ""))


def tool_block(block: r.Block, name: str = "") -> r.Block:
    """The block that stands for a tool call, a result, or anything else that is shown by name and never sent."""
    return {"type": TOOL, "name": name or name_of(block.get("type")) or "tool", "block": safe(block)}


# Values as our files can hold them


def clean(text: str) -> str:
    """A text without halves of surrogate pairs, which no UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def name_of(value: object) -> str:
    """A name or title on one line; empty where it is none."""
    return one_line(clean(value))[:_LONGEST_NAME] if isinstance(value, str) else ""


def safe(value: Any, depth: int = 0) -> Any:
    """A decoded JSON value as our files can hold it: no broken characters, no endless nesting, no number too large."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else str(hex(value))
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {clean(str(name)): safe(part, depth + 1) for name, part in value.items()}
    return [safe(part, depth + 1) for part in value] if isinstance(value, list | tuple) else clean(str(value))


def ms_of(value: object) -> int | None:
    """A time as ms since 1970, UTC; None where it is none, or one that no message can have."""
    moment = r.moment_of(value) if isinstance(value, str) and value.isascii() else None
    if moment is None or not _EPOCH.year < moment.year < _LAST_YEAR:
        return None
    return (moment - _EPOCH) // _MS


def stamp(ms: int) -> str:
    """ms since 1970 as records have times."""
    return r.timestamp(_EPOCH + ms * _MS)


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


# The tree


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
    for node in nodes:
        first = known.get(node.key)
        if first is not None and (first.role, first.content, first.parent) == (node.role, node.content, node.parent):
            if node.keep:
                losses.count("message", "it stands there more than once")
            continue
        name, number = node.key, 1
        while node.key in known:
            number += 1
            node.key = f"{name}#{number}"
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
            origin={"source": source, "id": node.key},
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
    texts = [parts] if isinstance(parts, str) else [one.get("text") for one in _dicts(parts)]
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
