"""An empty home, and an index of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convend_tui.paths import Paths
from convend_tui.store.index import Index
from tests.making import paths_in


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in(tmp_path)


@pytest.fixture
def index(paths: Paths) -> Iterator[Index]:
    made = Index(paths)
    yield made
    made.close()
