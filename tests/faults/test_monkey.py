"""Somebody presses keys at random while everything goes wrong: nothing breaks, and nothing is lost.

`CONVEND_FAULTS=all` plays many seeds.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.monkey import Monkey
from tests.faults.trouble import Kinds, Trouble, moody
from tests.referee import ThreadedReferee
from tests.tui.conftest import Home

ALL = os.environ.get("CONVEND_FAULTS") == "all"
FEW, MANY = (4, 8), range(150)
FEW_STEPS, MANY_STEPS = 8, 40


@pytest.mark.parametrize("seed", MANY if ALL else FEW)
async def test_a_monkey_at_the_keyboard_loses_nothing(seed: int, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    kinds = Kinds.some(chance)
    with ThreadedReferee(moody(random.Random(chance.random()), chance.choice((0, 0, 0.2)))) as server:
        home.connect(server)
        monkey = Monkey(home, chance, Trouble(home, chance, kinds, monkeypatch))
        monkey.note(f"seed {seed}: {kinds}")
        await monkey.play(starts=2, steps=MANY_STEPS if ALL else FEW_STEPS)
