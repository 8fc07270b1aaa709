"""Conversations of other programs, and threads of convend's own, into the library.

Two phases: all files are read and written aside (staging.py); then each thread is put in place whole. Any error in the
first phase: nothing was imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from convend_tui import config
from convend_tui.errors import ExchangeError, NotConnected
from convend_tui.exchange import own, reading
from convend_tui.exchange.archive import Entry, Source, open_source
from convend_tui.exchange.incoming import Context, Importer, Incoming, Skip
from convend_tui.exchange.session_titles import Titles
from convend_tui.exchange.staging import Staging, staging
from convend_tui.exchange.telling import Report
from convend_tui.model.connect import Models
from convend_tui.plain import one_line
from convend_tui.store import handle as h
from convend_tui.store.library import Library
from convend_tui.thread import records as r

SESSIONS: Final = "claude_code"
"""The format whose conversation is a whole file of lines."""
FORMATS: Final = [SESSIONS, "claude_export", "chatgpt_export"]
"""Modules of this package, each an `Importer`."""

Progress = Callable[[int, int], None]
"""Is told how many bytes were read, and of how many. What it raises ends the import; nothing was imported then."""

_LOOK: Final = 50
"""Lines within which a file of lines says what it is."""
_STRANGE: Final = 1000
"""Values in no known format from which on a file is taken for something else."""
_NAMED: Final = 20
"""Of these, how many are named one by one."""
_DEEPEST: Final = 200
"""Levels of a record; the reader of thread files has its limits."""
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_STRANGER: Final = "it is no conversation in a format that convend knows"
_UNFIT: Final = "it is nested too deeply, or holds a number or a time that is out of range"
_UNKNOWN: Final = "it holds no conversation in a format that convend knows"
_NOT_TAKEN: Final = {
    "message_feedback.json": "ratings of answers, not conversations",
    "shared_conversations.json": "links that were shared; the conversations are in conversations.json",
    "user.json": "the account, not conversations",
    "users.json": "the account, not conversations",
    "user_settings.json": "settings of the account, not conversations",
    "export_manifest.json": "a list of the export's files",
}
"""Files of an export that are no conversations, by name."""


def import_files(
    library: Library, files: Sequence[Path], settings: r.Settings, progress: Progress = lambda done, total: None
) -> Report:
    """Bring in everything that these files hold; blocks on the disk.

    Args:
        files: exports as files, zips or folders.
        settings: of a new chat.

    Raises:
        ExchangeError: a file cannot be imported, or another import is running. Nothing was imported.
        StoreError: the disk refused. Threads that had been put in place before stay.
    """
    done = total = 0

    def tick(size: int) -> None:
        nonlocal done
        done += size
        progress(min(done, total), total)

    with ExitStack() as opened:
        sources: list[Source] = []
        for file in files:
            source = open_source(file, tick)
            opened.callback(source.close)
            sources.append(source)
        total = max(1, sum(entry.size for source in sources for entry in source.documents))
        with staging(library) as stage:
            importers = _importers()
            skipped = [skip for source in sources for skip in _Reader(stage, source, settings, importers).read()]
            report = stage.place()
    report.skipped[:0] = skipped
    return report


def settings_for(models: Models, wanted: str | None = None) -> r.Settings:
    """The settings of a new chat; where nothing is connected, those of one that will be.

    Args:
        wanted: the model that the person chose.
    """
    try:
        return models.settings(wanted)
    except NotConnected:
        return r.Settings(model=config.DEFAULT_MODEL, system=models.config.system)


def _importers() -> dict[str, Importer]:
    return {name: cast(Importer, import_module(f"convend_tui.exchange.{name}")) for name in FORMATS}


@dataclass(slots=True)
class _Tally:
    """What one file held."""

    known: int = 0
    """Conversations, whether they could be taken or not."""
    strange: int = 0
    skipped: list[Skip] = field(default_factory=list)


class _Reader:
    """Reads one export into the staging."""

    def __init__(self, stage: Staging, source: Source, settings: r.Settings, importers: dict[str, Importer]) -> None:
        self._stage, self._source, self._importers = stage, source, importers
        self._context = Context(settings=settings, asset=source.asset, attach=stage.attach)
        self._now = _Tally()
        self._titles = Titles()

    def read(self) -> list[Skip]:
        """Read it all; returns what did not come in.

        Raises:
            ExchangeError: it cannot be imported.
        """
        skipped = list(self._source.skipped)
        taken, left = 0, {}
        for entry in self._source.documents:
            self._now = _Tally()
            why = None if self._source.alone else _NOT_TAKEN.get(PurePosixPath(entry.name).name)
            if why is None:
                why = self._entry(entry)
            if why is not None:
                left[entry.name] = why
            taken += self._now.known
            skipped += self._now.skipped
        for thread_id, title in self._titles.titles():
            self._stage.name(thread_id, title)
        skipped += self._titles.lost
        if not taken and not (self._source.alone and skipped):
            raise ExchangeError(f"{self._source.name} cannot be imported: {_UNKNOWN}.")
        # JSON that somebody uploaded is an attachment, and no conversation.
        left = {name: why for name, why in left.items() if not self._source.was_used(name)}
        skipped += [Skip(f"{name} in {self._source.name}", why) for name, why in left.items()]
        if unused := self._source.unused:
            what = f"{unused:,} other file{'s' if unused > 1 else ''} in {self._source.name}"
            skipped.append(Skip(what, "no conversation names them"))
        return skipped

    def _entry(self, entry: Entry) -> str | None:
        """Read one file; why it was left out, if it was."""
        name = one_line(entry.name)
        stream = entry.open()
        try:
            text = reading.Pushback(stream.read)
            if reading.is_lines(text.head, entry.name):
                self._lines(reading.lines(text.read, name), name)
            else:
                self._values(reading.values(text.read, name), name)
        except reading.Broken as error:
            # What nobody said to be a conversation need not hold up those that are.
            if self._source.alone or self._now.known or "conversation" in entry.name.lower():
                raise
            return str(error).rstrip(".")
        finally:
            stream.close()
        if self._now.known:
            return None
        if self._source.alone:
            raise ExchangeError(f"{name} cannot be imported: {_UNKNOWN}.")
        self._now.skipped.clear()
        return _UNKNOWN

    # -- the shapes of a file ---------------------------------------------------------------------------------

    def _values(self, values: Iterable[Any], name: str) -> None:
        for number, value in enumerate(values, 1):
            self._value(value, name, f"entry {number} of {name}")
        self._sum_up(name)

    def _lines(self, lines: Iterator[tuple[int, bytes]], name: str) -> None:
        """A file of lines is one thread of convend's, one session, or a conversation a line."""
        head: list[tuple[int, bytes]] = []
        kind: str | None = None
        for number, line in islice(lines, _LOOK):
            head.append((number, line))
            try:
                value = reading.loads(line, "")
            except reading.Broken:
                continue  # it is named where it counts
            if own.is_line(value):
                self._own(own.from_lines(chain(head, lines), name))
                return
            kind = self._kind(value)
            if kind is not None:
                break
        if kind == SESSIONS:
            self._session(chain(head, lines), name)
            return
        for number, line in chain(head, lines):
            self._value(reading.loads(line, f"line {number} of {name}"), name, f"line {number} of {name}")
        self._sum_up(name)

    def _session(self, lines: Iterable[tuple[int, bytes]], name: str) -> None:
        """All lines together. One that is broken is named: a session that is going on may end in half a line."""
        values: list[Any] = []
        size = 0
        for number, line in lines:
            size += len(line)
            if size > reading.LARGEST:
                raise reading.Broken(f"{name} is too large to be read: more than {reading.LARGEST >> 20} MB.")
            try:
                values.append(reading.loads(line, f"line {number} of {name}"))
            except reading.Broken as error:
                self._now.skipped.append(Skip(f"line {number} of {name}", str(error).rstrip(".")))
        self._titles.take(values, self._take(SESSIONS, values, name))
        self._now.skipped = self._titles.hold_back(self._now.skipped)

    def _value(self, value: Any, name: str, what: str) -> None:
        if own.is_document(value):
            self._own(own.from_document(value, name))
        elif (kind := self._kind(value)) is not None:
            self._take(kind, value, what)
        else:
            now = self._now
            now.strange += 1
            if now.strange <= _NAMED:
                now.skipped.append(Skip(what, _STRANGER))
            if now.strange >= _STRANGE and not now.known:
                raise reading.Broken(f"{name} cannot be imported: {_UNKNOWN}.")

    def _sum_up(self, name: str) -> None:
        if (more := self._now.strange - _NAMED) > 0:
            self._now.skipped.append(Skip(f"{more:,} more entries of {name}", _STRANGER))

    # -- one conversation -------------------------------------------------------------------------------------

    def _kind(self, value: Any) -> str | None:
        return next((name for name, importer in self._importers.items() if importer.recognizes(value)), None)

    def _take(self, kind: str, value: Any, what: str) -> Incoming | None:
        """Write a conversation aside, and return it; what cannot come in is told."""
        now = self._now
        now.known += 1
        try:
            found = self._importers[kind].read(value, self._context)
            if isinstance(found, Skip):
                now.skipped.append(found)
                return None
            now.skipped += found.skipped
            origin = {"app": found.source, "conversation": found.key}
            header = h.taken_in(h.new_header(found.thread_id, found.created, found.settings), origin)
            records = (header, *found.records)
            lines = [r.encode(record).rstrip(b"\n") for record in records]
        except (RecursionError, OverflowError, UnicodeEncodeError):
            now.skipped.append(Skip(what, _UNFIT))
            return None
        if any(_too_deep(line) for line in lines):
            now.skipped.append(Skip(what, "it is nested too deeply"))
            return None
        now.skipped += self._stage.add(found.thread_id, records, lines, own=False)  # type: ignore[arg-type]
        return found

    def _own(self, thread: own.Own) -> None:
        self._now.known += 1
        self._now.skipped += thread.skipped
        for sha256, data in thread.blobs:
            if not self._stage.has_blob(sha256):
                self._stage.keep_blob(sha256, data)
        self._now.skipped += own.missing(thread, self._stage.has_blob)
        records = [r.decode(line) for line in thread.lines]
        self._now.skipped += self._stage.add(thread.id, records, thread.lines, own=True)


def _too_deep(line: bytes) -> bool:
    """Whether a line of JSON is nested so deeply that reading it again might fail."""
    if line.count(b"{") + line.count(b"[") <= _DEEPEST:
        return False
    depth = 0
    for byte in _STRINGS.sub(b"", line):
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > _DEEPEST:
            return True
    return False
