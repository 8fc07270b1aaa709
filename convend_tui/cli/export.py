"""`export`: a thread, or one path of it, for other programs and people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from convend_tui.cli.output import open_library, say, write
from convend_tui.errors import NotFound, UsageError
from convend_tui.exchange.formats import Format, Job, format_of, write_export
from convend_tui.store.library import find_message
from convend_tui.thread import outline

STANDARD_OUTPUT = "-"


def export(arguments: argparse.Namespace) -> int:
    """`convend export THREAD [--at MESSAGE] [--format F] [-o FILE] [--tree] [--blobs] [--force]`."""
    file = None if arguments.output in (None, STANDARD_OUTPUT) else str(arguments.output)
    chosen = format_of(arguments.format, file)
    _require_fitting(chosen, arguments, file)
    job = _job(chosen, arguments)
    if file is None:
        _print(chosen.write(job))
    else:
        write_export(chosen, job, Path(file), force=arguments.force)
        say(f"convend: Written to {file} ({chosen.name}).")
    return 0


def _require_fitting(chosen: Format, arguments: argparse.Namespace, file: str | None) -> None:
    if arguments.tree and chosen.name != "markdown":
        raise UsageError(f"--tree goes with markdown; {chosen.name} is what it is without it.")
    if arguments.blobs and chosen.name != "json":
        raise UsageError("--blobs goes with json.")
    if arguments.at is not None and (arguments.tree or chosen.name in ("json", "jsonl")):
        raise UsageError("--at names the end of one path, and this is an export of every branch.")
    if arguments.force and file is None:
        raise UsageError("--force goes with -o FILE.")
    if file == "":
        raise UsageError("-o needs the name of a file, or - for standard output.")


def _job(chosen: Format, arguments: argparse.Namespace) -> Job:
    library = open_library()
    thread_id = library.resolve(arguments.thread)
    file = library.file(thread_id)
    if chosen.scope == "file":
        # Whatever is in it: a thread that cannot be opened can still be taken along.
        if not file.exists():
            raise NotFound(f"There is no thread {thread_id}.")
        return Job(library.paths, file)
    handle = library.open(thread_id)
    thread = handle.thread
    for problem in [*handle.problems, *outline.problems_of(thread)]:
        say(f"convend: {problem}")
    leaf = find_message(thread, arguments.at) if arguments.at is not None else thread.leaf
    return Job(
        library.paths,
        file,
        thread,
        leaf,
        tree=arguments.tree,
        with_blobs=arguments.blobs,
        warn=lambda sentence: say(f"convend: {sentence}"),
    )


def _print(pieces: Iterable[bytes]) -> None:
    """To standard output: as data on a terminal, byte for byte elsewhere."""
    if sys.stdout.isatty():
        for piece in pieces:
            write(piece.decode("utf-8", "replace"))
    else:
        sys.stdout.buffer.writelines(pieces)
