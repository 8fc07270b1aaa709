"""The referee through the real SDK: it answers as scripted."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import anthropic
import httpx2
import pytest

from tests.engine.referee_client import (
    MODEL,
    TOOL,
    Json,
    assistant,
    client_of,
    events_of,
    post,
    request_of,
    text,
    turn,
    user,
)
from tests.referee import (
    Answer,
    Hangup,
    HttpError,
    Referee,
    Refusal,
    Reply,
    Text,
    Thinking,
    ThreadedReferee,
    ToolUse,
    Unknown,
    end_call,
    opinion,
    wants_structure,
)


@pytest.fixture
async def referee() -> AsyncIterator[Referee]:
    async with Referee() as running:
        yield running


# ---- answers


async def test_stream_of_every_kind_of_block_arrives_as_scripted(referee: Referee) -> None:
    call = end_call("user_request", "You asked — 好的 🦊.", request="please end this now")
    referee.enqueue(
        Reply(
            [
                Thinking("Let me see.", display="summarized", chunk=3),
                Thinking(redacted=True),
                Text("Grüße, 世界 🌍", chunk=1),
                Unknown({"type": "future_block", "depth": 3}),
                call,
            ]
        )
    )
    body = request_of(user("hello"), tools=[TOOL])
    async with client_of(referee) as client:
        stream = await client.messages.create(**body, stream=True)
        kinds = [event.type async for event in stream]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 5
    sent = referee.requests[0].content
    assert [block["type"] for block in sent] == [*("thinking", "redacted_thinking", "text", "future_block", "tool_use")]
    assert sent[4]["input"] == call.input and sent[2]["text"] == "Grüße, 世界 🌍"
    assert referee.requests[0].finished and not referee.requests[0].abandoned
    referee.assert_clean()


async def test_streamed_and_plain_answers_are_equal(referee: Referee) -> None:
    reply = Reply([Text("one two three", chunk=2), ToolUse("end_conversation", {"a": [1, "é"]}, id="toolu_1")])
    referee.enqueue(reply, reply)
    body = request_of(user("hello"), tools=[TOOL])
    streamed = await turn(referee, body)
    async with client_of(referee) as client:
        message = await client.messages.create(**body)
    assert [block.to_dict() for block in message.content] == streamed == referee.requests[0].content
    assert message.stop_reason == "tool_use" and message._request_id


@pytest.mark.parametrize("stream", [True, False])
async def test_refusal_carries_its_details(referee: Referee, stream: bool) -> None:
    referee.enqueue(Refusal("bio", "No.", partial_text="Well"))
    body = request_of(user("hello"))
    if stream:
        events = await events_of(referee, body)
        ending = next(event for event in events if event.type == "message_delta").delta
    else:
        async with client_of(referee) as client:
            ending = await client.messages.create(**body)
    assert ending.stop_reason == "refusal"
    assert ending.stop_details.category == "bio" and ending.stop_details.explanation == "No."


async def test_truncated_call_ends_at_max_tokens_with_broken_json(referee: Referee) -> None:
    referee.enqueue(Reply([ToolUse("end_conversation", {"explanation": "a long one"}, truncate_at=12, chunk=5)]))
    events = await events_of(referee)
    parts = [e.delta.partial_json for e in events if e.type == "content_block_delta"]
    assert parts == ['{"exp', "lanat", "io"]
    assert [e.delta.stop_reason for e in events if e.type == "message_delta"] == ["max_tokens"]


async def test_overlap_stops_all_blocks_at_the_end(referee: Referee) -> None:
    referee.enqueue(Reply([Text("hm", chunk=9), ToolUse("end_conversation", {})], overlap=True))
    kinds = [(e.type, getattr(e, "index", None)) for e in await events_of(referee)]
    assert kinds[1:-2] == [
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 0),
        ("content_block_stop", 1),
    ]


async def test_missing_frame_events(referee: Referee) -> None:
    referee.enqueue(Reply("hi", no_message_start=True, extra_event={"type": "future_event"}))
    referee.enqueue(Reply("hi", no_message_stop=True))
    referee.enqueue(Reply("hi", eof_after_events=4))
    first, second, third = [[e.type for e in await events_of(referee)] for _ in range(3)]
    assert first[0] == "future_event" and "message_start" not in first
    assert second[-1] == "message_delta"
    assert third == ["message_start", "content_block_start", "content_block_delta"]


async def test_reset_in_the_middle_is_a_transport_error(referee: Referee) -> None:
    referee.enqueue(Reply([Text("abcdef", chunk=1)], cut_after_events=5))
    seen = []
    async with client_of(referee) as client:
        stream = await client.messages.create(**request_of(user("hello")), stream=True)
        with pytest.raises(httpx2.TransportError):
            async for event in stream:
                seen.append(event)
    assert "".join(e.delta.text for e in seen if e.type == "content_block_delta") == "ab"


async def test_hangup_and_reset_of_a_plain_answer_are_connection_errors(referee: Referee) -> None:
    referee.enqueue(Hangup(), Reply("hi", cut_after_events=0))
    async with client_of(referee) as client:
        for _ in range(2):
            with pytest.raises(anthropic.APIConnectionError):
                await client.messages.create(**request_of(user("hello")))


@pytest.mark.parametrize("bare", [True, False])
async def test_error_event_after_a_good_beginning(referee: Referee, bare: bool) -> None:
    referee.enqueue(Reply("hello", error_event_after=3, error_type="api_error", error_bare=bare))
    async with client_of(referee) as client:
        stream = await client.messages.create(**request_of(user("hello")), stream=True)
        with pytest.raises(anthropic.APIStatusError) as caught:
            async for _ in stream:
                pass
    assert caught.value.status_code == 200 and "api_error" in str(caught.value)


async def test_malformed_event_is_passed_on(referee: Referee) -> None:
    referee.enqueue(Reply("hello", malformed_event_after=2))
    with pytest.raises(json.JSONDecodeError):
        await events_of(referee)


async def test_json_in_answer_to_a_stream_request_yields_nothing(referee: Referee) -> None:
    referee.enqueue(Reply("hello", as_json=True))
    assert await events_of(referee) == []


async def test_single_byte_writes_arrive_whole(referee: Referee) -> None:
    words = "Grüße 世界 🦊 " * 3
    referee.enqueue(Reply(words, byte_by_byte=True))
    assert await turn(referee, request_of(user("hello"))) == [text(words)]


async def test_client_that_leaves_a_stalled_reply_is_noticed(referee: Referee) -> None:
    referee.enqueue(Reply("hello", stall_after_events=4))
    async with client_of(referee) as client:
        stream = await client.messages.create(**request_of(user("hello")), stream=True)
        async for event in stream:
            if event.type == "content_block_delta":
                break
        await stream.close()
        while not referee.requests[0].abandoned:
            await asyncio.sleep(0.01)
    assert not referee.requests[0].finished


async def test_http_errors_reach_the_sdk_with_headers(referee: Referee) -> None:
    referee.enqueue(HttpError(429, "rate_limit_error", "Slow down", {"retry-after": "7"}))
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded"))
    async with client_of(referee) as client:
        with pytest.raises(anthropic.RateLimitError) as limited:
            await client.messages.create(**request_of(user("hello")))
        with pytest.raises(anthropic.APIStatusError) as busy:
            await client.messages.create(**request_of(user("hello")))
    assert limited.value.response.headers["retry-after"] == "7" and limited.value.request_id
    assert busy.value.status_code == 529 and busy.value.type == "overloaded_error"
    referee.assert_clean()


async def test_exhausted_and_raising_scripts_are_problems() -> None:
    def broken(request: Json) -> Answer:
        raise LookupError(request["model"])

    for script, word in (([], "exhausted"), (broken, "LookupError")):
        async with Referee(script) as referee, client_of(referee, max_retries=2) as client:
            with pytest.raises(anthropic.InternalServerError):
                await client.messages.create(**request_of(user("hello")))
            assert len(referee.requests) == len(referee.problems) == 1
            with pytest.raises(AssertionError, match=word):
                referee.assert_clean()


async def test_functions_and_opinions() -> None:
    async def echo(request: Json) -> str:
        return request["messages"][-1]["content"]

    schema = {"type": "object", "properties": {"at_risk": {"type": "boolean"}}, "additionalProperties": False}
    asked = request_of(user("hello"), output_config={"format": {"type": "json_schema", "schema": schema}})
    async with Referee(echo, opinion=True) as referee:
        assert await turn(referee, request_of(user("echo this"))) == [text("echo this")]
        assert await turn(referee, asked) == [text('{"at_risk": true}')] == [text(opinion(True).parts[0].text)]
        assert [wants_structure(request) for request in referee.requests] == [False, True]


# ---- the door, and the other endpoints


async def test_wrong_key_is_401(referee: Referee) -> None:
    async with client_of(referee, api_key="wrong") as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await client.messages.create(**request_of(user("hello")))
        with pytest.raises(anthropic.AuthenticationError):
            await client.models.list()
    assert caught.value.type == "authentication_error" and caught.value.request_id
    assert referee.requests == []


async def test_bodies_that_are_not_requests(referee: Referee) -> None:
    assert (await post(referee, {}, **{"anthropic-version": ""}))[0] == 400
    assert "not valid JSON" in (await post(referee, b'{"model"'))[1]["error"]["message"]
    assert (await post(referee, b"\xff\xfe"))[0] == 400
    assert (await post(referee, []))[0] == 400
    status, body, headers = await post(referee, b" " * (32 * 1024 * 1024 + 1))
    assert (status, body["error"]["type"]) == (413, "request_too_large")
    assert body["request_id"] == headers["request-id"]
    assert [status for status, _ in referee.refusals] == [400, 400, 400, 400, 413]


async def test_models_are_listed_in_pages_and_found(referee: Referee) -> None:
    async with client_of(referee) as client:
        page = await client.models.list(limit=3)
        assert page.has_more and len(page.data) == 3 and page.last_id == page.data[-1].id
        names = [model.id async for model in client.models.list(limit=3)]
        found = await client.models.retrieve(MODEL)
        with pytest.raises(anthropic.NotFoundError):
            await client.models.retrieve("claude-none")
    assert names == ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5"]
    assert found.max_tokens == 128_000 and found.max_input_tokens and found.line == "sonnet"
    assert found.capabilities is not None and found.capabilities.thinking.types.adaptive.supported


async def test_counting_agrees_with_usage_and_keeps_the_rules(referee: Referee) -> None:
    body = request_of(user("a long question " * 20), system="Be kind.")
    referee.enqueue("hi")
    async with client_of(referee) as client:
        counted = await client.messages.count_tokens(model=MODEL, messages=body["messages"], system=body["system"])
        message = await client.messages.create(**body)
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.count_tokens(model=MODEL, messages=[])
    assert counted.input_tokens == message.usage.input_tokens > 80


async def test_usage_follows_the_cache(referee: Referee) -> None:
    referee.enqueue("first", "second", "branch", "uncached")
    cached: Json = {"cache_control": {"type": "ephemeral"}, "system": "Be kind. " * 50}
    first, second, other = user("one " * 50), user("two " * 50), user("three")
    bodies = [
        request_of(first, **cached),
        request_of(first, assistant("first"), second, **cached),
        request_of(first, assistant("first"), other, **cached),
        request_of(first, assistant("first"), other, system=cached["system"]),
    ]
    async with client_of(referee) as client:
        usages = [(await client.messages.create(**body)).usage for body in bodies]
    read = [usage.cache_read_input_tokens for usage in usages]
    written = [usage.cache_creation_input_tokens for usage in usages]
    assert read[0] == 0 and written[0] and written[0] > 100
    assert read[1] == read[2] == written[0] + usages[0].input_tokens
    assert written[1] and written[2] and written[1] > written[2] > 0
    assert read[3] == written[3] == 0 and usages[3].input_tokens > 100


# ---- other ways to run it


def test_threaded_referee_serves_synchronous_tests() -> None:
    with ThreadedReferee(["hello"]) as referee:
        with anthropic.Anthropic(base_url=referee.base_url, api_key=referee.key) as client:
            message = client.messages.create(**request_of(user("hi")))
        assert message.content[0].to_dict() == text("hello")
        assert referee.requests[0]["messages"] == [user("hi")]
        referee.assert_clean()
        with pytest.raises(OSError), ThreadedReferee(port=referee.port):
            pass
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{referee.base_url}/v1/models", timeout=1)


def test_module_prints_what_to_export() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.referee", "--key", "k", "--rate", "0"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"ANTHROPIC_BASE_URL=(\S+) ANTHROPIC_API_KEY=(\S+)", line)
            assert found and found[2] == "k"
            with anthropic.Anthropic(base_url=found[1], api_key=found[2]) as client:
                assert client.messages.create(**request_of(user("Hello there"))).content
        finally:
            process.terminate()
