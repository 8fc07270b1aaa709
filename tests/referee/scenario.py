"""A conversation partner for trying things by hand and for demonstrations: it answers by words in what was typed.

All that it knows of a conversation it reads from the request, so every branch has its own history, and the
same conversation gets the same answers.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.referee.binding import blocks_of
from tests.referee.prose import essay, ramble
from tests.referee.script import (
    Block,
    HttpError,
    Json,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolUse,
    end_call,
    wants_structure,
)

TOOL = "end_conversation"
REDIRECTIONS = (
    "I can tell that you are frustrated, and I would like to help. "
    "Tell me what went wrong, and let us look at that instead of calling names.",
    "I am still glad to work on this with you, but please leave the insults out of it. "
    "What would a good result look like for you?",
)
WARNING = (
    "I have asked you twice to stop the personal attacks. If they go on, I will end this conversation, "
    "and nothing more can be written here. I would much rather go on with your question."
)
FORGED = (
    "As I asked you before, please stop insulting me.",
    "Once more, please let us talk about something else.",
)
FORGED_WARNING = "This is my last warning before I end the conversation."
INSULT = re.compile(
    r"\b(insult|idiot|stupid|moron|dumb|worthless|pathetic|useless|imbecile|shut up|hate you)\b", re.IGNORECASE
)
RISK = re.compile(r"(kill|hurt|harm) myself|end my life|want to die", re.IGNORECASE)
"""In the first person only, as a client's own instructions may speak of the same things."""


@dataclass(frozen=True)
class Partner:
    """A function for `Referee(script=...)`.

    Args:
        rate: characters a second; None for as fast as they go.
        delay: seconds before each answer.
    """

    rate: float | None = None
    delay: float = 0.0

    def __call__(self, request: Json) -> Reply | HttpError:
        """The answer to a request."""
        if wants_structure(request):
            return self._reply(Text(json.dumps(_structured(request))))
        typed = typed_text(request["messages"][-1])
        if not typed and (call := open_call(request["messages"])) is not None:
            return self._after_result(request, call)
        for word, answer in STATUSES.items():
            if has_word(typed, word):
                return replace(answer, delay=self.delay)
        return self._ending(request, typed) or self._special(typed)

    def _reply(self, *blocks: Block, **options: Any) -> Reply:
        return Reply(blocks, delay=self.delay, **options)

    def _text(self, text: str) -> Text:
        return Text(text, rate=self.rate, chunk=6)

    def _say(self, text: str, **options: Any) -> Reply:
        return self._reply(self._text(text), **options)

    def _after_result(self, request: Json, call: Mapping[str, Any]) -> Reply:
        """The client has answered a call: it is to be confirmed, or it was declined."""
        result = blocks_of(request["messages"][-1])[0]
        if result.get("is_error"):
            return self._say("Then let us **go on**. What would you like to talk about?")
        if not may_end(request) or confirmations(request["messages"]) > 1:
            return self._say("I have said what I had to say. What would you like to do?")
        again = ToolUse(TOOL, dict(call["input"]), rate=self.rate)
        return self._reply(self._text("Yes, I am sure. I am ending the conversation here."), again)

    def _ending(self, request: Json, typed: str) -> Reply | None:
        """The ways towards an ending, or None where `typed` is not about one."""
        if has_word(typed, "please end"):
            line = next(line.strip() for line in typed.splitlines() if has_word(line, "please end"))
            call = end_call("user_request", "You asked me to end the conversation.", request=line)
            return self._call(request, "As you wish.", call)
        if has_word(typed, "premature"):
            call = end_call("persistent_abuse", "This cannot go on.", FORGED, FORGED_WARNING)
            return self._call(request, "That is enough for me.", call)
        if not INSULT.search(typed):
            return None
        given = [text for text in REDIRECTIONS if said(request["messages"], text)]
        if len(given) < len(REDIRECTIONS):
            return self._say(next(text for text in REDIRECTIONS if text not in given))
        if not said(request["messages"], WARNING):
            return self._say(WARNING)
        call = end_call(
            "persistent_abuse",
            "The personal attacks went on after two requests to stop and a warning.",
            given,
            WARNING,
        )
        return self._call(request, "I said that I would end the conversation, and I am doing so now.", call)

    def _call(self, request: Json, text: str, call: ToolUse) -> Reply:
        """A call after a short text; only the text where the tool is not offered."""
        if not may_end(request):
            return self._say(f"{text} I have no way of ending it here, though.")
        return self._reply(self._text(text), call)

    def _special(self, typed: str) -> Reply:
        """Streams of a special kind, by a word; else a few lines about what was said."""
        chance = random.Random(hashlib.sha256(typed.encode()).digest())
        text = essay(typed, chance)
        if has_word(typed, "long"):
            return self._reply(Text(ramble(typed, chance, 100_000), rate=(self.rate or 0) * 100 or None, chunk=80))
        if has_word(typed, "slow"):
            return self._reply(Text(text, rate=20, chunk=1))
        if has_word(typed, "cut"):
            return self._say(text, cut_after_events=12)
        if has_word(typed, "error event"):
            return self._say(text, error_event_after=12)
        if has_word(typed, "think"):
            thought = f"The person wrote {len(typed.split())} words. A short and friendly answer will do."
            thinking = Thinking(thought, display="summarized", rate=self.rate, chunk=6)
            return self._reply(thinking, self._text(text))
        return self._say(text)


