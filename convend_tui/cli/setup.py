"""`config`, `models` and `local`: what there is to ask, and where it is set."""

from __future__ import annotations

import argparse
import asyncio
import sys

from convend_tui import config as settings
from convend_tui import paths
from convend_tui.cli.output import emit, say, write
from convend_tui.errors import ModelError, NotConnected
from convend_tui.model import local_weights
from convend_tui.model.connect import CONNECT_HINT, Models


def config(arguments: argparse.Namespace) -> int:
    """`convend config`: `--show` is what it does by itself."""
    where = paths.find()
    if arguments.path:
        write(f"{where.config_file}\n")
    elif arguments.init:
        written = settings.write_example(where)
        say(f"Written: {written}")
    else:
        write(settings.show(settings.load(where)))
    return 0


def models(arguments: argparse.Namespace) -> int:
    """`convend models`: asks every server for its list; one that does not answer is named on standard error."""
    where = paths.find()
    connected = Models(settings.load(where), where)
    names = connected.names()
    if not names:
        raise NotConnected(CONNECT_HINT)

    async def ask() -> int:
        code = 0
        try:
            for name in names:
                try:
                    for model in await connected.list_models(name):
                        if arguments.json:
                            emit({"server": name, "id": model.id, "name": model.name, "max_tokens": model.max_tokens})
                        else:
                            write(f"{name}/{model.id}\t{model.name}\n")
                except ModelError as error:
                    say(f"convend: {error}")
                    code = error.exit_code
        finally:
            await connected.close()
        return code

    return asyncio.run(ask())


def local_install(arguments: argparse.Namespace) -> int:
    """`convend local install`."""
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        percent = min(100, 100 * done // max(total, 1))
        if sys.stderr.isatty() and percent != shown:
            shown = percent
            print(f"\rFetching the built-in model: {percent} %", end="", file=sys.stderr, flush=True)

    try:
        weights = local_weights.install(paths.find(), progress, verify=True)
    finally:
        if shown >= 0:
            print(file=sys.stderr)
    say(f"The built-in model is here: {weights}")
    if not local_weights.status(paths.find()).server_available:
        say("Its program is still missing: install convend with the extra `local`, as in convend-tui[local].")
    return 0


def local_status(arguments: argparse.Namespace) -> int:
    """`convend local status`."""
    status = local_weights.status(paths.find())
    write(f"weights: {status.weights if status.weights_ok else 'not installed (convend local install)'}\n")
    write(f"program: {'installed' if status.server_available else 'not installed (extra `local`)'}\n")
    write(f"ready: {'yes' if status.ready else 'no'}\n")
    return 0


def local_remove(arguments: argparse.Namespace) -> int:
    """`convend local remove`."""
    local_weights.remove(paths.find())
    say("The built-in model's weights are removed.")
    return 0
