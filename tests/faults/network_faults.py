"""What can go wrong between convend and a server: one table, played by the referee.

The same rows go through a session, the second opinion, the command line and the screen.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.making import MODEL
from tests.referee import Hangup, HttpError, Raw, Reply, Text
from tests.referee.script import Answer

Json = dict[str, Any]
WORDS = "Half of the answer is here, and then"
"""The text of answers that break; all of them break after its first word or later."""


@dataclass(frozen=True)
class Fault:
    """One way in which a server misbehaves."""

    name: str
    answer: Answer
    says: Sequence[str] = ()
    """What the sentence must have in it; empty for what is survived without a word."""
    kind: str = ""
    again: bool = False
    """Whether the request is sent again by itself."""
    keeps: str | None = None
    """The text of the partial reply that is kept, or its beginning."""
    whole: str | None = None
    """It is survived, and this is the answer."""
    timeout: float = 10.0
    waits: float | None = None
    """Seconds that the server asks to wait; None: convend's own."""

    def __str__(self) -> str:
        return self.name


# -- bytes ---------------------------------------------------------------------------------------------------------


def head(content_type: str = "text/event-stream", status: str = "200 OK", **headers: str) -> bytes:
    """The head of a response whose body ends with the connection."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def sse(data: object, name: str | None = None) -> bytes:
    """An event; `name` is its type unless given, an empty one is left out."""
    if name is None:
        name = str(data["type"]) if isinstance(data, dict) else "content_block_delta"
    body = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {body}\n\n".encode()


START = sse(
    {
        "type": "message_start",
        "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": []},
    }
)
BLOCK = sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})


def text(words: str) -> bytes:
    """More of the text block."""
    return sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}})


FINISH = sse({"type": "content_block_stop", "index": 0}) + sse(
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
)
STOP = sse({"type": "message_stop"})
HALF = START + BLOCK + text("Half of ") + text("it")
WHOLE = HALF + FINISH + STOP


def stream(*pieces: bytes | float, end: Literal["close", "reset", "hold"] = "close", **headers: str) -> Raw:
    """A stream of these bytes."""
    return Raw([head(**headers), *pieces], end=end)


def page(body: bytes, status: str = "200 OK", content_type: str = "text/html; charset=utf-8", **headers: str) -> Raw:
    """An answer that is no stream."""
    return Raw([head(content_type, status, **headers), body])


def chunked(*pieces: bytes, end: Literal["close", "reset", "hold"] = "close") -> Raw:
    """A response in chunks, with the pieces as they are."""
    first = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return Raw([first, *pieces], end=end)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


# -- the table -----------------------------------------------------------------------------------------------------


def _status(status: int, kind: str, *says: str, again: bool = False) -> Fault:
    return Fault(f"status {status}", HttpError(status, kind, "Said so."), says, kind, again)


STATUSES = [
    _status(400, "invalid_request_error", "refused the request (400)", "Said so."),
    _status(401, "authentication_error", "did not accept the key (401)", "ANTHROPIC_API_KEY"),
    _status(402, "billing_error", "cannot be billed (402)", "Said so.", "where the key comes from"),
    _status(403, "permission_error", "not allowed to do this (403)"),
    _status(404, "not_found_error", "(404)", "Choose another model"),
    _status(405, "invalid_request_error", "(405)", "Said so.", "base_url"),
    _status(407, "proxy_error", "The proxy wants a name and a password (407)", "HTTPS_PROXY"),
    _status(408, "timeout_error", "failed (408)", again=True),
    _status(409, "conflict_error", "failed (409)", again=True),
    _status(413, "request_too_large", "too large", "(413)", "shorter branch"),
    _status(422, "invalid_request_error", "refused the request (422)"),
    _status(429, "rate_limit_error", "Too many requests", "(429)", "Try again", again=True),
    _status(500, "api_error", "failed (500)", "Try again", again=True),
    _status(502, "api_error", "failed (502)", again=True),
    _status(503, "api_error", "not available just now (503)", again=True),
    _status(504, "timeout_error", "failed (504)", again=True),
    _status(529, "overloaded_error", "overloaded (529)", again=True),
    Fault(
        "the server says not to try again",
        HttpError(529, "overloaded_error", "Overloaded", {"x-should-retry": "false"}),
        ["overloaded (529)"],
        "overloaded_error",
    ),
    Fault(
        "llama.cpp's own error body",
        page(
            b'{"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}',
            "400 Bad Request",
            "application/json",
        ),
        ["The conversation has grown too long"],
        "exceed_context_size_error",
    ),
    Fault("an error page", page(b"<html><h1>Bad gateway", "502 Bad Gateway"), ["failed (502)"], "error", again=True),
    Fault("an empty error", page(b"", "503 Service Unavailable"), ["not available just now (503)"], again=True),
    Fault("an error that is a list", page(b"[[1], null]", "400 Bad Request", "application/json"), ["(400)"], "error"),
    Fault(
        "an error of other types",
        page(b'{"type": [], "error": {"type": 7, "message": {"a": 1}}}', "418 Teapot", "application/json"),
        ["failed (418)"],
        "error",
    ),
    Fault(
        "a huge error in many lines",
        HttpError(400, "invalid_request_error", "so long\n" * 100_000),
        ["so long so long", "…"],
        "invalid_request_error",
    ),
    Fault(
        "an error that repeats the key",
        HttpError(403, "permission_error", "the key test-key is not ours"),
        ["(403)"],
        "permission_error",
    ),
    Fault(
        "an error that is not compressed as it says",
        page(b"{}", "500 Oh", "application/json", content_encoding="gzip"),
        ["not compressed as it says", "Try again", "base_url"],
        "bad_answer",
        again=True,
    ),
    Fault(
        "an error nested too deep",
        page(b"[" * 100_000, "400 Bad Request", "application/json"),
        ["400"],
    ),
]


def _asks(value: str, seconds: float | None, *says: str, again: bool = True, header: str = "retry-after") -> Fault:
    answer = HttpError(429, "rate_limit_error", "Slow down.", {header: value})
    return Fault(f"{header}: {value}", answer, says, "rate_limit_error", again, waits=seconds)


RETRY_AFTER = [
    # A server in trouble is not asked again at once, whatever it says.
    _asks("0", None, "Try again in a moment."),
    _asks("7500", 7.5, "Try again in 8 s.", header="retry-after-ms"),
    _asks("61000", 61, "Try again in 61 s.", header="retry-after-ms", again=False),
    _asks("none", None, "Try again in a moment.", header="retry-after-ms"),
    _asks("7", 7, "Try again in 7 s."),
    _asks("0.2", 0.2, "Try again in 1 s."),
    _asks("60", 60, "Try again in 60 s."),
    _asks("61", 61, "Try again in 61 s.", again=False),
    _asks("1800", 1800, "Try again in 30 min.", again=False),
    _asks("99999999999", 99999999999, "Try again tomorrow or later.", again=False),
    _asks("1e308", 1e308, "Try again tomorrow or later.", again=False),
    _asks("-5", None, "Try again in a moment."),
    _asks("nan", None, "Try again in a moment."),
    _asks("inf", None, "Try again in a moment."),
    _asks("soon", None, "Try again in a moment."),
    _asks("7, 9", None, "Try again in a moment."),
    _asks("Wed, 21 Oct 2015 07:28:00 GMT", None, "Try again in a moment."),
    _asks("Wed, 21 Oct 2500 07:28:00 GMT", None, "Try again tomorrow or later.", again=False),
    _asks("Wed, 99 Nonsense 2500", None, "Try again in a moment."),
]

BROKEN = ["broke off in the middle of the answer"]
SILENT = ["was silent for too long", "timeout in [network]"]
NO_STREAM = ["not with a stream of the Messages API", "base_url"]


def _reset(after: int, keeps: str | None = None) -> Fault:
    reply = Reply([Text(WORDS, chunk=8)], cut_after_events=after)
    return Fault(f"reset after {after} events", reply, BROKEN, "broken_off", again=keeps is None, keeps=keeps)


RESETS = [
    Fault("reset before the answer", Hangup(), ["No connection to 127.0.0.1"], "connection_error", again=True),
    Fault("reset in the status line", Raw([b"HTTP/1.1 2"], end="reset"), ["No connection to"], again=True),
    Fault("reset in the headers", Raw([b"HTTP/1.1 200 OK\r\nconten"], end="reset"), ["No connection to"], again=True),
    _reset(0),
    _reset(1),
    _reset(2),
    _reset(5, "Half of the"),
    Fault("reset within an event", stream(HALF + text("more")[:30], end="reset"), BROKEN, "broken_off", keeps="Half"),
    Fault("closed within an event", stream(HALF + text("more")[:30]), ["broke off before its end"], keeps="Half of it"),
    Fault("closed within a character", stream(HALF + "data: ü".encode()[:-1]), ["broke off"], keeps="Half of it"),
    Fault("closed without message_stop", stream(HALF + FINISH), ["broke off before its end"], keeps="Half of it"),
    Fault("closed within message_stop", stream(HALF + FINISH + STOP[:-1]), ["broke off"], keeps="Half of it"),
    Fault("closed after nothing", stream(), ["closed the connection without an answer"], "broken_off", again=True),
    Fault("closed after a ping", stream(sse({"type": "ping"})), ["without an answer", "base_url"], again=True),
    Fault("reset after message_stop", stream(WHOLE, end="reset"), whole="Half of it"),
    Fault("open after message_stop", stream(WHOLE, end="hold"), whole="Half of it", timeout=5),
    Fault("an error after message_stop", stream(WHOLE + sse({"type": "error", "error": {}})), whole="Half of it"),
]


def _drips(data: bytes, before: bytes = b"") -> Raw:
    """A byte ten times a second, for ever: the silence between them is never long."""
    return Raw([before, *[piece for byte in data for piece in (bytes([byte]), 0.1)]], end="hold")


STALLS = [
    Fault("silence before the answer", Raw([], end="hold"), SILENT, "timeout_error", again=True, timeout=1.0),
    Fault("silence in the headers", Raw([head()[:40]], end="hold"), SILENT, "timeout_error", again=True, timeout=1.0),
    Fault("headers that drip", _drips(head()[:-4] + b"a" * 40), SILENT, "timeout_error", again=True, timeout=1.0),
    Fault(
        "an interim answer, and another", _drips(b"HTTP/1.1 103 Hints\r\n\r\n" * 40), SILENT, again=True, timeout=1.0
    ),
    Fault(
        "an error that drips",
        _drips(b"x" * 40, before=head("application/json", "500 Oh")),
        SILENT,
        "timeout_error",
        again=True,
        timeout=1.0,
    ),
    Fault("silence before the first event", stream(end="hold"), SILENT, "timeout_error", again=True, timeout=1.0),
    Fault("silence after the start", stream(START, BLOCK, end="hold"), SILENT, again=True, timeout=1.0),
    Fault("silence between events", stream(HALF, end="hold"), SILENT, keeps="Half of it", timeout=1.0),
    Fault("silence within an event", stream(HALF + b"event: cont", end="hold"), SILENT, keeps="Half", timeout=1.0),
    Fault(
        "bytes that never make an event",
        stream(HALF, *[piece for _ in range(40) for piece in (b"x", 0.1)], end="hold"),
        SILENT,
        "timeout_error",
        keeps="Half of it",
        timeout=1.0,
    ),
    Fault(
        # 60 seconds of silence at a patience of 180, on a clock that runs 60 times as fast.
        "a slow first token",
        replace(Reply(WORDS), stall_after_events=2, stall_seconds=1.0),
        whole=WORDS,
        timeout=3.0,
    ),
    Fault(
        "a slow first token, told by comments",
        stream(START, *[piece for _ in range(6) for piece in (b": still here\n\n", 0.4)], WHOLE[len(START) :]),
        whole="Half of it",
        timeout=2.0,
    ),
]


def _error_event(data: object, *says: str, again: bool, before: bytes = START, **more: Any) -> Fault:
    name = f"error event {json.dumps(data)[:60]} {'in mid-answer' if before == HALF else ''}"
    return Fault(name, stream(before + sse(data, "error")), says, again=again, **more)


def _error(kind: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": "Said so."}}


ERROR_EVENTS = [
    *(
        _error_event(_error(kind), f"broke the answer off ({kind})", "Said so.", again=again, kind=kind)
        for kind, again in {
            "overloaded_error": True,
            "api_error": True,
            "rate_limit_error": True,
            "timeout_error": True,
            "invalid_request_error": False,
            "authentication_error": False,
            "billing_error": False,
        }.items()
    ),
    _error_event(_error("overloaded_error"), "(overloaded_error)", again=False, before=HALF, keeps="Half of it"),
    _error_event({"code": 500, "message": "No.", "type": "server_error"}, "(server_error)", "No.", again=True),
    _error_event({}, "broke the answer off", again=True),
    _error_event([], "broke off", again=True, kind="broken_off"),
    _error_event("nonsense", "broke off", again=True, kind="broken_off"),
    Fault(
        "an error with status 200",
        page(json.dumps(_error("overloaded_error")).encode(), content_type="application/json"),
        ["(overloaded_error)"],
        "overloaded_error",
        again=True,
    ),
]

EVENTS = [
    Fault("single bytes", Reply("Grüße, 🦊!", byte_by_byte=True), whole="Grüße, 🦊!"),
    Fault("an event of 2 MB", stream(HALF + text("x" * 2_000_000) + FINISH + STOP), whole="Half of itxxx"),
    Fault(
        "an event without an end",
        stream(HALF + b"data: ", *[b"x" * 2**20] * 34, end="hold"),
        ["an event of more than 32 MB"],
        "broken_off",
        keeps="Half of it",
    ),
    Fault("a torn event", stream(HALF + sse('{"type": "content_block_de')), ["not JSON"], "broken_off", keeps="Half"),
    Fault("a torn event first", stream(sse('{"type": "mess', "message_start")), ["not JSON"], "broken_off", again=True),
    Fault("an event that is a number", stream(HALF + sse("7")), ["not a JSON object"], "broken_off", keeps="Half"),
    Fault("an event nested too deep", stream(HALF + sse("[" * 200_000)), ["not JSON"], keeps="Half of it"),
    Fault("an unknown event", stream(HALF + sse({"type": "weather", "sun": 1}) + FINISH + STOP), whole="Half of it"),
    Fault("an unknown event that is no JSON", stream(HALF + sse("☀", "sun") + FINISH + STOP), whole="Half of it"),
    Fault("events without names", stream(WHOLE.replace(b"event: ", b"x: ")), whole="Half of it"),
    Fault("an end as other protocols have it", stream(WHOLE + b"data: [DONE]\n\n"), whole="Half of it"),
    Fault("lines that end in CR LF", stream(WHOLE.replace(b"\n", b"\r\n")), whole="Half of it"),
    Fault("lines that end in CR", stream(*[bytes([b]) for b in WHOLE.replace(b"\n", b"\r")]), whole="Half of it"),
    Fault("events in many data lines", stream(WHOLE.replace(b', "', b',\ndata: "')), whole="Half of it"),
    Fault("not UTF-8", stream(HALF + text("#").replace(b"#", b"\xff\xfe") + FINISH + STOP), whole="Half of it\ufffd"),
    Fault("half a character", stream(HALF + text("\ud83e") + FINISH + STOP), whole="Half of it"),
    Fault(
        "values of other types",
        stream(
            sse({"type": "message_start", "message": ["no"]}),
            BLOCK,
            sse({"type": "content_block_delta", "index": "0", "delta": 7}),
            sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": None}}),
            sse({"type": "content_block_delta", "index": 0, "delta": {"type": ["text_delta"], "text": "x"}}),
            sse({"type": "content_block_start", "index": 3, "content_block": {"type": {"a": 1}, "citations": 7}}),
            sse({"type": "content_block_delta", "index": 3, "delta": {"type": "citations_delta", "citation": 1}}),
            text("Still"),
            sse({"type": "message_delta", "delta": {"stop_reason": ["end"], "stop_details": "x"}, "usage": [1]}),
            sse({"type": "message_delta", "delta": None, "usage": {"output_tokens": 10**40, "x": float("nan")}}),
            STOP,
        ),
        whole="Still",
    ),
]

BODIES = [
    Fault("a sign-in page", page(b"<html>Sign in"), ["answered with a web page", "Sign in to"], "bad_answer"),
    Fault("plain words", page(b"It works!\n", content_type="text/plain"), NO_STREAM, "bad_answer"),
    Fault("JSON in place of a stream", Reply(WORDS, as_json=True), NO_STREAM, "bad_answer"),
    Fault("no content", Raw([b"HTTP/1.1 204 No Content\r\n\r\n"]), NO_STREAM, "bad_answer"),
    *(
        Fault(
            f"sent on by {status}",
            page(b"", f"{status} Elsewhere", location="http://localhost:1/v1/messages"),
            [f"sends requests on to localhost:1 ({status})", "does not follow", "base_url"],
        )
        for status in (301, 302, 303, 307, 308)
    ),
    Fault("sent on to nowhere", page(b"", "302 Found", location="http://[bad/\x01"), ["sends requests on (302)"]),
    Fault("a chunk that lies", chunked(chunk(HALF), b"zz\r\n"), BROKEN, "broken_off", keeps="Half of it"),
    Fault("a chunk that is cut", chunked(chunk(HALF), b"ff\r\ndata: "), BROKEN, "broken_off", keeps="Half of it"),
    Fault("no last chunk", chunked(chunk(HALF + FINISH)), BROKEN, "broken_off", keeps="Half of it"),
    Fault("no last chunk after message_stop", chunked(chunk(WHOLE)), whole="Half of it"),
    Fault("fewer bytes than announced", stream(HALF, content_length="99999"), BROKEN, keeps="Half of it"),
    Fault("not compressed as it says", stream(WHOLE, content_encoding="gzip"), ["not compressed as"], again=True),
    Fault("compressed", stream(gzip.compress(WHOLE), content_encoding="gzip"), whole="Half of it"),
    Fault(
        "compressed and cut", stream(gzip.compress(HALF)[:-12], content_encoding="gzip"), ["broke off"], keeps="Half"
    ),
    Fault("not HTTP", Raw([b"SSH-2.0-OpenSSH_9.9\r\n"]), ["without an answer", "base_url"], again=True),
    Fault("HTTP/2", Raw([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]), ["no answer of a web server", "base_url"], again=True),
]

FAULTS = [*STATUSES, *RETRY_AFTER, *RESETS, *STALLS, *ERROR_EVENTS, *EVENTS, *BODIES]
BY_NAME = {fault.name: fault for fault in FAULTS}
assert len(BY_NAME) == len(FAULTS), "two rows of one name"
