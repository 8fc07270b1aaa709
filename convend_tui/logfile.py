"""The log file: what convend did and how it failed, never what was said.

A line is a time, a process, an event and `name=value` pairs. Values are ids, names, numbers and types: whatever else
one holds is taken out of it here, so that no text, key or address with a password gets in by mistake. Of an exception
there are its type and the places in the code, not its words, which may quote anything.

Lines are written by a thread of their own. A slow disk delays nobody; a disk that refuses is no reason to fail.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePath
from time import monotonic
from types import TracebackType

from convend_tui import __version__, paths
from convend_tui.errors import ModelError, StoreError
from convend_tui.paths import Paths

NAME = "convend.log"
MOST_BYTES = 256 * 1024
"""Of one file; then it is put aside."""
OLD_FILES = 2
"""How many that were put aside are kept, `convend.log.1` the newest."""
CLOSE_S = 1.0
"""Seconds that the end of the program waits for a disk."""
_MOST_WAITING = 500
"""Lines that wait for a disk; what comes then is counted, and lost."""
_MOST_FRAMES = 40
_MOST_CHAINED = 5
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._:/@+~*,<>-]+")
_LONGEST = 100
_WORD = re.compile(r"[a-z_]{1,40}")

Value = str | int | float | bool | None


class _Noted(logging.Handler):
    """What asyncio would print: a task whose error nobody took, with its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            note_error("asyncio", error)


class LogFile:
    """Appends to one log file. Nothing is opened, and no thread begins, before the first line."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._busy = False
        self._lost = 0
        self.failed = False
        """Whether the last line could not be written."""

    def add(self, line: str) -> None:
        """Have a line written soon. Does not block, and does not fail."""
        with self._changed:
            if self._closing:
                return
            if len(self._lines) >= _MOST_WAITING:
                self._lost += 1
                return
            self._lines.append(line.encode("utf-8", "replace") + b"\n")
            if self._thread is None:
                # A daemon: a disk that hangs does not keep the program from ending.
                self._thread = threading.Thread(target=self._work, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float = CLOSE_S) -> bool:
        """Wait until everything is written, for a while at most. Returns whether it is."""
        with self._changed:
            idle = self._changed.wait_for(lambda: not self._lines and not self._busy, seconds)
            return idle and not self.failed

    def close(self) -> None:
        """Write what there is, for a while at most. Later lines are dropped."""
        self.flush()
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                data = b"".join(self._lines)
                if self._lost:
                    data += _line("lines.lost", {"count": self._lost}).encode() + b"\n"
                self._lines.clear()
                self._lost = 0
                self._busy = True
            try:
                self._append(data)
                self.failed = False
            except (OSError, StoreError):
                self.failed = True
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _append(self, data: bytes) -> None:
        paths.ensure(self.file.parent)
        with suppress(FileNotFoundError):
            if self.file.stat().st_size >= MOST_BYTES:
                self._put_aside()
        # Opened each time: another process may have put the file aside in the meantime.
        handle = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(data)

    def _put_aside(self) -> None:
        for number in range(OLD_FILES, 0, -1):
            older = self.file.with_name(f"{NAME}.{number}")
            newer = self.file.with_name(f"{NAME}.{number - 1}") if number > 1 else self.file
            with suppress(FileNotFoundError):
                newer.replace(older)


_open: LogFile | None = None
_start: str | None = None
"""The line that says what was started; written with the first line that follows it."""


def file_in(places: Paths) -> Path:
    """Where the log of an installation is."""
    return places.state / "log" / NAME


def start(places: Paths, what: str) -> None:
    """From here on notes go to the log of this installation. Nothing is written before the first of them.

    Args:
        what: the screen, or the name of the command.
    """
    global _open, _start
    if _open is not None and _open.file == file_in(places):
        return
    stop()
    _open = LogFile(file_in(places))
    python = ".".join(map(str, sys.version_info[:3]))
    asyncio = logging.getLogger("asyncio")
    if not any(isinstance(handler, _Noted) for handler in asyncio.handlers):
        asyncio.addHandler(_Noted())
    fields: dict[str, Value] = {"what": what, "convend": __version__, "python": python, "platform": sys.platform}
    _start = _line("started", fields)


def stop() -> None:
    """Write what is waiting, for a moment at most, and let go of the log."""
    global _open, _start
    if _open is not None:
        if _start is None:
            note("stopped")
        _open.close()
    _open = _start = None


def note(event: str, **fields: Value) -> None:
    """Write down that something happened; nothing where no log was started. Cheap, and never fails.

    Args:
        event: a word or two with a dot between them.
        fields: ids, names, numbers, kinds; None is left out. Never text of a person, a model or a server.
    """
    global _start
    log = _open
    if log is None:
        return
    first, _start = _start, None
    if first is not None:
        log.add(first)
    log.add(_line(event, fields))


def note_error(event: str, error: BaseException, **fields: Value) -> None:
    """`note`, with the types of an error and of what caused it, and the codes that it has."""
    note(event, **fields, **_codes(error), error=",".join(_name(one) for one in _chain(error)))


def crashed(places: Paths, error: BaseException) -> str:
    """Write down an error that nobody expected, with the places in the code that it came through.

    Returns:
        A sentence for the person: what happened and where more is.
    """
    start(places, "unknown")
    log = _open
    assert log is not None
    note_error("crash", error)
    for one in _chain(error):
        log.add(f"  {_name(one)}")
        for place in _places(one.__traceback__):
            log.add(f"    {place}")
    written = log.flush()
    more = f"More is in {log.file}, without your texts and keys." if written else "The log could not be written."
    return f"convend stopped because of a defect of its own ({_name(error)}). {more}"


def last_crash(file: Path) -> str | None:
    """When and at what convend stopped last because of a defect, as the log has it; None: it has none, or there is no
    log."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    words = next((line.split() for line in reversed(lines) if line[24:].split()[1:2] == ["crash"]), None)
    if words is None:
        return None
    kind = next((word.removeprefix("error=") for word in words if word.startswith("error=")), "unknown")
    return f"{words[0]} ({kind})"


