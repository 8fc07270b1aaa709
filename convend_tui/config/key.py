"""Fetching a server's key from where the person keeps it.

A key never enters a log, a repr or an error: what can go wrong is told by naming the source alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from convend_tui.errors import ModelError

COMMAND_SECONDS = 30.0
"""How long a key command may take."""


def from_environment(server: str, variable: str, environ: Mapping[str, str]) -> str:
    """The key in an environment variable.

    Raises:
        ModelError: it is not set, or is no key.
    """
    value = environ.get(variable, "").strip()
    if not value:
        raise _missing(
            server,
            f"its key is taken from the environment variable {variable}, which is not set. "
            f"Set it and start convend again, or name another place for the key in config.toml.",
        )
    return _checked(server, value, f"the environment variable {variable}")


def from_command(server: str, command: str | tuple[str, ...], environ: Mapping[str, str]) -> str:
    """The first line that a command prints.

    Args:
        command: a tuple runs as it is, without a shell; a string is given to the shell.

    Raises:
        ModelError: it cannot be started, fails, takes longer than `COMMAND_SECONDS`, or prints no key.
    """
    name = program(command)
    try:
        status, output = _run(command, environ)
    except subprocess.TimeoutExpired:
        raise _missing(
            server,
            f"its key_command ({name}) was stopped after {COMMAND_SECONDS:g} seconds without an end. "
            "It may have been waiting for an answer: run it once by hand, then try again.",
        ) from None
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise _missing(
            server, f"its key_command ({name}) cannot be started: {reason}. Correct it in config.toml."
        ) from None
    if status != 0:
        raise _missing(
            server,
            f"its key_command ({name}) failed with exit status {status}. "
            "Run it once by hand to see why, then try again.",
        )
    lines = output.decode("utf-8", "replace").strip().splitlines()
    if not lines:
        raise _missing(server, f"its key_command ({name}) printed nothing. Run it once by hand to see why.")
    return _checked(server, lines[0].strip(), f"the first line that its key_command ({name}) prints")


def from_keyring(server: str, entry: str) -> str:
    """The key in the keyring of the operating system.

    Args:
        entry: `service/user`.

    Raises:
        ModelError: the package `keyring` is not installed, the keyring refuses, or has no such entry.
    """
    service, _, user = entry.rpartition("/")
    try:
        # Any: the package is optional, and comes without being named in our dependencies.
        keyring: Any = importlib.import_module("keyring")
        refused: Any = importlib.import_module("keyring.errors").KeyringError
    except ImportError:
        raise _missing(
            server,
            "its key is in the keyring, which needs the Python package `keyring`. Install it beside "
            "convend, or use key_env or key_command in config.toml.",
        ) from None
    try:
        value = keyring.get_password(service, user)
    except refused:
        raise _missing(server, f"the keyring refused to give the entry {entry}. Unlock it, then try again.") from None
    if not value or not value.strip():
        raise _missing(
            server,
            f"the keyring has no entry {entry}. Store it with `keyring set {shlex.quote(service)} "
            f"{shlex.quote(user)}`.",
        )
    return _checked(server, value.strip(), f"the keyring entry {entry}")


def program(command: str | tuple[str, ...]) -> str:
    """The first word of a command: what may be shown of it, since an argument may be a secret."""
    words = command[:1] if isinstance(command, tuple) else command.split()
    # `TOKEN=secret op read ...`: such a word may be a secret too.
    first = next((word for word in words if "=" not in word), "shell")
    return PurePath(first).name[:40]


def _run(command: str | tuple[str, ...], environ: Mapping[str, str]) -> tuple[int, bytes]:
    """Exit status and output. Raises subprocess.TimeoutExpired, having stopped the command and its children."""
    with subprocess.Popen(
        command if isinstance(command, str) else list(command),
        shell=isinstance(command, str),
        env=dict(environ),
        # Neither the keys typed into the app nor its screen belong to the command.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=COMMAND_SECONDS)
        except BaseException:
            _stop(process)
            raise
        return process.returncode, output


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a command; with it what a shell started for it, where the platform has process groups."""
    if os.name == "nt":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _checked(server: str, value: str, place: str) -> str:
    """A key fit for a header: the value itself is never shown."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise _missing(
            server,
            f"{place} does not hold a key: keys are plain ASCII text without spaces. Look there for stray characters.",
        )
    return value


def _missing(server: str, what: str) -> ModelError:
    return ModelError(f"The key of server `{server}` is missing: {what}", kind="authentication_error")
