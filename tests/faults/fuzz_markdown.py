"""`python -m tests.faults.fuzz_markdown [libFuzzer's options]`: Markdown of any text, by coverage, without end.

As `fuzz_threads`, with `corpus/markdown`. A text counts as a defect where something raises, a line is wider than the
screen, a control character comes through, or drawing takes more than 10 s.
"""

from __future__ import annotations

import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["convend_tui", "markdown_it"]):
    from tests.faults.drawing import CORPUS, draw


def one(data: bytes) -> None:
    """Draw a text: the first byte is the width and how it arrives, the rest is the text."""
    draw(data)


def main() -> None:
    """Fuzz until something breaks, or as long as `-max_total_time` says."""
    folders = [word for word in sys.argv[1:] if not word.startswith("-")]
    words = [word for word in sys.argv[1:] if word.startswith("-")]
    with tempfile.TemporaryDirectory() as found:
        corpus = folders or [found, str(CORPUS)]
        atheris.Setup([sys.argv[0], "-timeout=10", "-max_len=4096", *words, *corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
