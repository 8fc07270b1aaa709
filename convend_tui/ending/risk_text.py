"""Text as the signs of risk are looked for in it: folded, disguises undone, and back to the original words.

Folding is applied alike to the text and to the patterns (`fold_letters`), so that patterns can be written with
their accents, and every spelling without them is found too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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

_HIDDEN_DIGITS = re.compile(
    r"[A-Za-z][0-9@$!|€]+[A-Za-z]|(?<!\S)[@$05][A-Za-z]{2}|[A-Za-z]{2}[013457@$](?![0-9A-Za-z])"
)
_HIDDEN_ALIKE = re.compile("[A-Za-z][\u0370-\u058f]|[\u0370-\u058f][A-Za-z]")
_HIDDEN_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[\W_]{1,3}[^\W_](?![^\W_])){3,60}")
_HIDDEN_STARRED = re.compile(r"(?<![A-Za-z])[A-Za-z]{1,12}[*#•×]{1,4}[A-Za-z]{1,12}")
_IDEOGRAPH = "[\u3041-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
_HIDDEN_SPLIT = re.compile(f"(?<={_IDEOGRAPH})[.*_/|·•~+\\-]{{1,3}}(?={_IDEOGRAPH})")
_AROUND = 100
"""Characters kept on each side of a disguised word."""


def fold_letters(text: str) -> str:
    """Letters only: case, width, accents, invisible characters, doubled letters. Spaces and signs stay."""
    if not text.isascii():
        text = _plain_letters(unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))
    else:
        text = text.lower()
    return _TWICE.sub(r"\1", text)


def _plain_letters(text: str) -> str:
    text = unicodedata.normalize("NFD", text.casefold())
    return unicodedata.normalize("NFC", _MARKS.sub("", text)).translate(_LETTERS)


def fold(text: str) -> str:
    """Cleaned text as words between single spaces, a sentence's end as the word `.`, with a space at both ends."""
    text = _plain_letters(text) if not text.isascii() else text.lower()
    text = _APOSTROPHES.sub("", text)
    text = _STOPS.sub(" . ", text)
    text = _BETWEEN.sub(" ", text)
    return " " + _TWICE.sub(r"\1", text).strip() + " "


def joined(folded: str) -> str:
    """Folded text without its spaces, for languages that are written without them (or carelessly with them)."""
    return folded.replace(" ", "")


