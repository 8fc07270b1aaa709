"""A thread as one JSON document: with its records as they stand in the file, and nothing lost."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import StoreError, Unreadable
from convend_tui.exchange.document import document
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import Branch, header, text
from tests.unit.test_outline import any_records
from tests.unit.test_tree import says

Json = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\n and more"
SHA = hashlib.sha256(PNG).hexdigest()


class Parts(msgspec.Struct):
    """A document, its records as they stand in it."""

    convend: int
    thread: msgspec.Raw
    records: list[msgspec.Raw]
    damaged: list[Json] = []
    blobs: dict[str, str] | None = None


def exported(folder: Path, data: bytes, **options: Any) -> Parts:
    file = folder / "thread.jsonl"
    file.write_bytes(data)
    whole = "".join(document(file, **options))
    assert isinstance(json.loads(whole), dict)
    return msgspec.json.decode(whole, type=Parts)


def lines(*records: r.Record) -> bytes:
    return b"".join(map(r.encode, records))


def tree_of(parts: Parts) -> Thread:
    head = r.decode(bytes(parts.thread))
    assert isinstance(head, r.Header)
    return Thread(head, [r.decode(bytes(raw)) for raw in parts.records])


@settings(max_examples=80, deadline=None)
@given(any_records(), st.sampled_from([b"", b'{"type":"novelty","at":"2","n":1.50}\n', b"torn{", b"[1]\n"]))
def test_out_and_in_again_is_the_same_tree(records: list[r.Record], rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        parts = exported(Path(folder), lines(header(), *records) + rest)
    assert parts.convend == 1 and parts.blobs is None
    assert says(tree_of(parts)) == says(Thread(header(), records))  # type: ignore[arg-type]


def test_records_are_the_bytes_of_the_file(tmp_path: Path) -> None:
    head = b'{"type":"thread","at":"2026","id":"x","format":9,"settings":{"model":"m"},"new":[1e400, 2]}'
    kept = [
        b'{"type":"title","at":"2","title":"caf\\u00e9 caf\xc3\xa9","twice":1,"twice":2}',
        b'{"at":"3","type":"future","big":123456789012345678901234567890,"n":1.0,"e":1E5}',
        b'  {"type": "pin", "at": "4", "pinned": true}  ',
    ]
    parts = exported(tmp_path, b"\r\n".join([kept[0], head, b"", *kept[1:], b""]))
    assert bytes(parts.thread) == head
    assert [bytes(raw) for raw in parts.records] == [line.strip() for line in kept]
    assert parts.damaged == []


@pytest.mark.parametrize(
    "line",
    [
        *(b"not json", b'{"type":"title"}', b"[1, 2]", b"\xff\xfe", b"[" * 100_000, b"null"),
        *(b'{"type":"pin","at":"1","pinned":tr', b'{"type":"title","at":"1","title":"\\ud800"}'),
    ],
)
def test_lines_that_are_no_records_come_along_as_they_are(tmp_path: Path, line: bytes) -> None:
    title = r.encode(r.Title(at="2", title="A title"))
    for data in (lines(header()) + line + b"\n" + title, lines(header()) + title + line):
        parts = exported(tmp_path, data)
        number = data.split(b"\n").index(line) + 1
        assert [(one["line"], base64.b64decode(one["base64"])) for one in parts.damaged] == [(number, line)]
        assert [bytes(raw) + b"\n" for raw in parts.records] == [title]


def test_a_record_with_broken_bytes_in_a_field_nobody_knows_counts_all_the_same(tmp_path: Path) -> None:
    line = b'{"type":"pin","at":"4","pinned":true,"x":"\xff"}'
    parts = exported(tmp_path, lines(header()) + line + b"\n")
    assert tree_of(parts).pinned
    assert [base64.b64decode(one["base64"]) for one in parts.damaged] == [line]


def test_a_second_header_is_a_record(tmp_path: Path) -> None:
    parts = exported(tmp_path, lines(header(), header(id="other"), header()))
    assert [json.loads(bytes(raw))["id"] for raw in parts.records] == ["other", header().id]
    assert tree_of(parts).problems == ["a second header, of thread other"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"nothing\n", lines(r.Title(at="1", title="x"))])
def test_a_file_without_a_header_is_no_thread(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Unreadable, match="no header"):
        exported(tmp_path, data)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        list(document(tmp_path / "none.jsonl"))


def picture(sha256: Any = SHA) -> r.Block:
    return {"type": "image", "source": {"type": "blob", "sha256": sha256, "media_type": "image/png", "name": "a.png"}}


def load(sha256: str) -> bytes:
    if sha256 != SHA:
        raise StoreError(f"{sha256} is missing.")
    return PNG


def test_attachments_come_along_where_they_are_asked_for(tmp_path: Path) -> None:
    inner = {"type": "tool_result", "tool_use_id": "x", "content": [text("see"), picture("b" * 64), 5, None]}
    branch = Branch().typed(picture(), "what is it?", picture(), inner).reply("A fox.").typed(picture(7), {"source": 1})
    data = lines(header(), *branch.path)
    missing: list[str] = []
    parts = exported(tmp_path, data, load_blob=load, warn=missing.append)
    assert parts.blobs is not None
    assert {sha: base64.b64decode(words) for sha, words in parts.blobs.items()} == {SHA: PNG}
    assert missing == [f"{'b' * 64} is missing."]
    assert exported(tmp_path, data).blobs is None
    assert exported(tmp_path, lines(header()), load_blob=load).blobs == {}
