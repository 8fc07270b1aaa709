"""What may be done where: send, edit, retry -> allowed, or the reason why not.

Every caller asks here: screen, command line, replay, import, a second process. The rule of an ending: the branch
is locked at the message in which the model ended the conversation. No send, no retry of it, no continuation below
it; the call, the confirm step and the ending are one turn and locked together. Any earlier typed message can be
edited, the last one too; other branches are untouched.
"""

from __future__ import annotations

import msgspec

from convend_tui.errors import Locked, RuleError
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

LOCKED = (
    "The model ended this conversation, and this branch is locked. "
    "Start a new chat, or edit an earlier message to branch."
)

GONE = "This message is not in the thread's file any more. Open the thread again."


class Refusal(msgspec.Struct, frozen=True):
    """Why something is not allowed."""

    reason: str
    """A sentence for the person."""
    ended: r.Ended | None = None
    """The ending that locks the branch, if that is the reason."""


def ending_at(thread: Thread, message_id: str | None) -> r.Ended | None:
    """The ending that locks a message: on it, above it, or later in the same turn. None: not locked."""
    if message_id not in thread.messages or not thread.ended:
        return None
    # The call, its result and the ending are one turn. A message that another process put below a part of it, while it
    # was going on, is locked with it.
    turns = {
        message.id: ended
        for ended in thread.ended.values()
        if ended.message in thread.messages
        for message in thread.turn_of(ended.message)
    } | thread.ended
    return next((turns[message.id] for message in thread.ancestry(message_id) if message.id in turns), None)


def may_send(thread: Thread, parent: str | None) -> Refusal | None:
    """Whether a new message may be put below `parent` (None: as a root)."""
    if parent is not None and parent not in thread.messages:
        return Refusal(GONE)
    if ended := ending_at(thread, parent):
        return Refusal(LOCKED, ended)
    return None


def may_edit(thread: Thread, message_id: str) -> Refusal | None:
    """Whether a sibling of this message may be typed."""
    if message_id not in thread.messages:
        return Refusal(GONE)
    if not r.is_question(thread.messages[message_id]):
        return Refusal("Only your own messages can be edited. For another answer, retry the reply.")
    return may_send(thread, thread.parent(message_id))


def may_retry(thread: Thread, message_id: str) -> Refusal | None:
    """Whether the question that this message answers may be asked again.

    Given the question itself, it is locked when any of its answers ended the conversation.
    """
    if message_id not in thread.messages:
        return Refusal(GONE)
    question = thread.question_of(message_id)
    if question is None:
        return Refusal("There is no question above this message to answer again.")
    if ended := ending_at(thread, question.id):
        return Refusal(LOCKED, ended)
    if message_id != question.id:
        ended = ending_at(thread, message_id)
    else:
        ended = next((e for e in thread.ended.values() if _answers(thread, e.message, question.id)), None)
    return Refusal(LOCKED, ended) if ended else None


def unchanged(message: r.Message, content: list[r.Block]) -> bool:
    """Whether an edit would put the same words and attachments in again."""
    return message.content == content


def require(refusal: Refusal | None) -> None:
    """Raise what a rule refused; nothing where it allows.

    Raises:
        Locked: the model ended the conversation on that branch.
        RuleError: another rule.
    """
    if refusal is not None:
        raise (Locked if refusal.ended else RuleError)(refusal.reason)


def _answers(thread: Thread, message_id: str, question_id: str) -> bool:
    if message_id not in thread.messages:
        return False
    question = thread.question_of(message_id)
    return question is not None and question.id == question_id
