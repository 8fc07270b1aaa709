"""`hide` and `restore`: a branch goes out of sight, or comes back. Nothing leaves the file."""

from __future__ import annotations

import argparse

from convend_tui.cli.output import open_library, write
from convend_tui.errors import RuleError
from convend_tui.store.library import find_message
from convend_tui.thread import lock, prune
from convend_tui.thread.tree import Thread


def hide(arguments: argparse.Namespace) -> int:
    """`convend hide THREAD MESSAGE`: the message and all below it."""
    library = open_library()
    handle = library.open(library.resolve(arguments.thread))
    pruning = prune.subtree(handle.thread, find_message(handle.thread, arguments.message))

    def rule(thread: Thread) -> None:
        lock.require(prune.may_hide(thread, pruning.targets))

    rule(handle.thread)
    handle.append_now(prune.hide_records(pruning.targets, handle.now()), rule)
    verb = "is" if pruning.messages == 1 else "are"
    back = f"convend restore {handle.thread.id} {pruning.targets[0]}"
    write(f"{pruning.words} {verb} out of sight. To bring back: {back}\n")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """`convend restore THREAD MESSAGE`: whatever keeps the message out of sight."""
    library = open_library()
    handle = library.open(library.resolve(arguments.thread))
    targets = prune.hiding(handle.thread, find_message(handle.thread, arguments.message))
    if not targets:
        raise RuleError("This message is not hidden.")
    back = prune.coming_back(handle.thread, targets)
    handle.append_now(prune.restore_records(targets, handle.now()))
    write(f"{back.words} {'is' if back.messages == 1 else 'are'} back.\n")
    return 0
