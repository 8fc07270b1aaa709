"""What a chat took so far: a turn, the branch, the whole thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from convend_tui.plain import one_line
from convend_tui.thread.cost import Cost, Estimate, cost_of, in_words, turn_of
from convend_tui.tui.dialogs import TextPanel

if TYPE_CHECKING:
    from convend_tui.config import Config
    from convend_tui.thread.tree import Thread

COLUMNS = ("", "fresh", "from cache", "to cache", "output", "cost")


def cost_panel(thread: Thread, leaf: str | None, config: Config, width: int = 80) -> TextPanel:
    """A panel with a table of tokens and money.

    Args:
        width: cells that the panel has for a line; where the table is wider, it is a list.
    """
    parts = {
        "This turn": cost_of(thread, turn_of(thread, leaf), config.price),
        "This branch": cost_of(thread, thread.path(leaf), config.price),
        "All branches": cost_of(thread, thread.messages.values(), config.price),
    }
    rows = [COLUMNS, *(_row(name, cost) for name, cost in parts.items())]
    missing = sorted({m.model for m in thread.messages.values() if m.model and m.usage and not config.price(m.model)})
    if missing:
        names = ", ".join(one_line(name, 60) for name in missing[:5])
        note = f"No price is configured for {names}: [[price]] in config.toml has them."
    else:
        note = "Prices are those of [[price]] in config.toml."
    table = _table(rows)
    if max(Content(line).cell_length for line in table) > width:
        table = [line for row in rows[1:] for line in _entry(row)]
    text = "\n".join([*table, "", "Tokens, as the servers counted them; second opinions are in it.", note])
    return TextPanel("Tokens and cost", text)


def estimate_words(estimate: Estimate) -> str:
    """`next ≈ 3,100 cached + 240 new`."""
    return f"next ≈ {_about(estimate.cached)} cached + {_about(estimate.fresh)} new"


def _about(count: int) -> str:
    """Two digits that count are all that an estimate has."""
    if count < 100:
        return str(count)
    step = 10 ** (len(str(count)) - 2)
    return f"{round(count / step) * step:,}"


def _row(name: str, cost: Cost) -> tuple[str, ...]:
    tokens = cost.tokens
    counts = (tokens.fresh, tokens.cached, tokens.written, tokens.output)
    return (name, *(f"{count:,}" for count in counts), in_words(cost) or "–")


def _entry(row: Sequence[str]) -> tuple[str, str]:
    """A row of the table as two lines, which may be wrapped."""
    *counts, cost = zip(COLUMNS[1:], row[1:], strict=True)
    return f"{row[0]}: {cost[1]}", "  " + ", ".join(f"{count} {name}" for name, count in counts)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(Content(row[column]).cell_length for row in rows) for column in range(len(COLUMNS))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
