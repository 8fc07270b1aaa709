"""A home with one good thread in it, and what may have become of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from convend_tui.paths import Paths
from convend_tui.thread import records as r
from tests.making import Branch, header, paths_in
from tests.tui.conftest import Home, home  # noqa: F401 - a fixture

THREAD = "20261122T000000-00000000"
GOOD = b"".join(map(r.encode, [header(), *Branch().typed("A question").reply("An answer.").path]))


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A home with one good thread."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONVEND_HOME", str(tmp_path))
    paths = paths_in(tmp_path)
    for folder in (paths.threads, paths.blobs, paths.cache, paths.drafts, paths.partial):
        folder.mkdir(parents=True, mode=0o700)
    thread_file(paths).write_bytes(GOOD)
    return paths


def thread_file(paths: Paths, thread_id: str = THREAD) -> Path:
    return paths.threads / f"{thread_id}.jsonl"


SPOILED = {
    "empty": b"",
    "zeros": b"\0" * 5000,
    "half": b'{"text": "wor',
    "not utf-8": b'\xff\xfe{"text": "\xc3("}',
    "utf-16": '{"text": "words"}'.encode("utf-16"),
    "another type": b'{"text": ["words"], "pastes": 5, "theme": 5}',
    "deep": b"[" * 100_000,
    "escapes": b"\x1b]52;c;eA==\x07 = \x1b[2J",
    "number": b"x = " + b"9" * 10_000,
}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
