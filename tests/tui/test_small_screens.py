"""Every dialog on small terminals: what can be pressed, and how to leave, is always in view; the rest scrolls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from convend_tui.tui.dialogs import Confirm, Progress, Prompt, TextPanel
from convend_tui.tui.end_for_good import EndForGood
from convend_tui.tui.evidence import EvidencePanel, Quotation
from convend_tui.tui.help import HelpScreen
from convend_tui.tui.pick import Pick, PickOption
from convend_tui.tui.rate import RateDialog

LONG = "Words and more words, and a name of a file. " * 40
KEYS = [("Section", [(f"Ctrl+{n}", f"Command {n}", "What it does, in a sentence.", None) for n in range(30)])]
DIALOGS: list[tuple[Callable[[], ModalScreen[Any]], tuple[str, ...]]] = [
    (lambda: Confirm("Hide this message?", LONG, "Hide", "Keep"), ("Hide", "Keep", "Esc cancels")),
    (lambda: EndForGood(LONG, LONG), ("End it for good", "Go on talking", "cannot be opened")),
    (lambda: Prompt("Rename this chat", "A title", "A name"), ("A title", "Enter keeps it · Esc cancels")),
    (lambda: Pick("Pick", [PickOption(str(n), f"Option {n}") for n in range(40)]), ("Option 1 ", "Esc cancels")),
    (lambda: TextPanel("A text", LONG), ("Words and more", "Esc closes")),
    (lambda: HelpScreen(KEYS), ("Command 0", "Esc closes")),
    (lambda: RateDialog("Was it right to end this conversation?", LONG), ("Thumbs down", "A comment", "Esc cancels")),
    (lambda: EvidencePanel("Why", [LONG], [Quotation("the warning", LONG, "m1")]), ("Words and", "Esc closes")),
    (lambda: Progress("Importing", "/home/someone/conversations.json"), ("%", "Esc stops it")),
]


class Stage(App[None]):
    """Shows dialogs."""

    def compose(self) -> ComposeResult:
        yield Static("below")

    @property
    def shown(self) -> str:
        """The screen as one text; frames and line breaks do not count."""
        strips = self.screen._compositor.render_strips()
        rows = ("".join(segment.text for segment in strip) for strip in strips)
        return " ".join(" ".join(rows).translate(dict.fromkeys(map(ord, "│╭╮╰╯─"), " ")).split()) + " "


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
async def test_what_can_be_pressed_is_in_view(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convend_tui.tui.end_for_good.QUIET_S", 60)
    app = Stage()
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        for make, parts in DIALOGS:
            app.push_screen(make())
            await pilot.pause()
            for part in parts:
                assert part in app.shown, (part, app.shown)
            app.pop_screen()
