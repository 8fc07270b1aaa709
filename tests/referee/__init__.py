"""A strict Messages API server for tests: it refuses what the API refuses, and answers from a script.

::

    async with Referee(["Hello.", HttpError(529, "overloaded_error", "Overloaded")]) as referee:
        client = AsyncAnthropic(base_url=referee.base_url, api_key=referee.key)
        ...
    referee.assert_clean()
"""

from __future__ import annotations

from tests.referee.memory import Memory
from tests.referee.models import DEFAULT_MODELS, Model
from tests.referee.scenario import Partner
from tests.referee.script import (
    Answer,
    Hangup,
    HttpError,
    Raw,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolUse,
    Unknown,
    end_call,
    opinion,
    wants_structure,
)
from tests.referee.server import Received, Referee, ThreadedReferee

__all__ = [
    "DEFAULT_MODELS",
    "Answer",
    "Hangup",
    "HttpError",
    "Memory",
    "Model",
    "Partner",
    "Raw",
    "Received",
    "Referee",
    "Refusal",
    "Reply",
    "Text",
    "Thinking",
    "ThreadedReferee",
    "ToolUse",
    "Unknown",
    "end_call",
    "opinion",
    "wants_structure",
]
