"""`feedback`: thumbs and a comment on an answer or an ending, and the report on endings."""

from __future__ import annotations

import argparse

from convend_tui.cli.output import open_library, say, write
from convend_tui.errors import RuleError, StoreError, UsageError
from convend_tui.exchange.report import report
from convend_tui.store.library import find_message
from convend_tui.thread import records as r


def feedback(arguments: argparse.Namespace) -> int:
    """`convend feedback THREAD MESSAGE (--up | --down) [--comment TEXT]`, or `--report [THREAD] [--with-text]`."""
    if arguments.report:
        return _report(arguments)
    if arguments.with_text:
        raise UsageError("--with-text goes with --report.")
    if arguments.thread is None or arguments.message is None:
        raise UsageError("Name the THREAD and the MESSAGE that you want to say something of.")
    if not arguments.thumbs or len(arguments.thumbs) > 1:
        raise UsageError("Say either --up or --down.")
    thumb = arguments.thumbs[0]
    library = open_library()
    handle = library.open(library.resolve(arguments.thread))
    thread = handle.thread
    message = thread.messages[find_message(thread, arguments.message)]
    if message.role != "assistant":
        raise RuleError("Feedback goes to an answer or an ending; this message is your own.")
    comment = (arguments.comment or "").encode("utf-8", "replace").decode().strip()
    handle.append_now([r.Feedback(at=handle.now(), message=message.id, thumb=thumb, comment=comment)])
    what = "ending" if message.id in thread.ended else "answer"
    say(f"convend: Kept: thumbs {thumb} on the {what} {message.id}.")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    if arguments.message is not None or arguments.thumbs or arguments.comment is not None:
        raise UsageError("--report goes with a THREAD at most, and with --with-text.")
    library = open_library()
    code, threads = 0, []
    for thread_id in [library.resolve(arguments.thread)] if arguments.thread else library.ids():
        try:
            threads.append(library.open(thread_id).thread)
        except StoreError as error:
            if arguments.thread:
                raise
            # One file that cannot be read must not keep the others out of the report.
            say(f"convend: {error}")
            code = error.exit_code
    write(report(threads, with_text=arguments.with_text))
    return code
