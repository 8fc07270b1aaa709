"""No text takes long to show: what a screen takes does not grow with the message, and what has to look at all of it
takes time in proportion to its length. Work is counted, and times are only compared with one another.
"""

from __future__ import annotations

import os
from time import thread_time

import pytest

from convend_tui.tui.chunks import Chunks
from convend_tui.tui.items import MessageItem
from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.pieces import LONG
from tests.faults import drawing
from tests.faults.texts import of_length
from tests.unit.test_markdown import PALETTE

ALL = os.environ.get("CONVEND_FAULTS") == "all"
SIZE = 60_000
SCREEN = 50_000
"""Characters parsed, coloured and wrapped, counted once for each of these, that a screen may take together with the
screens above and below it."""
FRAME = 30_000
"""The same for a frame of a reply that grew by a few words."""
CALLS = 1_000_000
"""Python functions that may be called for the slowest text that is not yet long; most take a tenth of it."""
LONGER = 8
NOISE_S = 0.1
"""Times below it are not compared."""

KINDS = sorted(of_length(10))
SLOWEST = ["brackets", "emphasis, mixed", "links not closed", "points of two kinds", "quotes, deep", "small tables"]


@pytest.mark.parametrize("typed", [False, True], ids=["reply", "typed"])
@pytest.mark.parametrize("name", KINDS)
def test_a_screen_of_a_long_message_costs_a_screen(name: str, typed: bool) -> None:
    text = of_length(SIZE)[name]
    with drawing.counted() as work:
        screen = drawing.Screen(drawing.message("Hello.", "a"), drawing.message(text, typed=typed))
        for step in (screen.draw, lambda: screen.go(0), lambda: screen.go(0.5), lambda: screen.resize(50)):
            before = work.characters
            step()
            assert work.since(before) <= SCREEN


@pytest.mark.parametrize("name", KINDS)
def test_a_frame_of_a_long_reply_costs_its_end(name: str) -> None:
    text = of_length(SIZE)[name]
    reply = MessageItem(None, show_thinking=False)
    reply.body = MarkdownBody()
    with drawing.counted() as work:
        screen = drawing.Screen(drawing.message("Hello.", "a"), reply)

        def draw() -> int:
            before = work.characters
            screen.view.remeasure(1)
            screen.draw()
            return work.since(before)

        # A server may send all of it at once, or a few words at a time.
        reply.body.append(text[: SIZE // 2])
        assert draw() <= SCREEN
        frames: list[int] = []
        for begin in range(SIZE // 2, SIZE // 2 + 200, 40):
            reply.body.append(text[begin : begin + 40])
            frames.append(draw())
        assert sorted(frames)[len(frames) // 2] <= FRAME
        assert max(frames) <= SCREEN
        reply.body.finish()
        assert draw() <= SCREEN


def test_a_frame_costs_the_same_however_much_has_come() -> None:
    body = MarkdownBody()

    def frame() -> int:
        body.append("A few words more. " * 10)
        return drawing.calls(lambda: body.lines(76, PALETTE))

    costs: list[int] = []
    for size in (SIZE, 16 * SIZE):
        body.append(of_length(size)["paragraphs"])
        frame()
        costs.append(sorted(frame() for _ in range(5))[2])
    assert costs[1] <= costs[0] + 20


def test_thinking_that_comes_in_costs_nothing_before_it_is_drawn() -> None:
    item = MessageItem(None, show_thinking=False)
    for number in range(1_000):
        item.add_thinking(f"thought{' ' * (number % 3)}")
    body = item._thoughts
    assert len(body._source) == 1_000
    assert body.words == len(body.source.split())
    for piece in ("", "ends", " here ", "and", "\n", " \n ", "so\ton", "\n\nand on"):
        item.add_thinking(piece)
        assert body.words == len(item.thinking.split())


def test_of_many_long_messages_those_on_the_screen_are_looked_at() -> None:
    text = of_length(SIZE)["paragraphs"]
    items = [drawing.message(text, f"m{number}") for number in range(20)]
    with drawing.counted() as work:
        drawing.Screen(*items).draw()
        assert work.characters <= SCREEN
    # Nothing was even made of the others.
    assert [item._body is not None for item in items].count(True) <= 2


@pytest.mark.parametrize("name", SLOWEST)
def test_what_is_not_yet_long_is_not_slow(name: str) -> None:
    item = drawing.message(of_length(LONG - 100)[name])
    assert drawing.calls(lambda: item.lines(76, PALETTE)) <= CALLS


@pytest.mark.parametrize("name", KINDS if ALL else KINDS[::4])
def test_what_looks_at_all_of_it_takes_time_by_its_length(name: str) -> None:
    def took(length: int) -> float:
        text = of_length(length)[name]
        begin = thread_time()
        chunks = Chunks()
        chunks.feed(text)
        chunks.so_far()
        return thread_time() - begin

    # Something quadratic takes 64 times as long. The shorter one is measured only where the longer one takes long.
    if took(LONGER * SIZE) > NOISE_S:
        assert min(took(LONGER * SIZE) for _ in range(2)) < 3 * LONGER * max(took(SIZE) for _ in range(3))
