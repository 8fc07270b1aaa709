"""Where an export comes from: a file, a folder, or a zip that is never unpacked to the disk.

A zip is not believed: sizes in its headers only move the progress bar; what really comes out is counted against what
the file itself weighs. Nothing of it is written under a name that it chose.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from convend_tui.errors import ExchangeError
from convend_tui.exchange.incoming import Skip
from convend_tui.plain import one_line
from convend_tui.store.blobs import PDF_LIMIT

_DOCUMENTS: Final = (".json", ".jsonl", ".ndjson")
_CONVERSATIONS: Final = "conversations"
_MAGIC: Final = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"SQLite format 3": "a database",
}
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_RATIO: Final = 200
"""JSON is packed to a tenth or a twentieth; a bomb to a thousandth."""
_ROOM: Final = 64 << 20
"""Bytes that any zip may give."""
_DIRECTORY: Final = 16 << 20
"""Bytes of a zip's list of files: enough for a hundred thousand."""
_MOST_FILES: Final = 200_000
_DAMAGED: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, NotImplementedError),
    *(ValueError, OverflowError),  # of places and names that cannot be
)
"""What reading a damaged zip raises."""
_SHORTEST_ID: Final = 8
"""Characters by which a file is found within its name."""


class Stream:
    """The bytes of one file of an export, counted."""

    def __init__(self, file: BinaryIO, name: str, count: Callable[[int], None]) -> None:
        self._file, self._name, self._count = file, name, count

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end.

        Raises:
            ExchangeError: it is damaged, or more comes out of a zip than can be right.
        """
        try:
            data = self._file.read(size)
        except _DAMAGED as error:
            raise ExchangeError(f"{self._name} is damaged: {_one_sentence(error)}.") from error
        except OSError as error:
            raise ExchangeError(f"{self._name} cannot be read: {error.strerror or error}.") from error
        self._count(len(data))
        return data

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an export."""

    name: str
    """Its path within, with slashes."""
    size: int
    """Bytes, by its own account: for the progress bar only."""
    open: Callable[[], Stream]


@dataclass(slots=True)
class Source:
    """All files of an export."""

    name: str
    """Of the file or folder that the person named."""
    entries: list[Entry]
    skipped: list[Skip] = field(default_factory=list)
    alone: bool = False
    """It is one file, which the person named."""
    close: Callable[[], None] = lambda: None
    _names: str | None = None
    _starts: list[int] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    @property
    def documents(self) -> list[Entry]:
        """The files that may hold conversations."""
        return [entry for entry in self.entries if self.alone or entry.name.lower().endswith(_DOCUMENTS)]

    @property
    def unused(self) -> int:
        """How many other files nobody asked for."""
        if self.alone:
            return 0
        others = (entry.name for entry in self.entries if not entry.name.lower().endswith(_DOCUMENTS))
        return sum(not self.was_used(name) for name in others)

    def was_used(self, name: str) -> bool:
        """Whether a file was asked for as an asset."""
        return name in self._used

    def asset(self, words: str) -> tuple[str, bytes] | None:
        """Name and bytes of the file that is called so, or has this id in its name; None where there is none, or more
        than can be attached."""
        found = None if self.alone else self._find(words)
        if found is None:
            return None
        stream = found.open()
        try:
            pieces: list[bytes] = []
            size = 0
            while size <= PDF_LIMIT and (piece := stream.read(1 << 20)):
                pieces.append(piece)
                size += len(piece)
        finally:
            stream.close()
        self._used.add(found.name)
        return (PurePosixPath(found.name).name, b"".join(pieces)) if size <= PDF_LIMIT else None

    def _find(self, words: str) -> Entry | None:
        """By whole name where only one file has it; by a part of the name that is no part of a longer word."""
        if not words or "\n" in words:
            return None
        words = _composed(words)
        if self._names is None:
            names = [_composed(PurePosixPath(entry.name).name.replace("\n", " ")) for entry in self.entries]
            self._names = "\n" + "".join(f"{name}\n" for name in names)
            self._starts = [1]
            for name in names:
                self._starts.append(self._starts[-1] + len(name) + 1)
        name = PurePosixPath(words).name
        same = list(_places(self._names, f"\n{name}\n"))
        if len(same) == 1:
            return self._at(same[0] + 1)
        if same:
            return next((entry for entry in self.entries if _composed(entry.name) == words), None)
        if len(words) < _SHORTEST_ID:
            return None
        for place in _places(self._names, words):
            around = self._names[place - 1] + self._names[place + len(words)]
            if not any(character.isalnum() for character in around):
                return self._at(place)
        return None

    def _at(self, place: int) -> Entry | None:
        entry = self.entries[bisect_right(self._starts, place) - 1]
        # What somebody uploaded may be JSON too.
        return None if PurePosixPath(entry.name).name.startswith(_CONVERSATIONS) else entry


