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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from convend_tui import paths as p
from convend_tui.errors import SyncError
from convend_tui.paths import Paths
from convend_tui.plain import one_line
from convend_tui.store import git as g
from convend_tui.store import git_words as w
from convend_tui.store import sync_tree as t
from convend_tui.store.locks import lock_at
from convend_tui.store.log import failed
from convend_tui.store.sync_folder import Folder, Received
from convend_tui.store.sync_repository import address, fetch, initialize, marked, opened, require_ours

_TRIES: Final = 8
"""How often the remote may move while a sync is at work."""
_MOVED: Final = re.compile("lock ref|failed to update ref|incorrect old|already exists|fetch first")


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
            initialize(paths, address(paths, init))
        git = opened(paths)
        with marked(git):
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
            if not refusal[1] or _MOVED.search(refusal[2]):
                return False
            lines = w.without_progress(answer.err)
            said = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
            why = one_line(w.without_secrets("; ".join([refusal[2], *filter(None, said[:3])])), 300)
            raise SyncError(f"The remote did not take what is new here: {why}. What came from it is here.")
        self._sent |= {path for path, entry in git.tree_of(main).items() if before.get(path) != entry}
        return True


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
