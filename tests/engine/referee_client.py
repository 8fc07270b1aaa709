"""Requests to a referee, by the SDK or as they stand, for the tests of the referee itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from anthropic import AsyncAnthropic

from tests.referee import (
    Referee,
    ThreadedReferee,
)

Json = dict[str, Any]
MODEL = "claude-sonnet-5-5"
TOOL: Json = {
    "name": "end_conversation",
    "description": "Ends the conversation.",
    "strict": True,
    "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()


def client_of(referee: Referee | ThreadedReferee, **options: Any) -> AsyncAnthropic:
    settings: Json = {"base_url": referee.base_url, "api_key": referee.key, "max_retries": 0, "timeout": 20} | options
    return AsyncAnthropic(**settings)


def request_of(*messages: Json, **more: Any) -> Json:
    return {"model": MODEL, "max_tokens": 1000, "messages": list(messages)} | more


def user(*content: Any) -> Json:
    return {"role": "user", "content": content[0] if content and isinstance(content[0], str) else list(content)}


def assistant(*content: Any) -> Json:
    return user(*content) | {"role": "assistant"}


def result(call: str, text: str = "Really?", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call, "content": text} | more


def text(words: str, **more: Any) -> Json:
    return {"type": "text", "text": words} | more


async def post(referee: Referee, body: Any, **headers: str) -> tuple[int, Json, Mapping[str, str]]:
    """A request as it stands, past everything the SDK would put right or refuse."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"authorization": f"Bearer {referee.key}", "anthropic-version": "2026-10-21"} | headers
    async with aiohttp.ClientSession(headers=sent) as client:
        answer = await client.post(f"{referee.base_url}/v1/messages", data=raw)
        return answer.status, await answer.json(), answer.headers


async def events_of(referee: Referee, body: Json | None = None) -> list[Any]:
    """The events of one stream, by the SDK."""
    async with client_of(referee) as client:
        stream = await client.messages.create(**(body or request_of(user("hello"))), stream=True)
        return [event async for event in stream]


async def turn(referee: Referee, body: Json) -> list[Json]:
    """The content of one whole answer, put together from its stream."""
    blocks: dict[int, Json] = {}
    partial: dict[int, str] = {}
    for event in await events_of(referee, body):
        if event.type == "content_block_start":
            blocks[event.index] = event.content_block.to_dict()
        elif event.type == "content_block_delta":
            block, delta = blocks[event.index], event.delta
            for name in ("text", "thinking", "signature"):
                if delta.type == f"{name}_delta":
                    block[name] = block.get(name, "") + getattr(delta, name)
            if delta.type == "input_json_delta":
                partial[event.index] = partial.get(event.index, "") + delta.partial_json
                block["input"] = {}
    for index, written in partial.items():
        blocks[index]["input"] = json.loads(written)
    return [blocks[index] for index in sorted(blocks)]
