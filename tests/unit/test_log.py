"""One thread file on the disk: torn, broken, replaced, full, and written by several at once."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from convend_tui.errors import Locked, StoreError
from convend_tui.store.partial import Checkpoint
from convend_tui.thread import records as r
from tests.unit.thread_files import HEAD, ROOT, add, filled, ids, log_in, message, posix

# Reading


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = filled(tmp_path, message("a"))
    other = log_in(tmp_path)
    assert len(other.read_new().records) == 2
    assert log.append([message("b")]).records == ()
    assert [record.id for record in other.read_new().records] == ["b"]  # type: ignore[union-attr]
    assert other.read_new().records == ()


def test_what_was_appended_is_not_read_again_and_what_others_appended_is(tmp_path: Path) -> None:
    one = filled(tmp_path)
    two = log_in(tmp_path)
    two.read_new()
    for number in range(6):
        writer, name = (one, two)[number % 2], f"m{number}"
        fresh = writer.append([message(name)])
        expected = [] if number == 0 else [f"m{number - 1}"]
        assert [record.id for record in fresh.records] == expected  # type: ignore[union-attr]
    assert one.read_new().records == (message("m5"),)
    assert two.read_new().records == ()
    assert ids(one) == [f"m{number}" for number in range(6)]


def test_a_broken_line_in_the_middle_is_reported_with_its_number_and_the_rest_is_read(tmp_path: Path) -> None:
    log = filled(tmp_path, message("a"))
    add(log.path, b"\n{broken\n" + r.encode(message("b")) + b'{"type":"message","at":1}\n' + r.encode(message("c")))
    before = log.path.read_bytes()
    batch = log.read_new()
    assert [record.id for record in batch.records] == ["b", "c"]  # type: ignore[union-attr]
    assert [problem.partition(" is skipped")[0] for problem in batch.problems] == ["line 4", "line 6"]
    log.append([message("d")])
    assert log.path.read_bytes() == before + r.encode(message("d"))
    assert log.read_new().problems == ()


def test_unknown_records_and_fields_stay_in_the_file(tmp_path: Path) -> None:
    log = filled(tmp_path)
    strange = b'{"type":"future","deep":[1,{"a":null}]}\n{"type":"title","at":"x","title":"t","colour":"red"}\n'
    add(log.path, strange)
    batch = log.read_new()
    assert batch.problems == ()
    assert batch.records == (r.Unknown(type="future"), r.Title(at="x", title="t"))
    log.append([message("a")])
    assert strange in log.path.read_bytes()


def test_a_last_line_without_its_newline_waits(tmp_path: Path) -> None:
    log = filled(tmp_path)
    line = r.encode(message("a"))
    add(log.path, line[:20])
    assert log.read_new().records == ()
    add(log.path, line[20:])
    assert [record.id for record in log.read_new().records] == ["a"]  # type: ignore[union-attr]


# Mending the end


@pytest.mark.parametrize("cut", [1, 10, 30, 60, -5, -2])
def test_a_torn_last_line_is_cut_off_kept_and_reported(tmp_path: Path, cut: int) -> None:
    log = filled(tmp_path, message("a"))
    torn = r.encode(message("b"))[:cut]
    add(log.path, torn)
    batch = log.append([message("c")])
    assert batch.records == ()
    assert len(batch.problems) == 1
    assert "torn" in batch.problems[0]
    assert ids(log) == ["a", "c"]
    (kept,) = log.torn_folder.iterdir()
    assert kept.read_bytes() == torn
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 or os.name == "nt"


def test_a_torn_line_of_a_later_version_is_cut_off_as_well(tmp_path: Path) -> None:
    log = filled(tmp_path)
    add(log.path, b'{"type":"future","x":[1,2')
    assert "torn" in log.append([message("a")]).problems[0]
    assert ids(log) == ["a"]


def test_a_whole_last_line_without_its_newline_is_completed(tmp_path: Path) -> None:
    log = filled(tmp_path)
    add(log.path, r.encode(message("a")).rstrip(b"\n"))
    batch = log.append([message("b")])
    assert ([record.id for record in batch.records], batch.problems) == (["a"], ())  # type: ignore[union-attr]
    assert ids(log) == ["a", "b"]
    assert not log.torn_folder.exists()


# Files that are not what they were


def test_a_file_that_was_replaced_is_read_from_the_start(tmp_path: Path) -> None:
    log = filled(tmp_path, message("a"), message("b"))
    other = tmp_path / "other"
    other.write_bytes(r.encode(HEAD) + r.encode(message("a")) + r.encode(message("longer", words="x" * 500)))
    other.replace(log.path)
    batch = log.read_new()
    assert batch.replaced
    assert [record.id for record in batch.records[1:]] == ["a", "longer"]  # type: ignore[union-attr]
    assert not log.read_new().replaced


def test_a_file_that_was_shortened_is_read_from_the_start(tmp_path: Path) -> None:
    log = filled(tmp_path, message("a"), message("b"))
    os.truncate(log.path, len(r.encode(HEAD)) + len(r.encode(message("a"))))
    batch = log.append([message("c")])
    assert batch.replaced
    assert len(batch.records) == 2
    assert ids(log) == ["a", "c"]


def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    log = filled(tmp_path, message("a"))
    log.path.unlink()
    with pytest.raises(StoreError, match="gone"):
        log.append([message("b")])
    with pytest.raises(StoreError, match="cannot be read"):
        log.read_new()
    assert not log.path.exists()


def test_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    log = filled(tmp_path, message("a"))
    before = log.path.read_bytes()
    with pytest.raises(StoreError, match="cannot be created"):
        log_in(tmp_path).create([HEAD])
    assert log.path.read_bytes() == before


# Disks that refuse


def refusing(number: int, after: int = 0) -> Callable[[int, bytes], int]:
    """An os.write that writes half of what it is given, `after` times in full, and then fails."""
    real = os.write
    calls = 0

    def write(fd: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls <= after:
            return real(fd, data)
        if calls == after + 1 and number == errno.ENOSPC:
            return real(fd, bytes(data)[: len(data) // 2])
        raise OSError(number, os.strerror(number))

    return write


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_disk_that_refuses_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    log = filled(tmp_path, message("a"))
    before = log.path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("convend_tui.store.log.os.write", refusing(number))
        with pytest.raises(StoreError, match=said) as found:
            log.append([message("b"), message("c")])
    assert str(log.path) in str(found.value)
    assert log.path.read_bytes() == before
    log.append([message("b")])
    assert ids(log) == ["a", "b"]
    assert log.read_new().problems == ()


def test_a_new_file_that_cannot_be_written_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("convend_tui.store.log.os.write", refusing(errno.ENOSPC))
        with pytest.raises(StoreError, match="the disk is full"):
            log.create([HEAD, message("a")])
    assert not log.path.exists()
    log.create([HEAD])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "threads").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="threads cannot be created"):
        log_in(tmp_path).create([HEAD])


def test_what_was_read_by_an_append_that_failed_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, other = filled(tmp_path), log_in(tmp_path)
    other.read_new()
    other.append([message("a")])

    def never(_: object) -> None:
        raise Locked("No.")

    for _ in range(2):
        with pytest.raises(Locked):
            log.append([message("b")], never)
    other.append([message("c")])
    with monkeypatch.context() as patched:
        patched.setattr("convend_tui.store.log.os.write", refusing(errno.EIO))
        with pytest.raises(StoreError):
            log.append([message("d")])
    assert [record.id for record in log.held().records] == ["a", "c"]  # type: ignore[union-attr]
    assert log.held().records == log.read_new().records == ()
    assert ids(log) == ["a", "c"]


@posix
def test_only_the_owner_may_read(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        log = filled(tmp_path, message("a"))
        log.append([message("b")])
        add(log.path, b"{torn")
        log.append([message("c")])
        Checkpoint(tmp_path / "partial", "t", "p").write(message("p"))
    finally:
        os.umask(old)
    for found in tmp_path.rglob("*"):
        mode = stat.S_IMODE(found.stat().st_mode)
        assert mode == (0o700 if found.is_dir() else 0o600), f"{found}: {mode:o}"


# Several processes

WRITER = """
import sys
from pathlib import Path
from tests.unit.thread_files import log_in, message
log = log_in(Path(sys.argv[1]))
for number in range(50):
    log.append([message(f"{sys.argv[2]}-{number}", words="ä" * 300)])
"""


def test_four_processes_lose_and_tear_nothing(tmp_path: Path) -> None:
    log = filled(tmp_path)
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen([*command, str(number)], env=environ) for number in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    batch = log.read_new()
    assert batch.problems == ()
    found = [record.id for record in batch.records if isinstance(record, r.Message)]
    assert sorted(found) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(50))
    for writer in range(4):
        own = [name for name in found if name.startswith(f"{writer}-")]
        assert own == [f"{writer}-{number}" for number in range(50)]
