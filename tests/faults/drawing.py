"""A text of any bytes, drawn: whole, and as it grows."""

from __future__ import annotations

from pathlib import Path

from rich.cells import cell_len

from convend_tui.plain import one_line
from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.plain_body import PlainBody
from tests.faults.texts import RAW
from tests.unit.test_markdown import PALETTE

CORPUS = Path(__file__).parent / "corpus" / "markdown"


def check(body: MarkdownBody | PlainBody, width: int) -> list[str]:
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
    assert cell_len(one_line(text, width)) <= width
