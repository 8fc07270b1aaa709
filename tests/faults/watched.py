"""Commands of `convend` in a process of their own that notes whom it connects to, what it starts and what it makes.

Run as `python -m tests.faults.watched FILE UMASK`, with the commands as JSON on standard input: a list of lists of
words. Everything that they print goes to standard output. FILE gets the notes, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REACHING = frozenset(
    ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname")
)
"""Audit events of Python that begin to reach out of the process."""


@dataclass(frozen=True)
class Watched:
    """What came of the commands."""

    codes: list[int]
    output: str
    """Standard output and standard error of all."""
    reached: list[list[Any]]
    """Audit events with their addresses."""
    started: list[str]
    """Arguments of the processes that were started, as a process list shows them."""

    @property
    def hosts(self) -> set[str]:
        """Addresses that were connected to or looked up."""
        return {f"{address[0]}:{address[1]}" for _, address in self.reached}


def run(commands: Sequence[Sequence[str]], environ: Mapping[str, str], folder: Path, *, umask: int = 0o022) -> Watched:
    """Run commands one after the other in one process; the notes go to `folder`."""
    notes = folder / "notes.json"
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.watched", str(notes), str(umask)],
        input=json.dumps([list(words) for words in commands]).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=kept | {"PYTHONPATH": str(ROOT)} | dict(environ),
        cwd=folder,
        timeout=100,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, output
    return Watched(**json.loads(notes.read_bytes()), output=output)


def _main(notes: Path, umask: int) -> None:
    commands = json.load(sys.stdin)
    reached: list[list[Any]] = []
    started: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in REACHING:
            address = arguments[1:] if event != "socket.getaddrinfo" else arguments
            address = address[-1] if isinstance(address[-1], tuple) else address
            reached.append([event, [str(address[0]), str(address[1]) if len(address) > 1 else ""]])
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            started.append(repr(arguments[:2]))

    os.umask(umask)
    from convend_tui.cli import main

    sys.addaudithook(watch)
    codes = []
    for words in commands:
        try:
            codes.append(main(words))
        except SystemExit as error:
            codes.append(error.code if isinstance(error.code, int) else 1)
    notes.write_text(json.dumps({"codes": codes, "reached": reached, "started": started}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
