"""Whether the words around a match are clearly those of an ordinary message.

The patterns are wide, and many an ordinary sentence has the words of one of them. What a pattern finds does not count
where its surroundings speak against it very clearly. risk_weights.json holds a logistic regression over words and pairs
of words (of Chinese, Japanese and Korean: over up to three characters). It is made from the sentences in
tests/unit/risk_data by the program there; it knows 15 languages, and says nothing of words that it does not know.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec

ORDINARY = ((90, -3.25), (15, -1.0))
"""A match is ordinary where the log-odds of danger (as if both kinds of messages were equally frequent) are below the
second number for the match with so many characters on both sides. The second look sees little more than the match:
nothing that stands further off can outweigh a wish."""

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


class _Stored(msgspec.Struct):
    """risk_weights.json."""

    unit: float
    """Weights and bias are multiples of this."""
    bias: int
    weights: dict[str, int]


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic regression. A feature counts once, and less the more there are: its value is 1 / √(their number)."""

    bias: float
    by_feature: Mapping[str, float]

    def odds(self, text: str) -> float:
        """The log-odds that folded text speaks of danger to somebody."""
        found = set(features(text))
        whole = sum(self.by_feature.get(feature, 0.0) for feature in found)
        return self.bias + whole / math.sqrt(max(1, len(found)))

    def is_ordinary(self, text: str, low: int, high: int) -> bool:
        """Whether a match at `low` to `high` of folded text stands in what is clearly an ordinary message."""
        return all(self.odds(_around(text, low, high, reach)) < odds for reach, odds in ORDINARY)


def features(text: str) -> Iterator[str]:
    """The words of folded text and the pairs of neighbours; of a script without blanks, one to three characters."""
    for sentence in text.split("."):
        before = "^"
        for word in sentence.split():
            if _UNSPACED.search(word):
                for length in (1, 2, 3):
                    for start in range(len(word) - length + 1):
                        yield f"{word[start : start + length]}_"
                before = "^"
            else:
                yield word
                yield f"{before} {word}"
                before = word


def _around(text: str, low: int, high: int, reach: int) -> str:
    """The match and what is near, in whole words where there are blanks."""
    start, end = max(0, low - reach), min(len(text), high + reach)
    if start and (blank := text.find(" ", start, low)) >= 0:
        start = blank
    if end < len(text) and (blank := text.rfind(" ", high, end)) >= 0:
        end = blank
    return text[start:end]


@cache
def load() -> Weights:
    """Read the weights: like the patterns, they come with the package."""
    data = resources.files("convend_tui.ending").joinpath("risk_weights.json").read_bytes()
    stored = msgspec.json.decode(data, type=_Stored)
    by_feature = {feature: weight * stored.unit for feature, weight in stored.weights.items()}
    return Weights(stored.bias * stored.unit, by_feature)
