"""The words of the command line. What a command does is imported only when it is run."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, NoReturn

from convend_tui import __version__
from convend_tui.plain import visible

_MESSAGE = "an id, a unique beginning of one, or @last"
_Run = Callable[[argparse.Namespace], int]
_LIKE_AN_OPTION = re.compile(r"-(?!\d*\.?\d+$)\S+$")
"""By argparse's rule a negative number and what has a space in it are no options."""


def _late(module: str, function: str) -> _Run:
    """A command's function, imported when it is called: `list` must not load what `ask` needs."""

    def run(arguments: argparse.Namespace) -> int:
        return int(getattr(import_module(f"convend_tui.cli.{module}"), function)(arguments))

    return run


class _Words(argparse.ArgumentParser):
    """A parser whose complaints may quote what they are about: a file may have any name."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and leave with 2."""
        super().error(visible(message))


class _Parser(_Words):
    """A command's parser: options may stand between its arguments, as in `edit THREAD MESSAGE --json TEXT`. (argparse
    has such a reading of its own, which forgets what `--` says.)"""

    in_order = False
    """True where there are commands below this one."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The namespace, and the words that are left over."""
        if args is not None and not self.in_order:
            args = self._options_first(args)
        return super().parse_known_args(args, namespace)

    def _options_first(self, args: Sequence[str]) -> list[str]:
        """The same, with the arguments behind all options, and after a `--`. An option takes one word or none."""
        options: list[str] = []
        words: list[str] = []
        left = iter(args)
        for word in left:
            if word == "--":
                words += left
                break
            action = self._option_string_actions.get(word)
            if action is not None:
                options += [word, *islice(left, 0 if action.nargs == 0 else 1)]
            elif _LIKE_AN_OPTION.match(word):  # with its value in it, or none of ours: argparse says so
                options.append(word)
            else:
                words.append(word)
        return [*options, "--", *words] if words else options


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the namespace it makes has `run`, a function of the namespace."""
    parser = _Words(
        prog="convend",
        description="A terminal chat client in which the model can end a conversation, and the person branches. "
        "Without a command it opens the screen.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"convend {__version__}")
    parser.set_defaults(run=_late("screen", "run"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: _Run, text: str, *arguments: tuple[tuple[str, ...], dict[str, Any]]) -> None:
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(run=run, command=name)
        for names, options in arguments:
            sub.add_argument(*names, **options)

    _turns(command)
    _look(command)
    _manage(command)
    _say(command)
    _out(command)
    _setup(command, commands)
    return parser


def _arg(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return names, options


_JSON = _arg("--json", action="store_true", help="one JSON object a line, as it happens")
_MODEL = _arg("-m", "--model", help="server/model, a server, or a model of the first server")
_FILES = _arg("-a", "--attach", metavar="FILE", action="append", default=[], help="a text file, an image or a PDF")
_YES_END = _arg(
    "--yes-end",
    action="store_true",
    help="where the model says that you asked it to end the conversation: yes; without it, the conversation goes on",
)
_THREAD = _arg("thread", metavar="THREAD", help=_MESSAGE)
_AT = _arg("--at", metavar="MESSAGE", help=_MESSAGE)


def _turns(command: Callable[..., None]) -> None:
    text = _arg("text", metavar="TEXT", nargs="?", help="the message; standard input where it is left out")
    command(
        "ask",
        _late("turns", "ask"),
        "One turn: send a message, and print the answer as it comes.",
        text,
        _arg("-t", "--thread", help=f"the thread: {_MESSAGE}; a new one where it is left out"),
        _arg("--at", metavar="MESSAGE", help="the message to go on below; else where the thread was left"),
        _MODEL,
        _arg("-s", "--system", help="system prompt of a new thread"),
        _FILES,
        _YES_END,
        _JSON,
    )
    command(
        "edit",
        _late("turns", "edit"),
        "One turn, with other words in place of a typed message: a new branch.",
        _THREAD,
        _arg("message", metavar="MESSAGE", help=_MESSAGE + " (the newest typed message)"),
        text,
        _MODEL,
        _FILES,
        _YES_END,
        _JSON,
    )
    command(
        "retry",
        _late("turns", "retry"),
        "One more answer to the same question.",
        _THREAD,
        _arg("message", metavar="MESSAGE", help=_MESSAGE + " (the newest reply)"),
        _MODEL,
        _YES_END,
        _JSON,
    )


def _look(command: Callable[..., None]) -> None:
    command("list", _late("look", "list_threads"), "All threads, the one used last first.", _JSON)
    command("show", _late("look", "show"), "The messages of one path.", _THREAD, _AT, _JSON)
    command(
        "check",
        _late("check", "check"),
        "Read every thread file and say what is wrong with it. Changes nothing.",
        _arg("thread", metavar="THREAD", nargs="?", help=f"this one only: {_MESSAGE}"),
        _JSON,
    )
    command("tree", _late("look", "tree"), "All messages of a thread, with their branches.", _THREAD, _JSON)
    command(
        "replay",
        _late("replay", "replay"),
        "Play a saved thread as it happened. On a pipe it is written at once.",
        _THREAD,
        _AT,
        _arg("--speed", metavar="X", type=_speed, default=1.0, help="so many times as fast: 0.25 to 16 (1)"),
        _arg("--instant", action="store_true", help="all at once"),
        _arg("--long-pauses", action="store_true", help="pauses as long as they were; else 2 s at most"),
    )
    command(
        "search",
        _late("search", "search"),
        "Every message of every branch of every thread; the best hit first.",
        _arg(
            "query",
            metavar="QUERY",
            help='words (all of them), "phrases", begin*; the last word is a beginning; empty: filters alone',
        ),
        _arg("--ended", action="append_const", const=True, default=[], help="only where the model ended it"),
        _arg("--not-ended", dest="ended", action="append_const", const=False, help="only where it did not"),
        _arg("-m", "--model", help="only answers of models with this in their name"),
        _arg("--role", choices=("user", "assistant"), help="only what one of the two wrote"),
        _arg("--since", metavar="DATE", help="from this day or time on"),
        _arg("--until", metavar="DATE", help="up to the end of this day, or to this time"),
        _arg("-t", "--thread", help=f"only in this thread: {_MESSAGE}"),
        _arg("--limit", metavar="N", type=_count, default=50, help="at most so many hits (50)"),
        _JSON,
    )


def _count(words: str) -> int:
    if not words.isascii() or not words.isdigit() or int(words) < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 1, not {words!r}")
    return int(words)


def _speed(words: str) -> float:
    try:
        speed = float(words)
    except ValueError:
        speed = 0.0
    if not 0.25 <= speed <= 16:
        raise argparse.ArgumentTypeError(f"must be a number from 0.25 to 16, not {words!r}")
    return speed


def _manage(command: Callable[..., None]) -> None:
    command(
        "title",
        _late("manage", "title"),
        "Name a thread; without TEXT, print its title.",
        _THREAD,
        _arg("text", metavar="TEXT", nargs="?", help="the title; empty takes your own away"),
    )
    command(
        "pin",
        _late("manage", "pin"),
        "Put a thread at the head of the list.",
        _THREAD,
        _arg("--off", action="store_true", help="put it back where it was used last"),
    )
    command(
        "trash",
        _late("manage", "trash"),
        "Throw a thread away. Its file is kept in the trash; `restore` brings it back.",
        _arg("thread", metavar="THREAD", nargs="?", help=_MESSAGE),
        _arg("--list", action="store_true", help="what is in the trash, the one thrown away last first"),
        _JSON,
    )
    command(
        "restore",
        _late("manage", "restore"),
        "Bring back a thread that was thrown away; with a MESSAGE, bring back what was hidden.",
        _THREAD,
        _arg("message", metavar="MESSAGE", nargs="?", help=_MESSAGE),
    )


def _say(command: Callable[..., None]) -> None:
    message = _arg("message", metavar="MESSAGE", help=_MESSAGE)
    command(
        "label",
        _late("label", "label"),
        "Name a message, and the branch it begins; without TEXT, print the name.",
        _THREAD,
        message,
        _arg("text", metavar="TEXT", nargs="?", help="the name; empty takes it away"),
        _arg("--clear", action="store_true", help="take the name away"),
    )
    command(
        "hide",
        _late("prune", "hide"),
        "Put a message and all below it out of sight. Nothing leaves the file; `restore` brings it back.",
        _THREAD,
        message,
    )
    command(
        "feedback",
        _late("feedback", "feedback"),
        "Say that an answer or an ending was right or wrong; or write a report on endings, to read or to send on.",
        _arg("thread", metavar="THREAD", nargs="?", help=_MESSAGE + "; of a report: this thread only"),
        _arg("message", metavar="MESSAGE", nargs="?", help=_MESSAGE),
        _arg("--up", dest="thumbs", action="append_const", const="up", help="thumbs up"),
        _arg("--down", dest="thumbs", action="append_const", const="down", help="thumbs down"),
        _arg("--comment", metavar="TEXT", help="a few words on it"),
        _arg("--report", action="store_true", help="print a report: endings and declined calls with their evidence"),
        _arg("--with-text", action="store_true", help="the report holds the text of the conversations too"),
    )


def _out(command: Callable[..., None]) -> None:
    command(
        "export",
        _late("export", "export"),
        "Write a thread, or one path of it, in another format. Nothing is sent.",
        _THREAD,
        _AT,
        _arg(
            "--format",
            metavar="F",
            help="markdown, html, json, jsonl, messages or asciicast; by the ending of FILE where it is left out, "
            "else markdown",
        ),
        _arg("-o", "--output", metavar="FILE", help="the file to write; standard output where it is left out, or -"),
        _arg("--tree", action="store_true", help="markdown: every branch, with what is hidden"),
        _arg("--blobs", action="store_true", help="json: with the attachments themselves"),
        _arg("--force", action="store_true", help="write over a FILE that is there"),
    )
    command(
        "import",
        _late("importing", "run"),
        "Bring in exports of Claude.ai and ChatGPT, Claude Code's sessions, and threads of convend. Nothing is sent.",
        _arg("files", metavar="FILE", nargs="+", help="a JSON file, JSON Lines, a zip of either, or a folder"),
        _JSON,
    )
    command(
        "sync",
        _late("sync", "run"),
        "Put the threads of several machines together, through a git repository of yours.",
        _arg("--init", metavar="REMOTE", help="the first time on each machine: the repository's address"),
        _arg("--json", action="store_true", help="one JSON object: what was sent and what came"),
    )


def _setup(command: Callable[..., None], commands: Any) -> None:
    what = argparse.ArgumentParser(add_help=False)
    group = what.add_mutually_exclusive_group()
    group.add_argument("--path", action="store_true", help="print where config.toml is")
    group.add_argument("--show", action="store_true", help="print the settings in force, without keys")
    group.add_argument("--init", action="store_true", help="write an example config.toml, unless there is one")
    config = commands.add_parser("config", help="Settings.", description="Settings.", parents=[what])
    config.set_defaults(run=_late("setup", "config"))
    command("models", _late("setup", "models"), "The models of all servers, by their own lists.", _JSON)
    command(
        "doctor",
        _late("doctor", "doctor"),
        "Look at everything that convend needs, and say what is wrong and how to mend it. Changes nothing.",
        _arg("--offline", action="store_true", help="without asking the servers, and without running key commands"),
        _JSON,
    )
    local = commands.add_parser("local", help="The built-in model.", description="The built-in model.")
    local.in_order = True
    actions = local.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in (
        ("install", "Fetch its weights (98 MB), checked by their hash."),
        ("status", "Say what is there."),
        ("remove", "Remove its weights."),
    ):
        actions.add_parser(name, help=text, description=text).set_defaults(run=_late("setup", f"local_{name}"))
