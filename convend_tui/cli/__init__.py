"""`convend`: no arguments opens the TUI; each command works without Textual."""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convend_tui.errors import ConvendError
from convend_tui.plain import visible

if TYPE_CHECKING:
    from types import TracebackType

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code, by the table in the command line's contract."""
    if sys.stdout is None:
        # Started with a closed standard output: what there is to say goes nowhere, and that is no error.
        sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    if argv is None:
        sys.excepthook = _crashed
        threading.excepthook = sys.unraisablehook = _failed_aside
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except ConvendError as error:
        # It may quote a file, or a server.
        print(visible(f"convend: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("convend: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone.
        _silence()
        return 0
    except OSError as error:
        # Whatever convend reads and writes itself has errors of its own: this is standard output.
        _silence()
        print(f"convend: The output cannot be written: {error.strerror or error}.", file=sys.stderr)
        return 1
    finally:
        if argv is None:
            # The process ends: to look for garbage in all that the SDK has loaded would take half a second more.
            gc.freeze()


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that nobody expected: one sentence. A traceback would quote what the error is about."""
    from convend_tui import logfile, paths

    print(logfile.crashed(paths.find(), error), file=sys.stderr)
    logfile.stop()


def _failed_aside(given: Any) -> None:
    """As `_crashed`, in a thread or where Python cannot raise: the program goes on, and the terminal is in use."""
    from convend_tui import logfile, paths

    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        logfile.crashed(paths.find(), given.exc_value)


def _silence() -> None:
    """What is still buffered for standard output must not raise once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: Sequence[str]) -> int:
    if not words:
        # The screen needs no parser, and importing one would only delay it.
        from convend_tui.cli import screen

        return screen.run()
    from convend_tui.cli.parser import build_parser

    arguments = build_parser().parse_args(words)
    return int(arguments.run(arguments))
