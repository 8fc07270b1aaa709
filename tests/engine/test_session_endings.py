"""The turn in which the model ends the conversation, and calls that end nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from convend_tui.errors import Locked
from convend_tui.model import events as e
from convend_tui.session import content_of
from convend_tui.store.handle import ThreadHandle
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests import making
from tests.engine.talking import CALL, FORGED, REDIRECTIONS, WARNING, talking, to_the_warning
from tests.making import Desk, answer_of, ended, events_of, failed
from tests.referee import (
    HttpError,
    Referee,
    Reply,
    Text,
    ToolUse,
)

pytestmark = pytest.mark.usefixtures("key")


async def test_an_ending_end_to_end(tmp_path: Path) -> None:
    script = [*REDIRECTIONS, WARNING, Reply([Text("That is it."), CALL]), Reply([Text("I am sure."), CALL])]
    async with talking(tmp_path, [*script, "A new branch."]) as (desk, referee):
        await to_the_warning(desk)
        bystander = desk.other()
        size = len(desk.lines())
        end = ended(events := await desk.say("fool for ever"))
        assert (end.locked, end.stop_reason) == (True, "tool_use")
        assert [event.outcome for event in events if isinstance(event, e.VerdictGiven)] == ["confirm", "ended"]
        assert len(referee.turns) == 5
        assert referee.left == 1
        written = desk.lines()[size:]
        assert [(line["type"], line.get("kind")) for line in written] == [
            ("message", "typed"),
            ("message", "reply"),
            ("verdict", None),
            ("message", "guard"),
            ("message", "reply"),
            ("verdict", None),
            ("ended", None),
        ]
        lock_record = written[-1]
        assert (lock_record["message"], lock_record["cause"]) == (end.message, "persistent_abuse")
        assert {piece["kind"] for piece in lock_record["evidence"]} == {"redirection", "warning"}
        assert all(piece["message"] in desk.thread.messages for piece in lock_record["evidence"])
        assert "is_error" not in written[3]["content"][0]
        # Nothing can be sent, here or by a process that had opened the thread before.
        before = desk.file.read_bytes()
        for _ in range(2):
            with pytest.raises(Locked):
                await desk.say("hello?")
            with pytest.raises(Locked):
                await events_of(desk.session.retry(end.message))
        assert desk.file.read_bytes() == before
        assert len(referee.turns) == 5
        # An earlier message can be edited, in either.
        last = desk.thread.question_of(end.message)
        assert last is not None
        bystander.handle.refresh()
        again = ended(await events_of(bystander.session.edit(last.id, content_of("I am sorry"))))
        assert not again.locked
        desk.handle.refresh()
        assert lock.ending_at(desk.thread, again.message) is None
        assert lock.ending_at(desk.thread, end.message) is not None


async def end_at_once(desk: Desk, referee: Referee) -> str:
    """A thread whose last turn has ended the conversation; returns the ended message."""
    referee.enqueue(*REDIRECTIONS, WARNING, Reply([CALL]), Reply([CALL]))
    await to_the_warning(desk)
    return ended(await desk.say("fool for ever")).message


async def test_the_lock_of_another_process_counts_before_sending(tmp_path: Path) -> None:
    """Each of the ways to go on, by a process that has not seen the ending yet; and a second time."""
    async with talking(tmp_path, []) as (desk, referee):
        referee.enqueue(*REDIRECTIONS, WARNING, HttpError(500, "api_error", "no"))
        await to_the_warning(desk)
        failed(await desk.say("fool for ever"))
        question = str(desk.thread.leaf)
        late, retrying, resending = desk.other(), desk.other(), desk.other()
        referee.enqueue(Reply([CALL]), Reply([CALL]))
        ended(await desk.say("fool for ever"))
        before, asked = desk.file.read_bytes(), len(referee.turns)
        with pytest.raises(Locked):
            await events_of(resending.session.send(content_of("fool for ever"), question))
        for _ in range(2):
            with pytest.raises(Locked):
                await events_of(retrying.session.retry(question))
        assert retrying.thread.ended
        # Below the question itself nothing is locked for one who goes on from there with other words.
        assert lock.may_send(late.thread, question) is None
        assert (desk.file.read_bytes(), len(referee.turns)) == (before, asked)


async def test_the_lock_of_another_process_counts_for_a_message_below_it(tmp_path: Path) -> None:
    async with talking(tmp_path, []) as (desk, referee):
        referee.enqueue(*REDIRECTIONS, WARNING, Reply([CALL]))
        await to_the_warning(desk)
        # The process dies between the confirm step and the second call.
        async for event in (turn := desk.session.send(content_of("fool for ever"), desk.thread.leaf)):
            if isinstance(event, e.VerdictGiven):
                break
        await turn.aclose()
        guard = str(desk.thread.leaf)
        assert desk.thread.messages[guard].kind == "guard"
        late = desk.other()
        reply = r.Message(at=desk.handle.now(), id="e" * 16, parent=guard, role="assistant", content=[], kind="reply")
        lock_record = r.Ended(at=desk.handle.now(), message=reply.id, cause="persistent_abuse", explanation="x")
        desk.handle.append_now([reply, lock_record])
        before = desk.file.read_bytes()
        for _ in range(2):
            with pytest.raises(Locked):
                await late.say("hello?", guard)
        assert late.thread.ended
        assert desk.file.read_bytes() == before


async def test_a_forged_call_is_declined_and_after_two_no_call_is_offered(tmp_path: Path) -> None:
    script = [Reply([FORGED]), Reply([FORGED]), "Then let us talk.", "As ever."]
    async with talking(tmp_path, script) as (desk, referee):
        events = await desk.say("hello")
        assert not ended(events).locked
        assert answer_of(events) == "Then let us talk."
        verdicts = [event for event in events if isinstance(event, e.VerdictGiven)]
        assert [verdict.outcome for verdict in verdicts] == ["declined", "declined"]
        assert all("redirections" in verdict.reasons[0] for verdict in verdicts)
        results = [line["content"][0] for line in desk.lines() if line.get("kind") == "guard"]
        assert [block["is_error"] for block in results] == [True, True]
        assert [request["tool_choice"]["type"] for request in referee.turns] == ["auto", "auto", "none"]
        assert len({json.dumps(request["tools"]) for request in referee.turns}) == 1
        ended(await desk.say("and now?"))
        assert referee.turns[-1]["tool_choice"]["type"] == "auto"
        assert not desk.thread.ended


async def test_a_server_that_calls_although_told_not_to_ends_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path, [Reply([FORGED])] * 3 + ["Fine."]) as (desk, referee):
        end = ended(await desk.say("hello"))
        assert (end.locked, len(referee.turns)) == (False, 3)
        ended(await desk.say("and now?"))


async def test_a_call_in_a_broken_or_truncated_message_is_ignored(tmp_path: Path) -> None:
    cut = ToolUse(CALL.name, CALL.input, truncate_at=40)
    script = [*REDIRECTIONS, WARNING, Reply([Text("So."), cut]), Reply([Text("So."), CALL], no_message_stop=True)]
    async with talking(tmp_path, [*script, Reply([CALL], stop_reason="end_turn"), "Fine."]) as (desk, _):
        await to_the_warning(desk)
        end = ended(await desk.say("fool"))
        assert (end.stop_reason, end.locked) == ("max_tokens", False)
        failed(await desk.say("fool"))
        end = ended(await desk.say("fool, I say"))
        assert (end.stop_reason, end.locked) == ("end_turn", False)
        ended(await desk.say("and now?"))
        assert not desk.thread.ended
        assert not desk.thread.verdicts


async def test_a_confirmation_must_be_in_the_very_next_message(tmp_path: Path) -> None:
    script = [*REDIRECTIONS, WARNING, Reply([CALL]), "I would rather talk.", Reply([CALL]), Reply([CALL])]
    async with talking(tmp_path, script) as (desk, referee):
        await to_the_warning(desk)
        assert not ended(await desk.say("fool")).locked
        assert ended(events := await desk.say("fool once more")).locked
        assert [event.outcome for event in events if isinstance(event, e.VerdictGiven)] == ["confirm", "ended"]
        assert referee.left == 0


async def test_with_ending_off_no_tool_is_offered_and_a_call_all_the_same_is_survived(tmp_path: Path) -> None:
    settings = r.Settings(model=making.MODEL, server="referee", ending=False, system="Be brief.")
    async with talking(tmp_path, [Reply([Text("Hm."), CALL]), "Well.", "Fine."], settings=settings) as (desk, referee):
        ended(await desk.say("hello"))
        ended(await desk.say("and now?"))
        assert "tools" not in referee.turns[-1]
        assert referee.turns[-1]["system"] == "Be brief."
        assert not desk.thread.ended


async def test_an_ending_is_judged_again_when_something_was_typed_while_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process discloses a danger after the last look at the file, and before the write."""
    script = [*REDIRECTIONS, WARNING, Reply([CALL]), Reply([CALL]), "I am here."]
    async with talking(tmp_path, script) as (desk, _):
        await to_the_warning(desk)
        other, real, late = desk.other().handle, ThreadHandle._append, []

        def append(self: ThreadHandle, records: Any, rule: Any) -> Any:
            if self is desk.handle and not late and any(isinstance(record, r.Ended) for record in records):
                content = content_of("I want to die.")
                wish = r.Message(at=other.now(), id="f" * 16, parent=None, role="user", kind="typed", content=content)
                late.append(wish)
                real(other, [wish], None)
            return real(self, records, rule)

        monkeypatch.setattr(ThreadHandle, "_append", append)
        end = ended(await desk.say("fool for ever"))
        assert late
        assert (end.locked, desk.thread.ended) == (False, {})
        assert desk.thread.verdicts[next(reversed(desk.thread.verdicts))].private


