"""What a check is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.referee.binding import blocks_of
from tests.referee.memory import Memory
from tests.referee.models import Model


@dataclass(frozen=True)
class Objection:
    """Why a request is refused, as the API would say it."""

    message: str
    status: int = 400
    kind: str = "invalid_request_error"


@dataclass(frozen=True)
class Asked:
    """A request, and what is known of those before it."""

    body: dict[str, Any]
    models: Mapping[str, Model]
    memory: Memory = field(default_factory=Memory)
    counting: bool = False
    """Whether it came to /v1/messages/count_tokens."""
    stable_head: bool = True
    """Whether `system` and `tools` must stay the same within a thread."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages; their shape is checked first."""
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    @property
    def model(self) -> Model:
        """The model asked for; that it exists is checked first."""
        return self.models[self.body["model"]]

    def blocks(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Every block of every message, as (where, message, block)."""
        for number, message in enumerate(self.messages):
            for index, block in enumerate(blocks_of(message)):
                yield f"messages.{number}.content.{index}", message, block


Check = Callable[[Asked], "str | Objection | None"]
"""None, or why the request is refused: a bare string is a 400 `invalid_request_error`."""
EXTRA = "Extra inputs are not permitted"
