"""Sessions as Claude Code keeps them, and what is made of them."""

from __future__ import annotations

from typing import Any

from convend_tui.exchange import claude_code
from convend_tui.exchange.incoming import Context, Incoming
from tests.making import text
from tests.unit.exports import (
    came_in,
    messages,
    no_files,
)

Json = dict[str, Any]
SESSION = "5f1c0e52-2d1c-4a52-9d1b-000000000001"
OPUS = "claude-opus-4-1-20250805"
REJECTED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the "
    "new_string was NOT written to the file). To tell you how to proceed, the user said:\n"
)


def moment(number: int) -> str:
    return f"2025-10-14T09:{number // 60:02d}:{number % 60:02d}.127Z"


def line(kind: str, key: str | None, parent: str | None, at: int, **more: Any) -> Json:
    """Any line of a session file."""
    made: Json = {"parentUuid": parent, "isSidechain": False, "userType": "external", "cwd": "/home/eve/site"}
    made |= {"sessionId": SESSION, "version": "2.0.14", "gitBranch": "main", "type": kind}
    return made | ({} if key is None else {"uuid": key}) | {"timestamp": moment(at)} | more


def user(key: str, parent: str | None, at: int, content: Any = None, **more: Any) -> Json:
    message = {"role": "user", "content": f"asked {key}" if content is None else content}
    return line("user", key, parent, at, message=message, **more)


def model(
    key: str, parent: str | None, at: int, *content: Json, of: str = "", stop: str | None = None, **more: Any
) -> Json:
    """A line with blocks of the model's message `of`, by default one of its own."""
    message = {"id": of or f"msg_{key}", "type": "message", "role": "assistant", "model": OPUS, "stop_sequence": None}
    message |= {"content": list(content) or [text(f"answered {key}")], "stop_reason": stop}
    message["usage"] = {"input_tokens": 4, "cache_read_input_tokens": 900, "output_tokens": at}
    return line("assistant", key, parent, at, message=message, requestId=f"req_{of or key}", **more)


def use(key: str, name: str = "Bash", **given: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{key}", "name": name, "input": given}


def result(key: str, said: Any = "ok", *, error: bool = False) -> Json:
    return {"tool_use_id": f"toolu_{key}", "type": "tool_result", "content": said} | (
        {"is_error": True} if error else {}
    )


def bring_in(*lines: Any, context: Context | None = None) -> Incoming:
    return came_in(claude_code.read(list(lines), context or no_files()))


def kinds(found: Incoming) -> dict[str, str]:
    return {(m.origin or {})["id"]: m.kind for m in messages(found)}
