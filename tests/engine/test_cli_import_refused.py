"""What cannot be imported: a sentence that says why, and nothing half imported."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convend_tui.errors import ExchangeError, StoreError
from convend_tui.exchange import importing
from convend_tui.exchange.importing import import_files
from convend_tui.exchange.incoming import Context, Incoming, Skip
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests import making
from tests.engine.commands import Home
from tests.engine.exports import (
    PNG,
    conversation,
    counts,
    encoded,
    imported,
    leftovers,
    said,
    written,
)
from tests.making import at

BAD: dict[str, bytes] = {
    "broken.json": encoded(conversation("one"))[:-2],
    "picture.json": PNG,
    "page.json": b"<html></html>",
    "empty.json": b"",
    "blank.json": b" \n",
    "none.json": b"[]",
    "number.json": b"12",
    "other.json": b'{"messages": [], "conversationId": "x"}',
    "others.json": encoded(*range(3000)),
    "deep.json": b"[" * 50_000,
    "latin.json": '[{"name": "é"}]'.encode("latin-1"),
    "lines.jsonl": json.dumps(conversation("two")).encode() + b'\n{"uuid": \n',
    "text.jsonl": b"hello\n",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_beside_a_good_one_and_nothing_is_imported(home: Home, tmp_path: Path, name: str) -> None:
    good = written(tmp_path / "good.json", [conversation("one")])
    (tmp_path / name).write_bytes(BAD[name])
    before = home.contents()
    with pytest.raises(ExchangeError, match=name.replace(".", r"\.")):
        import_files(Library(home.paths), [Path(good), tmp_path / name], making.SETTINGS)
    assert home.contents() == before


def test_errors_are_a_sentence_on_standard_error(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(BAD["broken.json"])
    done = home.run("import", str(file), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("convend: broken.json is not valid JSON: it ends in the middle")
    assert home.run("import", str(tmp_path / "gone.json")).returncode == 1
    assert home.run("import").returncode == 2
    hostile = tmp_path / "\x1b[2Jx.json"
    hostile.write_bytes(b"{")
    assert "\x1b" not in home.run("import", str(hostile)).stderr


def test_memories_alone_are_declined(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "memories.json", [{"account_uuid": "x", "conversations_memory": "y"}])
    report = imported(home, file, code=1)
    assert counts(report) == (0, 0, 0, 0)
    assert "memories" in report["skipped"][0]["why"]
    assert "convend: Nothing was imported." in home.run("import", file).stderr


def nested(levels: int) -> Any:
    found: Any = "x"
    for _ in range(levels):
        found = [found]
    return found


def incoming(value: Any, context: Context) -> Incoming | Skip:
    """What a format makes of `{"fake": block}`."""
    if value["fake"] == "too deep to be read":
        raise RecursionError
    message = r.Message(
        at=at(1), id="m", parent=None, role="user", content=[{"type": "x", "of": value["fake"]}], kind="typed"
    )
    return Incoming("fake", str(value["key"]), at(0), context.settings, (message,))


def test_values_that_no_thread_file_can_hold_do_not_stop_the_others(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = SimpleNamespace(recognizes=lambda value: isinstance(value, dict) and "fake" in value, read=incoming)
    monkeypatch.setitem(sys.modules, "convend_tui.exchange.fake", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(importing, "FORMATS", ["fake"])
    braces = "[{" * 500
    blocks = ["plain", nested(150), braces, "half \ud83d", nested(300), "too deep to be read"]
    file = tmp_path / "x.json"
    written(file, [{"fake": block, "key": number} for number, block in enumerate(blocks)])
    report = import_files(Library(home.paths), [file], making.SETTINGS)
    assert (report.threads, report.messages) == (4, 4)
    assert [skip.what for skip in report.skipped] == [f"entry {number} of x.json" for number in (5, 6)]
    library = Library(home.paths)
    kept = [library.open(thread_id).thread.messages["m"].content[0]["of"] for thread_id in library.ids()]
    assert sorted(map(str, kept)) == sorted(map(str, ["plain", nested(150), braces, "half \ufffd"]))


def test_a_full_disk_leaves_nothing(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.json"
    written(file, [conversation("one"), conversation("two", name="Two")])
    real, calls = os.open, itertools.count()

    def failing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith(".jsonl") and next(calls) == 1:
            raise OSError(28, "No space left on device")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(StoreError, match="disk is full"):
        import_files(Library(home.paths), [file], making.SETTINGS)
    monkeypatch.undo()
    assert Library(home.paths).ids() == []
    assert leftovers(home) == []


def test_whoever_stops_an_import_imported_nothing(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    written(file, [conversation(str(number)) for number in range(5)])

    def stop(done: int, total: int) -> None:
        raise ExchangeError("Stopped.")

    with pytest.raises(ExchangeError, match="Stopped"):
        import_files(Library(home.paths), [file], making.SETTINGS, stop)
    assert Library(home.paths).ids() == []
    assert leftovers(home) == []


def test_a_kill_in_the_middle_leaves_nothing_half_imported(home: Home, tmp_path: Path) -> None:
    lines = [said("a", "x" * 2000), *(said(f"m{n}", "y" * 2000, "a", "assistant") for n in range(20))]
    conversations = [conversation(str(number), *lines, name=f"Chat {number}") for number in range(60)]
    file = written(tmp_path / "conversations.json", conversations)
    whole = {}
    finished = False
    for patience in (0.0, 0.02, 0.05, 0.1, 0.2):
        process = home.start("import", file)
        until = time.monotonic() + 30
        while not leftovers(home) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(patience)
        process.send_signal(signal.SIGKILL)
        finished = process.wait() == 0
        process.communicate()
        for thread in home.paths.threads.glob("*") if home.paths.threads.exists() else ():
            data = thread.read_bytes()
            assert data.endswith(b"\n")
            assert len(data.splitlines()) >= 22
            whole[thread.name] = data
    report = imported(home, file)
    assert report["threads"] == 60 - len(whole)
    assert not finished or report["threads"] == 0
    assert {name: (home.paths.threads / name).read_bytes() for name in whole} == whole
    assert len(list(home.paths.threads.iterdir())) == 60
    assert leftovers(home) == []


def test_one_import_at_a_time(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    written(file, [conversation("one")])
    library = Library(home.paths)

    def again(done: int, total: int) -> None:
        with pytest.raises(ExchangeError, match="Another import is running"):
            import_files(Library(home.paths), [file], making.SETTINGS)

    assert import_files(library, [file], making.SETTINGS, again).threads == 1
