"""`convend` as a process of its own: signals, pipes, what it loads; and that it says what it says in this one."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from convend_tui.store.library import Library
from convend_tui.store.partial import recover
from tests.engine.commands import FORMATS, Home, ended_chat
from tests.making import Branch
from tests.referee import Reply, Text, ThreadedReferee


def until_text(running: subprocess.Popen[bytes], enough: int) -> str:
    """Read JSON lines until so many characters of text have come."""
    assert running.stdout is not None
    text = ""
    while len(text) < enough:
        line = running.stdout.readline()
        assert line, running.communicate()
        event = json.loads(line)
        text += event["text"] if event["type"] == "text" else ""
    return text


def test_interrupted_exits_130_and_keeps_the_partial_answer(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text("word " * 2000, rate=500, chunk=5)]))
    running = online.start("ask", "hello", "--json")
    heard = until_text(running, 50)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"Traceback" not in err
    heard += "".join(json.loads(line).get("text", "") for line in out.splitlines())
    kept = online.lines()[-1]
    assert kept["kind"] == "partial"
    assert kept["content"][0]["text"].startswith(heard)
    assert not list(online.paths.partial.glob("*"))


def test_kill_9_loses_at_most_about_a_second(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text("0123456789" * 1000, rate=200, chunk=4)]))
    running = online.start("ask", "hello", "--json")
    times: list[tuple[float, int]] = []
    heard = ""
    while not times or times[-1][0] - times[0][0] < 1.6:
        heard += until_text(running, 1)
        times.append((time.monotonic(), len(heard)))
    running.kill()
    running.wait()
    killed = time.monotonic()
    running.communicate()
    assert online.lines()[-1]["kind"] == "typed"
    sentences = list(recover(Library(online.paths)))
    assert len(sentences) == 1
    kept = online.lines()[-1]
    assert (kept["kind"], kept["parent"]) == ("partial", online.lines()[1]["id"])
    text = kept["content"][0]["text"]
    assert ("0123456789" * 1000).startswith(text)
    # A checkpoint a second; twice that, as the machine may be busy.
    assert len(text) >= max((size for when, size in times if when < killed - 2), default=1)
    assert list(recover(Library(online.paths))) == []
    assert not list(online.paths.partial.glob("*.json"))


@pytest.mark.parametrize(
    "words",
    [
        "list",
        "list --json",
        "show @last",
        "tree @last",
        "search fool",
        "replay @last --at m0001",
        "doctor --offline --json",
        *(f"export @last --format {name}" for name in FORMATS),
    ],
)
def test_what_is_read_loads_neither_the_screen_nor_the_sdk(home: Home, words: str) -> None:
    ended_chat(home)
    printed, loaded = home.loaded(*words.split())
    assert printed == home.run_bytes(*words.split()).stdout
    assert b"fool" in printed or "export" not in words
    assert not loaded & {"textual", "anthropic", "httpx2", "pydantic"}
    if words.startswith(("search", "export")):
        assert "filelock" not in loaded


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--version", 0),
        ("config", 0),
        ("show nothing", 1),
        ("show", 2),
        ("ask -t @last hello?", 3),
    ],
)
def test_a_process_says_and_returns_what_a_call_does(home: Home, words: str, code: int) -> None:
    ended_chat(home)
    process, called = home.process(*words.split()), home.run(*words.split())
    assert process.returncode == called.returncode == code
    assert (process.stdout, process.stderr) == (called.stdout, called.stderr)


def test_a_question_on_a_pipe_is_answered_there(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("An animal.\nRed.")
    done = online.process("ask", stdin="What is a fox?\nBriefly.\r\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "An animal.\nRed.\n", "")
    assert online.lines()[1]["content"] == [{"type": "text", "text": "What is a fox?\nBriefly."}]


def test_a_broken_pipe_ends_quietly(home: Home) -> None:
    thread = home.save(Branch().typed("x" * 1_000_000))
    running = home.start("show", thread)
    assert running.stdout is not None
    running.stdout.read(10)
    running.stdout.close()
    assert running.wait(30) == 0
    assert running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [("list",), ("feedback", "--report"), ("show", "@last", "--json")])
def test_an_output_that_cannot_be_written_is_a_clear_error(home: Home, words: tuple[str, ...]) -> None:
    ended_chat(home)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            home.command(*words), stdout=full, stderr=subprocess.PIPE, env=home.environ, check=False, timeout=60
        )
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "convend: The output cannot be written: No space left on device.\n",
    )
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *home.command(*words)], stderr=subprocess.PIPE, env=home.environ, check=False
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_a_closed_standard_input_is_a_clear_error(online: Home) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *online.command("ask")], capture_output=True, env=online.environ, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"convend: There is no TEXT, and standard input is closed.\n"
    assert not online.paths.threads.exists()
