"""A play of many processes at two homes that sync, and a model: what each of them was told was kept.

A process is a fork that runs one command, one user of the library, or the screen (suffering.py: what happens to it).
Between them other programs are at work (meddling.py).
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from convend_tui import cli
from convend_tui.errors import ConvendError
from convend_tui.plain import visible
from convend_tui.store.library import Library
from convend_tui.store.sync_tree import lines_of, whole
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.faults.meddling import Meddler, conversation
from tests.faults.suffering import Trouble, suffer
from tests.faults.syncing import bare, git
from tests.making import KEY_VARIABLE, MODEL, SETTINGS, Branch, paths_in, text
from tests.tui.conftest import CONFIG

ROOT = Path(__file__).parents[2]
AT_ONCE = 5
PATIENCE_S = 100.0
KEY = "test-key"
_IN_REPOSITORY = re.compile(r"\.git(attributes|ignore)|(threads|trash)/[^/]+\.jsonl|blobs/[0-9a-f]{64}")
_OFFLINE = "title label pin hide unhide trash untrash import import export search list check write write sync sync"
_ONLINE = " ask ask ask abuse abuse edit retry attach screen"
Json = dict[str, Any]


class Process:
    """A fork at one home."""

    def __init__(self, play: Play, home: Path, what: str, work: Callable[[], int | None], trouble: Trouble) -> None:
        self.home, self.what, self.work, self.trouble = home, what, work, trouble
        self.begun = time.monotonic()
        play.number += 1
        self.files = play.root / f"out{play.number}", play.root / f"err{play.number}"
        self.pid = os.fork()
        if self.pid == 0:
            code: int | None = 70
            try:
                code = self._run()
            except ConvendError as error:
                print(f"convend: {error}", file=sys.stderr)
                code = error.exit_code
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                if sys.exc_info()[0] is not None:
                    traceback.print_exc()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code or 0)

    def _run(self) -> int | None:
        os.environ["CONVEND_HOME"] = str(self.home)
        for file, number in zip(self.files, (1, 2), strict=True):
            os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        os.umask(random.Random(os.getpid()).choice([0, 0o022, 0o077]))
        suffer(self.home, self.trouble)
        return self.work()

    def ended(self) -> tuple[int, str, str] | None:
        """Its exit code (below 0: it was killed), and what it said on both outputs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            if time.monotonic() - self.begun > PATIENCE_S:
                os.kill(self.pid, signal.SIGABRT)
            return None
        out, err = (file.read_text("utf-8", "replace") if file.exists() else "" for file in self.files)
        for file in self.files:
            file.unlink(missing_ok=True)
        return os.waitstatus_to_exitcode(status), out, err