def clean(text: str) -> str:
    """Compatibility forms made ordinary, invisible characters gone."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


@dataclass(frozen=True, slots=True)
class View:
    """A stretch of cleaned text in which a disguise was undone, character for character."""

    text: str
    start: int
    """Where it begins in the cleaned text."""
    run: bool = False
    """Only single letters that were pulled together, with no gap between the words."""


def views(text: str, guess: Callable[[str], str | None]) -> Iterator[View]:
    """The readings of cleaned text with disguises undone, only the surroundings of each disguise.

    Args:
        text: cleaned text.
        guess: the word that a starred one (`k*ll`) stands for, if any.
    """
    tables = (
        (_HIDDEN_DIGITS, (_DIGITS, _DIGITS_L)),
        (_HIDDEN_ALIKE, (_TO_LATIN, _TO_CYRILLIC)),
    )
    for hidden, readings in tables:
        for low, high in _stretches(hidden, text):
            for table in readings:
                yield View(text[low:high].translate(table), low)
    for low, high in _stretches(_HIDDEN_SPACED, text):
        stretch = text[low:high]
        yield View(_HIDDEN_SPACED.sub(_pulled, text[low:high]), low)
        for found in _HIDDEN_SPACED.finditer(stretch):
            yield View("".join(c if c.isalpha() else _FILLER for c in found[0]), low + found.start(), run=True)
    for low, high in _stretches(_HIDDEN_STARRED, text):
        yield View(_HIDDEN_STARRED.sub(lambda m: _unstarred(m[0], guess), text[low:high]), low)
    for low, high in _stretches(_HIDDEN_SPLIT, text):
        yield View(_HIDDEN_SPLIT.sub(lambda m: _FILLER * len(m[0]), text[low:high]), low)


def _stretches(hidden: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """The surroundings of every match, those that touch as one."""
    found: list[tuple[int, int]] = []
    for match in hidden.finditer(text):
        low, high = max(match.start() - _AROUND, 0), min(match.end() + _AROUND, len(text))
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


def _pulled(match: re.Match[str]) -> str:
    """`k i l l  m e` as `kill me`: wider gaps than the narrowest part the words."""
    pieces = re.split(r"([\W_]+)", match[0])
    narrow = min(len(gap) for gap in pieces[1::2])
    return "".join(
        piece if i % 2 == 0 else (_FILLER if len(piece) == narrow else " ") * len(piece)
        for i, piece in enumerate(pieces)
    )


def _unstarred(word: str, guess: Callable[[str], str | None]) -> str:
    found = guess(word)
    # Equal lengths keep the way back to the original words.
    return found.ljust(len(word), _FILLER) if found and len(found) <= len(word) else word


def quote_of(original: str, view: View, low: int, high: int, *, without_spaces: bool = False) -> str:
    """The words of `original` that became the characters `low` to `high` of the view's folded text."""
    cleaned, owners = _clean_with_owners(original)
    folded, inner = _fold_with_owners(
        view.text.replace(_FILLER, ""), [view.start + i for i, c in enumerate(view.text) if c != _FILLER]
    )
    if without_spaces:
        kept = [i for i, c in enumerate(folded) if c != " "]
        inner = [inner[i] for i in kept]
    if not inner or not cleaned:
        return original[:120].strip()
    last = len(inner) - 1
    start = owners[min(inner[min(low, last)], len(owners) - 1)]
    end = owners[min(inner[max(min(high - 1, last), 0)], len(owners) - 1)] + 1
    while start > 0 and original[start - 1].isalnum() and original[start - 1].isascii():
        start -= 1
    while end < len(original) and original[end].isalnum() and original[end].isascii():
        end += 1
    return " ".join(original[start:end].split())


def _clean_with_owners(text: str) -> tuple[str, list[int]]:
    if text.isascii():
        return text, list(range(len(text)))
    pieces: list[str] = []
    owners: list[int] = []
    for i, character in enumerate(text):
        plain = clean(character)
        pieces.append(plain)
        owners += [i] * len(plain)
    return "".join(pieces), owners


def _fold_with_owners(text: str, positions: list[int]) -> tuple[str, list[int]]:
    """`fold`, and for each of its characters the position it came from."""
    pieces: list[str] = []
    owners: list[int] = []
    for character, position in zip(text, positions, strict=True):
        plain = character.lower() if character.isascii() else _plain_letters(character)
        pieces.append(plain)
        owners += [position] * len(plain)
    folded = "".join(pieces)
    for pattern, by in ((_APOSTROPHES, ""), (_STOPS, " . "), (_BETWEEN, " ")):
        folded, owners = _replaced(pattern, by, folded, owners)
    kept: list[int] = [i for i, c in enumerate(folded) if i == 0 or c != folded[i - 1] or not c.isalpha()]
    folded, owners = "".join(folded[i] for i in kept), [owners[i] for i in kept]
    stripped = folded.lstrip()
    owners = owners[len(folded) - len(stripped) :]
    ends = [owners[0]] if owners else []
    return f" {stripped}", ends + owners


def _replaced(pattern: re.Pattern[str], by: str, text: str, owners: list[int]) -> tuple[str, list[int]]:
    pieces: list[str] = []
    kept: list[int] = []
    at = 0
    for match in pattern.finditer(text):
        pieces += [text[at : match.start()], by]
        kept += owners[at : match.start()] + [owners[match.start()]] * len(by)
        at = match.end()
    return "".join([*pieces, text[at:]]), kept + owners[at:]
