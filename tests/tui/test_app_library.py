"""The list of chats as a library: pinned, filtered, thrown away and brought back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convend_tui.store.index import Index
from convend_tui.store.library import Library
from convend_tui.tui.actions.area import STREAMING
from convend_tui.tui.dialogs import Confirm
from convend_tui.tui.pick import Pick
from convend_tui.tui.thread_list import NO_MATCH
from tests.making import Branch
from tests.referee import Reply, ThreadedReferee
from tests.tui.conftest import Home, Person

NAMES = ("Apples", "Pears", "Plums and apples")


def stock(home: Home) -> list[str]:
    """A chat of each name; the last one was used last."""
    found = []
    for number, name in enumerate(NAMES, 1):
        branch = Branch()
        branch._numbers = iter(range(number * 10, 100))  # type: ignore[assignment]
        found.append(home.save(branch.typed(name).reply("Yes."), name=str(number)))
    return found


def listed(me: Person) -> list[str]:
    """Titles in the list, as filtered."""
    rows = me.chat.thread_list
    return [rows._rows[i].title for i in rows._shown]


async def at_the_list(me: Person) -> None:
    await me.press("ctrl+t")
    await me.until(lambda: me.chat.thread_list.has_focus)


async def test_pinned_chats_come_first(home: Home) -> None:
    apples, _, _ = stock(home)
    async with home.app() as me:
        assert listed(me) == [*reversed(NAMES)]
        await at_the_list(me)
        await me.press("end", "p")
        await me.until(lambda: listed(me) == ["Apples", "Plums and apples", "Pears"])
        await me.sees("★ Apples")
        row = me.chat.thread_list.cursor_thread
        assert row is not None and row.id == apples
        await me.press("p")
        await me.until(lambda: "★" not in me.screen and not any(row.pinned for row in me.chat.thread_list._rows))


async def test_the_list_is_narrowed_as_one_types(home: Home) -> None:
    apples, *_ = stock(home)
    async with home.app() as me:
        await at_the_list(me)
        await me.press("slash", *"app")
        assert listed(me) == ["Plums and apples", "Apples"]
        await me.sees("/ app")
        await me.press(*"xu")
        await me.sees(NO_MATCH)
        await me.press("enter", "backspace", "backspace")
        assert listed(me) == ["Plums and apples", "Apples"]
        await me.press("escape")
        assert listed(me) == [*reversed(NAMES)] and me.chat.thread_list.has_focus
        await me.press("slash")
        await me.pastes("Apples\n")
        await me.press("down", "enter")
        await me.until(lambda: me.chat.conversation.thread is not None)
        assert me.chat.conversation.thread is not None and me.chat.conversation.thread.id == apples
        assert listed(me) == [*reversed(NAMES)]


async def test_thrown_away_and_brought_back(home: Home) -> None:
    apples, pears, _ = stock(home)
    async with home.app() as me:
        await at_the_list(me)
        await me.press("end", "delete")
        await me.sees("“Apples” goes to the trash", "brings it back")
        await me.press("escape")
        assert home.file(apples).exists()
        await me.press("x", "enter")
        await me.until(lambda: listed(me) == ["Plums and apples", "Pears"])
        assert not home.file(apples).exists() and home.library.trashed_ids() == [apples]
        await me.press("x", "y")
        await me.until(lambda: listed(me) == ["Plums and apples"])
        await me.press("u")
        await me.until(lambda: listed(me) == ["Plums and apples", "Pears"])
        row = me.chat.thread_list.cursor_thread
        assert row is not None and row.id == pears
        await me.press("u")
        await me.until(lambda: len(listed(me)) == 3)
        await me.press("u")
        await me.hears("There is nothing in the trash.")


async def test_the_open_chat_gives_way_to_a_new_one(home: Home) -> None:
    _, _, plums = stock(home)
    async with home.app() as me:
        await at_the_list(me)
        await me.press("enter")
        await me.until(lambda: me.chat.conversation.thread is not None)
        me.chat.action_do("trash")
        await me.until(lambda: isinstance(me.app.screen, Confirm))
        await me.press("y")
        await me.until(lambda: listed(me) == ["Pears", "Apples"])
        assert me.chat.conversation.thread is None and plums not in me.chat.opened
        assert me.chat.composer.has_focus_within
        assert me.chat.refusal("trash") == me.chat.refusal("pin") == "This chat is empty."
        me.chat.action_do("restore")
        await me.until(lambda: isinstance(me.app.screen, Pick))
        await me.sees("Restore a trashed chat", "Plums and apples 14 Mar 2025")
        await me.press("enter")
        await me.until(lambda: len(listed(me)) == 3)


async def test_an_empty_trash_says_so(home: Home) -> None:
    async with home.app() as me:
        me.chat.action_do("restore")
        await me.sees("There is nothing in the trash.")


async def test_a_chat_with_a_reply_on_its_way_stays(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply("slow", delay=60))
    async with online.app() as me:
        await me.writes("Hello?")
        await me.press("enter")
        await me.until(lambda: me.chat.thread_list._rows)
        await at_the_list(me)
        await me.press("x")
        await me.hears(f"Trash: {STREAMING}")
        assert not isinstance(me.app.screen, Confirm)
        await me.press("escape", "escape")
        await me.until(lambda: me.idle)


async def test_a_refusal_of_the_disk_is_said_and_nothing_is_lost(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    apples, *_ = stock(home)
    home.paths.trash.write_text("in the way")
    async with home.app() as me:
        await at_the_list(me)
        await me.press("end", "x", "y")
        await me.until(lambda: me.heard)
        assert home.file(apples).exists()
        await me.until(lambda: len(listed(me)) == 3)


async def test_a_refresh_reads_no_file_and_only_what_is_new_is_listed_anew(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(home)
    async with home.app() as me:
        whole: list[Any] = []
        real = Index.summaries

        def counted(self: Index, title: str = "", **limits: Any) -> Any:
            if limits.get("limit") is None:
                whole.append(limits)
            return real(self, title, **limits)

        def no_reading(self: Library, thread_id: str) -> Any:
            raise AssertionError(f"{thread_id} was read")

        await me.until(lambda: not me.chat.listing._fill_lock.locked())
        monkeypatch.setattr(Index, "summaries", counted)
        monkeypatch.setattr(Library, "open", no_reading)
        me.chat.listing.changed()
        await me.until(lambda: not me.chat.listing._stale and not me.chat.listing._fill_lock.locked())
        assert whole == []
        home.save(Branch().typed("Cherries"), name="7")
        me.chat.listing.changed()
        await me.until(lambda: "Cherries" in listed(me))
        assert len(whole) == 1


async def test_the_list_stands_where_it_was_before_the_folder_is_read(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(home)
    async with home.app():
        pass
    held = asyncio.Event()
    from convend_tui.tui.search_index import Indexing

    real = Indexing.update

    async def later(self: Indexing, so_far: Any = None) -> bool:
        await held.wait()
        return await real(self, so_far)

    monkeypatch.setattr(Indexing, "update", later)
    async with home.app() as me:
        assert listed(me) == [*reversed(NAMES)]
        held.set()
