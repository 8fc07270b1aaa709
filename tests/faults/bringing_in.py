"""All that is done with an export and with the threads it becomes, and what must hold of it whatever the export is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from convend_tui import config
from convend_tui.errors import ConvendError
from convend_tui.exchange import formats
from convend_tui.exchange.importing import import_files
from convend_tui.exchange.telling import Report, in_words, skipped_in_words
from convend_tui.model import request
from convend_tui.model.endpoint import Abilities
from convend_tui.plain import visible
from convend_tui.replay import Replay
from convend_tui.store import blobs
from convend_tui.store.check import Checker
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import SUFFIX, Library
from convend_tui.thread import cost, lock
from convend_tui.thread import records as r
from convend_tui.thread.crumbs import crumbs
from convend_tui.thread.tree import Thread
from tests.faults import mutating
from tests.faults.mutating_imports import UNKNOWN, Export, good
from tests.making import SETTINGS, Branch, header, paths_in
from tests.referee.asked import Asked
from tests.referee.models import DEFAULT_MODELS
from tests.referee.rules import refuse

THREAD = "20261122T000000-00000000"
_GOOD = b"".join(map(r.encode, [header(), *Branch().typed("A question").reply("An answer.").path]))
_MODELS = {model.id: model for model in DEFAULT_MODELS}
_OTHERS = ("claude.ai", "chatgpt", "claude-code")
_TYPED = "what the person goes on with"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an export."""

    refused: str = ""
    """Why nothing came in, as the person reads it."""
    threads: int = 0
    skipped: int = 0


