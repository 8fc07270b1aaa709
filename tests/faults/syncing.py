"""Two machines and a remote on one disk, for the tests of `convend sync`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from convend_tui.errors import SyncError
from convend_tui.plain import visible
from convend_tui.store import git as git_module
from convend_tui.store import sync_folder
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.store.log import LogFile
from convend_tui.store.sync import Synced, sync
from convend_tui.thread import records as r
from tests.making import SETTINGS, Branch, paths_in, text

GIT = shutil.which("git") or "git"
needs_git = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
    pytest.mark.skipif(os.name == "nt", reason="POSIX locks"),
]


def nobodys_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of git's but those that a test writes to `gitconfig` in the folder."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")  # that convend says no is what is tested
    # Without a power cut a flush changes nothing but the time that the tests take.
    monkeypatch.setitem(git_module._SETTINGS, "core.fsync", "none")
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(git_module, "_LOCK_WAIT", 0.05)
    for name in ("GIT_SSH", "GIT_SSH_COMMAND", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def git(folder: Path, *words: str) -> str:
    """What git says in a folder, with nobody's settings."""
    done = subprocess.run([GIT, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def bare(folder: Path) -> Path:
    """An empty repository, as a person makes one for the remote."""
    folder.mkdir()
    git(folder, "init", "-q", "--bare", "--initial-branch=main", "--template=")
    return folder


@dataclass
class Machine:
    """An installation, all of it in one folder."""

    root: Path
    remote: Path

    def __post_init__(self) -> None:
        self.paths = paths_in(self.root)
        self._number = 0

    @property
    def library(self) -> Library:
        return Library(self.paths)

    def begin(self) -> Synced:
        return sync(self.paths, str(self.remote))

    def sync(self) -> Synced:
        done = sync(self.paths)
        assert done.received.failed == []
        return done

    def new(self, words: str = "Tell me of foxes") -> str:
        """A thread of a question and an answer; its id."""
        handle = self.library.new(SETTINGS)
        handle.append_now(Branch().typed(words).reply("Foxes are red.").path)
        return handle.thread.id

    def open(self, thread_id: str) -> ThreadHandle:
        return self.library.open(thread_id)

    def say(self, thread_id: str, words: str, parent: str = "m0002") -> str:
        """A message below another; its id."""
        handle = self.open(thread_id)
        self._number += 1
        name = f"{self.root.name}{self._number}{words[:8]}"
        message = r.Message(at=handle.now(), id=name, parent=parent, role="user", content=[text(words)], kind="typed")
        handle.append_now([message])
        return name

    def file(self, thread_id: str, folder: str = "threads") -> Path:
        return self.root / folder / f"{thread_id}.jsonl"

    def lines(self, thread_id: str, folder: str = "threads") -> set[bytes]:
        """The lines of a thread's file, each of which is whole and there once."""
        data = self.file(thread_id, folder).read_bytes()
        assert data.endswith(b"\n")
        lines = data.splitlines()
        assert len(set(lines)) == len(lines)
        return set(lines)

    def everything(self) -> dict[str, set[bytes] | bytes]:
        """All that a sync keeps in step: of thread files their lines, of attachments their bytes."""
        found: dict[str, set[bytes] | bytes] = {}
        for folder in ("threads", "trash"):
            for file in sorted((self.root / folder).glob("*")):
                found[f"{folder}/{file.name}"] = self.lines(file.stem, folder)
        for file in sorted((self.root / "blobs").glob("*")):
            found[f"blobs/{file.name}"] = file.read_bytes()
        return found

    def head(self) -> str:
        return git(self.root, "rev-parse", "refs/heads/main")

    def tracked(self) -> set[str]:
        """The paths of the last commit."""
        return set(git(self.root, "ls-tree", "-r", "--name-only", "main").splitlines())


def pair_in(root: Path) -> tuple[Machine, Machine]:
    """The machines `one` and `two`, which have synced once."""
    remote = bare(root / "remote.git")
    one, two = Machine(root / "one", remote), Machine(root / "two", remote)
    one.begin()
    two.begin()
    return one, two


def shared(pair: tuple[Machine, Machine]) -> str:
    """A thread that both have."""
    one, two = pair
    thread_id = one.new()
    one.sync()
    two.sync()
    return thread_id


def copied(template: Path, root: Path) -> tuple[Machine, Machine]:
    """The machines `one` and `two` and their remote, as they stand in the folder `template`, in another one."""
    for name in ("one", "two", "remote.git"):
        shutil.copytree(template / name, root / name)
    machines = [Machine(root / name, root / "remote.git") for name in ("one", "two")]
    for machine in machines:
        git(machine.root, "config", "remote.origin.url", str(machine.remote))
    return machines[0], machines[1]


def in_step(*machines: Machine) -> bool:
    """Whether all hold the same after the last and then the others have synced, and have nothing left to do."""
    for machine in (*machines, *machines[:-1]):
        machine.sync()
    first, *others = [(machine.head(), machine.everything()) for machine in machines]
    done = machines[0].sync()
    assert (done.sent_threads, done.sent_attachments, done.received.threads) == (0, 0, set())
    return all(other == first for other in others) and machines[0].head() == first[0]


def killed_at(step: int, machine: Machine) -> bool:
    """`kill -9` a sync before its step `step`: a call of git or a change of the folder. False: it has fewer."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _die_at(step)
            sync(machine.paths)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _die_at(step: int) -> None:
    left = step

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **more: object) -> object:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return function(*given, **more)

        return call

    for home, name in (
        (git_module.Git, "_start"),
        (LogFile, "append"),
        (Path, "rename"),
        (sync_folder, "write_atomic"),
        (sync_folder, "give_name"),
    ):
        setattr(home, name, counted(getattr(home, name)))


def fake_git(folder: Path, command: str, says: str, code: int) -> Path:
    """A `git` that fails at one command and is the real one at all others; the folder for PATH."""
    folder.mkdir(exist_ok=True)
    script = folder / "git"
    script.write_text(
        f'#!/bin/sh\nfor word; do\n  if [ "$word" = {command} ]; then\n'
        f"    cat <<'END' >&2\n{says}\nEND\n    exit {code}\n  fi\ndone\nexec '{GIT}' \"$@\"\n"
    )
    script.chmod(0o700)
    return folder


class Case:
    """A machine with something new, and another that synced before."""

    def __init__(self, template: Path, root: Path) -> None:
        self.root = root
        self.one, self.two = copied(template, root)
        self.remote = self.one.remote
        (self.thread,) = self.one.library.ids()
        self.there = git(self.remote, "rev-parse", "main")
        self.here = self.one.everything()

    def fails(self, *, init: str | None = None, in_step_here: bool = True) -> str:
        """The sentence of a sync that fails; both sides are as they were."""
        with pytest.raises(SyncError) as caught:
            sync(self.one.paths, init)
        sentence = str(caught.value)
        assert sentence == visible(sentence) and len(sentence) < 500
        assert sentence[0].isupper() or sentence.startswith("git ")
        assert sentence.endswith((".", ")"))
        if in_step_here:
            assert self.one.everything() == self.here
        assert git(self.remote, "rev-parse", "main") == self.there
        return sentence

    def goes_on(self) -> None:
        """What was new is on both sides in the end."""
        self.one.sync()
        self.two.sync()
        assert (self.one.head(), self.one.everything()) == (self.two.head(), self.two.everything())
        assert len(self.one.open(self.thread).thread.children("m0002")) == 2
