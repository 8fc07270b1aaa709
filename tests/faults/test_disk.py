"""Disks that are full, forbidden, read-only or gone: told clearly, and nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from convend_tui.cli import main
from convend_tui.errors import StoreError
from convend_tui.store import drafts
from convend_tui.store import log as log_module
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.tui.composer import DOUBLE_PRESS
from tests.making import SETTINGS, at, paths_in, text
from tests.referee import ThreadedReferee
from tests.tui.conftest import Home, home, online, referee  # noqa: F401

ROOT = Path(__file__).parents[2]
root_only = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting is for root")
SMALL = "size=4m"


def message(name: str, words: str = "x", parent: str | None = None) -> r.Message:
    return r.Message(at=at(1), id=name, parent=parent, role="user", content=[text(words)], kind="typed")


def thread_in(root: Path) -> ThreadHandle:
    handle = Library(paths_in(root)).new(SETTINGS)
    handle.append_now([message("a")])
    return handle


def file_of(handle: ThreadHandle, root: Path) -> Path:
    return paths_in(root).threads / f"{handle.thread.id}.jsonl"


def again(handle: ThreadHandle, root: Path) -> ThreadHandle:
    """The thread as another process reads it."""
    return Library(paths_in(root)).open(handle.thread.id)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", SMALL, "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True, capture_output=True)


def fill(place: Path) -> Path:
    """Fill a disk to its last byte."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return filler


# -- full -------------------------------------------------------------------------------------------------


@root_only
def test_a_full_disk_says_so_and_loses_nothing(disk: Path) -> None:
    handle = thread_in(disk)
    paths, file = paths_in(disk), file_of(handle, disk)
    drafts.save(paths, drafts.NEW, drafts.Draft(text="what was typed before"))
    filler = fill(disk)
    before = file.read_bytes()
    for number in range(3):
        with pytest.raises(StoreError, match=r"the disk is full\. Free some space and try again"):
            handle.append_now([message(f"b{number}", "y" * 9000)])
        assert file.read_bytes() == before
    with pytest.raises(StoreError, match=r"No space left|disk is full"):
        drafts.save(paths, drafts.NEW, drafts.Draft(text="more " * 3000))
    assert drafts.load(paths, drafts.NEW).text == "what was typed before"
    other = Library(paths).new(SETTINGS)
    with pytest.raises(StoreError, match=r"disk is full|No space left"):
        other.append_now([message("c", "y" * 9000)])
    assert sorted(path.name for path in paths.threads.iterdir()) == [file.name]
    filler.unlink()
    handle.append_now([message("d", "y" * 9000)])
    other.append_now([message("c", "y" * 9000)])
    assert list(again(handle, disk).thread.messages) == ["a", "d"]
    assert again(handle, disk).problems == []


@root_only
async def test_a_disk_that_fills_up_under_the_screen(
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    referee: ThreadedReferee,  # noqa: F811
) -> None:
    here = Home(disk, monkeypatch)
    here.connect(referee)
    async with here.app() as me:
        await me.says("Hello")
        filler = fill(disk)
        words = "What was typed on a full disk. " * 300
        await me.writes(words)
        await me.press("enter")
        await me.hears("the disk is full")
        await me.until(lambda: me.idle)
        assert me.typed == words
        filler.unlink()
        # Enter that is pressed twice in a moment counts once.
        await me.until(lambda: monotonic() - me.chat.composer._submitted_at > DOUBLE_PRESS)
        await me.press("enter")
        await me.until(lambda: me.idle and len(me.texts()) == 2)
        assert me.texts() == ["Hello", words]
        assert me.typed == ""


LIMITED = """
import resource, signal, sys
from pathlib import Path
from convend_tui.errors import StoreError
from convend_tui.store.library import Library
from tests.faults.test_disk import message, paths_in
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
handle = Library(paths_in(Path(sys.argv[1]))).open(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for number in range(100):
    try:
        handle.append_now([message(f"m{number}", "z" * 50)])
    except StoreError as error:
        print(number, error)
        break
"""


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    command = [sys.executable, "-c", LIMITED, str(tmp_path), handle.thread.id]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stderr == ""
    number, _, why = done.stdout.partition(" ")
    assert "cannot be written: File too large" in why
    assert list(again(handle, tmp_path).thread.messages) == ["a", *(f"m{i}" for i in range(int(number)))]
    assert again(handle, tmp_path).problems == []


# -- short and interrupted writes -------------------------------------------------------------------------


def test_a_disk_that_takes_a_few_bytes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    handle = thread_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
        handle.append_now([message("b", "y" * 1000), message("c")])
    assert list(again(handle, tmp_path).thread.messages) == ["a", "b", "c"]


