"""What the referee refuses. `CHECKS` is the whole list, asked in order; the first objection is the answer.

Each check is a pure function of the request and of what is remembered of earlier ones. The checks of single
parameters stand in shapes.py, those of single blocks in blocks.py; here are those of the order of the
conversation and of its history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.referee import blocks, shapes
from tests.referee.asked import Asked, Check, Objection
from tests.referee.binding import THINKING, blocks_of, canonical, head, prefix_hash, seal_of
from tests.referee.memory import opening

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request body; more is a 413."""
BOUND_ELSEWHERE = "The block is bound to a different conversation"
MODIFIED = (
    "thinking or redacted_thinking blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)


def first_is_user(asked: Asked) -> str | None:
    """A conversation begins with the person."""
    if asked.messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    return None


def roles_alternate(asked: Asked) -> str | None:
    """Stricter than the API, which merges: the client promises to have merged."""
    for before, message in zip(asked.messages, asked.messages[1:], strict=False):
        if before["role"] == (role := message["role"]):
            return (
                'messages: roles must alternate between "user" and "assistant", '
                f'but found multiple "{role}" roles in a row'
            )
    return None


def system_role_in_place(asked: Asked) -> str | None:
    """A `system` message, where the model knows them: after a user turn, and last or before the assistant."""
    messages = asked.messages
    for number, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if not asked.model.system_role:
            return f"messages.{number}.role: Input should be 'user' or 'assistant'"
        follows = messages[number + 1]["role"] if number + 1 < len(messages) else "assistant"
        if messages[number - 1]["role"] != "user" or follows != "assistant":
            return f"messages.{number}: `system` messages must come right after a `user` message"
    return None


def no_prefill(asked: Asked) -> str | None:
    """The last word is the person's."""
    if asked.messages[-1]["role"] == "assistant":
        return "This model does not support assistant message prefill. The conversation must end with a user message."
    return None


def call_ids_unique(asked: Asked) -> str | None:
    """One id, one call, one result."""
    seen: set[tuple[str, str]] = set()
    for where, _, block in asked.blocks():
        name = {"tool_use": "id", "tool_result": "tool_use_id"}.get(block["type"])
        if name is None:
            continue
        if (key := (block["type"], block[name])) in seen:
            if name == "id":
                return f"{where}: `tool_use` ids must be unique"
            return (
                f"each tool_use must have a single result. Found multiple `tool_result` blocks with id: {block[name]}"
            )
        seen.add(key)
    return None


def calls_answered(asked: Asked) -> str | None:
    """Every call has its result in the very next message."""
    for number, message in enumerate(asked.messages):
        results = _ids(asked.messages[number + 1], "tool_result") if number + 1 < len(asked.messages) else []
        if missing := [name for name in _ids(message, "tool_use") if name not in results]:
            return (
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding "
                "`tool_result` block in the next message."
            )
    return None


def results_asked_for(asked: Asked) -> str | None:
    """Every result belongs to a call of the message just before."""
    for number, message in enumerate(asked.messages):
        calls = _ids(asked.messages[number - 1], "tool_use") if number else []
        for name in _ids(message, "tool_result"):
            if name not in calls:
                return (
                    f"messages.{number}.content: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{name}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message."
                )
    return None


def results_first(asked: Asked) -> str | None:
    """Nothing stands before the results in their message."""
    for number, message in enumerate(asked.messages):
        kinds = [block["type"] == "tool_result" for block in blocks_of(message)]
        if kinds != sorted(kinds, reverse=True):
            return (
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                "`tool_result` blocks must come first in the content of the message."
            )
    return None


def thinking_genuine(asked: Asked) -> str | None:
    """Signed by a referee, for this text and this model."""
    for where, _, block in asked.blocks():
        if block["type"] not in THINKING:
            continue
        found = seal_of(block)
        if found is None or found.model != asked.body["model"]:
            name = "signature" if block["type"] == "thinking" else "data"
            return f"{where}: Invalid `{name}` in `{block['type']}` block"
    return None


def thinking_in_its_place(asked: Asked) -> str | None:
    """All that stood before a thinking block when it was made still stands before it."""
    for number, message in enumerate(asked.messages):
        expected: str | None = None
        seen: dict[str, int] = {}
        for index, block in enumerate(blocks_of(message)):
            if block["type"] not in THINKING or (found := seal_of(block)) is None:
                continue
            if expected is None:
                expected = prefix_hash(asked.body, asked.messages[:number])
            if found.prefix != expected or found.place != seen.get(found.reply, 0):
                return f"messages.{number}.content.{index}: {BOUND_ELSEWHERE}"
            seen[found.reply] = found.place + 1
    return None


def open_turn_untouched(asked: Asked) -> str | None:
    """Within a tool-use turn that is still open, the model's thinking goes back just as it came.

    Where the person has written since (a call that a crash left without its result), it may be left out whole.
    """
    for number in range(len(asked.messages) - 2, 0, -2):
        message, answer = asked.messages[number], asked.messages[number + 1]
        if not _ids(answer, "tool_result"):
            return None
        have = [canonical(block) for block in blocks_of(message) if block["type"] in THINKING]
        typed = any(block["type"] != "tool_result" for block in blocks_of(answer))
        for name in _ids(message, "tool_use"):
            model, sent = asked.memory.called.get(name, ("", have))
            if model == asked.body["model"] and have != sent and (have or not typed):
                return f"messages.{number}.content: {MODIFIED}"
    return None


def head_unchanged(asked: Asked) -> str | None:
    """The client's promise, not the API's rule: `system` and `tools` never change within a thread."""
    if not asked.stable_head or len(asked.messages) < 2:
        return None
    key = opening(asked.messages[0], asked.messages[1])
    known = asked.memory.threads.get(key) if key else None
    if known is not None and known != head(asked.body):
        return "referee: `system` or `tools` differ from an earlier request of the same conversation"
    return None


CHECKS: tuple[Check, ...] = (
    # The parameters, each by itself.
    shapes.paired_surrogates,
    shapes.required_fields,
    shapes.no_sampling_parameters,
    shapes.known_parameters,
    shapes.known_model,
    shapes.max_tokens_in_range,
    shapes.simple_types,
    shapes.system_prompt,
    shapes.tool_definitions,
    shapes.tool_choice_not_forced,
    shapes.thinking_config,
    shapes.output_config,
    # The messages and blocks, each by itself.
    blocks.messages_well_formed,
    blocks.blocks_known,
    blocks.block_fields,
    blocks.content_not_empty,
    blocks.user_text_without_citations,
    blocks.calls_well_formed,
    blocks.results_well_formed,
    blocks.sources_decodable,
    blocks.not_only_thinking,
    shapes.cache_markers,
    # Their order.
    first_is_user,
    system_role_in_place,
    roles_alternate,
    call_ids_unique,
    calls_answered,
    results_asked_for,
    results_first,
    no_prefill,
    shapes.tools_declared,
    shapes.prompt_fits,
    # Their history.
    thinking_genuine,
    open_turn_untouched,
    thinking_in_its_place,
    head_unchanged,
)


def refuse(asked: Asked) -> Objection | None:
    """The first objection to a request, or None."""
    for check in CHECKS:
        if (found := check(asked)) is not None:
            return Objection(found) if isinstance(found, str) else found
    return None


def _ids(message: Mapping[str, Any], kind: str) -> list[str]:
    name = "id" if kind == "tool_use" else "tool_use_id"
    return [block[name] for block in blocks_of(message) if block["type"] == kind]
