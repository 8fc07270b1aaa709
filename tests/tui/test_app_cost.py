"""Tokens and money on the screen."""

from __future__ import annotations

from tests.making import MODEL, Branch
from tests.referee import ThreadedReferee
from tests.tui.conftest import Home

PRICES = f"""
[[price]]
model = "{MODEL}"
input = 4
output = 20
"""
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100, "output_tokens": 50}


async def test_a_turn_is_priced_and_the_next_one_estimated(home: Home, referee: ThreadedReferee) -> None:
    home.connect(referee, more=PRICES)
    async with home.app() as me:
        await me.says("hello")
        await me.sees("% cached", "out · $0.0")
        await me.press("x", "y")
        await me.sees("next ≈", "cached +")
        await me.press("backspace", "backspace")
        await me.sees("out · $0.0")
        await me.reading()
        await me.press("c")
        await me.sees("Tokens and cost", "This turn", "All branches", "Prices are those")


async def test_without_a_price_there_are_tokens_and_no_sum(home: Home) -> None:
    home.save(Branch().typed("Hello").reply("Hi.", usage=USAGE, model="some-model"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.goes_to("Hi.")
        await me.press("c")
        await me.sees("This branch 10 1,000 100 50 –", "No price is configured for some-model")
