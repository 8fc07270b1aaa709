"""What an import came to, in words."""

from __future__ import annotations

from collections.abc import Iterator

from convend_tui.exchange.staging import Report
from convend_tui.plain import one_line


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
    """What did not come in, a line each."""
    for skip in report.skipped:
        yield f"not imported: {one_line(skip.what)}: {one_line(skip.why)}"


def _s(number: int) -> str:
    return "" if number == 1 else "s"
