"""Makes convend_tui/ending/risk_weights.json from the sentences beside it: `python -m tests.unit.risk_data.train`.

A logistic regression of what speaks of danger against what is ordinary, by AdaGrad, without any library, and the same
bytes each time. Files whose names begin with `held` and the shared data sets are not read: they tell how good it is.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from math import exp
from pathlib import Path

from convend_tui.ending.risk_text import Source, joined
from convend_tui.ending.risk_weighing import features

DATA = Path(__file__).parent
TARGET = Path(__file__).parents[3] / "convend_tui" / "ending" / "risk_weights.json"
ROUNDS = 12
RATE = 0.8
DECAY = 2e-6
"""How much a weight shrinks each time that it is used."""
UNIT = 0.25
"""Weights are kept as multiples of this."""
LEAST = 1.5
"""Weights that are less than this are left out."""
WORTH = {"tech": 0.4}
"""How much a sentence counts, by its part; 1 where it is not here."""

Example = tuple[Sequence[str], bool, float]
"""Features, whether it speaks of danger, and how much it counts."""


def main() -> None:
    """Train, and write the weights."""
    examples = [*read(DATA / "dev.tsv", danger=True), *read(DATA / "ordinary.tsv", danger=False)]
    bias, weights = trained(examples)
    kept = {name: round(weight / UNIT) for name, weight in sorted(weights.items()) if abs(weight) >= LEAST}
    stored = {"unit": UNIT, "bias": round(bias / UNIT), "weights": kept}
    TARGET.write_text(json.dumps(stored, ensure_ascii=False, indent=0, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{len(examples):,} sentences, {len(kept):,} features of {len(weights):,}, {TARGET.stat().st_size:,} bytes")


def read(file: Path, *, danger: bool) -> Iterator[Example]:
    """The sentences of a file."""
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = Source(row["text"]).plain().text
            if row["language"] in ("ja", "zh", "ko"):
                text = joined(text)  # as their patterns see it
            yield sorted(set(features(text))), danger, WORTH.get(row.get("part", ""), 1.0)


def trained(examples: Sequence[Example]) -> tuple[float, dict[str, float]]:
    """The bias and the weights."""
    worth = {truth: sum(counts for _, is_so, counts in examples if is_so == truth) for truth in (True, False)}
    # Both sides count the same, as if there were as many of each.
    balance = {truth: sum(worth.values()) / (2 * worth[truth]) for truth in worth}
    weights = dict.fromkeys(Counter(name for names, _, _ in examples for name in names), 0.0)
    steps = dict.fromkeys(weights, 1e-6)
    bias, bias_step = 0.0, 1e-6
    order, chance = list(examples), random.Random(7)
    for _ in range(ROUNDS):
        chance.shuffle(order)
        for names, truth, counts in order:
            share = len(names) ** -0.5 if names else 1.0
            odds = bias + share * sum(map(weights.__getitem__, names))
            error = (1 / (1 + exp(-max(-30.0, min(30.0, odds)))) - truth) * counts * balance[truth]
            bias_step += error * error
            bias -= RATE * error / bias_step**0.5
            slope = error * share
            for name in names:
                steps[name] += slope * slope
                weights[name] -= RATE * (slope / steps[name] ** 0.5 + DECAY * weights[name])
    return bias, weights


if __name__ == "__main__":
    main()
