"""`convend sync`: the data folder in a git repository, and that in step with a remote of the person's.

**What is kept.** `threads/`, `trash/` and `blobs/` of the data folder, and the two files of git's that say so. The
repository is the data folder's `.git`; where CONVEND_HOME puts everything in one folder, `.gitignore` keeps the rest
out, and convend adds nothing but these by itself.

**A set that only grows.** A thread's file is a set of lines: records never change, ids are unique, and what a thread
says depends on the set alone (thread/tree.py). So the union of two copies is always right, and there is no conflict:
what was written on two machines is two branches, and a lock made on one is a record that holds on the other. The state
of a machine is the set of its threads' lines, the set of its attachments, and for each thread whether it is in the
trash. A sync never takes a line, a thread or an attachment away: what was deleted by hand comes back from the other
side. `merge=union` in `.gitattributes` says the same to whoever merges with git by hand; convend does not need it.

**The trash** is the only thing that can contradict. A thread thrown away on one machine goes to the trash on the other,
unless something was added there meanwhile that is more than a visit: then it stays, with all lines of both. Brought
back on one, it is back on both. Where nobody can tell (both machines had it before their first sync), it stays out of
the trash.

**git never touches a thread's file.** Other processes append to them at any moment, under the lock of each
(store/log.py). So nothing is checked out, ever, and git's index is not used. A sync has five steps:

1. *Commit*: each file that changed since the last sync is read under its lock, without a torn last line (it comes next
   time, or is cut off by the next append); the commit's file is that of the last commit with the lines that are new
   behind it. The order of lines may thus differ between the folder and the repository, but the repository only ever
   appends, and two machines with the same lines have the same commit.
2. *Fetch* the remote's `main`.
3. *Merge* both commits as sets, in memory, into a commit with two parents (`sync_tree.merge`).
4. *Bring in*: append the lines that a file lacks, under its lock; create files that are new under a temporary name;
   move threads to and from the trash, asking once more under the lock whether anything was added meanwhile.
5. `main` becomes the merged commit, and is *pushed*, never by force. Where the remote moved meanwhile: from 2 again.

**Killed at any point**, the folder holds some of what came, each line whole; `main` stands where the folder is at least
as new as it. The next sync finds what is here, and does what is left; doing a step twice changes nothing. Lock files
that git left in the repository are taken away if a sync was cut off there (it leaves a mark), else reported.
"""

from __future__ import annotations

import itertools
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from convend_tui import paths as p
from convend_tui.errors import SyncError
from convend_tui.files import write_atomic
from convend_tui.paths import Paths
from convend_tui.plain import one_line
from convend_tui.store import git as g
from convend_tui.store import git_words as w
from convend_tui.store import sync_tree as t
from convend_tui.store.locks import lock_at
from convend_tui.store.log import failed
from convend_tui.store.sync_folder import Folder, Received

_TRIES: Final = 8
"""How often the remote may move while a sync is at work."""
_OURS: Final = "convend.sync"
"""The setting that says that convend made a repository."""
_MARK: Final = "convend-syncing"
"""A file in the repository for as long as a sync runs: where it is there before, that one was cut off."""
_MAKING: Final = ".convend-git-"
_BUSY: Final = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync came to."""

    remote: str
    """The remote's address, without user and password."""
    sent_threads: int = 0
    sent_attachments: int = 0
    received: Received = field(default_factory=Received)
    left_out: tuple[str, ...] = ()
    """What stays on this machine, a sentence each."""

    def as_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        came = self.received
        return {
            "remote": self.remote,
            "sent": {"threads": self.sent_threads, "attachments": self.sent_attachments},
            "received": {"threads": len(came.threads), "attachments": came.attachments},
            "trashed": sorted(came.trashed),
            "restored": sorted(came.restored),
            "notes": [*came.notes, *self.left_out],
            "failed": came.failed,
        }


def sync(paths: Paths, init: str | None = None) -> Synced:
    """Commit what is new here, take what is new at the remote, and send what it lacks. Blocks, also on the network.

    Args:
        init: the address of a remote: makes the repository first, or gives it another remote.

    Raises:
        SyncError: git failed, or something stands in the way. StoreError: the disk refused.
        In each case nothing is lost on either side, and the next sync goes on from there.
    """
    p.ensure(paths.data)
    with _alone(paths):
        if init is not None:
            _initialize(paths, _address(paths, init))
        git = _repository(paths)
        with _marked(git):
            return _Sync(paths, git).run()


