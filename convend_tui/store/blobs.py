"""Attachments. Their bytes lie once, by content, in `blobs/<sha256>`; a message names them."""

from __future__ import annotations

import base64
import codecs
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from convend_tui.errors import AttachmentError, StoreError
from convend_tui.files import open_regular, write_atomic
from convend_tui.paths import Paths

MIB = 1024 * 1024
IMAGE_LIMIT = 5 * MIB
PDF_LIMIT = 24 * MIB
"""A request holds 32 MB at most, and base64 makes four bytes of three."""
TEXT_LIMIT = 10 * MIB

ATTACHMENTS = ("image", "document")
"""Types of the blocks that name an attachment."""
SUPPORTED = "Images (PNG, JPEG, GIF, WebP), PDF and text files can be attached."

_SHA256 = re.compile(r"[0-9a-f]{64}")
_BINARY_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"}
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def attach(paths: Paths, file: Path) -> dict[str, Any]:
    """Keep a file's bytes and return the block that names them, for a message's `content`.

    An image becomes an `image` block, a PDF or a text file a `document` block; `source` is
    `{"type": "blob", "sha256", "media_type", "name"}`. Text is kept as UTF-8 without a byte order mark.

    Raises:
        AttachmentError: the file is missing, empty, too large, not a file, or of another kind.
        StoreError: its bytes cannot be kept.
    """
    name = _shown_name(file)
    try:
        data = _read_regular(file.expanduser(), PDF_LIMIT)
    except RuntimeError:
        raise AttachmentError(f"{name} cannot be attached: there is no such home folder.") from None
    except (OSError, ValueError) as error:
        raise AttachmentError(f"{name} cannot be attached: {_reason(error)}.") from None
    if data is None:
        raise AttachmentError(f"{name} is too large to attach: more than {PDF_LIMIT // MIB} MB.")
    return attach_bytes(paths, name, data)


def attach_bytes(paths: Paths, name: str, data: bytes) -> dict[str, Any]:
    """As `attach`, for bytes that did not come from a file of that name.

    Raises:
        AttachmentError: they are empty, too many, or of another kind. StoreError: they cannot be kept.
    """
    name = _shown_name(Path(name))
    if len(data) > PDF_LIMIT:
        raise AttachmentError(f"{name} is too large to attach: more than {PDF_LIMIT // MIB} MB.")
    if not data:
        raise AttachmentError(f"{name} is empty; there is nothing to attach.")
    media_type, data = _identify(name, Path(name).suffix.lower(), data)
    sha256 = hashlib.sha256(data).hexdigest()
    _keep(paths.blobs / sha256, data)
    source = {"type": "blob", "sha256": sha256, "media_type": media_type, "name": name}
    if media_type.startswith("image/"):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, "title": name}


def load(paths: Paths, sha256: str) -> bytes:
    """The bytes of an attachment.

    Raises:
        StoreError: they are missing, or are no longer what they were.
    """
    # The name comes from a thread file, which may come from anywhere: it must not lead out of the folder.
    if not _SHA256.fullmatch(sha256):
        raise StoreError("An attachment of this thread has no valid name, and cannot be read.")
    file = paths.blobs / sha256
    try:
        data = _read_regular(file, PDF_LIMIT)
    except FileNotFoundError:
        raise StoreError(f"An attachment is missing: {file} is not there.") from None
    except OSError as error:
        raise StoreError(f"An attachment cannot be read: {file}: {_reason(error)}.") from None
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise StoreError(f"An attachment is damaged: {file} does not hold what was attached.")
    return data


def text_of(paths: Paths, block: dict[str, Any]) -> str | None:
    """The text of an attached text file; None for images and PDF.

    Raises:
        StoreError: it is missing or damaged.
    """
    source = block.get("source")
    if not isinstance(source, dict):
        return None
    if source.get("type") == "text" and isinstance(source.get("data"), str):
        return str(source["data"])
    if source.get("media_type") != "text/plain" or not isinstance(source.get("sha256"), str):
        return None
    return load(paths, source["sha256"]).decode("utf-8", "replace")


