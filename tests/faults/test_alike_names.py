"""Names that differ in case or in the form of their accents alone: one file on macOS and Windows, two elsewhere."""

from __future__ import annotations

import json
import os
import re
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest

from convend_tui.cli import main
from convend_tui.errors import ExchangeError
from convend_tui.exchange.importing import import_files
from convend_tui.exchange.telling import skipped_in_words
from convend_tui.paths import Paths
from convend_tui.store import drafts
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.faults import mutating_imports
from tests.faults.spoiled import GOOD, THREAD, thread_file
from tests.making import SETTINGS
from tests.unit.exports import claude

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX names")

COMPOSED = "Caf\u00e9"
ALIKE = [COMPOSED, unicodedata.normalize("NFD", COMPOSED), "CAF\u00c9", "caf\u00e9"]


def test_thread_files_of_such_names_are_threads_of_their_own(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ALIKE:
        thread_file(paths, name).write_bytes(GOOD)
    there = {file.stem for file in paths.threads.iterdir()} - {THREAD}
    library = Library(paths)
    assert {summary.id for summary in library.summaries()} == there | {THREAD}
    for number, name in enumerate(ALIKE):
        handle = library.open(name)
        handle.append_now([r.Title(at=handle.now(), title=f"Number {number}")])
        drafts.save(paths, drafts.Place(name), drafts.Draft(f"Draft {number}"))
    if len(there) == len(ALIKE):  # a file system that tells them apart
        for number, name in enumerate(ALIKE):
            assert library.open(name).thread.title == f"Number {number}"
            assert drafts.load(paths, drafts.Place(name)).text == f"Draft {number}"
    assert main(["check"]) == 1
    assert capsys.readouterr().out.count("a copy, or renamed") == len(there)


def test_drafts_of_threads_whose_names_look_alike_in_a_file_stay_apart(paths: Paths) -> None:
    names = ["a.b", "a_b", "a b", "a:b", "x" * 230, "x" * 230 + "y", "\u6c49" * 75]
    for name in names:
        drafts.save(paths, drafts.Place(name, "below", "m" * 300), drafts.Draft(name))
    for name in names:
        ((_, draft),) = drafts.of_branches(paths, name)
        assert draft.text == name


@pytest.mark.parametrize(
    "wrong", ["20261120T101112-0A1B2C3D", "20261120t101112-0a1b2c3d", "\u06620261120T101112-0a1b2c3d"]
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_no_import_makes_such_a_name(paths: Paths, tmp_path: Path, wrong: str, suffix: str) -> None:
    given = (mutating_imports.FOLDER / f"convend{suffix}").read_text("utf-8")
    file = tmp_path / f"wrong{suffix}"
    file.write_text(re.sub("20261120T101112-0a1b2c3[de]", wrong, given), "utf-8")
    with pytest.raises(ExchangeError, match="is no thread's id"):
        import_files(Library(paths), [file], SETTINGS)
    assert [file.stem for file in paths.threads.iterdir()] == [THREAD]


def chat(*files: str) -> dict[str, Any]:
    named = [{"file_name": name} for name in files]
    return claude.chat(claude.person("h1", claude.ROOT, 1, "See", files=named))


def test_files_of_an_export_are_found_in_either_form(paths: Paths, tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "r\u00e9sum\u00e9.txt")
    for number, (there, named) in enumerate([(apart, "r\u00e9sum\u00e9.txt"), ("r\u00e9sum\u00e9.txt", apart)]):
        export = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(export, "w") as archive:
            archive.writestr("conversations.json", json.dumps([chat(named) | {"uuid": f"number {number}"}]))
            archive.writestr(there, f"What is in {number}.")
        report = import_files(Library(paths), [export], SETTINGS)
        assert (report.threads, list(skipped_in_words(report))) == (1, [])
    assert len(list(paths.blobs.iterdir())) == 2


def test_files_of_an_export_that_differ_in_case_are_two(paths: Paths, tmp_path: Path) -> None:
    export = tmp_path / "export.zip"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("conversations.json", json.dumps([chat("Note.txt", "note.txt")]))
        archive.writestr("CONVERSATIONS.JSON", json.dumps([chat() | {"uuid": "another"}]))
        archive.writestr("Note.txt", "One.")
        archive.writestr("note.txt", "Another.")
    assert import_files(Library(paths), [export], SETTINGS).threads == 2
    assert {blob.read_text() for blob in paths.blobs.iterdir()} == {"One.", "Another."}
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix == ".txt") == []


def test_a_folder_with_names_of_any_bytes(paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in (b"\xff\xfe.json", b"\x1b[2J.json", b"a\nb.json", "\u202ex.json".encode(), b"x" * 250 + b".json"):
        (folder / os.fsdecode(name)).write_text('{"nothing": 1}')
    (folder / "conversations.json").write_text(json.dumps([chat()]))
    (folder / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.json")
    assert main(["import", str(folder)]) == 0
    printed = capsys.readouterr()
    assert "1 chat came in" in printed.out and "link.json: a link or no ordinary file" in printed.out
    assert "\x1b" not in printed.out and "\u202e" not in printed.out
    assert main(["import", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["threads"] == 0
