"""What is wrong with thread files, in words. Everything is read, nothing is written, not even a lock file.

A file is read line by line, and of a message no more is kept than its place in the tree and a digest: memory grows with
the number of messages, not with their size.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import get_args

import msgspec

from convend_tui.errors import NotFound, StoreError, Unreadable
from convend_tui.paths import Paths
from convend_tui.plain import one_line
from convend_tui.store import blobs
from convend_tui.store.library import SUFFIX
from convend_tui.store.log import failed
from convend_tui.thread import outline
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

MOST = 50
"""How many broken lines of one file are named, and how many other problems; the rest is counted."""
FOLDER_MODE, FILE_MODE = 0o700, 0o600

_About = r.Ended | r.Verdict | r.Label | r.Leaf | r.Hide | r.Restore | r.Feedback
_ABOUT = get_args(_About)
"""The records that name a message."""
_LONGEST = 300
"""Characters of a problem; ids in a damaged file may be of any length."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one file or folder."""

    file: Path
    thread: str | None
    """The thread's id; None for a folder."""
    problems: tuple[str, ...]
    messages: int = 0
    """How many there are, as the list counts them."""


class Checker:
    """Checks any number of threads of one installation; each attachment is read once."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._attachments: dict[str, str | None] = {}
        """What is wrong with each attachment that was looked at; None: nothing."""

    def folders(self) -> Iterator[Checked]:
        """The folders of threads and attachments, where something is wrong with them."""
        for folder in (self._paths.threads, self._paths.blobs):
            try:
                problem = _mode_problem(folder.stat().st_mode, FOLDER_MODE)
            except FileNotFoundError:
                continue
            except OSError as error:
                problem = str(failed("read", folder, error))
            if problem:
                yield Checked(folder, None, (problem,))

    def threads(self) -> Iterator[Checked]:
        """All files in the folder of threads, the oldest thread first. A file that goes away meanwhile is left out.

        Raises:
            StoreError: the folder cannot be read.
        """
        folder = self._paths.threads
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(SUFFIX))
        except FileNotFoundError:
            return
        except OSError as error:
            raise failed("read", folder, error) from error
        for name in names:
            try:
                yield self.thread(name.removesuffix(SUFFIX))
            except NotFound:
                continue

    def thread(self, thread_id: str) -> Checked:
        """One thread's file and the attachments that its messages name.

        Raises:
            NotFound: there is no such file.
        """
        file = self._paths.threads / f"{thread_id}{SUFFIX}"
        problems: list[str] = []
        try:
            mode = file.stat().st_mode
            if not stat.S_ISREG(mode):
                return Checked(file, thread_id, ("this is not an ordinary file",))
            content = _read(file)
        except FileNotFoundError:
            if file.is_symlink():
                return Checked(file, thread_id, ("this is a link to nothing",))
            raise NotFound(f"There is no thread {thread_id}.") from None
        except OSError as error:
            return Checked(file, thread_id, (str(failed("read", file, error)),))
        if problem := _mode_problem(mode, FILE_MODE):
            problems.append(problem)
        thread = content.thread()
        if thread is None:
            problems.append(
                "this is not a thread file: " + ("it has no header line" if content.size else "it is empty")
            )
            return Checked(file, thread_id, _told([*problems, *content.line_problems()]))
        problems += _of_header(thread.header, thread_id)
        problems += content.line_problems()
        problems += _at_most(outline.problems_of(thread))
        problems += _lost(content.named - thread.messages.keys())
        problems += _at_most(self._damaged(content.attachments))
        seen = sum(not thread.unseen(message) for message in thread.messages.values())
        return Checked(file, thread_id, _told(problems), seen)

    def _damaged(self, attachments: dict[str, str]) -> list[str]:
        """What is wrong with attachments, given with a message that names each."""
        found = ((message, self._attachment(sha256)) for sha256, message in attachments.items())
        return [f"message {message}: {problem}" for message, problem in found if problem]

    def _attachment(self, sha256: str) -> str | None:
        if sha256 not in self._attachments:
            try:
                blobs.load(self._paths, sha256)
                problem = _mode_problem((self._paths.blobs / sha256).stat().st_mode, FILE_MODE)
                self._attachments[sha256] = f"its attachment {sha256}: {problem}" if problem else None
            except OSError as error:
                self._attachments[sha256] = str(failed("read", self._paths.blobs / sha256, error))
            except StoreError as error:
                self._attachments[sha256] = str(error)
        return self._attachments[sha256]


@dataclass(slots=True)
class _Content:
    """What was read of a file."""

    header: r.Header | None = None
    records: list[r.AnyRecord] = field(default_factory=list)
    """What makes the tree, without what the messages say."""
    named: set[str] = field(default_factory=set)
    """Messages that records are about."""
    attachments: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each attachment, and a message that names it."""
    broken: list[str] = field(default_factory=list)
    more_broken: int = 0
    torn: str | None = None
    size: int = 0

    def take(self, line: bytes, number: int) -> None:
        """Take one line in."""
        if not line.strip():
            return
        try:
            record = r.decode(line)
        except Unreadable as error:
            if len(self.broken) < MOST:
                self.broken.append(f"line {number:,} is broken: {error}")
            else:
                self.more_broken += 1
            return
        match record:
            case r.Unknown():
                return
            case r.Header():
                self.header = self.header or record
            case r.Message():
                for sha256 in blobs.named_in(record.content):
                    self.attachments.setdefault(str(sha256), record.id)
                record = _bare(record)
            case r.Ended() | r.Verdict():
                self.named.add(record.message)
                record = msgspec.structs.replace(record, evidence=[])
            case _:
                if isinstance(record, _ABOUT):
                    self.named.add(record.message)
                return  # no more of it is needed
        self.records.append(record)

    def line_problems(self) -> Iterator[str]:
        """What is wrong with single lines."""
        yield from self.broken
        if self.more_broken:
            yield f"{self.more_broken:,} more lines are broken"
        if self.torn:
            yield self.torn

    def thread(self) -> Thread | None:
        """The tree; None without a header."""
        return Thread(self.header, self.records) if self.header is not None else None


