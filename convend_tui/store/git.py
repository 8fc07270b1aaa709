"""The `git` program: how it is called, what it stores, and its failures as sentences.

Only git's plumbing is used. Nothing here checks a file out, so nothing git does can touch a thread's file; what goes
in comes from bytes that convend read itself (`git fast-import`), what comes out is read from objects (`git cat-file`).
Neither knows of line endings, filters, hooks or merge drivers, whatever the person's own settings say. Those that
reach a server (keys, proxies, credential helpers) stay in force.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NamedTuple

from convend_tui.errors import StoreError, SyncError
from convend_tui.store import git_talk
from convend_tui.store.git_words import REMOTE, damaged, explained, without_secrets

MAIN: Final = "refs/heads/main"
THEIRS: Final = "refs/remotes/origin/main"
_NEXT: Final = "refs/convend/next"
"""What a commit is written to before anybody relies on it."""
FILE: Final = "100644"

# Settings of the person's that would change bytes, run programs, or ask questions.
_SETTINGS: Final = {
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.sharedRepository": "umask",
    "core.quotePath": "true",
    "core.fsync": "committed,reference",
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "push.followTags": "false",
    "push.negotiate": "false",
    "push.recurseSubmodules": "no",
    "fetch.recurseSubmodules": "false",
    "fetch.prune": "false",
    "gc.autoDetach": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "i18n.commitEncoding": "utf-8",
    "advice.detachedHead": "false",
    # A server that says nothing for a minute is one that cannot be reached.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}
# Where the environment says which repository, index or settings to use, it means another one.
_NOT_OURS: Final = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|INDEX_VERSION|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE"
    r"|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT|CONFIG_KEY_\d+|CONFIG_VALUE_\d+|GRAFT_FILE|SHALLOW_FILE|PREFIX"
    r"|REPLACE_REF_BASE|NO_REPLACE_OBJECTS|IMPLICIT_WORK_TREE|INTERNAL_SUPER_PREFIX|TRACE.*|QUARANTINE_PATH"
    r"|DEFAULT_HASH|DEFAULT_REF_FORMAT|COMMITTER_DATE|AUTHOR_DATE|LITERAL_PATHSPECS|GLOB_PATHSPECS|REF_PARANOIA)"
)
_SSH: Final = (
    "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"  # never asks
)
PATIENCE: Final = 180.0
"""Seconds for which nothing may come from a remote, not even a word on how far it is."""
_LOCK_WAIT: Final = 2.0
"""Seconds for which another git program may hold a lock file before it is taken for one that was left behind."""


class Entry(NamedTuple):
    """What a tree has under a path."""

    mode: str
    sha: str


Tree = dict[str, Entry]
"""Path -> entry, all folders in one."""
Change = Entry | bytes | Path | None
"""What a path becomes: an object that is stored already, new content, the content of a file, or nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call."""

    code: int
    out: str
    err: str


class Git:
    """One repository. Methods block.

    Args:
        git_dir: the repository itself.
        folder: where git is run.
    """

    def __init__(self, git_dir: Path, folder: Path) -> None:
        self.git_dir = git_dir
        self._folder = folder
        self._settings: dict[str, str] | None = None
        self._trees: dict[str, Tree] = {}

    def ask(self, *words: str) -> Answer:
        """Run git and wait.

        Raises:
            SyncError: there is no git, or the remote has fallen silent.
        """
        process = self._start(words)
        said = git_talk.said(process, PATIENCE) if words[0] in REMOTE else process.communicate()
        if said is None:
            raise SyncError(
                f"The remote {without_secrets(self.remote)} does not answer: nothing came for {PATIENCE:.0f} seconds. "
                "`git ls-remote` on it must work without being asked anything."
            )
        out, err = said
        return Answer(process.returncode, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace"))

    def do(self, *words: str) -> str:
        """As `ask`, where only success will do; returns what git printed.

        Raises:
            SyncError: it failed.
        """
        answer = self.ask(*words)
        if answer.code != 0:
            raise self.explained(answer.err, words[0])
        return answer.out.strip()

    def commit_of(self, name: str) -> str | None:
        """The commit that a ref names."""
        answer = self.ask("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
        if answer.code == 0:
            return answer.out.strip()
        if self.ask("rev-parse", "-q", "--verify", name).code == 0 or (self.git_dir / name).exists():
            raise damaged(self.git_dir)
        return None

    def tree_of(self, commit: str | None) -> Tree:
        """All that a commit holds."""
        if commit is None:
            return {}
        if commit not in self._trees:
            tree = self._trees[commit] = {}
            for line in self.do("ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
                if line:
                    kind, _, path = line.partition("\t")
                    mode, _, sha = kind.split(" ")
                    tree[path] = Entry(mode, sha)
        return self._trees[commit]

    def setting(self, name: str) -> str:
        """A setting in force, its name in lower case; empty where there is none. Read once.

        Raises:
            SyncError: the settings cannot be read.
        """
        if self._settings is None:
            pairs = (line.partition("\n") for line in self.do("config", "--list", "-z").split("\0"))
            self._settings = {key: value for key, _, value in pairs}
        return self._settings.get(name, "")

    @property
    def remote(self) -> str:
        """The remote's address; empty where there is none."""
        return self.setting("remote.origin.url")

    def commit(self, message: str, parents: Sequence[str], changes: Iterable[tuple[str, Change]]) -> str:
        """Store a commit: the first parent's tree with changes. No branch moves.

        Raises:
            SyncError, StoreError: git, or a file among the changes, failed. Nothing refers to what was stored.
        """
        self.do("update-ref", "-d", _NEXT)
        name, email = (_identity(self.setting(f"user.{key}")) for key in ("name", "email"))
        who = f"{name or 'convend'} <{email or 'convend@localhost'}> {int(time.time())} +0000"
        process = self._start(("fast-import", "--quiet", "--done"), stdin=subprocess.PIPE)
        assert process.stdin is not None
        try:
            try:
                with suppress(BrokenPipeError):  # git gave up: it says why
                    _write_commit(process.stdin, message, who, parents, changes)
            except BaseException:
                process.kill()  # without the `done` it would keep nothing, but why wait
                raise
            out, err = process.communicate()
        finally:
            if process.poll() is None:
                process.communicate()
        if process.returncode != 0:
            raise self.explained(err.decode("utf-8", "replace"), "fast-import")
        return out.decode().strip()

    @contextmanager
    def objects(self) -> Iterator[Objects]:
        """The contents of objects, for as long as this holds."""
        process = self._start(("cat-file", "--batch"), stdin=subprocess.PIPE)
        try:
            yield Objects(self, process)
        finally:
            process.kill()
            process.communicate()

    def explained(self, err: str, command: str) -> SyncError:
        """A failure of git's as a sentence."""
        # Where the settings are what failed, there is no asking them.
        return explained(err, command, self.git_dir, self.remote if command in REMOTE else "")

    def _start(self, words: Sequence[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        try:
            return subprocess.Popen(
                ["git", f"--git-dir={self.git_dir}", *settings, *words],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=self._environ(words[0]),
                umask=0o077,
                # What has no terminal asks nobody, not even where ssh is the person's own: it fails, and says so.
                start_new_session=words[0] in REMOTE,
            )
        except FileNotFoundError:
            if not self._folder.is_dir():
                raise StoreError(f"{self._folder} is gone: it was moved or deleted by another program.") from None
            raise SyncError("git is not installed, or not in PATH. Install it, and sync again.") from None
        except OSError as error:
            raise SyncError(f"git cannot be started: {error.strerror or error}.") from error

    def _environ(self, command: str) -> dict[str, str]:
        # A model's key is none of git's business, nor of a remote's helper.
        given = ((name, value) for name, value in os.environ.items() if not name.startswith("ANTHROPIC_"))
        environ = {name: value for name, value in given if not _NOT_OURS.fullmatch(name)}
        environ.pop("LANGUAGE", None)
        environ |= {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}
        if command in REMOTE and not {"GIT_SSH", "GIT_SSH_COMMAND"} & environ.keys():
            environ["GIT_SSH_COMMAND"] = self.setting("core.sshcommand") or _SSH
        return environ

    # -- what others left behind ------------------------------------------------------------------------------

    def locks(self) -> list[Path]:
        """Lock files of git's in the repository; those that go away by themselves are waited for."""
        until = time.monotonic() + _LOCK_WAIT
        while True:
            top = self.git_dir.glob("*.lock")
            found = [file for file in (*top, *(self.git_dir / "refs").rglob("*.lock")) if file.is_file()]
            if not found or time.monotonic() > until:
                return sorted(found)
            time.sleep(0.05)


class Objects:
    """Reads objects, one after the other, from one process."""

    def __init__(self, git: Git, process: subprocess.Popen[bytes]) -> None:
        self._git = git
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def content(self, sha: str) -> bytes:
        """The bytes of an object.

        Raises:
            SyncError: it is missing or damaged.
        """
        try:
            self._in.write(f"{sha}\n".encode())
            self._in.flush()
            words = self._out.readline().split()
            if len(words) != 3:
                raise damaged(self._git.git_dir)
            data = self._out.read(int(words[2]) + 1)
        except OSError:
            raise damaged(self._git.git_dir) from None
        if len(data) != int(words[2]) + 1:
            raise damaged(self._git.git_dir)
        return data[:-1]


def _identity(name: str) -> str:
    return "".join(char for char in name.strip() if char.isprintable() and char not in "<>")


def _write_commit(
    out: IO[bytes], message: str, who: str, parents: Sequence[str], changes: Iterable[tuple[str, Change]]
) -> None:
    def put(data: bytes) -> None:
        out.write(b"data %d\n" % len(data))
        out.write(data)
        out.write(b"\n")

    out.write(f"commit {_NEXT}\nmark :1\ncommitter {who}\n".encode())
    put(message.encode())
    for word, parent in zip(("from", *["merge"] * len(parents)), parents, strict=False):
        out.write(f"{word} {parent}\n".encode())
    for path, change in changes:
        name = _quoted(path)
        if change is None:
            out.write(b"D " + name + b"\n")
        elif isinstance(change, Entry):
            out.write(f"M {change.mode} {change.sha} ".encode() + name + b"\n")
        else:
            out.write(f"M {FILE} inline ".encode() + name + b"\n")
            put(change if isinstance(change, bytes) else _bytes_of(change))
    out.write(b"\nget-mark :1\ndone\n")
    out.flush()


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror or error}.") from error


def _quoted(path: str) -> bytes:
    """A path as fast-import reads it, whatever bytes it has."""
    data = path.encode("utf-8", "surrogateescape")
    plain = (chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in data)
    return f'"{"".join(plain)}"'.encode()
