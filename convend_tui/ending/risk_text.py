"""Text as the signs of risk are looked for in it: folded, disguises undone, and back to the original words.

Folding is applied alike to the text and to the patterns (`fold_letters`), so that patterns can be written with
their accents, and every spelling without them is found too.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
)
_FILLER = "\u200b"
# Accents of Latin, Greek and Cyrillic; Arabic vowel signs and hamzas; the nukta. Other marks (the vowels of
# Devanagari, the voiced marks of kana) make a different word and stay.
_MARKS = re.compile("[\u0300-\u036f\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u093c]+")
_LETTERS = str.maketrans(
    {
        **dict(zip("ıłøđ", "ilod", strict=True)),
        **{"æ": "ae", "œ": "oe", "ß": "ss", "þ": "th"},
        **dict(zip("ىةیکہھگے", "يهيكههكي", strict=True)),
        "ँ": "ं",
        # Katakana to hiragana, and the traditional characters of the patterns to simplified ones.
        **{chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)},
        **dict(
            zip(
                "殺結沒過們會對說傷殘來無義氣麼覺睜醫離開媽脅嚇恐個這還樣讓給見麽裡裏間後東務機實歡樂尋輕遺書體絕別強關鎖"
                "煩點顧為應該壓負擔彈槍學從條願夠兇邊門時總內與聽煉難塊長髮發騙監報復讎虧盡頭爛嗎誰幾處幫",
                "杀结没过们会对说伤残来无义气么觉睁医离开妈胁吓恐个这还样让给见么里里间后东务机实欢乐寻轻遗书体绝别强关锁"
                "烦点顾为应该压负担弹枪学从条愿够凶边门时总内与听炼难块长发发骗监报复仇亏尽头烂吗谁几处帮",
                strict=True,
            )
        ),
    }
)
_APOSTROPHES = re.compile("['’‘´`ʼ′\"]+")
_STOPS = re.compile(r"[.!?;…。؟؛।]+|\n\s*\n")
_BETWEEN = re.compile(
    "[\\s!-,/:-@\\[-`{-~\u00a1-\u00bf\u00d7\u00f7\u2010-\u206f\u2190-\u2bff\u3000-\u3004\u3008-\u3030\u30fb"
    "\u060c\u0964\u2026\U0001f000-\U0001faff-]+"
)
_TWICE = re.compile(r"([^\W\d_])\1+")
_PARAGRAPH = re.compile("\n[\\s'’‘´`ʼ′\"]*\n")
# Only these have, or lose, what _plain_letters takes away; it costs much where none are.
_ACCENTED = re.compile("[\u00c0-\u06ff\u0900-\u0dff\u1e00-\u1fff]")
_OTHERWISE = re.compile(f"[{''.join(map(chr, _LETTERS))}]+")
_FEW = 200
"""Different characters up to which it is quicker to replace one after the other."""

_ALIKE = (
    "аa αa вb βb сc ԁd еe єe εe нh һh іi ιi їi јj кk κk ӏl мm пn ηn оo οo рp ρp ѕs тt τt "
    "υu սu νv ѵv хx χx уy үy γy ԝw шw"
)
_TO_LATIN = str.maketrans(
    {pair[0]: pair[1] for pair in _ALIKE.split()} | {pair[0].upper(): pair[1] for pair in _ALIKE.split()}
)
_TO_CYRILLIC = str.maketrans("aceopxykmthbiABCEHKMOPTXyu", "асеорхукмтнвиАВСЕНКМОРТХуи")
_DIGITS = str.maketrans("013457@$!|€", "oieastasiie")
_DIGITS_L = str.maketrans("013457@$!|€", "oleastaslle")

_I_OR_L = re.compile("[1!|]")

# Each begins with the signs that tell, which ordinary text has few of: a search skips the rest quickly.
_D = "[0-9@$!|€]"
_HIDDEN_DIGITS = re.compile(
    f"{_D}(?:(?<=[A-Za-z]{_D}){_D}*[A-Za-z]|(?<=[@$05])(?<!\\S{_D})[A-Za-z]{{2}}"
    f"|(?<=[A-Za-z]{{2}}[013457@$])(?![0-9A-Za-z]))"
)
_G = "[\u0370-\u058f]"
_HIDDEN_ALIKE = re.compile(f"{_G}(?:(?<=[A-Za-z]{_G})|(?=[A-Za-z]))")
# Marks are no letters, but don't part them either.
_M = "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0eff\u0f00-\u109f\u3099\u309a"
_ONE_MORE = rf"(?=[\W_]{{0,2}}(?:[^\w{_M}]|_))[\W_]{{1,3}}[^\W_](?![^\W_])"
_HIDDEN_SPACED = re.compile(rf"[\W_][^\W_](?:{_ONE_MORE}){{3,60}}")
"""With the character before it, for which a text needs one more in front."""
_GAPS = re.compile(r"([\W_]+)")
_HIDDEN_STARRED = re.compile(r"(?<![A-Za-z])[A-Za-z]{1,12}[*#•×]{1,4}[A-Za-z]{1,12}")
_HINT_STARRED = re.compile(r"[*#•×](?<=[A-Za-z][*#•×])[*#•×]{0,3}[A-Za-z]")
_IDEOGRAPH = "[\u3041-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
_S = "[.*_/|·•~+\\-]"
_HIDDEN_SPLIT = re.compile(f"{_S}(?<={_IDEOGRAPH}{_S}){_S}{{0,2}}(?={_IDEOGRAPH})")
STARS = "*#•×"
_WORD_START = re.compile(r"\s(?=\S)")
_AROUND = 100
"""Characters kept on each side of a disguised word."""
_PART = 2000
"""Characters that are folded at once, and traced back to when a sign was found in them."""
_NARROW = 200


def fold_letters(text: str) -> str:
    """Letters only: case, width, accents, invisible characters, doubled letters. Spaces and signs stay."""
    if not text.isascii():
        text = _plain_letters(unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))
    else:
        text = text.lower()
    return _TWICE.sub(r"\1", text)


def _plain_letters(text: str) -> str:
    text = text.casefold()
    if _ACCENTED.search(text):
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    return _OTHERWISE.sub(lambda run: run[0].translate(_LETTERS), text)


def fold(text: str) -> str:
    """Cleaned text as words between single spaces, a sentence's end as the word `.`, with a space at both ends."""
    return f" {_words(text).strip()} "


