"""The git repository that a sync works with: made, asked whether it is ours, and fetched into (see sync.py)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from convend_tui.errors import SyncError
from convend_tui.files import write_atomic
from convend_tui.paths import Paths
from convend_tui.store import git as g
from convend_tui.store import git_words as w
from convend_tui.store import sync_tree as t
from convend_tui.store.log import failed

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


def address(paths: Paths, remote: str) -> str:
    """A remote's address that means the same from everywhere.

    Raises:
        SyncError: it is none, or that of the data folder itself.
    """
    if not remote.strip() or remote.startswith("-") or not remote.isprintable():
        raise SyncError(f"{remote!r} is not the address of a git repository.")
    with suppress(OSError, RuntimeError):
        local = Path(remote).expanduser().absolute()
        if local.exists():
            if local.resolve() in (paths.data.resolve(), (paths.data / ".git").resolve()):
                raise SyncError("The remote must be another repository than the data folder's own.")
            return str(local)
    return remote


def initialize(paths: Paths, remote: str) -> None:
    """Make the repository, once the remote has turned out to be one to sync with.

    Raises:
        SyncError: it is not, or there is a repository that convend did not make. StoreError: the disk refused.
    """
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


def opened(paths: Paths) -> g.Git:
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
def marked(git: g.Git) -> Iterator[None]:
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
