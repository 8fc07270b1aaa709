"""What an import came to, in figures and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from convend_tui.exchange.incoming import Skip
from convend_tui.plain import one_line

_OF_A_KIND = 5
"""So many are named one by one."""


@dataclass(slots=True)
class Report:
    """What an import came to."""

    threads: int = 0
    """Threads that came in, or grew."""
    messages: int = 0
    branched: int = 0
    """Of these threads: those with more than one branch."""
    ended: int = 0
    """Of these threads: those in which the model ended the conversation."""
    skipped: list[Skip] = field(default_factory=list)
    grown: int = 0
    """Of `threads`: those that were here already."""
    unchanged: int = 0
    """Threads that were here already, with all that the export has of them."""

    @property
    def is_empty(self) -> bool:
        """Nothing came in, and nothing was here already."""
        return not self.threads and not self.unchanged

    def as_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        skipped = [{"what": skip.what, "why": skip.why} for skip in self.skipped]
        counts = {"threads": self.threads, "messages": self.messages, "branched": self.branched, "ended": self.ended}
        return {**counts, "skipped": skipped}

    def take(self, messages: int, *, branched: bool, ended: bool) -> None:
        """Count a thread that came in or grew by so many messages."""
        self.threads += 1
        self.messages += messages
        self.branched += branched
        self.ended += ended


def in_words(report: Report) -> str:
    """The figures of a report, in a sentence or two."""
    if report.is_empty:
        return "Nothing was imported."
    parts: list[str] = []
    new = report.threads - report.grown
    if report.threads:
        what = []
        if new:
            what.append(f"{new:,} chat{_s(new)} came in")
        if report.grown:
            what.append(f"{report.grown:,} that {'was' if report.grown == 1 else 'were'} here already grew")
        kinds = [
            f"{number:,} {word}"
            for number, word in ((report.branched, "with branches"), (report.ended, "ended by the model"))
            if number
        ]
        of_these = f" ({', '.join(kinds)})" if kinds else ""
        parts.append(f"{' and '.join(what)}: {report.messages:,} message{_s(report.messages)}{of_these}.")
    if report.unchanged:
        were = "was" if report.unchanged == 1 else "were"
        parts.append(f"{report.unchanged:,} chat{_s(report.unchanged)} {were} here already, with nothing new.")
    if report.skipped:
        parts.append(f"{len(report.skipped):,} thing{_s(len(report.skipped))} did not come in.")
    return " ".join(parts)


def skipped_in_words(report: Report) -> Iterator[str]:
    """What did not come in, and why: a line each, but one for all where many did not for one reason."""
    kinds: dict[str, list[str]] = {}
    for skip in report.skipped:
        kinds.setdefault(skip.why, []).append(skip.what)
    for why, whats in kinds.items():
        if len(whats) > _OF_A_KIND:
            yield f"{len(whats):,} times, such as {one_line(whats[0])}: {one_line(why)}"
        else:
            yield from (f"{one_line(what)}: {one_line(why)}" for what in whats)


def _s(number: int) -> str:
    return "" if number == 1 else "s"
