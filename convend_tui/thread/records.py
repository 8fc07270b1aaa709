"""What a thread file may hold: one msgspec struct per record. This module is the format's definition.

A file is UTF-8, one JSON object a line, append-only. Messages never change and ids are unique, so the union of
two copies of a file, in any order of lines, is a valid thread. Unknown fields are skipped when read and, as
nothing is ever written over, kept in the file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec

from convend_tui.errors import Unreadable

FORMAT = 1
"""The format this program writes. A file of a higher number is opened for reading only."""

DEEPEST = 256
"""So many arrays and objects in one another a record may hold. What is deeper can be read at one moment and not at the
next, as that hangs on how many calls are under way; no server sends it."""

Block = dict[str, Any]
"""A content block of the Messages API, verbatim."""

Role = Literal["user", "assistant"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every request of a thread is built from."""

    model: str
    server: str = ""
    """Name of the server in config.toml; empty: the first there is."""
    system: str = ""
    """The person's own system prompt, without the part about ending."""
    effort: str = "auto"
    """`auto` sends nothing; else the API's `output_config.effort`."""
    thinking: str = "auto"
    """`auto` sends nothing; `adaptive` asks for summarized thinking; `off` disables it."""
    ending: bool = True
    """Whether the model is offered `end_conversation`. Fixed for the life of the thread, from its first request on."""
    tool_version: int = 1
    """Which wording of the tool and of its part of the system prompt. Fixed as well."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Base of all records."""

    at: str
    """RFC 3339 in UTC with milliseconds: sorts as text."""


class Header(Record, frozen=True, kw_only=True, tag="thread"):
    """The first line of a file."""

    id: str
    format: int
    settings: Settings
    app: str = ""
    origin: dict[str, Any] | None = None
    """Where an imported or forked thread came from."""
    provisional: bool = False
    """Its settings only stand in: it came in where nothing was connected in which a model can end a conversation. The
    first `settings` record, written when the thread is gone on with, decides about `system`, `ending` and the tool's
    version too."""


class Message(Record, frozen=True, kw_only=True, tag="message"):
    """A node of the tree. Never changes once written."""

    id: str
    parent: str | None
    role: Role
    content: list[Block]
    kind: str
    """`typed`, `reply`, `guard` (the client's tool_result) or `partial` (stopped or broken off)."""
    model: str | None = None
    """The model that answered, by its own account."""
    stop_reason: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    request_id: str | None = None
    timing: dict[str, Any] | None = None
    """`first_ms`, `total_ms`, `chunks`: pairs of ms since the start and characters, at most one per 50 ms."""
    origin: dict[str, Any] | None = None
    """Where an imported message came from."""
    made_under: str | None = None
    """`at` of the settings in force when the request was built: decides whether thinking may be sent again."""


class Ended(Record, frozen=True, kw_only=True, tag="ended"):
    """The lock: sits on the assistant message in which the model ended the conversation."""

    message: str
    cause: str
    explanation: str
    evidence: list[dict[str, Any]] = []


class Verdict(Record, frozen=True, kw_only=True, tag="verdict"):
    """One call of the tool, and what the client decided."""

    message: str
    outcome: str
    """`confirm`, `declined` or `ended`."""
    reasons: list[str] = []
    evidence: list[dict[str, Any]] = []
    private: bool = False
    """True for a decline that protects someone: recorded, never shown."""
    second_opinion: dict[str, Any] | None = None
    """What came of asking: `at_risk` (null: no usable answer), `reason`, `model`, `request_id`, `usage`."""


class SettingsChange(Record, frozen=True, kw_only=True, tag="settings"):
    """Settings in force from here on: the same keys as in the header."""

    model: str
    server: str = ""
    system: str = ""
    effort: str = "auto"
    thinking: str = "auto"
    ending: bool = True
    tool_version: int = 1


class Title(Record, frozen=True, kw_only=True, tag="title"):
    """The thread's name, and who gave it: `person`, `model`, or `import`."""

    title: str
    by: str = "person"


class Pin(Record, frozen=True, kw_only=True, tag="pin"):
    """Whether the thread stands at the head of the list."""

    pinned: bool


