"""What stands in the transcript: messages, and the reply that is coming in. (See notices.py for the rest.)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Protocol

import msgspec
from rich.segment import Segment
from rich.style import Style

from convend_tui.plain import one_line, visible
from convend_tui.thread import records as r
from convend_tui.tui.palette import Palette, Tone
from convend_tui.tui.pieces import Pieces, one_after_another
from convend_tui.tui.plain_body import PlainBody
from convend_tui.tui.wrap import BLANK, Line, Span, decorated, wrap

_CUT = {
    "max_tokens": "cut short: the answer reached its longest length",
    "model_context_window_exceeded": "cut short: the conversation is as long as the model can read",
}
_KNOWN = {"end_turn", "stop_sequence", "tool_use", "refusal", "pause_turn", None, *_CUT}


LONGEST_LABEL = 40
"""Cells of a label in the head of its message."""


class Body(Protocol):
    """Text that renders itself; see tui/markdown.py."""

    @property
    def source(self) -> str: ...
    def append(self, text: str) -> None: ...
    def finish(self) -> None: ...
    def estimate(self, width: int) -> int: ...
    def lines(self, width: int, palette: Palette) -> Sequence[Line]: ...


class Place(msgspec.Struct, frozen=True):
    """Where a message stands among its siblings."""

    number: int = 1
    """From 1."""
    of: int = 1
    elsewhere: int = 0
    """Messages that continue on the other branches."""
    message: str = ""
    """The one that has the siblings; empty where there are none."""


ALONE = Place()


def markdown_body(text: str | None = None) -> Body:
    """A reply's text as Markdown; None: it is about to come in. The parser is loaded when first needed."""
    from convend_tui.tui.markdown import MarkdownBody

    return MarkdownBody() if text is None else MarkdownBody(text)


class MessageItem:
    """One message: a line with who, when and `2/3`, then its words. Also the reply that is still coming in.

    Nothing is made of the message's text until it comes near the screen: a thread may have ten thousand.
    """

    __slots__ = (
        "_body",
        "_thinking",
        "feedback",
        "goes_on",
        "key",
        "label",
        "message",
        "model",
        "place",
        "status",
        "unfolded",
        "verdict",
    )
    KEYS: ClassVar[bool] = True
    """Its notes name the keys that do something about it."""

    def __init__(self, message: r.Message | None, *, show_thinking: bool) -> None:
        self.key = message.id if message is not None else "reply"
        self.message = message
        """None while it streams."""
        self.unfolded = show_thinking
        self.place = ALONE
        self.goes_on = False
        """It continues the model's message above it, after a call: it has no line of its own."""
        self.verdict: r.Verdict | None = None
        self.feedback: r.Feedback | None = None
        """What the person said of it last."""
        self.label = ""
        """The person's name for it."""
        self.status = ""
        """What is said while nothing has arrived yet."""
        self.model = (message.model or "") if message is not None else ""
        self._body: Body | None = None
        self._thinking: PlainBody | None = None

    @property
    def body(self) -> Body:
        """The message's own words."""
        if self._body is None:
            text = r.text_of(self.message) if self.message is not None else ""
            self._body = PlainBody(text) if self.tone == "user" else markdown_body(text)
        return self._body

    @body.setter
    def body(self, body: Body) -> None:
        self._body = body

    @property
    def thinking(self) -> str:
        """The thinking that the model shows."""
        return self._thoughts.source

    @property
    def _thoughts(self) -> PlainBody:
        if self._thinking is None:
            self._thinking = PlainBody(thinking_of(self.message) if self.message is not None else "")
        return self._thinking

    @property
    def tone(self) -> Tone:
        """Whose it is."""
        return "user" if self.message is not None and self.message.role == "user" else "assistant"

    @property
    def is_private(self) -> bool:
        """It holds a call that was declined to protect someone."""
        return self.verdict is not None and self.verdict.private

    def add_thinking(self, text: str) -> None:
        """More thinking has arrived."""
        self._thoughts.append(text)

    def estimate(self, width: int) -> int:
        """A cheap guess of its height."""
        if self._body is not None or self.message is None:
            return self.body.estimate(width) + 1
        height = 2
        for block in self.message.content:
            text = block.get("text")
            if isinstance(text, str):
                height += text.count("\n") + len(text) // width
        return height

    def forget(self) -> None:
        """Give back the memory of what was made of the message; `lines` makes it again. A reply that is coming in has
        nowhere else to take its words from: it keeps them."""
        if self.message is not None:
            self._body = self._thinking = None

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """Head, thinking, words and notes."""
        return one_after_another(
            [] if self.goes_on else self._head(width, palette),
            self._thinking_lines(width, palette),
            self.body.lines(width, palette) if (source := self.body.source) and not source.isspace() else [],
            *(wrap([(visible(note), palette.style("dim") + Style(italic=True))], width) for note in self._notes()),
        )

    def _head(self, width: int, palette: Palette) -> list[Line]:
        bold, dim = palette.style("text") + Style(bold=True), palette.style("dim")
        who = "You" if self.tone == "user" else self.model or "Model"
        spans: list[Span] = [(one_line(who), palette.bar(self.tone) + Style(bold=True))]
        if self.message is not None:
            spans.append((f" · {clock(self.message.at)}", dim))
        if label := one_line(self.label, LONGEST_LABEL):
            spans += [(" · ", dim), (f"⚑ {label}", bold)]
        if self.place.of > 1:
            spans += [(" · ", dim), (f"‹ {self.place.number}/{self.place.of} ›", bold)]
            count = self.place.elsewhere
            spans.append((f" {count} message{'s continue' if count != 1 else ' continues'} on another branch", dim))
        return decorated(wrap(spans, width))

    def _thinking_lines(self, width: int, palette: Palette) -> Sequence[Line]:
        kinds = {block.get("type") for block in self.message.content} if self.message else set()
        dim = palette.style("dim")
        if not self.thinking:
            if kinds & {"thinking", "redacted_thinking"}:
                return decorated(wrap([("Thinking, not shown by the model", dim)], width))
            return []
        if not self.unfolded:
            words = self._thoughts.words
            mark = f"▸ Thinking · {words:,} word{'s' if words != 1 else ''} (o unfolds)"
            return decorated(wrap([(mark, dim)], width))
        quiet = Style(italic=True) + dim
        lines = decorated(wrap([("▾ Thinking (o folds)", dim)], width))

        def quietly(line: Line) -> Line:
            segments = (Segment("  ", dim), *(Segment(s.text, quiet) for s in line.segments))
            return Line(segments, line.cells + 2, line.text, line.soft, line.indent + 2)

        shown = self._thoughts.lines(max(1, width - 2), palette)
        if isinstance(shown, Pieces):
            return one_after_another(lines, Pieces([piece.mapped(quietly) for piece in shown.pieces]), [BLANK])
        return [*lines, *map(quietly, shown), BLANK]

    def _notes(self) -> list[str]:
        notes: list[str] = []
        message = self.message
        if message is None:
            return [self.status] if self.status else []
        notes += [_attachment(block) for block in message.content if _is_attachment(block)]
        notes += [_by_name(block) for block in message.content if not _is_known(block)]
        if message.kind == "partial":
            notes.append(f"Stopped or broken off here; this much had arrived.{' r asks again.' * self.KEYS}")
        elif message.stop_reason == "refusal":
            notes.append(refusal_words(message))
        elif message.stop_reason in _CUT:
            notes.append(_CUT[message.stop_reason])
        elif message.stop_reason not in _KNOWN:
            notes.append(f"stopped: {message.stop_reason}")
        elif message.role == "assistant" and not self.body.source.strip() and not r.tool_calls(message):
            notes.append("(an empty answer)")
        verdict = self.verdict
        if verdict is not None and not self.is_private and verdict.outcome != "ended":
            said = "it was asked to confirm" if verdict.outcome == "confirm" else "not ended"
            reasons = f": {' '.join(verdict.reasons)}" if verdict.reasons else ""
            why = " (w:\N{NO-BREAK SPACE}why)" * self.KEYS
            notes.append(f"The model asked to end the conversation · {said}{reasons}{why}")
        if self.feedback is not None:
            notes.append(feedback_words(self.feedback))
        return notes


