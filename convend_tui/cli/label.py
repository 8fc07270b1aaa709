"""`label`: the name of a message, and of the branch that begins with it."""

from __future__ import annotations

import argparse

from convend_tui.cli.output import open_library, say, write
from convend_tui.errors import UsageError
from convend_tui.store.library import find_message
from convend_tui.thread import records as r


def label(arguments: argparse.Namespace) -> int:
    """`convend label THREAD MESSAGE [TEXT | --clear]`; with neither, the name is printed, if there is one."""
    if arguments.clear and arguments.text is not None:
        raise UsageError("Either TEXT or --clear.")
    library = open_library()
    handle = library.open(library.resolve(arguments.thread))
    message = find_message(handle.thread, arguments.message)
    known = handle.thread.labels.get(message)
    before = known.label if known is not None else ""
    if arguments.text is None and not arguments.clear:
        if before:
            write(f"{before}\n")
        return 0
    name = "" if arguments.clear else str(arguments.text).encode("utf-8", "replace").decode().strip()
    if name != before:
        handle.append_now([r.Label(at=handle.now(), message=message, label=name)])
    say(f"convend: Message {message} is named “{name}”." if name else f"convend: Message {message} has no name.")
    return 0
