"""Which answer of a question the arrow keys stand on."""

from __future__ import annotations

import pytest

from convend_tui.tui import end_for_good
from convend_tui.tui.dialogs import Confirm
from convend_tui.tui.end_for_good import EndForGood
from tests.tui.test_dialogs import Stage
from tests.tui.waiting import until


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("right", "enter"), False),
        (("down", "right", "enter"), False),
        (("left", "enter"), True),
        (("left", "left", "up", "enter"), True),
        (("left", "right", "enter"), False),
    ],
)
@pytest.mark.parametrize("for_good", [False, True], ids=["a question", "for good"])
async def test_arrows_do_not_go_round(
    keys: tuple[str, ...], answer: bool, for_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_for_good, "QUIET_S", 0.01)
    dialog = EndForGood("please end it", "A chat") if for_good else Confirm("End it?", "")
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.ask(dialog)
        await until(pilot, lambda: app.screen.focused is not None and app.screen.focused.id == "no")
        await pilot.press(*keys)
        await until(pilot, lambda: app.given == [answer])
