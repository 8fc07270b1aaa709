"""A long Markdown text in pieces reads as the whole does, however it arrives."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from convend_tui.plain import visible
from convend_tui.tui import code
from convend_tui.tui.chunks import Chunks
from convend_tui.tui.long_markdown import LongMarkdown
from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.pieces import LONG
from convend_tui.tui.plain_body import PlainBody
from convend_tui.tui.units import parse, render
from convend_tui.tui.wrap import BLANK, Line
from tests.unit.test_markdown import PALETTE, PIECES, SAMPLE, copied

WIDTH = 50
BLOCKS = [
    *("# Head *x*\n\n", "Some **bold** words " * 30 + "\n\n", "line one\nline two\n\n", "lazy\n", "\n", "\n\n", SAMPLE),
    *("- one\n- two\n  - nested\n  - more\n- three\n\n", "text\n- tight after\n- text\n\n", "* star\n\n* loose\n\n"),
    "1. a\n2. b\n\n   para\n\n   ```py\n   x = 1\n\n   y = 2\n   ```\n3. c\n\n",
    *("1) x\n1) y\n1) z\n", "10. ten\n\n11. eleven\n\n", "- item\nlazy\n", "***\n\n", "head\n====\n\n"),
    "```python\ndef f():\n    '''doc\n\n    more'''\n    return 1\n\n\nx = 2\n```\n\n",
    *("```\nplain\n- x\n# y\n\nz\n```\n", "~~~\na\n```\nb\n~~~\n", "    code\n    more\n\n    again\n\n"),
    *("> quote\n> more\n>\n> > deep\n\n", "[ref] and [x](http://y)\n\n", "[ref]: http://z\n\n"),
    "| a | b |\n|---|--:|\n| 1 | 2 |\n| 3 | 4 |\n\n",
    # Longer than a chunk:
    "```python\n" + "".join(f"value_{n} = '''{n}\n'''\n\n" for n in range(300)) + "```\n\n",
    "".join(f"- item *{n}* with words\n" for n in range(200)) + "\n",
    "".join(f"1. item *{n}* with words\n" for n in range(200)) + "\n",
    "".join(f"{n}. item *{n}* with words\n\n" for n in range(3, 150)),
    "| a | b |\n|---|--:|\n" + "".join(f"| {n} | word {n} |\n" for n in range(300)) + "\n",
]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine the colours of long code are given up half-way."""
    monkeypatch.setattr(code, "_MAX_SECONDS", 60)


def at_once(text: str) -> list[Line]:
    """All of it parsed at once."""
    units, refs = parse(visible(text))
    lines: list[Line] = []
    for unit in units:
        lines += [BLANK] * bool(lines and unit.gap) + render(unit, refs, WIDTH, PALETTE)
    return lines


@pytest.mark.parametrize("seed", range(3))
def test_pieces_read_as_the_whole_does(seed: int) -> None:
    rng = random.Random(seed)
    text = ""
    while len(text) < 2 * LONG:
        text += rng.choice(BLOCKS)
    body = MarkdownBody(text)
    assert list(body.lines(WIDTH, PALETTE)) == at_once(text)


@pytest.mark.parametrize("block", BLOCKS[-5:], ids=lambda block: block[:12])
def test_a_long_block_in_pieces_reads_as_the_whole_does(block: str) -> None:
    text = f"Before it.\n\n{block}After it.\n"
    assert list(LongMarkdown(text, grows=False).lines(WIDTH, PALETTE)) == at_once(text)


@given(st.lists(st.sampled_from([*PIECES, *BLOCKS]), max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_growing_text_is_cut_where_the_whole_is(pieces: list[str], rng: random.Random) -> None:
    text = "".join(pieces)
    growing, whole = Chunks(), Chunks()
    whole.feed(text)
    position = 0
    while position < len(text):
        step = rng.choice((7, 300, 2_000))
        growing.feed(text[position : position + step])
        growing.so_far()
        position += step
    found, wanted = growing.so_far(), whole.so_far()
    assert [(chunk.kind, chunk.source) for chunk in found] == [(chunk.kind, chunk.source) for chunk in wanted]
    kept = "".join(chunk.head * (chunk.kind == "code" and not chunk.line) + chunk.source for chunk in wanted)
    assert all(kept.count(char) >= text.count(char) for char in "xyparticlehead汉")


def test_a_list_after_a_blank_line_of_spaces_is_cut_too() -> None:
    text = "1. a\n   \nword " + "x" * 1_000 + "\n2. b\n   \n3. c\n" * 400
    assert "3. c" in copied(list(LongMarkdown(text, grows=False).lines(WIDTH, PALETTE)))


def test_links_in_pieces_find_definitions_that_come_late() -> None:
    text = "[one] and [two].\n\n" + "Some words.\n\n" * 1_000 + "[one]: http://x.y\n"
    body = MarkdownBody()
    for start in range(0, len(text), 5_000):
        body.append(text[start : start + 5_000])
        first = next(iter(body.lines(WIDTH, PALETTE)))
    assert first.text == "[one] and [two]."
    body.finish()
    assert next(iter(body.lines(WIDTH, PALETTE))).text == "one (http://x.y) and [two]."


def test_what_is_simplified_is_said() -> None:
    definitions = "".join(f"[r{n}]: http://x/{n}\n" for n in range(2_000))
    nested = "- a\n" + "".join(f"  - point {n}\n" for n in range(1_000))
    deep = ">" * 100 + " deep"
    for text, word in ((definitions, "more link definitions"), (nested, "list item above"), (deep, "shown as typed")):
        lines = list(MarkdownBody(text).lines(90, PALETTE))
        said = [line for line in lines if word in line.strip.text]
        assert said and not any(line.text for line in said)  # it is not copied


@pytest.mark.parametrize(
    "text", ["some words " * 3_000, "x" * 30_000, "a\n\nb  \n" * 5_000, "汉 " * 20_000, "\n" * 9_000]
)
def test_long_plain_text_in_pieces_is_verbatim(text: str) -> None:
    body = PlainBody(text[:5_000])
    body.lines(WIDTH, PALETTE)
    for start in range(5_000, len(text), 3_000):
        body.append(text[start : start + 3_000])
        body.lines(WIDTH, PALETTE)
    lines = list(body.lines(WIDTH, PALETTE))
    assert copied(lines) == text
    assert lines == list(PlainBody(text).lines(WIDTH, PALETTE))


@pytest.mark.parametrize("shift", [0, 3], ids=["words last", "words first"])
@pytest.mark.parametrize("columns", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("text", ["words", "words " * 30], ids=["narrow", "full"])
def test_a_wide_character_in_a_column_of_one_cell_moves_nothing(
    columns: tuple[int, ...], text: str, shift: int
) -> None:
    rows = [["a", "b", "c", text] for _ in range(120)]
    rows[100] = [*("界" if number in columns else "abc"[number] for number in range(3)), "odd"]
    table = [["x", "y", "z", "w"], ["-"] * 4, *rows]
    source = "".join(f"| {' | '.join(row[shift:] + row[:shift])} |\n" for row in table)
    drawn = LongMarkdown(source, grows=False).lines(WIDTH, PALETTE)
    lines = ["".join(segment.text for segment in line.segments) for line in drawn]
    assert all(cell_len(line) <= WIDTH for line in lines)
    odd = next(line for line in lines if "odd" in line)
    assert odd.count("界") == len(columns)
    rules = [[cell_len(line[:at]) for at, char in enumerate(line) if char in "│┼"] for line in (lines[1], odd)]
    assert rules[0] == rules[1] and len(rules[1]) == 3
