"""`python -m tests.faults.fuzz_threads [libFuzzer's options]`: thread files of any bytes, by coverage, without end.

Needs `atheris` (`pip install atheris`; there are wheels for Linux alone). It begins with `corpus/threads`; what it
finds worth keeping goes to the folder named, or to a temporary one. What brings convend down is left in a file
`crash-…`: put it in `corpus/threads`, where the tests read it, and mend the defect.
"""

from __future__ import annotations

import random
import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["convend_tui"]):
    from tests.faults import mutating


def one(data: bytes) -> None:
    """Go through a file with these bytes."""
    mutating.go_through(data)


def change(data: bytes, most: int, seed: int) -> bytes:
    """A change of ours two times of three: libFuzzer's own seldom leave JSON whole."""
    chance = random.Random(seed)
    if chance.random() < 1 / 3:
        return bytes(atheris.Mutate(data, most))
    return mutating.changed(data, chance)[:most]


def main() -> None:
    """Fuzz until something breaks, or as long as `-max_total_time` says."""
    with tempfile.TemporaryDirectory() as found:
        corpus = [found, str(mutating.CORPUS / "threads")] if not _folders() else [*_folders()]
        words = [word for word in sys.argv[1:] if word.startswith("-")]
        atheris.Setup([sys.argv[0], "-timeout=10", "-max_len=8192", *words, *corpus], one, custom_mutator=change)
        atheris.Fuzz()


def _folders() -> list[str]:
    return [word for word in sys.argv[1:] if not word.startswith("-")]


if __name__ == "__main__":
    main()