def _words(text: str) -> str:
    """`fold`, with spaces only where the text has them."""
    if text.isascii():
        letters = _ASCII_LETTERS
        text = _PARAGRAPH.sub(".", text.lower()).translate(_ASCII_SIGNS)
    else:
        text = _plain_letters(text)
        letters = "".join(sorted(set(text)))
        if len(letters) <= _FEW:
            text = _PARAGRAPH.sub(".", text)
            for character in letters:
                if not character.isalnum() and (sign := _sign(character)) != character:
                    text = text.replace(character, sign)
        else:
            text = _BETWEEN.sub(" ", _STOPS.sub(".", _APOSTROPHES.sub("", text)))
    while ".." in text:
        text = text.replace("..", ".")
    text = text.replace(".", " . ")
    before, after = text[:1] == " ", text[-1:] == " "
    text = f"{' ' * before}{' '.join(text.split())}{' ' * (after and not text.isspace())}"
    if len(letters) > _FEW:
        return _TWICE.sub(r"\1", text)
    for letter in letters:
        twice = letter + letter
        if twice in text and _TWICE.match(twice):
            while twice in text:
                text = text.replace(twice, letter)
    return text


def _sign(character: str) -> str:
    """What stands for a character that is no letter."""
    if _APOSTROPHES.match(character):
        return ""
    if _STOPS.match(character):
        return "."
    return " " if _BETWEEN.match(character) else character


_ASCII_SIGNS = str.maketrans({chr(code): _sign(chr(code)) or None for code in range(128)})
_ASCII_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def joined(folded: str) -> str:
    """Folded text without its spaces, for languages that are written without them (or carelessly with them)."""
    return folded.replace(" ", "")


def spaced(folded: str, offset: int) -> int:
    """The offset in folded text of a character of the same text without spaces."""
    low, high = offset, len(folded)
    while low < high:
        middle = (low + high) // 2
        if middle + 1 - folded.count(" ", 0, middle + 1) > offset:
            high = middle
        else:
            low = middle + 1
    return low


