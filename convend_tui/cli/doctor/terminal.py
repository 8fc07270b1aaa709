"""The terminal: what it can do, as far as it can be told without drawing on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from convend_tui.cli.doctor.finding import Finding
from convend_tui.plain import one_line

_AREA = "Terminal"
LEAST_COLUMNS, LEAST_ROWS = 60, 16
"""Below this the screen is cramped."""
SLOW_ESCAPE_MS = 100
GIVEN = Path("/proc/self/environ")
_TMUX_S = 3.0


def examine(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """What the environment and the terminal's own driver say."""
    size = _size()
    term = one_line(environ.get("TERM", ""), 40)
    if size is None:
        yield Finding(_AREA, "ok", "No terminal here (a pipe): what follows is what the environment says of one.")
    if term in ("", "dumb") and sys.platform != "win32":
        yield Finding(
            _AREA,
            "warning" if size is None else "wrong",
            f"TERM is {term or 'not set'}: the screen cannot be drawn. The commands work.",
            "Use another terminal, or set TERM to what it is, such as xterm-256color.",
        )
    else:
        yield Finding(_AREA, "ok", f"TERM={term or 'not set'}{_program(environ)}{_inside(environ)}")
    yield _colours(environ, term)
    if size is not None:
        yield _fits(*size)
    yield _encoding(environ)
    yield from _keys(environ, is_terminal=size is not None)


def _size() -> tuple[int, int] | None:
    """Columns and rows; None where there is no terminal."""
    for stream in (sys.__stdout__, sys.__stdin__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            columns, rows = os.get_terminal_size(stream.fileno())  # type: ignore[union-attr]
            return columns, rows
    return None


def _program(environ: Mapping[str, str]) -> str:
    name = one_line(f"{environ.get('TERM_PROGRAM', '')} {environ.get('TERM_PROGRAM_VERSION', '')}", 40)
    return f", {name}" if name else ""


def _inside(environ: Mapping[str, str]) -> str:
    inside = [
        words
        for name, words in (("TMUX", "in tmux"), ("STY", "in screen"), ("SSH_CONNECTION", "over ssh"))
        if environ.get(name)
    ]
    return "".join(f", {words}" for words in inside)


def _colours(environ: Mapping[str, str], term: str) -> Finding:
    if environ.get("NO_COLOR"):
        return Finding(_AREA, "ok", "NO_COLOR is set: no colours. Nothing is told by colour alone.")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or sys.platform == "win32":
        return Finding(_AREA, "ok", "16 million colours")
    colours = "256 colours" if "256" in term else "16 colours or fewer"
    mend = "If the terminal has more, set COLORTERM=truecolor."
    if environ.get("TMUX"):
        mend = "If the terminal has more, set COLORTERM=truecolor, and in tmux.conf: set -as terminal-features ',*:RGB'"
    return Finding(_AREA, "ok", f"{colours} (COLORTERM is not set)", mend)


def _fits(columns: int, rows: int) -> Finding:
    said = f"{columns} columns, {rows} rows"
    if columns >= LEAST_COLUMNS and rows >= LEAST_ROWS:
        return Finding(_AREA, "ok", said)
    return Finding(
        _AREA,
        "warning",
        f"{said}: little room.",
        f"Make the window larger: {LEAST_COLUMNS} columns and {LEAST_ROWS} rows at least.",
    )


def _encoding(environ: Mapping[str, str]) -> Finding:
    if sys.platform in ("win32", "darwin"):
        return Finding(_AREA, "ok", "UTF-8")
    names = ("LC_ALL", "LANG") if _is_coerced(environ) else ("LC_ALL", "LC_CTYPE", "LANG")
    name = next((name for name in names if environ.get(name)), None)
    value = one_line(environ[name], 40) if name else ""
    if "utf8" in value.lower().replace("-", ""):
        return Finding(_AREA, "ok", f"UTF-8 ({name}={value})")
    return Finding(
        _AREA,
        "warning",
        f"The locale is not UTF-8 ({name}={value})." if name else "The locale is not set (LC_ALL, LC_CTYPE, LANG).",
        "Set LANG to a UTF-8 one, such as C.UTF-8; else frames and other scripts may come out as question marks.",
    )


def _is_coerced(environ: Mapping[str, str]) -> bool:
    """Whether Python itself set LC_CTYPE, because the person's locale knows nothing but ASCII."""
    if environ is not os.environ or environ.get("LC_ALL") or environ.get("LANG", "C") not in ("", "C", "POSIX"):
        return False
    try:
        given = GIVEN.read_bytes()  # as the program was started with it
    except OSError:
        return False
    return b"LC_CTYPE=" not in given


def _keys(environ: Mapping[str, str], *, is_terminal: bool) -> Iterator[Finding]:
    if sys.platform == "win32":
        yield Finding(
            _AREA,
            "ok",
            "Enter sends, Ctrl+J makes a new line.",
            "If both send, use Windows Terminal: the older console makes one key of them.",
        )
    elif is_terminal or environ.get("TERM"):
        yield Finding(
            _AREA,
            "ok",
            "Enter sends, Ctrl+J makes a new line. The two are told apart: keys are read raw, where one is a carriage "
            "return and the other a line feed.",
            None if is_terminal else "If both send, the terminal is set up to make one of the two: look at its keys.",
        )
    delay = _tmux_delay() if environ.get("TMUX") else None
    if delay is not None and delay > SLOW_ESCAPE_MS:
        yield Finding(_AREA, "warning", f"tmux holds Esc back for {delay} ms.", "In tmux.conf: set -sg escape-time 10")


def _tmux_delay() -> int | None:
    """tmux's escape-time in ms; None where it does not say."""
    tmux = shutil.which("tmux")
    if tmux is None:
        return None
    try:
        done = subprocess.run(
            [tmux, "show-options", "-sv", "escape-time"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TMUX_S,
            check=True,
        )
        return int(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
