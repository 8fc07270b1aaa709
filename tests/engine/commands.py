"""`convend` on the command line, as tests call it: a home folder, and commands in it.

A command mostly runs in this process, where it costs milliseconds; a process of its own imports everything anew, up to
the SDK. `tests/engine/test_cli_processes.py` holds that both say the same.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from convend_tui import cli
from convend_tui.thread import records as r
from tests import making
from tests.making import Branch, at, call, result
from tests.referee import end_call

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]
ROOT = Path(__file__).parents[2]
REDIRECTIONS = ["Let us look at the problem instead of calling names.", "I would still like to help with this."]
WARNING = "If the insults go on, I will end this conversation for good."
CALL = end_call("persistent_abuse", "The insults went on after a warning.", REDIRECTIONS, WARNING)
CONFIG = """
[[server]]
name = "referee"
base_url = "{url}"
key_env = "REFEREE_KEY"
model = "{model}"
[network]
retries = 0
"""
FORMATS = ("markdown", "html", "json", "jsonl", "messages", "asciicast")
"""The formats of `convend export`."""
LOADED = """
import sys
from convend_tui.cli import main
code = main(sys.argv[1:])
print(code, sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


class Home:
    """A home folder, and `convend` in it."""

    def __init__(self, root: Path, url: str = "http://127.0.0.1:9") -> None:
        self.root = root
        self.paths = making.paths_in(root)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
        self.environ |= {
            "CONVEND_HOME": str(root),
            "REFEREE_KEY": "test-key",
            "PYTHONPATH": str(ROOT),
            # Errors and warnings of any kind must not reach the person unseen by the tests.
            "PYTHONWARNINGS": "default",
        }
        (root / "config.toml").write_text(CONFIG.format(url=url, model=making.MODEL))

    def command(self, *words: str) -> list[str]:
        """What starts `convend` in a process of its own."""
        return [sys.executable, "-m", "convend_tui", *words]

    def run_bytes(self, *words: str, stdin: bytes | str = "", **environ: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command in this process: what it printed, byte for byte."""
        given = stdin if isinstance(stdin, bytes) else stdin.encode()
        out, err = _stream(), _stream(errors="backslashreplace")
        with (
            mock.patch.dict(os.environ, self.environ | environ, clear=True),
            contextlib.chdir(self.root),
            mock.patch.multiple(sys, stdin=_stream(given), stdout=out, stderr=err),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("default")
            try:
                code = cli.main(words)
            except SystemExit as left:
                code = int(left.code or 0)
        err.write("".join(f"{warning}\n" for warning in caught))
        return subprocess.CompletedProcess(["convend", *words], code, _written(out), _written(err))

    def run(self, *words: str, stdin: bytes | str = "", **environ: str) -> Done:
        """The same, as text."""
        return _decoded(self.run_bytes(*words, stdin=stdin, **environ))

    def process(self, *words: str, stdin: bytes | str = "", **environ: str) -> Done:
        """Run a command in a process of its own."""
        done = subprocess.run(
            self.command(*words),
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            capture_output=True,
            env=self.environ | environ,
            cwd=self.root,
            timeout=60,
            check=False,
        )
        return _decoded(done)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environ,
            cwd=self.root,
        )

    def loaded(self, *words: str) -> tuple[bytes, set[str]]:
        """What a command that must succeed prints, and the packages that it loads."""
        done = subprocess.run(
            [sys.executable, "-c", LOADED, *words], capture_output=True, env=self.environ, cwd=self.root, check=False
        )
        code, _, names = done.stderr.decode().partition(" ")
        assert code == "0", done.stderr
        return done.stdout, set(json.loads(names.replace("'", '"')))

    def json(self, *words: str, code: int = 0, stdin: str = "", **environ: str) -> list[Json]:
        """The JSON lines of a command that must end with `code`."""
        done = self.run(*words, "--json", stdin=stdin, **environ)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def save(self, branch: Branch, *records: r.Record, name: str = "1", **settings: Any) -> str:
        """Write a thread file; returns the thread's id."""
        thread_id = f"20261122T00000{name}-0000000{name}"
        given = {"model": making.MODEL, "server": "referee"} | settings
        head = making.header(r.Settings(**given), id=thread_id)
        self.paths.threads.mkdir(exist_ok=True)
        file = self.paths.threads / f"{thread_id}.jsonl"
        file.write_bytes(b"".join(r.encode(record) for record in (head, *branch.path, *records)))
        return thread_id

    def lines(self) -> list[Json]:
        """The records of the only thread."""
        (file,) = self.paths.threads.glob("*.jsonl")
        return [json.loads(line) for line in file.open("rb")]

    def contents(self) -> dict[str, bytes]:
        """All files but locks."""
        files = (file for file in self.root.rglob("*") if file.is_file() and file.suffix != ".lock")
        return {str(file.relative_to(self.root)): file.read_bytes() for file in files}


def _stream(data: bytes = b"", errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors=errors)


def _written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def _decoded(done: subprocess.CompletedProcess[bytes]) -> Done:
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def chat() -> Branch:
    return Branch().typed("What is a fox?").reply("An animal.").typed("And a dog?").reply("Another one.")


def abused() -> Branch:
    """A branch on which the model may end the conversation at its next call."""
    branch = Branch()
    for words, answer in zip(("fool", "fool again", "still a fool"), (*REDIRECTIONS, WARNING), strict=True):
        branch.typed(words).reply(answer)
    return branch


def ended_chat(home: Home, name: str = "1") -> tuple[str, Branch]:
    branch = abused().typed("fool for ever")
    for number in ("1", "2"):
        branch.reply("That is it.", call(number, **CALL.input))
        if number == "1":
            branch.guard(result(number))
    record = r.Ended(at=at(100), message=branch.last, cause="persistent_abuse", explanation="It went on.")
    return home.save(branch, record, name=name), branch