@pytest.mark.parametrize("taken", range(0, 400, 23))
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_write_that_stops_anywhere_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int, number: int
) -> None:
    real = os.write
    handle = thread_in(tmp_path)
    before = file_of(handle, tmp_path).read_bytes()
    left = taken

    def write(fd: int, data: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError(number, os.strerror(number))
        size = min(left, len(data), 100)
        left -= size
        return real(fd, bytes(data)[:size])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        with pytest.raises(StoreError, match="cannot be written"):
            handle.append_now([message("b", "y" * 500)])
        assert file_of(handle, tmp_path).read_bytes() == before
        # And where not even the half can be taken back, the next append does.
        left = taken
        patched.setattr(os, "ftruncate", _refuse)
        with pytest.raises(StoreError, match="cannot be written"):
            handle.append_now([message("b", "y" * 500)])
    handle.append_now([message("c")])
    assert list(again(handle, tmp_path).thread.messages) == ["a", "c"]
    assert again(handle, tmp_path).problems == []


def _refuse(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_sync_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = thread_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _refuse)
        with pytest.raises(StoreError, match="cannot be written"):
            handle.append_now([message("b")])
        with pytest.raises(StoreError, match="cannot be"):
            Library(paths_in(tmp_path)).new(SETTINGS).append_now([message("c")])
    assert list(again(handle, tmp_path).thread.messages) == ["a"]
    assert len(Library(paths_in(tmp_path)).ids()) == 1


SIGNALLED = """
import signal, sys
from pathlib import Path
from convend_tui.store.library import Library
from tests.faults.test_disk import message, paths_in
heard = 0
def hear(*_):
    global heard
    heard += 1
signal.signal(signal.SIGALRM, hear)
handle = Library(paths_in(Path(sys.argv[1]))).open(sys.argv[2])
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
for number in range(100):
    handle.append_now([message(f"m{number}", "z" * 5000)])
signal.setitimer(signal.ITIMER_REAL, 0)
print(heard)
"""


def test_signals_in_the_middle_of_writes(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    command = [sys.executable, "-c", SIGNALLED, str(tmp_path), handle.thread.id]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stderr == ""
    assert int(done.stdout) > 10
    assert len(again(handle, tmp_path).thread.messages) == 101


# -- read-only, forbidden, gone ---------------------------------------------------------------------------


@root_only
def test_a_read_only_disk_can_be_read(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = thread_in(disk)
    monkeypatch.setenv("CONVEND_HOME", str(disk))
    (disk / "config.toml").write_text("")
    remount(disk, "ro")
    try:
        with pytest.raises(StoreError, match=r"read-only|Read-only"):
            handle.append_now([message("b")])
        with pytest.raises(StoreError, match=r"read-only|Read-only"):
            Library(paths_in(disk)).new(SETTINGS).append_now([message("b")])
        assert list(again(handle, disk).thread.messages) == ["a"]
        for words in (["list"], ["show", "@last"], ["search", "x"], ["tree", "@last"], ["export", "@last"]):
            assert main(words) == 0, capsys.readouterr().err
        capsys.readouterr()
        assert main(["title", "@last", "A name"]) == 1
        assert "ead-only" in capsys.readouterr().err
    finally:
        remount(disk, "rw")
    handle.append_now([message("b")])
    assert list(again(handle, disk).thread.messages) == ["a", "b"]


SOMEBODY = """
import sys
from pathlib import Path
from convend_tui.errors import StoreError
from convend_tui.store.library import Library
from tests.faults.test_disk import message, paths_in
library = Library(paths_in(Path(sys.argv[1])))
for thread_id in library.ids():
    print(library.summary(thread_id).problem)
    try:
        library.open(thread_id).append_now([message("b")])
        print("written")
    except StoreError as error:
        print(error)
"""


def _as_somebody(root: Path) -> str:
    """What a process meets to which permissions apply: to root they do not."""
    command = [sys.executable, "-c", SOMEBODY, str(root)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may do everything here")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--", *command]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_permission_that_is_taken_away(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    before = file.read_bytes()
    file.chmod(0o400)
    assert _as_somebody(tmp_path) == f"None\n{file} cannot be written: permission denied.\n"
    file.chmod(0o000)
    assert _as_somebody(tmp_path) == f"{file} cannot be read: permission denied.\n" * 2
    file.chmod(0o600)
    assert file.read_bytes() == before
    file.parent.chmod(0o500)  # an append needs no more than the file
    try:
        assert _as_somebody(tmp_path) == "None\nwritten\n"
    finally:
        file.parent.chmod(0o700)
    assert file.read_bytes().startswith(before)


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_a_file_that_vanishes_in_the_middle_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    handle = thread_in(tmp_path)
    file = file_of(handle, tmp_path)
    real = os.fsync

    def vanish(fd: int) -> None:
        real(fd)
        if file.exists():
            file.unlink() if gone == "file" else shutil.rmtree(file.parent)

    with monkeypatch.context() as patched:
        patched.setattr(log_module.os, "fsync", vanish)
        with pytest.raises(StoreError, match="is gone: it was moved or deleted by another program"):
            handle.append_now([message("b")])
    with pytest.raises(StoreError, match="is gone"):
        handle.append_now([message("b")])
    assert list(handle.thread.messages) == ["a"]
    assert not file.exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.filterwarnings("error")
def test_a_file_system_without_locks_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A file in place of a lock would keep everybody out for ever after a crash; and lock files are there already."""
    handle = thread_in(tmp_path)
    handle.append_now([message("b")])
    file = file_of(handle, tmp_path)
    before = file.read_bytes()

    def none(fd: int, what: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", none)
        with pytest.raises(StoreError, match=r"cannot be locked: this file system cannot lock files\. Put convend's"):
            handle.append_now([message("c")])
        assert file.read_bytes() == before
        assert list(again(handle, tmp_path).thread.messages) == ["a", "b"]
    handle.append_now([message("c")])
    assert list(again(handle, tmp_path).thread.messages) == ["a", "b", "c"]
