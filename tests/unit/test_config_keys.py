from __future__ import annotations

import errno
import os
import select
import sys
from pathlib import Path

import pytest

from convend_tui.config import Server
from convend_tui.config import key as key_module
from convend_tui.errors import ModelError

SECRET = "sk-ant-api03-verysecret"


def test_the_key_comes_from_a_variable() -> None:
    server = Server("a", key_env="K")
    assert server.resolve_key({"K": f" {SECRET}\n"}) == SECRET
    with pytest.raises(ModelError, match=r"server `a` is missing.* K, which is not set") as caught:
        server.resolve_key({"K": " "})
    assert caught.value.kind == "authentication_error"


def test_the_key_comes_from_a_command() -> None:
    program = "import os, sys; print(os.environ['K']); print('more')"
    listed = Server("a", key_command=(sys.executable, "-c", program))
    assert listed.resolve_key({"K": SECRET}) == SECRET
    assert Server("a", key_command="echo $K | tr b c").resolve_key({"K": "a$(b)", "PATH": "/bin:/usr/bin"}) == "a$(c)"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("/nonexistent/op", SECRET), r"\(op\) cannot be started"),
        ((sys.executable, "-c", f"print('{SECRET}'); raise SystemExit(3)"), "failed with exit status 3"),
        ((sys.executable, "-c", f"print('{SECRET} x')"), "does not hold a key"),
        ((sys.executable, "-c", f"'{SECRET}'"), "printed nothing"),
        (f"X={SECRET} false", r"\(false\) failed"),
    ],
)
def test_a_failing_command_is_told_without_the_key(command: str | tuple[str, ...], expected: str) -> None:
    with pytest.raises(ModelError, match=expected) as caught:
        Server("a", key_command=command).resolve_key({"PATH": "/bin:/usr/bin"})
    assert caught.value.kind == "authentication_error"
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_command_without_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(key_module, "COMMAND_SECONDS", 0.3)
    fifo = tmp_path / "never"
    # The shell's child holds the pipe too: it has to be stopped with the shell.
    command = f"mkfifo {fifo}; cat {fifo}; echo late"
    with pytest.raises(ModelError, match=r"stopped after 0\.3 seconds"):
        Server("a", key_command=command).resolve_key({"PATH": "/bin:/usr/bin"})
    assert lost_its_reader(fifo)


def lost_its_reader(fifo: Path) -> bool:
    """Whether nobody reads from a pipe, soon. Nothing is written, and it is opened once: both would wake a reader."""
    try:
        handle = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        return error.errno == errno.ENXIO
    try:
        waiting = select.poll()
        waiting.register(handle, 0)
        return bool(waiting.poll(10_000))
    finally:
        os.close(handle)


def test_the_key_comes_from_the_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "keyring"
    package.mkdir()
    (package / "errors.py").write_text("class KeyringError(Exception): pass\n")
    (package / "__init__.py").write_text(
        "from keyring.errors import KeyringError\n"
        "def get_password(service, user):\n"
        "    if user == 'locked': raise KeyringError('no')\n"
        f"    return {{('https://x/y', 'me'): '{SECRET}'}}.get((service, user))\n"
    )
    for name in ("keyring", "keyring.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert Server("a", key_keyring="https://x/y/me").resolve_key({}) == SECRET
        with pytest.raises(ModelError, match="has no entry x/you"):
            Server("a", key_keyring="x/you").resolve_key({})
        with pytest.raises(ModelError, match="refused"):
            Server("a", key_keyring="x/locked").resolve_key({})
    finally:
        for name in ("keyring", "keyring.errors"):
            sys.modules.pop(name, None)


def test_a_missing_keyring_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ModelError, match="Python package `keyring`"):
        Server("a", key_keyring="x/y").resolve_key({})
