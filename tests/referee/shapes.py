"""Checks of the parameters of a request, each by itself: names, types, ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.referee.asked import EXTRA, Asked, Objection
from tests.referee.binding import blocks_of
from tests.referee.memory import count
from tests.referee.models import EFFORTS, THINKING_TYPES

BOTH = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed"}
)
CREATE_ONLY = frozenset(
    {"max_tokens", "stream", "metadata", "stop_sequences", "service_tier", "container", "diagnostics"}
    | {"inference_geo"}
)
SAMPLING = ("temperature", "top_p", "top_k")
TOOL_KEYS = frozenset(
    {"name", "description", "input_schema", "strict", "type", "cache_control", "eager_input_streaming"}
    | {"input_examples", "defer_loading", "allowed_callers"}
)
UNSUPPORTED_IN_SCHEMA = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems"),
)


def required_fields(asked: Asked) -> str | None:
    """`model` and `messages` always, `max_tokens` where something is to be made."""
    needed = ("model", "messages") if asked.counting else ("model", "max_tokens", "messages")
    for name in needed:
        if asked.body.get(name) is None:
            return f"{name}: Field required"
    if not isinstance(asked.body["model"], str) or not asked.body["model"]:
        return "model: String should have at least 1 character"
    return None


def no_sampling_parameters(asked: Asked) -> str | None:
    """They went with API version 2026-10-21."""
    for name in SAMPLING:
        if name in asked.body:
            return f"{name}: {EXTRA}. `{name}` is not supported by this API version."
    return None


def known_parameters(asked: Asked) -> str | None:
    """No top-level parameter that the endpoint does not have."""
    known = BOTH if asked.counting else BOTH | CREATE_ONLY
    for name in asked.body:
        if name not in known:
            return f"{name}: {EXTRA}"
    return None


def paired_surrogates(asked: Asked) -> str | None:
    """A lone half of a surrogate pair is no character, and no valid JSON for the API."""
    if _has_surrogate(asked.body):
        return "The request body is not valid JSON: no low surrogate in string"
    return None


def known_model(asked: Asked) -> Objection | None:
    """404 for a model that is not served."""
    name = asked.body["model"]
    return None if name in asked.models else Objection(f"model: {name}", 404, "not_found_error")


def max_tokens_in_range(asked: Asked) -> str | None:
    """From 1 to the model's limit; 0 warms the cache, and cannot be streamed."""
    wanted = asked.body.get("max_tokens", 1)
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        return "max_tokens: Input should be a valid integer"
    if wanted < 0 or (wanted == 0 and asked.body.get("stream")):
        return "max_tokens: Input should be greater than or equal to 1"
    if wanted > (limit := asked.model.max_tokens):
        return (
            f"max_tokens: {wanted} > {limit}, which is the maximum allowed number of output tokens for {asked.model.id}"
        )
    return None


