"""Crashes of what writes much: an import, the building of the index; and processes that are really killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from convend_tui.exchange.importing import import_files
from convend_tui.paths import Paths
from convend_tui.store import index as index_module
from convend_tui.store.index import Index
from convend_tui.store.library import Library, Summary
from convend_tui.store.partial import Checkpoint, recover
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.faults.crashing import Recorder, kills, power_cuts
from tests.faults.test_crash import ALL, MOST, Figure, Said, linux, lost, survive
from tests.making import KEY_VARIABLE, MODEL, SETTINGS, Branch, header, paths_in
from tests.referee import Partner, ThreadedReferee
from tests.referee.scenario import REDIRECTIONS, WARNING
from tests.tui.conftest import CONFIG, INSULTS

ROOT = Path(__file__).parents[2]


def thread_id(number: int) -> str:
    return f"20261122T000000-{number:08x}"


def save(paths: Paths, number: int, *words: str) -> None:
    branch = Branch()
    for i, text in enumerate(words):
        branch = branch.typed(text) if i % 2 == 0 else branch.reply(text)
    paths.threads.mkdir(parents=True, exist_ok=True)
    records = (header(SETTINGS, id=thread_id(number)), *branch.path)
    (paths.threads / f"{thread_id(number)}.jsonl").write_bytes(b"".join(map(r.encode, records)))


# -- an import --------------------------------------------------------------------------------------------


@linux
def test_an_import_is_whole_or_can_be_done_again(tmp_path: Path) -> None:
    source, home = tmp_path / "source", tmp_path / "home"
    for number in range(4):
        save(paths_in(source), number, f"Question {number}", "An answer " * 30)
    files = sorted(paths_in(source).threads.iterdir())
    home.mkdir()
    save(paths_in(home), 0, "Question 0")  # one that is here already, and grows
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(home, patch)
        recorder.begin_with(paths_in(home).threads / f"{thread_id(0)}.jsonl")
        begin = len(recorder.ops)
        library = Library(paths_in(home))
        report = import_files(library, files, SETTINGS)
        for number in range(4):
            for message in library.open(thread_id(number)).thread.messages.values():
                recorder.ack(Said(thread_id(number), message))
        ops = list(recorder.ops)
    assert (report.threads, report.grown) == (4, 1)
    figure = Figure()
    survive(kills(ops, 1 if ALL else 131, begin), figure)
    cuts = list(power_cuts(ops, 7 if ALL else 311, begin))
    survive(cuts if ALL else random.Random(1).sample(cuts, min(MOST // 3, len(cuts))), figure)
    # And a second import brings the rest, whatever the first one left.
    crashes = list(kills(ops, 997, begin))
    for crash in crashes[:: max(1, len(crashes) // 25)]:
        root = tmp_path / "again"
        for path, content in crash.tree.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        again = Library(paths_in(root))
        import_files(again, files, SETTINGS)
        assert [len(again.open(thread_id(number)).thread.messages) for number in range(4)] == [2, 2, 2, 2], crash.what
        assert not list(paths_in(root).state.glob("import-*"))
        figure.points += 1
        shutil.rmtree(root)
    figure.tell("crashes in an import")


# -- the index --------------------------------------------------------------------------------------------


def says(paths: Paths) -> tuple[list[Summary], list[str | None], list[str | None]]:
    """What an index says after it was brought up to date."""
    index = Index(paths)
    try:
        index.update()
        found = (
            index.summaries(),
            sorted(f"{hit.thread} {hit.message}" for hit in index.search("harbour", limit=99)),
            sorted(f"{hit.thread} {hit.message}" for hit in index.search("word3")),
        )
        assert index.kept
        return found  # type: ignore[return-value]
    finally:
        index.close()


def _moments(paths: Paths) -> Iterator[dict[str, bytes]]:
    """The files of the index after each of its steps, while it is built and then grows."""
    index = Index(paths)
    found: list[dict[str, bytes]] = []

    def look(*_: int) -> None:
        found.append({file.name: file.read_bytes() for file in paths.cache.iterdir() if "-shm" not in file.name})

    index.update(look)
    for number in range(0, 12, 3):
        with (paths.threads / f"{thread_id(number)}.jsonl").open("ab") as file:
            file.write(r.encode(r.Title(at="2026-11-22T09:00:00.000Z", title=f"harbour {number}")))
    index.update(look)
    index.close()
    look()
    yield from found


def test_an_index_that_was_cut_off_anywhere_says_what_the_files_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is disposable: what is left of it is used, mended or made anew, and never wrong."""
    monkeypatch.setattr(index_module, "MOST_FILES", 3)
    paths = paths_in(tmp_path)
    for number in range(12):
        save(paths, number, f"harbour word{number}", "an answer " * 50)
    moments = list(_moments(paths))
    shutil.rmtree(paths.cache)
    expected = says(paths)
    assert len(expected[0]) == 12 and len(expected[1]) == 16
    chance = random.Random(1)
    tried = 0
    for files in moments:
        wal = next((name for name in files if name.endswith("-wal")), "")
        content = files.get(wal, b"")
        ways = [files]
        for size in sorted(chance.sample(range(len(content)), min(4, len(content)))):
            ways.append({**files, wal: content[:size]})
            ways.append({**files, wal: content[:size] + bytes(len(content) - size)})
        ways.append({name: data for name, data in files.items() if name != wal})
        for way in ways:
            shutil.rmtree(paths.cache)
            paths.cache.mkdir()
            for name, data in way.items():
                (paths.cache / name).write_bytes(data)
            assert says(paths) == expected, {name: len(data) for name, data in way.items()}
            tried += 1
    print(f"\ncrashes in the building of an index: {tried} points tried, each says what the files say")


