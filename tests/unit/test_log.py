"""One thread file on the disk: torn, broken, replaced, full, and written by several at once."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from convend_tui.errors import Locked, NotFound, StoreError, Unreadable
from convend_tui.store import handle as handle_module
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.store.log import LogFile
from convend_tui.store.partial import Checkpoint, recover
from convend_tui.thread import records as r
from tests.making import SETTINGS, at, header, paths_in, text

ROOT = Path(__file__).parents[2]
HEAD = header()
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")


def message(name: str, parent: str | None = None, when: int = 1, words: str = "x") -> r.Message:
    return r.Message(at=at(when), id=name, parent=parent, role="user", content=[text(words)], kind="typed")


def log_in(root: Path) -> LogFile:
    return LogFile(root / "threads" / "t.jsonl", root / "locks" / "t.lock", root / "torn")


def filled(root: Path, *records: r.Record) -> LogFile:
    """A file with a header and `records`, read up to its end."""
    log = log_in(root)
    log.create([HEAD, *records])
    assert len(log.read_new().records) == 1 + len(records)
    return log


def ids(log: LogFile) -> list[str]:
    """The messages that a new reader of the file finds."""
    fresh = LogFile(log.path, log.lock_path, log.torn_folder)
    return [record.id for record in fresh.read_new().records if isinstance(record, r.Message)]


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


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
from tests.unit.test_log import log_in, message
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


# The handle


def handle_in(root: Path) -> ThreadHandle:
    handle = Library(paths_in(root)).new(SETTINGS)
    handle.append_now([message("a")])
    return handle


def opened(root: Path, handle: ThreadHandle) -> ThreadHandle:
    return Library(paths_in(root)).open(handle.thread.id)


def test_a_new_thread_has_no_file_before_its_first_message(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    handle = library.new(SETTINGS)
    assert (handle.on_disk, library.ids()) == (False, [])
    handle.append_now([message("a")])
    assert (handle.on_disk, library.ids()) == (True, [handle.thread.id])
    assert opened(tmp_path, handle).thread.messages == {"a": message("a")}


def test_a_rule_that_refuses_has_seen_what_others_wrote_and_so_has_the_handle_then(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    two = opened(tmp_path, one)
    one.append_now([message("b", "a", 2)])
    seen: list[list[str]] = []

    def rule(thread: object) -> None:
        seen.append(sorted(thread.messages))  # type: ignore[attr-defined]
        raise Locked("No.")

    for _ in range(2):
        with pytest.raises(Locked):
            two.append_now([message("c", "a", 3)], rule)
    assert seen == [["a", "b"], ["a", "b"]]
    assert sorted(two.thread.messages) == ["a", "b"]


async def test_awaiting_an_append_that_fails_takes_in_what_others_wrote(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    two = opened(tmp_path, one)
    one.append_now([message("b", "a", 2)])

    def rule(_: object) -> None:
        raise Locked("No.")

    with pytest.raises(Locked):
        await two.append([message("c", "a", 3)], rule)
    assert sorted(two.thread.messages) == ["a", "b"]


def test_refresh_says_whether_anything_changed(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    two = opened(tmp_path, one)
    assert not two.refresh()
    one.append_now([message("b", "a", 2)])
    assert two.refresh()
    assert not two.refresh()
    assert two.thread.messages == one.thread.messages


def test_an_older_copy_in_place_of_the_file_takes_no_lock_away(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    file = paths_in(tmp_path).threads / f"{one.thread.id}.jsonl"
    old = file.read_bytes()
    one.append_now([message("b", "a", 2), r.Ended(at=at(3), message="b", cause="persistent_abuse", explanation="x")])
    file.write_bytes(old)
    assert one.refresh()
    assert "b" in one.thread.ended
    assert sorted(one.thread.messages) == ["a", "b"]
    one.append_now([message("c", "a", 4)])
    assert sorted(opened(tmp_path, one).thread.messages) == ["a", "c"]


def test_a_file_that_was_emptied_is_not_appended_to(tmp_path: Path) -> None:
    one = handle_in(tmp_path)
    file = paths_in(tmp_path).threads / f"{one.thread.id}.jsonl"
    whole = file.read_bytes()
    for emptied in (b"", b"something else\n"):
        file.write_bytes(emptied)
        for _ in range(2):
            with pytest.raises(StoreError, match="Nothing was written"):
                one.append_now([message("b", "a", 2)])
            one.refresh()
        assert file.read_bytes() == emptied
    file.write_bytes(whole)
    one.append_now([message("b", "a", 2)])
    assert sorted(opened(tmp_path, one).thread.messages) == ["a", "b"]


def test_a_newer_format_is_read_and_not_written(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    paths.threads.mkdir(parents=True)
    file = paths.threads / f"{HEAD.id}.jsonl"
    file.write_bytes(r.encode(header(format=2)) + r.encode(message("a")) + b'{"type":"future"}\n')
    before = file.read_bytes()
    handle = Library(paths).open(HEAD.id)
    assert handle.read_only is not None
    assert sorted(handle.thread.messages) == ["a"]
    with pytest.raises(Unreadable, match="newer convend"):
        handle.append_now([message("b")])
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\x00\xff\xfe", b'{"type":"thread"}\n', r.encode(message("a")), b"{" * 10_000]
)
def test_a_file_without_a_header_is_listed_with_its_reason(tmp_path: Path, content: bytes) -> None:
    paths = paths_in(tmp_path)
    paths.threads.mkdir(parents=True)
    file = paths.threads / "20261122T000000-00000000.jsonl"
    file.write_bytes(content)
    (summary,) = Library(paths).summaries()
    assert summary.problem is not None
    assert str(file) in summary.problem
    assert file.read_bytes() == content


def test_names_that_lead_out_of_the_folder_are_no_threads(tmp_path: Path) -> None:
    for name in ("../config", "a/b", "", "..", "/etc/passwd"):
        with pytest.raises(NotFound):
            Library(paths_in(tmp_path)).open(name)


def test_each_record_is_later_than_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within one millisecond, and where another machine's clock is ahead."""
    handle = handle_in(tmp_path)
    moments = [0, 100, 900, 1500, 1600, 1000]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2026, 11, 23, 12, 0, 0, moments.pop(0), tzinfo=UTC)

    monkeypatch.setattr(handle_module, "datetime", Clock)
    given: list[str] = []
    while moments:
        given.append(handle.now())
        handle.thread.apply(r.Title(at=given[-1], title="x"))
    assert given == sorted(set(given))
    moments.extend([0, 0, 0])
    ahead = "2026-11-23T18:00:00.000Z"
    handle.thread.apply(r.Title(at=ahead, title="x"))
    assert handle.now() > ahead
    assert handle.times(3) == sorted(set(handle.times(3)))
    # A clock that is years ahead drags nothing along.
    moments.append(0)
    handle.thread.apply(r.Title(at="2031-01-01T00:00:00.000Z", title="x"))
    assert handle.now().startswith("2026-11-23T12")