class _Sync:
    def __init__(self, paths: Paths, git: g.Git) -> None:
        self._git = git
        self._folder = Folder(paths)
        self._received = Received()
        self._sent: set[str] = set()

    def run(self) -> Synced:
        git = self._git
        self._folder.prepare()
        main = self._commit()
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(random.uniform(0.05, 0.3) * attempt)
            theirs = fetch(git)
            merged = self._merge(main, theirs)
            if merged != main:
                git.do("update-ref", g.MAIN, merged, main)
                main = merged
            if main == theirs or self._push(main, theirs):
                break
        else:
            raise SyncError("The remote moved on all the time. What came is here; sync again to send what is yours.")
        self._folder.remember()
        # For whoever looks at the folder with git; nothing here uses it.
        git.ask("read-tree", main)
        if main != theirs or self._received.threads:
            git.ask("-c", "gc.auto=2000", "gc", "--auto", "--quiet")
        threads = {named[1] for path in self._sent if (named := t.thread_name(path)) is not None}
        return Synced(
            w.without_secrets(git.remote),
            len(threads),
            sum(map(t.is_blob, self._sent)),
            self._received,
            tuple(self._folder.left_out),
        )

    def _commit(self) -> str:
        """What is new in the folder becomes a commit; returns `main`."""
        git = self._git
        before = git.commit_of(g.MAIN)
        tree = git.tree_of(before)
        with git.objects() as objects:
            changes = self._folder.changes(tree, objects.content)
            first = next(changes, None)
            if first is None and before is not None:
                self._folder.committed(tree)
                return before
            parents = [before] if before is not None else []
            some = [first] if first is not None else []
            after = git.commit("What is new here", parents, itertools.chain(some, changes))
        # Also where there was none: another git program may have made one.
        git.do("update-ref", g.MAIN, after, before or "")
        self._folder.committed(git.tree_of(after))
        return after

    def _merge(self, main: str, theirs: str | None) -> str:
        """A commit that holds all of both; what is new in it is in the folder."""
        git = self._git
        tree = git.tree_of(main)
        merged, after = main, tree
        with git.objects() as objects:
            if theirs is not None and theirs != main:
                found = git.ask("merge-base", main, theirs)
                if found.code > 1:
                    raise git.explained(found.err, "merge-base")
                base = found.out.strip()
                other = git.tree_of(theirs)
                if not base:
                    require_ours(other, objects.content, git.remote)
                if base == main:
                    merged, after = theirs, other
                elif base != theirs:
                    was = git.tree_of(base) if base else {}
                    changes = t.merge(was, tree, other, objects.content)
                    merged = git.commit("What was new on both sides", [main, theirs], changes)
                    after = git.tree_of(merged)
            self._folder.bring_in(tree, after, objects.content, self._received)
        return merged

    def _push(self, main: str, theirs: str | None) -> bool:
        """Send `main`; False: the remote moved meanwhile."""
        git = self._git
        before = git.tree_of(theirs)
        answer = git.ask("push", "--progress", "--porcelain", "--no-verify", "origin", f"{main}:{g.MAIN}")
        if answer.code != 0:
            refusal = re.search(r"^!\t.*\[(remote )?rejected\] \((.*)\)$", answer.out, re.MULTILINE)
            if refusal is None:
                raise git.explained(answer.err, "push")
            if not refusal[1] or re.search("lock ref|failed to update ref|incorrect old|fetch first", refusal[2]):
                return False
            lines = w.without_progress(answer.err)
            said = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
            why = one_line(w.without_secrets("; ".join([refusal[2], *filter(None, said[:3])])), 300)
            raise SyncError(f"The remote did not take what is new here: {why}. What came from it is here.")
        self._sent |= {path for path, entry in git.tree_of(main).items() if before.get(path) != entry}
        return True


def fetch(git: g.Git) -> str | None:
    """Fetch the remote's `main`; None: the remote is empty.

    Raises:
        SyncError: it cannot be reached, or has other branches only.
    """
    words = ("fetch", "--progress", "--no-tags", "origin", f"+{g.MAIN}:{g.THEIRS}")
    answer = git.ask(*words)
    if answer.code == 0:
        return git.commit_of(g.THEIRS)
    if "couldn't find remote ref" not in answer.err:
        raise git.explained(answer.err, "fetch")
    if git.do("ls-remote", "--heads", "origin"):
        raise _not_ours(git.remote)
    return None


def require_ours(tree: g.Tree, load: t.Load, remote: str) -> None:
    """Make sure that a history that has nothing to do with ours was made by convend.

    Raises:
        SyncError: it was not.
    """
    attributes = tree.get(t.ATTRIBUTES)
    if attributes is None or not t.is_marked(load(attributes.sha)):
        raise _not_ours(remote)


def _not_ours(remote: str) -> SyncError:
    return SyncError(
        f"{w.without_secrets(remote)} holds something else than threads of convend. Nothing was changed there. "
        "Give convend a repository of its own: an empty one, or one that it has synced with before."
    )


