"""Answers as they leave the server: streams whole and broken, resets, bytes past the HTTP server, errors."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

from tests.referee import wire
from tests.referee.script import Hangup, HttpError, Json, Raw, Reply

if TYPE_CHECKING:
    from tests.referee.server import Received


async def without_rules(request: web.Request, answer: HttpError | Hangup | Raw) -> web.StreamResponse:
    """An error, or bytes past the HTTP server."""
    if isinstance(answer, HttpError):
        return error(answer.status, answer.type, answer.message, dict(answer.headers))
    if isinstance(answer, Hangup) or (transport := request.transport) is None:
        return await reset(request, web.Response())
    for piece in answer.pieces:
        if isinstance(piece, bytes):
            transport.write(piece)
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(piece)
    if answer.end == "hold":
        await asyncio.sleep(3600)
    if answer.end == "reset":
        return await reset(request, web.Response())
    transport.close()
    return web.Response()


async def stream(request: web.Request, received: Received, prepared: wire.Prepared) -> web.StreamResponse:
    reply = prepared.reply
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", **_id()}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    sent = 0
    for step in (*wire.steps(prepared), None):
        if sent == reply.stall_after_events:
            await _stall(reply)
        if sent == reply.cut_after_events:
            return await reset(request, response)
        if sent == reply.eof_after_events:
            break
        if sent == reply.malformed_event_after:
            await _write(response, b'event: content_block_delta\ndata: {"type": "content_block_delta", "ind\n\n', reply)
        if sent == reply.error_event_after:
            await _write(response, _error_event(reply), reply)
            break
        if step is not None:
            await asyncio.sleep(step.pause)
            await _write(response, wire.encode(step.event), reply)
            sent += 1
    received.finished = True
    await response.write_eof()
    return response


async def _stall(reply: Reply) -> None:
    if reply.stall_until is None:
        await asyncio.sleep(reply.stall_seconds)
        return
    while not reply.stall_until.is_set():
        await asyncio.sleep(0.005)


async def _write(response: web.StreamResponse, data: bytes, reply: Reply) -> None:
    if not reply.byte_by_byte:
        await response.write(data)
        return
    for byte in data:
        await response.write(bytes([byte]))
        await asyncio.sleep(0)


async def reset(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection with a TCP reset, after what was written has had the time to arrive."""
    await asyncio.sleep(0.02)
    if (transport := request.transport) is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return response


def _error_event(reply: Reply) -> bytes:
    error: Json = {"type": reply.error_type, "message": reply.error_message}
    data = {"code": 500, **error} if reply.error_bare else {"type": "error", "error": error, "request_id": None}
    return f"event: error\ndata: {json.dumps(data)}\n\n".encode()


def _id() -> dict[str, str]:
    return {"request-id": f"req_{secrets.token_hex(12)}"}


def as_json(data: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(data, status=status, headers=headers or _id())


def error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    named = _id()
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": named["request-id"]}
    return as_json(body, status, {**named, **(headers or {})})
