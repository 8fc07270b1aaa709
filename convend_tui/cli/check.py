"""`check`: reads every thread file and says what is wrong with it; changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from convend_tui import paths
from convend_tui.cli.output import emit, say, write
from convend_tui.store.check import Checked, Checker
from convend_tui.store.library import Library


def check(arguments: argparse.Namespace) -> int:
    """`convend check [THREAD]`: 1 where anything is wrong."""
    # Not by open_library: bringing back what a crash left behind would write.
    places = paths.find()
    checker = Checker(places)
    found = _all(checker)
    if arguments.thread is not None:
        found = iter([checker.thread(Library(places).resolve(arguments.thread))])
    threads = messages = wrong = 0
    for checked in found:
        threads += checked.thread is not None
        messages += checked.messages
        wrong += bool(checked.problems)
        if arguments.json:
            emit(_object(checked))
        elif checked.problems:
            write(_page(checked))
    if not arguments.json:
        read = f"Read {_count(threads, 'thread')} with {_count(messages, 'message')}"
        write(f"{read}.\n" if wrong else f"{read}. Nothing is wrong.\n")
    if wrong:
        say(f"convend: Something is wrong in {_count(wrong, 'place')}.")
    return 1 if wrong else 0


def _all(checker: Checker) -> Iterator[Checked]:
    yield from checker.folders()
    yield from checker.threads()


def _object(checked: Checked) -> dict[str, object]:
    return {
        "thread": checked.thread,
        "file": str(checked.file),
        "problems": list(checked.problems),
        "messages": checked.messages,
    }


def _page(checked: Checked) -> str:
    return "".join([f"{checked.file}\n", *(f"  {problem}\n" for problem in checked.problems)])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
