"""What a measurement came to, and the table of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a value beside its baseline from the same run."""

    name: str
    what: str
    baseline: float
    value: float
    unit: str
    target: float | None = None
    """The greatest ratio that is good enough; None: only reported."""

    @property
    def ratio(self) -> float:
        """The value in units of its baseline."""
        return self.value / self.baseline if self.baseline else float("nan")

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "met" if self.ratio <= self.target else "missed"

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        target = f"≤ {self.target:g}" if self.target is not None else ""
        return (
            self.name,
            self.what,
            f"{self.baseline:.4g} {self.unit}",
            f"{self.value:.4g} {self.unit}",
            f"{self.ratio:.2f}",
            target,
            self.verdict,
        )


HEAD = ("name", "measured", "baseline", "value", "ratio", "target", "")


def compare(
    name: str,
    what: str,
    baseline: Sequence[float],
    value: Sequence[float],
    unit: str,
    target: float | None = None,
) -> Row:
    """A row of two medians."""
    return Row(name, what, median(baseline), median(value), unit, target)


def ninety_fifth(values: Sequence[float]) -> float:
    """The value that 95 of 100 stay below."""
    return quantiles(values, n=20, method="inclusive")[-1]


def table(rows: Iterable[Row]) -> str:
    """The rows in columns."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    numbers = range(2, 5)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
