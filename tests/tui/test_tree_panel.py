"""The tree: what its rows say, moving in it, its filter, and how it and the transcript follow each other."""

from __future__ import annotations

import msgspec
from textual.app import App, ComposeResult

from convend_tui.thread import records as r
from convend_tui.thread.outline import Outline
from convend_tui.thread.tree import Thread
from convend_tui.tui.tree_panel import TreePanel
from convend_tui.tui.tree_rows import EMPTY, NO_MATCH, TreeRows
from tests.making import at
from tests.tui.waiting import until
from tests.unit.test_outline import straight
from tests.unit.test_tree import message, thread_of

WIDE = (150, 36)


class Stage(App[None]):
    """The panel alone, with a thread."""

    def __init__(self, thread: Thread | None, leaf: str | None = None, problems: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.panel = TreePanel()
        self.went: list[str] = []
        self._thread, self._leaf, self._problems = thread, leaf, problems

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.panel.styles.width = "100%"
        self.show()

    def show(self, here: str | None = None) -> None:
        outline = Outline(self._thread) if self._thread is not None else None
        problems = [*self._problems, *(outline.problems if outline is not None else [])]
        self.panel.show(outline, self._leaf, here or self._leaf, problems, follow=True)

    def on_tree_rows_go_to(self, event: TreeRows.GoTo) -> None:
        self.went.append(event.id)

    @property
    def lines(self) -> list[str]:
        """The rows as they are drawn, without what is blank."""
        rows = self.panel.rows
        drawn = [rows.render_line(y).text.rstrip() for y in range(rows.size.height)]
        return drawn[: next((place for place, line in enumerate(drawn) if not line), len(drawn))]

    @property
    def head(self) -> str:
        """What stands above the rows."""
        rows = self.panel.rows.region.y
        strips = self.screen._compositor.render_strips()[:rows]
        return "\n".join("".join(segment.text for segment in strip).strip() for strip in strips)

    @property
    def cursor(self) -> str | None:
        return self.panel.rows.message_id


def workshop() -> tuple[r.Record, ...]:
    """Three branches: one ended, one pruned, one with a name."""
    return (
        *straight(2),
        *straight(2, "m1", "rude", 10),
        *straight(2, "m1", "gone", 20),
        *straight(12, "m1", "on", 30),
        r.Ended(at=at(80), message="rude1", cause="persistent_abuse", explanation="It went on."),
        r.Hide(at=at(81), message="gone0"),
        r.Label(at=at(82), message="on5", label="the plan"),
    )


# Rows


def long_ago(*records: r.Record) -> Thread:
    """A thread whose times are shown with their year, whenever the test runs."""
    return thread_of(*(msgspec.structs.replace(one, at=f"2025-03-14T12:{one.at[14:]}") for one in records))


async def test_every_state_is_told_in_text() -> None:
    app = Stage(long_ago(*workshop()), "on11")
    async with app.run_test(size=(50, 20)) as pilot:
        await until(pilot, lambda: app.lines and app.lines[-1].startswith("›"))
        assert app.lines == [
            " ● You   m0                            14 Mar 2025",
            " ● Model m1                            14 Mar 2025",
            " ├─○ You   1/2 rude0                   14 Mar 2025",
            " │ ○ Model rude1              ⊘ ended  14 Mar 2025",
            " ├─○ You   gone0             (hidden)  14 Mar 2025",
            " │ ○ Model gone1             (hidden)  14 Mar 2025",
            " ● You   2/2 on0                       14 Mar 2025",
            " ● Model on1                           14 Mar 2025",
            " ● You   on2                           14 Mar 2025",
            " ● Model on3                           14 Mar 2025",
            " ● You   on4                           14 Mar 2025",
            " ● Model ⚑ the plan on5                14 Mar 2025",
            " ┊ ▸ 2 turns",
            " ● You   on10                          14 Mar 2025",
            "›◉ Model on11                          14 Mar 2025",
        ]
        assert "Tree · 18 messages · 2 branches · 1 hidden" in app.head


async def test_model_and_time_give_way_to_words_and_states() -> None:
    long = "words " * 30
    thread = long_ago(
        message("q", None, 1, long),
        message("a", "q", 2, long, role="assistant", kind="reply", model="claude-sonnet-5-5"),
        r.Ended(at=at(3), message="a", cause="persistent_abuse", explanation=""),
    )
    for width, has_model, has_time in ((90, True, True), (60, False, True), (30, False, False)):
        app = Stage(thread, "a")
        async with app.run_test(size=(width, 8)) as pilot:
            await until(pilot, lambda: len(app.lines) == 2)  # noqa: B023
            question, answer = app.lines
            assert ("claude-sonnet-5-5" in answer, "14 Mar 2025" in answer) == (has_model, has_time)
            assert "⊘ ended" in answer
            assert "words words" in question


async def test_hostile_text_stays_text() -> None:
    words = "\x1b[31m[b]red[/b]\u202e\u200b\nsecond line\x07"
    thread = thread_of(
        message("q", None, 1, words),
        message("a", "q", 2, words * 500, role="assistant", kind="reply", model=words),
        r.Label(at="\x1b[2J", message="q", label=words),
    )
    app = Stage(thread, "a", (words,))
    async with app.run_test(size=(100, 12)) as pilot:
        await until(pilot, lambda: len(app.lines) == 2)
        assert "⚑ ␛[31m[b]red[/b]⟨RLO… ␛[31m[b]red[/b]⟨RLO⟩ second line␇" in app.lines[0]
        assert "⚠ ␛[31m[b]red[/b]⟨RLO⟩ second line␇" in app.head
        shown = app.head + "".join(app.lines)
        assert not set(shown) & {"\x1b", "\x07", "\u202e", "\u200b"}


async def test_what_is_wrong_stands_at_the_top() -> None:
    thread = thread_of(*straight(2), message("x", "gone", 3), message("y", "y", 4), message("m0", None, 5))
    app = Stage(thread, "m1")
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: len(app.lines) == 4)
        assert "⚠ two different messages have the id m0" in app.head
        assert "⚠ and 1 more" in app.head


