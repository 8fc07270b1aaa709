"""A replay as an asciicast (version 2), which asciinema and its players show in any terminal or web page.

It is text and line ends only: nothing of a message is ever obeyed by the terminal in which it is played.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len

from convend_tui.ending.tool import cause_in_words
from convend_tui.exchange.wrapping import wrapped, written
from convend_tui.plain import one_line, visible
from convend_tui.replay import Event, Replay, branches
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
    yield _line([0.0, "o", wrapped(one_line(title), width)])
    for number in range(len(replay.scenes)):
        for at, data in _scene(replay, number, width):
            yield _line([at / 1000, "o", data])
    yield _line([replay.duration / 1000, "o", "\r\n"])


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _scene(replay: Replay, number: int, width: int) -> Iterator[tuple[int, str]]:
    """The outputs of one message, with their times in ms."""
    scene = replay.scenes[number]
    yield scene.begin, f"\r\n\r\n{wrapped(heading(replay, number), width)}\r\n"
    spoken = False
    for kind, run in groupby(replay.events(number), lambda event: event.kind):
        events = list(run)
        match kind:
            case "thinking" | "text" | "typed":
                if any(event.text for event in events):
                    gap = "\r\n\r\n" * spoken + f"{THINKING}\r\n" * (kind == "thinking")
                    yield from written(events, width, gap)
                    spoken = True
            case "verdict" if (words := verdict_words(replay, events[0])) is not None:
                yield events[0].at, "\r\n" * spoken + wrapped(words, width)
                spoken = True
            case "ended":
                for event in events:
                    yield event.at, "\r\n\r\n" + "\r\n".join(_framed(ending_words(replay, event), width))
        if kind in ("done", "typed") and not spoken:
            yield events[-1].at, wrapped(preview(scene.message), width)
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


def _framed(paragraphs: Sequence[str], width: int) -> Iterator[str]:
    """Paragraphs in a frame."""
    inner = width - 4
    yield f"╭{'─' * (inner + 2)}╮"
    for number, paragraph in enumerate(paragraphs):
        for row in ["", *wrapped(paragraph, inner).split("\r\n")][number == 0 :]:
            yield f"│ {row}{' ' * (inner - cell_len(row))} │"
    yield f"╰{'─' * (inner + 2)}╯"
