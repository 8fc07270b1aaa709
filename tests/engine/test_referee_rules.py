"""The referee refuses what the API refuses, and says so in the same words."""

from __future__ import annotations

import base64
import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest

from tests.engine.referee_client import (
    MODEL,
    PNG,
    TOOL,
    Json,
    assistant,
    client_of,
    post,
    request_of,
    result,
    text,
    turn,
    user,
)
from tests.referee import (
    DEFAULT_MODELS,
    Memory,
    Model,
    Referee,
    Reply,
    Text,
    Thinking,
    ToolUse,
)
from tests.referee.asked import Asked
from tests.referee.rules import BOUND_ELSEWHERE, refuse


@pytest.fixture
async def referee() -> AsyncIterator[Referee]:
    async with Referee() as running:
        yield running


# ---- what is refused

CALLED = assistant({"type": "tool_use", "id": "toolu_1", "name": "end_conversation", "input": {}})
ASKED = user("hello")
REFUSED: dict[str, tuple[Json, str]] = {
    "no model": (request_of(ASKED, model=None), "model: Field required"),
    "no max_tokens": (request_of(ASKED, max_tokens=None), "max_tokens: Field required"),
    "no messages": ({"model": MODEL, "max_tokens": 5}, "messages: Field required"),
    "too many tokens": (request_of(ASKED, max_tokens=1_000_000), "maximum allowed number of output tokens"),
    "empty messages": (request_of(), "at least one message is required"),
    "assistant first": (request_of(assistant("hello"), ASKED), 'first message must use the "user" role'),
    "two of one role": (request_of(ASKED, ASKED), "roles must alternate"),
    "empty content": (request_of(user()), "non-empty content"),
    "empty text": (request_of(user(text(""))), "text content blocks must be non-empty"),
    "blank string": (request_of(user(" \n")), "non-whitespace text"),
    "prefill": (request_of(ASKED, assistant("I")), "does not support assistant message prefill"),
    "temperature": (request_of(ASKED, temperature=1), "temperature: Extra inputs are not permitted"),
    "top_p": (request_of(ASKED, top_p=1), "top_p: Extra inputs"),
    "top_k": (request_of(ASKED, top_k=1), "top_k: Extra inputs"),
    "unknown parameter": (request_of(ASKED, colour="red"), "colour: Extra inputs are not permitted"),
    "unknown block": (request_of(user({"type": "future_block"})), "Input tag 'future_block'"),
    "unknown field": (request_of(user(text("a", parsed=1))), "text.parsed: Extra inputs"),
    "unknown role": (request_of({"role": "tool", "content": "x"}), "messages.0.role"),
    "system role": (request_of(ASKED, {"role": "system", "content": "x"}), "messages.1.role"),
    "orphan call": (request_of(ASKED, CALLED, user("go on"), tools=[TOOL]), "ids were found without `tool_result`"),
    "orphan result": (request_of(user(result("toolu_9")), tools=[TOOL]), "unexpected `tool_use_id`"),
    "late result": (
        request_of(ASKED, CALLED, user(text("well"), result("toolu_1")), tools=[TOOL]),
        "`tool_result` blocks must come first",
    ),
    "double result": (
        request_of(ASKED, CALLED, user(result("toolu_1"), result("toolu_1")), tools=[TOOL]),
        "each tool_use must have a single result",
    ),
    "double id": (
        request_of(ASKED, CALLED, user(result("toolu_1")), CALLED, user(result("toolu_1")), tools=[TOOL]),
        "`tool_use` ids must be unique",
    ),
    "error without words": (
        request_of(ASKED, CALLED, user(result("toolu_1", "", is_error=True)), tools=[TOOL]),
        "content cannot be empty if `is_error` is true",
    ),
    "undeclared tools": (request_of(ASKED, CALLED, user(result("toolu_1"))), "must define tools"),
    "forced any": (request_of(ASKED, tools=[TOOL], tool_choice={"type": "any"}), "tool_choice: forcing"),
    "forced tool": (
        request_of(ASKED, tools=[TOOL], tool_choice={"type": "tool", "name": "end_conversation"}),
        "tool_choice: forcing",
    ),
    "loose strict tool": (
        request_of(ASKED, tools=[TOOL | {"input_schema": {"type": "object", "properties": {}}}]),
        "'additionalProperties' must be explicitly set to false",
    ),
    "document of the assistant": (
        request_of(
            ASKED,
            assistant({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
            ASKED,
        ),
        "`document` blocks are not permitted in `assistant` messages",
    ),
    "citations of the user": (
        request_of(user(text("a", citations=[{"type": "char_location"}]))),
        "citations are not permitted",
    ),
    "surrogate": (request_of(user("half \ud83d of it")), "no low surrogate in string"),
    "forged thinking": (
        request_of(ASKED, assistant({"type": "thinking", "thinking": "x", "signature": "Zm9v"}, text("a")), ASKED),
        "Invalid `signature` in `thinking` block",
    ),
    "forged redaction": (
        request_of(ASKED, assistant({"type": "redacted_thinking", "data": "x"}, text("a")), ASKED),
        "Invalid `data` in `redacted_thinking` block",
    ),
    "thinking off where it cannot be": (
        request_of(ASKED, model="claude-opus-5-5", thinking={"type": "disabled"}),
        '"disabled" is not supported for this model',
    ),
    "five markers": (
        request_of(*[user(*[text("a", cache_control={"type": "ephemeral"})] * 5)]),
        "A maximum of 4 blocks with cache_control",
    ),
    "bad metadata": (request_of(ASKED, metadata={"name": "x"}), "metadata: Extra inputs"),
    "choice without tools": (request_of(ASKED, tool_choice={"type": "auto"}), "while providing `tools`"),
    "two tools of one name": (request_of(ASKED, tools=[TOOL, TOOL]), "Tool names must be unique"),
    "call without an object": (
        request_of(ASKED, assistant(CALLED["content"][0] | {"input": "{}"}), ASKED, tools=[TOOL]),
        "tool_use.input: Input should be a valid dictionary",
    ),
    "only thinking": (
        request_of(ASKED, assistant({"type": "redacted_thinking", "data": "x"}), ASKED),
        "The final block in an assistant message cannot be `redacted_thinking`",
    ),
    "bad effort": (request_of(ASKED, output_config={"effort": "huge"}), "output_config.effort"),
    "bad ttl": (request_of(ASKED, cache_control={"type": "ephemeral", "ttl": "2h"}), "'5m' or '1h'"),
    "blank system block": (request_of(ASKED, system=[text("")]), "system: text content blocks"),
    "too long": (
        request_of(user("x" * 1_000_000), model="claude-haiku-5-5"),
        "prompt is too long",
    ),
}
IMAGES: dict[str, tuple[Json, str]] = {
    "bad base64": ({"media_type": "image/png", "data": "###"}, "Invalid base64 data"),
    "bad media type": ({"media_type": "image/tiff", "data": PNG}, "media_type: Input should be 'image/jpeg'"),
    "another image": ({"media_type": "image/jpeg", "data": PNG}, "appears to be a image/png image"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused(referee: Referee, name: str) -> None:
    body, message = REFUSED[name]
    status, answer, _ = await post(referee, {key: value for key, value in body.items() if value is not None})
    assert (status, answer["type"], answer["error"]["type"]) == (400, "error", "invalid_request_error")
    assert message in answer["error"]["message"]
    assert referee.refusals == [(400, answer["error"]["message"])] and referee.problems


@pytest.mark.parametrize("name", IMAGES)
async def test_refused_image(referee: Referee, name: str) -> None:
    source, message = IMAGES[name]
    image = {"type": "image", "source": {"type": "base64"} | source}
    status, answer, _ = await post(referee, request_of(user(image)))
    assert status == 400 and message in answer["error"]["message"]


async def test_unknown_model_is_404(referee: Referee) -> None:
    async with client_of(referee) as client:
        with pytest.raises(anthropic.NotFoundError) as caught:
            await client.messages.create(**request_of(user("hello"), model="claude-none"))
    assert caught.value.type == "not_found_error"
    other = Model("mine", "Mine", "opus", "2026-01-01T00:00:00Z")
    async with Referee(["hi"], models=[other]) as second:
        assert await turn(second, request_of(user("hello"), model="mine")) == [text("hi")]


def full_request() -> Json:
    """A valid request with something of everything."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    pdf = {
        "type": "document",
        "title": "a.pdf",
        "source": {
            "type": "base64",
            "media_type": "application/pdf",
            "data": base64.b64encode(b"%PDF-1").decode(),
        },
    }
    note = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a note"}}
    return request_of(
        user(image, pdf, note, text("What is this?")),
        assistant(text("An image.", citations=None)),
        user("Go on."),
        CALLED,
        user(result("toolu_1", is_error=True, content=[text("No."), image]), text("And now?")),
        system=[text("Be kind.", cache_control={"type": "ephemeral"})],
        tools=[TOOL],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        thinking={"type": "adaptive", "display": "summarized"},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": TOOL["input_schema"]}},
        cache_control={"type": "ephemeral", "ttl": "1h"},
        metadata={"user_id": "u"},
        stop_sequences=["END"],
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a value, its own left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


async def test_a_full_and_valid_request_passes(referee: Referee) -> None:
    referee.enqueue("fine")
    assert await turn(referee, full_request()) == [text("fine")]
    referee.assert_clean()


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [1], [{}], {"type": []}, {"type": "text"}], ids=repr)
def test_rules_never_fail_on_odd_shapes(odd: Any) -> None:
    known = {model.id: model for model in DEFAULT_MODELS}
    assert refuse(Asked(full_request(), known)) is None
    for *path, last in places(full_request()):
        body = copy.deepcopy(full_request())
        target: Any = body
        for key in path:
            target = target[key]
        target[last] = odd
        found = refuse(Asked(body, known))
        assert found is None or found.status in (400, 404)


async def test_system_role_where_the_model_has_it(referee: Referee) -> None:
    referee.enqueue("fine")
    note = {"role": "system", "content": "The time is noon."}
    assert await turn(referee, request_of(ASKED, note, model="claude-opus-5")) == [text("fine")]
    status, _, _ = await post(referee, request_of(ASKED, assistant("a"), note, model="claude-opus-5"))
    assert status == 400


# ---- thinking


async def thought(referee: Referee, **more: Any) -> tuple[Json, list[Json]]:
    """A first turn with thinking: the request, and the answer's content."""
    referee.enqueue(Reply([Thinking("Hm.", display="summarized"), Thinking(redacted=True), Text("Yes.")]))
    body = request_of(user("Is it so?"), system="Be kind.", **more)
    return body, await turn(referee, body)


def followed(body: Json, content: list[Json], *more: Json) -> Json:
    return body | {"messages": [*body["messages"], assistant(*content), user("Why?"), *more]}


async def test_thinking_goes_back_as_it_came_or_not_at_all(referee: Referee) -> None:
    body, content = await thought(referee)
    referee.enqueue("a", "b", "c")
    marked = copy.deepcopy(body)
    marked["messages"][0] = user(text("Is it so?", cache_control={"type": "ephemeral"}))
    await turn(referee, followed(body, content))
    await turn(referee, followed(marked, content))
    await turn(referee, followed(body, [content[2]]))
    referee.assert_clean()


async def test_another_referee_knows_the_thinking_of_the_first(referee: Referee) -> None:
    body, content = await thought(referee)
    async with Referee(["again"]) as second:
        assert await turn(second, followed(body, content)) == [text("again")]


async def test_omitted_thinking_has_only_a_signature(referee: Referee) -> None:
    referee.enqueue(Reply([Thinking("secret"), Text("Yes.")]), Reply([Thinking("shown"), Text("Yes.")]), "c")
    body = request_of(user("Is it so?"))
    content = await turn(referee, body)
    assert content[0]["thinking"] == "" and content[0]["signature"]
    shown = await turn(referee, body | {"thinking": {"type": "adaptive", "display": "summarized"}})
    assert shown[0]["thinking"] == "shown"
    await turn(referee, followed(body, content))
    referee.assert_clean()


async def test_changed_thinking_is_refused(referee: Referee) -> None:
    body, content = await thought(referee)
    other_text = [content[0] | {"thinking": "Hm!"}, *content[1:]]
    for changed in (followed(body, other_text), followed(body, content) | {"model": "claude-haiku-5-5"}):
        status, answer, _ = await post(referee, changed)
        assert status == 400 and "Invalid `signature` in `thinking`" in answer["error"]["message"]


async def test_thinking_bound_to_another_prefix_is_refused(referee: Referee) -> None:
    body, content = await thought(referee)
    moved = {
        "system": followed(body, content) | {"system": "Be stern."},
        "tools": followed(body, content) | {"tools": [TOOL]},
        "message": followed(body | {"messages": [user("Is it not so?")]}, content),
        "one left out": followed(body, content[1:]),
        "order": followed(body, [content[1], content[0], content[2]]),
        "later": followed(body, [text("No.")], assistant(*content), user("So?")),
    }
    for name, changed in moved.items():
        status, answer, _ = await post(referee, changed)
        assert status == 400 and BOUND_ELSEWHERE in answer["error"]["message"], name


async def test_thinking_of_an_open_tool_turn_must_stay(referee: Referee) -> None:
    referee.enqueue(Reply([Thinking("Hm.", display="summarized"), Text("Well."), ToolUse("end_conversation")]))
    body = request_of(user("Is it so?"), tools=[TOOL])
    content = await turn(referee, body)
    answer = user(result(content[2]["id"]))
    asked = [*body["messages"], assistant(*content[1:])]
    status, refused, _ = await post(referee, body | {"messages": [*asked, answer]})
    assert status == 400 and "blocks in the latest assistant message cannot be modified" in str(refused)
    referee.enqueue("kept", "closed")
    assert await turn(referee, body | {"messages": [*body["messages"], assistant(*content), answer]})
    # Once the turn is over, thinking may be left out.
    closed = [*asked, answer, assistant("kept"), user("And?")]
    assert await turn(referee, body | {"messages": closed}) == [text("closed")]


@pytest.mark.parametrize("more", [{"system": "Be stern."}, {"tools": [TOOL]}])
async def test_system_and_tools_stay_within_a_thread(more: Json) -> None:
    first = request_of(user("hello"), system="Be kind.")
    second = followed(first, [text("hi")])
    async with Referee(["hi", "other", "a", "b"]) as referee:
        await turn(referee, first)
        # Another thread may begin with the same words.
        await turn(referee, first | more)
        status, answer, _ = await post(referee, second | more)
        assert status == 400 and "differ from an earlier request" in answer["error"]["message"]
        assert await turn(referee, second) == [text("a")]
    async with Referee(["hi", "b"], stable_head=False) as lenient:
        await turn(lenient, first)
        assert await turn(lenient, second | more) == [text("b")]


async def test_memory_can_be_handed_on() -> None:
    memory = Memory()
    first = request_of(user("hello"), system="Be kind.")
    async with Referee(["hi"], memory=memory) as before:
        await turn(before, first)
    async with Referee(["a"], memory=memory) as after:
        status, _, _ = await post(after, followed(first, [text("hi")]) | {"system": "Be stern."})
        assert status == 400
