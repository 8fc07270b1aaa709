"""Text as data: whatever came from a model, a file or the network, made safe to put on a screen.

What a terminal would obey (control characters, escape sequences), what would reorder a line (bidirectional
overrides) and what would hide (zero-width characters, floods of combining marks) is shown, or dropped.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from rich.cells import cell_len, split_graphemes

_MAX_MARKS: Final = 8
"""More combining marks than this on one base no script needs; they climb over the lines above."""
_MOST_ON_A_LINE: Final = 20_000
"""Characters that are looked at for one line of a given width. A title may have megabytes."""

# Ranges, written as the inside of a character class.
_CONTROLS: Final = r"\x00-\x09\x0b-\x1f\x7f-\x9f"
_HIDDEN: Final = (
    r"\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f"
    r"\ufe00-\ufe0e\ufeff\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_BROKEN: Final = r"\ud800-\udfff\ufffe\uffff"
_SEPARATORS: Final = r"\u2028\u2029"
_BIDI: Final = {
    "\u202a": "⟨LRE⟩",
    "\u202b": "⟨RLE⟩",
    "\u202c": "⟨PDF⟩",
    "\u202d": "⟨LRO⟩",
    "\u202e": "⟨RLO⟩",
    "\u2066": "⟨LRI⟩",
    "\u2067": "⟨RLI⟩",
    "\u2068": "⟨FSI⟩",
    "\u2069": "⟨PDI⟩",
}
_JOINERS: Final = r"\u200c\u200d"
_VS16: Final = r"\ufe0f"
_MARKS: Final = (
    r"\u0300-\u034e\u0350-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    r"\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711"
    r"\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u0816-\u082d\u0859-\u085b\u0898-\u089f\u08ca-\u08e1"
    r"\u08e3-\u0902\u093a\u093c\u0941-\u0948\u094d\u0951-\u0957\u0962\u0963\u0e31\u0e34-\u0e3a"
    r"\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f18\u0f19\u0f35\u0f37\u0f39\u0f71-\u0f7e"
    r"\u0f80-\u0f84\u0f8d-\u0fbc\u135d-\u135f\u1ab0-\u1aff\u1cd0-\u1cf9\u1dc0-\u1dff\u20d0-\u20f0"
    r"\u2cef-\u2cf1\u2de0-\u2dff\u302a-\u302d\u3099\u309a\ua66f-\ua672\ua674-\ua67d\ua69e\ua69f"
    r"\ufe20-\ufe2f\U0001d165-\U0001d169\U0001d16d-\U0001d172\U0001d17b-\U0001d182"
)
_EMOJI: Final = (
    r"#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff"
    r"\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
# Scripts in which a joiner or a non-joiner changes what is read (Arabic, Indic, Khmer, Mongolian, …).
_JOINING: Final = r"\u0600-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff"

_SUSPECT: Final = f"[{_CONTROLS}{_HIDDEN}{_BROKEN}{_SEPARATORS}{''.join(_BIDI)}{_JOINERS}{_VS16}{_MARKS}]"
_SUSPECT_ASCII: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_ALWAYS: Final = rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BROKEN}{_SEPARATORS}{''.join(_BIDI)}]|[{_HIDDEN}]+"
_STRAY_VS16: Final = f"(?<![{_EMOJI}]){_VS16}"
_STRAY_JOINER: Final = (
    rf"(?<![{_JOINING}{_EMOJI}\ufe0f])[{_JOINERS}]|(?<=[{_EMOJI}\ufe0f])(?:\u200c|\u200d(?![{_EMOJI}]))"
)
_FLOOD: Final = f"[{_MARKS}{_JOINERS}{_VS16}]{{{_MAX_MARKS + 1},}}"
_SPACES: Final = re.compile(r"\s+")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """These patterns are large: each is compiled when the first text needs it, not when the program starts."""
    return re.compile(pattern)


def _replacement(match: re.Match[str]) -> str:
    char = match[0][0]
    if char in _BIDI:
        return _BIDI[char]
    if char in "\u2028\u2029":
        return "\n"
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code <= 0x9F or 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF):
        return "\ufffd"
    return ""


def visible(text: str) -> str:
    """Make `text` safe to show: the result holds no control character but the newline.

    Tabs become spaces (tab stops of 4), CRLF a newline, other C0 characters their control pictures, C1
    characters and lone surrogates U+FFFD, bidirectional controls names such as `⟨RLO⟩`. Zero-width
    characters are dropped, except joiners where emoji or a script need them; so are all combining marks
    after the eighth on one base. Ordinary text comes back as it is, at the cost of one search.

    `visible` is idempotent, and works line by line: `visible(a + "\\n" + b)` is the two lines made visible.
    """
    if (_SUSPECT_ASCII if text.isascii() else _compiled(_SUSPECT)).search(text) is None:
        return text
    text = text.replace("\r\n", "\n")
    text = _compiled(_ALWAYS).sub(_replacement, text)
    if not text.isascii():
        text = _compiled(_STRAY_VS16).sub("", text)
        text = _compiled(_STRAY_JOINER).sub("", text)
        text = _compiled(_FLOOD).sub(lambda run: run[0][:_MAX_MARKS], text)
    return text.expandtabs(4)


def one_line(text: str, width: int | None = None) -> str:
    """`visible(text)` on one line, white space collapsed, cut with an ellipsis to `width` cells if given."""
    is_long = width is not None and len(text) > _MOST_ON_A_LINE
    line = _SPACES.sub(" ", visible(text[:_MOST_ON_A_LINE] if is_long else text)).strip()
    if width is None or (not is_long and cell_len(line) <= width):
        return line
    if width <= 0:
        return ""
    room = width - 1
    end = 0
    # A grapheme takes at least one character, and each has at most 2 cells: the rest need not be measured.
    for _, stop, cells in split_graphemes(line[: 16 * width])[0]:
        if cells > room:
            break
        room -= cells
        end = stop
    return line[:end].rstrip() + "…"
