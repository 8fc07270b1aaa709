"""Why a server was not reached, or did not answer: as one sentence that says what to do about it.

Nothing here knows the SDK: `client.py` hands over the exceptions of sockets and TLS.
"""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from convend_tui.errors import ModelError
from convend_tui.model.endpoint import Endpoint

_LONGEST_QUOTE = 400
"""Characters of a server's own message that are repeated to the person."""
_LONGEST_HOST = 100

# OpenSSL's X509_V_ERR_… numbers.
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)


def of_connection(error: BaseException, end: Endpoint) -> ModelError:
    """No connection, or one that broke before the answer began."""
    host, name = end.host, end.name
    root = _root(error)
    proxy = proxy_of(end)
    if isinstance(root, ssl.SSLCertVerificationError):
        return _untrusted(root, host, name)
    if isinstance(root, ssl.SSLError):
        return ModelError(
            f"The secure connection to {host} failed ({_reason(root)}).",
            kind="tls_error",
            retryable=isinstance(root, ssl.SSLEOFError),
            advice=f"Check base_url of server {name}: a server without TLS is reached with http://.{_way(end)}",
        )
    if _chain_has(error, "LocalProtocolError"):
        return ModelError(
            f"The key or a header of server {name} holds a character that cannot be sent.",
            kind="authentication_error",
            advice="Check where the key comes from, and headers in config.toml.",
        )
    if _chain_has(error, "RemoteProtocolError"):
        return _no_http(root, end)
    if proxy is not None and _is_of_proxy(error):
        return ModelError(
            f"The proxy {proxy} does not connect to {host}: {_why(root, end)}.",
            kind="proxy_error",
            retryable=True,
            advice=proxy_advice(end),
        )
    return ModelError(
        f"No connection to {host}: {_why(root, end)}.",
        kind="connection_error",
        retryable=True,
        advice=f"Check the network, and base_url of server {name}.{_way(end)}",
    )


def of_silence(error: BaseException, end: Endpoint) -> ModelError:
    """A time-out."""
    host = end.host
    if _chain_has(error, "ConnectTimeout"):
        proxy = proxy_of(end)
        if proxy is not None:
            return ModelError(
                f"The proxy {proxy} does not answer.", kind="timeout_error", retryable=True, advice=proxy_advice(end)
            )
        return ModelError(
            f"No connection to {host} within {end.connect_timeout:g} s.",
            kind="timeout_error",
            retryable=True,
            advice=f"Check the network, and base_url of server {end.name}; connect_timeout in [network] allows more.",
        )
    return ModelError(
        f"{host} was silent for too long.",
        kind="timeout_error",
        retryable=True,
        advice=f"Try again, or raise timeout in [network] of config.toml.{_way(end)}",
    )


def nothing(end: Endpoint) -> ModelError:
    """A stream that was closed before its first event, or no answer at all."""
    tls = "" if end.base_url.startswith("https:") else " (does it begin with https://?)"
    return ModelError(
        f"{end.host} closed the connection without an answer.",
        kind="broken_off",
        retryable=True,
        advice=f"Try again in a moment; if it stays so, check base_url of server {end.name}{tls}.{_way(end)}",
    )


def _no_http(root: BaseException, end: Endpoint) -> ModelError:
    """The connection was made, and something else than an answer came."""
    said = str(root)
    # The library's own words, and in them pieces of what came, are not for the person's eyes.
    if "without sending" in said or "closed connection" in said:
        return nothing(end)
    return ModelError(
        f"What {end.host} sent is no answer of a web server.",
        kind="bad_answer",
        retryable=True,
        advice=f"Check base_url of server {end.name}, its port above all.{_way(end)}",
    )


def of_ca_bundle(error: OSError, end: Endpoint) -> ModelError:
    """The certificates that the person named cannot be used."""
    why = "there is no certificate in it" if isinstance(error, ssl.SSLError) else _why(error, end)
    return ModelError(
        f"The certificates in {end.ca_bundle} cannot be used: {why}.",
        kind="tls_error",
        advice=f"Name a PEM file in ca_bundle of server {end.name}, or take the line out.",
    )