class Label(Record, frozen=True, kw_only=True, tag="label"):
    """The name of a message; empty takes it away."""

    message: str
    label: str


class Leaf(Record, frozen=True, kw_only=True, tag="leaf"):
    """Where the person went: the message at the end of the path shown."""

    message: str


class Hide(Record, frozen=True, kw_only=True, tag="hide"):
    """A pruned subtree: out of sight, still in the file."""

    message: str


class Restore(Record, frozen=True, kw_only=True, tag="restore"):
    """Undoes a `hide`."""

    message: str


class Feedback(Record, frozen=True, kw_only=True, tag="feedback"):
    """Thumbs and a comment on an answer or an ending."""

    message: str
    thumb: str
    """`up` or `down`."""
    comment: str = ""


THUMBS = {"up": "thumbs up", "down": "thumbs down"}
"""The thumbs of a feedback, in words."""

AnyRecord = Header | Message | Ended | Verdict | SettingsChange | Title | Pin | Label | Leaf | Hide | Restore | Feedback

_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_encoder = msgspec.json.Encoder()
_KNOWN = {kind.__struct_config__.tag for kind in get_args(AnyRecord)}


class Unknown(msgspec.Struct, frozen=True):
    """A record of a type this version does not know: kept in the file, and skipped."""

    type: str


def decode(line: bytes) -> AnyRecord | Unknown:
    """Read one line of a thread file.

    Raises:
        Unreadable: it is not JSON, or not a record; the message says what is wrong.
    """
    try:
        record = _decoder.decode(line)
    except msgspec.ValidationError as error:
        kind = _type_of(line)
        if kind is not None and kind not in _KNOWN:
            return Unknown(type=kind)
        raise Unreadable(f"not a valid record: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not valid JSON: {error}") from error
    if line.count(b"[") + line.count(b"{") > DEEPEST and is_deep(msgspec.structs.astuple(record), DEEPEST):
        raise Unreadable("not a valid record: it is nested too deeply")
    return record


def is_deep(value: Any, deepest: int) -> bool:
    """Whether more than `deepest` lists, tuples and objects stand in one another."""
    level = [value]
    for _ in range(deepest + 1):
        held = [
            item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list | tuple)
        ]
        if not held:
            return False
        level = [inner for items in held for inner in items]
    return True


def encode(record: Record) -> bytes:
    """One line of a thread file, with its newline."""
    return _encoder.encode(record) + b"\n"


def _type_of(line: bytes) -> str | None:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # it broke off after the type: a torn line, whatever it would have become
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def timestamp(moment: datetime) -> str:
    """`moment` (aware) as records have it: RFC 3339, UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(at: str) -> datetime | None:
    """The time of a record, or None where the text is not a time, or one at the very ends of the calendar."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    if not datetime.min.year < moment.year < datetime.max.year:
        return None  # there are zones in which it has no date
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_settings(change: SettingsChange) -> Settings:
    """The settings that a change brings into force."""
    return Settings(**{name: getattr(change, name) for name in Settings.__struct_fields__})


def as_change(settings: Settings, at: str) -> SettingsChange:
    """The record that brings `settings` into force."""
    return SettingsChange(at=at, **msgspec.structs.asdict(settings))


def text_of(message: Message) -> str:
    """The message's own words: its text blocks, without thinking, attachments or tool calls."""
    parts = (block.get("text") for block in message.content if block.get("type") == "text")
    return "\n\n".join(part for part in parts if isinstance(part, str))


def says_anything(message: Message) -> bool:
    """Whether a message has text or readable thinking."""
    words = (block.get("text") or block.get("thinking") for block in message.content)
    return any(isinstance(text, str) and text.strip() for text in words)


def is_question(message: Message) -> bool:
    """Whether the person wrote it: a user message that is not the client's own tool_result."""
    return message.role == "user" and message.kind != "guard"


def tool_calls(message: Message) -> list[Block]:
    """The tool_use blocks of an assistant message."""
    if message.role != "assistant":
        return []
    return [block for block in message.content if block.get("type") == "tool_use"]
