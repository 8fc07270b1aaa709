"""Where the tests write: into memory where there is room, as waiting for a disk takes longer than most of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 * 1024**3
"""Several times what a run of all tests writes. Containers often have 64 MB there."""
VARIABLE = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest makes its temporary folders, unless `--basetemp` says so."""


def pytest_configure(config: pytest.Config) -> None:
    """Have `tmp_path` in memory. The processes of pytest-xdist inherit it."""
    if config.getoption("basetemp") is None and VARIABLE not in os.environ and _room(MEMORY):
        os.environ[VARIABLE] = str(MEMORY)


def _room(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) and shutil.disk_usage(folder).free > ROOM_BYTES
