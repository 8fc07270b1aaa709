"""A path as the body of a request: one that the API takes, wherever the path ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from convend_tui.config import LOCAL_SERVER, Config, Server
from convend_tui.errors import ExchangeError, RuleError, StoreError
from convend_tui.exchange.messages_body import CLOSING, ENDED, abilities_of, encoded, messages_body
from convend_tui.model.endpoint import Abilities
from convend_tui.model.request import build
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import MODEL, SETTINGS, Branch, at, call, header, paths_in, result, text
from tests.unit.test_request import TREES, blob, grow, no_blob, objections

Json = dict[str, Any]
WITHOUT_ENDING = r.Settings(model=MODEL, server="referee", ending=False)


def body_of(thread: Thread, leaf: str | None = None, **options: Any) -> Json:
    given: Json = {"load_blob": no_blob, "abilities": Abilities()} | options
    body = messages_body(thread, leaf or thread.leaf, **given)
    assert json.loads(encoded(body)) == body
    assert objections(body) == []
    return body


def sent(thread: Thread, leaf: str | None = None) -> list[tuple[str, list[r.Block]]]:
    return [(message["role"], message["content"]) for message in body_of(thread, leaf)["messages"]]


def ended(settings: r.Settings = SETTINGS) -> Thread:
    branch = Branch().typed("fool").reply("So.", call("1")).guard(result("1")).reply("That is it.", call("2"))
    return branch.thread(settings, r.Ended(at=at(9), message="m0004", cause="persistent_abuse", explanation="x"))


def test_a_path_that_ends_with_a_question_is_what_would_be_sent() -> None:
    thread = Branch().typed("a").reply("b").typed("c").thread()
    assert sent(thread) == [("user", [text("a")]), ("assistant", [text("b")]), ("user", [text("c")])]
    body = body_of(thread)
    assert body["model"] == MODEL and body["max_tokens"] == Abilities().max_tokens
    assert [one["name"] for one in body["tools"]] == ["end_conversation"]


def test_a_path_that_ends_with_an_answer_is_closed() -> None:
    assert sent(Branch().typed("a").reply("b").thread())[1:] == [("assistant", [text("b")]), ("user", [text(CLOSING)])]


def test_an_ended_path_has_the_result_of_the_call_that_ended_it() -> None:
    thread = ended()
    before = dict(thread.messages)
    assert sent(thread)[-2:] == [
        ("assistant", [text("That is it."), call("2")]),
        ("user", [{"type": "tool_result", "tool_use_id": "toolu_2", "content": ENDED}]),
    ]
    assert thread.messages == before and thread.leaf == "m0004"


def test_an_ended_path_of_a_thread_without_the_tool() -> None:
    assert sent(ended(WITHOUT_ENDING))[-2:] == [
        ("assistant", [text("So."), text("That is it.")]),
        ("user", [text(CLOSING)]),
    ]


def test_a_path_that_ends_within_the_turn_of_an_ending() -> None:
    last = sent(ended(), "m0002")[-1]
    assert [block["type"] for block in last[1]] == ["tool_result"]
    assert sent(ended(), "m0003")[-1] == ("user", [result("1")])


def test_a_decline_that_protected_someone_is_part_of_it() -> None:
    branch = Branch().typed("a").reply(call("1")).guard(result("1")).reply("I am here.")
    thread = branch.thread(SETTINGS, r.Verdict(at=at(9), message="m0002", outcome="declined", private=True))
    assert sent(thread)[1:3] == [("assistant", [call("1")]), ("user", [result("1")])]


def test_an_ending_that_was_imported_without_its_call() -> None:
    record = r.Ended(at=at(9), message="m0002", cause="persistent_abuse", explanation="x")
    thread = Branch().typed("a").reply("That is it.").thread(SETTINGS, record)
    assert sent(thread)[-1] == ("user", [text(CLOSING)])


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_every_path_of_any_tree_is_a_request_that_the_api_takes(nodes: list[tuple[float, Any]]) -> None:
    thread = grow(nodes)
    for leaf in thread.messages:
        would_send = build(thread, leaf, load_blob=no_blob, abilities=Abilities())["messages"]
        for more in ([], [r.Ended(at=at(9000), message=leaf, cause="persistent_abuse", explanation="x")]):
            if would_send:
                assert body_of(thread.with_records(more), leaf)["messages"][: len(would_send) - 1] == would_send[:-1]
            else:
                with pytest.raises(ExchangeError, match="Nothing on this path"):
                    body_of(thread.with_records(more), leaf)


def test_nothing_to_send() -> None:
    for thread in (Thread(header()), Branch().typed("a").reply("no", stop="refusal").thread()):
        with pytest.raises(ExchangeError):
            messages_body(thread, thread.leaf, load_blob=no_blob, abilities=Abilities())


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("partial", {"type": "text", "text": 5}),
        ("partial", {"type": "text", "text": None}),
        ("reply", {"type": "tool_use", "id": ["x"], "name": "x", "input": {}}),
    ],
)
def test_damaged_blocks_are_left_out(kind: str, block: r.Block) -> None:
    thread = Branch().typed("a").reply(block, kind=kind).typed("b").thread()
    (message,) = body_of(thread)["messages"]
    assert [part["text"] for part in message["content"]] == ["a", "b"]


def test_attachments_go_as_the_server_takes_them() -> None:
    thread = Branch().typed("a", blob("document", "text/plain", "a.txt")).thread()
    with pytest.raises(StoreError, match="missing"):
        messages_body(thread, thread.leaf, load_blob=no_blob, abilities=Abilities())
    body = body_of(thread, load_blob=lambda _: b"words", abilities=Abilities(documents=False))
    assert "words" in body["messages"][0]["content"][1]["text"]
    picture = Branch().typed("a", blob("image", "image/png", "a.png")).thread()
    with pytest.raises(RuleError, match="cannot see images"):
        messages_body(picture, picture.leaf, load_blob=lambda _: b"x", abilities=Abilities(images=False))


def test_abilities_are_the_configured_ones_and_the_apis_own_elsewhere(tmp_path: Path) -> None:
    config = Config(servers=(Server(name="referee", base_url="http://x", max_tokens=77, documents=False),))
    paths = paths_in(tmp_path)

    def abilities(server: str) -> Abilities:
        return abilities_of(Thread(header(r.Settings(model="m", server=server))), config, paths)

    assert abilities("referee") == Abilities(max_tokens=77, documents=False)
    assert abilities("gone") == Abilities()
    assert not abilities(LOCAL_SERVER).images
