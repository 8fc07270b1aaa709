"""`convend replay`: at once on a pipe, in time on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convend_tui.cli import replay as cli_replay
from convend_tui.thread import records as r
from tests.engine.commands import Home, chat
from tests.making import Branch, at, call, result

HOSTILE = "\x1b]0;evil\x07"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without a server that answers."""
    return Home(tmp_path)


def timed(*chunks: list[int], total: int) -> dict[str, Any]:
    return {"first_ms": chunks[0][0], "total_ms": total, "chunks": list(chunks)}


def ended() -> tuple[Branch, list[r.Record]]:
    """A short conversation whose times are recorded, up to its ending."""
    branch = Branch().typed("fool")
    branch.reply("Hm.", call("1"), timing=timed([100, 3], total=200)).guard(result("1"))
    branch.reply({"type": "thinking", "thinking": "Enough."}, "Good", call("2"), timing=timed([50, 11], total=150))
    return branch, [
        r.Verdict(at=at(20), message="m0002", outcome="confirm"),
        r.Verdict(at=at(21), message="m0004", outcome="ended"),
        r.Ended(at=at(21), message="m0004", cause="persistent_abuse", explanation="It went on."),
    ]


class Screen:
    """A terminal, and a command in it."""

    def __init__(self, home: Home, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            home.command(*words), stdin=theirs, stdout=theirs, stderr=theirs, env=home.environ, cwd=home.root
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, words: str) -> None:
        """Wait until this was shown; fails where the command ends before."""
        while words not in self.text:
            data = self._read()
            assert data, (words, self.text)
            self.text += data

    def read(self) -> tuple[int, str]:
        """Wait for the end: the exit code, and all that was shown."""
        while data := self._read():
            self.text += data
        code = self.process.wait(timeout=60)
        os.close(self._ours)
        assert "Traceback" not in self.text
        return code, self.text.replace("\r\n", "\n")

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65536).decode()
        except OSError:  # Linux says so when the other side is closed
            return ""


@pytest.fixture
def screen(home: Home) -> Iterator[Callable[..., Screen]]:
    """Runs `convend` in a terminal; what still runs after the test is ended."""
    opened: list[Screen] = []

    def run(*words: str) -> Screen:
        opened.append(Screen(home, *words))
        return opened[-1]

    yield run
    for one in opened:
        one.process.kill()
        one.process.wait()


# -- on a pipe ----------------------------------------------------------------------------------------------


def test_a_pipe_gets_plain_text_at_once(home: Home) -> None:
    branch, more = ended()
    home.save(branch, *more)
    done = home.run("replay", "@last")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "fool",
        "",
        "── You · 2026-11-22 00:00 · m0001".replace("2026-11-22 00:00", lines[2][9:25]),
        "fool",
    ]
    assert lines[5].startswith("── Model · ") and lines[5].endswith(" · m0002")
    assert lines[6:8] == ["Hm.", "(The model asked to end the conversation · it was asked to confirm)"]
    assert lines[10] == "Good" and lines[12].startswith("── The model ended this conversation · ")
    assert lines[13:] == ["It went on.", "This branch is locked."]
    # The same words as `show`, which has no verdicts.
    shown = home.run("show", "@last").stdout.splitlines()
    assert set(shown) <= set(lines)


def test_it_says_where_the_pace_is_made_up(home: Home) -> None:
    branch = Branch().typed("One").reply("Two", timing=timed([100, 3], total=200))
    for _ in range(6):
        branch.typed("More").reply("Of it")
    home.save(branch)
    done = home.run("replay", "@last")
    assert done.returncode == 0
    assert "6 of 7 answers (m0004, m0006, m0008, m0010, …)" in done.stderr and "made up" in done.stderr
    assert "made up" not in done.stdout
    assert "made up" not in home.run("replay", "@last", "--at", "m0003").stderr


def test_a_branch_is_played_up_to_a_message(home: Home) -> None:
    branch = chat()
    other = r.Message(at=at(90), id="other", parent="m0001", role="assistant", content=[], kind="partial")
    thread = home.save(branch, other)
    shown = home.run("replay", thread, "--at", "m0002").stdout
    assert "An animal." in shown and "Another one." not in shown and "1/2" in shown
    at_leaf = home.run("replay", thread, "--instant").stdout
    assert "2/2 · broken off" in at_leaf and "(no words)" in at_leaf and "An animal." not in at_leaf
    assert home.run("replay", thread, "--at", "m0009").returncode == 1
    assert home.run("replay", thread, "--at", "").returncode == 1
    assert home.run("replay", "2031").returncode == 1


