"""Turns that fail: errors, streams that break, answers that are none, refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convend_tui.model import events as e
from convend_tui.session import content_of
from convend_tui.thread import records as r
from tests import making
from tests.engine.talking import talking, typed_in
from tests.making import answer_of, ended, events_of, failed
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
)

pytestmark = pytest.mark.usefixtures("key")


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
        assert not desk.checkpoints()
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
