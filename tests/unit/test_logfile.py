"""The log file: what it holds, what never gets into it, and that no disk can make it a nuisance."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convend_tui import __version__, logfile
from convend_tui.errors import ModelError, StoreError
from convend_tui.logfile import LogFile, TurnNotes
from convend_tui.paths import Paths
from tests.making import paths_in

LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \d+ [a-z.]+( [a-z_]+=[A-Za-z0-9._:/@+~*?,<>-]+)*\n")
SECRET = "sk-ant-api03-abcdef"
WORDS = "What my doctor said yesterday"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No log is left open, and none was."""
    logfile.stop()
    yield
    logfile.stop()


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return paths_in(tmp_path)


def lines(places: Paths) -> list[str]:
    logfile.stop()
    return logfile.file_in(places).read_text().splitlines()


def fail(words: str) -> None:
    """Raise with words in the error, in a variable, and in what caused it."""
    kept = {"words": words}
    try:
        raise KeyError(kept["words"])
    except KeyError as error:
        raise ValueError(f"cannot use {words!r}") from error


def caught(words: str) -> ValueError:
    with pytest.raises(ValueError) as info:
        fail(words)
    return info.value


def test_before_anything_happens_there_is_no_file(places: Paths) -> None:
    logfile.note("nobody.listens", number=1)
    logfile.start(places, "screen")
    logfile.stop()
    assert not places.state.exists()


def test_the_start_comes_with_the_first_note(places: Paths) -> None:
    logfile.start(places, "screen")
    logfile.start(places, "again")
    logfile.note("turn.started", thread="20261122T000001-00000001", number=3, nothing=None, yes=True)
    first, second, last = lines(places)
    assert re.fullmatch(rf"\S+Z {os.getpid()} started what=screen convend={__version__} python=\S+ platform=\S+", first)
    assert second.endswith(" turn.started thread=20261122T000001-00000001 number=3 yes=True")
    assert last.endswith(" stopped")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_the_person_can_read_it(places: Paths) -> None:
    before = os.umask(0)
    try:
        logfile.start(places, "screen")
        logfile.note("something")
        logfile.stop()
    finally:
        os.umask(before)
    file = logfile.file_in(places)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == stat.S_IMODE(places.state.stat().st_mode) == 0o700


@given(event=st.just("x.y"), value=st.text() | st.integers() | st.floats() | st.booleans())
def test_any_value_is_one_harmless_word(event: str, value: str | float | bool) -> None:
    line = logfile._line(event, {"value": value}).encode() + b"\n"
    assert LINE.fullmatch(line)
    assert len(line) < 200


def test_it_is_put_aside_before_it_grows_large(places: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "MOST_BYTES", 2000)
    log = LogFile(logfile.file_in(places))
    for number in range(200):
        log.add(f"line {number:>40}")
        assert log.flush(10)
    log.close()
    folder = log.file.parent
    assert sorted(file.name for file in folder.iterdir()) == ["convend.log", "convend.log.1", "convend.log.2"]
    assert all(file.stat().st_size < 2100 for file in folder.iterdir())
    kept = "".join((folder / name).read_text() for name in ("convend.log.2", "convend.log.1", "convend.log"))
    numbers = [int(line.split()[1]) for line in kept.splitlines()]
    assert numbers == list(range(numbers[0], 200))


def test_processes_share_it_line_by_line(places: Paths) -> None:
    logs = [LogFile(logfile.file_in(places)) for _ in range(4)]
    for number in range(50):
        for log in logs:
            log.add(f"{number} " + "x" * 50)
    for log in logs:
        log.close()
    found = logs[0].file.read_text().splitlines()
    assert len(found) == 200
    assert all(re.fullmatch(r"\d+ x{50}", line) for line in found)


def test_a_disk_that_refuses_is_no_reason_to_fail(places: Paths) -> None:
    places.state.parent.mkdir(exist_ok=True)
    places.state.write_bytes(b"a file where the folder should be")
    logfile.start(places, "screen")
    logfile.note("something")
    sentence = logfile.crashed(places, caught(WORDS))
    assert sentence == "convend stopped because of a defect of its own (ValueError). The log could not be written."
    logfile.stop()
    assert places.state.read_bytes() == b"a file where the folder should be"


