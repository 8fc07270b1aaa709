"""What a thread can be exported to: one table, and the writing of the file. What a format needs is imported with it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from convend_tui import config
from convend_tui.config import Config
from convend_tui.errors import ExchangeError, UsageError
from convend_tui.files import write_atomic
from convend_tui.paths import Paths
from convend_tui.store import blobs
from convend_tui.store.log import failed
from convend_tui.thread.tree import Thread

LONGEST_NAME = 60
"""Characters of a title in the name of a file."""
_LONGEST_NAME_BYTES = 180
_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}
"""Names that Windows keeps for devices, whatever the ending."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be exported, and how."""

    paths: Paths
    file: Path
    """The thread's file."""
    opened: Thread | None = None
    """The thread; not needed where the file goes as it is."""
    leaf: str | None = None
    """The end of the path; of a whole tree, the branch that is shown first."""
    tree: bool = False
    """Markdown: every branch."""
    with_blobs: bool = False
    """JSON: with the attachments' bytes."""
    config: Config | None = None
    """The settings, where they are known already."""
    warn: Callable[[str], None] = field(default=lambda _: None)
    """Told, in a sentence, of what could not come along."""

    @property
    def thread(self) -> Thread:
        """The thread of a format that needs it."""
        assert self.opened is not None
        return self.opened

    def load_blob(self, sha256: str) -> bytes:
        """An attachment's bytes; raises StoreError."""
        return blobs.load(self.paths, sha256)


@dataclass(frozen=True, slots=True)
class Format:
    """One format. `write` gives the file in pieces, each of whole characters; it raises ConvendError."""

    name: str
    suffixes: tuple[str, ...]
    """Endings of files in it, the usual one first."""
    scope: Literal["path", "tree", "file"]
    """One path; every branch; or the thread's file as it is, whatever is in it."""
    text: str
    """A few words on it."""
    write: Callable[[Job], Iterator[bytes]]


def _markdown(job: Job) -> Iterator[bytes]:
    from convend_tui.exchange.markdown import markdown

    return _encoded(markdown(job.thread, job.leaf, tree=job.tree))


def _json(job: Job) -> Iterator[bytes]:
    from convend_tui.exchange.document import document

    return _encoded(document(job.file, load_blob=job.load_blob if job.with_blobs else None, warn=job.warn))


def _jsonl(job: Job) -> Iterator[bytes]:
    try:
        with job.file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise failed("read", job.file, error) from error


def _html(job: Job) -> Iterator[bytes]:
    from convend_tui.exchange.html import page

    return _encoded(page(job.thread, job.leaf, load_blob=job.load_blob))


def _asciicast(job: Job) -> Iterator[bytes]:
    from convend_tui.exchange.asciicast import asciicast
    from convend_tui.replay import Replay

    return _encoded(asciicast(Replay(job.thread, job.leaf), title=job.thread.title))


def _messages(job: Job) -> Iterator[bytes]:
    from convend_tui.exchange.messages_body import abilities_of, encoded, messages_body

    settings = job.config or config.load(job.paths)
    abilities = abilities_of(job.thread, settings, job.paths)
    return _encoded([encoded(messages_body(job.thread, job.leaf, load_blob=job.load_blob, abilities=abilities))])


def _encoded(texts: Iterable[str]) -> Iterator[bytes]:
    return (text.encode("utf-8", "replace") for text in texts)


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("markdown", (".md", ".markdown"), "path", "this branch, to read", _markdown),
        Format("html", (".html", ".htm"), "tree", "every branch, as a page for the browser", _html),
        Format("json", (".json",), "tree", "everything, to be imported again", _json),
        Format("jsonl", (".jsonl",), "file", "the thread's own file, byte for byte", _jsonl),
        Format("messages", (".request.json",), "path", "this branch, as a request to the API", _messages),
        Format("asciicast", (".cast",), "path", "this branch, as a replay for asciinema", _asciicast),
    )
}
"""By name, in the order in which they are offered."""
DEFAULT = "markdown"


def format_of(name: str | None, file: str | None = None) -> Format:
    """The format of that name; without one, by the ending of the file's name; else Markdown.

    Raises:
        UsageError: there is no such format; the message names those there are.
    """
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"There is no format {name!r}. There are {', '.join(FORMATS)}.")
        return FORMATS[name]
    endings = sorted(((s, one) for one in FORMATS.values() for s in one.suffixes), key=lambda pair: -len(pair[0]))
    fitting = (one for suffix, one in endings if file is not None and file.casefold().endswith(suffix))
    return next(fitting, FORMATS[DEFAULT])


def write_export(chosen: Format, job: Job, file: Path, *, force: bool = False) -> None:
    """Write an export to a file; whole, or not at all.

    Args:
        force: in place of a file that is there.

    Raises:
        ExchangeError: there is a file of that name, or none can be made there.
        ConvendError: the thread cannot be exported so, or the disk refused. What was there stands.
    """
    target = _target(file, job.paths, force)
    write_atomic(target, b"".join(chosen.write(job)))


def _target(file: Path, paths: Paths, force: bool) -> Path:
    """Where to write, or why not."""
    try:
        there, target = file.exists(), file.resolve()
        if not target.parent.is_dir():
            raise ExchangeError(f"{file} cannot be written: there is no folder {target.parent}.")
        if target.is_dir():
            raise ExchangeError(f"{file} is a folder. Name a file in it.")
        if there and not target.is_file():
            # A device or a pipe: taking its name away would do harm.
            raise ExchangeError(f"{file} is not an ordinary file. Without a file, the export goes to standard output.")
        own = [folder.resolve() for folder in (paths.threads, paths.blobs, paths.trash)]
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ExchangeError(f"{file} cannot be written: {reason}.") from error
    if any(target.is_relative_to(folder) for folder in own):
        raise ExchangeError(f"{file} cannot be written: convend keeps its own files in that folder.")
    if there and not force:
        raise ExchangeError(f"{file} exists already; it was not touched.")
    return target


def free_name(title: str, suffix: str, folder: Path) -> str:
    """As `file_name`, with a number where the folder has a file of that name already."""
    name = file_name(title, suffix)
    stem, number = name.removesuffix(suffix), 2
    while os.path.lexists(folder / name):
        name = f"{stem}-{number}{suffix}"
        number += 1
    return name


def file_name(title: str, suffix: str) -> str:
    """A name for an export, made from the thread's title: letters and digits with hyphens between them, on every
    system a name for a file."""
    words = "".join(c if c.isalnum() or unicodedata.category(c) in ("Mn", "Mc") else " " for c in _composed(title))
    name = "-".join(words.split())[:LONGEST_NAME]
    name = name.encode("utf-8", "ignore")[:_LONGEST_NAME_BYTES].decode("utf-8", "ignore").strip("-")
    if not name or name.casefold() in _RESERVED:
        name = f"chat-{name}".rstrip("-")
    return name + suffix


def _composed(title: str) -> str:
    return unicodedata.normalize("NFC", title)
