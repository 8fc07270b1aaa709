"""The built-in model: llama.cpp's own server as a child process on loopback, started when first needed.

It is reached with the same SDK and the same protocol as Claude. Nothing happens at import or when a
`LocalServer` is made; `start` takes about a second.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import convend_tui
from convend_tui.errors import LocalModelError
from convend_tui.model import local_weights
from convend_tui.model.local_server import Order
from convend_tui.paths import Paths, ensure

MODEL_ID = "smollm2-135m-instruct"
MODEL_NAME = "SmolLM2 135M"
MODEL_NOTE = (
    "A tiny model on your own computer: good for trying things out, not for answers you rely on. "
    "It cannot end a conversation."
)
CONTEXT = 8192
"""Tokens of prompt and answer together: what the model was trained for."""
START_TIMEOUT_S = 120.0
LOG_NAME = "local-server.log"

_MAX_THREADS = 4
"""More do not help a model of this size: it waits for memory."""
_POLL_S = 0.05
_STOP_S = 2.0
_SERVER_MODULE = "convend_tui.model.local_server"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how the running server is reached."""

    base_url: str
    """Without `/v1`, as the SDK wants it."""
    key: str = field(repr=False)
    """Random, new at each start; every request needs it."""
    model: str
    """The name the server answers to."""


class LocalServer:
    """Owns the child process. One for a whole program; it may be started again after a stop or a crash.

    Args:
        paths: the weights come from `paths.models`, the log goes to `paths.state`.
        threads: threads of llama.cpp; by default all cores but one write the answer, three at most.
        context: tokens of prompt and answer together.
        template: a Jinja chat template in place of the model's own.
        weights: another GGUF file.
        timeout: seconds until a start is given up.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        threads: int | None = None,
        context: int = CONTEXT,
        template: str | None = None,
        weights: Path | None = None,
        timeout: float = START_TIMEOUT_S,
    ) -> None:
        self._paths = paths
        self._threads = threads
        self._context = context
        self._template = template
        self._weights = weights
        self._timeout = timeout
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the child, while it lives."""
        return self._process.pid if self._is_alive() and self._process else None

    @property
    def log_file(self) -> Path:
        """llama.cpp's warnings and errors since the last start."""
        return self._paths.state / LOG_NAME

    async def start(self) -> Endpoint:
        """Start the server, unless it runs, and return where it is. Concurrent callers share one start.

        Cancelling the start ends the child. On Linux the child also ends with the thread that started it.

        Raises:
            LocalModelError: weights or server are not installed, or llama.cpp refused; says which and why.
        """
        async with self._starting:
            if self._endpoint is not None and self._is_alive():
                return self._endpoint
            self.stop()
            try:
                self._endpoint = await self._start()
            except BaseException:
                self.stop()
                raise
            return self._endpoint

    def stop(self) -> None:
        """End the child and wait for it, for a moment only. Harmless when there is none; works at exit too."""
        atexit.unregister(self.stop)
        process, self._process, self._endpoint = self._process, None, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent bytes for a child that is gone
                    pipe.close()

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def _start(self) -> Endpoint:
        weights = self._weights or local_weights.weights_path(self._paths)
        if not weights.is_file():
            raise LocalModelError("The built-in model is not installed. `convend local install` fetches it (98 MB).")
        if not local_weights.server_available():
            raise LocalModelError("The program that runs the built-in model is missing: install `convend-tui[local]`.")
        cores = min(_MAX_THREADS, _cores())
        order = Order(
            weights=str(weights),
            key=secrets.token_urlsafe(32),
            alias=MODEL_ID,
            # llama.cpp's threads wait for each other at every layer: one busy program (such as a screen being
            # drawn) on the last core, and an answer comes at a twentieth of the speed. Prompts suffer less.
            threads=self._threads or max(1, cores - 1),
            batch_threads=self._threads or cores,
            context=self._context,
            template=self._template,
        )
        deadline = time.monotonic() + self._timeout
        process = self._process = self._spawn()
        atexit.register(self.stop)
        try:
            url = await asyncio.wait_for(asyncio.to_thread(_exchange, process, order), self._timeout)
            while not await _is_healthy(url):
                if process.poll() is not None:
                    raise self._failed("it ended while loading")
                if time.monotonic() > deadline:
                    raise TimeoutError
                await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise self._failed(f"it was not ready after {self._timeout:.0f} seconds") from error
        except _Refused as error:
            raise self._failed(str(error)) from error
        return Endpoint(url, order.key, MODEL_ID)

    def _spawn(self) -> subprocess.Popen[bytes]:
        ensure(self._paths.state)
        try:
            # Appending: two programs that share the file do not write into each other's lines.
            handle = os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "ab") as log:
                return _popen(log)
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error

    def _failed(self, why: str) -> LocalModelError:
        return LocalModelError(
            f"The built-in model could not be started: {self._reason(why).rstrip('.')}. "
            f"More is in {self.log_file}; `convend local install` checks the weights."
        )

    def _reason(self, why: str) -> str:
        """The first error in llama.cpp's log (the later ones only pass it on), else `why` and the last line."""
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()
        except OSError:
            return why
        errors = [message for line in lines if (message := line.partition(" E ")[2].strip())]
        if errors:
            return errors[0]
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{why} ({last})" if last else why


class _Refused(Exception):
    """The child said why it cannot serve, or ended without a word."""


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _popen(log: IO[bytes]) -> subprocess.Popen[bytes]:
    # Credentials are none of the child's business, and LLAMA_* would change how it behaves.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "LLAMA_"))}
    root = Path(convend_tui.__file__).parent.parent
    if root.name not in ("site-packages", "dist-packages"):  # run from a source tree
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), env.get("PYTHONPATH"))))
    # A session (or group) of its own: Ctrl+C in the terminal must not end the model in mid-answer.
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        # -P: a stray json.py in the person's folder must not be imported in place of Python's own.
        [sys.executable, "-P", "-m", _SERVER_MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=env,
        start_new_session=True,
        creationflags=flags,
    )


def _exchange(process: subprocess.Popen[bytes], order: Order) -> str:
    """Send the order, wait for the URL. Ends at the latest when the child does."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(order.encode())
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
    except (OSError, ValueError) as error:
        raise _Refused("it ended without an answer") from error
    if "url" not in answer:
        raise _Refused(answer.get("error") or "it gave no reason")
    return str(answer["url"])


async def _is_healthy(url: str) -> bool:
    """Ask `/health` on a plain socket: no proxy settings apply to loopback."""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    try:
        writer.write(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        return b" 200 " in await asyncio.wait_for(reader.readline(), 5.0)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
