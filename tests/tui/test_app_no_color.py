"""`NO_COLOR`: nothing is drawn in a colour of its own, and everything can be read, whatever the theme."""

from __future__ import annotations

import pytest
from rich.color import ColorType

from tests.making import Branch
from tests.tui.conftest import Home


async def test_a_terminals_own_colours_stay_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    home.configure('[ui]\ntheme = "ansi-dark"\n')
    home.save(Branch().typed("Hello").reply("# Hi\n\n`code` and **more**\n\n```python\nx = 1\n```"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("Hi", "x = 1")
        drawn = [segment for strip in me.app.screen._compositor.render_strips() for segment in strip]
        colours = {
            colour
            for segment in drawn
            if segment.style is not None
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None and colour.type is not ColorType.DEFAULT
        }
        assert not colours
