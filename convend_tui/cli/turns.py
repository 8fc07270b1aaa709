"""`ask`, `edit` and `retry`: one turn each."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from convend_tui import config, logfile, paths
from convend_tui.cli.output import Stream, emit, open_library, say, write
from convend_tui.ending.policy import NOT_ASKED, Judgement
from convend_tui.errors import ConvendError, Locked, UsageError
from convend_tui.model import events as e
from convend_tui.model.connect import Models
from convend_tui.session import Session, content_of, edited
from convend_tui.store import blobs
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import find_message
from convend_tui.thread import lock
from convend_tui.thread import records as r

FAILED = 4
"""Exit code: no answer came, or it was refused."""


def ask(arguments: argparse.Namespace) -> int:
    """`convend ask`: a message in a new thread, or below a message of an old one."""
    if arguments.at is not None and arguments.thread is None:
        raise UsageError("--at names a message of a thread: give the thread with -t.")
    if arguments.system is not None and arguments.thread is not None:
        raise UsageError("The system prompt of a thread is fixed when it begins: -s goes with a new thread.")
    return _run(arguments, _ask)


def edit(arguments: argparse.Namespace) -> int:
    """`convend edit`: a sibling of a typed message."""
    return _run(arguments, _edit)


def retry(arguments: argparse.Namespace) -> int:
    """`convend retry`: a sibling of a reply."""
    return _run(arguments, _retry)


Turn = AsyncGenerator[e.Event, None]


class _Command:
    """What the three commands share: the library, the servers, and the thread."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.paths = paths.find()
        logfile.start(self.paths, arguments.command)
        self.config = config.load(self.paths)
        self.models = Models(self.config, self.paths)
        self.library = open_library()
        self.handle: ThreadHandle | None = None

    def open(self) -> ThreadHandle:
        self.handle = self.library.open(self.library.resolve(self.arguments.thread))
        return self.handle

    def tell_problems(self) -> None:
        """Say what is wrong with the thread's file, a torn line that this turn cut off among it."""
        for problem in self.handle.problems if self.handle is not None else ():
            say(f"convend: {problem}")

    def session(self, handle: ThreadHandle) -> Session:
        # A pipe cannot be asked anything: the answer is on the command line, or there is none.
        return Session(handle, self.models, self.paths, _agree if self.arguments.yes_end else None)

    async def settings(self, handle: ThreadHandle) -> r.Settings | None:
        return await self.models.next_settings(handle.thread, self.arguments.model or None)

    def attachments(self) -> list[r.Block]:
        return [blobs.attach(self.paths, Path(name)) for name in self.arguments.attach]


async def _agree(judgement: Judgement) -> bool:
    """`--yes-end`."""
    return True


async def _ask(command: _Command) -> Turn:
    arguments = command.arguments
    if arguments.thread is None:
        content = content_of(_text(arguments), command.attachments())
        handle = command.library.new(await command.models.new_settings(arguments.model, arguments.system))
        return command.session(handle).send(content, None)
    handle = command.open()
    thread = handle.thread
    parent = find_message(thread, arguments.at) if arguments.at is not None else thread.leaf
    # Asked before the text is read, so that nobody types into a locked branch.
    lock.require(lock.may_send(thread, parent))
    content = content_of(_text(arguments), command.attachments())
    return command.session(handle).send(content, parent, await command.settings(handle))


async def _edit(command: _Command) -> Turn:
    arguments = command.arguments
    handle = command.open()
    message_id = find_message(handle.thread, arguments.message, role="user")
    lock.require(lock.may_edit(handle.thread, message_id))
    content = edited(handle.thread.messages[message_id], _text(arguments), command.attachments())
    return command.session(handle).edit(message_id, content, await command.settings(handle))


async def _retry(command: _Command) -> Turn:
    handle = command.open()
    message_id = find_message(handle.thread, command.arguments.message, role="assistant")
    return command.session(handle).retry(message_id, await command.settings(handle))


