"""Markdown as lines: what is read, what is copied, and that streaming ends where a whole rendering does."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from convend_tui.plain import visible
from convend_tui.tui import code, growing
from convend_tui.tui.markdown import Line, MarkdownBody, Palette
from convend_tui.tui.plain_body import PlainBody
from convend_tui.tui.units import parse

PALETTE = Palette(code_bg="on #222222", code_theme="github-dark", text="#eeeeee")
SAMPLE = """# Title *x*

Some **bold** `code` [text](http://a.b/c) <http://d.e> ~~gone~~ & &amp; <b>html</b>
second line ![alt](p.png)

- one
- two which is long enough to be wrapped at the width of these tests, and more
  - nested
- [ ] open
- [x] done

3. three
4. four

   ```python
   def f(x):
       return x
   ```

> quoted words
>
> > deeper

| Name | Value |
|------|------:|
| alpha | 1 |
| beta with words | 2000 |

```
verbatim   text
```

***

[ref]

[ref]: http://late.definition
"""
PIECES = [
    *("# h\n", "para ", "*em* ", "**b", "**", "`c", "`", "\n", "\n\n", "- item\n", "  - nested\n", "1. one\n"),
    *("2) x\n", "> q\n", "```py\n", "x = 1\n", "```\n", "    code\n", "| a | b |\n|---|---|\n", "| 1 | 2 |\n"),
    *("---\n", "===\n", "[l](u) ", "[r]", "\n[r]: http://x\n", "\t", "\r\n", "汉字", "👩‍🚀", "<b>", "&#27;", "~~~\n"),
]


def rows(body: MarkdownBody | PlainBody, width: int = 50) -> list[str]:
    return [line.strip.text.rstrip() for line in body.lines(width, PALETTE)]


def copied(lines: list[Line]) -> str:
    return "".join(("" if line.soft or not number else "\n") + line.text for number, line in enumerate(lines))


def style_at(lines: list[Line], words: str) -> str:
    return next(str(style) for line in lines for text, style, _ in line.segments if words in text)


def streamed(text: str, cuts: list[int], width: int = 50) -> MarkdownBody:
    body = MarkdownBody()
    for start, end in pairwise([0, *sorted(cuts), len(text)]):
        body.append(text[start:end])
        body.lines(width, PALETTE)
    body.finish()
    return body


def test_blocks_are_laid_out() -> None:
    assert rows(MarkdownBody(SAMPLE)) == [
        "Title x",
        "",
        "Some bold code text (http://a.b/c) http://d.e gone",
        "& & <b>html</b>",
        "second line [image: alt] (p.png)",
        "",
        "• one",
        "• two which is long enough to be wrapped at the",
        "  width of these tests, and more",
        "  ◦ nested",
        "☐ open",
        "☑ done",
        "",
        "3. three",
        "4. four",
        "",
        "     python",
        "     def f(x):",
        "         return x",
        "",
        "▎ quoted words",
        "▎",
        "▎ ▎ deeper",
        "",
        "Name            │ Value",
        "────────────────┼──────",
        "alpha           │     1",
        "beta with words │  2000",
        "",
        "  verbatim   text",
        "",
        "─" * 50,
        "",
        "ref (http://late.definition)",
    ]


def test_styles_tell_what_is_what_without_colour() -> None:
    lines = list(MarkdownBody(SAMPLE).lines(50, Palette()))
    assert "bold" in style_at(lines, "Title") and "underline" in style_at(lines, "Title")
    assert "bold" in style_at(lines, "bold")
    assert "underline" in style_at(lines, "text")
    assert "strike" in style_at(lines, "gone")
    assert "`code`" in rows_of(MarkdownBody(SAMPLE).lines(50, Palette(mono=True, inline_code="")))


def rows_of(lines: object) -> str:
    assert isinstance(lines, list)
    return "\n".join(line.strip.text for line in lines)


def test_nothing_becomes_an_escape_sequence() -> None:
    body = MarkdownBody("\x1b]8;;http://evil\x07[x](http://a.b) &#27; &#x202e; [red]not markup[/red]")
    text = rows_of(body.lines(200, PALETTE))
    assert "\x1b" not in text and "\u202e" not in text and "[red]not markup[/red]" in text
    assert all(
        style is None or style.link is None for line in body.lines(200, PALETTE) for _, style, _ in line.segments
    )


def test_copying_joins_wrapped_lines_and_leaves_decoration_out() -> None:
    text = "> A quotation that is longer than the narrow width it has here.\n\n```\n" + "x" * 70 + "\n```"
    lines = list(MarkdownBody(text).lines(24, PALETTE))
    assert copied(lines) == "A quotation that is longer than the narrow width it has here.\n\n" + "x" * 70
    for line in lines:
        assert line.strip.text[line.indent :].rstrip() == line.text.rstrip()


@given(st.text(st.sampled_from("ab \n汉é👩‍🚀-c    ")), st.integers(3, 30))
def test_plain_text_is_verbatim(text: str, width: int) -> None:
    lines = list(PlainBody(text).lines(width, PALETTE))
    assert copied(lines) == visible(text)
    assert all(line.cells <= width or len(line.text.strip()) <= 2 for line in lines)


@given(st.lists(st.sampled_from([*PIECES, SAMPLE]), max_size=25), st.integers(20, 80))
@settings(max_examples=60)
def test_no_line_is_wider_than_the_width(pieces: list[str], width: int) -> None:
    for line in MarkdownBody("".join(pieces)).lines(width, PALETTE):
        assert line.cells == cell_len(line.strip.text) <= width


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_any_chunking_ends_like_a_whole_rendering(pieces: list[str], rng: random.Random) -> None:
    text = "".join(pieces)
    cuts = [rng.randint(0, len(text)) for _ in range(12)]
    assert streamed(text, cuts).lines(50, PALETTE) == MarkdownBody(text).lines(50, PALETTE)


LONG = {
    "code": "```python\n" + "".join(f"value_{n} = {n}  # n\n" for n in range(1200)) + "```\nafter\n",
    "list": "".join(f"{n}. item with *words* {n}\n" for n in range(1, 900)),
    "table": "| a | b |\n|---|---|\n" + "".join(f"| {n} | words {n} |\n" for n in range(900)) + "\nafter\n",
    "paragraph": "some *words* that never end " * 1500,
    "mixed": SAMPLE * 60,
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_block_is_settled_in_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = LONG[name]
    parsed: list[int] = []

    def counted(source: str, **options: object) -> object:
        parsed.append(len(source))
        return parse(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(growing, "parse", counted)
    # On a slow machine the colours of long code are given up half-way, in one of the two and not in the other.
    monkeypatch.setattr(code, "_MAX_SECONDS", 60)
    body = MarkdownBody()
    step = 1000
    for start in range(0, len(text), step):
        body.append(text[start : start + step])
        body.lines(50, PALETTE)
    # Parsing everything again at each of n steps would be n/2 times the text.
    assert sum(parsed) < len(text) / step * 12_000
    body.finish()
    assert body.lines(50, PALETTE) == MarkdownBody(text).lines(50, PALETTE)


@pytest.mark.parametrize("name", ["code", "list", "table"])
def test_the_parts_of_a_long_block_read_like_the_whole(name: str) -> None:
    body = MarkdownBody()
    for start in range(0, len(LONG[name]), 777):
        body.append(LONG[name][start : start + 777])
        body.lines(50, PALETTE)
    assert rows(body) == rows(MarkdownBody(LONG[name]))


def test_a_growing_body_shows_what_came_so_far() -> None:
    body = MarkdownBody()
    body.append("# Head\n\nSome **bo")
    assert rows(body) == ["Head", "", "Some **bo"]
    body.append("ld** text\n\n```py\nx = ")
    assert rows(body) == ["Head", "", "Some bold text", "", "  py", "  x ="]
    assert body.source == "# Head\n\nSome **bold** text\n\n```py\nx = "


def test_appending_after_the_end_goes_on() -> None:
    body = MarkdownBody("- one\n")
    assert rows(body) == ["• one"]
    body.append("- two")
    assert rows(body) == ["• one", "• two"]
    body.finish()
    assert rows(body) == ["• one", "• two"]


@pytest.mark.parametrize(
    "text",
    [
        ">" * 10_000 + " x",
        "- " * 10_000 + "x",
        "".join("  " * n + "- a\n" for n in range(300)),
        "x" * 300_000,
        "[" * 50_000,
        "`" * 20_000 + "a",
        "*a_" * 20_000,
        "| " + "a | " * 3_000 + "\n|" + "-|" * 3_000 + "\n" + "| b " * 3_000 + "\n",
        "```perl\n" + ("s{{{" * 300 + "\n") * 5 + "```",
        "汉" * 50_000,
        "\n" * 50_000,
        "- a\n" * 8_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_bombs_are_shown_and_nothing_is_lost(text: str) -> None:
    body = MarkdownBody(text)
    lines = list(body.lines(60, PALETTE))
    shown = "".join(line.strip.text for line in lines)
    for char in "axb汉":
        assert shown.count(char) >= text.count(char)


def test_columns_wrap_and_a_narrow_table_becomes_records() -> None:
    table = "| Key | Meaning |\n|---|---|\n| one | several words that need to be wrapped |\n| two | b |\n"
    assert rows(MarkdownBody(table), 26) == [
        "Key │ Meaning",
        "────┼" + "─" * 21,
        "one │ several words that",
        "    │ need to be wrapped",
        "┈┈┈┈│" + "┈" * 21,
        "two │ b",
    ]
    wide = "|" + "head|" * 9 + "\n|" + "-|" * 9 + "\n|" + "cell|" * 9 + "\n"
    assert rows(MarkdownBody(wide), 24) == ["head: cell"] * 9


def test_the_palette_decides_the_colours_and_the_width_the_breaks() -> None:
    body = MarkdownBody("# Head\n\n" + "word " * 20)
    dark = body.lines(40, PALETTE)
    assert body.lines(40, PALETTE) is dark
    light = body.lines(40, Palette(heading="#0000ff"))
    assert [line.text for line in light] == [line.text for line in dark] and light != dark
    assert len(body.lines(20, PALETTE)) > len(dark)
    body.forget()
    assert body.lines(40, PALETTE) == dark


def test_the_estimate_is_near_for_prose() -> None:
    body = MarkdownBody("\n\n".join("some ordinary words in a paragraph " * 8 for _ in range(30)))
    real = len(body.lines(80, PALETTE))
    assert real / 2 <= body.estimate(80) <= real * 2
