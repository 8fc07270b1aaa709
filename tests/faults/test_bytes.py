"""What goes to the terminal and what comes from it, byte for byte: input that is no text, pastes into every input, the
comparison, complaints of the command line, answers in pieces."""

from __future__ import annotations

import importlib
import io
import json
import os
import pty
import random
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from textual import events
from textual.command import CommandInput
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import Input

from convend_tui import cli, logfile
from convend_tui.cli import output
from convend_tui.plain import visible
from convend_tui.tui.compare import CompareScreen
from convend_tui.tui.pasting import PasteParser, take_pastes_whole
from tests.faults.texts import RAW, TEXTS, assert_own
from tests.making import paths_in
from tests.tui.conftest import Home
from tests.tui.test_app_compare import saved

ALL = os.environ.get("CONVEND_FAULTS") == "all"
HOSTILE = " ⁂ ".join(text for name, text in TEXTS.items() if name not in ("long word", "wide"))
NO_TEXT = b"\xff\xfe\xe1\x9b31m\xc3\xe2\x82"
"""Bytes of another encoding, and a character that is cut off."""
ODD_KEYS = (
    "\x1b[55555555u",
    "\x1b[1;:A",
    "\x1b[999999999999999999999u",
    "\x1b[27;1114112:P",
    "\x1b[<35;99999999999999999999;1m",
    "\x1b[48;24;80;0;0t",
)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """All that the app writes to its terminal, which the tests' driver otherwise leaves out."""
    pieces: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "is_headless", property(lambda _: False))
    monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: pieces.append(data))
    yield pieces


# -- what a terminal sends --------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="the driver of Windows gets no bytes")
def test_bytes_that_are_no_text_are_decoded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = vars(importlib.import_module("textual.drivers.linux_driver"))
    for name in ("XTermParser", "getincrementaldecoder"):
        monkeypatch.setitem(driver, name, driver[name])
    take_pastes_whole()
    decode = driver["getincrementaldecoder"]("utf-8")().decode
    decoded = "".join(decode(NO_TEXT[place : place + 1]) for place in range(len(NO_TEXT))) + decode(b"a")
    assert decoded == NO_TEXT.decode("utf-8", "replace") + "a"
    assert decode("é汉".encode()) == "é汉"
    assert driver["XTermParser"] is PasteParser


def test_keys_with_impossible_numbers_are_dropped() -> None:
    parser = PasteParser()
    for odd in ODD_KEYS:
        assert all(isinstance(event, events.Event) for event in parser.feed(odd))
        (key,) = parser.feed("x")
        assert isinstance(key, events.Key) and key.character == "x"


