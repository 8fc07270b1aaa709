"""The turn, against the referee: real sockets, the real SDK, real files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from convend_tui.errors import RuleError
from convend_tui.model import events as e
from convend_tui.session import content_of
from convend_tui.thread import records as r
from tests import making
from tests.engine.talking import Json, talking, typed_in
from tests.making import answer_of, ended, events_of
from tests.referee import (
    Reply,
    Text,
)

pytestmark = pytest.mark.usefixtures("key")


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
        assert not desk.checkpoints()


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
        assert not desk.checkpoints()
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
