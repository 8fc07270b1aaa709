"""Files of ours that somebody or something spoiled: a clear error or a way round, never a crash, never an endless loop,
and nothing is written over what could not be read."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui import config
from convend_tui.cli import main
from convend_tui.errors import AttachmentError, ConfigError, ConvendError, StoreError
from convend_tui.exchange import formats
from convend_tui.model.reply import ReplyBuilder
from convend_tui.paths import Paths
from convend_tui.plain import visible
from convend_tui.replay import Replay
from convend_tui.store import blobs, drafts
from convend_tui.store.check import Checker
from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.store.partial import Checkpoint, recover
from convend_tui.thread import cost
from convend_tui.thread import records as r
from convend_tui.thread.crumbs import crumbs
from tests.faults import mutating
from tests.making import Branch, at, header, paths_in
from tests.tui.conftest import Home, home  # noqa: F401 - a fixture

pytestmark = [pytest.mark.timeout(90), pytest.mark.skipif(os.name == "nt", reason="POSIX files")]

MUTATED = int(os.environ.get("CONVEND_MUTATIONS", "4000"))
"""Thread files in the small run; `python -m tests.bench mutations` has a million."""
ON_DISK = 250
THREAD = "20261122T000000-00000000"
GOOD = b"".join(map(r.encode, [header(), *Branch().typed("A question").reply("An answer.").path]))


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A home with one good thread."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONVEND_HOME", str(tmp_path))
    paths = paths_in(tmp_path)
    for folder in (paths.threads, paths.blobs, paths.cache, paths.drafts, paths.partial):
        folder.mkdir(parents=True, mode=0o700)
    thread_file(paths).write_bytes(GOOD)
    return paths


def thread_file(paths: Paths, thread_id: str = THREAD) -> Path:
    return paths.threads / f"{thread_id}.jsonl"


# -- mutated thread files ---------------------------------------------------------------------------------


def test_mutated_thread_files_bring_nothing_down() -> None:
    threads = 0
    for seed in range(MUTATED):
        threads += mutating.go_through(mutating.mutated(random.Random(seed))) is not None
    print(f"\n{MUTATED:,} mutated thread files, {threads:,} still threads: 0 crashes")
    assert threads > MUTATED / 2, "the mutations leave too little to look at"


def test_what_shows_and_exports_them_is_not_brought_down_either(paths: Paths) -> None:
    def warn(_: str) -> None:
        return

    shown = 0
    for seed in range(ON_DISK):
        data = mutating.mutated(random.Random(f"shown {seed}"))
        thread = mutating.read(data)
        if thread is None:
            continue
        shown += 1
        leaf = thread.leaf
        crumbs(thread, leaf)
        visible(cost.in_words(cost.cost_of(thread, thread.messages.values(), lambda _: config.Price(model="x"))))
        cost.estimate(thread, leaf, "x", datetime.now(UTC))
        replay = Replay(thread, leaf)
        assert all(replay.events(number) for number in range(len(replay.scenes)))
        thread_file(paths).write_bytes(data)
        for one in formats.FORMATS.values():
            try:
                for piece in one.write(formats.Job(paths, thread_file(paths), thread, leaf, True, True, warn=warn)):
                    piece.decode("utf-8", "strict" if one.scope != "file" else "replace")
            except ConvendError as error:
                assert str(error)
    assert shown > ON_DISK / 2


def test_on_the_disk_nothing_is_written_over_and_the_next_record_is_kept(paths: Paths) -> None:
    kept = told = 0
    for seed in range(ON_DISK):
        data = mutating.mutated(random.Random(f"disk {seed}"))
        file = thread_file(paths)
        file.write_bytes(data)
        library = Library(paths)
        list(Checker(paths).threads())
        assert file.read_bytes() == data
        try:
            handle = library.open(THREAD)
            handle.append_now([r.Pin(at=handle.now(), pinned=True)])
        except StoreError as error:
            told += 1
            assert str(error)
            assert file.read_bytes() == data, "what could not be read was written over"
            continue
        kept += 1
        after = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        assert after.startswith(whole)
        tail = data[len(whole) :]
        torn = [one.read_bytes() for one in (paths.state / "torn").glob("*")] if (paths.state / "torn").exists() else []
        assert not tail or after.startswith(data) or tail in torn, "a torn line is lost"
        assert isinstance(r.decode(after.splitlines()[-1]), r.Pin)
    print(f"\n{ON_DISK} mutated files on the disk: {kept} went on, {told} refused with a reason, 0 written over")
    assert kept > told > 0


def test_the_index_and_the_files_say_the_same_of_mutated_files(paths: Paths) -> None:
    for seed in range(ON_DISK):
        file = thread_file(paths, f"20261122T000000-{seed:08x}")
        file.write_bytes(mutating.mutated(random.Random(f"index {seed}")))
    library = Library(paths)
    with closing(library):
        listed = {summary.id: summary for summary in library.summaries()}
        assert listed == {name: library.summary(name) for name in library.ids()}
        assert library.index.search("Hello") and not library.index.search("nothingofthekind")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BLOCKS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "tool_result", "image", "document", "odd"]) | JSON},
    optional=dict.fromkeys(("text", "thinking", "id", "tool_use_id", "source", "input", "content", "title"), JSON),
)
IDS = st.sampled_from(["a", "b", "c", "d", "gone", ""])
MESSAGES = st.fixed_dictionaries(
    {
        "type": st.just("message"),
        "at": st.sampled_from(["2026-11-22T00:00:01.000Z", "2026-11-22T00:00:02.000Z", "", "\x1b", "9999-12-31"]),
        "id": IDS,
        "parent": IDS | st.none(),
        "role": st.sampled_from(["user", "assistant"]),
        "kind": st.sampled_from(["typed", "reply", "guard", "partial", ""]),
        "content": st.lists(BLOCKS, max_size=4),
    },
    optional=dict.fromkeys(("model", "stop_reason", "stop_details", "usage", "timing", "origin"), JSON),
)
ABOUT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ended", "verdict", "label", "leaf", "hide", "restore", "feedback", "later"]),
        "at": st.sampled_from(["2026-11-22T00:00:03.000Z", ""]),
        "message": IDS,
        **{name: st.text(max_size=9) for name in ("cause", "explanation", "outcome", "label", "thumb", "comment")},
    }
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(MESSAGES | ABOUT | JSON, max_size=9))
def test_records_of_any_content_make_a_thread_that_can_be_worked_with(records: list[Any]) -> None:
    lines = [r.encode(header()), *(msgspec.json.encode(record) + b"\n" for record in records)]
    thread = mutating.go_through(b"".join(lines))
    assert thread is not None
    assert not thread.messages or thread.roots


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_bytes_at_all(data: bytes) -> None:
    assert mutating.go_through(data) is None
    assert mutating.go_through(GOOD + data) is not None


@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_deep_nesting_is_refused_line_by_line(paths: Paths, depth: int) -> None:
    nested = b'{"type":"odd","of":' + b"[" * depth + b"]" * depth + b"}"
    line = GOOD.splitlines()[2].replace(b'"content":[', b'"content":[' + nested + b",").replace(b"m0002", b"m0003")
    thread_file(paths).write_bytes(GOOD + line + b"\n")
    handle = Library(paths).open(THREAD)
    assert len(handle.thread.messages) == 2
    assert "line 4 is skipped" in handle.problems[0]
    assert thread_file(paths).read_bytes() == GOOD + line + b"\n"


@pytest.mark.parametrize("depth", [100, 500, 5_000])
def test_what_a_server_nests_deeply_is_written_so_that_it_can_be_read(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    builder = ReplyBuilder()
    builder.feed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Words."}, "index": 0}, 1)
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    builder.feed({"type": "content_block_start", "index": 1, "content_block": call}, 2)
    builder.feed(
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": nested}}, 3
    )
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    builder.feed({"type": "content_block_start", "index": 2, "content_block": {"type": "odd", "of": value}}, 4)
    message = r.Message(at=at(1), id="x", parent=None, role="assistant", content=builder.content(), kind="reply")
    read = r.decode(r.encode(message))
    assert isinstance(read, r.Message)
    assert r.text_of(read) == "Words."
    call = read.content[1]
    assert call["input"] or call["partial_input"] == nested


def test_a_huge_file_of_nothing(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    size = 1 << (30 if os.environ.get("CONVEND_HUGE") else 25)
    with thread_file(paths).open("r+b") as file:
        file.truncate(size)
    empty = thread_file(paths, "20261122T000001-00000001")
    with empty.open("wb") as file:
        file.truncate(size)
    assert len(Library(paths).open(THREAD).thread.messages) == 2
    assert main(["show", THREAD]) == 0
    assert main(["list"]) == 0
    assert main(["show", empty.stem]) == 1
    assert "not a thread file" in capsys.readouterr().err
    assert main(["check"]) == 1
    assert empty.stat().st_size == thread_file(paths).stat().st_size == size


# -- what is no ordinary file -----------------------------------------------------------------------------


def folder(place: Path) -> None:
    (place / "inner").mkdir(parents=True)


def pipe(place: Path) -> None:
    os.mkfifo(place)


def endless(place: Path) -> None:
    place.symlink_to("/dev/zero")


def nowhere(place: Path) -> None:
    place.symlink_to(place.with_name("nowhere"))


def circle(place: Path) -> None:
    place.symlink_to(place)


def sock(place: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        before = Path.cwd()
        os.chdir(place.parent)  # the name of a socket is short
        try:
            server.bind(place.name)
        finally:
            os.chdir(before)


def unreadable(place: Path) -> None:
    """Only root may read it, and for root it is garbage."""
    place.write_bytes(b"\x00\xff\x1b[2J not what it should be")
    place.chmod(0o000)


KINDS = [folder, pipe, endless, nowhere, circle, sock, unreadable]
Kind = Callable[[Path], None]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


def same(before: os.stat_result, place: Path) -> bool:
    """Whether it is what it was."""
    after = place.lstat()
    return (after.st_ino, stat.S_IFMT(after.st_mode), after.st_size, after.st_mtime_ns) == (
        *(before.st_ino, stat.S_IFMT(before.st_mode), before.st_size, before.st_mtime_ns),
    )


@pytest.fixture
def untouched(kind: Kind) -> Iterator[Callable[[Path], None]]:
    """Puts something odd in the place of a file, and sees in the end that it is still there as it was."""
    put: list[tuple[os.stat_result, Path]] = []

    def place(where: Path) -> None:
        where.unlink(missing_ok=True)
        kind(where)
        put.append((where.lstat(), where))

    yield place
    for before, where in put:
        assert same(before, where), f"{where.name} was touched"


Untouched = Callable[[Path], None]


def test_in_the_place_of_a_thread_file(paths: Paths, untouched: Untouched, capsys: pytest.CaptureFixture[str]) -> None:
    library = Library(paths)
    handle = library.open(THREAD)
    other = "20261122T000001-00000001"
    thread_file(paths, other).write_bytes(GOOD.replace(THREAD.encode(), other.encode()))
    untouched(thread_file(paths))
    with pytest.raises(StoreError):
        library.open(THREAD)
    with pytest.raises(StoreError):
        handle.append_now([r.Pin(at=handle.now(), pinned=True)])
    with suppress(StoreError):
        handle.refresh()
    assert len(handle.thread.messages) == 2
    for words in (["list"], ["show", other], ["search", "answer"], ["tree", other]):
        assert main(words) == 0
    assert main(["show", THREAD]) == 1
    assert main(["check"]) == 1
    printed = capsys.readouterr()
    assert "An answer." in printed.out
    assert "Traceback" not in printed.err


def test_in_the_place_of_config(paths: Paths, untouched: Untouched) -> None:
    untouched(paths.config_file)
    if paths.config_file.is_symlink() and not paths.config_file.exists() and not is_circle(paths.config_file):
        assert config.load(paths) == config.load(paths_in(paths.data / "none"))  # a link to nothing: there is none
    else:
        with pytest.raises(ConfigError, match=r"config\.toml"):
            config.load(paths)


def is_circle(place: Path) -> bool:
    return place.is_symlink() and place.readlink() == place


def test_in_the_place_of_the_index(paths: Paths, kind: Kind) -> None:
    # What lies in the cache may be thrown away; what a link leads to may not.
    place = paths.cache / "index.sqlite3"
    kind(place)
    target = Path("/dev/zero").stat() if kind is endless else None
    with closing(Index(paths)) as index:
        index.update()
        assert [hit.message for hit in index.search("question")] == ["m0001"]
        assert [summary.id for summary in index.summaries()] == [THREAD]
    assert target is None or Path("/dev/zero").stat().st_rdev == target.st_rdev


def test_in_the_place_of_the_choices_and_a_draft(paths: Paths, kind: Kind) -> None:
    place = drafts.Place(THREAD)
    for file in (paths.state / "choices.toml", paths.drafts / f"{place.name}.json"):
        file.parent.mkdir(exist_ok=True)
        kind(file)
    assert config.load_choices(paths) == config.Choices()
    assert drafts.load(paths, place) == drafts.Draft()
    assert drafts.of_branches(paths, THREAD) == []
    for write in (
        lambda: config.save_choices(paths, config.Choices(theme="x")),
        lambda: drafts.rescue(paths, place),
        lambda: drafts.save(paths, place, drafts.Draft("words")),
    ):
        try:
            write()
        except StoreError as error:
            assert str(error)


def test_in_the_place_of_a_checkpoint(paths: Paths, untouched: Untouched, kind: Kind) -> None:
    place = paths.partial / "p.json"
    if kind is unreadable:
        kind(place)  # it is kept elsewhere: `test_a_checkpoint_that_cannot_be_read…`
    else:
        untouched(place)
    told = list(recover(Library(paths)))
    assert len(told) == 1 and place.name in told[0]


def test_in_the_place_of_an_attachment(paths: Paths, untouched: Untouched) -> None:
    place = paths.blobs / ("ab" * 32)
    untouched(place)
    with pytest.raises(StoreError):
        blobs.load(paths, place.name)
    with pytest.raises((AttachmentError, StoreError)):
        blobs.attach(paths, place)


# -- damaged content --------------------------------------------------------------------------------------

SPOILED = {
    "empty": b"",
    "zeros": b"\0" * 5000,
    "half": b'{"text": "wor',
    "not utf-8": b'\xff\xfe{"text": "\xc3("}',
    "utf-16": '{"text": "words"}'.encode("utf-16"),
    "another type": b'{"text": ["words"], "pastes": 5, "theme": 5}',
    "deep": b"[" * 100_000,
    "escapes": b"\x1b]52;c;eA==\x07 = \x1b[2J",
    "number": b"x = " + b"9" * 10_000,
}


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
    for _ in range(60):
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


def test_mutated_settings_give_a_clear_error_or_work(paths: Paths) -> None:
    whole = (Path(__file__).parents[2] / "config.example.toml").read_bytes()
    chance = random.Random(6)
    worked = refused = 0
    for number in range(400):
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


@settings(max_examples=150, deadline=None, derandomize=True)
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
