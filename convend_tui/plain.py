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
    r"\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
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
# Where marks without a width of their own are: whole blocks of the scripts that have them (see `_flood`).
_MARKS: Final = (
    r"\u0300-\u036f\u0483-\u0489\u0591-\u1cff\u1dc0-\u1dff\u20d0-\u20f0\u2cef-\u2cf1\u2d7f\u2de0-\u2dff"
    r"\u302a-\u302f\u3099\u309a\ua66f-\ua67d\ua69e\ua69f\ua6f0\ua6f1\ua802-\uabff\ud7b0-\ud7ff\ufb1e\ufe20-\ufe2f"
    r"\U000101fd-\U000102e0\U00010376-\U0001037a\U00010a01-\U00011fff\U00013440-\U00013455\U0001611e-\U0001612f"
    r"\U00016af0-\U00016ff1\U0001bc9d\U0001bc9e\U0001cf00-\U0001cf46\U0001d165-\U0001d244\U0001da00-\U0001daaf"
    r"\U0001e000-\U0001e94a\U0001f3fb-\U0001f3ff"
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
_RUN: Final = f"[{_MARKS}{_JOINERS}{_VS16}]{{{_MAX_MARKS + 1},}}"
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


@cache
def _flood() -> re.Pattern[str]:
    """More marks on end than a base may have. What is one, the table says by which lines are measured: whatever has no
    width of its own. Made when the first text has a long run in their blocks: that takes milliseconds."""
    blocks = re.findall(r"\\[uU]([0-9a-f]+)(?:-\\[uU]([0-9a-f]+))?", _MARKS)
    codes = (code for first, last in blocks for code in range(int(first, 16), int(last or first, 16) + 1))
    ranges: list[list[int]] = []
    for code in (code for code in codes if not cell_len(chr(code))):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    marks = "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
    return re.compile(f"[{marks}{_JOINERS}{_VS16}]{{{_MAX_MARKS + 1},}}")


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
        if "\ufe0f" in text:
            text = _compiled(_STRAY_VS16).sub("", text)
        if "\u200c" in text or "\u200d" in text:
            text = _compiled(_STRAY_JOINER).sub("", text)
        if _compiled(_RUN).search(text) is not None:
            text = _flood().sub(lambda run: run[0][:_MAX_MARKS], text)
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
