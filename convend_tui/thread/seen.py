"""What of a thread may be seen. A call of a tool shows only where a verdict on it was told: nothing of a call that was
declined to protect someone, or broke off before anybody judged it, may reach the person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convend_tui.thread import records as r

if TYPE_CHECKING:
    from convend_tui.thread.tree import Thread


def told(thread: Thread, message_id: str | None) -> bool:
    """Whether a verdict on the message's call was told, or the call led to an ending."""
    verdict = thread.verdicts.get(message_id or "")
    if verdict is not None:
        return not verdict.private
    # An ending that was imported may have no verdicts.
    ends = (message for message in thread.ended if message in thread.messages)
    return any(message.id == message_id for end in ends for message in thread.turn_of(end))


def is_secret(thread: Thread, message: r.Message) -> bool:
    """Whether nobody may see that there is such a message: an answer that is nothing but such a call, or the client's
    result for one."""
    if message.kind == "guard":
        return not told(thread, thread.parent(message.id))
    if r.says_anything(message) or told(thread, message.id) or not r.tool_calls(message):
        return False
    return message.kind == "partial" or message.id in thread.verdicts


def content(thread: Thread, message: r.Message) -> list[r.Block]:
    """A message's blocks, without calls and results that were not told."""
    by = thread.parent(message.id) if message.kind == "guard" else message.id
    if told(thread, by):
        return message.content
    return [block for block in message.content if block.get("type") not in ("tool_use", "tool_result")]


def stop_reason(thread: Thread, message: r.Message) -> str | None:
    """Why a message ended; nothing where that would tell of a call."""
    return None if message.stop_reason == "tool_use" and not told(thread, message.id) else message.stop_reason


def parent(thread: Thread, message_id: str) -> str | None:
    """The message above that can be seen."""
    return thread.parent(_top(thread, message_id))


def siblings(thread: Thread, message_id: str) -> list[str]:
    """The messages at this one's place, as far as they can be seen."""
    found = (next(below(thread, i), None) for i in thread.siblings(_top(thread, message_id)))
    return [i for i in found if i is not None]


def below(thread: Thread, message_id: str) -> Iterator[str]:
    """The message, or, where nobody may see it, the first ones below it that can be seen."""
    todo = [message_id]
    while todo:
        node = todo.pop()
        if is_secret(thread, thread.messages[node]):
            todo.extend(reversed(thread.children(node)))
        else:
            yield node


def answers(thread: Thread, question_id: str) -> list[r.Message]:
    """What can be seen of the answers to a question: their first messages."""
    return [thread.messages[found] for child in thread.children(question_id) for found in below(thread, child)]


def _top(thread: Thread, message_id: str) -> str:
    """The message, or the uppermost of the secret ones right above it."""
    top, above = message_id, thread.parent(message_id)
    while above is not None and is_secret(thread, thread.messages[above]):
        top, above = above, thread.parent(above)
    return top