def test_nothing_of_a_private_decline_is_told(home: Home) -> None:
    branch = Branch().typed("Hello").reply(call(explanation="SECRET")).guard(result(words="SECRET")).reply("I am here.")
    private = r.Verdict(at=at(90), message="m0002", outcome="declined", private=True, reasons=["SECRET"])
    home.save(branch, private)
    done = home.run("replay", "@last")
    assert "I am here." in done.stdout
    assert not any(word in done.stdout + done.stderr for word in ("SECRET", "m0002", "m0003", "asked", "2 answers"))


@pytest.mark.parametrize("speed", ["0", "0.2", "17", "-1", "nan", "inf", "fast", ""])
def test_a_speed_that_there_is_not(home: Home, speed: str) -> None:
    home.save(chat())
    done = home.run("replay", "@last", f"--speed={speed}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "0.25 to 16" in done.stderr


def test_a_damaged_file_is_played_as_far_as_it_goes(home: Home) -> None:
    thread = home.save(chat())
    file = home.paths.threads / f"{thread}.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], b'{"broken\n', *lines[3:]]))
    done = home.run("replay", thread, "--instant")
    assert done.returncode == 0 and "Another one." in done.stdout
    assert "cannot be read" in done.stderr or "line 3" in done.stderr


def test_an_empty_thread_is_played(home: Home) -> None:
    home.save(Branch())
    assert home.run("replay", "@last").stdout == "Untitled\n"


def test_it_writes_nothing_to_the_thread(home: Home) -> None:
    home.save(chat())
    before = home.contents()
    home.run("replay", "@last")
    assert home.contents() == before


# -- on a terminal ------------------------------------------------------------------------------------------


def test_a_terminal_sees_it_in_time(home: Home, screen: Callable[..., Screen]) -> None:
    branch, more = ended()
    home.save(branch, *more)
    before = time.monotonic()
    code, shown = screen("replay", "@last", "--speed", "1").read()
    # It lasts 350 ms: no less can have passed.
    assert time.monotonic() - before >= 0.35
    assert code == 0
    blocks = shown.split("\n\n")
    assert blocks[0] == "fool"
    assert blocks[1].endswith("\nfool")
    assert blocks[2].endswith("\nHm.\n(The model asked to end the conversation · it was asked to confirm)")
    assert blocks[3].endswith("\n(thinking)\nEnough.")
    assert blocks[4] == "Good"
    assert blocks[5].startswith("── The model ended this conversation") and "It went on." in blocks[5]


def test_a_terminal_is_told_of_a_made_up_pace_and_obeys_nothing(home: Home, screen: Callable[..., Screen]) -> None:
    home.save(Branch().typed(f"Hello{HOSTILE}").reply(f"Hi{HOSTILE}", model=HOSTILE))
    code, shown = screen("replay", "@last", "--speed", "16").read()
    assert code == 0 and "\x1b" not in shown and "\x07" not in shown
    assert "Hi␛]0;evil␇" in shown
    assert shown.count("made up") == 2


def test_instant_is_at_once_on_a_terminal_too(home: Home, screen: Callable[..., Screen]) -> None:
    # Played in time, it would last an hour.
    home.save(Branch().typed("Hello").reply("Hi", timing=timed([1, 1], [3_600_000, 1], total=3_600_000)))
    code, shown = screen("replay", "@last", "--instant", "--long-pauses").read()
    assert code == 0 and shown.endswith("\nHi\n")


def test_it_can_be_interrupted(home: Home, screen: Callable[..., Screen]) -> None:
    home.save(Branch().typed("Hello").reply("Hi there", timing=timed([1, 3], [3_600_000, 5], total=3_600_000)))
    shown_on = screen("replay", "@last", "--long-pauses")
    shown_on.read_until("Hi ")
    shown_on.process.send_signal(signal.SIGINT)
    code, shown = shown_on.read()
    assert code == 130
    assert shown.endswith("\nHi \nconvend: interrupted.\n")


def test_after_a_stop_the_rest_is_not_hurried_through(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    def waited(moment: int) -> float:
        slept.clear()
        clock.wait_until(moment)
        return sum(slept)

    monkeypatch.setattr(cli_replay.time, "monotonic", lambda: now)
    monkeypatch.setattr(cli_replay.time, "sleep", sleep)
    clock = cli_replay.Clock(2.0)
    assert [waited(moment) for moment in (0, 1000, 1000, 2000)] == [0, 0.5, 0, 0.5]
    # A little late is made up for; a minute in the background is not.
    now += 0.25
    assert waited(3000) == 0.25
    now += 60
    assert [waited(moment) for moment in (4000, 5000)] == [0, 0.5]
    # Never long in one piece: Ctrl+C may come just before.
    assert waited(125_000) == 60 and max(slept) <= 0.25