def of_setup(error: Exception, end: Endpoint) -> ModelError:
    """The connection could not even be prepared: certificates or proxies that make no sense."""
    if isinstance(error, OSError):
        return ModelError(
            f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR name cannot be used: {_why(error, end)}.",
            kind="tls_error",
            advice=f"Mend or unset them, or name a file in ca_bundle of server {end.name}.",
        )
    if isinstance(error, ImportError):
        return ModelError(
            "A SOCKS proxy is set, which needs the package socksio.",
            kind="proxy_error",
            advice=f"Install it beside convend, or use an http:// proxy. {proxy_advice(end)}",
        )
    # The text of the error has the proxy's address in it, and that may hold a password.
    return ModelError("The proxy that is set is not an address.", kind="proxy_error", advice=proxy_advice(end))


def proxy_of(end: Endpoint) -> str | None:
    """Host and port of the proxy on the way to a server, without any password; None where there is none."""
    parts = urlsplit(end.base_url)
    if end.direct or not parts.hostname or proxy_bypass(parts.hostname):
        return None
    known = getproxies()
    url = known.get(parts.scheme) or known.get("all")
    return (host_of(url if "://" in url else f"http://{url}") or "of the environment") if url else None


def proxy_advice(end: Endpoint) -> str:
    """Where the proxy is set."""
    host = urlsplit(end.base_url).hostname
    return f"Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name {host} in NO_PROXY."


def _way(end: Endpoint) -> str:
    """What else may be at fault: the proxy, where there is one."""
    proxy = proxy_of(end)
    return f" The way there leads over the proxy {proxy} (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)." if proxy else ""


def short(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """What someone else says, on one line and not for ever."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest] + "…"


def host_of(address: str) -> str | None:
    """Host and port, without any name and password."""
    try:
        return short(urlsplit(address).netloc.rpartition("@")[2], _LONGEST_HOST) or None
    except ValueError:
        return None


def _untrusted(error: ssl.SSLCertVerificationError, host: str, name: str) -> ModelError:
    code = error.verify_code
    if code in (_EXPIRED, _NOT_YET_VALID):
        state = "has expired" if code == _EXPIRED else "is not valid yet"
        advice = "Check the clock of this computer; if it is right, whoever runs the server has to renew it."
        return ModelError(f"The certificate of {host} {state}.", kind="tls_error", advice=advice)
    if code in _OTHER_NAME:
        return ModelError(
            f"The certificate of {host} is made out to another name.",
            kind="tls_error",
            advice=f"Check base_url of server {name}.",
        )
    return ModelError(
        f"The certificate of {host} is signed by nobody this computer trusts ({short(error.verify_message)}).",
        kind="tls_error",
        advice="If you trust it (a company's proxy, your own server), name its certificate in ca_bundle of "
        f"server {name}.",
    )


def _is_of_proxy(error: BaseException) -> bool:
    """Where a proxy is set, nothing but the proxy is ever connected to."""
    return _chain_has(error, "ProxyError") or _chain_has(error, "ConnectError")


def _chain_has(error: BaseException | None, name: str) -> bool:
    while error is not None:
        if type(error).__name__ == name:
            return True
        error = error.__cause__ or error.__context__
    return False


def _root(error: BaseException) -> BaseException:
    """The innermost reason, which names the fault; the outer ones only say that there was one."""
    while True:
        inner = error.__cause__ or error.__context__
        if isinstance(error, BaseExceptionGroup):
            inner = error.exceptions[0]  # one of several addresses of a name
        if inner is None:
            return error
        error = inner


def _why(root: BaseException, end: Endpoint) -> str:
    match root:
        case msgspec.DecodeError():
            return "the answer was not JSON"
        case ConnectionRefusedError():
            return "nothing listens there"
        case socket.gaierror():
            return "the name is not known"
        case ConnectionResetError():
            return "the connection was cut"
        case OSError():
            return short(root.strerror or str(root)).rstrip(".").lower() or type(root).__name__
    # What the parser of HTTP complains of follows as bytes: nothing that a person could read.
    said = str(root).partition(": bytearray(")[0]
    return short(end.without_secrets(said)).rstrip(".") or type(root).__name__


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "the server hung up").replace("_", " ").lower()
