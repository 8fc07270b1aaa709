"""`list`, `show` and `tree`: nothing is sent, nothing of a turn is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from convend_tui.cli.output import emit, open_library, say, write, write_lines
from convend_tui.ending.tool import cause_in_words
from convend_tui.plain import one_line
from convend_tui.store.library import Summary, find_message
from convend_tui.thread import lock, outline, seen
from convend_tui.thread import records as r
from convend_tui.thread.runs import walk
from convend_tui.thread.tree import Thread


def list_threads(arguments: argparse.Namespace) -> int:
    """`convend list`."""
    library = open_library()
    try:
        print_summaries(library.summaries(), as_json=arguments.json)
    finally:
        library.close()
    return 0


def print_summaries(summaries: Iterable[Summary], *, as_json: bool) -> None:
    """A line, or an object, a thread; what is wrong with one, on standard error."""
    for summary in summaries:
        if as_json:
            names = ("id", "title", "created", "updated", "messages", "branches", "ended", "model")
            more: dict[str, Any] = {"pinned": True} if summary.pinned else {}
            more |= {"problem": summary.problem} if summary.problem else {}
            emit({name: getattr(summary, name) for name in names} | more)
        elif summary.problem:
            write(f"{summary.id}  {when(summary.updated)}  cannot be read\n")
        else:
            marks = "  ended" * summary.ended + "  pinned" * summary.pinned
            branches = f"  {summary.branches} branches" if summary.branches > 1 else ""
            title = one_line(summary.title, outline.PREVIEW)
            write(f"{summary.id}  {when(summary.updated)}  {title}{branches}{marks}\n")
        if summary.problem:
            say(f"convend: {summary.problem}")


def show(arguments: argparse.Namespace) -> int:
    """`convend show`: one path, by default the current one."""
    handle_problems, thread = _open(arguments.thread)
    leaf = find_message(thread, arguments.at) if arguments.at is not None else thread.leaf
    path = thread.path(leaf)
    ended = lock.ending_at(thread, leaf)
    if arguments.json:
        emit(
            {
                "thread": thread.id,
                "leaf": leaf,
                "locked": ended is not None,
                "ended": _ended(ended),
                "messages": [_message(thread, message) for message in path if not seen.is_secret(thread, message)],
            }
        )
    else:
        write_lines(_pages(thread, path, ended))
    for problem in handle_problems:
        say(f"convend: {problem}")
    return 0


def tree(arguments: argparse.Namespace) -> int:
    """`convend tree`: every message, indented only at forks."""
    problems, thread = _open(arguments.thread)
    if arguments.json:
        current = {message.id for message in thread.path(thread.leaf)}
        messages = [
            {
                "id": message.id,
                "parent": seen.parent(thread, message.id),
                "role": message.role,
                "kind": message.kind,
                "preview": outline.preview(message),
                "ended": message.id in thread.ended,
                "current": message.id in current,
                "label": label.label if (label := thread.labels.get(message.id)) else None,
                "hidden": hidden,
            }
            for message, hidden in walk(thread)
            if not seen.is_secret(thread, message)
        ]
        emit({"thread": thread.id, "leaf": thread.leaf, "messages": messages})
    else:
        write_lines(map(_line, outline.Outline(thread).rows(thread.leaf, fold=False)))
    for problem in problems:
        say(f"convend: {problem}")
    return 0


def _line(row: outline.Row) -> str:
    mark = "*" if row.current else " "
    who = "you" if row.message.role == "user" else "model"
    place = f"{row.run.place} " if row.first and row.run.place else ""
    label = f"[{one_line(row.label)}] " if row.label else ""
    ends = "  [ended]" * row.ended + "  [hidden]" * row.hidden
    return f"{mark} {'  ' * row.run.depth}{row.message.id}  {who}: {place}{label}{outline.preview(row.message)}{ends}"


def _open(words: str) -> tuple[list[str], Thread]:
    library = open_library()
    handle = library.open(library.resolve(words))
    return [*handle.problems, *outline.problems_of(handle.thread)], handle.thread


def _message(thread: Thread, message: r.Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "parent": seen.parent(thread, message.id),
        "role": message.role,
        "kind": message.kind,
        "text": r.text_of(message),
        "content": msgspec.to_builtins(seen.content(thread, message)),
        "model": message.model,
        "stop_reason": seen.stop_reason(thread, message),
        "at": message.at,
        "siblings": seen.siblings(thread, message.id),
    }


def _ended(ended: r.Ended | None) -> dict[str, str] | None:
    if ended is None:
        return None
    return {
        "message": ended.message,
        "cause": ended.cause,
        "explanation": ended.explanation,
        "at": ended.at,
    }


def _pages(thread: Thread, path: list[r.Message], ended: r.Ended | None) -> Iterator[str]:
    yield thread.title
    for message in path:
        if thread.unseen(message):
            continue
        siblings = seen.siblings(thread, message.id)
        among = len(siblings) > 1 and message.id in siblings
        place = f" · {siblings.index(message.id) + 1}/{len(siblings)}" if among else ""
        partial = " · broken off" if message.kind == "partial" else ""
        who = "You" if message.role == "user" else message.model or "Model"
        yield ""
        yield f"── {who} · {when(message.at)} · {message.id}{place}{partial}"
        yield r.text_of(message) or outline.preview(message)
    if ended is not None:
        yield ""
        cause = cause_in_words(ended.cause)
        yield f"── The model ended this conversation · {when(ended.at)} · {cause}"
        yield ended.explanation


def when(at: str) -> str:
    """The time of a record by the person's clock."""
    moment = r.moment_of(at)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else one_line(at)
