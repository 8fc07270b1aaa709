"""What an importer makes of a conversation of another program: records of a thread, and what could not come along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Protocol

from convend_tui.thread import records as r

MISSING = "attachment_missing"
"""Type of the block that stands for an attachment that the export does not hold: `{"type", "name"}`. Never sent."""
TOOL = "imported_tool"
"""Type of the block that stands for a tool call or its result: `{"type", "name", "block"}`, the block verbatim. Shown
by name and never sent: the tools of another program are not ours to answer."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that did not come in."""

    what: str
    """Such as `conversation 6b0f…01` or `message 019d… of “Verbs by depth”`."""
    why: str
    """A few words for the report, without a full stop."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One conversation. Its ids are made from those of its source, so that importing it again makes the same ones."""

    source: str
    """`claude.ai`, `chatgpt`, `claude-code`, `convend`."""
    key: str
    """The conversation's id there."""
    created: str
    """As records have it: RFC 3339, UTC, ms."""
    settings: r.Settings
    records: tuple[r.Record, ...]
    """Without the header: messages (parents before children), `title`, `ended`, `leaf`."""
    skipped: tuple[Skip, ...] = ()

    @property
    def thread_id(self) -> str:
        """The id that the thread gets."""
        moment = r.moment_of(self.created) or datetime.fromtimestamp(0, UTC)
        return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}-{digest(self.source, self.key, size=4)}"


@dataclass(frozen=True, slots=True)
class Context:
    """What an importer may ask for while it reads one conversation."""

    settings: r.Settings
    """Of a new chat; the importer puts in the model where the source names one."""
    asset: Callable[[str], tuple[str, bytes] | None]
    """Name and bytes of a file in the export whose name holds this id (or is this name); None: it is not there."""
    attach: Callable[[str, bytes], r.Block | None]
    """Keeps an attachment's bytes; returns the block that names them, or None where it is of a kind or size that can't
    be attached."""


class Importer(Protocol):
    """One format. A module of this package with these two names at its top level."""

    def recognizes(self, value: Any) -> bool:
        """Whether a decoded value (one conversation; of Claude Code: one line) is of this format. Cheap."""

    def read(self, value: Any, context: Context) -> Incoming | Skip:
        """Make a thread of one conversation. Whatever the value holds: what is not understood is skipped and named."""


def digest(*parts: str, size: int = 8) -> str:
    """`size` bytes in hexadecimal that stand for these texts."""
    whole = blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()


def message_id(source: str, key: str, message_key: str) -> str:
    """The id of a message, made from the ids of its source."""
    return digest(source, key, message_key)
