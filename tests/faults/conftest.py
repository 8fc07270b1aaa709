"""The whole app for tests of faults: what tests/tui has."""

from __future__ import annotations

import pytest

from tests import making
from tests.faults.spoiled import paths
from tests.tui.conftest import home, online, referee

__all__ = ["alone", "home", "online", "paths", "plain_http", "referee"]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for `making.desk`, and nothing on the way to its server that the environment names."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(making.KEY_VARIABLE, "test-key")


@pytest.fixture
def plain_http(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `alone`, for many short turns: plain HTTP needs no certificates, and reading them takes longer than a turn."""
    making.skip_certificates(monkeypatch)
