"""Two branches beside each other."""

from __future__ import annotations

import msgspec

from convend_tui.thread import records as r
from tests.making import Branch, at
from tests.tui.conftest import Home, Person


def answers(*texts: str) -> list[r.Message]:
    """A question with several answers."""
    branch = Branch().typed("What is a fox?").reply(texts[0])
    more = [
        msgspec.structs.replace(
            Branch().typed("What is a fox?").reply(text).path[1],
            id=f"other{number}",
            parent="m0001",
            at=at(40 + number),
        )
        for number, text in enumerate(texts[1:])
    ]
    return [*branch.path, *more]


async def opened(me: Person, text: str) -> None:
    await me.press("ctrl+t", "enter")
    await me.goes_to(text)


def saved(home: Home, *texts: str) -> str:
    branch = Branch()
    branch.path = answers(*texts)
    return home.save(branch)


async def test_two_siblings_are_compared_at_once_and_one_is_kept(home: Home) -> None:
    saved(home, "A fox is a small red animal.", "A fox is a clever red animal.")
    async with home.app((110, 30)) as me:
        await opened(me, "A fox is a clever")
        await me.press("d")
        await me.sees(
            "Compare", "After “What is a fox?”", "A fox is a clever red animal.", "A fox is a small red animal."
        )
        row = next(row for row in me.rows if "clever" in row)
        assert "small" in row, "side by side"
        strips = me.app.screen._compositor.render_strips()
        marked = {s.text.strip() for strip in strips for s in strip if s.style and s.style.underline and s.text.strip()}
        assert marked == {"clever", "small"}
        await me.press("2")
        await me.reads("A fox is a small red animal.", "‹ 1/2 ›")
        await me.until(lambda: me.records("leaf"))


async def test_a_narrow_terminal_stacks_them_and_esc_changes_nothing(home: Home) -> None:
    saved(home, "A fox is a small red animal.", "A fox is a clever red animal.")
    async with home.app((80, 24)) as me:
        await opened(me, "A fox is a clever")
        await me.press("d")
        await me.sees("Compare")
        rows = me.rows
        one, two = (next(i for i, row in enumerate(rows) if word in row) for word in ("clever", "small"))
        assert one < two
        await me.press("escape")
        await me.reads("A fox is a clever red animal.", "‹ 2/2 ›")


async def test_of_several_one_is_picked(home: Home) -> None:
    saved(home, "One answer.", "Another answer.", "A third answer.")
    async with home.app() as me:
        await opened(me, "A third answer.")
        await me.press("d")
        await me.sees("Compare with which branch?", "beside it: One answer.", "beside it: Another answer.")
        await me.pastes("Another")
        await me.press("enter")
        await me.sees("Compare · what differs", "Another answer.", "A third answer.")


async def test_without_a_second_branch_there_is_nothing_to_compare(home: Home) -> None:
    saved(home, "The only answer.")
    async with home.app() as me:
        await opened(me, "The only answer.")
        await me.press("d")
        await me.hears("There is no other branch to compare with.")