def open_source(path: Path, tick: Callable[[int], None]) -> Source:
    """Open what the person named: a file, a folder or a zip.

    Args:
        tick: is told of each piece of a document that is read, in bytes.

    Raises:
        ExchangeError: it is missing or cannot be read, is of another kind, or is a zip that cannot be trusted.
    """
    name, shown = one_line(path.name or str(path)), one_line(str(path))
    try:
        path = path.expanduser()
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _folder(path, name, tick)
        if not stat.S_ISREG(mode):
            raise ExchangeError(f"{name} is not an ordinary file.")
        with path.open("rb") as file:
            head = file.read(512)
    except (RuntimeError, ValueError):
        raise ExchangeError(f"{shown} is not the name of a file.") from None
    except FileNotFoundError:
        raise ExchangeError(f"There is no file {shown}.") from None
    except OSError as error:
        raise ExchangeError(f"{shown} cannot be read: {error.strerror or error}.") from error
    if head.startswith(_ZIP):
        return _zip(path, name, tick)
    if wrong := _wrong(head):
        raise ExchangeError(f"{name} cannot be imported: it {wrong}.")
    entry = Entry(name, path.stat().st_size, lambda: _opened(path, name, tick))
    return Source(name, [entry], alone=True)


def _wrong(head: bytes) -> str | None:
    """What a file is that is no JSON, by its first bytes."""
    if not head:
        return "is empty"
    kind = next((kind for mark, kind in _MAGIC.items() if head.startswith(mark)), None)
    if kind is not None:
        return f"is {kind}, not an export"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "is a web page; the conversations are in the file conversations.json of the same export"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16; exports are UTF-8"
    return "is not text" if b"\0" in head else None


def _opened(path: Path, name: str, tick: Callable[[int], None]) -> Stream:
    try:
        return Stream(path.open("rb"), name, tick)
    except OSError as error:
        raise ExchangeError(f"{one_line(str(path))} cannot be read: {error.strerror or error}.") from error


def _folder(root: Path, name: str, tick: Callable[[int], None]) -> Source:
    """All files below a folder. Links are not followed."""
    source = Source(name, [])

    def unreadable(error: OSError) -> None:
        source.skipped.append(Skip(str(error.filename), f"cannot be read: {error.strerror}"))

    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders.sort()
        links = [link for link in folders if Path(folder, link).is_symlink()]
        for file in sorted(files + links):
            path = Path(folder, file)
            within = path.relative_to(root).as_posix()
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                source.skipped.append(Skip(within, "a link or no ordinary file"))
                continue
            count = tick if within.lower().endswith(_DOCUMENTS) else _ignore
            source.entries.append(Entry(within, found.st_size, partial(_opened, path, within, count)))
            if len(source.entries) > _MOST_FILES:
                raise ExchangeError(f"{name} holds more than {_MOST_FILES:,} files.")
    return source


