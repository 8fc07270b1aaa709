"""Exports for `convend import`, and what an import says."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from tests.engine.commands import Home

Json = dict[str, Any]
ROOT = "00000000-0000-4000-8000-000000000000"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


def said(key: str, words: str, parent: str = ROOT, sender: str = "human", **more: Any) -> Json:
    """A message of Claude.ai's export."""
    minute = sum(key.encode()) % 60
    when = f"2025-03-23T03:{minute:02d}:28.917458Z"
    message = {"uuid": key, "sender": sender, "text": words, "parent_message_uuid": parent, "created_at": when}
    return message | {"content": [{"type": "text", "text": words}], "attachments": [], "files": []} | more


def conversation(key: str = "one", *messages: Json, name: str = "Verbs by depth") -> Json:
    """A conversation of Claude.ai's export: a question with two answers, unless messages are given."""
    given = messages or (
        said("a", "handle or tackle?"),
        said("b", "tackle", "a", "assistant"),
        said("c", "handle", "a", "assistant"),
    )
    return {"uuid": key, "name": name, "created_at": "2025-03-23T03:00:00Z", "chat_messages": list(given)}


def written(file: Path, value: Any) -> str:
    file.write_text(json.dumps(value))
    return str(file)


def imported(home: Home, *files: str, code: int = 0) -> Json:
    """The report of an import."""
    (report,) = home.json("import", *files, code=code)
    assert set(report) == {"threads", "messages", "branched", "ended", "skipped"}
    assert all(set(skip) == {"what", "why"} for skip in report["skipped"])
    return report


def counts(report: Json) -> tuple[int, int, int, int]:
    return report["threads"], report["messages"], report["branched"], report["ended"]


def leftovers(home: Home) -> list[Path]:
    return list(home.paths.state.glob("import-*"))


def shards(path: Path, *members: tuple[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(name, data)
    return str(path)


def encoded(*values: Any) -> bytes:
    return json.dumps(list(values)).encode()
