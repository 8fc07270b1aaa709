"""The composer, through the keys and pastes a terminal sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from convend_tui.errors import AttachmentError
from convend_tui.tui.composer import Composer, ComposerState
from convend_tui.tui.composer_input import ComposerInput
from convend_tui.tui.folding import drawn, hold, release
from convend_tui.tui.pasting import END, START, PasteParser
from tests.tui.waiting import until

LONG = "".join(f"line {n}: ⟦quoted⟧ text\n" for n in range(1203))


class Stage(App[None]):
    """A composer alone, and what it said."""

    def __init__(self) -> None:
        super().__init__()
        self.composer = Composer()
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.composer

    def on_mount(self) -> None:
        self.animation_level = "none"
        self.composer.focus()

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        self.said.append(event)

    def on_composer_changed(self, event: Composer.Changed) -> None:
        self.said.append(event)

    @property
    def sent(self) -> list[str]:
        return [event.text for event in self.said if isinstance(event, Composer.Submitted)]

    @property
    def input(self) -> ComposerInput:
        return self.composer.query_one(ComposerInput)

    @property
    def shown(self) -> str:
        width, height = self.size
        return "\n".join(
            "".join(segment.text for segment in self.screen._compositor.render_strips()[y])
            for y in range(height)
            if width
        )


async def paste(pilot: Pilot[None], text: str) -> None:
    app = pilot.app
    assert isinstance(app, Stage)
    before = app.composer.text
    app.post_message(events.Paste(text))
    await until(pilot, lambda: app.composer.text != before)


async def test_enter_sends_and_other_keys_make_lines() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        await pilot.press("enter", "a", "ctrl+j", "b", "alt+enter", "c", "shift+enter", "d")
        assert app.composer.text == "a\nb\nc\nd"
        await until(pilot, lambda: app.input.size.height == 4)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.sent)
        await pilot.pause()
        assert app.sent == ["a\nb\nc\nd"]  # a slip of the finger does not send twice
        app.composer.clear()
        assert app.composer.text == ""
        await pilot.press(*"next", "enter")
        await until(pilot, lambda: len(app.sent) == 2)
        assert app.sent[1] == "next"


async def test_height_stays_within_a_third_of_the_screen() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*["ctrl+j"] * 10)
        await until(pilot, lambda: app.input.size.height == 8)
        assert app.input.wrapped_document.height == 11


async def test_a_long_paste_folds_and_is_sent_whole() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        await pilot.press(*"see:")
        await paste(pilot, LONG.replace("\n", "\r\n"))
        await pilot.press(*"ok")
        assert app.input.document.line_count == 1
        assert "⟦pasted text 1: 1,204 lines, 34 KB⟧" in app.shown
        assert app.composer.text == f"see:{LONG}ok"
        await paste(pilot, "short\rtwo")
        assert app.composer.text == f"see:{LONG}okshort\ntwo"
        await pilot.press("enter")
        await until(pilot, lambda: app.sent)
        assert app.sent == [f"see:{LONG}okshort\ntwo"]


async def test_a_token_is_one_piece() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        await pilot.press("a")
        await paste(pilot, LONG)
        await pilot.press("b", "left", "left")
        assert app.input.cursor_location == (0, 1)
        await pilot.press("right", "backspace")
        assert app.composer.text == "ab"
        assert app.composer.state.pastes == ()
        await pilot.press("ctrl+z")
        assert app.composer.text == f"a{LONG}b"
        app.input.delete((0, 5), (0, 6))  # any part of it
        assert app.composer.text == "ab"
        token = "⟦pasted text 1: 1,204 lines, 34 KB⟧"
        app.composer.clear()
        await paste(pilot, token)
        assert app.composer.text == token


@pytest.mark.parametrize("text", [LONG, "one\rtwo\x0bthree\u2028four\n", "x" * 20_000, "", "\U00100001"])
async def test_what_is_loaded_comes_back_verbatim(text: str) -> None:
    app = Stage()
    async with app.run_test() as pilot:
        app.composer.load(text)
        assert app.composer.text == text
        draft = app.composer.state
        await pilot.press("z")
        assert app.composer.text == text + "z"
        app.composer.restore(draft)
        assert app.composer.text == text
        assert app.composer.state == draft
        assert len(app.input.held_text) < 2000


@given(st.text(st.characters(max_codepoint=0xFFFFF), max_size=60))
def test_hidden_characters_are_held_and_drawn_one_for_one(text: str) -> None:
    held = hold(text)
    assert release(held) == text
    assert len(held) == len(drawn(held)) == len(text)
    assert len(held.splitlines()) <= held.count("\n") + 1
    assert not any(ord(char) < 32 and char not in "\t\n" for char in drawn(held))


async def test_pasted_control_characters_are_kept_but_not_obeyed() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        await paste(pilot, "a\x1b[31mb\x9bc\u202ed")
        assert app.composer.text == "a\x1b[31mb\x9bc\u202ed"
        await until(pilot, lambda: "a␛[31mb�c�d" in app.shown)
        assert not {"\x1b", "\x9b", "\u202e"} & set(app.shown)


async def test_locked_keeps_the_draft_aside() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        await pilot.press(*"draft")
        await paste(pilot, LONG)
        app.composer.locked = "The conversation [b]has[/b] ended."
        await until(pilot, lambda: "⊘ The conversation [b]has[/b] ended." in app.shown)
        await pilot.press("x", "enter")
        app.input.paste("nothing")
        app.post_message(events.Paste("nothing"))
        await pilot.pause()
        assert app.input.disabled
        assert "draft" not in app.shown
        assert app.sent == []
        assert app.composer.text == f"draft{LONG}"
        app.composer.locked = None
        assert app.composer.text == f"draft{LONG}"
        app.composer.focus()
        await pilot.press("y")
        await until(pilot, lambda: app.composer.text == f"draft{LONG}y")


async def test_busy_keeps_the_text_and_says_so() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        app.composer.busy = True
        await pilot.press("h", "i", "enter")
        await until(pilot, lambda: "Not sent" in app.shown)
        assert (app.sent, app.composer.text) == ([], "hi")
        app.composer.busy = False
        await pilot.press("enter")
        await until(pilot, lambda: app.sent == ["hi"])
        assert "Not sent" not in app.shown


async def test_attachments_show_and_leave(tmp_path: Path) -> None:
    report = tmp_path / "report[b].pdf"
    report.write_bytes(b"x" * 1_234_567)
    app = Stage()
    async with app.run_test() as pilot:
        app.composer.banner = "Editing"
        app.composer.add_attachment(report)
        with pytest.raises(AttachmentError, match="missing"):
            app.composer.add_attachment(tmp_path / "missing")
        await until(pilot, lambda: "Attached: report[b].pdf, 1.2 MB" in app.shown and "Editing" in app.shown)
        assert app.composer.state == ComposerState(attachments=(report,))
        await pilot.press("enter")
        await until(pilot, lambda: app.sent == [""])
        await pilot.press("backspace")
        await until(pilot, lambda: app.composer.attachments == ())


@pytest.mark.parametrize("size", [1, 3, 7, 4096])
def test_a_paste_is_taken_whole_however_it_is_read(size: int) -> None:
    stream = f"a{START}x\x1b\r\x1b[201\x00y{END}b{START}{END}\x1b\r\x1b[B"
    parser, said = PasteParser(), []
    for at in range(0, len(stream), size):
        said += [*parser.feed(stream[at : at + size]), *parser.tick()]
    if size > 2:
        found = [event.text if isinstance(event, events.Paste) else getattr(event, "key", "?") for event in said]
        assert found == ["a", "x\x1b\r\x1b[201y", "b", "", "alt+enter", "down"]
    else:
        assert [event.text for event in said if isinstance(event, events.Paste)]
