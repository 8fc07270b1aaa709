"""Leaving, however it comes: a key, a signal, a terminal that is closed, a disk that is slow, a defect. What was typed
is kept, the terminal is given back, and no process stays."""

from __future__ import annotations

import errno
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual import events
from textual.drivers._writer_thread import WriterThread

from convend_tui.store import drafts
from convend_tui.tui import listing
from convend_tui.tui.app import FINISHING
from convend_tui.tui.terminal import Terminal
from tests.making import paths_in
from tests.tui.conftest import Home

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there")

ROOT = Path(__file__).parents[2]
TYPED = "zebra"
WAITS = """
import os
import time
def fsync(fd, sync=os.fsync):
    while os.path.exists({stop!r}):
        time.sleep(0.01)
    sync(fd)
os.fsync = fsync
"""
"""A disk on which nothing can be synced while a file is there."""
PROTECTED = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
"""
"""What `nohup` does."""


class Played:
    """convend in a terminal of its own, which it controls."""

    def __init__(self, root: Path, at_start: str = "") -> None:
        self.home = root / "home"
        self.home.mkdir()
        (root / "code").mkdir()
        (root / "code" / "sitecustomize.py").write_text(at_start)
        self.written = b""
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            environ = {
                "CONVEND_HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{root / 'code'}:{ROOT}",
                "TERM": "xterm-256color",
            }
            os.execve(sys.executable, [sys.executable, "-m", "convend_tui"], environ)

    def until(self, enough: Callable[[], object]) -> None:
        """Read what it writes until that is so."""
        end = time.monotonic() + 60
        while not enough():
            assert time.monotonic() < end, self.written[-900:]
            self.read()

    def read(self) -> bool:
        """Read on for a moment; False at the end."""
        if not select.select([self.terminal], [], [], 0.02)[0]:
            return True
        try:
            piece = os.read(self.terminal, 1 << 16)
        except OSError as error:
            assert error.errno == errno.EIO  # Linux says so at the end
            return False
        self.written += piece
        return bool(piece)

    @property
    def is_open(self) -> bool:
        """Whether one can write."""
        return b"Enter sends" in self.written

    def types(self) -> None:
        """Type something, and see it."""
        self.until(lambda: self.is_open)
        os.write(self.terminal, TYPED.encode())
        # An update of the screen may bring a letter at a time.
        self.until(lambda: TYPED in re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", self.written.decode("utf-8", "replace")))

    def code(self) -> int:
        """Its exit code, once it has ended."""
        status = 0

        def ended() -> bool:
            nonlocal status
            process, status = os.waitpid(self.process, os.WNOHANG)
            return process != 0

        if self.terminal >= 0:
            self.until(ended)
            while select.select([self.terminal], [], [], 0)[0] and self.read():
                pass
        else:
            end = time.monotonic() + 60
            while not ended():
                assert time.monotonic() < end
                time.sleep(0.02)
        self.process = 0
        return os.waitstatus_to_exitcode(status)

    def kept(self) -> str:
        """What is on the disk of what was typed."""
        return "".join(file.read_text() for file in paths_in(self.home).drafts.glob("*.json"))

    def assert_given_back(self) -> None:
        """The terminal is as a shell wants it."""
        modes = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", self.written))
        on = {name for name, state in modes.items() if state == b"h"}
        assert on == {b"7", b"25"}, on  # lines are wrapped, and the cursor is shown
        assert len(re.findall(rb"\x1b\[>\d+u", self.written)) == len(re.findall(rb"\x1b\[<u", self.written))
        assert termios.tcgetattr(self.terminal)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def close(self) -> None:
        """Close the terminal, as a window is closed."""
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Callable[[str], Played]]:
    started: list[Played] = []

    def start(at_start: str = "") -> Played:
        started.append(Played(tmp_path, at_start))
        return started[-1]

    yield start
    for one in started:
        one.close()
        if one.process:
            os.kill(one.process, signal.SIGKILL)
            os.waitpid(one.process, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_obeyed_in_good_order(played: Callable[..., Played], number: int) -> None:
    convend = played()
    convend.types()
    os.kill(convend.process, number)
    assert convend.code() == 128 + number
    assert TYPED in convend.kept()
    convend.assert_given_back()


@pytest.mark.parametrize("at_start", ["", PROTECTED], ids=["with a signal", "without one"])
def test_a_terminal_that_is_closed_ends_it(played: Callable[..., Played], at_start: str) -> None:
    """Where the signal is ignored, it is seen from what is read and written: it neither stays nor spins."""
    convend = played(at_start)
    convend.types()
    convend.close()
    assert convend.code() == 128 + signal.SIGHUP
    assert TYPED in convend.kept()


def test_behind_a_slow_disk_the_terminal_is_given_back_and_it_is_said_why_it_takes_long(
    played: Callable[..., Played], tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    convend = played(WAITS.format(stop=str(stop)))
    convend.until(lambda: convend.is_open)
    stop.touch()
    convend.types()
    os.write(convend.terminal, b"\x11")
    convend.until(lambda: FINISHING.encode() in convend.written)
    convend.assert_given_back()
    assert TYPED not in convend.kept()
    stop.unlink()
    assert convend.code() == 0
    assert TYPED in convend.kept()


@pytest.mark.parametrize(("redirection", "name"), [("</dev/null", "input"), ("2>/dev/null", "error"), ("<&-", "input")])
def test_without_a_terminal_the_screen_is_not_opened(tmp_path: Path, redirection: str, name: str) -> None:
    program, terminal = pty.openpty()
    words = [sys.executable, "-m", "convend_tui"]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *words],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE if name == "input" else terminal,
        env={"CONVEND_HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    os.close(program)
    os.close(terminal)
    assert done.returncode == 2 and not list(tmp_path.iterdir())


async def test_a_terminal_that_takes_nothing_does_not_keep_the_app_from_going_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is drawn meanwhile is dropped; then all is drawn anew."""
    monkeypatch.setattr("convend_tui.tui.terminal.STALLED_S", 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    taken: list[str] = []
    anew = threading.Event()
    app = SimpleNamespace(soon=lambda call: call(), draw_anew=anew.set)
    driver = Terminal(app)  # type: ignore[arg-type]
    monkeypatch.setattr(driver._file, "write", taken.append)
    driver._writer_thread = WriterThread(driver._file)
    for number in range(100):
        driver.write(str(number))
    driver._writer_thread.start()
    assert anew.wait(60)
    driver.write("all")
    driver.close()
    assert taken[0] == "0" and "99" not in taken and taken[-1] == "all"


async def test_keys_that_were_typed_before_are_let_through(home: Home) -> None:
    """A command has a shorter way than a letter."""
    async with home.app() as me:
        for letter in TYPED:
            me.app.post_message(events.Key(letter, letter))
        me.app.post_message(events.Key("ctrl+q", "\x11"))
        await me.until(lambda: me.app._exit)
    assert drafts.load(home.paths, drafts.NEW).text == TYPED


async def test_keys_that_do_not_get_through_are_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked from a thread, as by the one that reads the keys."""
    monkeypatch.setattr("convend_tui.tui.app.TYPED_S", 0.01)
    async with home.app() as me:
        await me.press(*TYPED)
        monkeypatch.setattr(me.chat, "call_later", lambda *_: False)
        threading.Thread(target=lambda: me.app.soon(lambda: me.app.leave(7))).start()
        await me.until(lambda: me.app.return_code == 7)
    assert drafts.load(home.paths, drafts.NEW).text == TYPED


async def test_a_draft_is_written_while_the_person_types_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "DRAFT_S", 1000)
    monkeypatch.setattr(listing, "DRAFT_MOST_S", 0)
    async with home.app() as me:
        await me.press(*TYPED)
        await me.until(lambda: drafts.load(home.paths, drafts.NEW).text == TYPED)


async def test_a_defect_leaves_what_was_typed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "DRAFT_S", 1000)
    with pytest.raises(ZeroDivisionError):
        async with home.app() as me:
            await me.press(*TYPED)
            me.chat.call_later(lambda: 1 // 0)
            await me.until(lambda: me.app._exception)
    assert drafts.load(home.paths, drafts.NEW).text == TYPED
