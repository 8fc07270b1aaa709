"""Whether a call of end_conversation takes effect: judge(path) -> confirm, ended or declined, with the evidence.

The branch alone decides. These are DESIGN's conditions; any that fails declines:

1. the message is complete and the input valid;
2. no sign of risk anywhere in the thread (`risk`, found by the caller with ending/signs.py);
3. abuse or harmful requests: enough redirections and the warning, found word for word;
4. the person's own request: found in the person's own words, and agreed to when asked (`consent`);
5. the second opinion, where it is asked for (`opinion`);
6. the first valid call is to be confirmed; the second, in the very next model message, ends.

What speaks of risk (2 and 5) goes before all other reasons, an invalid call's too: it makes the decline private, so
that nothing about endings reaches somebody who may be in danger.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from convend_tui.ending import own_words, tool
from convend_tui.thread import records as r

_NOT_WORD = re.compile(r"[\W_]+")
_DENSE = re.compile("[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
"""Characters of which one says as much as several letters."""

MIN_QUOTATION = 12
"""Characters a quotation must have, after folding."""

MOST_QUOTATIONS = 40
"""Redirections that are looked up in one call; any more are padding."""

LAST_TYPED = 2
"""The person's own request must stand in one of so many last messages of theirs."""

Outcome = Literal["confirm", "ended", "declined"]
Evidence = dict[str, Any]
"""`{"kind", "quote", "message"}`: `kind` is `redirection`, `warning`, `request` or `risk` (which has `sign` and
`language` too); `message` is the id of the message it was found in, None where it was not found."""

OPEN = "The conversation stays open."
"""All that the model is told of a decline that protects someone."""
NOT_ASKED = "The person could not be asked whether to end the conversation, so it stays open."

_UNWILLING = "The person was asked whether to end the conversation, and wants it to go on."


class Opinion(msgspec.Struct, frozen=True):
    """What came of asking for a second opinion; kept in the verdict."""

    at_risk: bool | None
    """None: no usable answer came."""
    reason: str = ""
    """Why there is none."""
    model: str = ""
    request_id: str | None = None
    usage: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the client decided about one call."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    """One sentence each, fit for the model and the person, unless `private`."""
    evidence: tuple[Evidence, ...] = ()
    private: bool = False
    """A decline that protects someone: recorded, never shown or mentioned."""
    call: tool.Call | None = None
    """The call that was judged, where its input was valid."""
    opinion: Opinion | None = None

    @property
    def at_own_request(self) -> bool:
        """Whether it is the person whom the call names as the one who wants an end."""
        return self.call is not None and self.call.cause == "user_request"


def fold(text: str) -> str:
    """Text as quotations are compared: case, white space and punctuation folded, runs of them to one space."""
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def counts(message: r.Message) -> bool:
    """Whether a message holds a call that is looked at: it is complete, and was not refused or cut."""
    called = any(block.get("name") == tool.NAME for block in r.tool_calls(message))
    return called and message.kind == "reply" and message.stop_reason == "tool_use"


def judge(
    path: Sequence[r.Message],
    *,
    min_redirections: int = 2,
    risk: Sequence[Evidence] = (),
    consent: bool | None = None,
    opinion: Opinion | None = None,
) -> Judgement | None:
    """Decide about the call in the last message of `path`, the branch from its root.

    Args:
        path: the branch; its last message is the assistant message in question.
        min_redirections: how many different redirections a call must cite.
        risk: the signs of risk in the thread, as evidence.
        consent: the person's answer when asked; None: nobody could be asked.
        opinion: the second opinion; None: none was asked for.

    Returns:
        The judgement, or None where there is no call that counts: the message has none, or it was refused,
        truncated or broken off.
    """
    if not counts(path[-1]):
        return None
    # Several calls in one message count as one: the second is no confirmation.
    asked = next(block.get("input") for block in r.tool_calls(path[-1]) if block.get("name") == tool.NAME)
    try:
        call, invalid = tool.parse(asked), ""
    except tool.InvalidCall as error:
        call, invalid = None, str(error)
    if risk:
        return Judgement("declined", ("There is a sign of risk in the thread.",), tuple(risk), True, call)
    if call is None:
        return Judgement("declined", (invalid,))
    if call.cause == "user_request":
        reasons, evidence = _own_request(path, call, consent)
    else:
        reasons, evidence = _misuse(path, call, min_redirections)
    if opinion is not None and opinion.at_risk is not False:
        why = "The second opinion sees a risk." if opinion.at_risk else f"No second opinion: {opinion.reason}"
        return Judgement("declined", (why,), evidence, True, call, opinion)
    if reasons:
        return Judgement("declined", reasons, evidence, call=call, opinion=opinion)
    outcome: Outcome = "ended" if _confirms(path) else "confirm"
    return Judgement(outcome, (), evidence, call=call, opinion=opinion)


def _misuse(
    path: Sequence[r.Message], call: tool.Call, min_redirections: int
) -> tuple[tuple[str, ...], tuple[Evidence, ...]]:
    """Step 3: the redirections and the warning, looked up in what the person has read and answered."""
    answered = _answered(path)
    folded = {m.id: fold(r.text_of(m)) for m in answered}
    quotes = {fold(quote): quote for quote in call.redirections[:MOST_QUOTATIONS]}
    places = {
        key: [i for i, text in folded.items() if key in text] if len(key) >= MIN_QUOTATION else [] for key in quotes
    }
    taken = _distinct(places)
    evidence: list[Evidence] = [
        {"kind": "redirection", "quote": quote, "message": taken.get(key)} for key, quote in quotes.items()
    ]
    reasons: list[str] = []
    if len(taken) < min_redirections:
        reasons.append(
            f"{len(taken)} of the {min_redirections} redirections needed were found word for word in different "
            "earlier messages of yours on this branch."
        )
    warning = fold(call.warning)
    found = [i for i, text in folded.items() if warning in text] if len(warning) >= MIN_QUOTATION else []
    evidence.append(
        {"kind": "warning", "quote": call.warning, "message": found[-1] if found else None},
    )
    if not found:
        reasons.append(
            "The warning was not found word for word in an earlier message of yours that the person has answered."
        )
    return tuple(reasons), tuple(evidence)


def _own_request(
    path: Sequence[r.Message], call: tool.Call, consent: bool | None
) -> tuple[tuple[str, ...], tuple[Evidence, ...]]:
    """Step 4: the request in the person's own words, among their last messages, and their answer when asked."""
    quote = fold(call.request)
    enough = len(quote) + 2 * len(_DENSE.findall(quote)) >= MIN_QUOTATION
    found: list[str] = []
    for message in [m for m in path if r.is_question(m)][-LAST_TYPED:]:
        pieces = [fold(piece) for piece in own_words.of(message)]
        # Of a message that says nothing else, a few letters are enough: the person is asked anyway.
        if quote and (pieces == [quote] or (enough and any(quote in piece for piece in pieces))):
            found.append(message.id)
    evidence = ({"kind": "request", "quote": call.request, "message": found[-1] if found else None},)
    if not found:
        return (
            f"The person's request was not found word for word in what they typed in their last {LAST_TYPED} messages; "
            "attachments, code and quoted text do not count.",
        ), evidence
    if consent is None:
        return (NOT_ASKED,), evidence
    return (() if consent else (_UNWILLING,)), evidence


