"""Crashes, simulated: what a program does to the disk is recorded, and the folder as it may be found after a crash at
any point is built again.

After the death of the process alone, all that was done is there, the last write perhaps in part. After a power cut
what was not synced may be there or not, in part, in another order, or as zeros: the bytes of a file count as kept
once the file was synced, a name once its folder was.
"""

from __future__ import annotations

import io
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Tree = dict[str, bytes]
"""Path below the root, and content."""
Data = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Op:
    """One step."""

    kind: str
    """create, rename, link, unlink, mkdir, write, cut, sync, sync_folder, or ack."""
    path: str = ""
    other: str = ""
    """Of a rename or link: the new name."""
    file: int = 0
    start: int = 0
    data: bytes = b""
    ack: Any = None


NAMES = ("create", "rename", "link", "unlink", "mkdir")


class Recorder:
    """Records what this process does below a folder, through `os` and files that Python opens."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.ops: list[Op] = []
        self._names: dict[str, int] = {}
        self._contents: dict[int, bytes] = {}
        self._lock = threading.RLock()
        for name in ("open", "write", "fsync", "ftruncate", "unlink", "remove", "mkdir"):
            patch.setattr(os, name, self._recording(getattr(self, f"_{name}"), getattr(os, name)))
        for name in ("rename", "replace"):
            patch.setattr(os, name, self._recording(self._rename, getattr(os, name)))
        patch.setattr(os, "link", self._recording(self._link, os.link))
        patch.setattr(io, "open", self._recording(self._io_open, io.open))

    def ack(self, what: Any) -> None:
        """From here on the person has been shown this as kept."""
        with self._lock:
            self.ops.append(Op("ack", ack=what))

    def begin_with(self, file: Path) -> None:
        """A file that is there already, and on the disk."""
        below = file.relative_to(self.root).as_posix()
        for folder in reversed(Path(below).parents):
            if folder.as_posix() != ".":
                self.ops += [Op("mkdir", folder.as_posix()), Op("sync_folder", folder.parent.as_posix())]
        self._created(below, False)
        self._settle(below)
        parent = Path(below).parent.as_posix()
        self.ops += [Op("sync", below, file=self._names[below]), Op("sync_folder", parent)]

    def _recording(self, method: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with self._lock:
                return method(real, *args, **options)

        return call

    def _below(self, path: Any, dir_fd: int | None = None) -> str | None:
        """A path below the root, of what counts: no lock files, and not the cache, which SQLite writes."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        where = Path(os.fsdecode(path))
        if dir_fd is not None:
            where = Path(f"/proc/self/fd/{dir_fd}").readlink() / where
        if not where.is_relative_to(self.root) or where.suffix == ".lock":
            return None
        below = where.relative_to(self.root).as_posix()
        return None if below.startswith("cache") else below

    def _settle(self, below: str | None) -> None:
        """Record what was written to a file since the last look at it."""
        file = self._names.get(below or "")
        if file is None or below is None:
            return
        with suppress(FileNotFoundError), _real_open(self.root / below, "rb") as opened:
            now, before = opened.read(), self._contents[file]
            same = _same(now, before)
            if same < len(before):
                self.ops.append(Op("cut", below, file=file, start=same))
            if same < len(now):
                self.ops.append(Op("write", below, file=file, start=same, data=now[same:]))
            self._contents[file] = now

    def _created(self, below: str | None, existed: bool) -> None:
        if below is None:
            return
        if existed or (self.root / below).is_dir():
            self._settle(below)
            return
        number = self._names[below] = len(self._contents) + 1
        self._contents[number] = b""
        self.ops.append(Op("create", below, file=number))

    def _open(self, real: Callable[..., Any], path: Any, flags: int, *args: Any, **options: Any) -> Any:
        below = self._below(path, options.get("dir_fd"))
        existed = below is None or os.path.lexists(self.root / below)
        fd = real(path, flags, *args, **options)
        if flags & (os.O_CREAT | os.O_TRUNC):
            self._created(below, existed)
        return fd

    def _io_open(self, real: Callable[..., Any], file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        below = self._below(file) if not isinstance(file, int) and set(mode) & set("wax") else None
        existed = below is None or os.path.lexists(self.root / below)
        opened = real(file, mode, *args, **options)
        self._created(below, existed)
        return opened

    def _write(self, real: Callable[..., Any], fd: int, data: Any) -> Any:
        done = real(fd, data)
        self._settle(self._below(fd))
        return done

    def _ftruncate(self, real: Callable[..., Any], fd: int, size: int) -> None:
        real(fd, size)
        self._settle(self._below(fd))

    def _fsync(self, real: Callable[..., Any], fd: int) -> None:
        below = self._below(fd)
        self._settle(below)
        real(fd)
        if below is None:
            return
        if (self.root / below).is_dir():
            self.ops.append(Op("sync_folder", below))
        elif below in self._names:
            self.ops.append(Op("sync", below, file=self._names[below]))

    def _rename(self, real: Callable[..., Any], old: Any, new: Any) -> None:
        source, target = self._below(old), self._below(new)
        self._settle(source)
        real(old, new)
        if source is not None and target is not None and source in self._names:
            self._names[target] = self._names.pop(source)
            self.ops.append(Op("rename", source, target, self._names[target]))

    def _link(self, real: Callable[..., Any], old: Any, new: Any) -> None:
        source, target = self._below(old), self._below(new)
        self._settle(source)
        real(old, new)
        if source is not None and target is not None:
            self._names[target] = self._names[source]
            self.ops.append(Op("link", source, target, self._names[source]))

    def _unlink(self, real: Callable[..., Any], path: Any, **options: Any) -> None:
        below = self._below(path, options.get("dir_fd"))
        self._settle(below)
        real(path, **options)
        if below is not None and self._names.pop(below, None) is not None:
            self.ops.append(Op("unlink", below))

    _remove = _unlink

    def _mkdir(self, real: Callable[..., Any], path: Any, *args: Any, **options: Any) -> None:
        real(path, *args, **options)
        if (below := self._below(path, options.get("dir_fd"))) is not None:
            self.ops.append(Op("mkdir", below))


_real_open = io.open


@dataclass(slots=True)
class Crash:
    """A folder as it may be found, and what the person had been shown by then."""

    what: str
    tree: Tree
    acks: list[Any] = field(default_factory=list)


def kills(ops: Sequence[Op], stride: int, begin: int = 0) -> Iterator[Crash]:
    """After the death of the process at each step from number `begin` on; a write that was under way is there up to
    every `stride`-th byte."""
    acks: list[Any] = []
    for number, op in enumerate(ops):
        if number < begin:
            continue
        if op.kind == "ack":
            acks.append(op.ack)
            yield Crash(f"killed after {op.ack}", _built(ops[:number]), list(acks))
            continue
        if op.kind == "write":
            for size in range(1, len(op.data), stride):
                torn = Op("write", op.path, file=op.file, start=op.start, data=op.data[:size])
                yield Crash(f"killed at byte {size} of {op.path}", _built([*ops[:number], torn]), list(acks))
        yield Crash(f"killed after {op.kind} of {op.path}", _built(ops[: number + 1]), list(acks))


def power_cuts(ops: Sequence[Op], stride: int, begin: int = 0) -> Iterator[Crash]:
    """After a power cut at each step from number `begin` on: see the module."""
    acks: list[Any] = []
    for number, op in enumerate(ops, 1):
        if op.kind == "ack":
            acks.append(op.ack)
        if number <= begin or op.kind.startswith("sync") or op.kind == "mkdir":
            continue  # the step after, and the one before, have all that may be left of it
        done = ops[:number]
        for names, data in itertools.product(_names_left(done), _data_left(done, stride)):
            what = f"power cut after {op.kind} {op.ack or op.path}: {len(names)} names, {data[0]}"
            yield Crash(what, _built(done, names, data[1]), list(acks))


def _names_left(ops: Sequence[Op]) -> list[set[int]]:
    """Which steps of names may have reached the disk; each a set of their numbers."""
    kept: set[int] = set()
    loose: list[int] = []
    for number, op in enumerate(ops):
        if op.kind in NAMES:
            loose.append(number)
        elif op.kind == "sync_folder":
            now = [i for i in loose if str(Path(ops[i].other or ops[i].path).parent) == op.path]
            kept.update(now)
            loose = [i for i in loose if i not in now]
    some = loose[-3:]  # of the others it was tried before
    ways = {frozenset(found) for size in range(len(some) + 1) for found in itertools.combinations(some, size)}
    older = set(loose[:-3])
    return [kept | set(way) | more for way in sorted(ways, key=sorted) for more in ([older] if older else [set()])] + (
        [kept] if older else []
    )


def _data_left(ops: Sequence[Op], stride: int) -> list[tuple[str, dict[int, Data]]]:
    """What files may hold: a word for it, and the content of each file that is not as it was written."""
    whole: dict[int, bytes] = {}
    synced: dict[int, bytes] = {}
    last = 0
    for op in ops:
        if op.kind in ("create", "write", "cut"):
            whole[op.file] = _after(whole.get(op.file, b""), op)
            last = op.file
        elif op.kind == "sync":
            synced[op.file] = whole.get(op.file, b"")
    loose = {file: synced.get(file, b"") for file in whole if synced.get(file, b"") != whole[file]}
    ways: list[tuple[str, dict[int, Data]]] = [("all bytes", {})]
    if not loose:
        return ways
    ways.append(("no loose bytes", {file: (content,) for file, content in loose.items()}))
    if last in loose:
        before, after = loose[last], whole[last]
        same = _same(before, after)
        size = len(after) - same
        for cut in range(1, size, max(1, stride)):
            ways.append((f"{cut} loose bytes", {last: (after[: same + cut],)}))
        if size > 1:
            half = same + size // 2
            ways.append(("zeros", {last: (after[:same] + bytes(size),)}))
            ways.append(("zeros, then bytes", {last: (after[:same] + bytes(half - same) + after[half:],)}))
            ways.append(("bytes, then zeros", {last: (after[:half] + bytes(len(after) - half),)}))
    return ways


def _same(one: bytes, other: bytes) -> int:
    """How many bytes they have in common at their start."""
    if one.startswith(other) or other.startswith(one):
        return min(len(one), len(other))
    return next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


def _after(content: bytes, op: Op) -> bytes:
    if op.kind == "write":
        return content[: op.start].ljust(op.start, b"\0") + op.data + content[op.start + len(op.data) :]
    return content[: op.start] if op.kind == "cut" else content


def _built(ops: Sequence[Op], names: set[int] | None = None, data: dict[int, Data] | None = None) -> Tree:
    """The folder after these steps: of those of names only `names`, with some files as in `data`."""
    contents: dict[int, bytes] = {}
    for op in ops:
        if op.kind in ("create", "write", "cut"):
            contents[op.file] = _after(contents.get(op.file, b""), op)
    for file, (content,) in (data or {}).items():
        contents[file] = content
    found: dict[str, int] = {}
    folders: set[str] = {"."}
    for number, op in enumerate(ops):
        if op.kind not in NAMES or (names is not None and number not in names):
            continue
        if op.kind == "mkdir":
            if str(Path(op.path).parent) in folders:
                folders.add(op.path)
        elif op.kind == "create":
            found[op.path] = op.file
        elif op.kind == "unlink":
            found.pop(op.path, None)
        elif op.kind == "link":
            found[op.other] = op.file
        else:
            # A rename that is there without the creation has taken the file with it all the same.
            found.pop(op.path, None)
            found[op.other] = op.file
    return {path: contents[file] for path, file in found.items() if str(Path(path).parent) in folders}
