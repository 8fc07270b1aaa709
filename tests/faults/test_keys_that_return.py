"""Keys that come back: in answers, in what git says of an address, in errors that nobody waits for."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from convend_tui import logfile
from convend_tui.errors import SyncError
from convend_tui.model.endpoint import Endpoint
from convend_tui.store import git_words
from convend_tui.store.sync import sync
from tests import making
from tests.faults import watched
from tests.faults.test_secrets import KEY, SAID, crashing, files_in, leaks, posix
from tests.referee import Raw, ThreadedReferee

ODD_KEY = 'sk-Zz7/k"e\\y<&>%+=77'
"""Written otherwise in JSON, in an address and on a page."""
ECHO = {"model": f"m-{ODD_KEY}", "stop_sequence": ODD_KEY, "usage": {"input_tokens": 5, ODD_KEY: ODD_KEY}}
ANSWERING = (
    {"type": "message_start", "message": {"id": ODD_KEY, "role": "assistant", "content": []} | ECHO},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": f"One {ODD_KEY}"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f" two {ODD_KEY}."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f" three {ODD_KEY[:9]}"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"{ODD_KEY[9:]}."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": f"odd {ODD_KEY}", "x": [[{"y": ODD_KEY}]]}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": ODD_KEY, "stop_details": {"category": ODD_KEY}}},
    {"type": "message_stop"},
)
"""An answer that repeats the key wherever it can."""


def echo(head: str, body: str = "") -> Raw:
    return Raw([f"{head}\r\n\r\n{body}".encode()])


async def test_a_key_that_an_answer_repeats_is_not_kept(plain_http: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(making.KEY_VARIABLE, ODD_KEY)
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in ANSWERING)
    forms = (quote(ODD_KEY, safe=""), escape(ODD_KEY), json.dumps(ODD_KEY), base64.b64encode(ODD_KEY.encode()).decode())
    error = json.dumps({"type": "error", "error": {"type": ODD_KEY, "message": " ".join(forms)}})
    script = [
        echo(f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: r-{ODD_KEY}", stream),
        echo(f"GARBAGE {ODD_KEY}"),
        echo(f"HTTP/1.1 200 OK\r\nno header {ODD_KEY}"),
        echo(f"HTTP/1.1 307 Elsewhere\r\nlocation: http://{ODD_KEY}@{ODD_KEY}.example/"),
        echo("HTTP/1.1 400 Bad\r\ncontent-type: application/json", error),
    ]
    said: list[str] = []
    with ThreadedReferee(script, key=ODD_KEY) as referee:
        desk = making.desk(referee.base_url, tmp_path)
        logfile.start(desk.paths, "test")
        streamed = making.answer_of(await desk.say("Hello"))
        for _ in script[1:]:
            said.append(str(making.failed(await desk.say("Again")).error))
        await desk.models.close()
    logfile.stop()
    # What comes in pieces is known for the key when it is written down.
    assert streamed == f"One (the key) two (the key). three {ODD_KEY}."
    assert "(the key)" in said[3]
    kept = [file.read_bytes().decode() for file in files_in(tmp_path)]
    assert "stop=other" in "".join(kept)
    assert "two (the key). three (the key)." in "".join(kept)
    for text in (*said, *kept):
        assert "Zz7" not in text.replace("(the key)", ""), text
        assert not [form for form in forms if form in text]


@posix
def test_git_does_not_get_the_key(tmp_path: Path, monkeypatch: Any) -> None:
    seen = tmp_path / "seen"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n(env; echo "$@") >> {seen}\nexit 1\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with pytest.raises(SyncError):
        sync(making.paths_in(tmp_path / "home"), "me@host:x.git")
    assert "GIT_TERMINAL_PROMPT=0" in seen.read_text()
    assert leaks(seen.read_text()) == []


def test_the_sdk_is_not_made_to_print_what_is_sent() -> None:
    """ANTHROPIC_LOG is for other programs of the person's: with it the SDK prints texts and headers as they are."""
    program = "import os, convend_tui.model.client; print(os.environ.get('ANTHROPIC_LOG'))"
    environ = dict(os.environ) | {"ANTHROPIC_LOG": "debug", "PYTHONPATH": str(watched.ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


# -- the addresses of a sync ------------------------------------------------------------------------------------

TOKEN = "tok-NotToBeSeen"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://me:{TOKEN}@host:8443/x.git", "https://host:8443/x.git"),
        (f"https://{TOKEN}@host/x.git", "https://host/x.git"),
        (f"https://me:{TOKEN}/2@host/x.git", "https://host/x.git"),
        (f"https://me:a@{TOKEN}@host/x.git", "https://host/x.git"),
        (f"https://host/x.git?private_token={TOKEN}&a=1", "https://host/x.git?private_token=…&a=…"),
        (f"me:{TOKEN}@host:x.git", "host:x.git"),
        ("https://host:8443/@scope/x.git", "https://host:8443/@scope/x.git"),
        ("me@host:x.git", "me@host:x.git"),
        ("/folder/a@b.git", "/folder/a@b.git"),
    ],
)
def test_what_is_told_of_a_remote_has_no_password(address: str, shown: str, tmp_path: Path) -> None:
    assert git_words.without_secrets(f"at '{address}'.") == f"at '{shown}'."
    # Before a line is cut: half of an address is not known for one.
    long = address.replace(TOKEN, TOKEN * 30)
    said = str(git_words.explained(f"fatal: unable to access '{long}/': Odd", "fetch", tmp_path, long))
    assert "NotToBeSeen" not in said


# -- errors that nobody waits for ---------------------------------------------------------------------------------

ASIDE = f"""
import asyncio, threading
from convend_tui import logfile
def fall():
    raise RuntimeError({KEY!r} + {SAID!r})
class Last:
    def __del__(self): fall()
async def task():
    fall()
async def main():
    left = asyncio.create_task(task())
    await asyncio.sleep(0)
    del left
    await asyncio.sleep(0)
def fail(words):
    logfile.start(paths.find(), "list")
    thread = threading.Thread(target=fall)
    thread.start()
    thread.join()
    Last()
    asyncio.run(main())
    logfile.stop()
    return 0
"""
"""A thread, an object and a task that fail where nobody waits for them."""


def test_what_fails_aside_goes_to_the_log_alone(tmp_path: Path) -> None:
    done = crashing(tmp_path, ASIDE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = logfile.file_in(making.paths_in(tmp_path)).read_text()
    assert log.count("crash error=RuntimeError") == 2
    assert "asyncio error=RuntimeError" in log
    assert leaks(log) == [] and "confidence" not in log


def test_words_that_stand_for_a_key_and_harmless_headers_are_no_secrets_of_a_reply() -> None:
    words = "Run ollama, or send anthropic-beta: interleaved-thinking-2025-05-14."
    headers = {"anthropic-beta": "interleaved-thinking-2025-05-14", "Authorization": "Bearer 0123456789abcdef0123"}
    end = Endpoint("local", "http://127.0.0.1:9", key="ollama", headers=headers)
    event: dict[str, Any] = {"delta": {"text": words}, "more": ["0123456789abcdef0123", {"0123456789abcdef0123": 1}]}
    end.clean(event)
    assert event == {"delta": {"text": words}, "more": ["(a header)", {"(a header)": 1}]}
