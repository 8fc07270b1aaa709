"""The same faults as a person meets them: on the command line, and on the screen."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convend_tui import cli
from convend_tui.store.library import Library
from tests import making
from tests.engine.commands import CONFIG, Home
from tests.faults.network_faults import BY_NAME, HALF, page, stream
from tests.referee import HttpError, ThreadedReferee
from tests.tui.conftest import Home as Desktop

Json = dict[str, Any]
SAMPLE = [
    "status 400",
    "status 401",
    "status 413",
    "status 529",
    "retry-after: 99999999999",
    "a huge error in many lines",
    "reset before the answer",
    "reset in the headers",
    "reset after 1 events",
    "reset after 5 events",
    "closed within an event",
    "silence between events",
    "a torn event",
    "a sign-in page",
    "sent on by 302",
    "a chunk that lies",
    "not compressed as it says",
    "not HTTP",
]
"""What the command line is shown of the table; all of it comes by the same way."""


@pytest.fixture
def referee() -> Iterator[ThreadedReferee]:
    with ThreadedReferee(opinion=False) as running:
        yield running


@pytest.fixture
def shell(tmp_path: Path, referee: ThreadedReferee, plain_http: None, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home for commands, in this process too."""
    monkeypatch.setenv("CONVEND_HOME", str(tmp_path))
    monkeypatch.setenv("REFEREE_KEY", "test-key")
    return Home(tmp_path, referee.base_url)


def network(home: Home, referee: ThreadedReferee, *, retries: int, timeout: float) -> None:
    text = CONFIG.format(url=referee.base_url, model=making.MODEL).replace("retries = 0", f"retries = {retries}")
    (home.root / "config.toml").write_text(f"{text}timeout = {max(1.0, timeout)}\n")


def kinds(home: Home) -> list[str]:
    return [str(line["kind"]) for line in home.lines() if line["type"] == "message"]


