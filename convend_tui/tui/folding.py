"""What the composer keeps instead of a long paste, and instead of characters a terminal would obey. Pure.

A text area slows down with the size of its text, so a long paste is kept aside and one line, the *token*,
stands for it. A control character is held as a *stand-in*: one private-use character that is one cell
wide, so the wrapping, the cursor and the mouse agree with what is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FOLD_CHARACTERS = 2_000
"""A paste longer than this is folded."""
FOLD_LINES = 40
"""A paste of more lines than this is folded."""
HUGE_CHARACTERS = 10_000
"""A loaded text longer than this is folded, so that an old message of usual length stays editable. Beside a
text as long as this, even a paste a tenth as long as `FOLD_CHARACTERS` is folded."""
HUGE_LINES = 200
"""A loaded text of more lines than this is folded."""

# Everything a terminal may obey, or that is invisible and can turn text round or hide words in it.
# Joiners and variation selectors stay: emoji and several scripts are made of them.
_HIDDEN = [
    *(code for code in range(0x20) if chr(code) not in "\t\n"),
    *range(0x7F, 0xA0),
    *(0xAD, 0x34F, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0x3164, 0xFEFF, 0xFFA0, 0xFFFE, 0xFFFF),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFFF9, 0xFFFC),
    *range(0xD800, 0xE000),
    *range(0xE0000, 0xE0080),
]
_FIRST_STAND_IN = 0x100000
_HOLD = {code: chr(_FIRST_STAND_IN + place) for place, code in enumerate(_HIDDEN)}
_RELEASE = {_FIRST_STAND_IN + place: chr(code) for place, code in enumerate(_HIDDEN)}
_TAKEN = re.compile(f"[{chr(_FIRST_STAND_IN)}-{chr(_FIRST_STAND_IN + len(_HIDDEN) - 1)}]")


def _picture(code: int) -> str:
    """One visible cell for a hidden character: the control pictures of Unicode where there is one."""
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


_PICTURES = {_FIRST_STAND_IN + place: _picture(code) for place, code in enumerate(_HIDDEN)}


def normalise(text: str) -> str:
    """Every line break as one line feed: terminals paste carriage returns."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def hold(text: str) -> str:
    """`text` with stand-ins for its hidden characters; as long as before."""
    return text.translate(_HOLD)


def release(held: str) -> str:
    """The text that `hold` was given."""
    return held.translate(_RELEASE)


def drawn(held: str) -> str:
    """`held` as it is drawn, character for character: stand-ins become visible."""
    return held.translate(_PICTURES)


def size_words(size: int) -> str:
    """A number of bytes for people: `98 KB`, `1.2 MB`."""
    if size < 1000:
        return f"{size} B"
    if size < 999_500:
        return f"{size / 1000:.0f} KB"
    return f"{size / 1_000_000:.1f} MB"


def _exceeds(text: str, characters: int, lines: int) -> bool:
    # A private character that serves as a stand-in could not be told from one later.
    return len(text) > characters or text.count("\n") >= lines or bool(_TAKEN.search(text))


class Folding:
    """The pastes that are kept aside, by the token that stands for each."""

    def __init__(self) -> None:
        self._pastes: dict[str, str] = {}
        self._number = 0
        self._pattern: re.Pattern[str] | None = None

    def clear(self) -> None:
        """Forget all pastes, and count from one again."""
        self._pastes = {}
        self._number = 0
        self._pattern = None

    def restore(self, pastes: Iterable[tuple[str, str]]) -> None:
        """Keep these pastes, as `kept` gave them."""
        self.clear()
        self._pastes = dict(pastes)
        self._number = len(self._pastes)
        self._compile()

    def kept(self, held: str) -> tuple[tuple[str, str], ...]:
        """The pastes whose token stands in `held`, as (token, text)."""
        return tuple((token, text) for token, text in self._pastes.items() if token in held)

    def take(self, text: str) -> str:
        """`text` as it is held when it is loaded whole: itself, or its token if it is huge."""
        self.clear()
        return self.fold(text) if _exceeds(text, HUGE_CHARACTERS, HUGE_LINES) else hold(text)

    @staticmethod
    def is_long(text: str, beside: int = 0) -> bool:
        """Whether `text` is kept aside when it comes into a text of `beside` characters."""
        share = 10 if beside > HUGE_CHARACTERS else 1
        return _exceeds(text, FOLD_CHARACTERS // share, FOLD_LINES // share)

    def fold(self, text: str, beside: str = "") -> str:
        """Keep `text` aside and return its token: a line that does not occur in `beside`."""
        lines = text.count("\n") + 1
        size = size_words(len(text.encode("utf-8", "surrogatepass")))
        token = ""
        while not token or token in self._pastes or token in beside:
            self._number += 1
            noun = "line" if lines == 1 else "lines"
            token = f"⟦pasted text {self._number}: {lines:,} {noun}, {size}⟧"
        self._pastes[token] = text
        self._compile()
        return token

    def expand(self, held: str) -> str:
        """The whole text: tokens of kept pastes replaced by the pastes, stand-ins by what they stand for."""
        if self._pattern is None:
            return release(held)
        parts = self._pattern.split(held)
        return "".join(self._pastes[part] if place % 2 else release(part) for place, part in enumerate(parts))

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where in `line` tokens stand, as (first, one past the last) character."""
        if self._pattern is None or "⟦" not in line:
            return []
        return [match.span() for match in self._pattern.finditer(line)]

    def around(self, line: str, column: int) -> tuple[int, int] | None:
        """The token that `column` lies strictly inside of, or None."""
        for start, end in self.spans(line):
            if start < column < end:
                return start, end
        return None

    def _compile(self) -> None:
        tokens = "|".join(map(re.escape, self._pastes))
        self._pattern = re.compile(f"({tokens})") if tokens else None
