"""What the status line and the key hints say."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from convend_tui.config import LOCAL_SERVER
from convend_tui.errors import NotConnected
from convend_tui.thread import records as r
from convend_tui.tui.commands import BY_ID
from convend_tui.tui.notices import NoticeItem
from convend_tui.tui.status import StatusPart, usage_parts

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen
    from convend_tui.tui.turn import Turn

WARNED = "⚠ warned"
ENDED = "⊘ ended"
HIDDEN = "hidden branch"
MARKS = (
    (
        WARNED,
        "Warned",
        "The model has said on this branch that it may end the conversation, or has asked to and was declined. "
        "Nothing is locked. Branches from before the warning know nothing of it.",
        None,
    ),
    (ENDED, "Ended", "The model ended the conversation on this branch. w on the notice says why.", None),
    ("‹ 2/3 ›", "Branches", "The second of three messages at this place; [ and ] show the others.", None),
    ("★", "Pinned", "A chat that stays at the head of the list; p pins it and lets it go.", None),
    (HIDDEN, "Hidden", "You are on a branch that was hidden. u brings back what was hidden last.", None),
)
"""Marks on the screen, as entries of the help page."""
_WRITING = ("send", "newline", "back", "help", "new", "threads", "model")
_READING = ("edit", "retry", "older", "newer", "keys", "copy", "write", "new_here")
_ENDED = ("edit", "new_here", "why", "feedback", "tree", "older", "newer", "keys", "copy")
_LISTING = ("list_filter", "pin", "trash", "untrash", "new", "search", "threads", "help")
_FILTERING = [("Enter", "Open", False), ("Esc", "Clear", False)]


def status(screen: ChatScreen) -> tuple[list[StatusPart], list[StatusPart]]:
    """The status line's two ends: model and state at the left, the figures of the last turn at the right."""
    conversation = screen.conversation
    left = [StatusPart(model_words(screen), 3, strong=True)]
    if conversation.turn is not None:
        left.append(StatusPart(_turn_words(conversation.turn), 2))
    elif conversation.editing is not None:
        left.append(StatusPart("editing" if not conversation.editing.again else "not answered", 2))
    elif conversation.below is not None:
        left.append(StatusPart("a new branch", 2))
    elif conversation.ended is not None:
        left.append(StatusPart("ended by the model", 2))
    elif conversation.is_warned:
        left.append(StatusPart(WARNED, 2))
    if going := screen.actions.searching.words:
        left.append(StatusPart(going, 2))
    if conversation.is_hidden:
        left.append(StatusPart(HIDDEN, 2))
    if conversation.handle is not None and conversation.handle.read_only:
        left.append(StatusPart("read-only", 2))
    if conversation.turn is None and screen.composer.text.strip() and screen.composer.locked is None:
        return left, [StatusPart(_next_words(screen), 1)]
    usage = conversation.usage or last_usage(screen)
    fresh = usage.get("input_tokens", 0)
    cached, written = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
    total = fresh + cached + written
    if not total:
        return left, []
    return left, [*usage_parts(total, cached / total, usage.get("output_tokens")), StatusPart(_money_words(screen), 0)]


def _turn_words(turn: Turn) -> str:
    """How far the turn has come."""
    if left := turn.seconds_left:
        return f"asks again in {math.ceil(left)} s"
    return f"a reply is coming in, {time.monotonic() - turn.started:.0f} s"


def _money_words(screen: ChatScreen) -> str:
    """What the last turn cost, where prices are configured."""
    conversation, config = screen.conversation, screen.convend.config
    if conversation.thread is None or not config.prices:
        return ""
    from convend_tui.thread.cost import cost_of, in_words, turn_of

    return in_words(cost_of(conversation.thread, turn_of(conversation.thread, conversation.leaf), config.price))


def _next_words(screen: ChatScreen) -> str:
    """What the message in the composer is likely to read from the cache, and what not."""
    from convend_tui.thread.cost import estimate
    from convend_tui.tui.costs import estimate_words

    conversation = screen.conversation
    thread = conversation.thread
    if thread is None:
        return ""
    parent = conversation.below or conversation.leaf
    if conversation.editing is not None:
        parent = thread.parent(conversation.editing.message)
    return estimate_words(estimate(thread, parent, screen.composer.text, datetime.now(UTC), _overhead(thread.settings)))


def _overhead(settings: r.Settings) -> int:
    """Characters that go out before the conversation."""
    from convend_tui.ending import tool

    if not settings.ending or not tool.known(settings.tool_version):
        return len(settings.system)
    definition = str(tool.definition(settings.tool_version))
    return len(settings.system) + len(tool.system_part(settings.tool_version)) + len(definition)


def last_usage(screen: ChatScreen) -> dict[str, int]:
    """The figures of the newest reply on the path shown."""
    conversation = screen.conversation
    if conversation.thread is None or conversation.leaf is None:
        return {}
    for message in conversation.thread.ancestry(conversation.leaf):
        if message.usage:
            return {name: value for name, value in message.usage.items() if isinstance(value, int)}
    return {}


def model_words(screen: ChatScreen) -> str:
    """Which model the next message goes to."""
    conversation, models = screen.conversation, screen.convend.models
    try:
        server, model = models.next_model(conversation.thread, conversation.wanted, screen.convend.choices.model)
    except NotConnected:
        return "no model"
    if server == LOCAL_SERVER:
        return f"{model} (built in, tiny)" if models.missing(LOCAL_SERVER) is None else "no model"
    return model


def hints(screen: ChatScreen) -> list[tuple[str, str, bool]]:
    """The keys that matter where the focus is; what cannot be done now is dimmed."""
    ids: tuple[str, ...]
    if screen.thread_list.has_focus and screen.thread_list.is_filtering:
        return _FILTERING
    if screen.thread_list.has_focus:
        ids = _LISTING
        first = [("Enter", "Open", False)]
    elif screen.composer.has_focus_within:
        ids, first = _WRITING, []
    elif isinstance(screen.transcript.focused_item, NoticeItem):
        ids, first = _ENDED, []
    else:
        ids, first = _READING, []
    found = list(first)
    if first == [] and screen.transcript.has_focus and screen.actions.searching.is_going:
        found += [("n", "Next hit", screen.refusal("hit_next") is not None)]
        found += [(screen.keys.shown(BY_ID["hit_previous"], 1), "Previous", screen.refusal("hit_previous") is not None)]
        ids = ("search", "back", *(i for i in ids if i != "new_here"))
    for command_id in ids:
        command = BY_ID[command_id]
        label = _back_words(screen) if command_id == "back" else command.label
        found.append((screen.keys.shown(command, 1), label, screen.refusal(command_id) is not None))
    return found


def _back_words(screen: ChatScreen) -> str:
    if screen.conversation.turn is not None:
        return "Stop"
    if screen.conversation.editing is not None:
        return "Leave the edit"
    return "At the end" if screen.conversation.below is not None else "Conversation"