def _zip(path: Path, name: str, tick: Callable[[int], None]) -> Source:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if _directory_size(file, size) > _DIRECTORY:
                raise ExchangeError(f"{name} holds too many files.")
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise ExchangeError(f"{name} is a damaged zip: {_one_sentence(error)}.") from error
    except OSError as error:
        raise ExchangeError(f"{one_line(str(path))} cannot be read: {error.strerror or error}.") from error
    source = Source(name, [], close=archive.close)
    budget = _Budget(name, _ROOM + _RATIO * size)
    try:
        for info in _trusted(archive.infolist(), source):
            is_document = info.filename.lower().endswith(_DOCUMENTS)
            source.entries.append(_member(archive, info, name, budget, tick if is_document else _ignore))
    except ExchangeError:
        archive.close()
        raise
    return source


def _trusted(members: Iterable[zipfile.ZipInfo], source: Source) -> Iterator[zipfile.ZipInfo]:
    """The files of a zip that can be read. The others are named.

    Raises:
        ExchangeError: a name leads out of the zip: whoever made it meant harm.
    """
    seen: set[str] = set()
    for info in members:
        name = info.filename
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or not parts[0] or (len(parts[0]) > 1 and parts[0][1] == ":"):
            raise ExchangeError(f"{source.name} holds a file whose name leads out of it: {one_line(name)}.")
        why = None
        if info.is_dir():
            continue
        if stat.S_IFMT(info.external_attr >> 16) == stat.S_IFLNK:
            why = "a link"
        elif info.flag_bits & 0x1:
            why = "encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            why = "packed in a way that convend does not read"
        elif name in seen:
            why = "a second file of this name"
        elif name.lower().endswith(".zip"):
            why = "a zip inside the zip; import it by itself"
        seen.add(name)
        if why is None:
            yield info
        else:
            source.skipped.append(Skip(f"{name} in {source.name}", why))


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: _Budget, tick: Callable[[int], None]
) -> Entry:
    within = one_line(f"{info.filename} in {name}")

    def count(size: int) -> None:
        budget.take(size)
        tick(size)

    def opened() -> Stream:
        try:
            return Stream(archive.open(info), within, count)  # type: ignore[arg-type]
        except (*_DAMAGED, OSError) as error:
            raise ExchangeError(f"{within} is damaged: {_one_sentence(error)}.") from error

    return Entry(info.filename, info.file_size, opened)


class _Budget:
    """How much may come out of a zip."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._left = name, limit

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ExchangeError(f"{self._name} unpacks to far more than an export would: this may be a zip bomb.")


def _directory_size(file: BinaryIO, size: int) -> int:
    """Bytes of a zip's list of files, which is read as a whole."""
    start = max(0, size - (1 << 16) - 22)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise zipfile.BadZipFile("its end is missing")
    found = int(struct.unpack_from("<L", tail, end + 12)[0])
    if found == 0xFFFFFFFF and start + end >= 20:
        file.seek(start + end - 20)
        locator = file.read(20)
        file.seek(struct.unpack_from("<Q", locator, 8)[0])
        found = int(struct.unpack_from("<Q", file.read(56), 40)[0])
    return found


def _one_sentence(error: BaseException) -> str:
    """What another library says, on one line and without its full stop."""
    if isinstance(error, UnicodeDecodeError):
        return "a name in it is not text"
    if isinstance(error, OSError) and error.errno != errno.EINVAL:
        return error.strerror or str(error)
    if isinstance(error, OSError | OverflowError | ValueError):
        return "a file in it lies where there is none"
    return one_line(str(error)).strip().rstrip(".") or type(error).__name__


def _composed(name: str) -> str:
    """A name in the form in which all names are compared: macOS takes letters and their accents apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _places(text: str, words: str) -> Iterator[int]:
    place = -1
    with suppress(ValueError):
        while True:
            place = text.index(words, place + 1)
            yield place


def _ignore(size: int) -> None:
    """Attachments are not part of the progress."""