def _read(file: Path) -> _Content:
    """Read a file line by line; once more where somebody was just writing its last line.

    Raises:
        OSError: it cannot be read.
    """
    for _ in range(3):
        content = _Content()
        with file.open("rb") as opened:
            for number, line in enumerate(opened, 1):
                content.size += len(line)
                if not line.endswith(b"\n"):
                    _take_tail(content, line, number)
                    break  # what has come behind it by now would look like a line of its own
                content.take(line, number)
            if content.torn is None or file.stat().st_size == content.size:
                break
    return content


def _take_tail(content: _Content, tail: bytes, number: int) -> None:
    """A last line without its newline. A whole record counts: it is completed by the next one that is written."""
    try:
        r.decode(tail)
    except Unreadable:
        content.torn = f"line {number:,}, the last one, is torn: a write broke off after {len(tail):,} bytes of it"
    else:
        content.take(tail, number)


def _bare(message: r.Message) -> r.Message:
    """A message with a digest of all that it says, enough of it to tell whether it is seen."""
    digest = blake2b(msgspec.json.encode(message, order="sorted"), digest_size=12).hexdigest()
    content: list[r.Block] = [{"type": digest}]
    if r.says_anything(message):
        content.append({"type": "text", "text": "…"})
    if r.tool_calls(message):
        content.append({"type": "tool_use"})
    return r.Message(
        at=message.at, id=message.id, parent=message.parent, role=message.role, content=content, kind=message.kind
    )


def _told(problems: list[str]) -> tuple[str, ...]:
    return tuple(one_line(problem[: 2 * _LONGEST], _LONGEST) for problem in problems)


def _at_most(problems: list[str]) -> list[str]:
    more = len(problems) - MOST
    return [*problems[:MOST], f"and {more:,} more problems of this kind"] if more > 0 else problems


def _of_header(header: r.Header, thread_id: str) -> Iterator[str]:
    if header.format > r.FORMAT:
        yield (
            f"it was written by a newer convend (format {header.format}, this one knows {r.FORMAT}): "
            "it can be read, and not be written"
        )
    if header.id != thread_id:
        yield f"by its name it is the thread {thread_id}, by its header {header.id}: a copy, or renamed"


def _lost(ids: set[str]) -> Iterator[str]:
    """Records about messages that are not there. Of what type they are is not told: not everyone may be shown."""
    if ids:
        shown = ", ".join(one_line(i[:80], 40) for i in sorted(ids)[:4])
        more = f" and {len(ids) - 4:,} more" if len(ids) > 4 else ""
        yield f"there are records about messages that are not in the file: {shown}{more}"


def _mode_problem(mode: int, wanted: int) -> str | None:
    """What is wrong with permissions, where the platform has them."""
    given = stat.S_IMODE(mode)
    if os.name == "nt" or given == wanted:
        return None
    why = "others may get at it" if given & 0o077 else "its owner may not do all that is needed"
    return f"its permissions are {given:04o} and should be {wanted:04o}: {why}"
