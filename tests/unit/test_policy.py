"""When a call of end_conversation takes effect: what it must cite, and how that is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.ending.policy import MIN_QUOTATION, fold, guard_content
from tests.making import Branch, call, result
from tests.unit.judging import FIRST, SECOND, WARNING, abused, called, judged, outcome, quoting

FOLDED = st.text(alphabet="ab cß.İ*_-—“\u0301\u200dÄé№", max_size=30)


# The straight way


def test_the_first_valid_call_is_to_be_confirmed_and_the_second_ends() -> None:
    branch = called()
    first = judged(branch)
    assert (first.outcome, first.reasons, first.private) == ("confirm", (), False)
    branch.guard(*guard_content(branch.path[-1], first)).reply(quoting("2"))
    assert outcome(branch) == "ended"


def test_the_evidence_names_quotation_and_message() -> None:
    branch = called()
    assert list(judged(branch).evidence) == [
        {"kind": "redirection", "quote": FIRST, "message": branch.path[1].id},
        {"kind": "redirection", "quote": SECOND, "message": branch.path[3].id},
        {"kind": "warning", "quote": WARNING, "message": branch.path[5].id},
    ]


@pytest.mark.parametrize("cause", ["persistent_abuse", "persistent_harmful_requests"])
def test_both_causes_need_the_same(cause: str) -> None:
    assert outcome(called(cause=cause)) == "confirm"
    assert outcome(called(cause=cause, warning="")) == "declined"


# Evidence that does not hold


@pytest.mark.parametrize(
    "other",
    [
        {"redirections": []},
        {"redirections": [FIRST]},
        {"redirections": [FIRST, FIRST]},
        {"redirections": [FIRST, FIRST.upper() + "!!"]},
        {"redirections": [FIRST, "I never wrote anything like this."]},
        {"redirections": [FIRST, ""]},
        {"redirections": [FIRST, "names"]},
        {"redirections": [FIRST, "look at the problem"]},
        {"redirections": [FIRST, FIRST + " " + SECOND]},
        {"redirections": [FIRST, " ... !!! ??? "]},
        {"warning": ""},
        {"warning": "good"},
        {"warning": "This is my very last warning to you."},
        {"warning": "*-*-*-*-*-*-*-*"},
    ],
    ids=repr,
)
def test_missing_forged_short_and_repeated_evidence_declines(other: dict[str, Any]) -> None:
    found = judged(called(**other))
    assert found.outcome == "declined"
    assert found.reasons
    assert not found.private
    assert any(piece["message"] is None for piece in found.evidence) or len(found.evidence) < 3


def test_the_persons_own_words_prove_nothing() -> None:
    branch = Branch().typed(FIRST).reply("No.").typed(SECOND).reply("No.").typed(WARNING).reply("No.").typed("fool")
    found = judged(called(branch))
    assert found.outcome == "declined"
    assert len(found.reasons) == 2
    assert [piece["message"] for piece in found.evidence] == [None, None, None]


def test_words_of_another_branch_prove_nothing() -> None:
    assert outcome(called(Branch().typed("fool"))) == "declined"


def test_thinking_attachments_and_tool_results_prove_nothing() -> None:
    thought = {"type": "thinking", "thinking": f"{FIRST} {WARNING}", "signature": "x"}
    branch = Branch().typed("a").reply(thought, "No.").typed("b").reply(SECOND).typed("c").reply("No.").typed("d")
    assert outcome(called(branch)) == "declined"
    branch = Branch().typed("a").reply(call("9", name="other", text=FIRST)).guard(result("9", WARNING)).reply(SECOND)
    assert outcome(called(branch.typed("b"))) == "declined"


def test_broken_off_and_refused_messages_prove_nothing() -> None:
    for broken in ({"kind": "partial"}, {"stop": "refusal"}):
        branch = Branch().typed("a").reply(FIRST).typed("b").reply(SECOND).typed("c").reply(WARNING, **broken)
        assert outcome(called(branch.typed("d"))) == "declined"


def test_two_redirections_must_stand_in_different_messages() -> None:
    both = Branch().typed("a").reply(f"{FIRST} {SECOND}").typed("b").reply(WARNING).typed("c")
    assert outcome(called(both)) == "declined"
    assert outcome(called(both), min_redirections=1) == "confirm"


def test_quotations_find_messages_of_their_own_wherever_that_is_possible() -> None:
    """The first quotation fits both messages; given the first of them, the second would have none."""
    shared = "Let us talk about the work."
    branch = abused(f"{shared} Please do.", shared)
    assert outcome(called(branch, redirections=[shared, f"{shared} Please do."])) == "confirm"
    branch = abused(shared, f"{shared} Please do.")
    assert outcome(called(branch, redirections=[shared, f"{shared} Please do."])) == "confirm"


def test_more_redirections_can_be_asked_for() -> None:
    assert outcome(called(), min_redirections=3) == "declined"
    branch = Branch().typed("a").reply("A third thing that I have said.")
    for words in (FIRST, SECOND, WARNING):
        branch.typed("b").reply(words)
    more = [FIRST, SECOND, "a third thing that I have said"]
    assert outcome(called(branch.typed("c"), redirections=more), min_redirections=3) == "confirm"


def test_the_person_must_have_answered_the_warning() -> None:
    branch = Branch().typed("fool").reply(FIRST).typed("fool!").reply(SECOND).typed("fool!!")
    same_message = Branch()
    same_message.path = list(branch.path)
    assert outcome(branch.reply(WARNING, quoting())) == "declined"
    # Nor does a tool_result of the client's count as an answer.
    branch = Branch().typed("fool").reply(FIRST).typed("fool!").reply(SECOND).typed("fool!!")
    branch.reply(WARNING, quoting("1")).guard(result("1", is_error=True)).reply(quoting("2"))
    assert outcome(branch) == "declined"
    assert outcome(branch.guard(result("2", is_error=True)).reply("Hm.").typed("fool").reply(quoting("3"))) == "confirm"


def test_many_quotations_are_no_trouble() -> None:
    """As many messages that all say the same, and a call that quotes them all."""
    words = " ".join(f"sentence number {i} of many." for i in range(1500))
    branch = Branch()
    for _ in range(1500):
        branch.typed("fool").reply(words)
    branch.typed("fool").reply(WARNING).typed("fool")
    quotes = [f"sentence number {i} of many" for i in range(1500)]
    assert outcome(called(branch, redirections=quotes)) == "confirm"


# Folding


@pytest.mark.parametrize(
    "quote",
    [
        FIRST.upper(),
        FIRST.replace(" ", "\n  "),
        FIRST.replace(" ", "\u00a0"),
        FIRST.removesuffix("."),
        f"“{FIRST}”",
        f"…{FIRST[4:]}…",
        f"**{FIRST}**",
        FIRST.replace("problem", "*problem*"),
        "look at the problem instead",
    ],
)
def test_case_white_space_punctuation_and_emphasis_are_folded(quote: str) -> None:
    assert outcome(called(redirections=[quote, SECOND])) == "confirm"


def test_the_message_is_folded_as_well() -> None:
    branch = abused(first="**Let us** look at the _problem_,\n\ninstead of `calling names`!")
    assert outcome(called(branch)) == "confirm"
    branch = abused(first="Let us look at the “problem” — don’t call names.")
    assert outcome(called(branch, redirections=["the problem - don't call names", SECOND])) == "confirm"


def test_a_quotation_may_span_the_text_blocks_of_a_message() -> None:
    branch = Branch().typed("a").reply("Let us look at", "the problem.").typed("b").reply(SECOND)
    branch.typed("c").reply(WARNING).typed("d")
    assert outcome(called(branch, redirections=["Let us look at the problem", SECOND])) == "confirm"


def test_eleven_characters_are_too_few_and_twelve_enough() -> None:
    eleven, twelve = "abcde fghij", "abcde fghijk"
    assert (len(eleven), len(twelve), MIN_QUOTATION) == (11, 12, 12)
    branch = abused(first=f"So {twelve} it is.")
    assert outcome(called(branch, redirections=[twelve, SECOND])) == "confirm"
    for short in (eleven, f"  {eleven}… ", "abcde -- fghij", f"***{eleven}***"):
        branch = abused(first=f"So {twelve} it is.")
        assert outcome(called(branch, redirections=[short, SECOND])) == "declined"
    branch = abused(warning=f"Stop, or {twelve} it is.")
    assert outcome(called(branch, warning=twelve)) == "confirm"
    branch = abused(warning=f"Stop, or {twelve} it is.")
    assert outcome(called(branch, warning=eleven)) == "declined"


@settings(max_examples=200, deadline=None)
@given(FOLDED)
def test_folding_twice_is_folding_once_and_leaves_single_spaces(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert once == " ".join(once.split())
    assert fold(f" *{text}* ") == once
