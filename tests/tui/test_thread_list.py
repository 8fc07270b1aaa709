"""The list of threads: keys, mouse, filter, and what stays put."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from textual.app import App, ComposeResult

from convend_tui.tui.thread_list import NO_MATCH, NO_THREADS, ThreadList, ThreadRow, ago
from tests.tui.waiting import until

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def thread(number: int, **more: Any) -> ThreadRow:
    facts = {"title": f"Thread {number}", "updated": NOW - timedelta(minutes=number), "ended": False}
    return ThreadRow(id=f"t{number}", **{**facts, "branches": 1, **more})


class Stage(App[None]):
    def __init__(self, rows: list[ThreadRow]) -> None:
        super().__init__()
        self.list = ThreadList(rows, now=lambda: NOW)
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        self.list.focus()

    def on_thread_list_opened(self, event: ThreadList.Opened) -> None:
        self.opened.append(event.id)

    def lines(self, count: int = 6) -> list[str]:
        return [self.list.render_line(y).text.rstrip() for y in range(count)]


async def test_ten_thousand_rows_by_key_and_mouse() -> None:
    app = Stage([thread(number) for number in range(10_000)])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        assert app.list.cursor_thread == thread(9999)
        await until(pilot, lambda: app.list.scroll_offset.y == 20_000 - 24)
        await pilot.press("pageup", "up", "enter")
        await until(pilot, lambda: app.opened == ["t9987"])
        await pilot.press("home", "down", "pagedown", "enter")
        await until(pilot, lambda: app.opened[1:] == ["t12"])
        await pilot.press("home")
        await until(pilot, lambda: app.list.scroll_offset.y == 0)
        await pilot.click(ThreadList, offset=(5, 7))
        await until(pilot, lambda: app.opened[2:] == ["t3"])
        assert app.list.cursor_thread == thread(3)


async def test_states_are_told_in_words_and_marks() -> None:
    rows = [
        thread(0, title="Why is the sky blue, and why is it not green?", current=True, ended=True, branches=3),
        thread(1, title="", unreadable=True),
        thread(2, title="\x1b[31m[b]red[/b]\u202e"),
    ]
    app = Stage(rows)
    async with app.run_test(size=(36, 12)) as pilot:
        await until(pilot, lambda: app.lines()[0].startswith("▌›"))
        assert app.lines() == [
            "▌› Why is the sky blue, and why is…",
            "▌  now · ⊘ ended · 3 branches",
            "   Untitled",
            "   ⚠ cannot be read · 1 min",
            "   ␛[31m[b]red[/b]⟨RLO⟩",
            "   2 min",
        ]


async def test_cursor_stays_on_its_thread() -> None:
    app = Stage([thread(number) for number in range(100)])
    async with app.run_test() as pilot:
        await pilot.press(*["down"] * 12)
        app.list.set_rows([thread(999), *(thread(number) for number in range(100) if number != 7)])
        assert app.list.cursor_thread == thread(12)
        app.list.filter_text = "READ 1"
        assert (app.list.cursor_thread, app.list.row_count) == (thread(12), 11)
        app.list.filter_text = "nowhere"
        assert app.list.cursor_thread is None
        await pilot.press("down", "enter", "end", "pageup")
        assert NO_MATCH in app.lines()[0]
        app.list.filter_text = ""
        assert app.list.row_count == 100
        app.list.set_rows([])
        assert app.lines(3)[0].strip() and " ".join(" ".join(app.lines(3)).split()) == NO_THREADS
        assert app.opened == []


def test_ago() -> None:
    times = [0, 59, 61, 3599, 3600, 11 * 3600, 13 * 3600, 3 * 86400, 10 * 86400, 400 * 86400, -90]
    shown = [ago(NOW - timedelta(seconds=seconds), NOW) for seconds in times]
    assert shown == [
        "now",
        "now",
        "1 min",
        "59 min",
        "1 h",
        "11 h",
        "yesterday",
        "Thursday",
        "12 Nov",
        "18 Oct 2025",
        "now",
    ]