# Checkpoints


def test_a_checkpoint_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    handle = handle_in(tmp_path)
    library = Library(paths_in(tmp_path))
    checkpoint = Checkpoint(library.paths.partial, handle.thread.id, "p")
    checkpoint.write(message("p", "a", 5))
    assert list(recover(library)) == []
    checkpoint.close(keep=True)
    (sentence,) = recover(library)
    assert "brought back" in sentence
    assert sorted(opened(tmp_path, handle).thread.messages) == ["a", "p"]
    assert list(library.paths.partial.iterdir()) == []


def test_checkpoints_that_cannot_be_placed_are_kept_and_said(tmp_path: Path) -> None:
    library = Library(paths_in(tmp_path))
    folder = library.paths.partial
    checkpoint = Checkpoint(folder, "20261122T000000-deadbeef", "p")
    checkpoint.write(message("p"))
    checkpoint.close(keep=True)
    (folder / "q.json").write_bytes(b"\xff{broken")
    assert len(list(recover(library))) == 2
    assert [file.name for file in folder.glob("*.json")] == ["p.json"]
    # One that cannot be read is told of once.
    assert (library.paths.state / "torn" / "q.json").read_bytes() == b"\xff{broken"
    assert len(list(recover(library))) == 1


def test_a_checkpoint_on_a_disk_that_refuses_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import filelock

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(StoreError, match="the disk is full"):
        Checkpoint(tmp_path / "partial", "t", "p")


def test_a_message_that_was_saved_after_all_is_not_doubled(tmp_path: Path) -> None:
    handle = handle_in(tmp_path)
    library = Library(paths_in(tmp_path))
    checkpoint = Checkpoint(library.paths.partial, handle.thread.id, "a")
    checkpoint.write(message("a", words="half"))
    checkpoint.close(keep=True)
    assert list(recover(library)) == []
    lines = [json.loads(line) for line in (library.paths.threads / f"{handle.thread.id}.jsonl").open("rb")]
    assert [line["type"] for line in lines] == ["thread", "message"]
    assert not list(library.paths.partial.glob("*.json"))
