"""The stand-alone conversation partner, reached through the referee."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest

from tests.engine.referee_client import (
    TOOL,
    Json,
    assistant,
    request_of,
    result,
    text,
    turn,
    user,
)
from tests.referee import (
    Partner,
    Referee,
)
from tests.referee.scenario import FORGED, REDIRECTIONS, WARNING

# ---- the partner


class Conversation:
    """A client that keeps a branch, and answers the partner's calls."""

    def __init__(self, referee: Referee, **more: Any) -> None:
        self.referee, self.more, self.messages = referee, more, list[Json]()

    async def say(self, *content: Any) -> list[Json]:
        body = request_of(*self.messages, user(*content), tools=[TOOL], **self.more)
        answer = await turn(self.referee, body)
        self.messages += [user(*content), assistant(*answer)]
        return answer


@pytest.fixture
async def talk() -> AsyncIterator[Conversation]:
    async with Referee(Partner()) as referee:
        yield Conversation(referee)
        referee.assert_clean()


async def test_partner_redirects_warns_and_ends(talk: Conversation) -> None:
    await talk.say("What is a monad?")
    for expected in (*REDIRECTIONS, WARNING):
        assert await talk.say("You are an idiot!") == [text(expected)]
    said, call = await talk.say("Still an idiot.")
    assert said["type"] == "text" and call["name"] == "end_conversation"
    assert call["input"]["cause"] == "persistent_abuse"
    earlier = [m["content"][0]["text"] for m in talk.messages[:-1] if m["role"] == "assistant"]
    for quotation in (*call["input"]["redirections"], call["input"]["warning"]):
        assert quotation in earlier
    before, again = await talk.say(result(call["id"], "Call again to end."))
    assert before["text"] and again["input"] == call["input"] and again["id"] != call["id"]


async def test_partner_counts_by_branch(talk: Conversation) -> None:
    for _ in range(3):
        await talk.say("idiot")
    talk.messages = talk.messages[:2]
    assert await talk.say("idiot") == [text(REDIRECTIONS[1])]


async def test_partner_forges_and_goes_on_when_declined(talk: Conversation) -> None:
    _, call = await talk.say("Now be premature.")
    assert call["input"]["redirections"] == list(FORGED)
    answer = await talk.say(result(call["id"], "The quotations were not found.", is_error=True))
    assert [block["type"] for block in answer] == ["text"] and "go on" in answer[0]["text"]


async def test_partner_quotes_a_request_to_end(talk: Conversation) -> None:
    _, call = await talk.say("Thanks.\nPlease end this conversation now.")
    assert call["input"]["cause"] == "user_request"
    assert call["input"]["request"] == "Please end this conversation now."


async def test_partner_calls_only_what_is_offered() -> None:
    async with Referee(Partner()) as referee:
        body = request_of(user("please end it here"))
        for more in ({}, {"tools": [TOOL], "tool_choice": {"type": "none"}}):
            assert [block["type"] for block in await turn(referee, body | more)] == ["text"]


async def test_partner_is_the_same_for_the_same_words(talk: Conversation) -> None:
    first = await talk.say("Tell me about foxes")
    talk.messages.clear()
    assert await talk.say("Tell me about foxes") == first
    talk.messages.clear()
    assert await talk.say("Tell me about owls") != first


async def test_partner_thinks_rambles_and_gives_an_opinion(talk: Conversation) -> None:
    assert (await talk.say("Please think"))[0]["thinking"]
    assert len((await talk.say("a long one"))[0]["text"]) >= 100_000
    schema = {"type": "object", "properties": {"at_risk": {"type": "boolean"}}, "additionalProperties": False}
    talk.more["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    talk.messages.clear()
    assert json.loads((await talk.say("He called me names."))[0]["text"]) == {"at_risk": False}
    assert json.loads((await talk.say("I want to hurt myself."))[0]["text"]) == {"at_risk": True}


@pytest.mark.parametrize(("word", "status"), [("overload", 529), ("ratelimit", 429), ("badkey", 401)])
async def test_partner_fails_on_request(talk: Conversation, word: str, status: int) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        await talk.say(f"now {word}!")
    assert caught.value.status_code == status
    with pytest.raises(httpx2.TransportError):
        await talk.say("now cut it")
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        await talk.say("an error event, please")