@pytest.mark.parametrize("name", SAMPLE)
def test_ask_exits_4_with_one_sentence(
    shell: Home, referee: ThreadedReferee, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    fault = BY_NAME[name]
    network(shell, referee, retries=0, timeout=fault.timeout)
    referee.enqueue(fault.answer, "Fine.")
    assert cli.main(["ask", "hello"]) == 4
    out, err = capsys.readouterr()
    assert out.startswith(fault.keeps or "")
    assert err.startswith("convend: ")
    assert err.count("\n") == 1
    assert all(part in err for part in fault.says), err
    assert ("What arrived and what you typed are kept" if fault.keeps else "What you typed is kept") in err
    assert kinds(shell) == (["typed", "partial"] if fault.keeps else ["typed"])
    assert cli.main(["ask", "-t", "@last", "hello" if not fault.keeps else "and then?"]) == 0
    assert capsys.readouterr().out == "Fine.\n"
    assert kinds(shell)[-1] == "reply"
    referee.assert_clean()
    assert not Library(shell.paths).open(Library(shell.paths).resolve("@last")).problems


def test_json_and_retries_on_the_command_line(
    shell: Home, referee: ThreadedReferee, capsys: pytest.CaptureFixture[str]
) -> None:
    network(shell, referee, retries=1, timeout=5)
    again = HttpError(529, "overloaded_error", "Overloaded", {"retry-after": "0.01"})
    referee.enqueue(again, "Fine.", again, again)
    assert cli.main(["ask", "hello", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["turn_started", "text", "turn_ended"]
    assert err == "The server referee is overloaded (529). Trying again (1 of 1) in 1 s\n"
    assert cli.main(["ask", "hello", "--json"]) == 4
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["type"], last["retryable"]) == ("error", True)
    assert "overloaded (529). Try again" in last["error"]


def test_models_exits_4_with_one_sentence(tmp_path: Path, shell: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for answer in (HttpError(503, "api_error", "Down\nfor now \x1b[31m"), page(b"<html>")):
        with ThreadedReferee(list_answer=answer) as running:
            network(shell, running, retries=0, timeout=5)
            assert cli.main(["models"]) == 4
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith("convend: ")
            assert "\x1b" not in err


@pytest.mark.parametrize(("name", "arrives"), [("mid-answer", True), ("before a retry", False)])
def test_ctrl_c_exits_130_and_keeps_what_there_is(
    shell: Home, referee: ThreadedReferee, name: str, arrives: bool
) -> None:
    network(shell, referee, retries=1, timeout=60)
    waiting = HttpError(529, "overloaded_error", "Overloaded", {"retry-after": "59"})
    referee.enqueue(stream(HALF, end="hold") if arrives else waiting, "Fine.")
    running = shell.start("ask", "hello")
    pipe = running.stdout if arrives else running.stderr
    assert pipe is not None
    seen = b""
    while (b"Half of it" if arrives else b"(1 of 1) in 59 s") not in seen:
        piece = pipe.read1(4096)  # type: ignore[attr-defined]
        assert piece, seen
        seen += piece
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert err.decode().splitlines()[-1] == "convend: interrupted."
    assert b"Traceback" not in err
    assert kinds(shell) == (["typed", "partial"] if arrives else ["typed"])
    assert cli.main(["ask", "-t", "@last", "hello"]) == 0
    assert kinds(shell) == (["typed", "partial", "typed", "reply"] if arrives else ["typed", "reply"])
    referee.assert_clean()


# -- the screen ----------------------------------------------------------------------------------------------------


@pytest.fixture
def screen(home: Desktop, referee: ThreadedReferee) -> Desktop:
    """A home for the screen, with a patience of a second and one retry."""
    home.connect(referee, retries=1, more="timeout = 1\n")
    return home


async def test_the_countdown_is_seen_and_escape_stops_it(screen: Desktop, referee: ThreadedReferee) -> None:
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded", {"retry-after": "50"}), "Fine.")
    async with screen.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.reads("overloaded (529). Trying again (1 of 1) in", "Esc stops it")

        def left() -> int:
            found = re.search(r"Trying again \(1 of 1\) in (\d+) s", me.words)
            return int(found[1]) if found else 99

        first = left()
        await me.until(lambda: left() < first <= 50)
        await me.sees("asks again in")
        await me.press("escape")
        await me.until(lambda: me.idle)
        assert me.typed == "Hello"
        assert "Trying again" not in me.screen
        await me.press("enter")
        await me.reads("Fine.")
        await me.until(lambda: me.idle)
        assert me.texts() == ["Hello"]
        assert len(me.records("message")) == 2
        assert len(referee.requests) == 2
    referee.assert_clean()


async def test_the_countdown_ends_in_an_answer(
    screen: Desktop, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded", {"retry-after": "1"}), "Fine.")
    async with screen.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.reads("Trying again (1 of 1)")
        await me.reads("Fine.")
        await me.until(lambda: me.idle)
        assert "Trying again" not in me.words
        assert me.texts() == ["Hello"]
        assert len(me.records("message")) == 2
    referee.assert_clean()


@pytest.mark.parametrize("name", ["a sign-in page", "sent on by 302", "silence between events", "a chunk that lies"])
async def test_what_is_said_and_kept_on_the_screen(screen: Desktop, referee: ThreadedReferee, name: str) -> None:
    fault = BY_NAME[name]
    referee.enqueue(fault.answer, "Fine.")
    async with screen.app() as me:
        await me.writes("Hello")
        await me.press("enter")
        await me.reads("No answer", *fault.says, fault.keeps or "")
        await me.until(lambda: me.idle)
        assert me.typed == "Hello"
        await me.press("enter")
        await me.reads("Fine.")
        await me.until(lambda: me.idle)
        assert "No answer" not in me.words
        assert me.texts() == ["Hello"]
        assert sorted(m["kind"] for m in me.records("message")) == sorted(
            ["typed", "reply", *(["partial"] if fault.keeps else [])]
        )
    referee.assert_clean()


async def test_a_list_that_does_not_come_is_named_in_the_dialog(home: Desktop) -> None:
    with ThreadedReferee(list_answer=page(b"<html>Sign in")) as running:
        home.connect(running)
        async with home.app() as me:
            await me.press("ctrl+o")
            await me.sees("Choose a model", "is no list of models. Sign in to the network")
            await me.press("escape")
