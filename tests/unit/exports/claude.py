"""Conversations as Claude.ai exports them, and what is made of them."""

from __future__ import annotations

from typing import Any

from convend_tui.exchange import claude_export
from convend_tui.exchange.incoming import Context, Incoming
from tests.unit.exports import (
    came_in,
    no_files,
)

Json = dict[str, Any]
ROOT = "00000000-0000-4000-8000-000000000000"
NIL = "00000000-0000-0000-0000-000000000000"
UNSET: Any = object()
CONFIRM = "Please confirm: call the tool again to end the conversation."


def moment(number: int) -> str:
    return f"2026-03-23T03:{number // 60:02d}:{number % 60:02d}.886210Z"


def words(said: str) -> Json:
    return {"start_timestamp": moment(0), "stop_timestamp": moment(1), "flags": None, "type": "text", "text": said} | {
        "citations": []
    }


def said(key: str, sender: str, parent: Any, at: Any, *content: Json | str, **more: Any) -> Json:
    """A message of an export."""
    blocks = [words(block) if isinstance(block, str) else block for block in content]
    made: Json = {"uuid": key, "text": "", "content": blocks, "sender": sender, "attachments": [], "files": []}
    made |= {"created_at": moment(at) if isinstance(at, int) else at, "parent_message_uuid": parent}
    made["updated_at"] = made["created_at"]
    return {name: value for name, value in (made | more).items() if value is not UNSET}


def person(key: str, parent: Any, at: Any, *content: Json | str, **more: Any) -> Json:
    return said(key, "human", parent, at, *(content or (f"asked {key}",)), **more)


def model(key: str, parent: Any, at: Any, *content: Json | str, **more: Any) -> Json:
    return said(key, "assistant", parent, at, *(content or (f"answered {key}",)), **more)


def chat(*given: Any, **more: Any) -> Json:
    """A conversation of an export."""
    made: Json = {"uuid": "dcc23c56-0001", "name": "Verbs by depth", "summary": "", "account": {"uuid": "c1a9"}}
    made |= {"created_at": moment(0), "updated_at": moment(3599), "chat_messages": list(given)}
    return made | more


def bring_in(value: Json, context: Context | None = None) -> Incoming:
    assert claude_export.recognizes(value)
    return came_in(claude_export.read(value, context or no_files()))


def use(key: str, name: str = "view", **given: Any) -> Json:
    return {"type": "tool_use", "id": key, "name": name, "input": given, "message": "Read", "integration_name": None}


def result(key: str, said: str = "done", *, error: bool = False, name: str = "view") -> Json:
    content = [{"type": "text", "text": said, "uuid": "7f"}]
    return {"type": "tool_result", "tool_use_id": key, "name": name, "content": content, "is_error": error}


def end(key: str = "e1", **given: Any) -> Json:
    return use(key, "end_conversation", **given)
