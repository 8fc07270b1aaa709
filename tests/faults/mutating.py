"""Thread files with something wrong in them, made from good ones, and all that convend does with such a file."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from convend_tui.errors import ConvendError, StoreError, Unreadable
from convend_tui.model import request
from convend_tui.model.endpoint import Abilities
from convend_tui.store.library import summarize
from convend_tui.thread import lock, outline, seen
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

CORPUS = Path(__file__).parent / "corpus"
_ABILITIES = Abilities()
_NARROW = Abilities(max_tokens=1000, documents=False, images=False)
_NOW = datetime(2026, 11, 22, tzinfo=UTC)

VALUES: Sequence[Any] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e308,
        -1e308,
        2**63,
        10**30,
        "",
        " ",
        "\x00",
        "\ud800",
        "\u202ex",
        "\x1b[2J",
        "x",
    ),
    *([], {}, [[]], [{}], [None], {"": None}, {"type": None}, {"type": "text"}, {"type": "text", "text": None}),
    *({"type": "tool_use"}, {"type": "tool_use", "id": [], "input": None}, {"type": "tool_use", "id": {"a": 1}}),
    *({"type": "tool_result"}, {"type": "tool_result", "tool_use_id": [1]}, {"type": ["text"], "text": "x"}),
    *({"type": "text", "text": 5}, {"type": "text", "text": ["x"]}, {"type": "thinking", "thinking": {}}),
    *({"type": "image", "source": {"type": "blob"}}, {"type": "document", "source": {"type": "blob", "sha256": 1}}),
    *({"type": "document", "source": {"type": "text", "data": 5}}, {"type": "image", "source": []}),
    *("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999+00:00", "0001-01-01T00:00:00+23:59", "2026-11-22"),
    *("9999-12-31T23:59:59-23:59", "typed", "reply", "guard", "partial", "user", "assistant", "refusal", "tool_use"),
)
"""What may stand in the place of any value: of every type, and at the borders."""
BYTES: Sequence[bytes] = (
    *(b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\x1b", b"\r", b"\n", b"\n\n", b"\t"),
    *(b'"', b"\\", b"\\u", b"\\ud800", b"\\u0000", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-"),
    *(b"1e999", b"9" * 400, b"0." + b"1" * 400, b"[" * 60, b'{"a":' * 60, b'{"type":"message"}', b'{"type":"x"}'),
)


@cache
def good() -> tuple[bytes, ...]:
    """The thread files of the corpus."""
    return tuple(file.read_bytes() for file in sorted((CORPUS / "threads").glob("*.jsonl")))


def mutated(chance: random.Random) -> bytes:
    """A good file after one to six changes."""
    data = chance.choice(good())
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        data = changed(data, chance)
    return data


def changed(data: bytes, chance: random.Random) -> bytes:
    """Any file after one change."""
    return chance.choices(_CHANGES, _WEIGHTS)[0](data, chance)


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _insert(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(BYTES) + data[place:]


def _cut_out(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + data[place + chance.choice((1, 2, 16, 200)) :]


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _lines(data: bytes, chance: random.Random) -> bytes:
    """A line is doubled, left out, put elsewhere, or comes from another file."""
    lines = data.split(b"\n")
    place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            lines.insert(other, lines[place])
        case 1:
            del lines[place]
        case 2:
            lines[place], lines[other] = lines[other], lines[place]
        case 3:
            chance.shuffle(lines)
        case _:
            lines.insert(place, chance.choice(chance.choice(good()).split(b"\n")))
    return b"\n".join(lines)


def _value(data: bytes, chance: random.Random) -> bytes:
    """A value somewhere in a record becomes another one, goes away, or moves."""
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    try:
        record = json.loads(lines[place])
    except (ValueError, RecursionError):
        return data
    holders: list[tuple[Any, Any]] = []
    todo = [record]
    while todo:
        item = todo.pop()
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, inner in pairs:
            holders.append((item, key))
            todo.append(inner)
    if not holders:
        return data
    holder, key = chance.choice(holders)
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1:
            other, there = chance.choice(holders)
            value = json.loads(json.dumps(other[there]))
            holder[key] = value
        case 2:
            holder[key] = _deep(chance.choice((3, 40, 150)), chance)
        case 3 if isinstance(holder, list):
            holder.insert(key, chance.choice(VALUES))
        case _:
            holder[key] = chance.choice(VALUES)
    lines[place] = json.dumps(record).encode()
    return b"\n".join(lines)


def _deep(depth: int, chance: random.Random) -> Any:
    value: Any = chance.choice(VALUES)
    for _ in range(depth):
        value = [value] if chance.random() < 0.5 else {chance.choice(("a", "source", "content", "type")): value}
    return value


def _link(data: bytes, chance: random.Random) -> bytes:
    """A message answers another one, or has another one's id."""
    lines = data.split(b"\n")
    records: list[tuple[int, dict[str, Any]]] = []
    for place, line in enumerate(lines):
        if line.startswith(b'{"type":"message"'):
            try:
                records.append((place, json.loads(line)))
            except ValueError:
                continue
    if not records:
        return data
    for _ in range(chance.choice((1, 2, 5))):
        place, record = chance.choice(records)
        record[chance.choice(("parent", "parent", "parent", "id"))] = chance.choice(records)[1].get("id")
        lines[place] = json.dumps(record, separators=(",", ":")).encode()
    return b"\n".join(lines)


def _other_coding(data: bytes, chance: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-7")), "replace")


_Change = Callable[[bytes, random.Random], bytes]
_CHANGES: Sequence[_Change] = (_flip, _insert, _cut_out, _truncate, _lines, _value, _link, _other_coding)
_WEIGHTS = (3, 3, 2, 1, 3, 8, 3, 0.2)


def no_blob(sha256: str) -> bytes:
    """As `blobs.load`, of attachments that are there or are not, by their name."""
    if len(sha256) % 2:
        raise StoreError("An attachment is missing.")
    return b"what was attached"


def read(data: bytes) -> Thread | None:
    """The thread of a file's bytes, as `store` reads it; None: it has no header."""
    records: list[r.AnyRecord | r.Unknown] = []
    for line in data.split(b"\n"):
        if line.strip():
            try:
                records.append(r.decode(line))
            except Unreadable:
                continue
    header = next((record for record in records if isinstance(record, r.Header)), None)
    return Thread(header, records) if header is not None else None


def go_through(data: bytes) -> Thread | None:
    """Read a file and do with it what the list, the screen, the rules and a turn do. Only convend's own errors are
    caught."""
    thread = read(data)
    if thread is None:
        return None
    summarize(thread.id, thread)
    shown = outline.Outline(thread)
    rows = shown.rows(thread.leaf)
    for row in rows:
        outline.preview(row.message)
    assert sum(row.folded or 1 for row in rows) == len(shown)
    for name, message in thread.messages.items():
        lock.may_send(thread, name)
        lock.may_edit(thread, name)
        lock.may_retry(thread, name)
        seen.content(thread, message)
        seen.stop_reason(thread, message)
    leaf = thread.leaf
    if leaf is None:
        return thread
    for abilities in (_ABILITIES, _NARROW):
        try:
            request.build(thread, leaf, load_blob=no_blob, abilities=abilities)
        except ConvendError:
            continue
    return thread
