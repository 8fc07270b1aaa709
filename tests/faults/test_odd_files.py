"""What is no ordinary file in the place of one of ours: it is told of, never waited for, and never touched."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from convend_tui import config
from convend_tui.cli import main
from convend_tui.errors import AttachmentError, ConfigError, StoreError
from convend_tui.paths import Paths
from convend_tui.store import blobs, drafts
from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.store.partial import recover
from convend_tui.thread import records as r
from tests.faults.spoiled import GOOD, THREAD, thread_file
from tests.making import paths_in
from tests.tui.conftest import Home, home  # noqa: F401 - a fixture

pytestmark = [pytest.mark.timeout(90), pytest.mark.skipif(os.name == "nt", reason="POSIX files")]


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
