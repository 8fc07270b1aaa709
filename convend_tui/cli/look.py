"""`list`, `show` and `tree`: nothing is sent, nothing of a turn is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import msgspec

from convend_tui.cli.output import emit, open_library, say, write, write_lines
from convend_tui.ending.tool import cause_in_words
from convend_tui.plain import one_line
from convend_tui.store.library import find_message
from convend_tui.thread import lock, outline
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread


def list_threads(arguments: argparse.Namespace) -> int:
    """`convend list`."""
    for summary in open_library().summaries():
        if arguments.json:
            names = ("id", "title", "created", "updated", "messages", "branches", "ended", "model")
            problem = {"problem": summary.problem} if summary.problem else {}
            emit({name: getattr(summary, name) for name in names} | problem)
        elif summary.problem:
            write(f"{summary.id}  {_when(summary.updated)}  cannot be read\n")
        else:
            marks = "  ended" if summary.ended else ""
            branches = f"  {summary.branches} branches" if summary.branches > 1 else ""
            title = one_line(summary.title, outline.PREVIEW)
            write(f"{summary.id}  {_when(summary.updated)}  {title}{branches}{marks}\n")
        if summary.problem:
            say(f"convend: {summary.problem}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """`convend show`: one path, by default the current one."""
    handle_problems, thread = _open(arguments.thread)
    leaf = find_message(thread, arguments.at) if arguments.at else thread.leaf
    path = thread.path(leaf)
    ended = lock.ending_at(thread, leaf)
    if arguments.json:
        emit(
            {
                "thread": thread.id,
                "title": thread.title,
                "leaf": leaf,
                "locked": ended is not None,
                "ended": _ended(ended),
                "messages": [_message(thread, message) for message in path],
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
    current = {message.id for message in thread.path(thread.leaf)}
    rows = list(outline.rows(thread))
    if arguments.json:
        messages = [
            {
                "id": message.id,
                "parent": message.parent,
                "role": message.role,
                "kind": message.kind,
                "preview": "" if thread.unseen(message) else outline.preview(message),
                "ended": message.id in thread.ended,
                "current": message.id in current,
                "label": label.label if (label := thread.labels.get(message.id)) else None,
                "hidden": thread.hidden(message.id),
            }
            for message, _ in rows
        ]
        emit({"thread": thread.id, "leaf": thread.leaf, "messages": messages})
    else:
        for message, depth in rows:
            if thread.unseen(message):
                continue
            mark = "*" if message.id in current else " "
            end = "  [ended]" if message.id in thread.ended else ""
            who = "you" if message.role == "user" else "model"
            write(f"{mark} {'  ' * depth}{message.id}  {who}: {outline.preview(message)}{end}\n")
    for problem in problems:
        say(f"convend: {problem}")
    return 0


def _open(words: str) -> tuple[list[str], Thread]:
    library = open_library()
    handle = library.open(library.resolve(words))
    return [*handle.problems, *handle.thread.problems], handle.thread


def _message(thread: Thread, message: r.Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "parent": message.parent,
        "role": message.role,
        "kind": message.kind,
        "text": r.text_of(message),
        "content": msgspec.to_builtins(_content(thread, message)),
        "model": message.model,
        "stop_reason": message.stop_reason,
        "at": message.at,
        "siblings": thread.siblings(message.id),
    }


def _content(thread: Thread, message: r.Message) -> list[r.Block]:
    """A message's blocks, without a call that was declined to protect someone, and without its result."""
    if message.kind == "guard":
        above = thread.parent(message.id)
        return [] if above is not None and thread.is_private(above) else message.content
    if thread.is_private(message.id):
        return [block for block in message.content if block.get("type") != "tool_use"]
    return message.content


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
        siblings = thread.siblings(message.id)
        place = f" · {siblings.index(message.id) + 1}/{len(siblings)}" if len(siblings) > 1 else ""
        partial = " · broken off" if message.kind == "partial" else ""
        who = "You" if message.role == "user" else message.model or "Model"
        yield ""
        yield f"── {who} · {_when(message.at)} · {message.id}{place}{partial}"
        yield r.text_of(message) or outline.preview(message)
    if ended is not None:
        yield ""
        cause = cause_in_words(ended.cause)
        yield f"── The model ended this conversation · {_when(ended.at)} · {cause}"
        yield ended.explanation


def _when(at: str) -> str:
    moment = r.moment_of(at)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else at