class Play:
    """Two homes, a remote, and what is known of them.

    Args:
        root: an empty folder.
        online: with a server, and the screen.
    """

    def __init__(self, root: Path, seed: int, *, online: bool = False) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.remote = bare(root / "remote.git")
        self.homes = [root / "one", root / "two"]
        self.ahead = dict(zip(self.homes, (0.0, self.chance.choice([-7, 5, 11]) * 3600.0), strict=True))
        self.wanted: set[tuple[str, str, str]] = set()
        """Thread, kind and value of each record that somebody was told of."""
        self.sent: set[str] = set()
        """What was typed: each once."""
        self.counts: Counter[str] = Counter()
        self.defects: list[str] = []
        self.number = 0
        self._thread = ""
        self._running: list[Process] = []
        self._kinds = (_OFFLINE + (_ONLINE if online else "")).split()
        self._server: subprocess.Popen[str] | None = None
        self._meddler = Meddler(self)
        os.environ[KEY_VARIABLE] = KEY
        if online:
            # What each fork would load anew.
            for module in ("anthropic", "convend_tui.cli.turns", "convend_tui.model.client", "tests.faults.screens"):
                import_module(module)
            command = [sys.executable, "-m", "tests.referee", "--key", KEY, "--rate", "0"]
            self._server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert self._server.stdout is not None
            url = self._server.stdout.readline().split("=")[1].split()[0]
            for home in self.homes:
                home.mkdir(mode=0o700)
                (home / "config.toml").write_text(
                    CONFIG.format(model=MODEL, url=url, retries=1).replace("REFEREE_KEY", KEY_VARIABLE)
                    + "[ending]\nsecond_opinion = false\n"
                )
        for home in self.homes:
            for _ in range(2):
                handle = Library(paths_in(home)).new(SETTINGS)
                handle.append_now(Branch().typed("Where we began").reply("Here.").path)
            self.run(home, "sync", "--init", str(self.remote))
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        if self._server is not None:
            self._server.kill()
            self._server.communicate()

    # -- processes ---------------------------------------------------------------------------------------------

    def go(self, rounds: int) -> None:
        """Let so many processes come and go, and other programs be at work."""
        self._write(self.homes[0], Trouble(kill_at=20))
        for _ in range(rounds):
            self._act(self.chance.choice(self.homes))
            if self.chance.random() < 0.35:
                self._meddler.meddle(None if self._server is None else self._running)
            self._wait(AT_ONCE - 1)
        self._wait()

    def run(self, home: Path, *words: str, trouble: Trouble | None = None) -> None:
        """Start a command."""
        self._start(home, " ".join(words)[:80], lambda: cli.main(words), trouble or Trouble())

    def _start(self, home: Path, what: str, work: Callable[[], int | None], trouble: Trouble) -> None:
        trouble = replace(trouble, ahead_s=trouble.ahead_s + self.ahead[home])
        self._running.append(Process(self, home, what, work, trouble))

    def _wait(self, most: int = 0) -> None:
        while len(self._running) > most:
            for process in list(self._running):
                if (end := process.ended()) is not None:
                    self._running.remove(process)
                    self._look_at(process, *end)
            time.sleep(0.005)

    def _look_at(self, process: Process, code: int, out: str, err: str) -> None:
        kind = process.what.split()[0]
        self.counts[kind] += 1
        self.counts["killed" if code == -signal.SIGKILL else f"exit {code}"] += 1
        for event in events(out):
            self._believe(event)
        if code == 0 and kind in ("title", "label"):
            _, thread_id, *_, words = process.what.split()
            self.wanted.add((thread_id, kind, words))
        if code not in (0, 1, 3, 4, -signal.SIGKILL) or "Traceback" in err or "defect" in err:
            self.defects.append(f"{process.what} {process.trouble}: {code} {err[-2000:]}")
        for line in err.splitlines():
            if line != visible(line) or len(line) > 600:
                self.defects.append(f"{process.what}: {line!r}")
        if code in (1, 3, 4) and not err.strip():
            self.defects.append(f"{process.what}: {code} without a word")

    def _believe(self, event: Json) -> None:
        """What a process was told counts from now on."""
        kind = event.get("type")
        if kind in ("turn_started", "turn_ended", "kept"):
            self._thread = event.get("thread", self._thread)
            self.wanted.add((self._thread, "message", event["message"]))
            if event.get("locked"):
                self.wanted.add((self._thread, "ended", event["message"]))
        elif "skipped" in event and not event["skipped"]:
            self.counts["imports whole"] += 1

    def _trouble(self) -> Trouble:
        chance = self.chance
        kind, ahead = chance.random(), chance.choice([0, 0, 0, 0, -18_000.0, 10_800.0, 172_800.0])
        return Trouble(
            kill_at=chance.randrange(1, 40) if kind < 0.12 else None,
            fail_at=chance.randrange(1, 30) if 0.12 < kind < 0.22 else None,
            fails=chance.choice([1, 1, 2, 50]),
            slow=0.22 < kind < 0.28,
            ahead_s=ahead,
        )

    def _act(self, home: Path) -> None:
        chance, trouble = self.chance, self._trouble()
        kind, threads = chance.choice(self._kinds), sorted(Library(paths_in(home)).ids())
        if kind == "import":
            self.run(home, "import", "--json", str(self._export()), trouble=trouble)
        elif kind == "untrash":
            self.run(home, "restore", "@last", trouble=trouble)
        elif kind in ("sync", "search", "list", "check"):
            words = {"sync": ("sync", "--json"), "search": ("search", "foxes")}.get(kind, (kind,))
            self.run(home, *words, trouble=replace(trouble, fail_at=None) if kind == "check" else trouble)
        elif not threads:
            return
        elif kind == "write":
            self._write(home, trouble)
        else:
            self._to_a_thread(home, kind, threads[0] if chance.random() < 0.4 else chance.choice(threads), trouble)

    def _to_a_thread(self, home: Path, kind: str, thread_id: str, trouble: Trouble) -> None:
        name = f"{kind}{self.chance.randrange(10**9)}"
        ask = ("ask", "--json", "-t", thread_id)
        words: tuple[str, ...] = {
            "title": ("title", thread_id, name),
            "label": ("label", thread_id, "@last", name),
            "unhide": ("restore", thread_id, "@last"),
            "export": ("export", thread_id, "--format", self.chance.choice(["markdown", "json", "jsonl", "html"])),
            "ask": (*ask, f"{name} of foxes"),
            "attach": (*ask, "-a", str(ROOT / "config.example.toml"), f"{name} of foxes"),
            "edit": ("edit", "--json", thread_id, "@last", f"{name} of foxes"),
            "retry": ("retry", "--json", thread_id, "@last"),
            "hide": ("hide", thread_id, "@last"),
        }.get(kind, (kind, thread_id))
        if kind in ("ask", "attach", "edit"):
            self.sent.add(words[-1])
        if kind == "abuse":
            insults = [f"{name} insult {number}: you idiot" for number in range(6)]
            self.sent.update(insults)
            work: Callable[[], int | None] = lambda: next(filter(None, (cli.main((*ask, i)) for i in insults)), 0)  # noqa: E731
            self._start(home, f"abuse {thread_id}", work, replace(trouble, fail_at=None))
        elif kind == "screen":
            screens = import_module("tests.faults.screens")
            self._start(home, f"screen {thread_id}", lambda: screens.talk(home, name), Trouble())
        else:
            self.run(home, *words, trouble=trouble)

    def _write(self, home: Path, trouble: Trouble) -> None:
        """A user of the library goes on in a thread, where it may."""
        thread_id = self.chance.choice(sorted(Library(paths_in(home)).ids()) or [""])
        name = f"w{self.chance.randrange(10**9)}"

        def work() -> int:
            handle = Library(paths_in(home)).open(thread_id)
            for number in range(25):
                below, message_id = handle.thread.leaf, f"{name}-{number}"
                said = r.Message(
                    at=handle.now(), id=message_id, parent=below, role="user", kind="typed", content=[text(message_id)]
                )
                handle.append_now([said], lambda thread: lock.require(lock.may_send(thread, below)))  # noqa: B023
                told = {"type": "kept", "thread": thread_id, "message": message_id}
                os.write(1, json.dumps(told).encode() + b"\n")
                time.sleep(0.002)
            return 0

        if thread_id:
            self._start(home, f"write {thread_id}", work, trouble)

    def _export(self) -> Path:
        """An export of another program, in which conversations are as long as they were, or longer."""
        file = self.root / f"conversations-{self.chance.randrange(10**9)}.json"
        file.write_text(json.dumps([conversation(number, self.chance.randrange(2, 12)) for number in range(3)]))
        return file

    # -- in the end --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """All come to rest, and sync; what the model says must be there."""
        self._wait()
        self._meddler.clean_up()
        for home in self.homes:
            self.run(home, "list")
            self._wait()
            for file in (home / "threads").glob("*.jsonl"):
                if not file.read_bytes().endswith(b"\n"):  # what a kill left is cut off by the next write
                    handle = Library(paths_in(home)).open(file.stem)
                    handle.append_now([r.Pin(at=handle.now(), pinned=False)])
        for _ in range(5):
            before = [self._threads(home) for home in self.homes]
            for home in self.homes:
                self._does_well(home, "sync")
            # What brings a thread back brings back, the next time, an answer that a kill cut off there.
            if before == [self._threads(home) for home in self.homes]:
                break
        one, two = (self._threads(home) for home in self.homes)
        for path in sorted(one.keys() | two.keys()):
            if differing := one.get(path, set()) ^ two.get(path, set()):
                self.defects.append(f"{path} differs by {[line[:300] for line in differing]}")
        self._compare(one)
        for home in self.homes:
            self._look_over(home)
        paths = git(self.remote, "ls-tree", "-r", "--name-only", "main").splitlines()
        self.defects += [f"{path} is in the repository" for path in paths if not _IN_REPOSITORY.fullmatch(path)]
        git(self.remote, "fsck", "--no-dangling")

    def _does_well(self, home: Path, command: str) -> None:
        done = self.counts["exit 0"]
        self.run(home, command)
        self._wait()
        if self.counts["exit 0"] == done:
            self.defects.append(f"the last {command} of {home.name} failed")

    def _threads(self, home: Path) -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = {}
        for file in [*(home / "threads").glob("*.jsonl"), *(home / "trash").glob("*.jsonl")]:
            path = str(file.relative_to(home))
            lines = lines_of(whole(file.read_bytes()))
            found[path] = set(lines)
            if len(found[path]) < len(lines):
                self.defects.append(f"{home.name}/{path} has lines twice")
        return found

    def _compare(self, files: dict[str, set[bytes]]) -> None:
        have: set[tuple[str, str, str]] = set()
        typed: Counter[str] = Counter()
        imported: Counter[str] = Counter()
        for path, lines in files.items():
            thread_id = Path(path).stem.partition("~")[0]
            records = [r.decode(line) for line in lines]
            for record in records:
                if isinstance(record, r.Message):
                    have.add((thread_id, "message", record.id))
                    typed[r.text_of(record)] += 1
                elif isinstance(record, r.Ended):
                    have.add((thread_id, "ended", record.message))
                elif isinstance(record, r.Title | r.Label):
                    words = record.title if isinstance(record, r.Title) else record.label
                    have.add((thread_id, "title" if isinstance(record, r.Title) else "label", words))
            if sum(isinstance(record, r.Header) for record in records) != 1:
                self.defects.append(f"{path} has no header, or two")
            imported.update({w for w in map(_imported, records) if w})
        if "~" not in "".join(files):
            self.defects += [f"{words} was sent twice" for words in self.sent if typed[words] > 1]
            self.defects += [f"{words} is there twice" for words, count in imported.items() if count > 1]
        self.defects += [f"lost: {record}" for record in self.wanted - have]

    def _look_over(self, home: Path) -> None:
        library = Library(paths_in(home))
        for thread_id, kind, message in self.wanted:
            if kind == "ended" and library.file(thread_id).exists():
                thread = library.open(thread_id).thread
                below = [m for m in thread.messages if message in {above.id for above in thread.ancestry(m)}]
                if not below or any(lock.may_send(thread, m) is None for m in below):
                    self.defects.append(f"{home.name}: {thread_id} is not locked at {message}")
                self.counts["locks looked at"] += 1
        self._does_well(home, "check")
        for file in [home, *home.rglob("*")]:
            if stat.S_IMODE(file.stat().st_mode) & 0o077 and file.name != "config.toml":
                self.defects.append(f"{file} is open to others")
            if file.is_file() and KEY.encode() in file.read_bytes():
                self.defects.append(f"a key is in {file}")


def events(out: str) -> Iterator[Json]:
    """The JSON objects that a process printed; one that was killed may have broken off."""
    for line in out.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _imported(record: object) -> str:
    said = r.text_of(record) if isinstance(record, r.Message) else ""
    return said if said.startswith("imported ") else ""
