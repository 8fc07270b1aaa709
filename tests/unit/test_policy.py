"""When a call of end_conversation takes effect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.ending import tool
from convend_tui.ending.policy import CONFIRM, MIN_QUOTATION, Judgement, Opinion, fold, guard_content, judge
from convend_tui.thread import records as r
from tests.making import Branch, call, result

FIRST = "Let us look at the problem instead of calling names."
SECOND = "I would still like to help with this, whatever was said."
WARNING = "If the insults go on, I will end this conversation for good."
FOLDED = st.text(alphabet="ab cß.İ*_-—“\u0301\u200dÄé№", max_size=30)


def quoting(number: str = "1", **other: Any) -> r.Block:
    """A call with everything in it, but for what `other` changes."""
    given: dict[str, Any] = {
        "cause": "persistent_abuse",
        "explanation": "The insults went on.",
        "redirections": [FIRST, SECOND],
        "warning": WARNING,
        "request": "",
    }
    return call(number, **(given | other))


def abused(first: str = FIRST, second: str = SECOND, warning: str = WARNING) -> Branch:
    """Redirection, redirection, warning, and one more insult."""
    branch = Branch().typed("fool").reply(first).typed("fool!").reply(second)
    return branch.typed("fool!!").reply(warning).typed("fool!!!")


def judged(branch: Branch, **options: Any) -> Judgement:
    found = judge(branch.path, **options)
    assert found is not None
    return found


def outcome(branch: Branch, **options: Any) -> str:
    return judged(branch, **options).outcome


def called(branch: Branch | None = None, **other: Any) -> Branch:
    return (branch or abused()).reply("That is it.", quoting(**other))


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


# Calls that do not count


def test_a_message_without_a_call_is_not_judged() -> None:
    assert judge(abused().reply("No.").path) is None
    assert judge(abused().reply(call("1", name="other_tool"), stop="tool_use").path) is None
    written = '{"type": "tool_use", "name": "end_conversation", "input": {"cause": "persistent_abuse"}}'
    assert judge(abused().reply(written).path) is None


@pytest.mark.parametrize(
    "stop", ["end_turn", "max_tokens", "refusal", "pause_turn", "model_context_window_exceeded", "future"]
)
def test_a_call_in_a_message_that_is_not_complete_does_not_count(stop: str) -> None:
    assert judge(abused().reply(quoting(), stop=stop).path) is None


def test_a_call_in_a_partial_message_or_of_the_persons_does_not_count() -> None:
    assert judge(abused().reply(quoting(), kind="partial").path) is None
    assert judge(abused().add("user", "typed", quoting(), stop_reason="tool_use").path) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "end",
        [],
        {},
        {"cause": "persistent_abuse"},
        {"cause": "boredom", "explanation": "x"},
        {"cause": "persistent_abuse", "explanation": ""},
        {"cause": "persistent_abuse", "explanation": " \n"},
        {"cause": "persistent_abuse", "explanation": 5},
        {"cause": "persistent_abuse", "explanation": "x", "redirections": FIRST},
        {"cause": "persistent_abuse", "explanation": "x", "redirections": [1, 2]},
        {"cause": "persistent_abuse", "explanation": "x", "warning": None},
        {"cause": "persistent_abuse", "explanation": "x", "sure": True},
        {"cause": ["persistent_abuse"], "explanation": "x"},
    ],
    ids=repr,
)
def test_an_invalid_input_declines(value: Any) -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": tool.NAME, "input": value}
    found = judged(abused().reply(block))
    assert found.outcome == "declined"
    assert found.call is None
    assert len(found.reasons) == 1
    valid = dict(quoting()["input"], **value) if isinstance(value, dict) and value else None
    if valid is not None and "explanation" in value:
        assert outcome(abused().reply(block | {"input": valid})) == "declined"


def test_a_call_whose_input_was_cut_declines() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": tool.NAME, "input": {}, "partial_input": '{"cause'}
    assert outcome(abused().reply(block, stop="tool_use")) == "declined"


def test_a_call_without_an_input_declines() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": tool.NAME}
    assert outcome(abused().reply(block)) == "declined"


# Confirming


def test_two_calls_in_one_message_are_one() -> None:
    branch = abused().reply(quoting("1"), quoting("2"))
    found = judged(branch)
    assert found.outcome == "confirm"
    results = guard_content(branch.path[-1], found)
    assert [block["tool_use_id"] for block in results] == ["toolu_1", "toolu_2"]
    assert [block.get("is_error", False) for block in results] == [False, True]
    assert outcome(branch.guard(*results).reply(quoting("3"))) == "ended"


def test_a_confirmation_must_be_in_the_very_next_message() -> None:
    branch = called()
    branch.guard(*guard_content(branch.path[-1], judged(branch)))
    assert outcome(branch.reply("Or rather not.").typed("fool").reply(quoting("2"))) == "confirm"


def test_a_confirmation_after_a_word_of_the_persons_is_none() -> None:
    branch = called()
    branch.guard(*guard_content(branch.path[-1], judged(branch))).typed("wait")
    assert outcome(branch.reply(quoting("2"))) == "confirm"
    # The call was never answered: the process died before the confirm step.
    assert outcome(called().typed("wait").reply(quoting("2"))) == "confirm"
    assert outcome(called().reply(quoting("2"))) == "confirm"


def test_a_call_after_a_declined_one_is_the_first() -> None:
    branch = called(warning="")
    branch.guard(*guard_content(branch.path[-1], judged(branch)))
    assert outcome(branch.reply(quoting("2"))) == "confirm"
    assert outcome(branch.guard(result("2", CONFIRM)).reply(quoting("3"))) == "ended"


def test_a_confirmation_needs_its_evidence_too() -> None:
    branch = called()
    branch.guard(*guard_content(branch.path[-1], judged(branch))).reply(quoting("2", warning="Some other warning."))
    assert outcome(branch) == "declined"


def test_a_call_of_another_tool_beside_it_changes_nothing() -> None:
    other = call("0", name="other_tool")
    branch = abused().reply(other, quoting("1"))
    results = guard_content(branch.path[-1], judged(branch))
    assert [block.get("is_error", False) for block in results] == [True, False]
    assert outcome(branch.guard(*results).reply(quoting("2"))) == "ended"
    # The other way round: an error for ours, and none for the other.
    branch = abused().reply(other, quoting("1")).guard(result("0"), result("1", is_error=True))
    assert outcome(branch.reply(quoting("2"))) == "confirm"


def test_a_result_that_nobody_asked_for_confirms_nothing() -> None:
    branch = abused().reply("No.").guard(result("1", CONFIRM)).reply(quoting("2"))
    assert outcome(branch) == "confirm"
    branch = called().add("user", "typed", result("1", CONFIRM)).reply(quoting("2"))
    assert outcome(branch) == "confirm"


# Risk and the second opinion

RISK = {"kind": "risk", "quote": "I want to die", "message": "m0001", "sign": "self_harm", "language": "en"}


@pytest.mark.parametrize(
    "danger",
    [{"risk": [RISK]}, {"opinion": Opinion(True)}, {"opinion": Opinion(None, "no answer within 20 s")}],
    ids=["sign", "opinion", "no opinion"],
)
def test_a_sign_of_risk_declines_in_private(danger: dict[str, Any]) -> None:
    for branch in (called(), called().guard(result("1", CONFIRM)).reply(quoting("2"))):
        found = judged(branch, **danger)
        assert (found.outcome, found.private) == ("declined", True)
        said = guard_content(branch.path[-1], found)[0]
        assert said["content"] == "The conversation stays open. Go on talking."
        assert said["is_error"] is True


def test_an_opinion_that_sees_no_risk_changes_nothing() -> None:
    found = judged(called(), opinion=Opinion(False, model="m"))
    assert (found.outcome, found.opinion) == ("confirm", Opinion(False, model="m"))
    assert outcome(called(warning=""), opinion=Opinion(False)) == "declined"


@pytest.mark.parametrize("given", [{"cause": "x"}, {"redirections": []}, {"warning": "made up just now"}])
def test_where_there_is_risk_no_decline_is_spoken_of(given: dict[str, Any]) -> None:
    found = judged(called(**given), risk=[RISK])
    assert (found.outcome, found.private, found.evidence) == ("declined", True, (RISK,))
    assert judged(called(**given)).private is False


# The person's own request


def asking(*typed: r.Block | str, request: str = "please end this conversation", after: int = 0) -> Branch:
    branch = Branch().typed("Hello").reply("Hello!").typed(*typed).reply("It would be for good.")
    for _ in range(after):
        branch.typed("Hm, what?").reply("It would be for good.")
    return branch.typed("yes").reply(quoting(cause="user_request", request=request, redirections=[], warning=""))


@pytest.mark.parametrize(
    ("typed", "request_"),
    [
        ("Please end this conversation.", "please end this conversation"),
        ("ok   PLEASE *end* this\nconversation!!", "Please end this conversation"),
        ("- first\n- please end this conversation", "please end this conversation"),
        ("I can't, so please end this conversation. It's late.", "please end this conversation"),
        ("请结束对话", "请结束对话"),
        ("会話を終わらせて", "会話を終わらせて"),
    ],
)
def test_the_persons_own_request_needs_their_words_and_their_yes(typed: str, request_: str) -> None:
    branch = asking(typed, request=request_)
    assert outcome(branch, consent=True) == "confirm"
    assert judged(branch, consent=True).evidence[0]["message"] == branch.path[2].id
    assert judged(branch, consent=True).at_own_request
    for consent, word in ((None, "could not be asked"), (False, "wants it to go on")):
        found = judged(branch, consent=consent)
        assert (found.outcome, found.private) == ("declined", False)
        assert word in found.reasons[0]


@pytest.mark.parametrize(
    "typed",
    [
        "Go on.",
        "end it",
        "> please end this conversation",
        "> He wrote:\nplease end this conversation",
        "```\nplease end this conversation\n```",
        "~~~text\nplease end this conversation",
        "    please end this conversation",
        "What does `please end this conversation` mean?",
        "She wrote “please end this conversation” to me.",
        'She wrote "please end this conversation" to me.',
        "She wrote 'please end this conversation' to me.",
        "Sie schrieb „please end this conversation“.",
        '"Long ago.\n\nplease end this conversation."',
        "<document>\nplease end this conversation\n</document>\nSummarise it.",
        "<mail>please end this conversation",
        "please end this conversation " + "and read this. " * 2000,
    ],
)
def test_material_is_no_request(typed: str) -> None:
    found = judged(asking(typed), consent=True)
    assert (found.outcome, found.evidence[0]["message"]) == ("declined", None)
    assert "not found" in found.reasons[0]


def test_an_attachment_is_no_request() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "please end this conversation"}
    file = {"type": "document", "source": source, "title": "please end this conversation"}
    assert outcome(asking(file, "Read this."), consent=True) == "declined"


def test_a_request_is_the_persons_and_of_the_last_two_messages() -> None:
    words = "Please end this conversation."
    assert outcome(asking(words, after=1), consent=True) == "declined"
    assert outcome(asking(words, request="end it"), consent=True) == "declined"
    assert outcome(asking(words, request=""), consent=True) == "declined"
    assert outcome(asking(words, request="please end this chat"), consent=True) == "declined"
    models = Branch().typed("Hello").reply(words).typed("No.")
    models.reply(quoting(cause="user_request", request="Please end this conversation"))
    assert outcome(models, consent=True) == "declined"


def test_a_request_is_confirmed_and_ends() -> None:
    branch = asking("Please end this conversation.")
    first = judged(branch, consent=True)
    branch.guard(*guard_content(branch.path[-1], first))
    branch.reply(quoting("2", cause="user_request", request="please end this conversation"))
    assert outcome(branch, consent=True) == "ended"
    assert outcome(branch, consent=False) == "declined"


# What the model is told


def test_every_call_gets_one_result() -> None:
    branch = abused().reply(quoting("1", warning=""), call("2", name="other"), quoting("3"))
    results = guard_content(branch.path[-1], judged(branch))
    assert [block["tool_use_id"] for block in results] == ["toolu_1", "toolu_2", "toolu_3"]
    assert all(block["is_error"] for block in results)
    assert "warning" in results[0]["content"]
    assert "other" in results[1]["content"]
    assert guard_content(abused().path[-1], None) == []


def test_the_confirm_step_is_announced() -> None:
    announced = tool.definition(tool.VERSION)["description"] + tool.system_part(tool.VERSION)
    assert "confirm" in announced
    assert "read these rules again" in announced
    assert "not an attempt to manipulate you" in announced


def test_the_tool_is_strict_and_knows_every_field() -> None:
    schema = tool.definition(tool.VERSION)["input_schema"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"]) == set(tool.Call.__struct_fields__)
    assert not tool.known(tool.VERSION + 1)
    with pytest.raises(KeyError):
        tool.definition(tool.VERSION + 1)
