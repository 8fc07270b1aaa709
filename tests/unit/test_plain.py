"""Text as data: nothing that a terminal obeys, reorders or hides comes through `plain`."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from convend_tui.plain import one_line, visible

NASTY = st.text(
    st.sampled_from(
        "a \t\r\n\x00\x1b\x7f\x85\u200b\u200c\u200d\u202e\u2066\u2028\ufeff\ufe0f\u0301\u094dक❤👩1ب\ud800汉"
    )
)


@given(st.text(st.characters()) | NASTY)
def test_no_control_character_but_the_newline_comes_through(text: str) -> None:
    shown = visible(text)
    assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char != "\n"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\u00ad")
    shown.encode("utf-8")


@given(st.text(st.characters()) | NASTY)
def test_it_is_idempotent(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters() | st.just("\u200d")).filter(lambda text: not text.endswith("\r")), NASTY)
def test_it_works_line_by_line(before: str, after: str) -> None:
    assert visible(before + "\n" + after) == visible(before) + "\n" + visible(after)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0x24FF) | st.just("\n")))
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧 family, 👩🏽‍🚀 astronaut, ❤️ heart, 1️⃣ key, 🇩🇪 flag",
        "می‌خواهم",  # a zero-width non-joiner where Persian needs it
        "क्‍ष नमस्ते दुनिया",
        "cafe\u0301, Việt, ก็ที่นี่",
        "汉字かな交じり文。",
    ],
)
def test_scripts_and_emoji_keep_what_they_need(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\tx\n12\ty", "    x\n12  y"),
        ("del\x7f c1\x9b", "del␡ c1\ufffd"),
        ("\ud83d", "\ufffd"),
        ("\u202egnp.exe\u202c", "⟨RLO⟩gnp.exe⟨PDF⟩"),
        ("pass\u200bword\ufeff so\u00adft", "password soft"),
        ("a\u200db x\ufe0f", "ab x"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("one\u2028two", "one\ntwo"),
        ("z" + "\u0301" * 500 + "!", "z" + "\u0301" * 8 + "!"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_or_dropped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_no_character_without_a_width_comes_in_floods() -> None:
    chars = [chr(code) for code in range(0x20, 0x20000) if not 0xD800 <= code < 0xE000]
    jamo = [chr(code) for code in (*range(0x1160, 0x1200), *range(0xD7B0, 0xD800), 0x3164, 0xFFA0)]
    marks = [char for char in chars if unicodedata.category(char) in ("Mn", "Me", "Mc", "Sk", "Cf")]
    without = [char for char in (*jamo, *marks) if not cell_len(char)]
    assert len(without) > 2000
    for char in without:
        shown = visible("x" + char * 50 + "y").replace("\n", "")
        # Shown by a name, dropped, or no more of them than a base may have.
        assert cell_len(shown) > 50 or len(shown) <= 10, hex(ord(char))


@given(st.text(st.characters()) | NASTY, st.integers(0, 30))
def test_one_line_fits_its_width(text: str, width: int) -> None:
    line = one_line(text, width)
    assert "\n" not in line
    assert cell_len(line) <= width


def test_one_line_collapses_white_space_and_says_that_it_was_cut() -> None:
    assert one_line("  two\n\n  words\t!") == "two words !"
    assert one_line("a heading that is long", 9) == "a headin…"
    assert one_line("汉字汉字", 6) == "汉字…"
    assert one_line("fits", 4) == "fits"
