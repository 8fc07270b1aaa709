"""Keys are where the person keeps them, and nowhere else; what convend makes is the person's alone."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convend_tui import config, logfile
from convend_tui.config import Config, Server
from convend_tui.errors import ModelError
from convend_tui.exchange.formats import FORMATS
from convend_tui.model import local, local_server
from convend_tui.model.client import Client
from convend_tui.model.connect import Models
from convend_tui.model.endpoint import Endpoint
from convend_tui.paths import ensure
from convend_tui.tui.app import ConvendApp
from convend_tui.tui.transcript import Transcript
from tests import making
from tests.faults import watched
from tests.referee import HttpError, Reply, Text, ThreadedReferee
from tests.tui.conftest import Home

KEY = "sk-ant-api03-Zq7Wv5Xk-NotToBeSeen-0123456789abcdef"
HEADER = "hdr-Yb3Lm8-NotToBeSeenEither"
PARTS = (KEY[:20], KEY[-20:], HEADER[:14], base64.b64encode(KEY.encode()).decode()[:24])
"""A part of a key is a leak too."""
SERVER = """
default_model = "work/{model}"
[[server]]
name = "work"
base_url = "{url}"
headers = {{ {header}"X-Own" = "{own}" }}
{key}
[network]
retries = 1
"""
SOURCES = {
    "environment": 'key_env = "WORK_KEY"',
    "command": 'key_command = ["cat", "{folder}/key"]',
    "shell": 'key_command = "cat {folder}/key | head -1"',
    "keyring": 'key_keyring = "convend/me"',
    "header": 'key_env = "WORK_KEY"',
}
ECHOES = [
    HttpError(401, "authentication_error", f"The key {KEY} is not valid.", {"request-id": f"req-{KEY}"}),
    HttpError(400, f"error_{KEY}", "x" * 385 + f" {KEY} {HEADER}"),
    HttpError(403, "permission_error", f"Bearer {KEY} and {HEADER} may not do that."),
    HttpError(429, "rate_limit_error", f"{KEY} is too fast.", {"retry-after": "0"}),
    HttpError(500, "api_error", f"Headers were {{'authorization': 'Bearer {KEY}', 'x-own': '{HEADER}'}}"),
    Reply([Text("Half of")], error_event_after=4, error_type=f"e_{KEY}", error_message=f"{KEY} {HEADER}"),
]
"""Servers that repeat what they were sent."""
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")


def leaks(text: str) -> list[str]:
    """Each part of a key in a text, with what stands round it."""
    return [text[max(0, text.find(part) - 60) :][:120] for part in PARTS if part in text]


def files_in(*roots: Path) -> Iterator[Path]:
    for root in roots:
        yield from (file for file in sorted(root.rglob("*")) if file.is_file())


@pytest.fixture
def echoing() -> Iterator[ThreadedReferee]:
    """A server that answers once, and then repeats the key in every way of failing."""
    with ThreadedReferee([Reply("Hello."), *ECHOES, *ECHOES, *ECHOES], key=KEY, opinion=False) as running:
        yield running


def settings(url: str, key: str, *, header: bool) -> str:
    """A config.toml; with `header` the key goes into a header of its own too."""
    more = '"X-Api-Key" = "{key}", ' if header else ""
    return SERVER.format(url=url, model=making.MODEL, header=more, own=HEADER, key=key)


class Place:
    """A folder with a home in it, and beside it where the key is kept."""

    def __init__(self, root: Path, url: str, source: str) -> None:
        self.root, self.home, self.out = root, root / "home", root / "out"
        for folder in (self.home, self.out, root / "lib" / "keyring"):
            folder.mkdir(parents=True)
        (root / "key").write_text(KEY + "\n")
        (root / "lib" / "keyring" / "errors.py").write_text("class KeyringError(Exception): pass\n")
        (root / "lib" / "keyring" / "__init__.py").write_text(
            "from pathlib import Path\n"
            f"def get_password(service, user): return Path({str(root / 'key')!r}).read_text().strip()\n"
        )
        key = SOURCES[source].format(folder=root)
        (self.home / "config.toml").write_text(settings(url, key, header=source == "header"))
        self.environ = {"CONVEND_HOME": str(self.home), "PYTHONPATH": f"{watched.ROOT}{os.pathsep}{root / 'lib'}"}
        if "WORK_KEY" in key:
            self.environ["WORK_KEY"] = KEY

    def commands(self, *, all_of_them: bool) -> list[list[str]]:
        """All that could let a key out; or, for where it comes from, a turn, a failure and a look at it."""
        if not all_of_them:
            return [["ask", "Hello"], ["ask", "Hello 0", "-t", "@last"], ["config", "--show"], ["doctor"]]
        asks = [["ask", "Hello"], *(["ask", f"Hello {n}", "-t", "@last"] for n in range(len(ECHOES)))]
        asks.append(["ask", "Hello", "-t", "@last", "--json"])
        exports = [["export", "@last", "--format", name, "-o", f"{self.out / name}"] for name in FORMATS]
        looks = [["show", "@last"], ["show", "@last", "--json"], ["search", "hello"], ["config", "--show"]]
        return [*asks, *exports, *looks, ["models"], ["doctor"], ["doctor", "--json"], ["feedback", "--report"]]


@pytest.mark.parametrize("source", SOURCES)
def test_no_command_lets_a_key_out(source: str, echoing: ThreadedReferee, tmp_path: Path) -> None:
    place = Place(tmp_path, echoing.base_url, source)
    whole = source == "header"
    done = watched.run(place.commands(all_of_them=whole), place.environ, tmp_path)
    asked = echoing.requests[0]
    assert asked.headers["authorization"] == f"Bearer {KEY}"  # it did come from there
    assert asked.headers["x-own"] == HEADER
    assert asked.headers.get("x-api-key") == (KEY if source == "header" else None)
    assert done.codes[0] == 0
    assert set(done.codes[1 : len(ECHOES) + 2 if whole else 2]) == {4}, done.output
    assert "it answers, and offers" in " ".join(done.output.split())
    assert "is not valid" in done.output or "did not accept the key" in done.output
    assert leaks(done.output) == []
    assert leaks("\n".join(done.started)) == []
    files = [file for file in files_in(place.home, place.out) if file.name != "config.toml"]
    log = logfile.file_in(making.paths_in(place.home)).read_text()
    assert "turn.ended" in log and "status=401" in log
    if whole:
        assert "status=500" in log and "turn.retry" in log
        assert {file.name for file in files} >= {"convend.log", *FORMATS}
    for file in files:
        assert leaks(file.read_bytes().decode("utf-8", "replace")) == [], file
    hosts = {host for event, (host, *_) in done.reached if event == "socket.connect"}
    assert hosts == {"127.0.0.1"}


async def test_no_object_shows_a_key(tmp_path: Path) -> None:
    server = Server("work", key_command=("echo", KEY), headers={"X-Own": HEADER, "X-Key": KEY})
    whole = Config(servers=(server,))
    end = Endpoint("work", "http://127.0.0.1:9", KEY, {"X-Own": HEADER, "X-Key": KEY})
    models = Models(whole, making.paths_in(tmp_path))
    client = Client(end)
    order = local_server.Order("weights", KEY, "alias", 1, 512)
    running = local.Endpoint("http://127.0.0.1:9", KEY, "model")
    with pytest.raises(ModelError) as caught:
        await client.stream({"model": "m", "max_tokens": 1, "messages": []})
    await client.close()
    for one in (server, whole, end, models, client, order, running, caught.value, vars(caught.value)):
        assert leaks(repr(one)) == leaks(str(one)) == []
    assert leaks(config.show(whole, {"WORK_KEY": KEY})) == []


async def test_the_screen_does_not_show_a_key_that_a_server_repeats(home: Home, echoing: ThreadedReferee) -> None:
    home.key(KEY)
    home.configure(settings(echoing.base_url, 'key_env = "REFEREE_KEY"', header=True))
    async with home.app() as me:
        await me.says("Hello")
        for _ in range(3):
            failed = len(echoing.requests)
            await me.writes("Again")
            await me.press("enter")
            await me.until(lambda failed=failed: me.idle and len(echoing.requests) > failed)  # type: ignore[misc]
            await me.reads("No answer")
            assert leaks(me.screen + "".join(me.heard)) == []
    for file in files_in(home.paths.threads, home.paths.state, home.paths.cache):
        assert leaks(file.read_bytes().decode("utf-8", "replace")) == [], file


# -- a crash ------------------------------------------------------------------------------------------------

SAID = "What was said in confidence"


class Crash:
    """Errors that nobody expects, in all places where Textual catches them, with secrets in variables and words."""

    def __init__(self, app: ConvendApp) -> None:
        self.app = app

    def fail(self) -> None:
        held = {"key": KEY, "said": SAID}
        raise KeyError(f"{held['key']} {held['said']}")

    async def in_a_callback(self) -> None:
        self.app.call_later(self.fail)

    async def in_a_worker(self) -> None:
        async def work() -> None:
            self.fail()

        self.app.run_worker(work())

    async def in_a_timer(self) -> None:
        self.app.set_timer(0.01, self.fail)

    async def in_drawing(self) -> None:
        transcript = self.app.screen.query_one(Transcript)
        transcript.render_line = lambda y: self.fail()  # type: ignore[assignment, method-assign]
        transcript.refresh()

    async def twice(self) -> None:
        self.app.call_later(self.fail)
        self.app.screen.call_later(self.fail)


@pytest.mark.parametrize("place", ["in_a_callback", "in_a_worker", "in_a_timer", "in_drawing", "twice"])
def test_a_crash_is_one_sentence_without_secrets(
    place: str, home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFEREE_KEY", KEY)
    app = ConvendApp(home.paths, config.load(home.paths))

    async def pilot(_: Any) -> None:
        async with asyncio.timeout(60):
            while not app.screen.query(Transcript):
                await asyncio.sleep(0.01)
        await getattr(Crash(app), place)()
        await asyncio.sleep(0.3)

    app.run(headless=True, auto_pilot=pilot)
    logfile.stop()
    out, err = capfd.readouterr()
    file = logfile.file_in(home.paths)
    assert (app.return_code, out) == (1, "")
    sentence = (
        f"convend stopped because of a defect of its own (KeyError). More is in {file}, without your texts and keys."
    )
    assert err.splitlines()[0] == sentence
    assert len(err.splitlines()) <= 1, err
    log = file.read_text()
    assert "crash error=KeyError" in log
    assert "faults/test_secrets.py" in log and " in fail\n" in log
    assert leaks(err + log) == []
    assert "confidence" not in err + log


def crashing(root: Path, program: str) -> subprocess.CompletedProcess[str]:
    """`convend list` in a process of its own, with `fail(words)` in place of the command."""
    program = f"import sys; from convend_tui import cli, paths\n{program}\n"
    program += "cli._run = fail; sys.argv = ['convend', 'list']; sys.exit(cli.main())\n"
    (root / "program.py").write_text(program)
    environ = dict(os.environ) | {"CONVEND_HOME": str(root), "PYTHONPATH": str(watched.ROOT)}
    return subprocess.run(
        [sys.executable, str(root / "program.py")], capture_output=True, env=environ, text=True, check=False
    )


def test_a_crash_of_a_command_is_one_sentence_too(tmp_path: Path) -> None:
    done = crashing(tmp_path, f"def fail(words): held = {KEY!r}; raise RuntimeError(held + {SAID!r})")
    file = logfile.file_in(making.paths_in(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "convend stopped because of a defect of its own (RuntimeError). "
        f"More is in {file}, without your texts and keys.\n"
    )
    assert leaks(done.stderr + file.read_text()) == []
    assert "confidence" not in file.read_text()


# -- permissions ----------------------------------------------------------------------------------------------


def open_to_others(root: Path) -> list[str]:
    """What lies under a folder with other permissions than 0700 and 0600."""
    wrong = []
    for path in sorted(root.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            wrong.append(f"{path.relative_to(root)}: {mode:04o}")
    return wrong


@posix
@pytest.mark.parametrize(
    ("umask", "in_one_folder"), [(0o000, True), (0o022, False), (0o077, True)], ids=["000", "022 platform", "077"]
)
def test_commands_make_everything_for_the_person_alone(umask: int, in_one_folder: bool, tmp_path: Path) -> None:
    made, beside = tmp_path / "made", tmp_path / "beside"
    made.mkdir(mode=0o700)
    beside.mkdir()
    (beside / "note.txt").write_text("A note.")
    environ = {"HOME": str(made), "ANTHROPIC_API_KEY": KEY}
    if in_one_folder:
        environ["CONVEND_HOME"] = str(made / "new" / "home")
    with ThreadedReferee(["Hello.", "Yes."], key=KEY, opinion=False) as referee:
        environ["ANTHROPIC_BASE_URL"] = referee.base_url
        commands = [
            ["config", "--init"],
            ["ask", "Hello", "-m", making.MODEL, "-a", str(beside / "note.txt")],
            ["ask", "And?", "-t", "@last"],
            ["search", "hello"],
            ["label", "@last", "@last", "here"],
            ["export", "@last", "--format", "json", "--blobs", "-o", str(made / "export.json")],
            ["import", str(made / "export.json")],
            ["trash", "@last"],
            ["doctor", "--offline"],
        ]
        # The example names api.anthropic.com: only what the environment says may be asked.
        done = watched.run([*commands[1:], commands[0]], environ, beside, umask=umask)
    assert done.codes == [0] * len(commands), done.output
    names = {path.name for path in made.rglob("*")}
    assert names >= {"config.toml", "threads", "blobs", "trash", "locks", "log", "convend.log", "index.sqlite3"}
    assert open_to_others(made) == []


@posix
async def test_the_screen_makes_everything_for_the_person_alone(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("Hello.", HttpError(529, "overloaded_error", "x"))
    for path in (online.paths.config_file, online.paths.state / "choices.toml"):
        path.chmod(0o600)  # the fixture's own
    before = os.umask(0)
    try:
        async with online.app() as me:
            await me.says("Hello")
            await me.writes("fails")
            await me.press("enter")
            await me.reads("No answer")
            await me.until(lambda: me.idle)
            await me.writes("a draft")
            await me.until(lambda: logfile.file_in(online.paths).exists())  # it begins after the first paint
    finally:
        os.umask(before)
    names = {path.name for path in online.root.rglob("*")}
    assert names >= {"threads", "drafts", "choices.toml", "convend.log"}
    assert open_to_others(online.root) == []


@posix
def test_the_folders_on_the_way_are_the_persons_too(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        ensure(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert open_to_others(tmp_path) == []
