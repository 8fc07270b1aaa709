from __future__ import annotations

import base64
import codecs
import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from convend_tui.errors import AttachmentError, StoreError
from convend_tui.paths import Paths
from convend_tui.store import blobs

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"
GIF = b"GIF89a\x01\0\x01\0"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8 "
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"

any_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config.toml", tmp_path / "data", tmp_path / "cache", tmp_path / "state")


def attach(paths: Paths, name: str, data: bytes) -> dict[str, Any]:
    folder = paths.data.parent / "files"
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(data)
    return blobs.attach(paths, file)


def wire(paths: Paths, block: dict[str, Any]) -> dict[str, Any]:
    return blobs.wire(block, lambda sha256: blobs.load(paths, sha256))


def refusal(paths: Paths, name: str, data: bytes) -> str:
    with pytest.raises(AttachmentError) as caught:
        attach(paths, name, data)
    assert not paths.blobs.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.png", PNG, "image/png"),
        ("a.jpg", JPEG, "image/jpeg"),
        ("a.gif", GIF, "image/gif"),
        ("a.webp", WEBP, "image/webp"),
        ("really a jpeg.png", JPEG, "image/jpeg"),
        ("no suffix", PNG, "image/png"),
    ],
)
def test_an_image_goes_there_and_back(paths: Paths, name: str, data: bytes, media_type: str) -> None:
    block = attach(paths, name, data)
    sha256 = hashlib.sha256(data).hexdigest()
    source = {"type": "blob", "sha256": sha256, "media_type": media_type, "name": name}
    assert block == {"type": "image", "source": source}
    assert wire(paths, block) == {
        "type": "image",
        "source": {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()},
    }


@pytest.mark.parametrize(("name", "data"), [("a.pdf", PDF), ("a", PDF), ("a.PDF", b"\n\n" + PDF)])
def test_a_pdf_goes_there_and_back(paths: Paths, name: str, data: bytes) -> None:
    block = attach(paths, name, data)
    assert (block["type"], block["title"]) == ("document", name)
    assert block["source"]["media_type"] == "application/pdf"
    sent = wire(paths, block)
    assert (sent["type"], sent["title"]) == ("document", name)
    assert sent["source"]["media_type"] == "application/pdf"
    assert base64.b64decode(sent["source"]["data"]) == data


@pytest.mark.parametrize(
    "data",
    [
        "Grüße 🦊\n".encode(),
        codecs.BOM_UTF8 + "Grüße 🦊\n".encode(),
        "Grüße 🦊\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Grüße 🦊\n".encode("utf-16-be"),
        "Grüße 🦊\n".encode("utf-32"),
    ],
)
def test_text_of_any_unicode_encoding_is_sent_as_text(paths: Paths, data: bytes) -> None:
    block = attach(paths, "notes.txt", data)
    assert blobs.load(paths, block["source"]["sha256"]) == "Grüße 🦊\n".encode()
    assert wire(paths, block) == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Grüße 🦊\n"},
        "title": "notes.txt",
    }


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "x"},
        {"type": "image", "source": {"type": "url", "url": "https://x"}},
        {"type": "new", "source": "x"},
        {"type": "thinking", "thinking": "", "signature": "s"},
    ],
)
def test_other_blocks_go_as_they_are(paths: Paths, block: dict[str, Any]) -> None:
    assert wire(paths, block) == block


def test_wire_changes_nothing_and_keeps_other_fields(paths: Paths) -> None:
    block = attach(paths, "a.txt", b"x") | {"citations": {"enabled": True}}
    before = json.dumps(block)
    assert wire(paths, block)["citations"] == {"enabled": True}
    assert json.dumps(block) == before


@pytest.mark.parametrize("source", [{}, {"sha256": 5, "media_type": "text/plain"}, {"sha256": "0" * 64}])
def test_a_block_that_names_nothing_is_told(paths: Paths, source: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="does not say"):
        wire(paths, {"type": "document", "source": {"type": "blob"} | source})


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"", "a.txt is empty"),
        ("a.txt", b" \n\t", "nothing but white space"),
        ("a.zip", b"PK\x03\x04\xff\xfe", "of a kind that cannot be attached. Images (PNG, JPEG, GIF, WebP), PDF"),
        ("a.txt", b"a\0b", "of a kind that cannot be attached"),
        ("a.txt", b"Gr\xfc\xdfe", "of a kind that cannot be attached"),
        ("a.txt", codecs.BOM_UTF16_LE + b"x", "of a kind that cannot be attached"),
        ("a.png", b"<html>404</html>", "does not hold what its name promises"),
        ("a.pdf", b"hello", "does not hold what its name promises"),
        ("a.webp", b"RIFF\0\0\0\0WAVE", "does not hold what its name promises"),
        ("a.png", PNG + bytes(blobs.IMAGE_LIMIT), "too large: 5.0 MB, and an image may have 5 MB"),
        ("a.pdf", PDF + bytes(blobs.PDF_LIMIT), "too large to attach: more than 24 MB"),
        ("a.txt", b"x" * (blobs.TEXT_LIMIT + 1), "too large: 10.0 MB, and a text file may have 10 MB"),
        ("a\x1b[31m\nb", b"", "a\ufffd[31m\ufffdb is empty"),
    ],
    ids=range(13),
)
def test_what_cannot_be_attached_is_told(paths: Paths, name: str, data: bytes, expected: str) -> None:
    assert expected in refusal(paths, name, data)