# -- what a power cut leaves of a checkpoint, which is not synced -------------------------------------------


@pytest.mark.parametrize("content", [b"", bytes(4096), b'{"thread":"20261122T0000', b"\xff\xfe"])
def test_a_broken_checkpoint_is_told_of_once_and_its_bytes_are_kept(tmp_path: Path, content: bytes) -> None:
    library = Library(paths_in(tmp_path))
    library.paths.partial.mkdir(parents=True)
    (library.paths.partial / "0123456789abcdef.json").write_bytes(content)
    (told,) = recover(library)
    assert "could not be brought back" in told
    assert list(recover(library)) == []
    kept = [file.read_bytes() for file in library.paths.state.rglob("*.json")]
    assert kept == ([content] if content.strip(b"\0") else [])


def test_a_checkpoint_of_another_machine_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of convend in one folder that two machines share: an answer that is coming in on one is not brought back by
    the other, which sees no lock."""
    library = Library(paths_in(tmp_path))
    handle = library.new(SETTINGS)
    question, answer = Branch().typed("Tell me").reply("All of it.").path
    handle.append_now([question])
    with monkeypatch.context() as there:
        there.setattr("platform.node", lambda: "there")
        checkpoint = Checkpoint(library.paths.partial, handle.thread.id, answer.id)
        checkpoint.write(msgspec.structs.replace(answer, content=[{"type": "text", "text": "All"}], kind="partial"))
        checkpoint.close(keep=True)
    (file,) = library.paths.partial.glob("*.json")
    assert list(recover(library)) == [] and file.exists()
    handle.append_now([answer])
    thread = library.open(handle.thread.id).thread
    assert (thread.messages[answer.id], thread.problems) == (answer, [])
    # One that was left there, or whose machine has another name now, is brought back in the end.
    os.utime(file, (file.stat().st_mtime - 2 * 24 * 3600,) * 2)
    assert list(recover(library)) == [] and not file.exists()


# -- processes that are killed ----------------------------------------------------------------------------


def ask(home: Path, referee: ThreadedReferee, *words: str) -> subprocess.Popen[str]:
    (home / "config.toml").write_text(
        CONFIG.format(model=MODEL, url=referee.base_url, retries=0).replace("REFEREE_KEY", KEY_VARIABLE)
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CONVEND_HOME": str(home), KEY_VARIABLE: referee.key}
    command = [sys.executable, "-m", "convend_tui", "ask", "--json", *words]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)


def until(process: subprocess.Popen[str], kind: str, count: int = 1) -> dict[str, object]:
    """Read what a turn says until it has said this so many times; then kill it."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        count -= event["type"] == kind
        if not count:
            process.kill()
            process.wait()
            return dict(event)
    raise AssertionError(f"it never said {kind}")


def test_a_turn_that_is_killed_has_kept_what_was_typed_and_what_came(tmp_path: Path) -> None:
    with ThreadedReferee(Partner()) as referee:
        started = until(ask(tmp_path, referee, "A slow question"), "turn_started")
        paths = paths_in(tmp_path)
        first = Library(paths).open(str(started["thread"]))
        assert r.text_of(first.thread.messages[str(started["message"])]) == "A slow question"
        until(ask(tmp_path, referee, "-t", first.thread.id, "Another slow question"), "text", 30)
    (told,) = recover(Library(paths))
    assert "brought back" in told
    thread = Library(paths).open(first.thread.id).thread
    partial = next(m for m in thread.messages.values() if m.kind == "partial")
    assert len(r.text_of(partial)) >= 1
    assert not lost(paths, [])


def test_a_lock_that_was_shown_before_a_kill_is_in_force(tmp_path: Path) -> None:
    with ThreadedReferee(Partner()) as referee:
        branch = Branch()
        for insult, answer in zip(INSULTS, (*REDIRECTIONS, WARNING), strict=False):
            branch.typed(insult).reply(answer)
        library = Library(paths_in(tmp_path))
        library.paths.threads.mkdir()
        file = library.file(thread_id(1))
        file.write_bytes(b"".join(map(r.encode, (header(SETTINGS, id=thread_id(1)), *branch.path))))
        ended = until(ask(tmp_path, referee, "-t", thread_id(1), INSULTS[-1]), "turn_ended")
    assert ended["locked"] is True
    thread = library.open(thread_id(1)).thread
    assert lock.may_send(thread, str(ended["message"]))
    assert not lost(library.paths, [])