@pytest.mark.skipif(not ALL, reason="seconds: CONVEND_FAULTS=all")
def test_the_screen_survives_any_bytes(tmp_path: Path) -> None:
    sent = [NO_TEXT, b"\x1b[200~" + NO_TEXT + HOSTILE.encode("utf-8", "replace") + b"\x1b[201~"]
    sent += [odd.encode() for odd in ODD_KEYS]
    sent += [bytes(random.Random(seed).randbytes(40)).replace(b"\x11", b"") for seed in range(20)]
    shown = on_the_screen(tmp_path, [*sent, b"\x1b", b"\x1b", b"\x11"])
    assert "crash" not in logfile.file_in(paths_in(tmp_path)).read_text()
    shown = re.sub(
        r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", "", shown[: shown.rindex("\x1b[?1049l")]
    )  # a key copied something
    assert_own(shown.replace("\r\n", "\n").replace("\x1b[?1049h", ""))


def on_the_screen(root: Path, keys: list[bytes]) -> str:
    """What the screen writes to a terminal that sends `keys`, the last of which must end it."""
    master, slave = pty.openpty()
    environ = {name: os.environ[name] for name in ("PATH",)} | {"CONVEND_HOME": str(root), "TERM": "xterm-256color"}
    program = [sys.executable, "-m", "convend_tui"]
    process = subprocess.Popen(program, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True)
    os.close(slave)
    written, until, quiet = b"", time.monotonic() + 90, 0.0
    try:
        while time.monotonic() < until and process.poll() is None:
            ready = select.select([master], [], [], 0.1)[0]
            if ready:
                written, quiet = written + os.read(master, 1 << 16), time.monotonic()
            elif keys and b"\x1b[?1049h" in written and time.monotonic() - quiet > 0.3:
                os.write(master, keys.pop(0))
                quiet = time.monotonic()
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        process.kill()
        os.close(master)
    assert process.wait() == 0 and not keys, written[-600:].decode("utf-8", "replace")
    return written.decode("utf-8")


# -- what the screen writes -------------------------------------------------------------------------------------


async def test_pastes_into_every_input_are_text(home: Home, written: list[str]) -> None:
    """Also those of Textual's own palette, and those of what was copied in the program."""
    saved(home, "The one.", "The other.")
    async with home.app((100, 30)) as me:
        for key, kind in (("ctrl+p", CommandInput), ("ctrl+f", Input), ("f1", Input), ("f4", Input)):
            await me.press(key)
            await me.until(lambda kind=kind: isinstance(me.app.focused, kind))  # type: ignore[misc]
            focused = me.app.focused
            assert isinstance(focused, Input)
            for paste in (me.pastes(HOSTILE), me.press("ctrl+v")):
                focused.value = ""
                me.app._clipboard = HOSTILE
                await paste
                assert "␛" in focused.value and "⟨RLO⟩" in focused.value
                assert "\n" not in focused.value and not RAW.search(focused.value), key
            while me.app.screen is not me.chat:
                await me.press("escape")
    assert_own("".join(written))


@pytest.mark.parametrize("size", [(130, 30), (70, 24)])
async def test_the_comparison_shows_text(home: Home, written: list[str], size: tuple[int, int]) -> None:
    saved(home, f"First {HOSTILE}", f"Second {HOSTILE} more")
    async with home.app(size) as me:
        await me.press("ctrl+t", "enter")
        await me.until(lambda: me.chat.conversation.thread)
        await me.reading()
        await me.press("end", "d")
        await me.until(lambda: isinstance(me.app.screen, CompareScreen))
        await me.sees("␛[38;5;7331m")
        await me.press(*["down"] * 20)
        await me.press("escape")
    assert_own("".join(written))


# -- what commands write ----------------------------------------------------------------------------------------


class Terminal(io.TextIOWrapper):
    """A standard output or standard error that is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("utf-8")


@contextmanager
def on_a_terminal() -> Iterator[Terminal]:
    """Where everything is printed."""
    terminal = Terminal()
    with mock.patch.multiple(sys, stdout=terminal, stderr=terminal):
        yield terminal


@pytest.mark.parametrize(
    "words", [["list", HOSTILE], ["check", "a", HOSTILE], ["list", f"--{HOSTILE.replace(' ', '')}"], [HOSTILE]]
)
def test_wrong_words_are_complained_of_as_text(words: list[str]) -> None:
    with on_a_terminal() as terminal, pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 2
    assert "convend" in terminal.shown
    assert_own(terminal.shown)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_an_answer_in_pieces_is_shown_as_the_whole_would_be(size: int) -> None:
    for name, hostile in TEXTS.items():
        text = f"{hostile} a\tb\n" + hostile * 2 + " می‌خواهم 👩\u200d🚀"
        stream = output.Stream()
        with on_a_terminal() as terminal:
            for start in range(0, len(text), size):
                stream.write(text[start : start + size])
            stream.end()
        assert terminal.shown == visible(text), name
        assert_own(terminal.shown)


def test_lines_of_json_have_no_control_character() -> None:
    with on_a_terminal() as terminal:
        output.emit({HOSTILE: HOSTILE})
    assert json.loads(terminal.shown) == {HOSTILE: HOSTILE}
    assert_own(terminal.shown)
    assert terminal.shown.isascii()
