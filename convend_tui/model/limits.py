"""What a server may take before its answer begins: of time, however it drips, and of memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

_MOST = 16 * 1024 * 1024
"""Bytes that are read of a list of models; no server has reason to send more."""
_MOST_OF_ERROR = 2 * 1024 * 1024
"""Bytes that are read of an answer that is an error."""

_limit: ContextVar[asyncio.Timeout] = ContextVar("limit")


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Wait at most `seconds` for the head of an answer, and for an error's body, from when the request has left: how
    long it takes to connect and to send is limited elsewhere. Needs a client with `hooks`.

    Raises:
        TimeoutError: it did not come.
    """
    async with asyncio.timeout(None) as limit:
        token = _limit.set(limit)
        try:
            yield
        finally:
            _limit.reset(token)


def hooks(seconds: float, shortened: Callable[[Any, int], Any]) -> dict[str, Any]:
    """The `event_hooks` of an httpx client by which `patience` knows where its request is.

    Args:
        seconds: of patience.
        shortened: the stream of a response, cut after so many bytes.
    """

    async def traced(name: str, _info: object) -> None:
        limit = _limit.get(None)
        if limit is None:
            return
        # Behind a proxy both come twice: for the way through it, and for the request itself.
        if name.endswith(".send_request_headers.started"):
            limit.reschedule(None)
        elif name.endswith(".receive_response_headers.started"):
            limit.reschedule(asyncio.get_running_loop().time() + seconds)

    async def leaves(request: Any) -> None:
        request.extensions = {**request.extensions, "trace": traced}

    async def answers(response: Any) -> None:
        if not response.is_success:
            response.stream = shortened(response.stream, _MOST_OF_ERROR)
        elif response.request.method == "GET":
            response.stream = shortened(response.stream, _MOST)

    return {"request": [leaves], "response": [answers]}
