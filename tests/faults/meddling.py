"""What other programs do to two homes that sync, while processes are at work there."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from convend_tui.errors import ConvendError
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.faults.syncing import GIT, git
from tests.making import paths_in, text

_COPIES = (
    "{}.sync-conflict-20261122-1{}-ABCDEFG.jsonl",
    "{} (Ann's conflicted copy 2026-11-22 {}).jsonl",
    "{} (case conflict {}).jsonl",
)
SETTINGS = """[core]
	autocrlf = true
	eol = crlf
	safecrlf = true
	hooksPath = {hooks}
	attributesFile = {hooks}/attributes
	excludesFile = {hooks}/ignore
[commit]
	gpgSign = true
[merge]
	ff = only
[pull]
	rebase = true
[init]
	defaultBranch = "odd/näme"
[user]
	useConfigOnly = true
[push]
	default = nothing
	negotiate = true
[fetch]
	prune = true
[alias]
	fetch = !echo alias
	push = !echo alias
[credential]
	helper = "!echo chatter; echo chatter >&2"
[trace2]
	normalTarget = 2
"""
"""Settings of git's that a person may have, all at once."""


class Stage(Protocol):
    """Where it happens."""

    root: Path
    remote: Path
    homes: list[Path]
    chance: random.Random
    wanted: set[tuple[str, str, str]]


