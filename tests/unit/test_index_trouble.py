"""The index when it is of no use, interrupted, killed, or used by several at once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from convend_tui.errors import ConvendError
from convend_tui.paths import Paths
from convend_tui.store import index_schema, index_write
from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.making import SETTINGS, Branch, at
from tests.unit.indexing import ROOT, agrees, append, chat, ended, found, message, save

# -- when the index is of no use ----------------------------------------------------------------------------


def test_the_index_is_its_owners_alone(paths: Paths, index: Index) -> None:
    save(paths, "1", *chat("fox"))
    index.update()
    for file in paths.cache.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(paths.cache.stat().st_mode) == 0o700


def _garbage(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(50_000))


def _holes(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for start in range(4096, len(data), 8192):
        data[start : start + 4096] = bytes(4096)
    file.write_bytes(data)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def _other_tables(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE thread (x)")
        connection.execute("CREATE TABLE words (x)")
    connection.close()


def _older(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()


def _same_version_other_tables(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE message")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, _garbage, _holes, _cut, _other_tables, _older, _same_version_other_tables],
    ids=lambda f: f.__name__.strip("_"),
)
@pytest.mark.parametrize("open_meanwhile", [False, True])
def test_a_missing_old_or_damaged_index_is_made_anew(
    paths: Paths, damage: Callable[[Path], None], open_meanwhile: bool
) -> None:
    for number in range(9):
        save(paths, str(number), *chat("fox " * 300, "dog " * 300))
    index = Index(paths)
    index.update()
    if not open_meanwhile:
        index.close()
    file = paths.cache / "index.sqlite3"
    damage(file)
    try:
        save(paths, "1", *chat("hen"))
        # Nothing is made by looking where there is nothing: that is for the next update to do.
        assert len(index.search("dog", limit=100)) in (0, 8, 9)
        index.update()
        assert found(index, "hen") == ["m0001"]
        assert len(index.search("dog", limit=100)) == 8
        assert index.count() == 9
        assert index.note is None
        if damage is not _holes:  # what is left of the others is nothing
            agrees(index)
    finally:
        index.close()


def test_without_a_cache_folder_the_index_is_in_memory(paths: Paths) -> None:
    thread_id = save(paths, "1", *chat("fox"))
    paths.cache.write_text("in the way")
    index = Index(paths)
    assert not index.kept
    assert index.update()
    assert found(index, "fox") == ["m0001"]
    append(paths, thread_id, message("m2", "m0001", 9, "foxes"))
    assert index.update() and not index.update()
    assert sorted(map(str, found(index, "fox"))) == ["m0001", "m2"]
    assert index.note is not None and "in memory" in index.note
    (summary,) = Library(paths).summaries()
    assert summary == index.summaries()[0]
    index.close()


def test_an_index_that_is_locked_for_long_is_left_alone(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_schema, "LOCK_S", 0.1)
    monkeypatch.setattr(index_schema, "TRY_S", 0.1)
    save(paths, "1", *chat("fox"))
    first = Index(paths)
    first.update()
    first.close()
    with sqlite3.connect(paths.cache / "index.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        save(paths, "2", *chat("fox"))
        second = Index(paths)
        assert found(second, "fox") == ["m0001"]  # reading waits for nobody
        second.update()
        assert len(second.search("fox")) == 2
        assert second.note is not None and "locked" in second.note
        second.close()
        other.execute("ROLLBACK")
    other.close()
    first.update()
    agrees(first)
    first.close()


def test_no_fts5_is_said(paths: Paths) -> None:
    save(paths, "1", *chat("fox"))
    index = Index(paths, full_text=False)
    index.update()
    assert index.note is not None and "FTS5" in index.note
    index.close()
    other = Index(paths)
    other.update()
    agrees(other)
    other.close()


# -- interrupted, killed, and several at once -----------------------------------------------------------------


def many(paths: Paths, count: int = 60) -> None:
    for number in range(count):
        save(paths, f"202611{number:02d}T000000-00000000", *chat(*(f"word{number} beast{i} " * 30 for i in range(40))))


def test_an_update_can_be_stopped_and_goes_on(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convend_tui.store.index.MOST_FILES", 5)
    many(paths, 20)
    told: list[tuple[int, int]] = []
    index.update(lambda done, total: told.append((done, total)), stop=lambda: len(told) == 2)
    assert index.count() == 10
    assert len(told) == 2 and told[0] < told[1] and told[1][0] < told[1][1]
    index.update(lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    agrees(index)


def test_a_large_file_is_read_in_steps(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_write, "STEP", 20_000)
    branch = Branch()
    for number in range(300):
        branch.typed(f"word{number}").reply("x " * 200)
    long = message("long", "m0600", 700, "y " * 40_000)
    save(paths, "1", *branch.path, ended("m0600", 690), long)
    told: list[tuple[int, int]] = []
    index.update(lambda done, total: told.append((done, total)), stop=lambda: len(told) == 3)
    assert 0 < index.summaries()[0].messages < 600
    index.update()
    assert index.summaries()[0].messages == 601
    agrees(index)


UPDATE = """
import sys
from pathlib import Path
from convend_tui.store import index, index_write
from tests.making import paths_in
index.MOST_FILES = 2
made = index.Index(paths_in(Path(sys.argv[1])))
print("ready", flush=True)
made.update(lambda done, total: print(done, flush=True))
assert made.note is None, made.note
made.close()
"""


def updating(paths: Paths) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", UPDATE, str(paths.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environ,
    )  # fmt: skip


def test_several_processes_at_once(paths: Paths, index: Index) -> None:
    many(paths)
    running = [updating(paths) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert not index.update()
    agrees(index)


@pytest.mark.parametrize("lines", [1, 5, 12, 24])
def test_after_a_kill_the_next_update_goes_on(paths: Paths, index: Index, lines: int) -> None:
    many(paths)
    process = updating(paths)
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert index.count() <= 60
    index.update()
    assert index.count() == 60
    agrees(index)


def test_searching_while_an_update_runs(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convend_tui.store.index.MOST_FILES", 2)
    many(paths, 40)
    failures: list[Exception] = []
    counts: list[int] = []

    def look() -> None:
        try:
            while running.is_alive():
                counts.append(index.count())
                index.search("beast", limit=5)
        except (ConvendError, sqlite3.Error) as error:
            failures.append(error)

    running = threading.Thread(target=index.update)
    lookers = [threading.Thread(target=look) for _ in range(2)]
    for thread in (running, *lookers):
        thread.start()
    for thread in (running, *lookers):
        thread.join()
    assert failures == []
    assert index.note is None
    assert max(counts) <= 40
    assert index.count() == 40
    agrees(index)


def test_a_thread_of_many_messages(paths: Paths, index: Index) -> None:
    branch = Branch()
    for number in range(2500):
        branch.typed(f"question {number}").reply(f"answer {number}")
    thread_id = save(paths, "1", *branch.path)
    index.update()
    (summary,) = index.summaries()
    assert (summary.messages, summary.branches) == (5000, 1)
    append(paths, thread_id, message("fork", "m0001", 9000))
    index.update()
    assert index.summaries()[0].branches == 2
    assert found(index, '"answer 1234"') == ["m2470"]


def test_settings_of_a_thread(paths: Paths, index: Index) -> None:
    thread_id = save(paths, "1", *chat("fox"))
    index.update()
    assert index.summaries()[0].model == SETTINGS.model
    append(paths, thread_id, r.SettingsChange(at=at(5), model="other"))
    index.update()
    assert index.summaries()[0].model == "other"
