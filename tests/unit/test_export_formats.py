"""The table of formats, and the writing of a file: whole or not at all, and over nothing that is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convend_tui.errors import ExchangeError, StoreError, UsageError
from convend_tui.exchange.formats import FORMATS, Job, file_name, format_of, write_export
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.making import Branch, header, paths_in

CONTRACT = {"markdown", "json", "jsonl", "html", "asciicast", "messages"}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    paths = paths_in(tmp_path / "home")
    paths.threads.mkdir(parents=True)
    file = paths.threads / f"{header().id}.jsonl"
    file.write_bytes(b"".join(map(r.encode, [header(), *Branch().typed("What is a fox?").reply("An animal.").path])))
    thread = Library(paths).open(header().id).thread
    return Job(paths, file, thread, thread.leaf)


def test_the_formats_are_those_of_the_contract() -> None:
    assert set(FORMATS) == CONTRACT
    suffixes = [suffix for one in FORMATS.values() for suffix in one.suffixes]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_every_format_is_written(job: Job, name: str, tmp_path: Path) -> None:
    pieces = list(FORMATS[name].write(job))
    for piece in pieces:
        piece.decode()
    file = tmp_path / "out"
    write_export(FORMATS[name], job, file)
    data = file.read_bytes()
    assert data == b"".join(pieces)
    assert b"An animal." in data or name == "asciicast"
    assert (data == job.file.read_bytes()) is (name == "jsonl")
    if name in ("json", "messages"):
        assert isinstance(json.loads(data), dict)
    if os.name != "nt":
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "file", "found"),
    [
        (None, None, "markdown"), (None, "a.md", "markdown"), (None, "A.JSON", "json"), (None, "a.jsonl", "jsonl"),
        (None, "a.htm", "html"), (None, "a.cast", "asciicast"), (None, "a.request.json", "messages"),
        (None, "a.txt", "markdown"), (None, "json", "markdown"), ("html", "a.json", "html"), ("jsonl", None, "jsonl"),
    ],
)  # fmt: skip
def test_the_format_is_named_or_goes_by_the_ending(name: str | None, file: str | None, found: str) -> None:
    assert format_of(name, file).name == found


@pytest.mark.parametrize("name", ["", "pdf", "Markdown", "__class__"])
def test_an_unknown_format_names_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="markdown, html, json, jsonl, messages, asciicast"):
        format_of(name)


def test_what_is_there_is_not_written_over_but_by_force(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("mine")
    with pytest.raises(ExchangeError, match="exists already"):
        write_export(FORMATS["markdown"], job, file)
    assert file.read_text() == "mine"
    write_export(FORMATS["markdown"], job, file, force=True)
    assert file.read_text().startswith("---\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.md", "home"]


def test_a_link_stays_a_link(job: Job, tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
    write_export(FORMATS["markdown"], job, tmp_path / "a.md")
    assert (tmp_path / "a.md").is_symlink() and (tmp_path / "b.md").is_file()


@pytest.mark.parametrize(
    ("name", "why"),
    [("none/a.md", "there is no folder"), ("home", "is a folder"), ("file/a.md", "there is no folder"),
     ("a\0b", "cannot be written"), ("x" * 300, "cannot be written"), ("loop/a", "cannot be written"),
     ("pipe", "not an ordinary file"), ("home/threads/new.jsonl", "its own files"), ("home/blobs/x", "no folder")],
)  # fmt: skip
@pytest.mark.parametrize("force", [False, True])
def test_where_nothing_can_be_written_it_says_why(job: Job, tmp_path: Path, name: str, why: str, force: bool) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ExchangeError, match=why):
        write_export(FORMATS["markdown"], job, tmp_path / name, force=force)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_threads_own_file_is_never_written_over(job: Job) -> None:
    before = job.file.read_bytes()
    with pytest.raises(ExchangeError, match="its own files"):
        write_export(FORMATS["markdown"], job, job.file, force=True)
    assert job.file.read_bytes() == before


def test_an_export_that_fails_leaves_nothing(job: Job, tmp_path: Path) -> None:
    job.file.unlink()
    for name in ("json", "jsonl"):
        with pytest.raises(StoreError, match="cannot be read"):
            write_export(FORMATS[name], job, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@given(st.text(max_size=120))
@example("CON")
@example("nul.")
@example("../../etc/passwd")
@example("-rf *")
@example("é" * 200 + "x")
@example("漢" * 200)
@example("\ud800")
def test_a_name_is_safe_on_every_system(title: str) -> None:
    name = file_name(title, ".md")
    stem = name.removesuffix(".md")
    assert name.endswith(".md") and stem
    assert len(name.encode()) <= 200
    assert not set(stem) & set("<>:\"/\\|?*.~$&;'`!#%{}()[]= \t\n\r\0")
    assert not stem.startswith("-") and not stem.endswith("-") and stem.isprintable()
    assert stem.casefold() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert file_name(title, ".md") == name


@pytest.mark.parametrize(
    ("title", "name"),
    [("What is a *fox*?", "What-is-a-fox"), ("", "chat"), ("?!", "chat"), ("Con", "chat-Con"), ("Über 狐", "Über-狐")],
)
def test_a_name_says_what_the_title_says(title: str, name: str) -> None:
    assert file_name(title, ".md") == f"{name}.md"
