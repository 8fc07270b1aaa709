"""convend's own formats coming in: a thread file, and the JSON document that an export makes of one.

Lines are taken as they stand, with fields and types that this version does not know.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from convend_tui.errors import ExchangeError, Unreadable
from convend_tui.exchange.document import VERSION, blobs_of
from convend_tui.exchange.incoming import Skip
from convend_tui.store.blobs import PDF_LIMIT
from convend_tui.thread import records as r

_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Own:
    """A thread of convend's."""

    id: str
    lines: tuple[bytes, ...]
    """Without newlines, the header first."""
    skipped: tuple[Skip, ...]
    blobs: tuple[tuple[str, bytes], ...] = ()
    """SHA-256 and bytes, which fit together."""


def is_line(value: Any) -> bool:
    """Whether the first line of a file makes it a thread file."""
    return isinstance(value, dict) and value.get("type") == "thread" and "format" in value and "id" in value


def is_document(value: Any) -> bool:
    """Whether a value is a document of an export."""
    return isinstance(value, dict) and "convend" in value and isinstance(value.get("thread"), dict)


def from_lines(lines: Iterable[tuple[int, bytes]], name: str) -> Own:
    """A thread file.

    Raises:
        ExchangeError: it has no header that can be used, or a newer convend wrote it.
    """
    numbered = [(f"line {number} of {name}", line.strip()) for number, line in lines]
    return _thread(numbered, name)


def from_document(value: dict[str, Any], name: str) -> Own:
    """A document of an export.

    Raises:
        ExchangeError: it has no header that can be used, or a newer convend wrote it.
    """
    if value["convend"] != VERSION:
        raise ExchangeError(f"{name} was written by a newer convend. To import it, update convend.")
    records, damaged, blobs = value.get("records"), value.get("damaged"), value.get("blobs")
    if not isinstance(records, list):
        raise ExchangeError(f"{name} is no document of convend's: it has no records.")
    numbered = [(f"the header of {name}", _encoded(value["thread"]))]
    numbered += [(f"record {number} of {name}", _encoded(record)) for number, record in enumerate(records, 1)]
    lost = [
        Skip(f"a line of {name}", "it was damaged before it was exported")
        for _ in (damaged if isinstance(damaged, list) else ())
    ]
    kept: list[tuple[str, bytes]] = []
    for sha256, data in blobs.items() if isinstance(blobs, dict) else ():
        found = _blob(sha256, data)
        if found is None:
            lost.append(Skip(f"attachment {sha256} of {name}", "its bytes are not what was attached"))
        else:
            kept.append((sha256, found))
    return _thread(numbered, name, lost, kept)


def missing(own: Own, has: Callable[[str], bool]) -> Iterator[Skip]:
    """The attachments that are neither in the file nor here."""
    brought = {sha256 for sha256, _ in own.blobs}
    named: dict[str, None] = {}
    for line in own.lines:
        if b'"blob"' in line and isinstance(record := r.decode(line), r.Message):
            named |= dict.fromkeys(blobs_of(record))
    for sha256 in named:
        if sha256 not in brought and not (_SHA256.fullmatch(sha256) and has(sha256)):
            yield Skip(f"attachment {sha256[:12]}… of thread {own.id}", "the file names it but does not hold it")


def _thread(
    numbered: Iterable[tuple[str, bytes]], name: str, lost: Iterable[Skip] = (), blobs: Iterable[tuple[str, bytes]] = ()
) -> Own:
    header: r.Header | None = None
    lines: list[bytes] = []
    skipped = list(lost)
    for what, line in numbered:
        try:
            record = r.decode(line)
        except Unreadable as error:
            skipped.append(Skip(what, str(error).rstrip(".")))
            continue
        if not isinstance(record, r.Header):
            lines.append(line)
        elif header is None:
            header = record
            lines.insert(0, line)
        elif record.id != header.id:
            skipped.append(Skip(what, f"a header of another thread, {record.id}"))
    if header is None:
        raise ExchangeError(f"{name} is not a thread of convend's that can be read: it has no header.")
    if header.format > r.FORMAT:
        raise ExchangeError(f"{name} was written by a newer convend (format {header.format}). Update convend.")
    if not _ID.fullmatch(header.id):
        raise ExchangeError(f"{name} is not a thread of convend's: {header.id!r} is no thread's id.")
    return Own(header.id, tuple(lines), tuple(skipped), tuple(blobs))


def _encoded(value: Any) -> bytes:
    # One line, whatever is in it; the scanner of the standard library has read it, and so its writer can write it.
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except RecursionError:
        return b""  # which is no record: it is named with the other broken ones


def _blob(sha256: str, data: Any) -> bytes | None:
    if not isinstance(data, str) or not _SHA256.fullmatch(sha256):
        return None
    try:
        found = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) <= PDF_LIMIT and hashlib.sha256(found).hexdigest() == sha256 else None
