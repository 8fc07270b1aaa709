"""A thread as one JSON document, and nothing lost: its records stand in it as they stand in the file.

::

    {"convend": 1,
     "thread": {the header},
     "records": [every other record, in the order of the file, also those of types that this version does not know],
     "damaged": [{"line": 7, "base64": "…"}],      lines that are no (valid) records, if there are any
     "blobs": {"<sha256>": "<base64>"}}            the attachments' bytes, where they are asked for
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from convend_tui.errors import StoreError, Unreadable
from convend_tui.store import blobs
from convend_tui.store.log import failed
from convend_tui.thread import records as r

VERSION = 1
"""What `convend` says in a document."""


def document(
    file: Path,
    *,
    load_blob: Callable[[str], bytes] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """The document of a thread file, in pieces.

    Args:
        load_blob: an attachment's bytes by its SHA-256; None: attachments are named only.
        warn: told, in a sentence, of each attachment that could not come along.

    Raises:
        Unreadable: the file has no header. StoreError: it cannot be read.
    """
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise failed("read", file, error) from error
    header: str | None = None
    records: list[str] = []
    damaged: list[dict[str, Any]] = []
    named: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        words = line.decode("utf-8", "replace").strip()
        try:
            record = r.decode(line)
        except Unreadable:
            damaged.append(_as_it_is(number, line))
            continue
        if words.encode() != line.strip():
            # A record all the same, but for bytes in a field that this version does not know: both go along.
            damaged.append(_as_it_is(number, line))
        if header is None and isinstance(record, r.Header):
            header = words
            continue
        records.append(words)
        if isinstance(record, r.Message):
            named |= dict.fromkeys(blobs_of(record))
    if header is None:
        raise Unreadable(f"{file} is not a thread file: it has no header line.")
    yield f'{{"convend": {VERSION},\n"thread": {header},\n"records": [\n'
    for number, words in enumerate(records):
        yield ",\n" * (number > 0) + words
    yield "\n]"
    if damaged:
        yield f',\n"damaged": {json.dumps(damaged)}'
    if load_blob is not None:
        yield from _blobs(list(named), load_blob, warn)
    yield "}\n"


def _as_it_is(number: int, line: bytes) -> dict[str, Any]:
    return {"line": number, "base64": base64.b64encode(line).decode("ascii")}


def _blobs(named: list[str], load_blob: Callable[[str], bytes], warn: Callable[[str], None]) -> Iterator[str]:
    yield ',\n"blobs": {'
    before = "\n"
    for sha256 in named:
        try:
            data = load_blob(sha256)
        except StoreError as error:
            warn(str(error))
            continue
        yield f'{before}{json.dumps(sha256)}: "{base64.b64encode(data).decode("ascii")}"'
        before = ",\n"
    yield "}"


def blobs_of(message: r.Message) -> Iterator[str]:
    """The SHA-256 of each attachment that a message names, in blocks inside of blocks as well."""
    return (sha256 for sha256 in blobs.named_in(message.content) if isinstance(sha256, str))
