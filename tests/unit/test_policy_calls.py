"""Which calls count: complete, confirmed, without risk, or at the person's own request."""

from __future__ import annotations

from typing import Any

import pytest

from convend_tui.ending import tool
from convend_tui.ending.policy import CONFIRM, Opinion, guard_content, judge
from convend_tui.thread import records as r
from tests.making import Branch, call, result
from tests.unit.judging import FIRST, abused, called, judged, outcome, quoting

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
