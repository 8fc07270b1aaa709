"""What was imported where nothing was connected: its first turn decides on all of its settings, ending too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from convend_tui.config import Config, Ending
from convend_tui.exchange.importing import import_files, settings_for
from convend_tui.model.connect import Models
from convend_tui.store.fork import fork_path
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests import making
from tests.engine.exports import conversation
from tests.making import MODEL, Branch, at, models_of
from tests.referee import Partner, ThreadedReferee

SETTINGS = r.Settings(model="tiny", server="local", ending=False)


def brought_in(root: Path, models: Models) -> ThreadHandle:
    """A thread that was imported with these servers."""
    file = root / "conversations.json"
    file.write_text(json.dumps([conversation()]))
    library = Library(models._paths)
    import_files(library, [file], settings_for(models))
    (thread_id,) = library.ids()
    return library.open(thread_id)


async def say(handle: ThreadHandle, models: Models, paths: making.Paths, wanted: str | None = None) -> r.Settings:
    """A turn at the end of the branch; returns the thread's settings as another process reads them then."""
    desk = making.Desk(paths, models, handle)
    settings = await models.next_settings(handle.thread, wanted)
    making.ended(await desk.say("Go on.", settings=settings))
    return desk.library().open(handle.thread.id).thread.settings


@pytest.mark.parametrize("first", ["able", "quiet"])
async def test_the_first_turn_is_as_in_a_chat_that_begins_with_it(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = making.paths_in(tmp_path)
    monkeypatch.setenv(making.KEY_VARIABLE, "test-key")
    handle = brought_in(tmp_path, Models(Config(), paths))
    assert handle.thread.is_provisional
    assert not handle.thread.settings.ending
    assert handle.thread.leaf is not None
    fork = Library(paths).open(fork_path(Library(paths), handle.thread, handle.thread.leaf))
    assert fork.thread.is_provisional
    with ThreadedReferee(Partner()) as referee:
        able = models_of(referee.base_url, paths, name="able", thinking="adaptive").config.servers[0]
        both = (able, replace(able, name="quiet", ending=False))
        models = Models(Config(servers=both if first == "able" else both[::-1]), paths)
        found = await say(handle, models, paths)
        assert found == await models.new_settings()
        assert found.ending == ("tools" in referee.turns[-1]) == (first == "able")
        assert not handle.thread.is_provisional
        # From now on it is as in every other thread: its tools stay, whatever it is gone on with.
        other = "quiet" if first == "able" else "able"
        assert (await say(handle, models, paths, other)).ending == found.ending
        await models.close()
    referee.assert_clean()


def test_what_comes_in_where_a_model_can_end_is_not_provisional(tmp_path: Path) -> None:
    paths = making.paths_in(tmp_path)
    assert not brought_in(tmp_path, models_of("http://127.0.0.1:9", paths)).thread.header.provisional
    assert b"provisional" not in next(paths.threads.glob("*.jsonl")).read_bytes()


async def test_a_thread_keeps_the_model_it_came_with_on_a_server_without_ending(tmp_path: Path) -> None:
    paths = making.paths_in(tmp_path)
    models = models_of("http://127.0.0.1:9", paths)
    off = Models(Config(servers=models.config.servers, ending=Ending(enabled=False)), paths)
    handle = brought_in(tmp_path, off)
    handle.thread.header = r.Header(
        at=at(0), id="x", format=1, provisional=True, settings=r.Settings(model="old", server="referee", ending=False)
    )
    settings = await models.next_settings(handle.thread, None)
    assert settings is not None
    assert (settings.model, settings.ending) == ("old", True)
    assert models.next_model(handle.thread, None) == ("referee", "old")
    assert models.next_model(handle.thread, "referee") == ("referee", MODEL)


@pytest.mark.parametrize("provisional", [False, True])
def test_the_first_change_decides_in_any_order_of_lines(provisional: bool) -> None:
    header = making.header(SETTINGS, provisional=provisional)
    first = r.as_change(r.Settings(model="a", server="one", system="Be brief.", tool_version=1), at(50))
    second = r.as_change(r.Settings(model="b", server="two", system="Be long.", ending=False, tool_version=9), at(60))
    for changes in ([first, second], [second, first]):
        settings = Thread(header, [*Branch().typed("Hello").path, *changes]).settings
        assert (settings.model, settings.server) == ("b", "two")
        decided = (settings.system, settings.ending, settings.tool_version)
        assert decided == (("Be brief.", True, 1) if provisional else ("", False, SETTINGS.tool_version))