# -- the repository -----------------------------------------------------------------------------------------


def _address(paths: Paths, remote: str) -> str:
    """A remote's address that means the same from everywhere."""
    if not remote.strip() or remote.startswith("-") or not remote.isprintable():
        raise SyncError(f"{remote!r} is not the address of a git repository.")
    with suppress(OSError, RuntimeError):
        local = Path(remote).expanduser().absolute()
        if local.exists():
            if local.resolve() in (paths.data.resolve(), (paths.data / ".git").resolve()):
                raise SyncError("The remote must be another repository than the data folder's own.")
            return str(local)
    return remote


def _initialize(paths: Paths, remote: str) -> None:
    """Make the repository, once the remote has turned out to be one to sync with."""
    home = paths.data / ".git"
    for left in paths.data.glob(f"{_MAKING}*"):  # by a crash: nobody else can be at it
        shutil.rmtree(left, ignore_errors=True)
    is_new = not home.exists()
    if not is_new:
        _require_made_by_us(home, g.Git(home, paths.data))
    try:
        making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=paths.data))
    except OSError as error:
        raise failed("written", paths.data, error) from error
    try:
        git = g.Git(making, paths.data)
        git.do("init", "--quiet", "--bare", "--template=")
        for name, value in (
            ("core.bare", "false"),
            (_OURS, "1"),
            ("remote.origin.url", remote),
            ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
        ):
            git.do("config", "--local", name, value)
        git.do("symbolic-ref", "HEAD", g.MAIN)
        theirs = fetch(git)
        if theirs is not None:
            with git.objects() as objects:
                require_ours(git.tree_of(theirs), objects.content, remote)
        if is_new:
            try:
                making.rename(home)
            except OSError as error:
                raise failed("written", home, error) from error
        else:
            g.Git(home, paths.data).do("config", "--local", "remote.origin.url", remote)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _require_made_by_us(home: Path, git: g.Git) -> None:
    if home.is_dir():
        answer = git.ask("rev-parse", "--git-dir")
        if answer.code != 0:  # a broken one is not asked for its settings
            raise git.explained(answer.err, "rev-parse") if "config" in answer.err else w.damaged(home)
        if git.setting(_OURS) == "1":
            return
        if not (home / "config").exists():
            raise w.damaged(home)
    raise SyncError(
        f"There is a git repository in {home.parent} that convend did not make. It was left as it is. "
        "To sync, move its .git away, and say `convend sync --init REMOTE`."
    )


def _repository(paths: Paths) -> g.Git:
    """The repository, if it can be worked with.

    Raises:
        SyncError: there is none, it is another's, or something else is going on in it.
    """
    home = paths.data / ".git"
    git = g.Git(home, paths.data)
    if not home.exists():
        git.do("version")  # without git there is no use in making one
        raise SyncError(
            "There is nothing to sync with yet. Make an empty git repository where all your machines reach it, "
            "and say `convend sync --init REMOTE` on each."
        )
    _require_made_by_us(home, git)
    for name, what in _BUSY.items():
        if (home / name).exists():
            raise SyncError(
                f"A {what} is going on in {paths.data}. Finish it, or say `git {what} --abort` there; then sync again."
            )
    answer = git.ask("symbolic-ref", "-q", "HEAD")
    if answer.code > 1:
        raise w.damaged(home)
    if (head := answer.out.strip()) != g.MAIN:
        raise SyncError(
            f"The repository in {paths.data} is not on its branch main but on {head or 'no branch'}. Say "
            "`git symbolic-ref HEAD refs/heads/main` there, and sync again."
        )
    if not git.remote:
        raise SyncError("The repository has no remote. Say `convend sync --init REMOTE`.")
    for lock in git.locks():
        if not (home / _MARK).exists():
            raise SyncError(
                f"Another git program is at work in {paths.data}, or was cut off there. If none is running, delete "
                f"{lock}, and sync again."
            )
        lock.unlink(missing_ok=True)
    return git


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """One sync at a time.

    Raises:
        SyncError: another one is running.
    """
    import filelock

    held = lock_at(p.ensure(paths.locks) / "sync.lock", 0)
    try:
        held.acquire()
    except filelock.Timeout:
        raise SyncError("Another sync is running. What it does not bring, the next one will.") from None
    except OSError as error:
        raise failed("locked", Path(held.lock_file), error) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def _marked(git: g.Git) -> Iterator[None]:
    """Leave a mark in the repository where a sync is killed."""
    for left in git.git_dir.glob("fast_import_crash_*"):
        left.unlink(missing_ok=True)
    mark = git.git_dir / _MARK
    write_atomic(mark, b"")
    try:
        yield
    finally:
        with suppress(OSError):
            mark.unlink(missing_ok=True)
