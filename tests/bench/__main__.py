"""`python -m tests.bench [NAME …]`: measures, prints one table, asserts nothing.

All numbers are medians, and worth something only as ratios: baseline and value are measured in turns in one run, as
the machine may be busy. CPU is user and system time of the process; wall is what a person waits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

from tests.bench import disk, echo, flip, importing, index, long, mutations, risk, start, tree
from tests.bench.table import Row, table

BENCHES: Mapping[str, Callable[[], Iterator[Row]]] = {
    "start": start.measure,
    "memory": start.settled,
    "echo": echo.measure,
    "long": long.measure,
    "append": disk.measure,
    "flip": flip.measure,
    "tree": tree.measure,
    "index": index.measure,
    "library": index.starts,
    "import": importing.measure,
    "signs": risk.measure,
    "mutations": mutations.measure,
}


def main() -> None:
    """Run what was asked for, or everything (about six minutes)."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    names = parser.parse_args().names or list(BENCHES)
    if unknown := set(names) - set(BENCHES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    rows: list[Row] = []
    for name in names:
        print(f"measuring {name} …", flush=True)
        rows += BENCHES[name]()
    notes = list(start.imports()) if "start" in names else []
    print("", table(rows), "", *notes, sep="\n")


if __name__ == "__main__":
    main()
