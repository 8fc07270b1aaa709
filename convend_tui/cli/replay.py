"""`replay`: a saved thread as it happened. On a terminal it plays in time, wrapped at words; elsewhere it is written at
once, as it is."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from convend_tui.cli.output import open_library, say, write, write_lines
from convend_tui.exchange.asciicast import THINKING, ending_words, heading, verdict_words
from convend_tui.exchange.wrapping import wrapped, written
from convend_tui.plain import visible
from convend_tui.replay import LONGEST_PAUSE_MS, Event, Replay
from convend_tui.store.library import find_message
from convend_tui.thread import outline
from convend_tui.thread import records as r

_NAMED = 4
"""Answers that are named where their pace was made up."""
_LATE_S = 1.0
"""Later than this (the program was stopped for a while), and the rest is put off instead of hurried through."""
_LONGEST_SLEEP_S = 0.25
"""Ctrl+C in the moment before a sleep begins is seen only when it is over."""


def replay(arguments: argparse.Namespace) -> int:
    """`convend replay THREAD [--at MESSAGE] [--speed X] [--instant] [--long-pauses]`."""
    library = open_library()
    handle = library.open(library.resolve(arguments.thread))
    thread = handle.thread
    for problem in (*handle.problems, *outline.problems_of(thread)):
        say(f"convend: {problem}")
    leaf = find_message(thread, arguments.at) if arguments.at is not None else None
    played = Replay(thread, leaf, longest_pause_ms=None if arguments.long_pauses else LONGEST_PAUSE_MS)
    if played.made_up:
        say(f"convend: {_made_up(played)}")
    if sys.stdout.isatty() and not arguments.instant:
        _play(played, arguments.speed)
    else:
        _write_rows(_pages(played))
    return 0


def _width() -> int:
    """Columns of the terminal, as it is now."""
    return max(2, shutil.get_terminal_size().columns)


def _write_rows(lines: Iterable[str]) -> None:
    """Lines of text; on a terminal broken at words."""
    if sys.stdout.isatty():
        lines = (wrapped(visible(line), _width()) for line in lines)
    write_lines(lines)


def _made_up(played: Replay) -> str:
    """Where the pace was not recorded."""
    answers = sum(scene.message.role == "assistant" for scene in played.scenes)
    found = [scene.message.id for scene in played.scenes if scene.made_up]
    named = ", ".join(found[:_NAMED]) + ", …" * (len(found) > _NAMED)
    return f"For {len(found):,} of {answers:,} answers ({named}) there are no times that fit: their pace is made up."


# -- at once --------------------------------------------------------------------------------------------------


def _pages(played: Replay) -> Iterator[str]:
    yield played.thread.title
    for number, scene in enumerate(played.scenes):
        yield ""
        yield heading(played, number, playing=False)
        yield r.text_of(scene.message) or outline.preview(scene.message)
        for event in played.outcome(number):
            yield from _notes(played, event)


def _notes(played: Replay, event: Event) -> Iterator[str]:
    """What is said of a call, and of an ending."""
    if event.kind == "verdict" and (words := verdict_words(played, event)) is not None:
        yield f"({words})"
    elif event.kind == "ended":
        head, *paragraphs = ending_words(played, event)
        yield from ("", f"── {head}", *paragraphs)


# -- in time --------------------------------------------------------------------------------------------------


def _play(played: Replay, speed: float) -> None:
    stage = _Stage(played, Clock(speed))
    _write_rows([played.thread.title])
    try:
        for number in range(len(played.scenes)):
            stage.play(number)
    finally:
        stage.end_line()


class _Stage:
    """The terminal, on which scenes are played one after the other."""

    def __init__(self, played: Replay, clock: Clock) -> None:
        self._played = played
        self._clock = clock
        self._open_line = False

    def play(self, number: int) -> None:
        """Play one scene; returns when it is over."""
        scene = self._played.scenes[number]
        self._clock.wait_until(scene.begin)
        _write_rows(["", heading(self._played, number)])
        spoken = False
        for kind, run in groupby(self._played.events(number), lambda event: event.kind):
            events = list(run)
            if kind in ("typed", "thinking", "text") and any(event.text for event in events):
                self._speak(events, after=spoken)
                spoken = True
            else:
                self._clock.wait_until(events[0].at)
                self.end_line()
                for event in events:
                    _write_rows(_notes(self._played, event))
            if kind in ("typed", "done") and not spoken:
                _write_rows([outline.preview(scene.message)])
                spoken = True
        self.end_line()

    def _speak(self, events: Sequence[Event], *, after: bool) -> None:
        """Write pieces of one kind as their times come."""
        before = "\n\n" * after + f"{THINKING}\n" * (events[0].kind == "thinking")
        for at, piece in written(events, _width(), before):
            self._clock.wait_until(at)
            # Before it is written: Ctrl+C may come right after.
            self._open_line = True
            write(piece)

    def end_line(self) -> None:
        """Go to the beginning of a line."""
        write("\n" * self._open_line)
        self._open_line = False


class Clock:
    """The time of a replay, which runs `speed` times as fast as that on the wall."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = time.monotonic()

    def wait_until(self, moment: int) -> None:
        """Return when it is `moment`, in ms since the replay began."""
        due = self._began + moment / 1000 / self._speed
        late = time.monotonic() - due
        if late > _LATE_S:
            self._began += late
        while (wait := due - time.monotonic()) > 0:
            time.sleep(min(wait, _LONGEST_SLEEP_S))
