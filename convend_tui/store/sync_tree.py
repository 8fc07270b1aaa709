"""What two machines' states come to: pure. Trees of paths in, changes of paths out; the rules are in store/sync.py."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from convend_tui.errors import Unreadable
from convend_tui.store.copies import original_of
from convend_tui.store.git import FILE, Change, Entry, Tree
from convend_tui.store.library import SUFFIX
from convend_tui.thread import records as r

THREADS: Final = "threads/"
TRASH: Final = "trash/"
BLOBS: Final = "blobs/"
ATTRIBUTES: Final = ".gitattributes"
IGNORE: Final = ".gitignore"
OURS: Final = {
    ATTRIBUTES: b"# Made by convend sync. A thread file is a set of lines: its bytes stay, two copies are merged.\n"
    b"* -text\n"
    b"threads/*.jsonl merge=union\n"
    b"trash/*.jsonl merge=union\n"
    b"blobs/* -merge -diff\n",
    IGNORE: b"# Made by convend sync. Nothing but these goes anywhere: no keys, settings, drafts, logs or locks.\n"
    b"/*\n"
    b"!/threads/\n!/blobs/\n!/trash/\n!/.gitattributes\n!/.gitignore\n"
    b"/threads/*\n!/threads/*.jsonl\n/trash/*\n!/trash/*.jsonl\n"
    b"/threads/.*\n/trash/.*\n/blobs/.*\n",
}
_MARK: Final = re.compile(rb"^threads/\*\.jsonl\b.*\bmerge=union\b", re.MULTILINE)
# No name that leads out of its folder, hides, or that another system cannot have.
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|. -][^\x00-\x1f\x7f/\\:*?\"<>|]{0,200}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

Load = Callable[[str], bytes]
"""The content of an object."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a thread lies: under `threads/`, `trash/`, rarely both."""

    at: dict[str, Entry] = field(default_factory=dict)
    """Folder -> entry."""

    @property
    def only(self) -> str | None:
        """The folder, where there is one."""
        return next(iter(self.at)) if len(self.at) == 1 else None


def is_marked(attributes: bytes) -> bool:
    """Whether a `.gitattributes` says that its repository is convend's."""
    return _MARK.search(attributes) is not None


def thread_name(path: str) -> tuple[str, str] | None:
    """Folder and name (a thread's id, in the trash perhaps with `~2` behind it) of a path that is a thread's file."""
    folder = next((folder for folder in (THREADS, TRASH) if path.startswith(folder)), None)
    if folder is None or not path.endswith(SUFFIX):
        return None
    name = path.removeprefix(folder).removesuffix(SUFFIX)
    return (folder, name) if is_name(name) else None


def is_name(name: str) -> bool:
    """Whether a thread's file may have this name, on every machine."""
    if original_of(f"{name}{SUFFIX}") is not None:  # a copy in conflict: store/conflicts.py brings it in
        return False
    return bool(_NAME.fullmatch(name)) and all(not "\ud800" <= char <= "\udfff" for char in name)


def is_blob(path: str) -> bool:
    """Whether a path is an attachment's."""
    return path.startswith(BLOBS) and bool(_SHA256.fullmatch(path.removeprefix(BLOBS)))


def path_of(folder: str, name: str) -> str:
    """The path of a thread's file."""
    return f"{folder}{name}{SUFFIX}"