class TurnNotes:
    """Notes of one turn; a context manager, left at its end, however that comes."""

    def __init__(self, **ids: Value) -> None:
        self._ids = ids
        self._began = monotonic()
        self._first: int | None = None
        self._retries = 0
        self._over = False
        self.request_id: str | None = None
        """Of the request that was answered last."""

    def __enter__(self) -> TurnNotes:
        note("turn.started", **self._ids)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._over:
            return
        if error is None or isinstance(error, ModelError | StoreError):
            self.failed(error)
        elif isinstance(error, Exception):
            note_error("turn.failed", error, **self._ids, **self._times())
        else:
            note("turn.stopped", **self._ids, **self._times())  # by the person, or the end of the program

    def arriving(self) -> None:
        """Something of the answer has arrived."""
        if self._first is None:
            self._first = self._ms()

    def retry(self, error: ModelError, wait: float) -> None:
        """The request failed and is sent again after so many seconds."""
        self._retries += 1
        note_error("turn.retry", error, thread=self._ids.get("thread"), number=self._retries, wait_s=round(wait, 1))

    def ended(self, message: str, stop_reason: str | None) -> None:
        """The turn is over, and its last reply on the disk."""
        self._over = True
        times = self._times()
        # A server may say anything for a reason to stop.
        stop = stop_reason if stop_reason is None or _WORD.fullmatch(stop_reason) else "other"
        note("turn.ended", **self._ids, reply=message, stop=stop, **times, request_id=self.request_id)

    def failed(self, error: ModelError | StoreError | None) -> None:
        """No answer came, or it broke off."""
        self._over = True
        if error is None:
            note("turn.failed", **self._ids, **self._times())
        else:
            note_error("turn.failed", error, **self._ids, **self._times())

    def _times(self) -> dict[str, Value]:
        return {"first_ms": self._first, "total_ms": self._ms(), "retries": self._retries}

    def _ms(self) -> int:
        return round((monotonic() - self._began) * 1000)


def _line(event: str, fields: dict[str, Value]) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    pairs = (f"{name}={_plain(value)}" for name, value in fields.items() if value is not None)
    return " ".join([at, str(os.getpid()), event, *pairs])


def _plain(value: Value) -> str:
    """A value as one word of harmless characters."""
    return _NOT_PLAIN.sub("?", str(value)[:_LONGEST]) or "-"


def _name(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    code = errno.errorcode.get(error.errno) if isinstance(error, OSError) and error.errno else None
    return _plain(f"{name}:{code}" if code else name)


def _codes(error: BaseException) -> dict[str, Value]:
    if not isinstance(error, ModelError):
        return {}
    kind = error.kind if _WORD.fullmatch(error.kind) else "other"
    return {"kind": kind, "status": error.status, "failed_request": error.request_id}


def _chain(error: BaseException) -> list[BaseException]:
    """An error and those that led to it, the innermost last."""
    found: list[BaseException] = []
    todo = [error]
    while todo and len(found) < _MOST_CHAINED:
        one = todo.pop(0)
        if one in found:
            continue
        found.append(one)
        inner = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        todo += [inner] if inner is not None else []
        todo += one.exceptions if isinstance(one, BaseExceptionGroup) else []
    return found


def _places(trace: TracebackType | None) -> Iterator[str]:
    """Where in the code an error went through: file, line and function. No values, and no lines of code."""
    for frame, line in deque(traceback.walk_tb(trace), _MOST_FRAMES):
        parts = PurePath(frame.f_code.co_filename).parts
        yield _plain(f"{'/'.join(parts[-3:])}:{line}") + f" in {_plain(frame.f_code.co_name)}"