class Door:
    """A home with a few things in it, into which exports are brought one after the other; each finds it as it was."""

    def __init__(self, root: Path, *, full: bool) -> None:
        """`full`: the good exports are there already, one of their conversations in the trash."""
        self.root, self.full = root, full
        self._known: dict[str, tuple[tuple[int, ...], bytes]] = {}
        self.paths = paths_in(root / "home")
        for folder in (self.paths.threads, self.paths.blobs, self.paths.drafts, self.paths.trash):
            folder.mkdir(parents=True, mode=0o700)
        (root / "in").mkdir()
        self._write(self.paths.threads / f"{THREAD}{SUFFIX}", _GOOD)
        self._write(self.paths.config_file, b"# mine\n")
        self._write(self.paths.drafts / "x.json", b'{"text":"words"}')
        if full:
            library = Library(self.paths)
            for export in good():
                if export.name != UNKNOWN:
                    self._import(export)
            library.trash(min(library.ids()))
        self._before = self._contents()

    def _write(self, file: Path, data: bytes) -> None:
        file.write_bytes(data)
        file.chmod(0o600)

    def _import(self, export: Export) -> Report:
        file = self.root / "in" / export.name
        file.write_bytes(export.data)
        try:
            return import_files(Library(self.paths), [file], SETTINGS)
        finally:
            file.unlink()

    def _contents(self) -> dict[Path, bytes]:
        """Everything in the home but locks, which hold nothing."""
        found: dict[Path, bytes] = {}
        todo = [os.fspath(self.paths.data)]
        while todo:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir():
                        todo += [entry.path] if entry.name != self.paths.locks.name else []
                    else:
                        found[Path(entry.path)] = self._bytes(entry)
        return found

    def _bytes(self, entry: os.DirEntry[str]) -> bytes:
        """What a file holds; read anew where the file system says that it was touched."""
        now = entry.stat()
        mark = (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
        known = self._known.get(entry.path)
        if known is None or known[0] != mark:
            known = self._known[entry.path] = (mark, Path(entry.path).read_bytes())
        return known[1]

    def play(self, export: Export, number: int = 0) -> Outcome:
        """Bring in an export, and do with what came of it what a person may do. Only convend's own errors are caught;
        an assertion says what else is wrong. All of it is done with one in four numbers; else the threads are looked
        at alone."""
        try:
            return self._play(export, thoroughly=number % 4 == 0)
        finally:
            self._restore()

    def _restore(self) -> None:
        now = self._contents()
        for file in now.keys() - self._before.keys():
            file.unlink()
        for file, data in self._before.items():
            if now.get(file) != data:
                self._write(file, data)

    def _play(self, export: Export, *, thoroughly: bool) -> Outcome:
        try:
            report = self._import(export)
        except ConvendError as error:
            said = str(error)
            assert said.endswith(".") and "\n" not in said, said
            assert self._contents() == self._before, f"refused ({said}), and something has changed"
            return Outcome(refused=said)
        after = self._contents()
        self._told(report)
        changed = {file for file, data in after.items() if self._before.get(file) != data}
        for file, data in self._before.items():
            assert after.get(file, b"").startswith(data), f"{file.name} was written over"
            assert data == after[file] or file.parent == self.paths.threads, f"{file.name} has changed"
        threads = [file for file in changed if file.parent == self.paths.threads]
        assert len(threads) == report.threads
        assert all(file in self._before or stat.S_IMODE(file.stat().st_mode) == 0o600 for file in changed)
        assert changed - set(threads) <= set(self.paths.blobs.glob("*")), "there is more in the home than came in"
        if thoroughly:
            second = self._import(export)
            assert (second.threads, self._contents()) == (0, after), "the second time is not the same"
        for file in threads:
            handle, own = self._look(file.name.removesuffix(SUFFIX))
            if thoroughly:
                self._use(handle, file, own)
        return Outcome(threads=len(threads), skipped=len(report.skipped))

    def _told(self, report: Report) -> None:
        words = [in_words(report), *skipped_in_words(report)]
        assert all(line and line == visible(line) and "\n" not in line for line in words)
        assert not report.is_empty or report.skipped, "nothing came in, and nobody is told why"
        msgspec.json.encode(report.as_json())

    def _look(self, thread_id: str) -> tuple[ThreadHandle, bool]:
        """Check and open a thread that came in, and do what the list, the screen and the rules do; whether it is
        convend's own, whose lines are taken as they stand."""
        checked = Checker(self.paths).thread(thread_id)
        library = Library(self.paths)
        handle = library.open(thread_id)
        own = (handle.thread.header.origin or {}).get("app") not in _OTHERS
        broken = [problem for problem in checked.problems if "is broken" in problem or "thread file" in problem]
        assert not broken and (own or not checked.problems), checked.problems
        assert not handle.problems
        mutating.go_through(library.file(thread_id).read_bytes())
        return handle, own

    def _use(self, handle: ThreadHandle, file: Path, own: bool) -> None:
        """Export and replay a thread, and go on with it."""
        thread, leaf = handle.thread, handle.thread.leaf
        for piece in written(formats.Job(self.paths, file, thread, leaf, True, True)):
            assert piece
        shown(thread)
        if leaf is not None and lock.may_send(thread, leaf) is None:
            said: r.Block = {"type": "text", "text": "Go on."}
            typed = r.Message(at=handle.now(), id=_TYPED, parent=leaf, role="user", content=[said], kind="typed")
            handle.append_now([typed])
            again = Library(self.paths).open(thread.id).thread
            assert again.messages.get(_TYPED) == typed
            self._ask(again, own)

    def _ask(self, thread: Thread, own: bool) -> None:
        """Send it on: the API takes what became of another program's."""
        known = msgspec.structs.replace(thread.header, settings=SETTINGS)
        asked = Thread(known, [*thread.messages.values()])
        try:
            body = request.build(asked, _TYPED, load_blob=self._load, abilities=Abilities())
        except ConvendError as error:
            assert own, error
            return
        objection = refuse(Asked(body, _MODELS))
        assert own or objection is None, objection

    def _load(self, sha256: str) -> bytes:
        return blobs.load(self.paths, sha256)


def shown(thread: Thread) -> None:
    """What the lines round a thread and its replay say."""
    leaf = thread.leaf
    crumbs(thread, leaf)
    visible(cost.in_words(cost.cost_of(thread, thread.messages.values(), lambda _: config.Price(model="x"))))
    cost.estimate(thread, leaf, "x", datetime.now(UTC))
    replay = Replay(thread, leaf)
    assert all(replay.events(number) for number in range(len(replay.scenes)))


def written(job: formats.Job) -> Iterator[str]:
    """A thread in every format there is; of one that it cannot have, the reason."""
    for one in formats.FORMATS.values():
        try:
            for piece in one.write(job):
                yield piece.decode("utf-8", "strict" if one.scope != "file" else "replace")
        except ConvendError as error:
            yield str(error)