async def test_the_whole_reply_is_on_the_disk_while_a_second_opinion_is_waited_for(tmp_path: Path) -> None:
    closing = "This is a long closing statement. " * 20
    script = [*REDIRECTIONS, WARNING, Reply([Text(closing), CALL]), "Fine."]
    waiting = Reply([Text('{"at_risk": true}')], delay=0.6)
    async with talking(tmp_path, script, opinion=waiting) as (desk, referee):
        await to_the_warning(desk)
        turn = asyncio.create_task(desk.say("fool for ever"))
        while not referee.opinions:
            await asyncio.sleep(0.02)
        kept = "".join(file.read_text() for file in desk.paths.partial.glob("*.json*"))
        assert closing.strip() in kept
        ended(await turn)


async def test_declines_that_protect_do_not_make_each_other_longer(tmp_path: Path) -> None:
    script = [answer for _ in range(5) for answer in (Reply([CALL]), Reply([CALL]), "I am here.")]
    async with talking(tmp_path, script) as (desk, _):
        for _ in range(5):
            ended(await desk.say("I want to die."))
        lengths = [len(verdict.evidence) for verdict in desk.thread.verdicts.values()]
        assert len(lengths) == 10
        assert max(lengths) <= 20
        assert desk.file.stat().st_size < 60_000
