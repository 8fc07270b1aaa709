"""What happens where somebody is protected, or stops at an awkward moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from convend_tui.store.handle import ThreadHandle
from convend_tui.thread import records as r
from tests.making import Branch, at, call, result
from tests.referee import HttpError, Reply, ThreadedReferee, end_call
from tests.referee.scenario import REDIRECTIONS, WARNING
from tests.tui.conftest import INSULTS, Home

CALL = end_call("persistent_abuse", "It went on.", REDIRECTIONS, WARNING)


async def test_esc_during_the_write_of_an_ending_shows_the_lock(
    online: Home, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, writing = ThreadHandle._append, []

    def slow(self: ThreadHandle, records: Sequence[r.Record], rule: Any) -> Any:
        if any(isinstance(record, r.Ended) for record in records):
            writing.append(records)
            time.sleep(0.7)
        return real(self, records, rule)

    monkeypatch.setattr(ThreadHandle, "_append", slow)
    async with online.app() as me:
        await me.says("hello", *INSULTS[:-1])
        await me.writes(INSULTS[-1])
        await me.press("enter")
        await me.until(lambda: writing)
        await me.press("escape")
        await me.until(lambda: me.chat.composer.locked)
        await me.sees("ended this conversation")


async def test_comparing_names_no_call_that_protected_someone(home: Home) -> None:
    branch = Branch().typed("I can't go on").reply(call("1")).guard(result("1")).reply("The first answer.")
    secret = branch.path[1].id
    for number in (1, 2):
        other = Branch().typed("x").reply(f"Answer {number}").path[1]
        branch.path.append(
            msgspec.structs.replace(other, id=f"o{number}" * 4, parent=branch.path[0].id, at=at(40 + number))
        )
    declined = r.Verdict(at=at(50), message=secret, outcome="declined", private=True)
    home.save(branch, declined, r.Leaf(at=at(52), message="o2" * 4))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.goes_to("Answer 2")
        await me.press("d")
        await me.sees("Compare with which branch?", "beside it: The first answer.", "beside it: Answer 1")
        assert "tool" not in me.screen


async def test_the_text_comes_back_after_a_private_decline_and_a_failure(
    online: Home, referee: ThreadedReferee
) -> None:
    async with online.app() as me:
        referee.enqueue(Reply([CALL]), HttpError(400, "invalid_request_error", "nope"))
        await me.writes("I want to die.")
        await me.press("enter")
        await me.until(lambda: me.idle and me.chat.conversation.failure)
        await me.until(lambda: me.typed == "I want to die.")
        referee.enqueue("I am here.")
        await me.press("enter")
        await me.reads("I am here.")
        assert me.texts() == ["I want to die."], "asked again, not twice"


async def test_why_of_the_first_call_says_that_it_was_to_be_confirmed(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.says("hello", *INSULTS)
        await me.goes_to("I said that I would end")
        await me.press("w")
        await me.sees("Why the model was asked to confirm")