def named_in(content: Any) -> Iterator[Any]:
    """What the attachments in a message's blocks give as their SHA-256, in blocks inside of blocks as well; None where
    one gives nothing.

    A block that an import keeps verbatim names one only where it is an attachment itself: what else stands in it is
    another program's.
    """
    todo = [content]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(reversed(item))
        elif isinstance(item, dict):
            source, kept = item.get("source"), item.get("block")
            if isinstance(source, dict) and source.get("type") == "blob":
                yield source.get("sha256")
            if isinstance(kept, dict) and kept.get("type") in ATTACHMENTS:
                todo.append(kept)
            todo.extend(reversed([inner for name, inner in item.items() if name != "block"]))


def wire(block: dict[str, Any], load: Callable[[str], bytes]) -> dict[str, Any]:
    """A block as the API wants it: the bytes in place of their name. Other blocks are returned as they are.

    Args:
        block: a content block of a message.
        load: SHA-256 in hexadecimal to bytes.

    Raises:
        StoreError: from `load`, or the block does not say what it names.
    """
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") != "blob":
        return block
    sha256, media_type = source.get("sha256"), source.get("media_type")
    if not isinstance(sha256, str) or not isinstance(media_type, str):
        raise StoreError("An attachment of this thread does not say where its content is.")
    if media_type == "text/plain":
        text = load(sha256).decode("utf-8", "replace")
        return {**block, "source": {"type": "text", "media_type": media_type, "data": text}}
    data = base64.b64encode(load(sha256)).decode("ascii")
    return {**block, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _read_regular(file: Path, limit: int) -> bytes | None:
    """All bytes of a regular file; None where there are more than `limit`.

    Raises:
        OSError: it cannot be read, or is not a regular file: reading a pipe or device may never end.
    """
    with os.fdopen(open_regular(file), "rb") as opened:
        data = opened.read(limit + 1)
    return data if len(data) <= limit else None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "it may not be read"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "this is not the name of a file"


def _identify(name: str, suffix: str, data: bytes) -> tuple[str, bytes]:
    """The media type of `data`, and the bytes to keep."""
    if media_type := _image_type(data):
        _require_size(name, "an image", data, IMAGE_LIMIT)
        return media_type, data
    # Readers of PDF look for its mark in the first kilobyte.
    if data.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in data[:1024]):
        _require_size(name, "a PDF", data, PDF_LIMIT)
        return "application/pdf", data
    if suffix in _BINARY_SUFFIXES:
        raise AttachmentError(f"{name} does not hold what its name promises. {SUPPORTED}")
    text = _text(data)
    if text is None:
        raise AttachmentError(f"{name} is of a kind that cannot be attached. {SUPPORTED}")
    if not text.strip():
        raise AttachmentError(f"{name} holds nothing but white space; there is nothing to attach.")
    kept = text.encode("utf-8")
    _require_size(name, "a text file", kept, TEXT_LIMIT)
    return "text/plain", kept


def _image_type(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _text(data: bytes) -> str | None:
    """The text that `data` is; None where it is none."""
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _require_size(name: str, kind: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        size = f"{len(data) / MIB:.1f} MB"
        raise AttachmentError(f"{name} is too large: {size}, and {kind} may have {limit // MIB} MB.")


def _shown_name(file: Path) -> str:
    """The file's name as it goes to the model and the screen: always valid Unicode, one line."""
    # isprintable is false for a lone surrogate too, which stands for a byte that is not Unicode.
    return "".join(character if character.isprintable() else "\ufffd" for character in file.name or str(file))


def _keep(blob: Path, data: bytes) -> None:
    try:
        if blob.stat().st_size == len(data):
            return
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StoreError(f"{blob} cannot be read: {error.strerror or error}.") from error
    write_atomic(blob, data)