class Meddler:
    """The other programs."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._older: dict[Path, Path] = {}
        hooks = stage.root / "hooks"
        hooks.mkdir()
        (hooks / "attributes").write_text("* text eol=crlf filter=evil\n")
        (hooks / "ignore").write_text("*\n")
        for name in ("pre-push", "post-commit", "pre-auto-gc"):
            (hooks / name).write_text("#!/bin/sh\necho hook\nexit 1\n")
            (hooks / name).chmod(0o700)

    def meddle(self, running: Sequence[Any] | None) -> None:
        """One thing, at one of the homes.

        Args:
            running: the processes that are at work; None: nothing is done that may take long.
        """
        chance = self._stage.chance
        home = chance.choice(self._stage.homes)
        things = [self._copy, self._copy, self._no_cache, self._older_file, self._line_ends, self._torn, self._settings]
        if running is not None:
            things += [self._away_and_back, self._force, self._remember]
            if all(process.home != home for process in running):
                things.append(self._older_repository)
        with suppress(FileNotFoundError, ConvendError):
            chance.choice(things)(home)

    def clean_up(self) -> None:
        """The person's settings are none in the end."""
        (self._stage.root / "gitconfig").unlink(missing_ok=True)

    def _thread(self, home: Path) -> Path:
        library = Library(paths_in(home))
        return library.file(self._stage.chance.choice(sorted(library.ids()) or ["none"]))

    def _put(self, file: Path, data: bytes) -> None:
        """As synchronisers do it: written aside, and put in its place."""
        aside = file.with_name(f".syncthing.{file.name}.tmp")
        aside.write_bytes(data)
        aside.chmod(0o600)
        aside.rename(file)

    def _copy(self, home: Path) -> None:
        file, chance = self._thread(home), self._stage.chance
        lines = file.read_bytes().splitlines(keepends=True)
        name = f"c{chance.randrange(10**9)}"
        at = r.timestamp(datetime.now(UTC))
        said = r.Message(at=at, id=name, parent=None, role="user", kind="typed", content=[text(name)])
        copy = file.with_name(chance.choice(_COPIES).format(file.stem, chance.randrange(10_000, 60_000)))
        self._put(copy, b"".join(lines[: chance.randrange(1, len(lines) + 1)]).rstrip(b"\n") + b"\n" + r.encode(said))
        self._stage.wanted.add((file.stem, "message", name))

    def _no_cache(self, home: Path) -> None:
        shutil.rmtree(home / "cache", ignore_errors=True)

    def _older_file(self, home: Path) -> None:
        """Where it can be known that nothing is lost by it: all of the file was synced."""
        file = self._thread(home)
        with Library(paths_in(home)).log(file.stem).locked():
            words = [GIT, f"--git-dir={home / '.git'}", "cat-file", "blob", f"main:threads/{file.name}"]
            synced = set(subprocess.run(words, capture_output=True, check=False).stdout.splitlines())
            lines = file.read_bytes().splitlines(keepends=True)
            if synced >= {line.rstrip(b"\r\n") for line in lines}:
                self._put(file, b"".join(lines[: self._stage.chance.randrange(1, len(lines) + 1)]))

    def _line_ends(self, home: Path) -> None:
        file = self._thread(home)
        with Library(paths_in(home)).log(file.stem).locked():
            self._put(file, file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def _torn(self, home: Path) -> None:
        file = self._thread(home)
        with Library(paths_in(home)).log(file.stem).locked():
            if file.read_bytes().endswith(b"\n"):
                with file.open("ab") as out:
                    out.write(b'{"type":"message","at":"2026')

    def _settings(self, home: Path) -> None:
        settings = SETTINGS.format(hooks=self._stage.root / "hooks")
        (self._stage.root / "gitconfig").write_text(self._stage.chance.choice(["", settings]))

    def _away_and_back(self, home: Path) -> None:
        """A folder is renamed for a moment; what was made in its place meanwhile, the person puts into it."""
        folder = home / self._stage.chance.choice(["threads", "state", "cache", ".git"])
        aside = self._stage.root / "aside"
        folder.rename(aside)
        time.sleep(self._stage.chance.random() * 0.1)
        for made in [file for file in folder.rglob("*") if file.is_file()]:
            place = aside / made.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if place.exists():
                place = place.with_name(f"{place.stem}.sync-conflict-20261122-123456-ABCDEFG{place.suffix}")
            if place.suffix == ".jsonl" or not place.exists():
                shutil.copy2(made, place)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)

    def _force(self, home: Path) -> None:
        """Somebody sets the remote back, or empties it."""
        heads = git(self._stage.remote, "rev-list", "--all").split()
        if heads and self._stage.chance.random() < 0.7:
            git(self._stage.remote, "update-ref", "refs/heads/main", self._stage.chance.choice(heads))
        elif heads:
            git(self._stage.remote, "update-ref", "-d", "refs/heads/main")

    def _remember(self, home: Path) -> None:
        older = self._stage.root / f"{home.name}.git"
        shutil.rmtree(older, ignore_errors=True)
        with suppress(shutil.Error):
            shutil.copytree(home / ".git", older)
            if not list(older.rglob("*.lock")):
                self._older[home] = older

    def _older_repository(self, home: Path) -> None:
        """The home's repository comes back out of a backup."""
        if (older := self._older.get(home)) is not None and older.exists():
            shutil.rmtree(home / ".git")
            shutil.copytree(older, home / ".git")


def conversation(number: int, length: int) -> dict[str, Any]:
    """A conversation as ChatGPT exports it."""
    key = f"0000000{number}-1111-2222-3333-444444444444"
    mapping: dict[str, Any] = {"root": {"id": "root", "parent": None, "children": [f"{number}-0"], "message": None}}
    for i in range(length):
        message = {
            "id": f"{number}-{i}",
            "author": {"role": "assistant" if i % 2 else "user"},
            "create_time": 1_760_000_000 + i,
            "content": {"content_type": "text", "parts": [f"imported {number} {i}"]},
            "status": "finished_successfully",
            "metadata": {},
        }
        children = [f"{number}-{i + 1}"] if i + 1 < length else []
        parent = f"{number}-{i - 1}" if i else "root"
        mapping[f"{number}-{i}"] = {"id": f"{number}-{i}", "parent": parent, "children": children, "message": message}
    last = f"{number}-{length - 1}"
    dates = {"create_time": 1_760_000_000, "update_time": 1_760_000_099}
    return {"title": f"Imported {number}", "mapping": mapping, "current_node": last, "id": key, **dates}
