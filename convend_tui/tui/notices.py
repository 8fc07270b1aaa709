"""What stands in the transcript beside the messages: the notice of an ending, a failure, a welcome."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style

from convend_tui.plain import one_line, visible
from convend_tui.thread import records as r
from convend_tui.tui.items import day_and_clock, feedback_words
from convend_tui.tui.palette import Palette, Tone
from convend_tui.tui.plain_body import PlainBody
from convend_tui.tui.wrap import BLANK, Line, Span, wrap

_NOTICE_KEYS = (
    ("n", "new chat"),
    ("e", "edit an earlier message"),
    ("w", "why"),
    ("f", "feedback"),
    ("t", "tree"),
)


class NoticeItem:
    """The notice of an ending: the only framed thing in the transcript."""

    tone: Tone = "notice"

    def __init__(self, ended: r.Ended, model: str, feedback: r.Feedback | None = None, *, keys: bool = True) -> None:
        """`keys`: what can be done now is named."""
        self.key = f"ended:{ended.message}"
        self.ended = ended
        self.model = model
        self.feedback = feedback
        self._keys = _NOTICE_KEYS if keys else ()

    def estimate(self, width: int) -> int:
        """A cheap guess of its height."""
        return 8 + len(self.ended.explanation) // max(1, width - 4)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """Who, when, why, and what can be done now."""
        from convend_tui.ending.tool import cause_in_words  # few chats end

        text, dim, accent = palette.style("text"), palette.style("dim"), palette.style("notice")
        cause = cause_in_words(self.ended.cause)
        who = self.model or "The model"
        parts: list[list[Span]] = [
            [(f"{one_line(who)} ended this conversation", accent + Style(bold=True))],
            [(f"{day_and_clock(self.ended.at)} · {one_line(cause)}", dim)],
            [],
            [(visible(self.ended.explanation), text)],
            *([[], [(visible(feedback_words(self.feedback)), dim + Style(italic=True))]] if self.feedback else []),
            *([[], _keys(self._keys, text + Style(bold=True), dim)] if self._keys else []),
        ]
        return framed(parts, width, accent)


def _keys(keys: Sequence[tuple[str, str]], strong: Style, dim: Style) -> list[Span]:
    """Keys and what they do; a key and its words stay on one line."""
    spans: list[Span] = []
    for key, words in keys:
        spans += [("  ", dim)] if spans else []
        spans += [(key, strong), (f"\N{NO-BREAK SPACE}{words.replace(' ', chr(0xA0))}", dim)]
    return spans


class ErrorItem:
    """Why no answer came, where the answer would stand."""

    tone: Tone = "error"
    key = "error"

    def __init__(self, sentence: str, hint: str) -> None:
        self.sentence = sentence
        self.hint = hint

    def estimate(self, width: int) -> int:
        """A cheap guess of its height."""
        return 2 + len(self.sentence) // max(1, width)

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """The sentence, and what to do."""
        error = palette.style("error")
        return [
            *wrap([("No answer · ", error + Style(bold=True)), (visible(self.sentence), palette.style("text"))], width),
            *wrap([(self.hint, palette.style("dim"))], width),
        ]


class WelcomeItem:
    """What an empty conversation says: what to do next, and who will answer."""

    tone: Tone = "none"
    key = "welcome"

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        self._body = PlainBody(text)

    def estimate(self, width: int) -> int:
        """A cheap guess of its height."""
        return self._body.estimate(width) + 3

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """A title and a few sentences."""
        head = wrap([(self.title, palette.style("heading") + Style(bold=True))], width)
        return [BLANK, *head, BLANK, *self._body.lines(width, palette)]


def framed(parts: Sequence[Sequence[Span]], width: int, style: Style) -> list[Line]:
    """Lines of text in a frame as wide as `width`; the frame is not copied with the text."""
    inner = max(4, width - 4)
    lines = [_decoration("╭" + "─" * (inner + 2) + "╮", style)]
    for spans in parts:
        for line in wrap(list(spans), inner) if spans else [BLANK]:
            segments = (
                Segment("│ ", style),
                *line.segments,
                Segment(" " * max(0, inner - line.cells) + " │", style),
            )
            lines.append(Line(segments, inner + 4, line.text, line.soft, 2))
    lines.append(_decoration("╰" + "─" * (inner + 2) + "╯", style))
    return lines


def _decoration(text: str, style: Style) -> Line:
    return Line((Segment(text, style),), len(text), "", False, len(text))
