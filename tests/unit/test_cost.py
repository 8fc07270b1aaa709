"""Tokens, money, and what the cache is likely to hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from convend_tui.config import Price
from convend_tui.thread import records as r
from convend_tui.thread.cost import Cost, Estimate, Tokens, cost_of, estimate, in_words, money_of, tokens_of, turn_of
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, result

USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 100,
    "output_tokens": 50,
    "service_tier": "standard",
    "cache_creation": {"ephemeral_5m_input_tokens": 100},
}
PRICE = Price("claude-*", input=4.0, output=20.0, cache_read=0.2)


def price(model: str) -> Price | None:
    return PRICE if PRICE.fits(model) else None


def chat() -> Branch:
    branch = Branch().typed("Hello").reply("Hi.", usage=USAGE, model="claude-a")
    return branch.typed("A fox?").reply("Red.", usage=USAGE, model="claude-a")


def test_usage_is_counted_in_its_parts() -> None:
    tokens = tokens_of(USAGE)
    assert tokens == Tokens(10, 1000, 100, 50)
    assert tokens.total_input == 1110
    assert not tokens_of(None)
    assert not tokens_of({"input_tokens": "many", "output_tokens": None, "cache_read_input_tokens": -5})


def test_money_follows_the_four_rates() -> None:
    assert money_of(Tokens(fresh=1_000_000), PRICE) == 4.0
    assert money_of(Tokens(cached=1_000_000), PRICE) == 0.2
    assert money_of(Tokens(written=1_000_000), PRICE) == 5.0
    assert money_of(Tokens(output=1_000_000), PRICE) == 20.0
    assert money_of(Tokens(cached=1_000_000), Price("m", input=4.0)) == pytest.approx(0.4)


def test_turn_branch_and_thread_are_added_up() -> None:
    branch = chat()
    again = msgspec.structs.replace(branch.path[3], id="again", at=at(50))
    thread = Thread(header(), [*branch.path, again])
    one = Tokens(10, 1000, 100, 50)
    assert cost_of(thread, turn_of(thread, "again"), price).tokens == one
    assert cost_of(thread, thread.path("again"), price).tokens == one + one
    whole = cost_of(thread, thread.messages.values(), price)
    assert whole.tokens == one + one + one
    assert whole.money == {"$": pytest.approx(3 * money_of(one, PRICE))}
    assert turn_of(thread, None) == []


def test_a_second_opinion_and_every_message_of_a_turn_count() -> None:
    branch = Branch().typed("Hello").reply(call(), usage=USAGE, model="claude-a").guard(result())
    branch.reply("Well.", usage=USAGE, model="claude-a")
    opinion = {"at_risk": False, "model": "claude-b", "usage": {"input_tokens": 7, "output_tokens": 3}}
    verdict = r.Verdict(at=at(9), message=branch.path[1].id, outcome="confirm", second_opinion=opinion)
    thread = branch.thread(SETTINGS, verdict)
    turn = cost_of(thread, turn_of(thread, branch.last), price)
    assert turn.tokens == Tokens(27, 2000, 200, 103)


def test_where_a_price_is_missing_no_sum_is_shown() -> None:
    thread = chat().typed("And?").reply("So.", usage=USAGE, model="other").thread()
    assert cost_of(thread, thread.messages.values(), price).money is None
    assert in_words(Cost(Tokens(1))) == ""
    assert in_words(Cost(Tokens(1), {"$": 0.01234, "€": 1234.5})) == "$0.0123 + €1,234.50"


def when(minutes: float) -> datetime:
    """So long after the second answer of `chat`."""
    return datetime(2026, 11, 22, 0, 0, 4, tzinfo=UTC) + timedelta(minutes=minutes)


def test_the_prefix_of_a_moment_ago_is_in_the_cache() -> None:
    thread = chat().thread()
    assert estimate(thread, "m0004", "x" * 35, when(1)) == Estimate(1110, 60)
    assert estimate(thread, "m0004", "x" * 35, when(6)) == Estimate(0, 1170)
    # From an earlier answer, of which a later request has kept the prefix alive.
    assert estimate(thread, "m0002", "", when(4.98)) == Estimate(1110, 50)
    # Below one's own unanswered message, its text comes on top.
    assert estimate(thread, "m0003", "x" * 35, when(1)) == Estimate(1110, 50 + 10 + 2)


def test_the_clock_starts_with_the_request_and_settings_count() -> None:
    branch = chat()
    slow = msgspec.structs.replace(branch.path[3], timing={"total_ms": 180_000})
    thread = Thread(header(), [*branch.path[:3], slow])
    assert estimate(thread, "m0004", "", when(1)).cached == 1110
    assert estimate(thread, "m0004", "", when(3)).cached == 0
    changed = Thread(header(), [*branch.path, r.as_change(msgspec.structs.replace(SETTINGS, effort="low"), at(60))])
    assert estimate(changed, "m0004", "", when(1.5)).cached == 0


def test_a_first_message_is_all_fresh() -> None:
    assert estimate(Thread(header()), None, "x" * 35, when(0), overhead=350) == Estimate(0, 110)