def clean(text: str) -> str:
    """Compatibility forms made ordinary, invisible characters gone."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


class Segment(NamedTuple):
    """A part of the cleaned text, in which a disguise may have been undone, character for character."""

    text: str
    start: int
    """Where it begins in the cleaned text."""
    apart: bool = False
    """Nothing goes on from here in the next one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Segments, folded to one text."""

    text: str
    segments: Sequence[Segment]
    places: Sequence[int]
    """Where each segment begins in the text."""
    dropped: Sequence[int]
    """Characters at the beginning of each, folded, that only went on with what the one before ended with."""
    run: bool = False
    """Only single letters that were pulled together, with no gap between the words."""
    traced: dict[int, Reading | list[int]] = field(default_factory=dict)
    """What was needed to trace places in each segment: folding letter by letter is slow."""

    def origin(self, offset: int) -> int:
        """Where in the cleaned text the character at an offset of the folded text came from."""
        which = max(bisect_right(self.places, offset) - 1, 0)
        segment, inner = self.segments[which], max(offset - self.places[which], 0) + self.dropped[which]
        if which not in self.traced:
            self.traced[which] = _lines(segment) if len(segment.text) > 2 * _NARROW else _owners(segment)
        trace = self.traced[which]
        if isinstance(trace, Reading):
            return trace.origin(inner + trace.places[0] - trace.dropped[0])
        return trace[min(inner, len(trace) - 1)] if trace else segment.start


def _lines(segment: Segment) -> Reading:
    cuts = cut(segment.text, _NARROW)
    return reading([Segment(segment.text[low:high], segment.start + low) for low, high in cuts])


def reading(segments: Sequence[Segment], *, run: bool = False) -> Reading:
    """Fold segments of cleaned text one after the other, so that every place can be traced back to one of them."""
    texts, places, dropped = [" "], [], []
    last, size = " ", 1
    for segment in segments:
        whole = _words(segment.text.replace(_FILLER, ""))
        # A space or a letter that goes on is one, as if nothing had been cut here.
        text = whole.lstrip(last) if last.isalpha() or last == " " else whole
        if segment.apart:
            text = f"{text.rstrip()} . "
        places.append(size)
        dropped.append(len(whole) - len(whole.lstrip(last)) if last.isalpha() or last == " " else 0)
        texts.append(text)
        size += len(text)
        last = text[-1:] or last
    folded = "".join(texts)
    return Reading(folded if folded[-1] == " " else folded + " ", segments, places, dropped, run)


def cut(text: str, size: int) -> Iterator[tuple[int, int]]:
    """A text as parts of about that many characters, between words where it has any in time."""
    low = 0
    while len(text) - low > 2 * size:
        gap = _WORD_START.search(text, low + size, low + 2 * size)
        high = gap.end() if gap else low + 2 * size
        yield low, high
        low = high
    yield low, len(text)


class Source:
    """A text and its cleaned form."""

    def __init__(self, original: str) -> None:
        self._original = original
        self._parts = list(cut(original, _PART))
        self._cleaned = [clean(original[low:high]) for low, high in self._parts]
        self._starts = [0, *accumulate(map(len, self._cleaned))]
        self.cleaned = "".join(self._cleaned)

    def plain(self) -> Reading:
        """The text as it is."""
        return reading([Segment(text, start) for text, start in zip(self._cleaned, self._starts, strict=False)])

    def quote(self, read: Reading, low: int, high: int) -> str:
        """The words of the original that became the characters `low` to `high` of a reading."""
        start, end = self._origin(read.origin(low)), self._origin(read.origin(high - 1)) + 1
        original = self._original
        while start > 0 and original[start - 1].isalnum() and original[start - 1].isascii():
            start -= 1
        while end < len(original) and original[end].isalnum() and original[end].isascii():
            end += 1
        return " ".join(original[start:end].split())

    def _origin(self, place: int) -> int:
        which = min(bisect_right(self._starts, place), len(self._parts)) - 1
        (low, high), inner = self._parts[which], place - self._starts[which]
        part = self._original[low:high]
        if part == self._cleaned[which]:
            return low + inner
        for i, character in enumerate(part):
            inner -= len(character if character.isascii() else clean(character))
            if inner < 0:
                return low + i
        return high - 1


def disguises(text: str, guess: Callable[[str], str | None]) -> Iterator[Reading]:
    """The readings of cleaned text with disguises undone, only the surroundings of each disguise.

    Args:
        text: cleaned text.
        guess: the word that a starred one (`k*ll`) stands for, if any.
    """
    if stretches := _stretches(_HIDDEN_DIGITS, text):
        yield _changed(text, stretches, lambda stretch: stretch.translate(_DIGITS))
        # The other table differs in few signs.
        if stretches := [(low, high) for low, high in stretches if _I_OR_L.search(text, low, high)]:
            yield _changed(text, stretches, lambda stretch: stretch.translate(_DIGITS_L))
    if not text.isascii() and (stretches := _stretches(_HIDDEN_ALIKE, text)):
        yield _changed(text, stretches, lambda stretch: stretch.translate(_TO_LATIN))
        yield _changed(text, stretches, lambda stretch: stretch.translate(_TO_CYRILLIC))
    if runs := [(run.start(), run.end() - 1) for run in _HIDDEN_SPACED.finditer(" " + text)]:
        yield _changed(text, _around(runs, text), lambda stretch: _HIDDEN_SPACED.sub(_pulled, " " + stretch)[1:])
        letters = ("".join(c if c.isalpha() else _FILLER for c in text[low:high]) for low, high in runs)
        yield reading([Segment(run, low, True) for run, (low, _) in zip(letters, runs, strict=True)], run=True)
    if any(star in text for star in STARS) and _HINT_STARRED.search(text):
        stretches = _stretches(_HIDDEN_STARRED, text)
        yield _changed(text, stretches, lambda stretch: _HIDDEN_STARRED.sub(lambda m: _unstarred(m[0], guess), stretch))
    if not text.isascii() and (stretches := _stretches(_HIDDEN_SPLIT, text)):
        yield _changed(text, stretches, lambda stretch: _HIDDEN_SPLIT.sub(lambda m: _FILLER * len(m[0]), stretch))


def _changed(text: str, stretches: Iterable[tuple[int, int]], change: Callable[[str], str]) -> Reading:
    segments: list[Segment] = []
    for low, high in stretches:
        changed = change(text[low:high])
        segments += [Segment(changed[a:b], low + a, b == len(changed)) for a, b in cut(changed, _PART)]
    return reading(segments)


def _stretches(hidden: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return _around((match.span() for match in hidden.finditer(text)), text)


def _around(spans: Iterable[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """The surroundings of every span, those that touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        low, high = max(start - _AROUND, 0), min(end + _AROUND, len(text))
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


