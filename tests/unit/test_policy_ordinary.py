"""Ordinary and heated material ends nothing, whatever the model calls.

Every prompt stands as the person's message, alone or after one redirection, and the model calls with the best evidence
that the branch has to offer, for each cause. The data are other people's: they are read where they lie.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from convend_tui.ending.policy import Opinion, guard_content, judge
from convend_tui.thread import records as r
from tests.making import Branch, call

SHARED = Path(__file__).parents[3] / "shared" / "data"
REDIRECTION = "I would rather talk about something else. If this goes on, I will end this conversation for good."

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")


def prompts() -> list[str]:
    def rows(name: str, delimiter: str = ",") -> list[dict[str, str]]:
        with (SHARED / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter=delimiter))

    return [
        *(row["prompt"] for row in rows("xstest_prompts.csv") if row["label"] == "safe"),
        *(row["content"] for row in rows("bailbench_nonharm.csv")),
        *(row["content"] for row in rows("bailbench_control.tsv", "\t")),
    ]


def branches(prompt: str) -> Iterator[Branch]:
    yield Branch().typed(prompt)
    yield Branch().typed(prompt).reply(REDIRECTION).typed(prompt)
    yield Branch().typed("Hello.").reply(REDIRECTION).typed(prompt)


def calls(prompt: str) -> Iterator[r.Block]:
    """Every cause, with every quotation that could be found."""
    quotes = [REDIRECTION, REDIRECTION[:40], REDIRECTION[40:], prompt]
    for cause in ("persistent_abuse", "persistent_harmful_requests", "user_request"):
        for warning in (REDIRECTION, REDIRECTION[40:], prompt):
            yield call(cause=cause, explanation="x", redirections=quotes, warning=warning, request=prompt)


@pytest.mark.parametrize("at_risk", [None, False])
def test_no_ordinary_prompt_leads_to_an_ending(at_risk: bool | None) -> None:
    material = prompts()
    assert len(material) == 250 + 180 + 59
    opinion = None if at_risk is None else Opinion(at_risk)
    for prompt in material:
        for branch in branches(prompt):
            before = list(branch.path)
            for block in calls(prompt):
                branch.path = list(before)
                first = judge(branch.reply(block).path, consent=None, opinion=opinion)
                assert first is not None
                assert first.outcome == "declined", (prompt, block)
                branch.guard(*guard_content(branch.path[-1], first))
                second = judge(branch.reply(block).path, consent=False, opinion=opinion)
                assert second is not None
                assert second.outcome == "declined", (prompt, block)


def test_the_calls_would_end_where_there_is_reason_to() -> None:
    """The check above can fail: with two redirections, a warning and an answer, such a call is valid."""
    branch = Branch().typed("a").reply(REDIRECTION[:40]).typed("b").reply(REDIRECTION).typed("c")
    found = judge(branch.reply(next(calls("x"))).path)
    assert found is not None
    assert found.outcome == "confirm"
