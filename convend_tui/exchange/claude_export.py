"""Claude.ai's data export (one conversation of `conversations.json`) and the browser exporters' single conversation.

Both are one object with `chat_messages`; the second names the model and the current leaf.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from convend_tui.exchange.claude_content import Blocks, Losses, clean, ms_of, name_of, stamp, tool_block
from convend_tui.exchange.claude_tree import Node, distinct, place
from convend_tui.exchange.incoming import Context, Incoming, Skip, digest
from convend_tui.thread import records as r

SOURCE: Final = "claude.ai"
_SENTINELS: Final = frozenset({"00000000-0000-4000-8000-000000000000", "00000000-0000-0000-0000-000000000000"})
"""What stands for the parent of a first message."""
_ROLES: Final[dict[object, r.Role]] = {"human": "user", "user": "user", "assistant": "assistant"}
_STOPPED: Final = frozenset({"user_canceled", "user_cancelled", "user_interrupted"})
_PLACEHOLDER: Final = re.compile(r"(?:```\s*)?This block is not supported on your current device yet\.(?:\s*```)?")
"""What the plain `text` of a message has in place of a tool call."""
_OTHERS: Final = (
    (("conversations_memory",), "memories", "memories are not conversations"),
    (("project", "messages"), "a design chat", "design chats cannot be brought in"),
    (("prompt_template", "docs"), "a project", "projects are not conversations"),
)
"""What else lies in the same export: the fields that tell it, what it is, and why it stays out."""


def recognizes(value: Any) -> bool:
    """Whether a decoded value is a conversation of Claude.ai's, or something else of its export that `read` declines
    by name."""
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("chat_messages"), list) or _other(value) is not None


def read(value: Any, context: Context) -> Incoming | Skip:
    """Make a thread of one conversation: all its branches, the current leaf, its name, and what ended.

    A star becomes a pin. The conversation's summary, sources of citations and signatures of thinking are not kept.
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
    if name_of(value.get("summary")):
        losses.count("summary", "summaries that Claude.ai makes are not kept")
    records = placed.records(title, leaf, "Claude.ai")
    if value.get("is_starred") is True:
        records += (r.Pin(at=placed.messages[0].at, pinned=True),)
    return Incoming(
        source=SOURCE,
        key=key,
        created=stamp(placed.earliest if created is None else created),
        settings=settings,
        records=records,
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
