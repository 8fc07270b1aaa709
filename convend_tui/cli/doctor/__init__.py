"""`doctor`: looks at everything that convend needs, says what is wrong and how to mend it. Changes nothing."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator

from convend_tui import config, paths
from convend_tui.cli.doctor import folders, program, servers, terminal, threads
from convend_tui.cli.doctor.finding import Finding
from convend_tui.cli.output import emit, write
from convend_tui.config import Config
from convend_tui.errors import ConfigError
from convend_tui.paths import Paths
from convend_tui.plain import one_line

WIDTH = 80
_STATES = {"ok": "ok", "warning": "warning", "wrong": "WRONG"}
_MARGIN = max(map(len, _STATES.values())) + 4
_LONGEST = 600


def doctor(arguments: argparse.Namespace) -> int:
    """`convend doctor`: 1 where something is wrong that keeps convend from working."""
    counts = {"ok": 0, "warning": 0, "wrong": 0}
    area = None
    for found in examine(paths.find(), offline=arguments.offline):
        counts[found.state] += 1
        if arguments.json:
            emit({"area": found.area, "state": found.state, "said": found.said, "mend": found.mend})
            continue
        if found.area != area:
            write(f"{found.area}\n" if area is None else f"\n{found.area}\n")
            area = found.area
        write(page(found))
    if not arguments.json:
        write(f"\n{_sum(counts)}\n")
    return 1 if counts["wrong"] else 0


def examine(where: Paths, *, offline: bool) -> Iterator[Finding]:
    """All that there is to say, an area after the other.

    Args:
        offline: leaves out whatever may touch the network.
    """
    yield from program.examine()
    yield from terminal.examine()
    yield from folders.examine(where)
    settings: Config | None = None
    try:
        settings = config.load(where)
    except ConfigError as error:
        what = "that line" if ", line " in str(error) else "that"
        yield Finding("Settings", "wrong", str(error), f"Correct {what}; convend does not start before.")
    else:
        there = where.config_file.exists()
        said = f"{where.config_file} is valid." if there else f"There is no {where.config_file}: the defaults hold."
        yield Finding("Settings", "ok", said)
    if settings is not None:
        yield from servers.examine(settings, where, offline=offline)
    yield from threads.examine(where)


def page(found: Finding) -> str:
    """A finding as lines of at most `WIDTH` columns, unless a path is longer."""
    lines = _wrapped(found.said, f"  {_STATES[found.state]}".ljust(_MARGIN))
    if found.mend:
        lines += _wrapped(found.mend, " " * _MARGIN + "→ " if _is_utf8() else " " * _MARGIN + "> ")
    return "".join(f"{line}\n" for line in lines)


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(
        one_line(text[:_LONGEST]),
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _sum(counts: dict[str, int]) -> str:
    wrong, warnings = counts["wrong"], counts["warning"]
    if not wrong and not warnings:
        return "Nothing is wrong."
    things = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in ((wrong, "thing is wrong", "things are wrong"), (warnings, "warning", "warnings"))
        if number
    ]
    return f"{', '.join(things)}." + ("" if wrong else " convend works.")