def thinking_of(message: r.Message) -> str:
    """The thinking that the model shows of a message."""
    parts = [b.get("thinking") for b in message.content if b.get("type") == "thinking"]
    return "\n\n".join(part for part in parts if isinstance(part, str) and part)


def feedback_words(feedback: r.Feedback) -> str:
    """What the person said of a message, on one line."""
    thumb = r.THUMBS.get(feedback.thumb, feedback.thumb)
    return f"Your feedback: {thumb}" + (f" · {feedback.comment}" if feedback.comment else "")


def refusal_words(message: r.Message) -> str:
    """Why an answer was refused, in a sentence."""
    details = message.stop_details or {}
    why = details.get("explanation") or (f"category {details['category']}" if details.get("category") else "")
    reason = f": {str(why).rstrip('. ')}" if why else ""
    return (
        f"The server refused to answer{reason}. This is no ending: edit your message (e) and send it again. "
        "The refused turn is left out of later requests."
    )


def clock(at: str) -> str:
    """A time of today as `14:02`, of another day with its date."""
    moment = _local(at)
    if moment is None:
        return one_line(at)
    if moment.date() == datetime.now().astimezone().date():
        return f"{moment:%H:%M}"
    return f"{moment:%-d %b %Y, %H:%M}"


def day_and_clock(at: str) -> str:
    """`22 November 2026, 14:02`."""
    moment = _local(at)
    return f"{moment:%-d %B %Y, %H:%M}" if moment else one_line(at)


def _local(at: str) -> datetime | None:
    moment = r.moment_of(at)
    return moment.astimezone() if moment else None


def _is_attachment(block: r.Block) -> bool:
    return block.get("type") in ("image", "document")


def _attachment(block: r.Block) -> str:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    name = source.get("name") or block.get("title") or "a file"
    return f"📎 {name} ({source.get('media_type', block.get('type'))})"


def _by_name(block: r.Block) -> str:
    """What stands for a block that is not shown itself."""
    from convend_tui.exchange import incoming  # few threads have any

    kind, name = block.get("type"), block.get("name")
    if kind == incoming.MISSING:
        return f"📎 {name or 'a file'} (not in the export)"
    return f"[{name if kind == incoming.TOOL and name else kind}]"


def _is_known(block: r.Block) -> bool:
    kinds = ("text", "thinking", "redacted_thinking", "tool_use", "tool_result")
    return block.get("type") in kinds or _is_attachment(block)