def test_a_disk_that_hangs_delays_nobody(places: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = threading.Event(), threading.Event()
    append = LogFile._append

    def slowly(self: LogFile, data: bytes) -> None:
        reached.set()
        assert go_on.wait(10)
        append(self, data)

    monkeypatch.setattr(LogFile, "_append", slowly)
    log = LogFile(logfile.file_in(places))
    log.add("first")
    assert reached.wait(10)
    for number in range(2000):
        log.add(f"line {number}")  # none of them waits, though the disk does
    assert not log.flush(0.01)
    go_on.set()
    assert log.flush(10)
    log.close()
    found = log.file.read_text().splitlines()
    assert found[:2] == ["first", "line 0"]
    assert len(found) == 502
    assert found[-1].endswith(" lines.lost count=1500")


def test_a_crash_tells_where_and_not_what(places: Paths) -> None:
    logfile.start(places, "screen")
    sentence = logfile.crashed(places, caught(f"{WORDS} {SECRET}"))
    file = logfile.file_in(places)
    assert sentence == (
        f"convend stopped because of a defect of its own (ValueError). More is in {file}, without your texts and keys."
    )
    text = file.read_text()
    assert "crash error=ValueError" in text
    assert re.search(r"  ValueError\n(    .*\n)*    tests/unit/test_logfile\.py:\d+ in fail\n  KeyError\n", text)
    assert SECRET not in text
    assert "doctor" not in text
    assert re.fullmatch(r"\S+Z \(ValueError,KeyError\)", logfile.last_crash(file) or "")


def test_a_group_of_errors_and_a_circle_of_them(places: Paths) -> None:
    one, two = OSError(28, "No space left on device", f"/home/{WORDS}"), RuntimeError(WORDS)
    one.__cause__ = two
    two.__cause__ = one
    logfile.crashed(places, ExceptionGroup(WORDS, [one, caught(WORDS)]))
    text = logfile.file_in(places).read_text()
    assert "OSError:ENOSPC" in text
    assert "RuntimeError" in text
    assert "doctor" not in text


def test_the_last_crash(tmp_path: Path) -> None:
    file = tmp_path / "convend.log"
    assert logfile.last_crash(file) is None
    file.write_text("2026-11-22T12:00:00.000Z 1 started what=screen\ncrash\n\n2026-11-22T1\n")
    assert logfile.last_crash(file) is None
    file.write_text(file.read_text() + "2026-11-22T12:00:01.000Z 1 crash error=KeyError\n    a.py:1 in b\n")
    assert logfile.last_crash(file) == "2026-11-22T12:00:01.000Z (KeyError)"


def test_a_turn_leaves_its_ids_times_and_codes(places: Paths) -> None:
    logfile.start(places, "screen")
    failure = ModelError(f"It says: {WORDS}", kind="overloaded_error", retryable=True)
    failure.status, failure.request_id = 529, "req_1"
    with TurnNotes(thread="t", question="q") as notes:
        notes.retry(failure, 0.5)
        notes.arriving()
        notes.request_id = "req_2"
        notes.ended("m", "end_turn")
    with pytest.raises(StoreError), TurnNotes(thread="t", question="q"):
        raise StoreError(WORDS) from OSError(30, WORDS)
    with pytest.raises(GeneratorExit), TurnNotes(thread="t", question="q"):
        raise GeneratorExit
    with TurnNotes(thread="t", question="q") as notes:
        notes.failed(failure)
    found = [line.partition(f" {os.getpid()} ")[2] for line in lines(places)]
    at = r"total_ms=\d+ retries="
    wanted = [
        r"started .*",
        "turn.started thread=t question=q",
        "turn.retry thread=t number=1 wait_s=0.5 kind=overloaded_error status=529 failed_request=req_1 "
        r"error=convend_tui.errors.ModelError",
        rf"turn.ended thread=t question=q reply=m stop=end_turn first_ms=\d+ {at}1 request_id=req_2",
        "turn.started thread=t question=q",
        rf"turn.failed thread=t question=q {at}0 error=convend_tui.errors.StoreError,OSError:EROFS",
        "turn.started thread=t question=q",
        rf"turn.stopped thread=t question=q {at}0",
        "turn.started thread=t question=q",
        rf"turn.failed thread=t question=q {at}0 kind=overloaded_error status=529 .*ModelError",
        "stopped",
    ]
    assert len(found) == len(wanted)
    for line, pattern in zip(found, wanted, strict=True):
        assert re.fullmatch(pattern, line), line
