"""The models that the referee pretends to serve. The list is data; tests may bring their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")


@dataclass(frozen=True)
class Model:
    """One model and what it accepts. Limits are in tokens."""

    id: str
    display_name: str
    line: str
    created_at: str
    max_input_tokens: int = 1_000_000
    max_tokens: int = 128_000
    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})
    system_role: bool = False
    """Whether a message of the role `system` may stand within the conversation."""
    lifecycle: str = "active"

    def public(self) -> dict[str, Any]:
        """The model as `GET /v1/models` shows it."""
        yes, no = {"supported": True}, {"supported": False}
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "created_at": self.created_at,
            "lifecycle": self.lifecycle,
            "deprecated_at": None,
            "retires_at": None,
            "line": self.line,
            "max_input_tokens": self.max_input_tokens,
            "max_tokens": self.max_tokens,
            "capabilities": {
                "batch": yes,
                "citations": yes,
                "code_execution": yes,
                "context_management": yes,
                "effort": {"supported": True, **dict.fromkeys(EFFORTS, yes)},
                "image_input": yes,
                "pdf_input": yes,
                "server_tools": {"supported": True, "code_execution": yes, "web_search": yes},
                "structured_outputs": yes,
                "thinking": {
                    "supported": True,
                    "types": {kind: yes if kind in self.thinking else no for kind in THINKING_TYPES},
                },
            },
        }


DEFAULT_MODELS = (
    Model(
        "claude-opus-5-5",
        "Claude Opus 5.5",
        "opus",
        "2026-10-21T00:00:00Z",
        thinking=frozenset({"adaptive"}),
    ),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet", "2026-10-07T00:00:00Z"),
    Model(
        "claude-haiku-5-5",
        "Claude Haiku 5.5",
        "haiku",
        "2026-09-16T00:00:00Z",
        max_input_tokens=200_000,
        max_tokens=64_000,
    ),
    Model("claude-opus-5", "Claude Opus 5", "opus", "2026-07-24T00:00:00Z", system_role=True),
)


def page(models: Iterable[Model], query: Mapping[str, str], lifecycles: Iterable[str]) -> dict[str, Any]:
    """One page of the list: `limit`, `after_id`, `before_id`, `lifecycle` as the API takes them.

    Raises:
        ValueError: `limit` is not a number from 1 to 1000.
    """
    wanted = set(lifecycles) or {"active"}
    found = [model for model in models if model.lifecycle in wanted]
    ids = [model.id for model in found]
    limit = int(query.get("limit", "20"))
    if not 1 <= limit <= 1000:
        raise ValueError(limit)
    if (before := query.get("before_id")) in ids:
        end = ids.index(before)
        start, more = max(0, end - limit), end > limit
    else:
        start = ids.index(query["after_id"]) + 1 if query.get("after_id") in ids else 0
        end = min(len(found), start + limit)
        more = end < len(found)
    shown = [model.public() for model in found[start:end]]
    return {
        "data": shown,
        "has_more": more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }
