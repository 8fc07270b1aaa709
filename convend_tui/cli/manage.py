"""`title`, `pin`, `trash` and `restore`: what is done to a thread as a whole."""

from __future__ import annotations

import argparse

from convend_tui.cli.look import print_summaries
from convend_tui.cli.output import open_library, say, write
from convend_tui.errors import UsageError
from convend_tui.thread import records as r


def title(arguments: argparse.Namespace) -> int:
    """`convend title THREAD [TEXT]`; without TEXT the title is printed, an empty TEXT takes the own one away."""
    library = open_library()
    handle = library.open(library.resolve(arguments.thread))
    if arguments.text is None:
        write(f"{handle.thread.title}\n")
        return 0
    name = " ".join(str(arguments.text).encode("utf-8", "replace").decode().split())
    handle.append_now([r.Title(at=handle.now(), title=name, by="person")])
    say(f"convend: The thread {handle.thread.id} is called “{handle.thread.title}”.")
    return 0


def pin(arguments: argparse.Namespace) -> int:
    """`convend pin THREAD [--off]`."""
    library = open_library()
    thread_id = library.resolve(arguments.thread)
    library.pin(thread_id, not arguments.off)
    place = "stands where it was used last" if arguments.off else "stands at the head of the list"
    say(f"convend: The thread {thread_id} {place}.")
    return 0


def trash(arguments: argparse.Namespace) -> int:
    """`convend trash THREAD`, or `--list [--json]`."""
    if arguments.list == (arguments.thread is not None):
        raise UsageError("Name the THREAD to throw away, or say --list to see what was thrown away.")
    if arguments.json and not arguments.list:
        raise UsageError("--json goes with --list.")
    library = open_library()
    if arguments.list:
        print_summaries(library.trashed(), as_json=arguments.json)
        return 0
    thread_id = library.resolve(arguments.thread)
    library.trash(thread_id)
    write(f"{thread_id} is in the trash. To bring back: convend restore {thread_id}\n")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """`convend restore THREAD`: out of the trash. `convend restore THREAD MESSAGE`: undoes a `hide`."""
    if arguments.message is not None:
        from convend_tui.cli import prune

        return prune.restore(arguments)
    library = open_library()
    thread_id = library.untrash(library.resolve_trashed(arguments.thread))
    write(f"{thread_id} is back.\n")
    return 0