def places(tree: Tree) -> dict[str, Places]:
    """All threads of a tree."""
    found: dict[str, Places] = {}
    for path, entry in tree.items():
        # A link or a submodule of that name is none of ours.
        if (named := thread_name(path)) is not None and entry.mode in (FILE, "100755"):
            found.setdefault(named[1], Places()).at[named[0]] = entry
    return found


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a thread file, without those that are blank; also where another program has changed their ends."""
    return [line.removesuffix(b"\r") for line in data.split(b"\n") if line.strip()]


def whole(data: bytes) -> bytes:
    """A thread file without a torn last line; a last line that only lacks its newline gets it."""
    end = data.rfind(b"\n") + 1
    if end == len(data):
        return data
    try:
        r.decode(data[end:])
    except Unreadable:
        return data[:end]
    return data + b"\n"


def missing(have: bytes, wanted: bytes) -> list[bytes]:
    """The lines of `wanted` that `have` lacks, each once, in their order."""
    known = set(lines_of(have))
    return list(dict.fromkeys(line for line in lines_of(wanted) if line not in known))


def with_lines(data: bytes, lines: Iterable[bytes]) -> bytes:
    """`data` with lines behind it."""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    return data + b"".join(line + b"\n" for line in lines)


def has_news(lines: Iterable[bytes]) -> bool:
    """Whether lines say anything but where the person went."""
    return any(not isinstance(_decoded(line), r.Leaf | None) for line in lines)


def is_of(name: str, data: bytes) -> bool:
    """Whether a thread's file holds the thread that its name says: a copy in the trash may have `~2` behind the id."""
    id_, _, number = name.rpartition("~")
    wanted = id_ if number.isdigit() and id_ else name
    return any(found == wanted for found in _header_ids(data))


def is_headless(data: bytes) -> bool:
    """Whether a file does not say of which thread it is: another program may have cut it."""
    return next(_header_ids(data), None) is None


def _header_ids(data: bytes) -> Iterator[str]:
    return (record.id for record in map(_decoded, lines_of(data)) if isinstance(record, r.Header))


def latest(lines: Iterable[bytes]) -> str:
    """The time of the newest record; empty where there is none."""
    return max((at for line in lines if isinstance(at := getattr(_decoded(line), "at", ""), str)), default="")


def _decoded(line: bytes) -> r.AnyRecord | r.Unknown | None:
    try:
        return r.decode(line)
    except Unreadable:
        return None


def merge(base: Tree, ours: Tree, theirs: Tree, load: Load) -> Iterator[tuple[str, Change]]:
    """What is to change in `ours` so that it holds all that `theirs` holds. Nothing is ever taken out but what moves
    between `threads/` and `trash/`; either side may be given as the one or the other."""
    mine, other, before = places(ours), places(theirs), places(base)
    for name in sorted(other):
        yield from _merge_thread(name, before.get(name, Places()), mine.get(name, Places()), other[name], load)
    known = {path_of(folder, name) for all_of in (mine, other) for name, found in all_of.items() for folder in found.at}
    for path in sorted((ours.keys() | theirs.keys()) - known):
        was, here, there = base.get(path), ours.get(path), theirs.get(path)
        if here == there:
            continue
        if is_blob(path):
            if there is not None and (here is None or not _is_itself(path, load(here.sha))):
                yield path, there
        elif here == was or here is None:  # what the person keeps there besides
            yield path, there


def _merge_thread(name: str, base: Places, ours: Places, theirs: Places, load: Load) -> Iterator[tuple[str, Change]]:
    if ours.only and theirs.only and ours.only != theirs.only:
        here, there = ours.at[ours.only], theirs.at[theirs.only]
        target = _place(base, ours, theirs, load)
        change = _union(base.at[base.only] if base.only else None, here, there, load)
        if target != ours.only:
            yield path_of(ours.only, name), None
            yield path_of(target, name), change or here
        elif change is not None:
            yield path_of(target, name), change
        return
    for folder, there in theirs.at.items():
        if folder not in ours.at:
            yield path_of(folder, name), there
        elif (change := _union(base.at.get(folder), ours.at[folder], there, load)) is not None:
            yield path_of(folder, name), change


def _place(base: Places, ours: Places, theirs: Places, load: Load) -> str:
    """In which of two folders a thread belongs."""
    if base.only != THREADS:
        return THREADS  # one side brought it back, or nobody knows
    stayed = ours if ours.only == THREADS else theirs
    new = missing(load(base.at[THREADS].sha), load(stayed.at[THREADS].sha))
    return THREADS if has_news(new) else TRASH


def _union(base: Entry | None, ours: Entry, theirs: Entry, load: Load) -> Change:
    """What a file becomes; None: it stays."""
    if ours.sha == theirs.sha or theirs == base:
        return None
    if ours == base:
        return theirs
    have = load(ours.sha)
    new = missing(have, load(theirs.sha))
    return with_lines(have, new) if new else None


def _is_itself(path: str, data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == path.removeprefix(BLOBS)