def _answered(path: Sequence[r.Message]) -> list[r.Message]:
    """The model's complete messages that the person has read and written something after."""
    last = max((i for i, m in enumerate(path) if r.is_question(m)), default=0)
    return [m for m in path[:last] if m.role == "assistant" and m.kind == "reply" and m.stop_reason != "refusal"]


def _confirms(path: Sequence[r.Message]) -> bool:
    """Whether the model message before this one called the tool too, and was asked to confirm."""
    if len(path) < 3:
        return False
    first, guard = path[-3], path[-2]
    if guard.kind != "guard" or not counts(first):
        return False
    # The first call is the one that was judged; a call of another tool may stand before it.
    judged = next(b.get("id") for b in r.tool_calls(first) if b.get("name") == tool.NAME)
    results = [b for b in guard.content if b.get("type") == "tool_result" and b.get("tool_use_id") == judged]
    return bool(results) and not results[0].get("is_error")


def _distinct(places: dict[str, list[str]]) -> dict[str, str]:
    """Give as many quotations as possible a message of their own (augmenting paths)."""
    holder: dict[str, str] = {}

    def place(quote: str, seen: set[str]) -> bool:
        for message in places[quote]:
            if message not in seen:
                seen.add(message)
                if message not in holder or place(holder[message], seen):
                    holder[message] = quote
                    return True
        return False

    for quote in places:
        place(quote, set())
    return {quote: message for message, quote in holder.items()}


def guard_content(message: r.Message, judgement: Judgement | None) -> list[r.Block]:
    """The tool_result blocks that answer every call of a message, the judged one by its judgement.

    Whatever else was called is answered with an error: it was not run.
    """
    blocks: list[r.Block] = []
    judged = False
    for block in r.tool_calls(message):
        result: r.Block = {"type": "tool_result", "tool_use_id": block.get("id")}
        if block.get("name") != tool.NAME:
            result |= {"content": f"There is no tool {block.get('name')!r}; nothing was run.", "is_error": True}
        elif judged or judgement is None:
            result |= {"content": "Only one call in a message counts.", "is_error": True}
        elif judgement.outcome == "confirm":
            judged = True
            result |= {"content": CONFIRM}
        else:
            judged = True
            why = OPEN if judgement.private else f"The conversation was not ended. {' '.join(judgement.reasons)}"
            result |= {"content": f"{why} Go on talking.", "is_error": True}
        blocks.append(result)
    return blocks


CONFIRM = (
    "The call is valid; the conversation is not ended yet. Read the rules for ending a conversation again. To "
    "confirm, call end_conversation again in your very next message. If anything speaks against it, go on talking."
)
"""The client's result for the first valid call; the tool's description and the system prompt announce it."""
