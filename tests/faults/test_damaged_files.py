"""Settings, choices, drafts, checkpoints and the index with damaged content: told of, put aside, or made anew."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui import config
from convend_tui.errors import ConfigError, StoreError
from convend_tui.exchange import tour
from convend_tui.paths import Paths
from convend_tui.plain import visible
from convend_tui.store import drafts
from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.store.partial import Checkpoint, recover
from convend_tui.thread import records as r
from tests.faults import mutating
from tests.faults.spoiled import GOOD, JSON, SPOILED, THREAD, thread_file
from tests.making import SETTINGS, Branch, at, paths_in, text
from tests.tui.conftest import Home, home  # noqa: F401 - a fixture

pytestmark = [pytest.mark.timeout(90), pytest.mark.skipif(os.name == "nt", reason="POSIX files")]


@pytest.mark.parametrize("content", SPOILED.values(), ids=SPOILED)
def test_a_draft_that_cannot_be_read_is_put_aside(paths: Paths, content: bytes) -> None:
    place = drafts.Place(THREAD, "end", "m0002")
    file = paths.drafts / f"{place.name}.json"
    file.write_bytes(content)
    assert drafts.load(paths, place) == drafts.Draft()
    aside = drafts.rescue(paths, place)
    assert aside is not None and aside.read_bytes() == content
    drafts.save(paths, place, drafts.Draft("new words"))
    assert drafts.load(paths, place).text == "new words"
    file.write_bytes(content + b" again")
    again = drafts.rescue(paths, place)
    assert again is not None and again.read_bytes() == content + b" again" and aside.read_bytes() == content
    assert drafts.rescue(paths, place) is None


async def test_the_person_is_told_of_what_was_put_aside(home: Home) -> None:  # noqa: F811
    home.save(Branch().typed("A question").reply("An answer."))
    file = home.paths.drafts / f"{drafts.Place('20261122T000001-00000001', 'end', 'm0002').name}.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(SPOILED["half"])
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.hears("A draft could not be read. It was put aside as")
        await me.writes("another draft")
    (aside,) = file.parent.glob("*.damaged")
    assert aside.read_bytes() == SPOILED["half"]
    assert drafts.load(home.paths, drafts.Place("20261122T000001-00000001", "end", "m0002")).text == "another draft"


@pytest.mark.parametrize("content", SPOILED.values(), ids=SPOILED)
def test_choices_that_cannot_be_read_are_put_aside(paths: Paths, content: bytes) -> None:
    file = paths.state / "choices.toml"
    file.write_bytes(content)
    assert config.load_choices(paths) == config.Choices()
    aside = config.save_choices(paths, config.Choices(theme="x"))
    readable = content.strip() == b""
    assert (aside is None) == readable
    assert aside is None or aside.read_bytes() == content
    assert config.load_choices(paths).theme == "x"


@pytest.mark.parametrize("content", SPOILED.values(), ids=SPOILED)
def test_an_index_of_something_else_is_made_anew(paths: Paths, content: bytes) -> None:
    for name in ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm", "index.sqlite3-journal"):
        (paths.cache / name).write_bytes(content)
    with closing(Index(paths)) as index:
        index.update()
        assert [hit.message for hit in index.search("question")] == ["m0001"]


def test_an_index_with_flipped_bytes_is_never_the_end(paths: Paths) -> None:
    place = paths.cache / "index.sqlite3"
    with closing(Index(paths)) as index:
        index.update()
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    whole = place.read_bytes()
    chance = random.Random(6)
    for _ in range(30):
        spoiled = bytearray(whole)
        for _ in range(chance.choice((1, 20, 2000))):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        place.write_bytes(spoiled[: chance.randrange(len(spoiled))] if chance.random() < 0.3 else spoiled)
        with closing(Index(paths)) as index:
            index.update()
            index.search("question")
            for summary in index.summaries():
                visible(summary.title)
    assert thread_file(paths).read_bytes() == GOOD


CELLS = (None, 0, -1, 2**62, -(2**63), 1e308, "", "x", "\0", "2026", b"", b"\xff\xfe", b"{}", b'{"a":1}', b"x" * 999)
SCHEMES = (
    *("DROP TABLE words", "DROP INDEX message_id", "DELETE FROM thread", "ALTER TABLE thread RENAME COLUMN title TO t"),
    "CREATE TRIGGER t AFTER INSERT ON message BEGIN SELECT RAISE(ABORT, 'no'); END",
)


def test_an_index_whose_cells_hold_anything_is_never_the_end(paths: Paths) -> None:
    place = paths.cache / "index.sqlite3"
    with closing(Index(paths)) as index:
        index.update()
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    whole = place.read_bytes()
    for seed in range(60):
        chance = random.Random(f"cells {seed}")
        place.write_bytes(whole)
        with closing(sqlite3.connect(place)) as connection, suppress(sqlite3.Error):
            for _ in range(chance.choice((1, 3, 10))):
                table = chance.choice(("thread", "thread", "message"))
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                connection.execute(f"UPDATE {table} SET {chance.choice(columns[1:])} = ?", (chance.choice(CELLS),))
                connection.commit()
            if chance.random() < 0.2:
                connection.execute(chance.choice(SCHEMES))
                connection.commit()
        thread_file(paths).write_bytes(GOOD + r.encode(r.Title(at=at(9), title=f"New {seed}")) * (seed % 2))
        with closing(Index(paths)) as index:
            for update in (False, True):
                if update:
                    index.update()
                for summary in index.summaries():
                    visible(summary.title + summary.id + summary.updated + summary.model)
                for hit in (*index.search("question"), *index.search("", ended=True)):
                    visible(hit.title + hit.snippet + hit.at)
        for left in paths.cache.glob("*-*"):
            left.unlink()


def test_mutated_settings_give_a_clear_error_or_work(paths: Paths) -> None:
    whole = (Path(__file__).parents[2] / "config.example.toml").read_bytes()
    chance = random.Random(6)
    worked = refused = 0
    for number in range(200):
        lines = [line.lstrip(b"# ") if chance.random() < 0.2 * (number % 3) else line for line in whole.split(b"\n")]
        data = bytearray(b"\n".join(lines))
        for _ in range(chance.choice((1, 3, 30))):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(3)] = chance.choice([*mutating.BYTES, bytes([chance.randrange(256)])])
        paths.config_file.write_bytes(data)
        try:
            config.load(paths)
            worked += 1
        except ConfigError as error:
            refused += 1
            assert str(paths.config_file) in str(error)
            assert visible(str(error)) == str(error)
        assert paths.config_file.read_bytes() == data
    assert worked and refused


@settings(max_examples=60, deadline=None, derandomize=True)
@given(name=st.sampled_from(["server", "price", "keys", "ui", "network", "default_model", "ending"]), value=JSON)
def test_settings_of_any_type(tmp_path_factory: pytest.TempPathFactory, name: str, value: Any) -> None:
    paths = paths_in(tmp_path_factory.getbasetemp())
    without_none = msgspec.json.decode(msgspec.json.encode(value).replace(b"null", b"0"))
    paths.config_file.write_text(tomli_w.dumps({name: without_none}), "utf-8")
    try:
        config.load(paths)
    except ConfigError as error:
        assert visible(str(error)) == str(error)


@pytest.mark.parametrize("content", SPOILED.values(), ids=SPOILED)
def test_a_checkpoint_that_cannot_be_read_is_told_of_and_kept(paths: Paths, content: bytes) -> None:
    (paths.partial / "p.json").write_bytes(content)
    (told,) = recover(Library(paths))
    kept = [one for one in paths.state.rglob("p.json") if one.read_bytes() == content]
    assert kept or not content.strip(b"\0")
    assert "\n" not in visible(told)


@pytest.mark.parametrize(
    "thread_id", ["", ".", "..", "../../x", "a/b", "x" * 5000, "\0", "汉" * 200, "x\0y", "/dev/zero"]
)
def test_a_checkpoint_that_names_no_thread(paths: Paths, thread_id: str) -> None:
    message = r.Message(at=at(1), id="p", parent=None, role="assistant", content=[], kind="partial")
    checkpoint = Checkpoint(paths.partial, thread_id, "p")
    checkpoint.write(message)
    checkpoint.close(keep=True)
    before = (paths.partial / "p.json").read_bytes()
    (told,) = recover(Library(paths))
    assert "could not be brought back" in told
    assert (paths.partial / "p.json").read_bytes() == before
    with pytest.raises(StoreError):
        Library(paths).open(thread_id)


def test_mutated_drafts_choices_and_checkpoints_are_used_or_kept_aside(paths: Paths) -> None:
    place = drafts.Place(THREAD, "end", "m0002")
    drafts.save(paths, place, drafts.Draft("words", [("[1]", "a paste")], (1, 2), ["/x"]))
    config.save_choices(paths, config.Choices("x", "a/b", THREAD, True, True))
    message = r.Message(at=at(3), id="m0003", parent="m0002", role="assistant", content=[text("Then")], kind="partial")
    checkpoint = Checkpoint(paths.partial, THREAD, "p")
    checkpoint.write(message)
    checkpoint.close(keep=True)
    draft, choices, partial = (
        *(paths.drafts / f"{place.name}.json", paths.state / "choices.toml", paths.partial / "p.json"),
    )
    good = {file: file.read_bytes() for file in (draft, choices, partial)}
    came_back = 0
    for seed in range(120):
        chance = random.Random(f"small {seed}")
        thread_file(paths).write_bytes(GOOD)
        wrong = {file: mutating.changed(mutating.changed(data, chance), chance) for file, data in good.items()}
        for file, data in wrong.items():
            file.write_bytes(data)
        drafts.load(paths, place)
        asides = {draft: drafts.rescue(paths, place), choices: config.save_choices(paths, config.load_choices(paths))}
        for file, aside in asides.items():
            assert aside is None or aside.read_bytes() == wrong[file]
        told = list(recover(Library(paths)))
        assert len(told) <= 1 and all("\n" not in visible(line) for line in told)
        after = thread_file(paths).read_bytes()
        assert after.startswith(GOOD) and mutating.go_through(after) is not None
        came_back += after != GOOD
        left = [file for file in paths.state.rglob("p.json") if file.read_bytes() == wrong[partial]]
        assert left or after != GOOD or not told or not wrong[partial].strip(b"\0")
        for file in (*left, *filter(None, asides.values())):
            file.unlink()
    assert 0 < came_back < 120


@pytest.mark.parametrize("content", SPOILED.values(), ids=SPOILED)
def test_the_tour_is_found_beside_what_is_no_thread(paths: Paths, content: bytes) -> None:
    library = Library(paths)
    made = tour.make(library, SETTINGS)
    thread_file(paths, "00000000T000000-00000000").write_bytes(content)
    assert tour.find(library) == made
    library.file(made).write_bytes(content)
    assert tour.find(library) is None
