"""What turns, branches and threads took in tokens and in money, and what the next request will read from the cache.

The API's `usage` counts input in three parts: `input_tokens` (fresh), `cache_read_input_tokens` and
`cache_creation_input_tokens`; their sum is the whole input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

CACHE_LIFE = timedelta(minutes=5)
"""How long the prompt cache keeps a prefix after the start of the last request that used it."""
CHARACTERS_A_TOKEN = 3.5
"""A rough measure for text that no server has counted yet."""
MILLION = 1_000_000
_IMPOSSIBLE = 10**15
"""Tokens that no message ever took: such a number is damage."""


class Rates(Protocol):
    """A price list: money for a million tokens (`config.Price` is one)."""

    @property
    def input(self) -> float: ...
    @property
    def output(self) -> float: ...
    @property
    def cache_read(self) -> float | None: ...
    @property
    def cache_write(self) -> float | None: ...
    @property
    def currency(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of tokens."""

    fresh: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.fresh + other.fresh,
            self.cached + other.cached,
            self.written + other.written,
            self.output + other.output,
        )

    def __bool__(self) -> bool:
        return bool(self.total_input or self.output)

    @property
    def total_input(self) -> int:
        """All that was read."""
        return self.fresh + self.cached + self.written


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took."""

    tokens: Tokens = Tokens()
    money: Mapping[str, float] | None = None
    """By currency; None where no price is known for some of it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the next request is likely to read, in tokens."""

    cached: int
    fresh: int


def tokens_of(usage: Mapping[str, Any] | None) -> Tokens:
    """The counts of a `usage` object; what is missing or no number counts as none."""

    def count(name: str) -> int:
        value = (usage or {}).get(name)
        return value if type(value) is int and 0 < value < _IMPOSSIBLE else 0

    return Tokens(
        count("input_tokens"),
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
        count("output_tokens"),
    )


def money_of(tokens: Tokens, rates: Rates) -> float:
    """What tokens cost."""
    read = rates.input / 10 if rates.cache_read is None else rates.cache_read
    write = rates.input * 1.25 if rates.cache_write is None else rates.cache_write
    parts = tokens.fresh * rates.input + tokens.cached * read + tokens.written * write + tokens.output * rates.output
    return parts / MILLION


def cost_of(thread: Thread, messages: Iterable[r.Message], rates_of: Callable[[str], Rates | None]) -> Cost:
    """What messages of a thread took, second opinions included.

    Args:
        rates_of: a model's price list, or None.
    """
    tokens, money, known = Tokens(), dict[str, float](), True
    for model, usage in (pair for message in messages for pair in _usages(thread, message)):
        counted = tokens_of(usage)
        if not counted:
            continue
        tokens += counted
        rates = rates_of(model)
        if rates is None:
            known = False
        else:
            money[rates.currency] = money.get(rates.currency, 0.0) + money_of(counted, rates)
    return Cost(tokens, money if known and money else None)


def turn_of(thread: Thread, leaf: str | None) -> list[r.Message]:
    """The messages of the last turn on a path."""
    return list(thread.turn_of(leaf)) if leaf in thread.messages and leaf is not None else []


def estimate(thread: Thread, parent: str | None, text: str, now: datetime, overhead: int = 0) -> Estimate:
    """What a message below `parent` is likely to read from the cache, and what not.

    The last answer above it tells how long the prefix is. That prefix is in the cache if a request that shared it began
    less than `CACHE_LIFE` ago, on whatever branch, under the same settings.

    Args:
        text: what is to be sent.
        now: aware.
        overhead: characters of system prompt and tools, where no request has been counted yet.
    """
    new = round(len(text) / CHARACTERS_A_TOKEN)
    above = thread.ancestry(parent) if parent in thread.messages and parent is not None else iter(())
    for message in above:
        counted = tokens_of(message.usage)
        if message.role == "assistant" and counted.total_input:
            fresh = counted.output + new
            alive = thread.settings_of(message) == thread.settings and now - _last_use(thread, message) < CACHE_LIFE
            return Estimate(counted.total_input, fresh) if alive else Estimate(0, counted.total_input + fresh)
        new += round(len(r.text_of(message)) / CHARACTERS_A_TOKEN)
    return Estimate(0, new + round(overhead / CHARACTERS_A_TOKEN))


def in_words(cost: Cost) -> str:
    """`$0.0123`, `$1.20 + €0.50`, or nothing where no price is known."""
    if cost.money is None:
        return ""
    return " + ".join(f"{currency}{_rounded(sum_)}" for currency, sum_ in sorted(cost.money.items()))


def _rounded(money: float) -> str:
    return f"{money:,.2f}" if money >= 1 else f"{money:.4f}"


def _usages(thread: Thread, message: r.Message) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if message.usage:
        yield message.model or "", message.usage
    verdict = thread.verdicts.get(message.id)
    if verdict is not None and verdict.second_opinion is not None:
        usage = verdict.second_opinion.get("usage")
        if isinstance(usage, dict):
            yield str(verdict.second_opinion.get("model") or ""), usage


def _last_use(thread: Thread, message: r.Message) -> datetime:
    """When the newest request began that shared the prefix of this answer's: its own, or one below it."""
    newest = r.moment_of("1970-01-01T00:00:00Z")
    assert newest is not None
    todo = [message.id]
    while todo:
        node = thread.messages[todo.pop()]
        if node.role == "assistant" and (ended := r.moment_of(node.at)) is not None:
            took = (node.timing or {}).get("total_ms")
            # A damaged file may hold any number: what took longer than a day was in no cache at its end.
            if not isinstance(took, int | float) or not 0 <= took < timedelta(days=1) / timedelta(milliseconds=1):
                took = 0
            newest = max(newest, ended - timedelta(milliseconds=took))
        todo.extend(thread.children(node.id))
    return newest
