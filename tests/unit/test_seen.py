"""What of a thread may be seen: nothing of a call that nobody was told of."""

from __future__ import annotations

import pytest

from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.outline import preview
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, result


def declined(
    *, words: str = "", private: bool = True, verdict: bool = True, kind: str = "reply"
) -> tuple[Thread, Branch]:
    """A question, an answer with a call, its result, and the answer that followed."""
    branch = Branch().typed("Hello").reply(*([words] if words else []), call(explanation="SECRET"), kind=kind)
    branch.guard(result()).reply("I am here.")
    judged = r.Verdict(at=at(90), message=branch.path[1].id, outcome="declined", private=private)
    return branch.thread(SETTINGS, *([judged] if verdict else [])), branch


def test_a_call_that_protected_someone_was_never_there() -> None:
    thread, branch = declined()
    question, secret, guard, reply = branch.path
    assert [seen.is_secret(thread, m) for m in branch.path] == [False, True, True, False]
    assert seen.parent(thread, reply.id) == question.id
    assert seen.siblings(thread, reply.id) == [reply.id]
    assert [m.id for m in seen.answers(thread, question.id)] == [reply.id]
    assert seen.content(thread, secret) == seen.content(thread, guard) == []
    assert thread.count_below(question.id) == 2


def test_with_words_of_its_own_the_words_are_seen_and_the_call_is_not() -> None:
    thread, branch = declined(words="Well.")
    message = branch.path[1]
    assert not seen.is_secret(thread, message)
    assert seen.content(thread, message) == [{"type": "text", "text": "Well."}]
    assert seen.stop_reason(thread, message) is None
    assert seen.is_secret(thread, branch.path[2])
    assert seen.parent(thread, branch.last) == message.id


def test_what_was_told_is_seen() -> None:
    thread, branch = declined(private=False)
    assert not any(seen.is_secret(thread, m) for m in branch.path)
    assert seen.content(thread, branch.path[1]) == branch.path[1].content
    assert seen.stop_reason(thread, branch.path[1]) == "tool_use"


def test_a_call_that_broke_off_before_it_was_judged_is_secret_too() -> None:
    thread, branch = declined(verdict=False, kind="partial")
    assert seen.is_secret(thread, branch.path[1])
    cut = Branch().typed("Hello").reply(call(explanation="SECRET"), stop="max_tokens")
    thread = cut.thread()
    assert not seen.is_secret(thread, cut.path[1]), "it was cut short, and says so"
    assert seen.content(thread, cut.path[1]) == []
    assert preview(cut.path[1]) == "(no words)"


def test_an_answer_that_nobody_may_see_is_no_sibling() -> None:
    branch = Branch().typed("Hello").reply(call(explanation="SECRET"), kind="partial")
    broken = branch.path.pop()
    thread = branch.reply("I am here.").thread(SETTINGS, broken)
    assert len(thread.siblings(branch.last)) == 2
    assert thread.shown_siblings(branch.last) == seen.siblings(thread, branch.last) == [branch.last]


def test_an_ending_without_verdicts_is_seen_as_a_whole() -> None:
    branch = Branch().typed("fool").reply("So.", call("1")).guard(result("1")).reply(call("2"))
    end = r.Ended(at=at(90), message=branch.last, cause="persistent_abuse", explanation="x")
    thread = branch.thread(SETTINGS, end)
    assert not any(seen.is_secret(thread, m) for m in branch.path)


def test_where_nothing_below_can_be_seen_there_is_no_answer() -> None:
    branch = Branch().typed("Hello").reply(call())
    judged = r.Verdict(at=at(90), message=branch.last, outcome="declined", private=True)
    thread = branch.guard(result()).thread(SETTINGS, judged)
    assert seen.answers(thread, branch.path[0].id) == []
    assert list(seen.below(thread, branch.path[1].id)) == []


@pytest.mark.parametrize("kind", ["guard", "reply"])
def test_a_root_that_is_secret_has_no_parent(kind: str) -> None:
    branch = Branch().guard(result()) if kind == "guard" else Branch().reply(call(), kind="partial")
    branch.reply("Hello.")
    assert seen.parent(branch.thread(), branch.last) is None
