"""Text for a terminal of a known width, wrapped at words: at once, or piece by piece as it was written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from rich.cells import cell_len, split_graphemes

from convend_tui.replay import Event, made_visible


def written(events: Sequence[Event], width: int, before: str) -> Iterator[tuple[int, str]]:
    """Pieces of one text, wrapped as the whole text is: no word jumps to the next line while it is being written.

    Args:
        width: in cells, at least 2.
        before: what stands before the first piece that shows anything.

    Returns:
        What each moment (in ms) adds; rows are parted by CR LF.
    """
    pieces = made_visible([event.text for event in events])
    text = "".join(pieces)
    skipped = len(text) - len(text.lstrip("\n")) if before else 0
    text = text[skipped:].rstrip(" \n")
    starts = [0, *_row_starts(text, width)]
    rows = [text[start:end].rstrip(" \n") for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    written = "\r\n".join(rows)
    row_places = [0, *accumulate(len(row) + 2 for row in rows)]
    done = 0
    for event, end in zip(events, accumulate(map(len, pieces)), strict=True):
        end = max(0, end - skipped)
        row = bisect_right(starts, end) - 1
        place = row_places[row] + min(end - starts[row], len(rows[row]))
        if place > done or before:
            yield event.at, before + written[done:place]
            done, before = place, ""


def wrapped(text: str, width: int) -> str:
    """A text that stands at once. It must be visible; its rows, of at most `width` cells, are parted by CR LF."""
    starts = [0, *_row_starts(text, width)]
    return "\r\n".join(text[a:b].rstrip(" \n") for a, b in zip(starts, [*starts[1:], len(text)], strict=True))


def _row_starts(text: str, width: int) -> Iterator[int]:
    """Where in a visible text the rows after the first begin, wrapped at words to `width` cells."""
    place = 0
    for line in text.split("\n"):
        if place:
            yield place
        if cell_len(line) > width:
            yield from (place + start for start in _breaks(line, width))
        place += len(line) + 1


def _breaks(line: str, width: int) -> Iterator[int]:
    """Where a line that is too long is broken: after a space or a wide character, else wherever its row is full."""
    used = used_there = 0
    there: int | None = None
    for start, end, cells in split_graphemes(line)[0]:
        is_space = line[start:end] == " "
        if used + cells > width and not is_space:
            if there is not None:
                yield there
                used -= used_there
            else:
                yield start
                used = 0
            there = None
        used += cells
        if is_space or cells > 1:
            there, used_there = end, used
