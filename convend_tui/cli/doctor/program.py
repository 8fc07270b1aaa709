"""The program: versions of convend and of what it is made of. Neither Textual nor the SDK is imported."""

from __future__ import annotations

import platform
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib import metadata

from convend_tui import __version__
from convend_tui.cli.doctor.finding import Finding
from convend_tui.store.index_schema import has_fts5

_AREA = "Program"
_PACKAGE = "convend-tui"
_SHOWN = {"textual": "Textual, the screen", "anthropic": "anthropic, the SDK"}
_AGAIN = "Install convend again, into an environment of its own (uv tool install, or pipx install)."
_GIT_S = 5.0
LEAST_GIT = [2, 29]
"""The first that fetches without a file in the repository (`--no-write-fetch-head`)."""


def examine() -> Iterator[Finding]:
    """Versions."""
    python = f"Python {platform.python_version()} on {platform.system()} {platform.release()} ({platform.machine()})"
    yield Finding(_AREA, "ok", f"convend {__version__}, {python}")
    yield from _packages()
    yield _sqlite()
    yield _git()


def _packages() -> Iterator[Finding]:
    try:
        required = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from its source
        required = list(_SHOWN)
    for requirement in required:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(_AREA, "wrong", f"The package {name} is missing.", _AGAIN)
            continue
        if not fits(version, requirement):
            yield Finding(_AREA, "warning", f"{name} {version} is here; convend is made for {requirement}.", _AGAIN)
        elif name in _SHOWN:
            yield Finding(_AREA, "ok", f"{_SHOWN[name]}: {version}")


def fits(version: str, requirement: str) -> bool:
    """Whether a version is within the bounds of a requirement such as `textual>=8.2.6,<9`. Other bounds than these
    two are taken for kept."""
    have = _numbers(version)
    for sign, bound in re.findall(r"(>=|<)\s*([0-9][0-9.]*)", requirement.partition(";")[0]):
        if (have >= _numbers(bound)) != (sign == ">="):
            return False
    return True


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", re.split(r"[a-zA-Z+-]", version, maxsplit=1)[0])]


def _sqlite() -> Finding:
    said = f"SQLite {sqlite3.sqlite_version}"
    if has_fts5():
        return Finding(_AREA, "ok", f"{said} with FTS5")
    return Finding(
        _AREA,
        "warning",
        f"{said} without FTS5: searching works, but takes longer the more there is.",
        "Use a Python whose SQLite has FTS5, such as the one that `uv python install` brings.",
    )


def _git() -> Finding:
    git = shutil.which("git")
    if git is None:
        return Finding(_AREA, "ok", "git is not installed; nothing but `convend sync` needs it.")
    try:
        done = subprocess.run(
            [git, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            _AREA,
            "warning",
            f"git is at {git} and does not run ({type(error).__name__}).",
            "Install git again; nothing but `convend sync` needs it.",
        )
    said = done.stdout.decode("utf-8", "replace").strip()
    if _numbers(re.sub(r"^\D+", "", said)) < LEAST_GIT:
        least = ".".join(map(str, LEAST_GIT))
        mend = "Install a newer git; nothing but `convend sync` needs it."
        return Finding(_AREA, "warning", f"{said} is too old for `convend sync`, which needs {least}.", mend)
    return Finding(_AREA, "ok", said)
