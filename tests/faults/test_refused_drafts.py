"""A disk that refuses for a while: what was typed, and where one was, is written once it takes it."""

from __future__ import annotations

from typing import Any

import pytest

from convend_tui import config
from convend_tui.errors import StoreError
from convend_tui.store import drafts
from tests.faults.test_slow_disk import Slow, linux
from tests.tui.conftest import Home
from tests.tui.workbench import THREAD, forked, opened


def refuse(*_: Any) -> None:
    raise StoreError("The disk is full.")


async def test_a_draft_that_was_refused_is_there_when_one_comes_back_and_is_written_at_the_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        with monkeypatch.context() as patched:
            patched.setattr(drafts, "write_atomic", refuse)
            await me.writes("for the fourth")
            await me.goes_to("another answer")
            await me.press("left")
            await me.reads("second answer")
            await me.hears("Your draft could not be kept")
            assert me.typed == ""
            await me.press("right")
            await me.reads("fourth answer")
            assert me.typed == "for the fourth"
            await me.press("left")
            await me.reads("second answer")
            assert me.typed == ""
    kept = {place.message: draft.text for place, draft in drafts.of_branches(home.paths, THREAD)}
    assert kept == {"x5": "for the fourth"}


async def test_a_new_chat_that_the_disk_did_not_take_keeps_its_draft(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.save(forked())
    async with home.app() as me:
        with monkeypatch.context() as patched:
            patched.setattr(drafts, "write_atomic", refuse)
            await me.writes("begun here")
            await opened(me, "fourth answer")
            await me.press("ctrl+n")
            await me.until(lambda: me.typed == "begun here")
            await opened(me, "fourth answer")
        await me.writes("and there")
    assert drafts.load(home.paths, drafts.NEW).text == "begun here"


async def test_where_one_was_is_written_at_the_end_when_it_was_refused_before(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.save(forked())
    async with home.app() as me:
        with monkeypatch.context() as patched:
            patched.setattr(config, "save_choices", refuse)
            await opened(me, "fourth answer")
            await me.hears("The disk is full.")
    assert config.load_choices(home.paths).last_thread == THREAD


@linux
async def test_a_first_message_stopped_while_a_slow_disk_takes_it(
    online: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with online.app() as me:
        with monkeypatch.context() as patched:
            slow = Slow(online.root, patched)
            await me.writes("First")
            await me.press("enter")
            await me.until(lambda: slow.waiting)
            await me.press("escape")
            await me.until(lambda: me.idle)
            slow.go_on()
            await me.reads("First")
        await me.until(lambda: me.app.choices.last_thread is not None)
        assert me.typed == "First"
    async with online.app() as me:
        await me.reads("First")
        assert me.typed == "First" and me.texts() == ["First"]