def _text(arguments: argparse.Namespace) -> str:
    """TEXT, else standard input without its last line feed."""
    if arguments.text is not None:
        return str(arguments.text)
    if sys.stdin is None:
        raise UsageError("There is no TEXT, and standard input is closed.")
    if sys.stdin.isatty():
        say("Type your message, then Ctrl+D on a line of its own.")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"Standard input is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise UsageError(f"Standard input cannot be read: {error.strerror or error}.") from error
    return text.removesuffix("\n").removesuffix("\r")


def _run(arguments: argparse.Namespace, begin: Callable[[_Command], Awaitable[Turn]]) -> int:
    async def main() -> int:
        command = _Command(arguments)
        try:
            turn = await begin(command)
            return await (_print_json if arguments.json else _print_text)(turn)
        finally:
            command.tell_problems()
            await command.models.close()

    try:
        return asyncio.run(main())
    except ConvendError as error:
        if arguments.json:
            kind = "locked" if isinstance(error, Locked) else str(error)
            emit({"type": "error", "error": kind, "retryable": False})
        raise
    finally:
        logfile.stop()


async def _print_text(turn: Turn) -> int:
    code = 0
    open_line = False
    answer = Stream()
    async with aclosing(turn) as events:
        async for event in events:
            match event:
                case e.TextDelta(text):
                    answer.write(text)
                    open_line = not text.endswith("\n")
                case e.Waiting():
                    say(event.words(event.seconds))
                case e.ReplySaved() | e.TurnFailed() if open_line:
                    answer.end()
                    write("\n")
                    open_line = False
            code = _closing_words(event, code)
    return code


def _closing_words(event: e.Event, code: int) -> int:
    """What is said of the end of a turn, on standard error; the exit code it has."""
    match event:
        case e.TurnStarted(thread, message) if sys.stderr.isatty():
            say(f"thread {thread}, message {message}")
        case e.VerdictGiven("declined", reasons, False):
            hint = " (--yes-end says yes.)" if NOT_ASKED in reasons else ""
            say(f"convend: The model asked to end the conversation; it goes on. {' '.join(reasons)}{hint}")
        case e.TurnEnded(stop_reason="refusal", stop_details=details):
            why = (details or {}).get("explanation") or (details or {}).get("category") or "no reason was given"
            say(f"convend: The answer was refused by the server: {why}. Your message is kept; edit it and send again.")
            return FAILED
        case e.TurnEnded(locked=True):
            say("convend: The model ended this conversation. This branch is locked; edit an earlier message to branch.")
        case e.TurnEnded(stop_reason=reason) if reason in ("max_tokens", "model_context_window_exceeded"):
            say(f"convend: The answer was cut short ({reason}).")
        case e.TurnFailed(error, question, partial):
            kept = "What arrived and what you typed are kept" if partial else "What you typed is kept"
            say(f"convend: {error} {kept} (message {question}).")
            return error.exit_code
    return code


async def _print_json(turn: Turn) -> int:
    code = 0
    async with aclosing(turn) as events:
        async for event in events:
            if (line := as_json(event)) is not None:
                emit(line)
            if isinstance(event, e.Waiting):
                say(event.words(event.seconds))
            code = _closing_words(event, code)
    return code


def as_json(event: e.Event) -> dict[str, object] | None:
    """An event as the contract's JSON object; None for what programs are not told, a private decline above all."""
    match event:
        case e.TurnStarted(thread, message):
            return {"type": "turn_started", "thread": thread, "message": message}
        case e.TextDelta(text):
            return {"type": "text", "text": text}
        case e.ThinkingDelta(text):
            return {"type": "thinking", "text": text}
        case e.VerdictGiven(outcome, reasons, False):
            return {"type": "verdict", "outcome": outcome, "reasons": list(reasons)}
        case e.TurnEnded(message, stop_reason, locked, usage):
            return {
                "type": "turn_ended",
                "message": message,
                "stop_reason": stop_reason,
                "locked": locked,
                "usage": usage,
            }
        case e.TurnFailed(error):
            return {"type": "error", "error": str(error), "retryable": error.retryable}
    return None
