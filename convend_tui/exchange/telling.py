"""What an import came to, in words."""

from __future__ import annotations

from collections.abc import Iterator

from convend_tui.exchange.staging import Report
from convend_tui.plain import one_line

_OF_A_KIND = 5
"""So many are named one by one."""


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
