"""The search: as one types, over every branch of every chat, and from hit to hit."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from typing import Any

import pytest
from rich.cells import cell_len

from convend_tui.store.index import Index
from convend_tui.thread import records as r
from convend_tui.tui.search_rows import around
from convend_tui.tui.search_screen import NOTHING, SearchScreen
from convend_tui.tui.search_words import Asked, parse
from tests.making import Branch, at, text
from tests.tui.conftest import Home, Person
from tests.tui.test_app_branches import forked
from tests.tui.test_app_ending import ended, locked_branch


def local(*parts: int) -> datetime:
    return datetime(*parts).astimezone()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("", Asked("")),
        ("two words ", Asked("two words ")),
        ("ended:yes lock", Asked("lock", ended=True)),
        ("lock ended:no ", Asked("lock", ended=False)),
        ("a model:opus b", Asked("a  b", model="opus")),
        ("role:you role:assistant x", Asked("x", role="assistant")),
        ('"ended:yes" http://a.b:80 note: foo:bar', Asked('"ended:yes" http://a.b:80 note: foo:bar')),
        ("since:2026-11-01 x", Asked("x", since=local(2026, 11, 1))),
        ("until:2026-11-30 x", Asked("x", until=local(2026, 12, 1))),
        ("until:2026-12 x", Asked("x", until=local(2027, 1, 1))),
        ("until:2026-11-30T18:30 x", Asked("x", until=local(2026, 11, 30, 18, 30))),
        ("ended: x", Asked("x", problems=("ended: wants yes or no",))),
        (
            "role:nobody model:",
            Asked("", problems=("role: wants user or assistant", "model: wants a part of a model's name")),
        ),
        (
            "since:2026-1 until:9999-12-31",
            Asked(
                "",
                problems=("since: wants a date such as 2026-11-22",) * 1 + ("until: wants a date such as 2026-11-22",),
            ),
        ),
    ],
)
def test_filters_are_taken_out_of_what_was_typed(typed: str, asked: Asked) -> None:
    assert parse(typed) == asked


def test_the_first_match_is_seen_in_any_width() -> None:
    snippet = "…" + "word " * 20 + "needle 針 and needle"
    first, second = snippet.index("needle"), snippet.rindex("needle")
    for room in (20, 40, 77, 200):
        shown, matches = around(snippet, [(first, first + 6), (second, second + 6)], room)
        assert [shown[start:end] for start, end in matches] == ["needle", "needle"]
        assert cell_len(shown[: matches[0][1]]) <= room


async def looks_for(me: Person, words: str) -> SearchScreen:
    """Open the search and write into it."""
    await me.press("ctrl+f")
    await me.until(lambda: isinstance(me.app.screen, SearchScreen))
    search = me.app.screen
    assert isinstance(search, SearchScreen)
    await me.press(*words)
    await me.until(lambda: not search._is_searching and search._asked == parse(search._input.value))
    return search


def marked(me: Person) -> list[str]:
    """What is bold among the hits."""
    rows = me.app.screen._compositor.render_strips()
    return [segment.text for row in rows[4:-1] for segment in row if segment.style and segment.style.bold]


async def test_a_hit_opens_its_branch_at_its_message(home: Home) -> None:
    branch = forked()
    thread = home.save(branch)
    other = [m for m in branch.path if r.text_of(m).startswith("first")]
    assert other, [r.text_of(m) for m in branch.path]
    home.save(Branch().typed("Something else").reply("An answer."), name="2")
    async with home.app((80, 24)) as me:
        await looks_for(me, r.text_of(other[-1]))
        await me.until(lambda: marked(me))
        assert " ".join(marked(me)).startswith("first")
        await me.press("enter")
        await me.until(lambda: me.chat.transcript.focused_key == other[-1].id)
        assert me.chat.conversation.thread is not None and me.chat.conversation.thread.id == thread
        assert me.chat.transcript.has_focus


async def test_going_on_from_hit_to_hit(home: Home) -> None:
    branch = Branch().typed("apple one").reply("pear").typed("apple two").reply("apple three")
    home.save(branch)
    home.save(Branch().typed("plum").reply("apple four"), name="2")
    async with home.app() as me:
        search = await looks_for(me, "apple role:user")
        assert {hit.role for hit in search._rows.hits} == {"user"}
        await me.press(*["backspace"] * len(" role:user"))
        await me.until(lambda: len(search._rows.hits) >= 4)
        hits = [(hit.thread, hit.message) for hit in search._rows.hits]
        assert len({thread for thread, _ in hits}) == 2
        await me.press("enter")

        def here() -> tuple[str, str | None]:
            thread = me.chat.conversation.thread
            return (thread.id if thread else "", me.chat.transcript.focused_key)

        messages = [hit for hit in hits if hit[1] is not None]
        for step, hit in enumerate(hits):
            if step:
                await me.press("n" if step % 2 else "ctrl+g")
            await me.until(lambda hit=hit: here() == hit if hit[1] else here()[0] == hit[0])
            await me.sees(f"hit {step + 1} of {len(hits)}")
        await me.press("n")
        await me.hears("Next hit: This is the last hit.")
        await me.press("N")
        await me.sees(f"hit {len(hits) - 1} of {len(hits)}")
        assert len(messages) == 4
        # Esc ends it, and n is a new chat again.
        await me.press("escape")
        await me.until(lambda: f"of {len(hits)}" not in me.screen)
        await me.reading()
        await me.press("n")
        await me.until(lambda: me.chat.conversation.thread is None)


async def test_what_was_looked_for_is_there_the_next_time(home: Home) -> None:
    home.save(Branch().typed("apple one").reply("apple two").typed("apple three"))
    async with home.app() as me:
        search = await looks_for(me, "apple")
        await me.until(lambda: len(search._rows.hits) >= 3)
        await me.press("down", "enter")
        await me.until(lambda: me.chat.transcript.has_focus)
        again = await looks_for(me, "")
        await me.until(lambda: len(again._rows.hits) >= 3)
        assert (again._input.value, again._rows.cursor) == ("apple", 1)
        await me.press(*"xyzzy")
        await me.sees(NOTHING[:17])
        await me.press("escape")
        assert me.chat.transcript.has_focus


async def test_the_empty_search_explains_itself(home: Home) -> None:
    async with home.app((80, 24)) as me:
        await looks_for(me, "")
        await me.sees("ended:yes", "since:2026-11-01", "role:user")
        await me.press("enter")
        assert isinstance(me.app.screen, SearchScreen)
        await me.press(*"since:soon")
        await me.sees("since: wants a date", "ended:yes")


async def test_filters_alone_list_the_newest(home: Home) -> None:
    branch = locked_branch()
    home.save(branch, *ended(branch))
    home.save(Branch().typed("Somewhere else").reply("Indeed."), name="2")
    async with home.app() as me:
        await looks_for(me, "ended:no role:assistant")
        await me.sees("1 hit", "Indeed.")
        await me.press("enter")
        await me.reads("Somewhere else", "Indeed.")


async def test_ended_chats_are_marked_and_found(home: Home) -> None:
    branch = locked_branch()
    home.save(branch, *ended(branch))
    async with home.app((80, 24)) as me:
        await looks_for(me, "ending ended:yes")
        await me.sees("⊘ ended")
        await me.press(*["backspace"] * 3, *"no")
        await me.sees(NOTHING[:17])


async def test_the_newest_query_wins_and_no_key_waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.save(Branch().typed("apple").reply("pear"))
    asked: list[str] = []
    held = threading.Event()
    real = Index.search

    def slowly(self: Index, query: str, **wanted: Any) -> Any:
        asked.append(query)
        if query == "a":
            held.wait(20)
        return real(self, query, **wanted)

    async with home.app() as me:
        monkeypatch.setattr(Index, "search", slowly)
        await me.press("ctrl+f")
        await me.until(lambda: isinstance(me.app.screen, SearchScreen))
        search = me.app.screen
        assert isinstance(search, SearchScreen)
        await me.until(lambda: not search._is_searching)
        await me.press("a")
        await me.until(lambda: "a" in asked)  # a thread of its own asks: it may begin late
        await me.press(*"pple")
        assert search._input.value == "apple"
        assert [query for query in asked if query] == ["a"]
        held.set()
        await me.until(lambda: search._rows.hits and not search._is_searching)
        assert [query for query in asked if query] == ["a", "apple"]


async def test_what_others_write_is_found(home: Home) -> None:
    home.save(Branch().typed("apple").reply("pear"))
    async with home.app() as me:
        search = await looks_for(me, "needle")
        await me.sees(NOTHING[:17])
        home.save(Branch().typed("a needle"), name="2")
        me.chat.listing.changed()  # what the timer does
        await me.until(lambda: search._rows.hits)
        assert search._rows.hits[0].thread.endswith("2")


async def test_an_index_in_the_making_says_how_far_it_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        home.save(Branch().typed(f"apple {number}"), name=str(number))
    held = threading.Event()
    real = Index.update

    def slowly(self: Index, progress: Any = None, stop: Any = None) -> bool:
        progress(0, 1000)
        held.wait(20)
        return real(self, progress, stop)

    async with home.app() as me:
        monkeypatch.setattr(Index, "update", slowly)
        monkeypatch.setattr(Index, "count", lambda self: 3)
        search = await looks_for(me, "apple")
        await me.sees("Searching… the index is being built (3 of 4)")
        held.set()
        await me.until(lambda: "being built" not in me.screen)
        assert search._rows.hits


async def test_hostile_text_is_data(home: Home) -> None:
    home.save(
        Branch().typed(text("apple \x1b]52;c;x\x07 [red]not markup[/red] \u202e done")),
        r.Title(at=at(90), title="[b]\x1b[2J", by="person"),
    )
    async with home.app((80, 24)) as me:
        await looks_for(me, "apple [red]")
        await me.sees("[red]not markup[/red]", "⟨RLO⟩", "[b]␛[2J")


async def test_a_hit_whose_chat_has_gone_is_said(home: Home) -> None:
    thread = home.save(Branch().typed("apple").reply("pear"))
    async with home.app() as me:
        await looks_for(me, "apple")
        await me.until(lambda: "apple" in me.screen)
        await asyncio.to_thread(home.library.trash, thread)
        await me.press("enter")
        await me.hears("There is no thread")