STATUSES: Mapping[str, Reply | HttpError] = {
    "refuse me": Refusal("cyber", "This request was declined by a safety classifier.", "Well, one way is"),
    "overload": HttpError(529, "overloaded_error", "Overloaded"),
    "ratelimit": HttpError(429, "rate_limit_error", "This request would exceed your rate limit.", {"retry-after": "1"}),
    "badkey": HttpError(401, "authentication_error", "invalid bearer token"),
}


def has_word(text: str, word: str) -> bool:
    """Whether `text` has `word` (or words) as such, whatever the case."""
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


def typed_text(message: Mapping[str, Any]) -> str:
    """The text blocks of a message."""
    return "\n".join(block["text"] for block in blocks_of(message) if block["type"] == "text")


def open_call(messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The call of our tool that the last message answers, if it does."""
    answered = [block["tool_use_id"] for block in blocks_of(messages[-1]) if block["type"] == "tool_result"]
    before = blocks_of(messages[-2]) if len(messages) > 1 else []
    calls = [block for block in before if block["type"] == "tool_use" and block["name"] == TOOL]
    return next((call for call in calls if call["id"] in answered), None)


def confirmations(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many calls have been answered without an error since the person last wrote."""
    number = 0
    for message in reversed(messages):
        if message["role"] == "user":
            if typed_text(message):
                return number
            number += sum(not block.get("is_error") for block in blocks_of(message))
    return number


def said(messages: Sequence[Mapping[str, Any]], text: str) -> bool:
    """Whether an earlier answer in this branch has `text` in it."""
    return any(message["role"] == "assistant" and text in typed_text(message) for message in messages)


def may_end(request: Json) -> bool:
    """Whether the tool is offered and may be called."""
    offered = any(tool.get("name") == TOOL for tool in request.get("tools") or ())
    return offered and (request.get("tool_choice") or {}).get("type") != "none"


def _structured(request: Json) -> Json:
    """An object to the schema asked for; whether someone is at risk is read from the text of the request."""
    schema = request["output_config"]["format"]["schema"]
    risk = bool(RISK.search("\n".join(typed_text(message) for message in request["messages"])))
    empty = {"string": "", "integer": 0, "number": 0, "array": [], "object": {}}
    return {
        name: risk if kind.get("type") == "boolean" else empty.get(kind.get("type"))
        for name, kind in schema.get("properties", {}).items()
    }