def test_the_limits_themselves_are_allowed(paths: Paths) -> None:
    assert attach(paths, "a.png", PNG.ljust(blobs.IMAGE_LIMIT, b"\0"))["type"] == "image"
    assert attach(paths, "a.pdf", PDF.ljust(blobs.PDF_LIMIT, b"\0"))["type"] == "document"
    assert attach(paths, "a.txt", b"x" * blobs.TEXT_LIMIT)["type"] == "document"


def test_a_pdf_at_the_limit_fits_a_request() -> None:
    assert 4 * (blobs.PDF_LIMIT // 3) <= 32 * blobs.MIB


def test_what_is_not_a_file_is_told_without_waiting(paths: Paths, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    listening.close()
    for file, expected in [
        (tmp_path / "none.png", "there is no such file"),
        (tmp_path, "it is a folder"),
        (Path("/"), "it is a folder"),
        (tmp_path / "pipe", "it is not an ordinary file"),
        (tmp_path / "socket", "it is not an ordinary file"),
        (Path("/dev/zero"), "it is not an ordinary file"),
        (tmp_path / "loop", "symbolic links"),
        (tmp_path / "pipe" / "x", "Not a directory"),
        (Path("a\0b"), "not the name of a file"),
        (Path("\ud800"), "not the name of a file"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path("~nobody-of-that-name/x"), "no such home folder"),
    ]:
        with pytest.raises(AttachmentError, match=expected) as caught:
            blobs.attach(paths, file)
        assert str(caught.value).isprintable()


def test_an_unreadable_file_is_told(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.txt").write_text("x")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AttachmentError, match="it may not be read"):
        blobs.attach(paths, tmp_path / "a.txt")


def test_a_home_folder_and_a_link_are_followed(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert blobs.attach(paths, Path("~/b.txt"))["title"] == "b.txt"


def test_a_name_that_is_not_unicode_can_be_stored(paths: Paths, tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt"))
    file.write_text("x")
    assert blobs.attach(paths, file)["title"].encode() == "\ufffd.txt".encode()


def test_the_same_content_lies_there_once(paths: Paths) -> None:
    sha256 = attach(paths, "a.txt", b"x")["source"]["sha256"]
    blob = paths.blobs / sha256
    assert blob.stat().st_mode & 0o777 == 0o600
    assert paths.blobs.stat().st_mode & 0o777 == 0o700
    first = blob.stat()
    assert attach(paths, "b.md", b"x")["source"]["sha256"] == sha256
    assert (blob.stat().st_ino, blob.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert [file.name for file in paths.blobs.iterdir()] == [sha256]


def test_half_a_blob_is_written_again(paths: Paths) -> None:
    sha256 = attach(paths, "a.txt", b"hello")["source"]["sha256"]
    (paths.blobs / sha256).write_bytes(b"he")
    attach(paths, "a.txt", b"hello")
    assert blobs.load(paths, sha256) == b"hello"


def test_a_missing_or_damaged_blob_is_told(paths: Paths) -> None:
    sha256 = attach(paths, "a.txt", b"hello")["source"]["sha256"]
    (paths.blobs / sha256).write_bytes(b"hallo")
    with pytest.raises(StoreError, match="damaged"):
        blobs.load(paths, sha256)
    (paths.blobs / sha256).unlink()
    with pytest.raises(StoreError, match="missing"):
        blobs.load(paths, sha256)
    os.mkfifo(paths.blobs / sha256)
    with pytest.raises(StoreError, match="cannot be read"):
        blobs.load(paths, sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "/etc/passwd"])
def test_a_name_never_leads_out_of_the_folder(paths: Paths, name: str) -> None:
    with pytest.raises(StoreError, match="no valid name"):
        blobs.load(paths, name)


def test_a_full_disk_leaves_nothing_behind(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        attach(paths, "a.txt", b"hello")
    assert list(paths.blobs.iterdir()) == []


@any_fixture
@given(st.binary(), st.sampled_from(["", ".txt", ".png", ".pdf"]))
@example(b"\xff\xfe\0\0", "")
@example(b"\xff\xfe\x00\xd8", "")
def test_any_bytes_are_attached_whole_or_refused(paths: Paths, data: bytes, suffix: str) -> None:
    try:
        block = attach(paths, f"a{suffix}", data)
    except AttachmentError:
        return
    source = wire(paths, block)["source"]
    kept = source["data"].encode() if source["type"] == "text" else base64.b64decode(source["data"])
    assert blobs.load(paths, block["source"]["sha256"]) == kept
    assert kept == data or block["source"]["media_type"] == "text/plain"


@any_fixture
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")))
def test_any_text_survives(paths: Paths, text: str) -> None:
    if text.strip():
        for encoding in ("utf-8", "utf-16"):
            block = attach(paths, "a.md", text.encode(encoding))
            if block["source"]["media_type"] == "text/plain":
                assert wire(paths, block)["source"]["data"] == text
