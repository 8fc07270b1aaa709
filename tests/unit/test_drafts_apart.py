"""Drafts of other windows: found once the window is gone, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from convend_tui.store import drafts_apart
from convend_tui.store.drafts import Draft, Place
from tests.making import paths_in


def test_a_window_that_is_gone_leaves_what_it_kept(tmp_path: Path) -> None:
    paths, place = paths_in(tmp_path), Place("t", "end", "a")
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    assert drafts_apart.is_running(os.getpid())
    assert not drafts_apart.is_running(ended.pid)
    assert not drafts_apart.is_running(10**10 - 1)
    drafts_apart.save(paths, place, Draft(text="mine"))
    own = paths.drafts / f"{place.name}~{os.getpid()}.json"
    for name in (f"{place.name}~{ended.pid}.json", f"{place.name}b~{ended.pid}.json", f"{place.name}~x.json"):
        (paths.drafts / name).write_bytes(own.read_bytes().replace(b"mine", b"theirs"))
    ((file, draft),) = drafts_apart.left(paths, place)
    assert (file.name, draft.text) == (f"{place.name}~{ended.pid}.json", "theirs")
    file.write_text("{broken")
    assert not list(drafts_apart.left(paths, place))
    assert drafts_apart.load(paths, place).text == "mine"
    drafts_apart.save(paths, place, Draft())
    assert not own.exists()
