"""Where things are: what cannot be found is an error in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from convend_tui import paths
from convend_tui.cli import main
from convend_tui.errors import ConfigError


def test_a_home_that_there_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVEND_HOME", "~nobody-of-that-name/x")
    assert main(["list"]) == 1
    assert capsys.readouterr().err == "convend: CONVEND_HOME is ~nobody-of-that-name/x: there is no such home folder.\n"
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("CONVEND_HOME", "here")
    with pytest.raises(ConfigError, match="within a folder that is gone"):
        paths.find()
