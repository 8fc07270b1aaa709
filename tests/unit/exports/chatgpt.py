"""Conversations as ChatGPT exports them, and what is made of them."""

from __future__ import annotations

from typing import Any

from convend_tui.exchange import chatgpt_export
from convend_tui.exchange.incoming import Context, Incoming
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS
from tests.unit.test_request import askable, objections, request

Json = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
KEY = "6b0f0000-0000-4000-8000-000000000001"
ROOT = "client-created-root"


def attach(name: str, data: bytes) -> r.Block | None:
    """As the real one: pictures, and nothing else."""
    if not data.startswith(b"\x89PNG"):
        return None
    return {"type": "image", "source": {"type": "blob", "sha256": "a" * 64, "media_type": "image/png", "name": name}}


def context(**files: bytes) -> Context:
    """Of an export that holds these files; in a name, `_` stands for `-` where it begins `file_`."""

    def asset(wanted: str) -> tuple[str, bytes] | None:
        return next(((f"{name}.dat", data) for name, data in files.items() if wanted in name), None)

    return Context(SETTINGS, asset, attach)


def message(role: str | None, *parts: Any, **more: Any) -> Json:
    """A message as the export has it. `text=` etc. of the content go in by `content=`."""
    given: Json = {
        "id": "some-id",
        "author": {"role": role, "name": more.pop("name", None), "metadata": {}},
        "create_time": more.pop("time", None),
        "update_time": None,
        "content": more.pop("content", None) or {"content_type": "text", "parts": list(parts)},
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "recipient": "all",
        "channel": None,
        "metadata": {"attachments": []} | more.pop("metadata", {}),
    }
    return given | more


def chat(*lines: tuple[str, str | None, Json | None], **more: Any) -> Json:
    """A conversation of (node, parent, message); children in the order of the lines."""
    mapping: Json = {i: {"id": i, "parent": parent, "children": [], "message": m} for i, parent, m in lines}
    for i, parent, _ in lines:
        if parent in mapping:
            mapping[parent]["children"].append(i)
    given = {"title": "Deploy", "create_time": 1756000000.12, "update_time": 1756000400.65, "conversation_id": KEY}
    return given | {"id": KEY, "current_node": lines[-1][0], "default_model_slug": "gpt-5", "mapping": mapping} | more


def user(*parts: Any, **more: Any) -> Json:
    return message("user", *parts, **more)


def bot(*parts: Any, **more: Any) -> Json:
    return message("assistant", *parts, **more)


def read(value: Any, **files: bytes) -> Incoming:
    found = chatgpt_export.read(value, context(**files))
    assert isinstance(found, Incoming), found
    return found


def thread_of(found: Incoming) -> Thread:
    """The thread as it will be read from its file."""
    head = r.Header(at=found.created, id=found.thread_id, format=r.FORMAT, settings=found.settings)
    thread = Thread(head, [r.decode(r.encode(record)) for record in found.records])
    assert thread.problems == []
    return thread


def tree(value: Any, **files: bytes) -> Thread:
    return thread_of(read(value, **files))


def words(thread: Thread, ids: list[str]) -> list[str]:
    return [r.text_of(thread.messages[i]) for i in ids]


def shape(thread: Thread, above: str | None = None) -> list[Any]:
    """The tree as nested [text, [children]]."""
    return [[r.text_of(thread.messages[i]), shape(thread, i)] for i in thread.children(above)]


def path(thread: Thread) -> list[str]:
    """What stands on the active path."""
    return [r.text_of(m) for m in thread.path(thread.leaf)]


def answered(*nodes: Json, **more: Any) -> Json:
    """A question and a chain of nodes below it."""
    names = [f"n{i}" for i in range(len(nodes))]
    return chat(("q", None, user("question")), *zip(names, ["q", *names[:-1]], nodes, strict=True), **more)


def image(pointer: str) -> Json:
    return {"content_type": "image_asset_pointer", "asset_pointer": pointer, "width": 8, "height": 8, "size_bytes": 28}


def sendable(found: Incoming) -> None:
    """Every question that came in can be asked again, by the referee's rules."""
    thread = thread_of(found)
    thread.apply(r.as_change(SETTINGS, "2099-12-31T00:00:00.000Z"))
    for leaf in [*askable(thread)]:
        body = request(thread, leaf, load_blob=lambda sha: PNG)
        assert objections(body) == []
        kinds = {block["type"] for sent in body["messages"] for block in sent["content"]}
        assert kinds <= {"text", "image"}


BRANCHED = chat(
    (ROOT, None, None),
    ("ctx", ROOT, user(content={"content_type": "user_editable_context", "user_profile": "I am a plumber."})),
    ("sys", "ctx", message("system", "")),
    ("u1", "sys", user("How do I roll back?", time=1756000001.0)),
    ("a1", "u1", bot("First answer", time=1756000002.5, metadata={"model_slug": "gpt-5"}, end_turn=True)),
    ("a2", "u1", bot("Regenerated", time=1756000003.25, metadata={"model_slug": "o4-mini"}, end_turn=True)),
    ("u2", "a1", user("And then?", time=1756000009.0)),
    ("a3", "u2", bot("Then nothing.", time=1756000010.0)),
    ("u1b", "sys", user("How do I deploy?", time=1756000020.0)),
    current_node="a3",
)