async def test_an_empty_chat_says_what_will_be_here() -> None:
    app = Stage(None)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press(
            "down", "enter", "o", "O", "n", "N", "left", "right", "G", "left_square_bracket", "slash", "x"
        )
        await pilot.press("enter", "down", "escape", "end")
        assert " ".join(" ".join(app.lines).split()) == EMPTY
        assert app.went == []


# Keys


async def test_moving_folding_and_going() -> None:
    app = Stage(thread_of(*straight(40)), "m39")
    async with app.run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: app.cursor == "m39")
        await pilot.press("home")
        assert app.cursor == "m0"
        await pilot.press("j", "down")
        assert [line[:14].rstrip() for line in app.lines] == [
            " ● You   m0",
            " ● Model m1",
            "›┊ ▸ 18 turns",
            " ● You   m38",
            " ◉ Model m39",
        ]
        await pilot.press("enter")
        assert app.went == []
        assert (app.panel.rows.row_count, app.cursor) == (40, "m2")
        await pilot.press("pagedown", "G", "k", "enter")
        await until(pilot, lambda: app.went == ["m38"])
        await pilot.press("left")
        assert (app.panel.rows.row_count, app.cursor) == (5, "m38")
        await pilot.press("O")
        assert app.panel.rows.row_count == 40
        await pilot.press("O", "home", "j", "j", "right")
        assert app.panel.rows.row_count == 40
        await pilot.press("o")
        assert (app.panel.rows.row_count, app.panel.rows.cursor) == (5, 2)


async def test_keys_lead_from_fork_to_fork_and_from_branch_to_branch() -> None:
    app = Stage(thread_of(*workshop(), *straight(2, "on3", "late", 90)), "on11")
    async with app.run_test(size=(60, 30)) as pilot:
        await until(pilot, lambda: app.cursor == "on11")
        seen = []
        for key in ("N", "N", "N", "left_square_bracket", "right_square_bracket", "n", "left", "n", "n"):
            await pilot.press(key)
            seen.append(app.cursor)
        assert seen == ["on3", "m1", "m1", "m1", "m1", "on3", "m1", "on3", "on3"]
        assert "No fork further down" in app.head
        await pilot.press("j", "left_square_bracket")
        assert app.cursor == "on4"


async def test_the_filter_narrows_as_one_types_and_leads_to_the_message() -> None:
    thread = thread_of(
        *straight(30),
        *straight(2, "m9", "aside", 40),
        message("needle", "aside1", 60, "It was the Needle"),
        message("after", "needle", 61),
    )
    app = Stage(thread, "m29")
    async with app.run_test(size=(60, 30)) as pilot:
        await pilot.press("slash", *"NEED")
        await until(pilot, lambda: app.cursor == "needle")
        assert "1 found" in app.head
        assert [line[1:20].rstrip() for line in app.lines] == [
            "● You   m0",
            "● Model m1",
            "┊ ▸ 3 turns",
            "● You   m8",
            "● Model m9",
            "├─○ You   2/2 aside0"[:19],
            "│ ○ Model aside1",
            "│ ○ You   It was th",
        ]
        await pilot.press("enter")
        await until(pilot, lambda: app.went == ["needle"])
        await pilot.press(*"xyz")
        assert app.lines[0].strip() == NO_MATCH
        await pilot.press(*["backspace"] * 7, *"m2")
        await until(pilot, lambda: "11 found" in app.head)
        await pilot.press("down", "n", "n")
        assert app.cursor == "m21"
        await pilot.press("N", "escape")
        assert (app.cursor, app.panel.rows.wanted) == ("m20", "")
        assert app.panel.rows.has_focus


async def test_a_click_goes_there() -> None:
    app = Stage(thread_of(*straight(3)), "m2")
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: len(app.lines) == 3)
        await pilot.click(TreeRows, offset=(12, 1))
        await until(pilot, lambda: app.went == ["m1"])


async def test_ten_thousand_messages_and_a_thousand_beginnings() -> None:
    records = [*straight(10_000), *(message(f"x{number}", None, number) for number in range(1000))]
    app = Stage(thread_of(*records), "m9999")
    async with app.run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: app.cursor == "m9999")
        assert app.panel.rows.row_count == 1005
        await pilot.press("O", "home", "end", "pageup")
        await until(pilot, lambda: len(app.lines) >= 17)
        assert app.panel.rows.row_count == 11_000
