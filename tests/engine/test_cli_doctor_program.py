"""`convend doctor`: what it says of the terminal, of packages, git and the locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convend_tui.cli import doctor
from convend_tui.cli.doctor import folders, program, terminal
from convend_tui.cli.doctor.finding import Finding
from convend_tui.config import Config, Server
from tests import making
from tests.engine.commands import ROOT
from tests.engine.test_cli_doctor import TERMINAL, found, posix


def seen(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int] | None, **environ: str) -> list[Finding]:
    """What is said of a terminal."""
    monkeypatch.setattr(terminal, "_size", lambda: size)
    monkeypatch.setattr(terminal.sys, "platform", "linux")
    return list(terminal.examine(environ))


def test_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    good = seen(monkeypatch, (120, 40), **TERMINAL, TMUX="", SSH_CONNECTION="1 2 3 4")
    assert {one.state for one in good} == {"ok"}
    assert found(good, "TERM=xterm-256color, over ssh")
    assert found(good, "120 columns, 40 rows")
    assert found(good, "told apart").mend is None
    poor = seen(monkeypatch, (40, 10), TERM="dumb", LANG="C", NO_COLOR="1")
    assert found(poor, "TERM is dumb").state == "wrong"
    assert found(poor, "little room").state == found(poor, "is not UTF-8 (LANG=C)").state == "warning"
    assert found(poor, "NO_COLOR is set").state == "ok"
    pipe = seen(monkeypatch, None)
    assert found(pipe, "TERM is not set: the screen").state == "warning"
    assert found(pipe, "The locale is not set").state == "warning"
    assert found(seen(monkeypatch, (80, 24), TERM="xterm-256color"), "256 colours").mend
    hostile = seen(monkeypatch, (80, 24), TERM="x\x1b]0;evil\x07\n" + "y" * 500)
    assert all("\x1b" not in one.said and len(one.said) < 300 for one in hostile)


def test_a_slow_escape_of_tmux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text("#!/bin/sh\necho 500\n")
    tmux.chmod(0o700)
    monkeypatch.setattr(terminal.shutil, "which", lambda name: str(tmux))
    one = found(seen(monkeypatch, (80, 24), **TERMINAL, TMUX="/tmp/x,1,0"), "tmux holds Esc back for 500 ms")
    assert (one.state, one.mend) == ("warning", "In tmux.conf: set -sg escape-time 10")
    tmux.write_text("#!/bin/sh\nexit 1\n")
    assert {one.state for one in seen(monkeypatch, (80, 24), **TERMINAL, TMUX="/tmp/x,1,0")} == {"ok"}


@posix
@pytest.mark.parametrize("circle", [False, True])
def test_a_link_that_leads_nowhere(circle: bool, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link if circle else tmp_path / "gone")
    found = {finding.said.partition(":")[0]: finding for finding in folders.examine(making.paths_in(link / "home"))}
    for name in ("data", "cache", "state", "settings"):
        assert found[name].said == f"{name}: {link} is a link that leads nowhere."
        assert (found[name].state, found[name].mend is None) == ("wrong", False)


@posix
@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("git version 2.39.2 (Apple Git-143)", "ok"),
        ("git version 2.29.0.windows.1", "ok"),
        ("git version 2.28.1", "warning"),
        ("git version 1.7.1", "warning"),
        ("\033]0;title\007", "warning"),
    ],
)
def test_a_git_that_is_too_old_for_a_sync(said: str, state: str, tmp_path: Path, monkeypatch: Any) -> None:
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\nprintf '{said}\\n'\n")
    git.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = program._git()
    assert found.state == state
    assert ("too old" in found.said) == (state == "warning")
    assert "\x1b" not in doctor.page(found)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how a program was started is read from /proc")
@pytest.mark.parametrize(
    ("environ", "part"),
    [
        ({"LANG": "C"}, "not UTF-8 (LANG=C)"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "UTF-8 (LC_CTYPE=C.UTF-8)"),
    ],
)
def test_a_locale_that_python_replaced(environ: dict[str, str], part: str) -> None:
    program = "import os; from convend_tui.cli.doctor import terminal; print(terminal._encoding(os.environ).said)"
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environ
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=True)
    assert part in done.stdout


@pytest.mark.parametrize(
    ("version", "requirement", "fits"),
    [
        ("8.2.8", "textual<9,>=8.2.6", True),
        ("8.2.5", "textual<9,>=8.2.6", False),
        ("9.0", "textual<9,>=8.2.6", False),
        ("8.10.0", "textual>=8.9", True),
        ("8.3.0rc1", "textual>=8.2.6", True),
        ("2025.1", "x", True),
        ("1.2", 'tomli-w>=1.2; python_version < "3.0"', True),
    ],
)
def test_versions_against_their_bounds(version: str, requirement: str, fits: bool) -> None:
    assert program.fits(version, requirement) is fits


def test_packages_that_are_missing_or_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.metadata, "requires", lambda name: ["no-such-package-here>=1", "textual>=999"])
    missing, other = program._packages()
    assert (missing.state, missing.said) == ("wrong", "The package no-such-package-here is missing.")
    assert (other.state, "is made for textual>=999" in other.said) == ("warning", True)
    monkeypatch.setattr(program, "has_fts5", lambda: False)
    assert program._sqlite().state == "warning"
    monkeypatch.setattr(program.shutil, "which", lambda name: None)
    assert "git is not installed" in program._git().said


def test_pages_fit_eighty_columns_whatever_is_said() -> None:
    one = Finding("Area", "warning", "word " * 300 + "\x1b[31m\nx", "mend " * 50)
    lines = doctor.page(one).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("  warning  word")
    assert "\x1b" not in "".join(lines)
    assert doctor._sum({"ok": 3, "warning": 1, "wrong": 0}) == "1 warning. convend works."
    assert doctor._sum({"ok": 3, "warning": 2, "wrong": 2}) == "2 things are wrong, 2 warnings."


def test_no_server_is_asked_twice_and_none_without_a_name() -> None:
    config = Config(servers=(Server("a", "http://127.0.0.1:9"),))
    (one,) = list(doctor.servers._without_asking(config.servers[0]))
    assert one.said == "a (127.0.0.1:9): it has no key; it was not asked (--offline)."
