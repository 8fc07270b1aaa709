"""`convend`: no arguments opens the TUI; each command works without Textual."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from convend_tui.errors import ConvendError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code, by the table in the command line's contract."""
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except ConvendError as error:
        print(f"convend: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("convend: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone: what is still buffered must not raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(words: Sequence[str]) -> int:
    if not words:
        # The screen needs no parser, and importing one would only delay it.
        from convend_tui.cli import screen

        return screen.run()
    from convend_tui.cli.parser import build_parser

    arguments = build_parser().parse_args(words)
    return int(arguments.run(arguments))
