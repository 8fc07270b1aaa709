"""`sync`: the threads of several machines are put together, through a git repository of the person's."""

from __future__ import annotations

import argparse

from convend_tui.cli.output import emit, open_library, say, write_lines
from convend_tui.store.sync import Synced, sync


def run(arguments: argparse.Namespace) -> int:
    """`convend sync [--init REMOTE] [--json]`."""
    done = sync(open_library().paths, arguments.init)
    if arguments.json:
        emit(done.as_json())
    else:
        write_lines(in_words(done))
    for sentence in done.received.failed:
        say(f"convend: {sentence}")
    return 1 if done.received.failed else 0


def in_words(done: Synced) -> list[str]:
    """What a sync came to, a sentence a line."""
    came = done.received
    sent = _counted(done.sent_threads, done.sent_attachments)
    received = _counted(len(came.threads), came.attachments)
    words = ", ".join([*([f"{sent} sent"] if sent else []), *([f"{received} received"] if received else [])])
    lines = [f"In step with {done.remote}: {words or 'nothing was new'}."]
    for ids, what in ((came.trashed, "went to the trash"), (came.restored, "came back from the trash")):
        lines += [f"Thread {thread_id} {what}, as on another machine." for thread_id in sorted(ids)]
    return [*lines, *came.notes, *done.left_out]


def _counted(threads: int, attachments: int) -> str:
    parts = ((threads, "thread"), (attachments, "attachment"))
    return " and ".join(f"{count} {what}{'s' if count != 1 else ''}" for count, what in parts if count)
