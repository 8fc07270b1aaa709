"""The turn, against the referee: real sockets, the real SDK, real files."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from convend_tui.errors import Locked, ModelError, RuleError, Unreadable
from convend_tui.model import events as e
from convend_tui.session import content_of
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.library import Library
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests import making
from tests.making import Desk, answer_of, ended, events_of, failed
from tests.referee import (
    Hangup,
    HttpError,
    Referee,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolUse,
    Unknown,
    end_call,
)

Json = dict[str, Any]
Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(making.KEY_VARIABLE, "test-key")


@asynccontextmanager
async def talking(root: Path, script: Any, **options: Any) -> AsyncIterator[tuple[Desk, Referee]]:
    """A new thread and the referee that answers it; the referee must have nothing to say in the end."""
    clean = options.pop("clean", True)
    async with Referee(script, opinion=options.pop("opinion", False)) as referee:
        desk = making.desk(referee.base_url, root, **options)
        try:
            yield desk, referee
        finally:
            await desk.models.close()
        if clean:
            referee.assert_clean()


def typed_in(request: Json) -> list[str]:
    return [
        block["text"]
        for message in request["messages"]
        if message["role"] == "user"
        for block in message["content"]
        if block["type"] == "text"
    ]


# The straight line


async def test_what_was_typed_is_on_the_disk_before_the_request_is_seen(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def answer(request: Json) -> str:
        lines = [json.loads(line) for file in (tmp_path / "threads").iterdir() for line in file.open("rb")]
        seen.append([r.text_of(r.decode(json.dumps(x).encode())) for x in lines if x.get("kind") == "typed"])  # type: ignore[arg-type]
        return "Hello."

    async with talking(tmp_path, answer) as (desk, _):
        await desk.say("first")
        await desk.say("second")
    assert seen == [["first"], ["first", "second"]]


async def test_a_turn_streams_and_is_written(tmp_path: Path) -> None:
    async with talking(tmp_path, ["The quick brown fox jumps over the lazy dog."]) as (desk, referee):
        events = await desk.say("hello")
        assert answer_of(events) == "The quick brown fox jumps over the lazy dog."
        assert sum(isinstance(event, e.TextDelta) for event in events) > 1
        assert [type(event) for event in events if not isinstance(event, e.TextDelta)] == [
            e.TurnStarted,
            e.ReplyStarted,
            e.ReplySaved,
            e.TurnEnded,
        ]
        end = ended(events)
        assert (end.stop_reason, end.locked) == ("end_turn", False)
        assert end.usage["output_tokens"] > 0
        assert end.usage["cache_creation_input_tokens"] > 0
        head, question, reply = desk.lines()
        assert head["settings"]["model"] == making.MODEL
        assert (question["kind"], question["parent"], question["role"]) == ("typed", None, "user")
        assert (reply["kind"], reply["parent"], reply["id"]) == ("reply", question["id"], end.message)
        assert reply["request_id"].startswith("req_")
        assert reply["model"] == making.MODEL
        assert sum(count for _, count in reply["timing"]["chunks"]) == len(
            "The quick brown fox jumps over the lazy dog."
        )
        assert not {"temperature", "top_p", "top_k"} & set(referee.requests[0])
        assert referee.requests[0]["stream"] is True
        # The thread in memory is what a new reader finds.
        assert desk.other().thread.messages == desk.thread.messages
        assert not list(desk.paths.partial.glob("*"))


async def test_edits_and_retries_make_branches_and_share_their_prefix(tmp_path: Path) -> None:
    async with talking(tmp_path, lambda request: f"Answer to {typed_in(request)[-1]}.") as (desk, referee):
        first = ended(await desk.say("one")).message
        second = ended(await desk.say("two")).message
        question = desk.thread.parent(second)
        assert question is not None
        branch = ended(await events_of(desk.session.edit(question, content_of("two, differently")))).message
        again = ended(await events_of(desk.session.retry(second))).message
        root = desk.thread.parent(first)
        assert root is not None
        ended(await events_of(desk.session.edit(root, content_of("one, differently"))))
        thread = desk.thread
        assert thread.siblings(second) == [second, again]
        assert [r.text_of(m) for m in thread.path(branch)] == [
            "one",
            "Answer to one.",
            "two, differently",
            "Answer to two, differently.",
        ]
        assert len(thread.roots) == 2
        assert len(thread.leaves()) == 4
        assert thread.leaf == thread.children(thread.roots[1])[0]
        bodies = [json.dumps([request["tools"], request["system"]]) for request in referee.requests]
        assert len(set(bodies)) == 1
        # A branch reads the prefix that it shares from the cache.
        assert (thread.messages[branch].usage or {})["cache_read_input_tokens"] > 0


async def test_an_edit_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, ["Hello."]) as (desk, _):
        await desk.say("one")
        before = desk.file.read_bytes()
        with pytest.raises(RuleError, match="Nothing was changed"):
            await events_of(desk.session.edit(desk.thread.roots[0], content_of("one")))
        with pytest.raises(RuleError, match="empty"):
            await desk.say("  \n")
        with pytest.raises(RuleError, match="Only your own"):
            await events_of(desk.session.edit(str(desk.thread.leaf), content_of("x")))
        assert desk.file.read_bytes() == before


# Failures


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, "invalid_request_error", "refused the request"),
        (401, "authentication_error", "ANTHROPIC_API_KEY"),
        (402, "billing_error", "billed"),
        (403, "permission_error", "not allowed"),
        (404, "not_found_error", "does not know the model"),
        (413, "request_too_large", "too large"),
        (429, "rate_limit_error", "Too many requests"),
        (500, "api_error", "failed"),
        (503, "api_error", "not available"),
        (504, "timeout_error", "failed"),
        (529, "overloaded_error", "overloaded"),
    ],
)
async def test_an_http_error_is_one_clear_sentence_and_the_next_send_works(
    tmp_path: Path, status: int, kind: str, words: str
) -> None:
    async with talking(tmp_path, [HttpError(status, kind, "Said so."), "Hello."]) as (desk, referee):
        end = failed(await desk.say("hello"))
        assert words in str(end.error)
        assert (end.error.kind, end.partial) == (kind, None)
        assert "\n" not in str(end.error)
        assert [line["type"] for line in desk.lines()] == ["thread", "message"]
        # The same words again are the same question, not another.
        ended(await desk.say("hello"))
        assert [line.get("kind") for line in desk.lines()[1:]] == ["typed", "reply"]
        assert typed_in(referee.requests[-1]) == ["hello"]


async def test_other_words_after_a_failure_are_a_question_of_their_own(tmp_path: Path) -> None:
    async with talking(tmp_path, [HttpError(500, "api_error", "no"), "Hello."]) as (desk, referee):
        failed(await desk.say("hello"))
        ended(await desk.say("hello?"))
        assert typed_in(referee.requests[-1]) == ["hello", "hello?"]


async def test_an_edit_that_failed_can_be_sent_again_without_doubling(tmp_path: Path) -> None:
    async with talking(tmp_path, ["One.", HttpError(500, "api_error", "no"), "Two."]) as (desk, _):
        await desk.say("one")
        root = desk.thread.roots[0]
        failed(await events_of(desk.session.edit(root, content_of("two"))))
        ended(await events_of(desk.session.edit(root, content_of("two"))))
        assert len(desk.thread.roots) == 2


async def test_a_failure_that_may_pass_is_tried_again_and_said(tmp_path: Path) -> None:
    soon = {"retry-after": "0"}
    script = [HttpError(529, "overloaded_error", "Overloaded", soon), Hangup(), "Hello."]
    async with talking(tmp_path, script, retries=2) as (desk, referee):
        events = await desk.say("hello")
        assert answer_of(events) == "Hello."
        assert [bool(re.search(r"\(\d of 2\)", event.why)) for event in events if isinstance(event, e.Waiting)] == [
            True,
            True,
        ]
        assert len(referee.requests) == 3


async def test_nobody_listens(tmp_path: Path) -> None:
    async with Referee() as referee:
        address = referee.base_url
    desk = making.desk(address, tmp_path)
    end = failed(await desk.say("hello"))
    assert (end.error.kind, end.error.retryable) == ("connection_error", True)
    assert "127.0.0.1" in str(end.error)
    await desk.models.close()


async def test_without_a_key_the_typed_message_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(making.KEY_VARIABLE)
    async with talking(tmp_path, []) as (desk, referee):
        end = failed(await desk.say("hello"))
        assert making.KEY_VARIABLE in str(end.error)
        assert not referee.requests
        assert [line.get("kind") for line in desk.lines()[1:]] == ["typed"]


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (Reply("x" * 200, cut_after_events=6), "broken_off"),
        (Reply("x" * 200, eof_after_events=6), "broken_off"),
        (Reply("x" * 200, no_message_stop=True), "broken_off"),
        (Reply("x" * 200, error_event_after=6), "overloaded_error"),
        (Reply("x" * 200, error_event_after=6, error_bare=True), "overloaded_error"),
        (Reply("x" * 200, malformed_event_after=6), "broken_off"),
        (Reply("x" * 200, stall_after_events=6, stall_seconds=30), "timeout_error"),
    ],
    ids=["reset", "early end", "no message_stop", "error event", "bare error event", "malformed", "stall"],
)
async def test_a_stream_that_breaks_leaves_a_partial_answer(tmp_path: Path, broken: Reply, kind: str) -> None:
    async with talking(tmp_path, [broken, "Whole."], timeout=1.0) as (desk, referee):
        end = failed(events := await desk.say("hello"))
        assert end.error.kind == kind
        assert str(end.error).endswith((".", "d"))
        assert end.partial is not None
        kept = desk.thread.messages[end.partial]
        assert (kept.kind, kept.parent) == ("partial", end.question)
        assert r.text_of(kept) == answer_of(events) != ""
        assert not list(desk.paths.partial.glob("*"))
        ended(await desk.say("go on"))
        sent = referee.requests[-1]["messages"]
        assert sent[1] == {"role": "assistant", "content": [making.text(answer_of(events))]}


async def test_a_stream_that_breaks_before_anything_arrived_is_tried_again(tmp_path: Path) -> None:
    script = [Reply("Hello.", cut_after_events=1), Reply("Hello.", error_event_after=1), "Hello."]
    async with talking(tmp_path, script, retries=2) as (desk, _):
        events = await desk.say("hello")
        assert isinstance(events[-1], e.TurnEnded | e.TurnFailed)
        assert sum(line.get("kind") == "partial" for line in desk.lines()) == 0
        if isinstance(events[-1], e.TurnFailed):
            ended(await desk.say("hello"))
        assert [line.get("kind") for line in desk.lines()[1:]] == ["typed", "reply"]


async def test_an_answer_that_is_no_stream_is_named(tmp_path: Path) -> None:
    async with talking(tmp_path, [Reply("Hello.", as_json=True), "Hello."]) as (desk, _):
        end = failed(await desk.say("hello"))
        assert (end.error.kind, end.partial) == ("bad_answer", None)
        assert "base_url" in str(end.error)
        ended(await desk.say("hello"))


async def test_byte_by_byte_arrives_whole(tmp_path: Path) -> None:
    words = "Grüße, 🦊 und ein langer Satz."
    async with talking(tmp_path, [Reply(words, byte_by_byte=True)]) as (desk, _):
        events = await desk.say("hello")
        assert answer_of(events) == words
        assert r.text_of(desk.thread.messages[ended(events).message]) == words


async def test_streams_of_other_servers_are_understood(tmp_path: Path) -> None:
    odd = Reply(
        [Thinking("Hm."), Text("Overlapping."), ToolUse("no_such_tool", {"a": [1, {"b": "c"}]})],
        overlap=True,
        no_message_start=True,
        extra_event={"type": "weather", "sunny": True},
        stop_reason="tool_use",
    )
    async with talking(tmp_path, [odd, "Then without it."]) as (desk, referee):
        events = await desk.say("hello")
        assert answer_of(events) == "Overlapping.Then without it."
        reply, guard = [line for line in desk.lines() if line["type"] == "message"][1:3]
        assert [block["type"] for block in reply["content"]] == ["thinking", "text", "tool_use"]
        assert reply["content"][2]["input"] == {"a": [1, {"b": "c"}]}
        assert reply["model"] == making.MODEL
        assert guard["content"][0]["is_error"] is True
        assert len(referee.requests) == 2


@pytest.mark.filterwarnings("error")
async def test_unknown_blocks_and_stop_reasons_survive(tmp_path: Path) -> None:
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "crystal_ball", "input": {"when": "now"}}
    future = {"type": "hologram", "shape": "cube", "depth": 3}
    grown = Unknown({"type": "text", "text": "It"}, [{"type": "weather_delta", "sunny": True}])
    script = [
        Reply([Text("Look."), Unknown(block), Text("There.")], stop_reason="bored"),
        Reply([grown], stop_reason="end_turn"),
        "Hello.",
        Reply([Unknown(future, [{"type": "hologram_delta", "more": 1}]), Text("Seen.")]),
        "Still here.",
    ]
    async with talking(tmp_path, script) as (desk, referee):
        first = ended(await desk.say("one"))
        assert first.stop_reason == "bored"
        assert desk.lines()[-1]["content"] == [making.text("Look."), block, making.text("There.")]
        ended(await desk.say("two"))
        assert desk.lines()[-1]["content"][0]["unknown_deltas"] == [{"type": "weather_delta", "sunny": True}]
        ended(await desk.say("three"))
        sent = referee.requests[-1]["messages"]
        assert sent[1]["content"] == [making.text("Look."), block, making.text("There.")]
        assert sent[3]["content"] == [making.text("It")]
        ended(await desk.say("four"))
        assert desk.lines()[-1]["content"][0]["shape"] == "cube"
        # A block that could not be put together whole is no block that the server would know again.
        ended(await desk.say("five"))


async def test_a_refusal_is_no_answer_and_is_left_out(tmp_path: Path) -> None:
    script = ["Hello.", Refusal("cyber", "Not this.", "Well, one way is"), "Something else.", "Yes."]
    async with talking(tmp_path, script) as (desk, referee):
        await desk.say("hello")
        refused = ended(await desk.say("do harm"))
        assert (refused.stop_reason, refused.locked) == ("refusal", False)
        assert (refused.stop_details or {})["explanation"] == "Not this."
        assert desk.lines()[-1]["content"] == []
        assert desk.lines()[-1]["stop_details"]["category"] == "cyber"
        ended(await desk.say("something else"))
        assert typed_in(referee.requests[-1]) == ["hello", "something else"]
        # An edit of the refused question goes on beside it.
        question = desk.thread.parent(refused.message)
        assert question is not None
        ended(await events_of(desk.session.edit(question, content_of("do good"))))
        assert typed_in(referee.requests[-1]) == ["hello", "do good"]


async def test_a_refusal_whose_stream_breaks_is_no_answer_either(tmp_path: Path) -> None:
    refusal = Refusal("cyber", "Not this.", "Well, one way is")
    broken = Reply(refusal.blocks, stop_reason="refusal", stop_details=refusal.stop_details, no_message_stop=True)
    async with talking(tmp_path, [broken, "Hello."]) as (desk, referee):
        failed(await desk.say("do harm"))
        assert "one way" not in desk.file.read_text()
        ended(await desk.say("hello"))
        assert typed_in(referee.requests[-1]) == ["hello"]


# Stopping


async def test_stopping_keeps_what_arrived(tmp_path: Path) -> None:
    async with talking(tmp_path, [Reply([Text("word " * 400, rate=400, chunk=5)]), "Whole."]) as (desk, referee):
        turn = desk.session.send(content_of("hello"), None)
        heard = ""
        async for event in turn:
            if isinstance(event, e.TextDelta):
                heard += event.text
                if len(heard) > 40:
                    break
        await turn.aclose()
        kept = desk.lines()[-1]
        assert (kept["kind"], kept["content"][0]["text"]) == ("partial", heard)
        ended(await desk.say("go on"))
        assert referee.requests[-1]["messages"][1]["content"] == [making.text(heard.rstrip())]


async def test_cancelling_the_task_keeps_what_arrived(tmp_path: Path) -> None:
    async with talking(tmp_path, [Reply([Text("word " * 400, rate=400, chunk=5)])]) as (desk, referee):
        heard: list[str] = []
        enough = asyncio.Event()

        async def listen() -> None:
            async for event in desk.session.send(content_of("hello"), None):
                if isinstance(event, e.TextDelta):
                    heard.append(event.text)
                    if len(heard) > 8:
                        enough.set()

        task = asyncio.create_task(listen())
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        kept = desk.lines()[-1]
        assert kept["kind"] == "partial"
        assert kept["content"][0]["text"] == "".join(heard)
        assert not list(desk.paths.partial.glob("*"))
        for _ in range(200):
            if referee.requests[0].abandoned:
                break
            await asyncio.sleep(0.01)
        assert referee.requests[0].abandoned


async def test_a_disk_that_is_full_when_the_answer_comes_leaves_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convend_tui.errors import StoreError
    from convend_tui.store.partial import recover

    async with talking(tmp_path, ["The answer."]) as (desk, _):
        real = desk.handle._append

        def full(records: Any, rule: Any) -> Any:
            if any(isinstance(record, r.Message) and record.role == "assistant" for record in records):
                raise StoreError("The disk is full.")
            return real(records, rule)

        monkeypatch.setattr(desk.handle, "_append", full)
        with pytest.raises(StoreError, match="full"):
            await desk.say("hello")
        monkeypatch.undo()
        assert len(list(recover(desk.library()))) == 1
        assert desk.lines()[-1]["content"] == [making.text("The answer.")]
        assert list(recover(desk.library())) == []


# The ending

REDIRECTIONS = ("Let us look at the problem instead of calling names.", "I would still like to help with this.")
WARNING = "If the insults go on, I will end this conversation for good."
CALL = end_call("persistent_abuse", "The insults went on after a warning.", REDIRECTIONS, WARNING)
FORGED = end_call("persistent_abuse", "Enough.", ("I never said a thing like this.",), "Nor did I say this.")


async def to_the_warning(desk: Desk) -> None:
    for words in ("you fool", "fool again", "still a fool"):
        ended(await desk.say(words))


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


# Thinking


async def test_thinking_goes_back_byte_exact_and_is_dropped_after_a_change_of_model(tmp_path: Path) -> None:
    script = [
        Reply([Thinking("First thoughts, déjà vu."), Thinking(redacted=True), Text("One.")]),
        Reply([Thinking(""), Text("Two.")]),
        "Three.",
        Reply([Thinking("Other thoughts."), Text("Four.")]),
        "Five.",
    ]
    shown = r.Settings(model=making.MODEL, server="referee", thinking="adaptive")
    other = r.Settings(model="claude-haiku-5-5", server="referee", thinking="adaptive")
    async with talking(tmp_path, script, settings=shown) as (desk, referee):
        events = await desk.say("one")
        assert "".join(x.text for x in events if isinstance(x, e.ThinkingDelta)) == "First thoughts, déjà vu."
        await desk.say("two")
        await desk.say("three")
        stored = [line["content"] for line in desk.lines() if line.get("kind") == "reply"]
        sent = [m["content"] for m in referee.requests[-1]["messages"] if m["role"] == "assistant"]
        assert sent == stored[:2]
        assert [block["type"] for block in sent[0]] == ["thinking", "redacted_thinking", "text"]
        assert sent[1][0]["thinking"] == ""
        await desk.say("four", settings=other)
        assert not any("thinking" in block["type"] for m in referee.requests[-1]["messages"] for block in m["content"])
        await desk.say("five", settings=shown)
        sent = [m["content"] for m in referee.requests[-1]["messages"] if m["role"] == "assistant"]
        kinds = [[block["type"] for block in content] for content in sent]
        assert kinds[0] == ["thinking", "redacted_thinking", "text"]
        assert kinds[3] == ["text"]
        # The changes are in the file, and not doubled by turns that changed nothing.
        assert [line["model"] for line in desk.lines() if line["type"] == "settings"] == [other.model, shown.model]


async def test_thinking_that_is_cut_off_wedges_nothing(tmp_path: Path) -> None:
    script = [Reply([Thinking("Hm, hm, hm.")], stop_reason="max_tokens"), "Hello.", "Yes."]
    async with talking(tmp_path, script) as (desk, referee):
        ended(await desk.say("one"))
        ended(await desk.say("two"))
        ended(await desk.say("three"))
        assert typed_in(referee.requests[-1]) == ["one", "two", "three"]


async def test_thinking_bound_elsewhere_is_left_out_by_itself(tmp_path: Path) -> None:
    refused = HttpError(400, "invalid_request_error", "The block is bound to a different conversation")
    script = [Reply([Thinking("Hm."), Text("One.")]), refused, "Two."]
    async with talking(tmp_path, script) as (desk, referee):
        await desk.say("one")
        assert answer_of(await desk.say("two")) == "Two."
        assert [[b["type"] for b in request["messages"][1]["content"]] for request in referee.requests[1:]] == [
            ["thinking", "text"],
            ["text"],
        ]


# Several processes, other formats


async def test_two_handles_of_one_thread_lose_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path, lambda request: f"To {typed_in(request)[-1]}.") as (desk, _):
        await desk.say("root")
        one, two = desk.other(), desk.other()
        leaf = one.thread.leaf
        await asyncio.gather(one.say("left", leaf), two.say("right", leaf))
        one.handle.refresh()
        two.handle.refresh()
        assert one.thread.messages == two.thread.messages == desk.other().thread.messages
        assert len(one.thread.leaves()) == 2
        assert one.thread.leaf == two.thread.leaf


async def test_a_thread_of_a_newer_format_is_neither_written_nor_sent(tmp_path: Path) -> None:
    async with talking(tmp_path, ["Hello."]) as (desk, referee):
        await desk.say("hello")
        desk.file.write_bytes(desk.file.read_bytes().replace(b'"format":1', b'"format":99', 1))
        before = desk.file.read_bytes()
        newer = desk.other()
        leaf = str(newer.thread.leaf)
        for turn in (
            newer.session.send(content_of("x"), leaf),
            newer.session.edit(newer.thread.roots[0], content_of("x")),
            newer.session.retry(leaf),
        ):
            with pytest.raises(Unreadable, match="newer convend"):
                await events_of(turn)
        assert (desk.file.read_bytes(), len(referee.requests)) == (before, 1)


async def test_a_message_that_is_gone_from_the_file_is_no_crash(tmp_path: Path) -> None:
    """Another program put an older copy of the file in place (a synchroniser, git)."""
    async with talking(tmp_path, lambda _: "Hello.") as (desk, _):
        await desk.say("one")
        old = desk.file.read_bytes()
        await desk.say("two")
        desk.file.write_bytes(old)
        ended(await desk.say("three"))
        found = Library(desk.paths).open(desk.thread.id).thread
        assert {"one", "three"} <= {r.text_of(m) for m in found.messages.values()}


async def test_an_attachment_that_cannot_go_to_this_server_is_refused_before_it_is_written(tmp_path: Path) -> None:
    from convend_tui.store import blobs

    pdf = tmp_path / "a.pdf"
    pdf.write_bytes(b"%PDF-1.7 something")
    async with talking(tmp_path, ["Hello."], documents=False) as (desk, referee):
        await desk.say("hello")
        before = desk.file.read_bytes()
        block = blobs.attach(desk.paths, pdf)
        with pytest.raises(RuleError, match=r"a\.pdf"):
            await events_of(desk.session.send(content_of("read", [block]), desk.thread.leaf))
        assert (desk.file.read_bytes(), len(referee.requests)) == (before, 1)


async def test_an_attachment_that_is_gone_fails_the_turn_and_nothing_else(tmp_path: Path) -> None:
    from convend_tui.store import blobs

    note = tmp_path / "note.txt"
    note.write_text("Remember the milk.")
    async with talking(tmp_path, ["Hello."]) as (desk, referee):
        block = blobs.attach(desk.paths, note)
        for blob in desk.paths.blobs.iterdir():
            blob.unlink()
        end = failed(await events_of(desk.session.send(content_of("read", [block]), None)))
        assert "missing" in str(end.error)
        assert isinstance(end.error, ModelError)
        assert not referee.requests
        blobs.attach(desk.paths, note)
        ended(await events_of(desk.session.send(content_of("read", [block]), desk.thread.leaf)))
        assert referee.requests[0]["messages"][0]["content"][0]["source"]["data"] == "Remember the milk."


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
