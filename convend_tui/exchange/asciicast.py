"""A replay as an asciicast (version 2), which asciinema and its players show in any terminal or web page.

It is text and line ends only: nothing of a message is ever obeyed by the terminal in which it is played.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby

from rich.cells import cell_len, split_graphemes

from convend_tui.ending.tool import cause_in_words
from convend_tui.plain import one_line, visible
from convend_tui.replay import Event, Replay, branches, made_visible
from convend_tui.thread import records as r
from convend_tui.thread.outline import preview

NARROWEST = 20
"""Columns; fewer are taken for this many."""
THINKING = "(thinking)"
"""The line above what a model thought."""


def asciicast(replay: Replay, *, width: int = 80, height: int = 24, title: str | None = None) -> Iterator[str]:
    """The lines of the file, each with its line end, in plain ASCII; made as they are asked for.

    Args:
        width, height: of the terminal it is played in, in cells.
        title: of the recording; None: the thread's.
    """
    width = max(NARROWEST, width)
    title = replay.thread.title if title is None else title
    head: dict[str, object] = {"version": 2, "width": width, "height": max(1, height)}
    begun = r.moment_of(replay.thread.header.at)
    if begun is not None and begun.year >= 1970:
        head["timestamp"] = int(begun.timestamp())
    yield _line(head | {"duration": replay.duration / 1000, "title": one_line(title)})
    yield _line([0.0, "o", _wrapped(one_line(title), width)])
    for number in range(len(replay.scenes)):
        for at, data in _scene(replay, number, width):
            yield _line([at / 1000, "o", data])
    yield _line([replay.duration / 1000, "o", "\r\n"])


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _scene(replay: Replay, number: int, width: int) -> Iterator[tuple[int, str]]:
    """The outputs of one message, with their times in ms."""
    scene = replay.scenes[number]
    yield scene.begin, f"\r\n\r\n{_wrapped(heading(replay, number), width)}\r\n"
    spoken = False
    for kind, run in groupby(replay.events(number), lambda event: event.kind):
        events = list(run)
        match kind:
            case "thinking" | "text" | "typed":
                if any(event.text for event in events):
                    gap = "\r\n\r\n" * spoken + f"{THINKING}\r\n" * (kind == "thinking")
                    yield from _written(events, width, gap)
                    spoken = True
            case "verdict" if (words := verdict_words(replay, events[0])) is not None:
                yield events[0].at, "\r\n" * spoken + _wrapped(words, width)
                spoken = True
            case "ended":
                for event in events:
                    yield event.at, "\r\n\r\n" + "\r\n".join(_framed(ending_words(replay, event), width))
        if kind in ("done", "typed") and not spoken:
            yield events[-1].at, _wrapped(preview(scene.message), width)
            spoken = True


# -- words, also of `convend replay` ------------------------------------------------------------------------


def heading(replay: Replay, number: int, *, playing: bool = True) -> str:
    """Who, when, and which of the branches: the line above a message. While it is playing it says where the pace is
    made up; else it names the message, as `convend show` does."""
    scene = replay.scenes[number]
    message = scene.message
    parts = ["You" if message.role == "user" else message.model or "Model", when(message.at)]
    parts += [message.id] * (not playing)
    siblings = branches(replay.thread, message.id)
    parts += [f"{siblings.index(message.id) + 1}/{len(siblings)}"] * (len(siblings) > 1)
    parts += ["broken off"] * (message.kind == "partial")
    parts += ["pace made up"] * (playing and scene.made_up)
    return one_line(f"── {' · '.join(parts)}")


def verdict_words(replay: Replay, event: Event) -> str | None:
    """What is said of a call of end_conversation; None for the one that ends it: its notice says it all."""
    verdict = replay.thread.verdicts[event.message]
    if verdict.outcome == "ended":
        return None
    said = "it was asked to confirm" if verdict.outcome == "confirm" else "not ended"
    reasons = f": {' '.join(verdict.reasons)}" if verdict.reasons else ""
    return one_line(f"The model asked to end the conversation · {said}{reasons}")


def ending_words(replay: Replay, event: Event) -> list[str]:
    """The notice of an ending: a line of who and when, and the paragraphs below it."""
    ended = replay.thread.ended[event.message]
    head = f"The model ended this conversation · {when(ended.at)} · {cause_in_words(ended.cause)}"
    return [one_line(head), *filter(None, [visible(ended.explanation).strip()]), "This branch is locked."]


def when(at: str) -> str:
    """The time of a record by the person's clock."""
    moment = r.moment_of(at)
    try:
        return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else one_line(at)
    except OverflowError:
        return one_line(at)  # before the first year, by that clock


# -- lines ----------------------------------------------------------------------------------------------------


def _written(events: Sequence[Event], width: int, before: str) -> Iterator[tuple[int, str]]:
    """Pieces of one text, wrapped as the whole text is: no word jumps to the next line while it is being written."""
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


def _wrapped(text: str, width: int) -> str:
    """A text that stands at once. It must be visible."""
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


def _framed(paragraphs: Sequence[str], width: int) -> Iterator[str]:
    """Paragraphs in a frame."""
    inner = width - 4
    yield f"╭{'─' * (inner + 2)}╮"
    for number, paragraph in enumerate(paragraphs):
        for row in ["", *_wrapped(paragraph, inner).split("\r\n")][number == 0 :]:
            yield f"│ {row}{' ' * (inner - cell_len(row))} │"
    yield f"╰{'─' * (inner + 2)}╯"
