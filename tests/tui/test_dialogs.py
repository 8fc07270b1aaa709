"""The modal screens and the bottom lines, by keyboard alone, at 80 by 24."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from convend_tui.tui.dialogs import Confirm, Progress, Prompt, TextPanel
from convend_tui.tui.help import HelpScreen, page
from convend_tui.tui.pick import Pick, PickOption
from convend_tui.tui.status import KeyHint, KeyHints, StatusLine, StatusPart, usage_parts
from tests.tui.waiting import until


class Stage(App[None]):
    """Shows one dialog at a time, and keeps what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Any] = []
        self.status, self.hints = StatusLine(), KeyHints()

    def compose(self) -> ComposeResult:
        yield Static("below")
        yield self.status
        yield self.hints

    def ask(self, screen: ModalScreen[Any]) -> None:
        self.push_screen(screen, self.given.append)

    def on_progress_cancelled(self, event: Progress.Cancelled) -> None:
        self.given.append("cancelled")

    @property
    def shown(self) -> str:
        strips = self.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(["enter"], False), (["left", "enter"], True), (["y"], True), (["n"], False), (["escape"], False)],
)
async def test_confirm(keys: list[str], answer: bool) -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.ask(Confirm("End [b]it[/b]?", "word \x1b " * 400, "End it", "Go on"))
        await until(pilot, lambda: "Go on" in app.shown and "End [b]it[/b]?" in app.shown)
        assert "Esc cancels" in app.shown
        assert "\x1b" not in app.shown
        await pilot.press(*keys)
        await until(pilot, lambda: app.given == [answer])


async def test_prompt() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.ask(Prompt("Rename", "old [b]title", "A title"))
        await until(pilot, lambda: "old [b]title" in app.shown)
        await pilot.press(*"new", "enter")
        await until(pilot, lambda: app.given == ["new"])
        app.ask(Prompt("Rename", "old"))
        await until(pilot, lambda: "Rename" in app.shown)
        await pilot.press("escape")
        await until(pilot, lambda: app.given == ["new", None])


async def test_pick_filters_while_it_is_typed_into() -> None:
    app = Stage()
    options = [PickOption(f"id{n}", f"Model {n}", "200k context") for n in range(500)]
    options[42] = PickOption("id42", "Model 42", disabled_reason="it needs a key")
    async with app.run_test(size=(80, 24)) as pilot:
        picker = Pick("Model", current="id41")
        app.ask(picker)
        await until(pilot, lambda: "Loading…" in app.shown)
        picker.show_error("The server is [away].")
        await until(pilot, lambda: "⚠ The server is [away]." in app.shown)
        picker.set_options(options)
        await until(pilot, lambda: "› ● Model 41" in app.shown)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Not now: it needs a key" in app.shown)
        assert app.given == []
        await pilot.press(*"49 MODEL", "down", "down", "up", "enter")
        await until(pilot, lambda: app.given == ["id149"])
        app.ask(Pick("Model", options))
        await until(pilot, lambda: "› " in app.shown)
        await pilot.press(*"zzz")
        await until(pilot, lambda: "Nothing matches" in app.shown)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: app.given == ["id149", None])


async def test_progress_and_panel() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        progress = Progress("Fetching", "98 MB")
        app.ask(progress)
        progress.update(42, 100, "42 of 100 MB")
        await until(pilot, lambda: "42%" in app.shown and "42 of 100 MB" in app.shown)
        await pilot.press("escape")
        await until(pilot, lambda: app.given == ["cancelled"])
        progress.dismiss(None)
        app.ask(TextPanel("Why", "\n".join(f"line {n} [b]" for n in range(100))))
        await until(pilot, lambda: "line 3 [b]" in app.shown and "Fetching" not in app.shown)
        await pilot.press("end")
        await until(pilot, lambda: "line 99 [b]" in app.shown)
        await pilot.press("escape")
        await until(pilot, lambda: app.given == ["cancelled", None, None])


async def test_help_lists_narrows_and_scrolls() -> None:
    sections = [
        (f"Group {g}", [(f"Ctrl+{n}", f"Command {g}.{n}", "what it does", None) for n in range(8)]) for g in range(5)
    ]
    sections[0][1].append(("r", "Retry", "again", "the conversation was ended here"))
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.ask(HelpScreen(sections))
        await until(pilot, lambda: "Command 0.0" in app.shown)
        await pilot.press(*["pagedown"] * 12)
        await until(pilot, lambda: "Command 4.7" in app.shown)
        await pilot.press(*"retry")
        await until(pilot, lambda: "not now: the conversation was ended here" in app.shown)
        assert "Command" not in app.shown
        await pilot.press("escape")
        await until(pilot, lambda: app.given == [None])
    wide = page(sections, 150).plain.splitlines()
    assert any("Group 0" in line and "Group 4" in line for line in wide)
    assert max(map(len, wide)) <= 150


async def test_bottom_lines_drop_what_does_not_fit() -> None:
    app = Stage()
    left = [StatusPart("Claude [b]Opus", 3), StatusPart("ended", 4, True)]
    async with app.run_test(size=(60, 10)) as pilot:
        app.status.show(left, usage_parts(1204, 0.96, 310))
        app.hints.show([KeyHint("Enter", "send"), ("e", "edit", True), ("F1", "help", False)])
        await until(pilot, lambda: "Enter send   (e edit)   F1 help" in app.shown)
        assert "Claude [b]Opus · ended" in app.shown
        assert "1,204 in · 96 % cached · 310 out" in app.shown
        await pilot.resize_terminal(42, 10)
        await until(pilot, lambda: "% cached" not in app.shown)
        await pilot.resize_terminal(14, 10)
        await until(pilot, lambda: "Opus" not in app.shown)
        assert " ended" in app.shown
        assert "Enter send" in app.shown
        assert "edit" not in app.shown
