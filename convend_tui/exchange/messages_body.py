"""A path as the body of a Messages request: what `model/request.py` would send, made whole where a thread stops.

Nothing is sent. The API takes no request that ends with the model's own message or with a call that has no result: the
one gets a closing line, the other its result.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from convend_tui.config import LOCAL_SERVER, Config
from convend_tui.errors import ExchangeError
from convend_tui.model import request
from convend_tui.model.connect import Models
from convend_tui.model.endpoint import Abilities
from convend_tui.paths import Paths
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

CLOSING = "(This is where the conversation was left.)"
"""The person's part after an answer of the model's that nobody has answered yet."""
ENDED = "The conversation is closed. Nothing further is asked of you."
"""The result of the call by which the model ended the conversation."""


def abilities_of(thread: Thread, config: Config, paths: Paths) -> Abilities:
    """What the thread's server can do, by config.toml; what the API can do, where that does not name it."""
    server = thread.settings.server
    if server != LOCAL_SERVER and config.server(server) is None:
        return Abilities()
    return Models(config, paths).abilities(thread.settings)


def messages_body(
    thread: Thread, leaf: str | None, *, load_blob: Callable[[str], bytes], abilities: Abilities
) -> dict[str, Any]:
    """The body for the branch that ends in `leaf`, with every message of it.

    Raises:
        ExchangeError: there is nothing on the path that could be sent.
        RuleError, StoreError: see `model.request.build`.
    """
    if leaf is None:
        raise ExchangeError("There is no message in this thread yet, and so nothing to make a request of.")
    thread, leaf = _closed(thread, leaf)
    body = request.build(thread, leaf, load_blob=load_blob, abilities=abilities)
    messages = body["messages"]
    if not messages:
        raise ExchangeError("Nothing on this path can be sent: it has no words, or every answer was refused.")
    if messages[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": [{"type": "text", "text": CLOSING}]})
    return body


def encoded(body: dict[str, Any]) -> str:
    """A body as text."""
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _closed(thread: Thread, leaf: str) -> tuple[Thread, str]:
    """The path with the result of the call that ended it, where it ends with that."""
    ended = lock.ending_at(thread, leaf)
    message = thread.messages[leaf]
    calls = [block.get("id") for block in r.tool_calls(message)]
    if ended is None or ended.message != leaf or not calls:
        return thread, leaf
    results = [{"type": "tool_result", "tool_use_id": call, "content": ENDED} for call in calls if call]
    result_id = f"{leaf}-closed"
    closing = r.Message(at=ended.at, id=result_id, parent=leaf, role="user", content=results, kind="guard")
    return thread.with_records([closing]), result_id
