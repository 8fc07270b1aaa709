"""What the tests of the importers share: a context that keeps attachments, and how to look at what came in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from convend_tui.errors import AttachmentError, StoreError
from convend_tui.exchange.incoming import Context, Incoming, Skip
from convend_tui.model.request import Abilities, build
from convend_tui.paths import Paths
from convend_tui.store import blobs
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, paths_in, text
from tests.referee.asked import Asked
from tests.referee.models import DEFAULT_MODELS
from tests.referee.rules import refuse

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


class Shelf:
    """An export's files, and the place where attachments are kept."""

    def __init__(self, root: Path, **files: bytes) -> None:
        self.paths: Paths = paths_in(root)
        self.files = files
        self.asked: list[str] = []
        self._inbox = root / "inbox"
        self._inbox.mkdir()

    @property
    def context(self) -> Context:
        return Context(SETTINGS, self.asset, self.attach)

    def asset(self, name: str) -> tuple[str, bytes] | None:
        self.asked.append(name)
        return next(((file, data) for file, data in self.files.items() if name in file), None)

    def attach(self, name: str, data: bytes) -> r.Block | None:
        file = self._inbox / name.replace("/", "_")
        file.write_bytes(data)
        try:
            return blobs.attach(self.paths, file)
        except AttachmentError:
            return None

    def text_of(self, block: r.Block) -> str | None:
        return blobs.text_of(self.paths, block)

    def load(self, sha256: str) -> bytes:
        return blobs.load(self.paths, sha256)


def no_files() -> Context:
    """A context in which there are no files, and attachments are kept nowhere."""

    def attach(name: str, data: bytes) -> r.Block | None:
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": name}}

    return Context(SETTINGS, lambda name: None, lambda name, data: attach(name, data) if data else None)


def came_in(found: Incoming | Skip) -> Incoming:
    """What came in, with the promises that hold for all of it."""
    assert isinstance(found, Incoming), found
    thread = thread_of(found)
    ids: set[str] = set()
    for record in found.records:
        assert r.decode(r.encode(record)) == record
        moment = r.moment_of(record.at)
        assert moment is not None and r.timestamp(moment) == record.at
        if isinstance(record, r.Message):
            assert record.id not in ids and record.origin is not None
            assert record.parent is None or record.parent in ids
            ids.add(record.id)
        elif isinstance(record, r.Ended | r.Leaf):
            assert record.message in ids
    leaves = [record.message for record in found.records if isinstance(record, r.Leaf)]
    assert [thread.leaf] == leaves
    assert thread.problems == []
    return found


def thread_of(found: Incoming) -> Thread:
    header = r.Header(at=found.created, id=found.thread_id, format=r.FORMAT, settings=found.settings)
    return Thread(header, found.records)


def messages(found: Incoming) -> list[r.Message]:
    return [record for record in found.records if isinstance(record, r.Message)]


def of_key(found: Incoming, key: str) -> r.Message:
    """The message that came from the source's message of that id."""
    return next(m for m in messages(found) if m.origin is not None and m.origin["id"] == key)


def keys(thread: Thread, ids: list[str]) -> list[str]:
    """The source's ids of messages."""
    return [(thread.messages[i].origin or {})["id"] for i in ids]


def tree(found: Incoming) -> dict[str, Any]:
    """The whole tree by the source's ids, siblings in order."""
    thread = thread_of(found)

    def below(ids: list[str]) -> dict[str, Any]:
        return {keys(thread, [i])[0]: below(thread.children(i)) for i in ids}

    return below(thread.roots)


def path(found: Incoming) -> list[str]:
    """The current path by the source's ids."""
    thread = thread_of(found)
    return keys(thread, [message.id for message in thread.path(thread.leaf)])


def skipped(found: Incoming) -> list[tuple[str, str]]:
    return [(skip.what, skip.why) for skip in found.skipped]


def _none(sha256: str) -> bytes:
    raise StoreError(sha256)


def objections(found: Incoming, load: Any = _none, **changed: Any) -> Iterator[str]:
    """What the referee has against going on below any message that one may go on from."""
    settings = msgspec.structs.replace(SETTINGS, **changed)
    header = r.Header(at=found.created, id=found.thread_id, format=r.FORMAT, settings=settings)
    for leaf in messages(found):
        thread = Thread(header, found.records)
        if lock.may_send(thread, leaf.id) is not None:
            continue
        typed = r.Message(at=leaf.at, id="typed", parent=leaf.id, role="user", content=[text("Go on.")], kind="typed")
        thread.apply(typed)
        body = build(thread, "typed", load_blob=load, abilities=Abilities())
        objection = refuse(Asked(body, {model.id: model for model in DEFAULT_MODELS}))
        if objection is not None:
            yield f"below {leaf.origin}: {objection}"


_NAMES = st.sampled_from(["type", "text", "name", "id", "input", "content"])
GARBAGE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["human", "text", "end_conversation", "a", "b", "2026-03-23T03:44:27.886210Z", "\ud800", "\x1b[2J"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner),
    max_leaves=6,
)
"""Any value that JSON can hold, and some that hurt."""
