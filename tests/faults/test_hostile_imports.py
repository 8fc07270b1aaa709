"""Exports that somebody or something spoiled: they come in, and then are threads like any other; or a sentence says why
not. Nothing comes in by halves, and nothing that was in the home is changed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convend_tui.exchange import claude_code, claude_export
from convend_tui.exchange.importing import import_files
from convend_tui.exchange.incoming import Incoming
from convend_tui.exchange.telling import skipped_in_words
from convend_tui.store.library import Library
from tests.faults import mutating_imports
from tests.faults.bringing_in import Door
from tests.faults.mutating_imports import Export
from tests.making import SETTINGS, paths_in
from tests.unit.exports import claude, no_files
from tests.unit.exports import claude_code as code

pytestmark = [pytest.mark.timeout(180), pytest.mark.skipif(os.name == "nt", reason="POSIX files")]

ALL = os.environ.get("CONVEND_FAULTS") == "all"
MUTATED = int(os.environ.get("CONVEND_MUTATED_IMPORTS", "5000" if ALL else "100"))
"""Exports in the small run; `python -m tests.bench mutations` has many."""
FOUND = sorted((mutating_imports.FOLDER / "found").iterdir())
"""What once was too much."""


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not waited for: what a crash would leave is not looked at here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(params=[False, True], ids=["into an empty home", "into a full one"])
def door(request: pytest.FixtureRequest, tmp_path: Path, at_once: None) -> Door:
    return Door(tmp_path, full=request.param)


def test_good_exports_come_in(door: Door) -> None:
    for export in mutating_imports.good():
        outcome = door.play(export)
        assert bool(outcome.refused) == (export.name == mutating_imports.UNKNOWN), outcome
    outcome = door.play(mutating_imports.whole())
    assert outcome.threads == (0 if door.full else 8) and outcome.skipped, outcome


def test_mutated_exports_come_in_whole_or_not_at_all(door: Door) -> None:
    came_in = refused = threads = skipped = 0
    for seed in range(MUTATED):
        outcome = door.play(mutating_imports.mutated(random.Random(f"import {seed}")), seed)
        refused += bool(outcome.refused)
        came_in += not outcome.refused
        threads += outcome.threads
        skipped += outcome.skipped
    print(
        f"\n{MUTATED:,} mutated exports: {came_in:,} came in as {threads:,} threads, {skipped:,} things left out and "
        f"told, {refused:,} refused with a reason; crashes: 0"
    )
    assert min(came_in, refused) > MUTATED / 10 and threads, "the mutations leave too little to look at"


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.name)
def test_what_was_too_much_once(door: Door, file: Path) -> None:
    door.play(Export(file.name, file.read_bytes()))


# -- in the place of a thread that an import would add to ---------------------------------------------------


def as_folder(place: Path) -> None:
    place.mkdir()


def as_pipe(place: Path) -> None:
    os.mkfifo(place)


def as_link_to_nothing(place: Path) -> None:
    place.symlink_to("nowhere")


def as_garbage(place: Path) -> None:
    place.write_bytes(b"\0\xff not a thread")


@pytest.mark.parametrize("kind", [as_folder, as_pipe, as_link_to_nothing, as_garbage])
def test_one_thread_that_cannot_be_read_does_not_hold_up_the_others(
    tmp_path: Path, at_once: None, kind: Callable[[Path], None]
) -> None:
    library = Library(paths_in(tmp_path / "home"))
    export = mutating_imports.FOLDER / "claude.json"
    import_files(library, [export], SETTINGS)
    spoiled, other = sorted(map(library.file, library.ids()))
    for file in (spoiled, other):
        file.unlink()
    kind(spoiled)
    before = spoiled.lstat()
    report = import_files(library, [export], SETTINGS)
    assert report.threads == 1 and other.is_file()
    assert any(spoiled.stem in line for line in skipped_in_words(report))
    after = spoiled.lstat()
    assert (before.st_ino, before.st_mode, before.st_mtime_ns) == (after.st_ino, after.st_mode, after.st_mtime_ns)
    assert not list(library.paths.state.glob("import-*"))


# -- what takes time -----------------------------------------------------------------------------------------

MANY = 20_000


def one_id(number: int) -> dict[str, Any]:
    return claude.person("the same", None, number % 3000, f"Word {number}")


def one_call(number: int) -> dict[str, Any]:
    """A call that is answered again and again."""
    if number == 0:
        return code.model("call", None, 1, code.use("1"))
    return code.user(f"answer {number}", "call", 2, [code.result("1", str(number))])


def many_calls(number: int) -> dict[str, Any]:
    if number == 0:
        return code.model("call", None, 1, code.use("1"))
    return code.user(f"answer {number}", "call", 2, [code.result(str(number))])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("made", [one_id, one_call, many_calls])
def test_what_repeats_itself_takes_no_longer_than_what_does_not(made: Callable[[int], dict[str, Any]]) -> None:
    """Each of these took minutes: all that was known was looked through for each message."""
    given = [made(number) for number in range(MANY if ALL else MANY // 10)]
    value, read = (claude.chat(*given), claude_export.read) if made is one_id else (given, claude_code.read)
    assert isinstance(read(value, no_files()), Incoming)
