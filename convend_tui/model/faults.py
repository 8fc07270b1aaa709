"""What went wrong between convend and a server, as one sentence that says what to do about it.

Nothing here knows the SDK: `client.py` hands over statuses, bodies and the exceptions of sockets and TLS.
"""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from convend_tui.errors import ModelError
from convend_tui.model.endpoint import Endpoint

BOUND = "thinking_bound"
"""Kind of the error that says a thinking block belongs to another conversation."""

NO_STREAM = "The server answered, but not with a stream of the Messages API. Check base_url in config.toml."
_LONGEST_QUOTE = 400
"""Characters of a server's own message that are repeated to the person."""
_LONGEST_KIND = 60
_LONGEST_HOST = 100

_PASSING = frozenset(("overloaded_error", "api_error", "rate_limit_error", "timeout_error", "error"))
_PASSING_BARE = frozenset(("server_error", "unavailable_error"))
"""Kinds of errors after which the same request may work; those of llama.cpp too."""

# OpenSSL's X509_V_ERR_… numbers.
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is an error."""

    status: int
    """The status of the response; 200 for an error event inside a stream."""
    body: object
    """The parsed body, or the text of one that is no JSON."""
    headers: Mapping[str, str]
    """Of the response, whatever the case of their names."""


def of_answer(answered: Answered, end: Endpoint, model: str) -> ModelError:
    """An error status, or an error event in a stream."""
    error = _of_answer(answered, end, model)
    error.status = answered.status
    error.request_id = short(end.without_secrets(answered.headers.get("request-id") or "")) or None
    return error


def _of_answer(answered: Answered, end: Endpoint, model: str) -> ModelError:
    kind, said = _kind_and_words(answered.body, end)
    quote = f" It says: {said}" if said else ""
    if "bound to a different conversation" in said:
        return ModelError(f"The server found thinking of another conversation.{quote}", kind=BOUND)
    if answered.status == 200:
        passing = kind in _PASSING | _PASSING_BARE
        return ModelError(f"The server broke the answer off ({kind}).{quote}", kind=kind, retryable=passing)
    after = retry_after(answered.headers)
    status, server = answered.status, end.name
    retryable = status in (408, 409, 429) or status >= 500
    if (should := answered.headers.get("x-should-retry")) in ("true", "false"):
        retryable = should == "true"
    sentence, advice = _sentence(answered, end, model, kind, quote)
    if retryable and not advice:
        advice = f"Try again {in_words(after)}." if after else "Try again in a moment."
    if not sentence:
        sentence = f"The server {server} failed ({status}).{quote}"
    return ModelError(sentence, kind=kind, retryable=retryable, retry_after=after, advice=advice)


def _sentence(answered: Answered, end: Endpoint, model: str, kind: str, quote: str) -> tuple[str, str]:
    """What happened, and what to do where it is not to try again; empty where nothing special is known."""
    status, server = answered.status, end.name
    if kind == "exceed_context_size_error":
        return "The conversation has grown too long for this model.", "Edit an earlier message, or begin a new chat."
    if 300 <= status < 400:
        to = _host_of(answered.headers.get("location", ""))
        where = f" to {to}" if to else ""
        return (
            f"The server {server} sends requests on{where} ({status}); convend does not follow, so that key and "
            "conversation go nowhere else.",
            "Put the right address into base_url, or sign in to the network first.",
        )
    sentences = {
        400: (f"The server {server} refused the request (400).{quote}", ""),
        401: (
            f"The server {server} did not accept the key (401).",
            "Check the key: ANTHROPIC_API_KEY, or this server's entry in config.toml.",
        ),
        402: (f"The account of server {server} cannot be billed (402).{quote}", ""),
        403: (f"The key of server {server} is not allowed to do this (403).{quote}", ""),
        404: (
            f"The server {server} does not know the model “{model}”, or its base_url is wrong (404).",
            "Choose another model.",
        ),
        407: ("The proxy wants a name and a password (407).", _proxy_advice(end)),
        413: (
            f"The conversation is too large for the server {server} (413).",
            "Begin a new chat or take a shorter branch.",
        ),
        429: (f"Too many requests to {server} just now (429).{quote}", ""),
        503: (f"The server {server} is not available just now (503).{quote}", ""),
        529: (f"The server {server} is overloaded (529).", ""),
    }
    return sentences.get(status, ("", ""))


def no_stream(content_type: str, text: str, end: Endpoint) -> ModelError:
    """A response of status 200 that is a page, an error or a whole message.

    Args:
        content_type: of the response.
        text: the beginning of the response, where it is JSON.
    """
    host = end.host
    if "html" in content_type:
        return ModelError(
            f"{host} answered with a web page instead of an answer.",
            kind="bad_answer",
            advice=_sign_in(end),
        )
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        body = None
    if isinstance(body, dict) and (body.get("type") == "error" or isinstance(body.get("error"), dict)):
        return of_answer(Answered(200, body, {}), end, "")
    return ModelError(NO_STREAM, kind="bad_answer")


def no_list(end: Endpoint) -> ModelError:
    """Something else in place of a list of models."""
    return ModelError(f"What the server {end.name} sent is no list of models.", kind="bad_answer", advice=_sign_in(end))


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
            advice=f"Check base_url of server {name}: a server without TLS is reached with http://.",
        )
    if _chain_has(error, "LocalProtocolError"):
        return ModelError(
            f"The key or a header of server {name} holds a character that cannot be sent.",
            kind="authentication_error",
            advice="Check where the key comes from, and headers in config.toml.",
        )
    if proxy is not None and _is_of_proxy(error):
        return ModelError(
            f"The proxy {proxy} does not connect to {host}: {_why(root)}.",
            kind="proxy_error",
            retryable=True,
            advice=_proxy_advice(end),
        )
    return ModelError(
        f"No connection to {host}: {_why(root)}.",
        kind="connection_error",
        retryable=True,
        advice=f"Check the network, and base_url of server {name}.",
    )


def of_silence(error: BaseException, end: Endpoint) -> ModelError:
    """A time-out."""
    host = end.host
    if _chain_has(error, "ConnectTimeout"):
        proxy = proxy_of(end)
        if proxy is not None:
            return ModelError(
                f"The proxy {proxy} does not answer.", kind="timeout_error", retryable=True, advice=_proxy_advice(end)
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
        advice="Try again, or raise timeout in [network] of config.toml.",
    )


def of_setup(error: Exception, end: Endpoint) -> ModelError:
    """The connection could not even be prepared: certificates or proxies that make no sense."""
    if isinstance(error, OSError):
        return ModelError(
            f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR name cannot be used: {_why(error)}.",
            kind="tls_error",
            advice=f"Mend or unset them, or name a file in ca_bundle of server {end.name}.",
        )
    if isinstance(error, ImportError):
        return ModelError(
            "A SOCKS proxy is set, which needs the package socksio.",
            kind="proxy_error",
            advice=f"Install it beside convend, or use an http:// proxy. {_proxy_advice(end)}",
        )
    # The text of the error has the proxy's address in it, and that may hold a password.
    return ModelError("The proxy that is set is not an address.", kind="proxy_error", advice=_proxy_advice(end))


def proxy_of(end: Endpoint) -> str | None:
    """Host and port of the proxy on the way to a server, without any password; None where there is none."""
    parts = urlsplit(end.base_url)
    if end.direct or not parts.hostname or proxy_bypass(parts.hostname):
        return None
    known = getproxies()
    url = known.get(parts.scheme) or known.get("all")
    return (_host_of(url if "://" in url else f"http://{url}") or "of the environment") if url else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after`, as a number or a date; None where it makes no sense."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
            seconds = max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def in_words(seconds: float) -> str:
    """`in 7 s`, `in 5 min`, `in 3 h`, `tomorrow or later`."""
    if seconds < 120:
        return f"in {max(1, math.ceil(seconds))} s"
    if seconds < 120 * 60:
        return f"in {math.ceil(seconds / 60)} min"
    return f"in {math.ceil(seconds / 3600)} h" if seconds < 24 * 3600 else "tomorrow or later"


def short(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """What someone else says, on one line and not for ever."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest] + "…"


def _host_of(address: str) -> str | None:
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


def _kind_and_words(body: object, end: Endpoint) -> tuple[str, str]:
    """The error's type and what the server says, from all shapes of error bodies; a server may repeat the key in its
    complaint about it."""
    if not isinstance(body, dict):
        return "error", ""
    inner = body.get("error")
    about = inner if isinstance(inner, dict) else body
    kind, words = about.get("type"), about.get("message")
    if not isinstance(words, str):
        words = inner if isinstance(inner, str) else ""
    # Before they are cut: half a key would not be found.
    kind = end.without_secrets(kind) if isinstance(kind, str) and kind.strip() else "error"
    return short(kind, _LONGEST_KIND), short(end.without_secrets(words))


def _sign_in(end: Endpoint) -> str:
    return f"Sign in to the network if it asks for that; else check base_url of server {end.name}."


def _proxy_advice(end: Endpoint) -> str:
    host = urlsplit(end.base_url).hostname
    return f"Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name {host} in NO_PROXY."


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


def _why(root: BaseException) -> str:
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
    return short(str(root)).rstrip(".") or type(root).__name__


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "the server hung up").replace("_", " ").lower()
