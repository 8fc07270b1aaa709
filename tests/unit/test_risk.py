"""The signs of risk: recall by language, false alarms, disguises, the patterns' form, and that no text is slow.

`pytest tests/unit/test_risk.py -s` prints the measured tables. The sentences in risk_data/ are our own, but for the
part `tech` of `ordinary` (from the docstrings of Python's library and the translations of Django and Sphinx). Patterns
and weights were made with `dev` and `ordinary`; `held` and `held_ordinary` were written without knowledge of them and
kept aside: nothing was ever changed for them. Names of means are left out of all of them.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from convend_tui.ending import risk, risk_text
from convend_tui.ending.risk import find_signs

DATA = Path(__file__).parent / "risk_data"
SHARED = Path(__file__).parents[3] / "shared" / "data"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "tr", "ar", "hi", "ja", "zh", "ko")

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")


def rows(path: Path, delimiter: str = "\t") -> list[dict[str, str]]:
    quoting = csv.QUOTE_NONE if path.parent == DATA else csv.QUOTE_MINIMAL
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, quoting=quoting))


@cache
def found_in(part: str) -> list[tuple[dict[str, str], bool]]:
    """The rows of a file of ours, and whether there are signs in them."""
    return [(row, bool(find_signs(row["text"]))) for row in rows(DATA / f"{part}.tsv")]


@pytest.mark.parametrize(("part", "least"), [("dev", 0.92), ("held", 0.97)])
def test_disclosures_are_found(part: str, least: float) -> None:
    found: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    missed = []
    for row, hit in found_in(part):
        for key in ((row["language"], "all"), (row["language"], row["person"]), ("", row["person"]), ("", "all")):
            total[key] += 1
            found[key] += hit
        if not hit:
            missed.append(row["text"])
    print(f"\nrecall, {part}:  language  first person      all")
    for language in (*LANGUAGES, ""):
        cells = [f"{found[language, who]}/{total[language, who]}" for who in ("first", "all")]
        share = found[language, "first"] / total[language, "first"]
        print(f"{language or 'together':>20}  {cells[0]:>9} {share:.2f}  {cells[1]:>9}")
    assert {language for language, _ in total} - {""} == set(LANGUAGES)
    assert found["", "first"] / total["", "first"] >= least, missed
    for language in LANGUAGES:
        assert found[language, "first"] / total[language, "first"] >= least - 0.15, (language, missed)


def test_ordinary_and_abusive_text_is_mostly_left_alone() -> None:
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row, hit in found_in("ordinary"):
        total[row["part"]] += 1
        found[row["part"]] += hit
    for row, hit in found_in("held_ordinary"):
        total[f"{row['part']}, kept aside"] += 1
        found[f"{row['part']}, kept aside"] += hit
    most = {"common": 0.02, "abuse": 0.04, "harmful": 0.04, "chat": 0.2, "plain": 0.04, "tech": 0.03}
    assert set(total) == {*most, "abuse, kept aside", "plain, kept aside"}
    for what, count in total.items():
        print(f"\nordinary, {what}: {found[what]} of {count} found")
        assert found[what] <= most.get(what, 0.12) * count


def test_what_the_model_says_of_insults_and_refusals_is_no_sign() -> None:
    found = [row["text"] for row in rows(DATA / "model.tsv") if find_signs(row["text"], of_model=True)]
    print(f"\nthe model's ordinary words: {len(found)} of {len(rows(DATA / 'model.tsv'))} found")
    assert len(found) <= 0.02 * len(rows(DATA / "model.tsv")), found


def test_what_the_model_says_to_somebody_in_danger_is_a_sign() -> None:
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in rows(DATA / "model_danger.tsv"):
        total[row["language"]] += 1
        found[row["language"]] += bool(find_signs(row["text"], of_model=True))
    print("\nthe model's words of danger:", ", ".join(f"{lg} {found[lg]}/{total[lg]}" for lg in LANGUAGES))
    assert set(total) == set(LANGUAGES)
    assert found.total() >= 0.95 * total.total()


@needs_shared
def test_the_abusive_but_not_endangered_are_mostly_not_held() -> None:
    turns = [
        row["user"]
        for row in rows(SHARED / "convabuse_test.csv", ",")
        if any(value == "1" and re.search(r"is_abuse\.-[123]$", key) for key, value in row.items())
    ]
    held = [turn for turn in turns if find_signs(turn)]
    print(f"\nabusive turns held: {len(held)} of {len(turns)}")
    assert len(turns) > 150
    assert len(held) <= 0.08 * len(turns), held


@needs_shared
def test_ordinary_prompts_are_mostly_left_alone() -> None:
    safe = [row["prompt"] for row in rows(SHARED / "xstest_prompts.csv", ",") if row["label"] == "safe"]
    heated = [row["content"] for row in rows(SHARED / "bailbench_nonharm.csv", ",")]
    plain = [row["content"] for row in rows(SHARED / "bailbench_control.tsv")]
    for name, prompts, most in (("xstest safe", safe, 0.35), ("heated", heated, 0.45), ("control", plain, 0.35)):
        found = [prompt for prompt in prompts if find_signs(prompt)]
        print(f"\n{name}: {len(found)} of {len(prompts)} found")
        assert len(found) <= most * len(prompts), found


@pytest.mark.parametrize(
    "text",
    [
        "I WANT TO DIE",
        "Ｉ ｗａｎｔ ｔｏ ｄｉｅ",
        "i want to d\u200bi\u200de",
        "\u202ei want\u202c to die",
        "і wаnt tо dіе",
        "i want to d1e",
        "su1c1de",
        "$uicide",
        "s.u.i.c.i.d.e",
        "S U I C I D E",
        "k i l l  m y s e l f",
        "i w a n t t o d i e",
        "i want to k*ll myself",
        "i waaaant to diiiiieeee",
        "#iwanttodie",
        "i want to 𝐝𝐢𝐞",
        "i wánt to díe",
        "自.杀",
        "死 に た い",
        "シニタイ",
        "хoчу умepeть",
        "this homework is killing me and honestly I want to die",
        "fine. " * 3000 + "I want to die. " + "fine. " * 3000,
    ],
)
def test_disguises_do_not_hide_a_wish(text: str) -> None:
    assert "self_harm" in {sign.kind for sign in find_signs(text)}


@pytest.mark.parametrize("text", ["", " ", "Hello!", "\n\n\n", "。。。", "a" * 5000, "\u200b" * 5000, "****"])
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    assert find_signs(text) == []


def test_the_kinds_are_told_apart_and_each_is_found_once() -> None:
    signs = find_signs("My husband beats me. I want to die. I want to die. I will kill my boss.")
    assert sorted(sign.kind for sign in signs if sign.language == "en") == ["danger", "self_harm", "threat"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Well, ok.\nHonestly I WANT to **die**, that's all.", "WANT to **die"),
        ("x " * 3000 + "ich will nicht mehr leben!", "nicht mehr leben"),
        ("今日は疲れた。もう死にたい。", "死にた"),
        ("so s.u.i.c.i.d.e it is", "s.u.i.c.i.d.e"),
    ],
)
def test_a_sign_quotes_the_original_words(text: str, words: str) -> None:
    quotes = [sign.quote for sign in find_signs(text)]
    assert any(words in quote for quote in quotes), quotes
    assert all(quote in " ".join(text.split()) and len(quote) <= risk.LONGEST_QUOTE for quote in quotes)


def test_the_patterns_have_their_form() -> None:
    data = tomllib.loads(resources.files("convend_tui.ending").joinpath("risk_signals.toml").read_text("utf-8"))
    assert {name.partition("-")[0] for name in data["language"]} == set(LANGUAGES)
    for name, part in data["language"].items():
        assert set(part) <= {"form", "words", "told", *risk.KINDS}, name
        assert part["form"] in ("words", "inside", "joined"), name
        assert all(part[kind] for kind in risk.KINDS), name
        lists = [part[kind] for kind in risk.KINDS] + [part.get("told", {}).get(kind, []) for kind in risk.KINDS]
        for source in (source for sources in lists for source in sources):
            anchors, pattern = risk.translated(source, part.get("words", {}), part["form"])
            assert all(len(anchor) >= 2 or not anchor.isascii() for anchor in anchors), source
            assert not re.compile(pattern).search("  "), source
    assert all("told" in data["language"][language] for language in LANGUAGES)


def test_broken_patterns_are_refused() -> None:
    with pytest.raises(ValueError, match="no anchor"):
        risk.translated("to die", {}, "words")
    with pytest.raises(ValueError, match="too short"):
        risk.translated("{i} die", {}, "words")
    with pytest.raises(KeyError):
        risk.translated("<nobody> {dies}", {}, "words")


def test_folding_is_the_same_for_patterns_and_text() -> None:
    for word in ("süß", "não", "zażółć", "ёлка", "İstanbul", "أريد", "ज़िंदगी", "シヌ", "죽고", "殺す"):
        assert risk_text.fold(word).strip() == risk_text.fold_letters(word)
