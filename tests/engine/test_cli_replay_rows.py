"""`convend replay` on a terminal breaks lines at words, by cells; on a pipe a line is a line."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

from rich.cells import cell_len

from tests.engine.commands import Home
from tests.making import Branch

SAID = (
    "The quick brown fox jumps over the extraordinarily lazy dog and 速い茶色の狐が怠けた犬を飛び越える, 👩‍👩‍👧 too.\n"
    "\n    indented, and longerthananylineofthisterminal"
)
PACE = {"first_ms": 10, "total_ms": 40, "chunks": [[10, 13], [20, 17], [30, len(SAID) - 30]]}


def shown(home: Home, *words: str, columns: int) -> list[str]:
    """The rows that a command writes on a terminal."""
    ours, theirs = pty.openpty()
    environ = home.environ | {"COLUMNS": str(columns)}
    process = subprocess.Popen(
        home.command(*words), stdin=theirs, stdout=theirs, env=environ, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    text = b""
    try:
        while data := os.read(ours, 65536):
            text += data
    except OSError:  # Linux says so when the other side is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=60) == 0
    return text.decode().replace("\r\n", "\n").splitlines()


def test_words_stay_whole_on_a_terminal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.save(Branch().typed(SAID).reply(SAID, timing=PACE, model="a-model"))
    played = shown(home, "replay", "@last", "--speed", "16", columns=24)
    at_once = shown(home, "replay", "@last", "--instant", columns=24)
    for rows in (played, at_once):
        assert max(map(cell_len, rows)) <= 24
        answer = rows[rows.index("The quick brown fox", len(rows) // 2) :]
        assert answer[:4] == [
            "The quick brown fox",
            "jumps over the",
            "extraordinarily lazy dog",
            "and 速い茶色の狐が怠けた",
        ]
        assert "👩‍👩‍👧 too." in answer[4] + answer[5]
        assert answer[-2:] == ["longerthananylineofthist", "erminal"]
    assert SAID in home.run("replay", "@last").stdout
