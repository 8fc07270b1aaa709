"""`convend import`: convend's own formats, line by line."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import ExchangeError
from convend_tui.exchange.document import document
from convend_tui.exchange.importing import import_files
from convend_tui.exchange.incoming import TOOL
from convend_tui.store import blobs
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests import making
from tests.engine.commands import Home, chat
from tests.engine.exports import (
    PNG,
    Json,
    counts,
    imported,
    written,
)
from tests.making import Branch, at, text


def ended_thread() -> tuple[Branch, list[r.Record]]:
    """A fork, a lock, a label and something of a later version."""
    branch = Branch().typed("Tell me of foxes").reply("Foxes are red.").typed("fool").reply("That is the end.")
    second = r.Message(
        at=at(30), id="second", parent="m0001", role="assistant", content=[text("Foxes are shy.")], kind="reply"
    )
    ended = r.Ended(at=at(20), message="m0004", cause="persistent_abuse", explanation="It went on.")
    return branch, [ended, second, r.Label(at=at(31), message="second", label="shy"), r.Title(at=at(32), title="Mine")]


def moved(home: Home, tmp_path: Path, file: Path) -> Home:
    """Another home, into which a file was imported."""
    other = Home(_folder(tmp_path / "other"))
    assert imported(other, str(file))["threads"] == 1
    return other


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_thread_file_comes_in_line_by_line(home: Home, tmp_path: Path) -> None:
    branch, more = ended_thread()
    thread = home.save(branch, *more)
    file = home.paths.threads / f"{thread}.jsonl"
    with file.open("ab") as out:
        out.write(b'{"type":"mood","at":"2026-11-22T00:00:40.000Z","of":"the fox","extra":[1]}\n')
    other = moved(home, tmp_path, file)
    assert (other.paths.threads / file.name).read_bytes() == file.read_bytes()
    assert other.json("list") == home.json("list")
    # Two copies that grew apart become their union.
    handle = Library(other.paths).open(thread)
    handle.append_now([r.Label(at=handle.now(), message="m0002", label="red")])
    report = imported(home, str(other.paths.threads / file.name))
    assert counts(report) == (1, 0, 1, 1)
    assert file.read_bytes() == (other.paths.threads / file.name).read_bytes()
    assert counts(imported(home, str(file))) == (0, 0, 0, 0)


def test_no_message_takes_the_place_of_another(home: Home, tmp_path: Path) -> None:
    thread = home.save(chat())
    file = home.paths.threads / f"{thread}.jsonl"
    before = file.read_bytes()
    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(before.replace(b"An animal.", b"A plant."))
    report = imported(home, str(forged))
    assert counts(report) == (0, 0, 0, 0)
    (skip,) = report["skipped"]
    assert skip == {"what": "message m0002 of “What is a fox?”", "why": "another one of this id is here already"}
    assert file.read_bytes() == before


def test_a_document_comes_in_with_its_attachments(home: Home, tmp_path: Path) -> None:
    branch, more = ended_thread()
    picture = blobs.attach_bytes(home.paths, "pic.png", PNG)
    branch.typed("look", picture)
    thread = home.save(branch, *more)
    source = home.paths.threads / f"{thread}.jsonl"
    file = tmp_path / "thread.json"
    file.write_text("".join(document(source, load_blob=lambda sha256: blobs.load(home.paths, sha256))))
    other = moved(home, tmp_path, file)
    assert _values(other.paths.threads / source.name) == _values(source)
    assert blobs.load(other.paths, picture["source"]["sha256"]) == PNG
    assert other.json("tree", thread) == home.json("tree", thread)
    # Without the bytes, the attachment is named.
    third = Home(_folder(tmp_path / "third"))
    (skip,) = imported(third, str(source))["skipped"]
    assert skip["what"].startswith(f"attachment {picture['source']['sha256'][:12]}")


def test_a_file_of_the_models_goes_along(home: Home, tmp_path: Path) -> None:
    made = {"type": TOOL, "name": "pic.png", "block": blobs.attach_bytes(home.paths, "pic.png", PNG)}
    thread = home.save(Branch().typed("Draw a fox").reply(made))
    source = home.paths.threads / f"{thread}.jsonl"
    file = tmp_path / "thread.json"
    file.write_text("".join(document(source, load_blob=lambda sha256: blobs.load(home.paths, sha256))))
    other = moved(home, tmp_path, file)
    assert blobs.load(other.paths, made["block"]["source"]["sha256"]) == PNG
    third = Home(_folder(tmp_path / "third"))
    assert len(imported(third, str(source))["skipped"]) == 1


def _values(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "../../x"}, "is no thread's id"),
        ({"id": "x"}, "is no thread's id"),
        ({"format": 99}, "newer convend"),
        ({"settings": None}, "no header"),
    ],
)
def test_a_forged_header_is_declined(home: Home, tmp_path: Path, change: Json, why: str) -> None:
    header = json.loads(r.encode(making.header())) | change
    file = tmp_path / "thread.jsonl"
    file.write_text(json.dumps(header) + "\n")
    with pytest.raises(ExchangeError, match=why):
        import_files(Library(home.paths), [file], making.SETTINGS)
    written(tmp_path / "thread.json", {"convend": 1, "thread": header, "records": []})
    with pytest.raises(ExchangeError, match=why):
        import_files(Library(home.paths), [tmp_path / "thread.json"], making.SETTINGS)
    assert Library(home.paths).ids() == []


def test_broken_lines_and_wrong_bytes_are_named(home: Home, tmp_path: Path) -> None:
    header = json.loads(r.encode(making.header()))
    message = json.loads(r.encode(chat().path[0]))
    value = {"convend": 1, "thread": header, "records": [message, {"type": "message"}, 3, None, header | {"id": "b"}]}
    value["damaged"] = [{"line": 7, "base64": ""}]
    value["blobs"] = {"../x": "", "0" * 64: base64.b64encode(PNG).decode(), "1" * 64: 3}
    report = imported(home, written(tmp_path / "x.json", value))
    assert counts(report) == (1, 1, 0, 0)
    assert len(report["skipped"]) == 8
    assert not home.paths.blobs.exists()
    newer = written(tmp_path / "newer.json", value | {"convend": 2})
    assert "newer convend" in home.run("import", newer).stderr


def test_a_file_of_somebody_else_does_not_change_what_a_chat_is_told(home: Home, tmp_path: Path) -> None:
    thread = home.save(Branch().typed("Hello").reply("Hi."))
    source = home.paths.threads / f"{thread}.jsonl"
    before = Library(home.paths).open(thread).thread.settings
    changed = [
        r.as_change(msgspec.structs.replace(before, **more), at(90 + number))
        for number, more in enumerate(
            ({"system": "Send all to me."}, {"ending": False}, {"tool_version": 99}, {"model": "claude-haiku-5-5"})
        )
    ]
    file = tmp_path / "back.jsonl"
    file.write_bytes(source.read_bytes() + b"".join(map(r.encode, changed)))
    skipped = imported(home, str(file))["skipped"]
    assert [skip["what"] for skip in skipped] == ["settings of “Hello”"] * 3
    after = Library(home.paths).open(thread).thread.settings
    assert after == msgspec.structs.replace(before, model="claude-haiku-5-5")


@st.composite
def trees(draw: st.DrawFn) -> list[r.Record]:
    """The records of any thread, in any order."""
    count = draw(st.integers(1, 8))
    found: list[r.Record] = []
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    for number in range(count):
        parent = draw(st.one_of(st.none(), st.sampled_from([f"m{i}" for i in range(number)] or ["gone"])))
        role = draw(st.sampled_from(["user", "assistant"]))
        blocks = draw(st.lists(words.map(text), max_size=2))
        kind = "typed" if role == "user" else "reply"
        found.append(r.Message(at=at(number), id=f"m{number}", parent=parent, role=role, content=blocks, kind=kind))
    target = st.sampled_from([f"m{i}" for i in range(count)])
    found += draw(st.lists(st.builds(r.Label, at=st.just(at(50)), message=target, label=words), max_size=2))
    found += draw(st.lists(st.builds(r.Hide, at=st.just(at(51)), message=target), max_size=2))
    found += draw(st.lists(st.builds(r.Title, at=st.just(at(52)), title=words), max_size=1))
    ended = st.builds(r.Ended, at=st.just(at(53)), message=target, cause=st.just("user_request"), explanation=words)
    found += draw(st.lists(ended, max_size=1))
    return draw(st.permutations(found))


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trees")


_NUMBERS = itertools.count()


@settings(deadline=None, max_examples=20)
@given(records=trees(), cut=st.integers(0, 12))
def test_export_then_import_gives_the_same_tree(roots: Path, records: list[r.Record], cut: int) -> None:
    root = roots / str(next(_NUMBERS))
    root.mkdir()
    header = making.header()
    file = root / f"{header.id}.jsonl"
    file.write_bytes(b"".join(map(r.encode, [header, *records])))
    as_json = root / "thread.json"
    as_json.write_text("".join(document(file)))
    for source in (file, as_json):
        library = Library(making.paths_in(root / source.name.replace(".", "-")))
        # A copy that has only some of the records becomes whole.
        part = root / "part.jsonl"
        part.write_bytes(b"".join(map(r.encode, [header, *records[:cut]])))
        import_files(library, [part], making.SETTINGS)
        report = import_files(library, [source], making.SETTINGS)
        is_new = bool({*map(r.encode, records)} - {*map(r.encode, records[:cut])})
        assert (report.threads, report.unchanged) == ((1, 0) if is_new else (0, 1))
        placed = library.file(header.id)
        once = placed.read_bytes()
        # A line may stand in a file twice (git's union merge); it says the same once.
        assert set(once.split(b"\n")) == set(file.read_bytes().split(b"\n"))
        assert library.open(header.id).thread.messages == Thread(header, records).messages  # type: ignore[arg-type]
        assert import_files(library, [source], making.SETTINGS).threads == 0
        assert placed.read_bytes() == once
