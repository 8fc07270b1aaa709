"""Markdown of every kind, the same for the same words."""

from __future__ import annotations

import random

REMARKS = (
    "That is a good place to start.",
    "There is more to it than it seems.",
    "Let me take it **one step** at a time.",
    "In short: _it depends_, and here is on what.",
    "I have thought about it a little. 🤔",
    "好的，我们一步一步来看。",
    "そうですね、順番に見ていきましょう。",
    "Naïve readings of `x = y` miss the point 🙂.",
)
POINTS = (
    "what you have already",
    "what you would like to have",
    "the **shortest** way between the two",
    "something to try out today ✅",
    "a case where it goes wrong ⚠️",
    "中文也没有问题",
    "日本語もだいじょうぶ",
    "a link: [the manual](https://example.org/manual)",
)
FENCES = (
    '```python\ndef greet(name: str) -> str:\n    """Say hello, politely."""\n    return f"Hello, {name}!"\n```',
    "```python\nfrom collections import Counter\n\nfor word, n in Counter(text.split()).most_common(3):\n"
    '    print(f"{n:>4}  {word}")\n```',
    '```sh\n$ convend list --json | head -n 3\n```\n\n```json\n{"ok": true, "items": [1, 2, 3]}\n```',
)
TABLES = (
    "| option | cost | good for |\n|---|---:|---|\n| small | 1 | a first try |\n| large | 10 | the real thing |",
    "| 語 | meaning |\n|:-:|---|\n| 水 | water 💧 |\n| 火 | fire 🔥 |\n| 木 | wood |",
)


def essay(about: str, chance: random.Random) -> str:
    """A few lines of Markdown about what was said."""
    words = " ".join(about.split())
    quoted = words[:80] + ("…" if len(words) > 80 else "")
    parts = [f"You said: “{quoted}”. {chance.choice(REMARKS)}"] if quoted else [chance.choice(REMARKS)]
    if chance.random() < 0.6:
        parts.append(f"## {chance.choice(('A plan', 'Some thoughts', 'The short of it', '要点'))}")
    bullets = chance.sample(POINTS, chance.randint(2, 4))
    numbered = chance.random() < 0.3
    parts.append("\n".join(f"{f'{i}.' if numbered else '-'} {point}" for i, point in enumerate(bullets, 1)))
    if chance.random() < 0.5:
        parts.append(chance.choice(FENCES))
    if chance.random() < 0.4:
        parts.append(chance.choice(TABLES))
    parts.append(f"{chance.choice(REMARKS)} What do you think?")
    return "\n\n".join(parts)


def ramble(about: str, chance: random.Random, size: int) -> str:
    """Mixed Markdown of at least `size` characters."""
    parts: list[str] = []
    length = 0
    while length < size:
        part = f"# Part {len(parts) + 1}\n\n{essay(about, chance)}\n\n> {chance.choice(REMARKS)}\n\n---"
        parts.append(part)
        length += len(part) + 2
    return "\n\n".join(parts)