def simple_types(asked: Asked) -> str | None:
    """`stream`, `stop_sequences` and `metadata`."""
    body = asked.body
    if not isinstance(body.get("stream", False), bool):
        return "stream: Input should be a valid boolean"
    stops = body.get("stop_sequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        return "stop_sequences: Input should be a valid list"
    if any(not stop.strip() for stop in stops):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    if not isinstance(body.get("metadata", {}), dict) or set(body.get("metadata", {})) - {"user_id"}:
        return f"metadata: {EXTRA}"
    return None


def cache_markers(asked: Asked) -> str | None:
    """`ephemeral`, 5m or 1h; at most four in all, an automatic one included; none on thinking."""
    markers = [(f"{where}.cache_control", block) for where, _, block in asked.blocks()]
    for name in ("system", "tools"):
        items = asked.body.get(name)
        markers += (
            [(f"{name}.{i}.cache_control", item) for i, item in enumerate(items or ())]
            if isinstance(items, list)
            else []
        )
    markers.append(("cache_control", asked.body))
    found = [(where, item) for where, item in markers if item.get("cache_control") is not None]
    for where, item in found:
        marker = item["cache_control"]
        if not isinstance(marker, dict) or marker.get("type") != "ephemeral" or set(marker) - {"type", "ttl"}:
            return f"{where}: Input tag should be 'ephemeral'"
        if marker.get("ttl", "5m") not in ("5m", "1h"):
            return f"{where}.ephemeral.ttl: Input should be '5m' or '1h'"
        if item.get("type") in ("thinking", "redacted_thinking"):
            return f"{where}: {EXTRA}"
    if len(found) > 4:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {len(found)}."
    return None


def tool_choice_not_forced(asked: Asked) -> str | None:
    """`auto` or `none`; the newest models refuse to be forced."""
    choice = asked.body.get("tool_choice")
    if choice is None:
        return None
    kind = str(choice.get("type")) if isinstance(choice, dict) else ""
    if kind in ("any", "tool"):
        return f'tool_choice: forcing tool use with "{kind}" is not supported on this model'
    allowed = {"auto": {"type", "disable_parallel_tool_use"}, "none": {"type"}}
    if kind not in allowed:
        return "tool_choice: Input tag should be 'auto', 'any', 'tool' or 'none'"
    if extra := set(choice) - allowed[kind]:
        return f"tool_choice.{kind}.{min(extra)}: {EXTRA}"
    if not asked.body.get("tools"):
        return "tool_choice: may only be specified while providing `tools`"
    return None


def thinking_config(asked: Asked) -> str | None:
    """A type that the model takes, and its own fields."""
    config = asked.body.get("thinking")
    if config is None:
        return None
    kind = config.get("type") if isinstance(config, dict) else None
    if kind not in THINKING_TYPES:
        return f"thinking: Input tag should be one of {', '.join(map(repr, THINKING_TYPES))}"
    if kind not in asked.model.thinking:
        return f'thinking.type: "{kind}" is not supported for this model'
    fields = {"type", "display"} if kind in ("adaptive", "enabled") else {"type"}
    fields |= {"budget_tokens"} if kind == "enabled" else set()
    if extra := set(config) - fields:
        return f"thinking.{kind}.{min(extra)}: {EXTRA}"
    if config.get("display") not in (None, "summarized", "omitted"):
        return f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'"
    if kind == "enabled" and not 1024 <= config.get("budget_tokens", 0) < asked.body.get("max_tokens", 1 << 30):
        return "thinking.enabled.budget_tokens: must be at least 1024 and less than `max_tokens`"
    if kind == "disabled" and _effort(asked) in ("xhigh", "max"):
        return f'thinking.type: "disabled" cannot be used with effort "{_effort(asked)}"'
    return None


def output_config(asked: Asked) -> str | None:
    """Effort of a known level; a JSON format with a schema that can be kept to."""
    config = asked.body.get("output_config")
    if config is None:
        return None
    if not isinstance(config, dict) or set(config) - {"effort", "format"}:
        return f"output_config: {EXTRA}"
    if config.get("effort") not in (None, *EFFORTS):
        return f"output_config.effort: Input should be one of {', '.join(map(repr, EFFORTS))}"
    form = config.get("format")
    if form is None:
        return None
    if not isinstance(form, dict) or form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        return "output_config.format: Input should be a json_schema with a `schema`"
    return _closed_schema("output_config.format.schema", form["schema"])


def system_prompt(asked: Asked) -> str | None:
    """A string, or text blocks that are not empty."""
    system = asked.body.get("system")
    if system is None or isinstance(system, str):
        return None
    if not isinstance(system, list):
        return "system: Input should be a valid list"
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
            return f"system.{index}: Input should be a text block"
        if extra := set(block) - {"type", "text", "cache_control", "citations"}:
            return f"system.{index}.{min(extra)}: {EXTRA}"
        if not block["text"].strip():
            return "system: text content blocks must be non-empty"
    return None


def tool_definitions(asked: Asked) -> str | None:
    """Named, with a schema of an object; a strict one must say no to further properties."""
    tools = asked.body.get("tools")
    if tools is None:
        return None
    if not isinstance(tools, list):
        return "tools: Input should be a valid list"
    names = [tool.get("name") if isinstance(tool, dict) else None for tool in tools]
    for index, (tool, name) in enumerate(zip(tools, names, strict=True)):
        if not isinstance(name, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
            return f"tools.{index}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool.get("type") not in (None, "custom"):
            continue
        if extra := set(tool) - TOOL_KEYS:
            return f"tools.{index}.custom.{min(extra)}: {EXTRA}"
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            return f"tools.{index}.custom.input_schema.type: Field required"
        if tool.get("strict") and (fault := _closed_schema(f"tools.{index}.custom", schema)):
            return fault
    return None if len(set(names)) == len(names) else "tools: Tool names must be unique."


def prompt_fits(asked: Asked) -> str | None:
    """The window of the model, by the referee's rough count."""
    size, limit = count(asked.body), asked.model.max_input_tokens
    return f"prompt is too long: {size} tokens > {limit} maximum" if size > limit else None


def tools_declared(asked: Asked) -> str | None:
    """A history with calls in it needs the tools that it speaks of."""
    used = any(block.get("type") in ("tool_use", "tool_result") for m in asked.messages for block in blocks_of(m))
    if used and not asked.body.get("tools"):
        return "Requests which include `tool_use` or `tool_result` blocks must define tools"
    return None


def _effort(asked: Asked) -> str | None:
    config = asked.body.get("output_config")
    return config.get("effort") if isinstance(config, dict) else None


def _closed_schema(where: str, schema: Mapping[str, Any]) -> str | None:
    """Structured outputs know a part of JSON Schema only."""
    inner = schema.get("properties", {}), schema.get("anyOf", [])
    if not isinstance(inner[0], Mapping) or not isinstance(inner[1], list):
        return f"{where}: JSON schema is invalid"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
    for word in UNSUPPORTED_IN_SCHEMA:
        if word in schema:
            return f"{where}: For '{schema.get('type')}' type, property '{word}' is not supported"
    if schema.get("minItems", 0) not in (0, 1):
        return f"{where}: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    for part in (*inner[0].values(), schema.get("items"), *inner[1]):
        if isinstance(part, Mapping) and (fault := _closed_schema(where, part)):
            return fault
    return None


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return any(_has_surrogate(key) or _has_surrogate(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_surrogate, value))
