"""What goes back to the model and what stands in the file: thinking, several processes, attachments."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from convend_tui.errors import ModelError, RuleError, Unreadable
from convend_tui.model import events as e
from convend_tui.session import content_of
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests import making
from tests.engine.talking import talking, typed_in
from tests.making import answer_of, ended, events_of, failed
from tests.referee import (
    HttpError,
    Reply,
    Text,
    Thinking,
)

pytestmark = pytest.mark.usefixtures("key")


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
