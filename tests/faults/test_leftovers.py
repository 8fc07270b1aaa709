"""Temporary files that a crash left are taken away; nothing else is, and none that a living process writes."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from convend_tui import files
from convend_tui.errors import StoreError
from convend_tui.paths import Paths
from convend_tui.store import drafts, leftovers
from convend_tui.store import log as log_module
from convend_tui.store.library import Library
from convend_tui.store.partial import Checkpoint
from tests.faults.test_disk import message, thread_in
from tests.making import SETTINGS, Branch, paths_in
from tests.tui.conftest import Home, home  # noqa: F401

DAYS_AGO = time.time() - 3 * 24 * 3600


def left_in(paths: Paths) -> list[Path]:
    return sorted(file for file in paths.data.rglob("*.tmp"))


def aged(*found: Path) -> None:
    for file in found:
        os.utime(file, (DAYS_AGO, DAYS_AGO))


@pytest.mark.parametrize("what", ["thread", "draft"])
def test_what_a_crash_left_goes_once_it_is_old(tmp_path: Path, what: str) -> None:
    paths = paths_in(tmp_path)
    if os.fork() == 0:
        os.fsync = lambda fd: stat.S_ISREG(os.fstat(fd).st_mode) and os.kill(os.getpid(), signal.SIGKILL)  # type: ignore
        if what == "thread":
            thread_in(tmp_path)
        drafts.save(paths, drafts.NEW, drafts.Draft("words"))
        os._exit(0)
    _, status = os.wait()
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    (left,) = left_in(paths)
    assert leftovers.clear(paths) == 0 and left.exists()  # its process may still live
    aged(left)
    assert leftovers.clear(paths) == 1 and not left.exists()


def test_a_file_that_a_living_process_writes_stays_however_old_it_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop was closed in the middle of a write; another convend is started first when it is opened again."""
    paths = paths_in(tmp_path)
    real, tried = os.fsync, 0

    def sleep(fd: int) -> None:
        nonlocal tried
        for file in left_in(paths):
            aged(file)
            tried += 1
        assert leftovers.clear(paths) == 0
        real(fd)

    for module in (files, log_module):
        monkeypatch.setattr(module.os, "fsync", sleep)
    handle = Library(paths).new(SETTINGS)
    handle.append_now([message("a")])
    files.write_atomic(tmp_path / "state" / "choices.toml", b"x = 1")
    assert tried == 2
    assert list(Library(paths).open(handle.thread.id).thread.messages) == ["a"]
    assert left_in(paths) == []


def test_nothing_else_is_taken_away(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    others = [
        "threads/.syncthing.20261122T034812-9f3ab01c.jsonl.tmp",
        "threads/notes.tmp",
        "threads/.hidden.tmp",
        "threads/.20261122T034812-9f3ab01c.jsonl",
        "threads/.sync.abcd1234.tmp",
        "threads/20261122T034812-9f3ab01c.jsonl",
        "state/partial/notes.tmp",
        "mine/.x.abcd1234.tmp",
    ]
    for name in others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
        aged(tmp_path / name)
    (tmp_path / "threads" / ".folder.abcd1234.tmp").mkdir()
    os.mkfifo(tmp_path / "threads" / ".pipe.abcd1234.tmp")
    (tmp_path / "threads" / ".link.abcd1234.tmp").symlink_to(tmp_path / "threads" / "notes.tmp")
    aged(tmp_path / "threads" / ".folder.abcd1234.tmp", tmp_path / "threads" / ".pipe.abcd1234.tmp")
    assert leftovers.clear(paths) == 0
    assert all((tmp_path / name).exists() for name in others)
    assert leftovers.clear(paths_in(tmp_path / "nowhere")) == 0


def test_a_checkpoint_that_a_full_disk_refused_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = paths_in(tmp_path)
    checkpoint = Checkpoint(paths.partial, "t", "0123456789abcdef")

    def full(*given: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StoreError, match="the disk is full"):
            checkpoint.write(Branch().reply("x").path[0])
    assert left_in(paths) == []
    checkpoint.close()


async def test_the_screen_takes_them_away_at_its_start(home: Home) -> None:  # noqa: F811
    home.save(Branch().typed("Hello").reply("Hello."))
    left = home.paths.threads / ".20261122T000001-00000001.jsonl.abcd1234.tmp"
    left.write_bytes(b'{"type":')
    aged(left)
    async with home.app() as me:
        await me.until(lambda: not left.exists())
