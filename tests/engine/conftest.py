"""What the tests of commands begin with, unless a file has one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import making
from tests.engine.commands import Home
from tests.referee import ThreadedReferee


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without a server that answers."""
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def referee() -> Iterator[ThreadedReferee]:
    """A server that answers by `enqueue`."""
    with ThreadedReferee(opinion=False) as running:
        yield running


@pytest.fixture
def online(tmp_path: Path, referee: ThreadedReferee) -> Home:
    """A home with the referee for a server."""
    referee.requests.clear()
    return Home(tmp_path, referee.base_url)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for `making.desk`, and no time for certificates: the referee speaks plain HTTP."""
    monkeypatch.setenv(making.KEY_VARIABLE, "test-key")
    making.skip_certificates(monkeypatch)
