"""A text of any bytes, drawn: whole, as it grows, and on a screen, with what that took."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from rich.cells import cell_len

from convend_tui.plain import one_line
from convend_tui.tui import code, wrap
from convend_tui.tui.items import MessageItem
from convend_tui.tui.long_markdown import LongMarkdown
from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.plain_body import PlainBody
from convend_tui.tui.viewport import Anchor, Viewport
from tests.faults.texts import RAW
from tests.making import Branch
from tests.unit.test_markdown import PALETTE

CORPUS = Path(__file__).parent / "corpus" / "markdown"


def check(body: MarkdownBody | PlainBody | LongMarkdown, width: int) -> list[str]:
    """The lines of a body. Fails where one holds anything but text, or is too wide."""
    found: list[str] = []
    for line in body.lines(width, PALETTE):
        for segment in line.segments:
            assert not segment.control
            assert "\n" not in segment.text and not RAW.search(segment.text), repr(segment.text[:200])
            assert segment.style is None or segment.style.link is None
        found.append("".join(segment.text for segment in line.segments))
        assert cell_len(found[-1].rstrip(" ")) <= max(width, 2), repr(found[-1])
    return found


def draw(data: bytes) -> None:
    """Draw what the bytes say: the first one is the width and how the text arrives, the rest is the text."""
    if not data:
        return
    width, text = 8 + data[0] % 90, data[1:].decode("utf-8", "surrogateescape")
    whole = check(MarkdownBody(text), width)
    grown = MarkdownBody()
    step = max(1, len(text) // (1 + data[0] % 5))
    for start in range(0, len(text), step):
        grown.append(text[start : start + step])
        check(grown, width)
    grown.finish()
    assert check(grown, width) == whole
    check(PlainBody(text), width)
    check(LongMarkdown(text, grows=False), width)
    assert cell_len(one_line(text, width)) <= width


class Work:
    """What drawing took: the characters of all texts that were parsed, coloured and wrapped."""

    def __init__(self) -> None:
        self.characters = 0

    def since(self, before: int) -> int:
        """The work since it was `before`."""
        return self.characters - before


@contextmanager
def counted() -> Iterator[Work]:
    """Count the work of all drawing in the block."""
    work = Work()

    def count(owner: Any, name: str, place: int) -> None:
        whole = getattr(owner, name)

        def counts(*given: Any, **options: Any) -> Any:
            given_text = given[place]
            work.characters += len(given_text) if isinstance(given_text, str) else sum(len(t) for t, _ in given_text)
            return whole(*given, **options)

        patch.setattr(owner, name, counts)

    with pytest.MonkeyPatch.context() as patch:
        count(MarkdownIt, "parse", 1)
        count(ParserInline, "parse", 1)
        count(code, "highlight", 0)
        count(wrap.SpanCutter, "__init__", 1)
        yield work


def calls(work: Callable[[], object]) -> int:
    """How many Python functions are called by some work."""
    count = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


class Screen:
    """A transcript of `rows` lines without a terminal."""

    def __init__(self, *items: MessageItem, width: int = 76, rows: int = 36) -> None:
        self.view = Viewport(1)
        self.view.palette = PALETTE
        self.view.width = width
        self.view.set_items(items, keep_anchor=False)
        self.rows = rows

    def draw(self) -> None:
        """Draw what is in view."""
        top = self.view.settle(self.rows)
        for row in range(self.rows):
            self.view.line(top + row)

    def go(self, share: float) -> None:
        """Go to that share of all lines: 0 is the beginning."""
        self.view.following = False
        self.view.anchor = self.view.anchor_at(int(share * self.view.heights.total)) if share else Anchor()
        self.draw()

    def resize(self, width: int) -> None:
        """Draw it at another width."""
        self.view.width = width
        self.view.estimate_all()
        self.draw()


def message(text: str, name: str = "m", *, typed: bool = False) -> MessageItem:
    """A message as an item of the transcript."""
    branch = Branch()
    branch = branch.typed(text) if typed else branch.reply(text)
    record = msgspec.structs.replace(branch.path[0], id=name)
    return MessageItem(record, show_thinking=False)
