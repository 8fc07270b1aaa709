"""Names, certificates and proxies: where no connection comes about, the sentence names what mends it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convend_tui.config import Network
from convend_tui.model import events as e
from tests import making
from tests.making import Desk, answer_of, ended, failed
from tests.referee import Referee

CERTIFICATES = Path(__file__).parent / "certificates"
SECRET = "pass-word"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

pytestmark = pytest.mark.usefixtures("alone")


def shows(certificate: str) -> ssl.SSLContext:
    """A server's side of TLS with one of the certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
    return context


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """A raw server on a port."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


async def asked(base_url: str, root: Path, **server: Any) -> tuple[Desk, list[e.Event]]:
    """A new thread, and the events of its first turn; no second is spent on waiting."""
    desk = making.desk(base_url, root, **server)
    desk.models.config = replace(desk.models.config, network=Network(retries=0, timeout=5, connect_timeout=0.5))
    try:
        async with asyncio.timeout(60):
            events = await desk.say("hello")
    finally:
        await desk.models.close()
    kinds = [line["kind"] for line in desk.lines()[1:]]
    assert kinds == (["typed"] if isinstance(events[-1], e.TurnFailed) else ["typed", "reply"])
    assert not desk.other().handle.problems
    return desk, events


def told(events: list[e.Event], kind: str, *parts: str, again: bool = False) -> None:
    error = failed(events).error
    for part in parts:
        assert part in str(error), str(error)
    assert (error.kind, error.retryable) == (kind, again), str(error)
    assert "\n" not in str(error)
    assert SECRET not in str(error)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is known, and none is asked for."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


async def test_a_name_that_nobody_knows(tmp_path: Path, nameless: None) -> None:
    _, events = await asked("http://nowhere.example", tmp_path)
    told(events, "connection_error", "nowhere.example", "the name is not known", "base_url of server", again=True)


@pytest.mark.parametrize("host", ["a..b", "xn--a.example", "x" * 70 + ".example"])
async def test_a_name_that_is_none(tmp_path: Path, host: str, nameless: None) -> None:
    _, events = await asked(f"http://{host}", tmp_path)
    assert "base_url" in str(failed(events).error)


async def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    _, events = await asked(f"http://127.0.0.1:{free_port()}", tmp_path)
    told(events, "connection_error", "nothing listens there", "base_url of server referee", again=True)


# -- certificates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "trusted", "parts"),
    [
        ("good", False, ["signed by nobody this computer trusts (self-signed certificate)", "ca_bundle of server"]),
        ("expired", True, ["has expired", "clock"]),
        ("future", True, ["is not valid yet", "clock"]),
        ("other", True, ["made out to another name", "base_url of server referee"]),
    ],
)
async def test_a_certificate_that_cannot_be_trusted(
    tmp_path: Path, certificate: str, trusted: bool, parts: list[str]
) -> None:
    bundle = CERTIFICATES / f"{certificate}.pem" if trusted else None
    async with Referee(["No."], tls=shows(certificate)) as referee:
        _, events = await asked(referee.base_url, tmp_path, ca_bundle=bundle)
        told(events, "tls_error", "The certificate of 127.0.0.1", *parts)
        assert not referee.requests


async def test_the_ca_bundle_mends_it(tmp_path: Path) -> None:
    async with Referee(["Hello."], tls=shows("good"), opinion=False) as referee:
        _, events = await asked(referee.base_url, tmp_path, ca_bundle=CERTIFICATES / "good.pem")
        assert answer_of(events) == "Hello."
    referee.assert_clean()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_ca_bundle_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_bytes(content)
    _, events = await asked("https://127.0.0.1:1", tmp_path, ca_bundle=file)
    told(events, "tls_error", "bundle.pem", "PEM file", "ca_bundle of server referee")
    assert "Errno" not in str(failed(events).error)
    assert "_ssl" not in str(failed(events).error)


async def test_certificates_of_the_environment_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    _, events = await asked("https://127.0.0.1:1", tmp_path)
    told(events, "tls_error", "SSL_CERT_FILE", "ca_bundle of server referee")


async def test_a_server_without_tls(tmp_path: Path) -> None:
    async with Referee(["No."]) as referee:
        _, events = await asked(referee.base_url.replace("http:", "https:"), tmp_path)
        told(events, "tls_error", "The secure connection to 127.0.0.1", "http://")


async def test_a_server_with_tls_asked_without_it(tmp_path: Path) -> None:
    async with Referee(["No."], tls=shows("good")) as referee:
        _, events = await asked(referee.base_url.replace("https:", "http:"), tmp_path)
        told(events, "broken_off", "without an answer", "base_url", "https://", again=True)


async def test_a_handshake_that_nobody_answers(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with listening(silent) as port:
        _, events = await asked(f"https://127.0.0.1:{port}", tmp_path)
        told(events, "timeout_error", f"No connection to 127.0.0.1:{port} within 0.5 s", "connect_timeout", again=True)


async def test_a_handshake_that_is_cut(tmp_path: Path) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with listening(cut) as port:
        _, events = await asked(f"https://127.0.0.1:{port}", tmp_path)
        error = failed(events).error
        assert error.retryable
        assert "127.0.0.1" in str(error)
        assert "base_url" in str(error)


# -- proxies -------------------------------------------------------------------------------------------------------


def proxy(monkeypatch: pytest.MonkeyPatch, port: int, scheme: str = "https") -> None:
    monkeypatch.setenv(f"{scheme}_proxy", f"http://someone:{SECRET}@127.0.0.1:{port}")


async def test_a_proxy_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    proxy(monkeypatch, port)
    _, events = await asked("https://server.example", tmp_path)
    told(
        events,
        "proxy_error",
        f"The proxy 127.0.0.1:{port} does not connect to server.example: nothing listens there.",
        "Check HTTPS_PROXY",
        "name server.example in NO_PROXY",
        again=True,
    )


@pytest.mark.parametrize(
    "line", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway", "302 Found\r\nlocation: /login"]
)
async def test_a_proxy_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    async with listening(refuse) as port:
        proxy(monkeypatch, port)
        _, events = await asked("https://server.example", tmp_path)
        told(events, "proxy_error", f"The proxy 127.0.0.1:{port}", line[:3], "Check HTTPS_PROXY", again=True)


async def test_a_proxy_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with listening(silent) as port:
        proxy(monkeypatch, port)
        desk = making.desk("https://server.example", tmp_path, timeout=0.5)
        try:
            error = failed(await desk.say("hello")).error
        finally:
            await desk.models.close()
        assert error.kind == "timeout_error"
        assert f"over the proxy 127.0.0.1:{port}" in str(error)
        assert SECRET not in str(error)


async def test_a_proxy_that_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with listening(leave) as port:
        proxy(monkeypatch, port)
        _, events = await asked("https://server.example", tmp_path)
        told(events, "broken_off", "without an answer", f"over the proxy 127.0.0.1:{port}", again=True)


@pytest.mark.parametrize(
    "address", ["http://[", "gopher://127.0.0.1:1", "http://127.0.0.1:port", "socks5://127.0.0.1:1"]
)
async def test_a_proxy_that_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    _, events = await asked("https://127.0.0.1:1", tmp_path)
    error = failed(events).error
    assert "proxy" in str(error).lower(), str(error)
    assert "HTTPS_PROXY" in str(error), str(error)


async def test_a_proxy_that_works_and_one_that_is_not_for_this_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Referee(["Hello.", "Hello again."], opinion=False) as referee:
        proxy(monkeypatch, referee.port, "http")
        _, events = await asked("http://server.example", tmp_path / "1")
        assert answer_of(events) == "Hello."
        proxy(monkeypatch, free_port(), "http")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        _, events = await asked(referee.base_url, tmp_path / "2")
        assert answer_of(events) == "Hello again."
        ended(events)
    referee.assert_clean()


# -- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["sk-\x01secret-0", "sk-sécret-0", "sk-secret-0\x7f", "sk-secret-0 \r\nx: y"])
async def test_a_key_that_cannot_be_sent_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(making.KEY_VARIABLE, key)
    async with Referee() as referee:
        _, events = await asked(referee.base_url, tmp_path)
        error = failed(events).error
        assert "cret-0" not in str(error)
        assert "key" in str(error), str(error)
        assert not referee.requests


async def test_a_redirect_takes_neither_key_nor_words_along(tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def thief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.read(10_000))
        writer.close()

    async with listening(thief) as port:

        async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            where = f"http://localhost:{port}/v1/messages"
            writer.write(f"HTTP/1.1 307 Over there\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode())
            writer.close()

        async with listening(sender) as first:
            headers = {"X-Api-Key": "{key}"}
            _, events = await asked(f"http://127.0.0.1:{first}", tmp_path, headers=headers)
            told(events, "error", f"sends requests on to localhost:{port} (307)", "base_url")
    assert not taken
