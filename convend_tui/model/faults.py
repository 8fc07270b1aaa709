"""What went wrong between convend and a server, as one sentence that says what to do about it.

Nothing here knows the SDK: `client.py` hands over statuses, bodies and the exceptions of sockets and TLS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from convend_tui.errors import ModelError
from convend_tui.model.endpoint import Endpoint
from convend_tui.model.unreached import host_of, proxy_advice, short

BOUND = "thinking_bound"
"""Kind of the error that says a thinking block is not the one that the server made, or not for this conversation."""
_BOUND_SAYS = (
    "bound to a different conversation",
    "thinking.signature",
    "`signature` in `thinking`",
    "blocks in the latest assistant message cannot be modified",
)

NO_STREAM = "The server answered, but not with a stream of the Messages API. Check base_url in config.toml."
_SENTENCE_ENDS = (".", "!", "?", "…", ":")
_LONGEST_KIND = 60

_PASSING = frozenset(("overloaded_error", "api_error", "rate_limit_error", "timeout_error", "error"))
_PASSING_BARE = frozenset(("server_error", "unavailable_error"))
"""Kinds of errors after which the same request may work; those of llama.cpp too."""


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
    quote = f" It says: {said}{'' if said.endswith(_SENTENCE_ENDS) else '.'}" if said else ""
    if any(words in said for words in _BOUND_SAYS):
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
        to = host_of(end.without_secrets(answered.headers.get("location", "")))
        where = f" to {to}" if to else ""
        return (
            f"The server {server} sends requests on{where} ({status}); convend does not follow, so that key and "
            "conversation go nowhere else.",
            "Put the right address into base_url, or sign in to the network first.",
        )
    sentences = {
        400: (f"The server {server} refused the request (400).{quote}", ""),
        422: (f"The server {server} refused the request (422).{quote}", ""),
        401: (
            f"The server {server} did not accept the key (401).",
            "Check the key: ANTHROPIC_API_KEY, or this server's entry in config.toml.",
        ),
        402: (f"The account of server {server} cannot be billed (402).{quote}", "See to it where the key comes from."),
        403: (
            f"The key of server {server} is not allowed to do this (403).{quote}",
            "Choose another model, or see where the key comes from what it may do.",
        ),
        404: (
            f"The server {server} does not know the model “{model}”, or its base_url is wrong (404).",
            "Choose another model.",
        ),
        405: (f"The server {server} takes no messages at this address (405).{quote}", "Check its base_url."),
        407: ("The proxy wants a name and a password (407).", proxy_advice(end)),
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
    if isinstance(body, dict) and (body.get("type") == "error" or isinstance(body.get("error"), dict | str)):
        return of_answer(Answered(200, body, {}), end, "")
    return ModelError(NO_STREAM, kind="bad_answer")


def not_compressed(end: Endpoint) -> ModelError:
    """An answer that cannot be unpacked."""
    return ModelError(
        f"The answer of {end.host} is not compressed as it says.",
        kind="bad_answer",
        retryable=True,
        advice=f"Try again in a moment; if it stays so, check base_url of server {end.name}, and proxies.",
    )


def no_list(end: Endpoint) -> ModelError:
    """Something else in place of a list of models."""
    return ModelError(f"What the server {end.name} sent is no list of models.", kind="bad_answer", advice=_sign_in(end))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms`, or `retry-after` as a number or a date; None where it makes no sense."""
    with suppress(ValueError):
        milliseconds = float(headers.get("retry-after-ms", ""))
        if 0 <= milliseconds < math.inf:
            return milliseconds / 1000
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