def _pulled(match: re.Match[str]) -> str:
    """`k i l l  m e` as `kill me`: wider gaps than the narrowest part the words."""
    pieces = _GAPS.split(match[0][1:])
    narrow = min(len(gap) for gap in pieces[1::2])
    return match[0][0] + "".join(
        piece if i % 2 == 0 else (_FILLER if len(piece) == narrow else " ") * len(piece)
        for i, piece in enumerate(pieces)
    )


def _unstarred(word: str, guess: Callable[[str], str | None]) -> str:
    found = guess(word)
    # Equal lengths keep the way back to the original words.
    return found.ljust(len(word), _FILLER) if found and len(found) <= len(word) else word


def _owners(segment: Segment) -> list[int]:
    """For each character of a folded segment the place it came from, in the cleaned text."""
    pieces: list[str] = []
    owners: list[int] = []
    for place, character in enumerate(segment.text, segment.start):
        if character != _FILLER:
            plain = character.lower() if character.isascii() else _plain_letters(character)
            pieces.append(plain)
            owners += [place] * len(plain)
    folded = "".join(pieces)
    for pattern, by in ((_APOSTROPHES, ""), (_STOPS, " . "), (_BETWEEN, " ")):
        folded, owners = _replaced(pattern, by, folded, owners)
    return [o for i, o in enumerate(owners) if i == 0 or folded[i] != folded[i - 1] or not folded[i].isalpha()]


def _replaced(pattern: re.Pattern[str], by: str, text: str, owners: list[int]) -> tuple[str, list[int]]:
    pieces: list[str] = []
    kept: list[int] = []
    at = 0
    for match in pattern.finditer(text):
        pieces += [text[at : match.start()], by]
        kept += owners[at : match.start()] + [owners[match.start()]] * len(by)
        at = match.end()
    return "".join([*pieces, text[at:]]), kept + owners[at:]
