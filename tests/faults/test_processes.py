"""Several processes at one thread and at everything else that is written: nothing lost, nothing torn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convend_tui import config
from convend_tui.store import drafts
from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.making import SETTINGS, paths_in, text

ROOT = Path(__file__).parents[2]
FAST = Path("/dev/shm")
"""A file system in memory: it is the processes that are tried here, not the disk."""
WRITERS, APPENDS = 4, 1000
KILLED_AT = (150, 400, 650)
"""Appends after which a writer is killed, each time."""


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST if FAST.is_dir() else None) as folder:
        yield Path(folder)


def start(script: str, *words: object) -> subprocess.Popen[str]:
    """A Python process that says on its standard output what it has kept."""
    command = [sys.executable, "-c", script, *map(str, words)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)


WRITER = """
import os, sys
from pathlib import Path
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.making import paths_in, text
root, thread, writer, first, last = sys.argv[1:]
handle = Library(paths_in(Path(root))).open(thread)
said = os.open(f"{root}/said-{writer}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in range(int(first), int(last)):
    words = text(f"{writer} says {number} " + "ä" * (number % 300))
    name = f"{writer}-{number}"
    handle.append_now([r.Message(at=handle.now(), id=name, parent=None, role="user", kind="typed", content=[words])])
    os.write(said, f"{name}\\n".encode())
"""


def said(root: Path, writer: int) -> list[str]:
    """What a writer has been told was kept."""
    file = root / f"said-{writer}"
    return file.read_text().split() if file.exists() else []


def test_four_processes_with_kills_between_lose_and_tear_nothing(root: Path) -> None:
    handle = Library(paths_in(root)).new(SETTINGS)
    first = r.Message(at=handle.now(), id="first", parent=None, role="user", kind="typed", content=[text("x")])
    handle.append_now([first])
    thread_id = handle.thread.id

    def writer(number: int) -> subprocess.Popen[str]:
        kept = said(root, number)
        # The one after the last that was told of may be in the file already: another try has another name.
        begin = int(kept[-1].partition("-")[2]) + 2 if kept else 0
        return start(WRITER, root, thread_id, number, begin, begin + APPENDS - len(kept))

    running = {number: writer(number) for number in range(WRITERS)}
    killed = dict.fromkeys(running, 0)
    end = time.monotonic() + 100
    while running:
        assert time.monotonic() < end, "the writers do not get on"
        time.sleep(0.01)
        for number, process in list(running.items()):
            if process.poll() is not None:
                if len(said(root, number)) >= APPENDS:
                    assert process.returncode == 0
                    del running[number]
                else:
                    assert process.returncode == -signal.SIGKILL
                    running[number] = writer(number)
            elif killed[number] < len(KILLED_AT) and len(said(root, number)) >= KILLED_AT[killed[number]]:
                process.kill()
                process.wait()
                killed[number] += 1
    batch = Library(paths_in(root)).log(thread_id).read_new()
    lines = [record.id for record in batch.records if isinstance(record, r.Message)]
    kept = [name for number in range(WRITERS) for name in said(root, number)]
    lost = set(kept) - set(lines)
    print(
        f"\n{WRITERS} processes, {len(kept):,} appends, {sum(killed.values())} kills: "
        f"{len(lost)} lost, {len(batch.problems)} torn, {len(lines) - len(set(lines))} twice"
    )
    assert all(killed.values())
    assert len(kept) >= WRITERS * APPENDS
    assert not lost and not batch.problems
    assert len(lines) == len(set(lines))
    for number in range(WRITERS):
        own = [int(name.partition("-")[2]) for name in lines if name.startswith(f"{number}-")]
        assert own == sorted(own)


DRAFTS = """
import sys
from pathlib import Path
from convend_tui import config
from convend_tui.store import drafts
from tests.making import paths_in
paths, writer = paths_in(Path(sys.argv[1])), sys.argv[2]
for number in range(int(sys.argv[3])):
    drafts.save(paths, drafts.Place("shared"), drafts.Draft(text=f"{writer} {number} " + writer * 5000))
    drafts.save(paths, drafts.Place("own", "end", writer), drafts.Draft(text=f"{number}"))
    config.save_choices(paths, config.Choices(theme=f"theme-{writer}", last_thread=writer * 100))
    print(number, flush=True)
"""


def test_drafts_and_choices_are_whole_at_every_moment(root: Path) -> None:
    paths = paths_in(root)
    running = [start(DRAFTS, root, number, 150 if number < 3 else 10**9) for number in range(WRITERS)]
    assert running[0].stdout is not None and running[3].stdout is not None
    told = 0
    for process in running:
        assert process.stdout is not None
        told = int(process.stdout.readline())
    looks = 0
    while any(process.poll() is None for process in running):
        shared, choices = drafts.load(paths, drafts.Place("shared")), config.load_choices(paths)
        writer, _, rest = shared.text.partition(" ")
        assert writer in "0123" and rest.endswith(writer * 5000) and len(rest) < 5010
        assert choices.theme is not None and choices.last_thread == choices.theme[-1] * 100
        looks += 1
        if looks == 20 or running[0].poll() is not None:
            running[3].kill()
    print(f"\ndrafts and choices of {WRITERS} processes: {looks:,} looks, each time whole")
    assert [process.wait(60) for process in running] == [0, 0, 0, -signal.SIGKILL]
    for number in range(3):
        assert drafts.load(paths, drafts.Place("own", "end", str(number))).text == "149"
    told = int((running[3].stdout.read().split() or [told])[-1])
    assert int(drafts.load(paths, drafts.Place("own", "end", "3")).text) >= told


INDEXER = """
import sys
from pathlib import Path
from convend_tui.store.index import Index
from tests.making import paths_in
index = Index(paths_in(Path(sys.argv[1])))
while not Path(sys.argv[1], "stop").exists():
    index.update()
    print(len(index.summaries()), flush=True)
index.update()
"""


def test_an_index_under_several_processes_is_what_the_files_say(root: Path) -> None:
    paths = paths_in(root)
    running = [start(INDEXER, root) for _ in range(3)]
    for number in range(60):
        handle = Library(paths).new(SETTINGS)
        for words in ("harbour", f"word{number}"):
            message = r.Message(
                at=handle.now(), id=words + str(number), parent=handle.thread.leaf, role="user", kind="typed",
                content=[text(words)],
            )  # fmt: skip
            handle.append_now([message])
        if number == 30:
            running[0].kill()
    (root / "stop").touch()
    assert [process.wait(60) for process in running] == [-signal.SIGKILL, 0, 0]
    index, fresh = Index(paths), Index(paths_in(root / "fresh"))
    (root / "fresh").mkdir()
    (root / "fresh" / "threads").symlink_to(paths.threads)
    try:
        index.update()
        fresh.update()
        assert index.kept
        assert index.summaries() == fresh.summaries()
        assert len(index.search("harbour", limit=100)) == 60
        assert [hit.thread for hit in index.search("word17")] == [hit.thread for hit in fresh.search("word17")]
    finally:
        index.close()
        fresh.close()
