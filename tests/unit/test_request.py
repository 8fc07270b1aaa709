"""A path -> a request that the API takes, by the referee's own rules."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import RuleError, StoreError
from convend_tui.model.request import Abilities, build, require_sendable, system_prompt
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, result, text
from tests.referee.asked import Asked
from tests.referee.models import DEFAULT_MODELS
from tests.referee.rules import CHECKS, thinking_genuine

Json = dict[str, Any]
SHA = "a" * 64
OTHER = r.Settings(model="claude-haiku-5-5", server="referee")


def thought(words: str = "Hm.") -> r.Block:
    return {"type": "thinking", "thinking": words, "signature": f"sig {words}"}


def blob(kind: str, media_type: str, name: str) -> r.Block:
    return {"type": kind, "source": {"type": "blob", "sha256": SHA, "media_type": media_type, "name": name}}


def no_blob(sha: str) -> bytes:
    raise StoreError(f"An attachment is missing: {sha}.")


def request(thread: Thread, leaf: str | None = None, **options: Any) -> Json:
    given: Json = {"load_blob": no_blob, "abilities": Abilities()} | options
    return build(thread, leaf or str(thread.leaf), **given)


def messages(branch: Branch, *records: r.Record, **options: Any) -> list[tuple[str, list[r.Block]]]:
    """The messages of a branch's request, as (role, content)."""
    sent = request(branch.thread(SETTINGS, *records), branch.last, **options)["messages"]
    return [(message["role"], message["content"]) for message in sent]


def objections(body: Json) -> list[str]:
    """What the referee has against a request. Signatures are made up here, so they are not looked at."""
    asked = Asked(body, {model.id: model for model in DEFAULT_MODELS})
    found = [check(asked) for check in CHECKS if check is not thinking_genuine]
    return [str(objection) for objection in found if objection is not None]


# Pairs


def test_a_call_and_its_result_go_back_as_they_are() -> None:
    branch = Branch().typed("a").reply("Well.", call("1")).guard(result("1")).reply("Fine.").typed("b")
    assert messages(branch) == [
        ("user", [text("a")]),
        ("assistant", [text("Well."), call("1")]),
        ("user", [result("1")]),
        ("assistant", [text("Fine.")]),
        ("user", [text("b")]),
    ]


def test_an_orphan_gets_an_error_for_a_result() -> None:
    branch = Branch().typed("a").reply("Well.", call("1"), call("2")).typed("b")
    role, content = messages(branch)[2]
    assert role == "user"
    assert [block["type"] for block in content] == ["tool_result", "tool_result", "text"]
    assert [block.get("tool_use_id") for block in content[:2]] == ["toolu_1", "toolu_2"]
    assert all(block["is_error"] and block["content"] for block in content[:2])


def test_an_orphan_between_two_answers_gets_a_message_of_its_own() -> None:
    branch = Branch().typed("a").reply(call("1")).reply("Fine.").typed("b")
    assert [role for role, _ in messages(branch)] == ["user", "assistant", "user", "assistant", "user"]
    assert messages(branch)[2][1][0]["is_error"] is True


def test_half_a_set_of_results_is_completed_in_the_order_of_the_calls() -> None:
    branch = Branch().typed("a").reply(call("1"), call("2")).guard(result("2")).typed("b")
    content = messages(branch)[2][1]
    assert [block.get("tool_use_id") for block in content] == ["toolu_1", "toolu_2", None]
    assert content[1] == result("2")


def test_results_come_first_and_those_nobody_asked_for_are_left_out() -> None:
    branch = Branch().typed("a").reply(call("1")).add("user", "typed", text("b"), result("1"), result("9"))
    assert messages(branch)[2][1] == [result("1"), text("b")]
    lone = Branch().typed("a").reply("b", kind="partial").guard(result("1")).reply("c").typed("d")
    assert messages(lone) == [("user", [text("a")]), ("assistant", [text("b"), text("c")]), ("user", [text("d")])]


def test_a_call_that_was_cut_goes_back_with_an_empty_input() -> None:
    cut = call("1") | {"partial_input": '{"cause": "pers'}
    branch = Branch().typed("a").reply(cut, stop="max_tokens").typed("b")
    assert messages(branch)[1][1] == [call("1")]
    assert objections(request(branch.thread())) == []


# One message after another


def test_messages_of_one_role_are_merged() -> None:
    branch = Branch().typed("a").typed("b").reply("c").reply("d").typed("e")
    assert messages(branch) == [
        ("user", [text("a"), text("b")]),
        ("assistant", [text("c"), text("d")]),
        ("user", [text("e")]),
    ]


def test_a_conversation_begins_with_the_person() -> None:
    branch = Branch().reply("Welcome.").typed("a")
    assert [role for role, _ in messages(branch)] == ["user", "assistant", "user"]
    assert objections(request(branch.thread())) == []


def test_partial_answers_go_back_as_their_text_only() -> None:
    branch = Branch().typed("a").reply(thought(), "Half an \n", call("1"), "  ", kind="partial").typed("b")
    assert messages(branch)[1] == ("assistant", [text("Half an")])


@pytest.mark.parametrize("content", [["", "x", " \n"], ["x"]])
def test_empty_text_is_left_out(content: list[str]) -> None:
    branch = Branch().typed("a").reply(*content).typed("b")
    assert messages(branch)[1] == ("assistant", [text("x")])


def test_an_answer_of_nothing_is_left_out() -> None:
    for branch in (
        Branch().typed("a").reply("").typed("b"),
        Branch().typed("a").reply().typed("b"),
        Branch().typed("a").reply(thought()).typed("b"),
        Branch().typed("a").reply(thought(), kind="partial").typed("b"),
    ):
        assert messages(branch) == [("user", [text("a"), text("b")])]


def test_refused_turns_are_left_out() -> None:
    refused = Branch().typed("a").reply("b").typed("harm").reply(stop="refusal").typed("c")
    assert messages(refused) == [("user", [text("a")]), ("assistant", [text("b")]), ("user", [text("c")])]
    # The whole turn, where the refusal came after a call.
    later = Branch().typed("harm").reply(call("1")).guard(result("1")).reply(stop="refusal").typed("c")
    assert messages(later) == [("user", [text("c")])]
    broken = Branch().typed("harm").reply("half", stop="refusal", kind="partial").typed("c")
    assert messages(broken) == [("user", [text("c")])]
    first = Branch().reply(stop="refusal").typed("c")
    assert messages(first) == [("user", [text("c")])]


def test_unknown_blocks_go_back_to_the_server_that_made_them_and_to_no_other() -> None:
    future = {"type": "hologram", "shape": "cube"}
    grown = {"type": "hologram", "unknown_deltas": [{"type": "hologram_delta"}]}
    lost = {"type": "unknown", "unknown_deltas": [{"type": "hologram_delta"}]}
    kept = text("Look.") | {"unknown_deltas": [{"type": "weather_delta"}]}
    branch = Branch().typed("a").reply(kept, future, grown, lost).typed("b")
    assert messages(branch)[1][1] == [text("Look."), future]
    change = r.as_change(OTHER, at(2000))
    assert messages(branch, change)[1][1] == [text("Look.")]


# Thinking


def thinking_in(branch: Branch, *records: r.Record, **options: Any) -> list[str]:
    found = [block for _, content in messages(branch, *records, **options) for block in content]
    return [block["thinking"] for block in found if block["type"] == "thinking"]


def test_thinking_goes_back_as_it_came_under_the_same_settings() -> None:
    first = [thought("1"), {"type": "redacted_thinking", "data": "xx"}, text("b"), thought("2"), call("1")]
    branch = Branch().typed("a").reply(*first).guard(result("1")).reply(thought("3"), "c").typed("d")
    sent = messages(branch)
    assert sent[1][1] == first
    assert sent[3][1] == [thought("3"), text("c")]
    assert thinking_in(branch, send_thinking=False) == []


def test_thinking_of_other_settings_waits_until_they_come_back() -> None:
    branch = Branch().typed("a").reply(thought("old"), "b", made_under=at(0)).typed("c")
    branch.reply(thought("new"), "d", made_under=at(1000)).typed("e")
    change = r.as_change(OTHER, at(1000))
    back = r.as_change(SETTINGS, at(2000))
    assert thinking_in(branch) == ["old", "new"]
    assert thinking_in(branch, change) == ["new"]
    assert thinking_in(branch, change, back) == ["old"]


def test_imported_and_partial_thinking_is_never_sent() -> None:
    branch = Branch().typed("a").reply(thought("1"), "b", origin={"from": "elsewhere"}).typed("c")
    assert thinking_in(branch) == []
    branch = Branch().typed("a").reply(thought("1"), "b", kind="partial").typed("c")
    assert thinking_in(branch) == []


def test_a_message_does_not_end_in_its_thinking() -> None:
    branch = Branch().typed("a").reply("b", thought("1"), thought("2"), stop="max_tokens").typed("c")
    assert messages(branch)[1] == ("assistant", [text("b")])


# Attachments


def test_attachments_carry_their_bytes() -> None:
    picture, pdf, note = (
        blob("image", "image/png", "a.png"),
        blob("document", "application/pdf", "b.pdf"),
        blob("document", "text/plain", "c.txt") | {"title": "c.txt"},
    )
    branch = Branch().typed(picture, pdf, note, "look")
    ((_, content),) = messages(branch, load_blob=lambda sha: b"bytes" if sha == SHA else no_blob(sha))
    assert [block["source"]["type"] for block in content[:3]] == ["base64", "base64", "text"]
    assert content[2] == {
        "type": "document",
        "title": "c.txt",
        "source": {"type": "text", "media_type": "text/plain", "data": "bytes"},
    }
    with pytest.raises(StoreError, match="missing"):
        messages(branch)


def test_a_server_without_documents_gets_text_and_refuses_the_rest() -> None:
    plain = Abilities(documents=False, images=False)
    note = blob("document", "text/plain", "c.txt")
    branch = Branch().typed(note, "look")
    content = messages(branch, load_blob=lambda _: b"bytes", abilities=plain)[0][1]
    assert content[0]["type"] == "text"
    assert "bytes" in content[0]["text"]
    assert "c.txt" in content[0]["text"]
    require_sendable(branch.path[0].content, plain)
    for block in (blob("image", "image/png", "a.png"), blob("document", "application/pdf", "b.pdf")):
        with pytest.raises(RuleError, match=block["source"]["name"]):
            messages(Branch().typed(block), abilities=plain)
        with pytest.raises(RuleError, match=block["source"]["name"]):
            require_sendable([block], plain)
        require_sendable([block], Abilities())


# Parameters


def test_the_parameters_follow_the_settings() -> None:
    branch = Branch().typed("a")
    body = request(branch.thread())
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["cache_control"] == {"type": "ephemeral"}
    assert (body["max_tokens"], body["model"]) == (32_000, SETTINGS.model)
    assert not {"thinking", "output_config", "temperature", "top_p", "top_k"} & set(body)
    assert request(branch.thread(), allow_calls=False)["tool_choice"] == {"type": "none"}
    assert request(branch.thread(), allow_calls=False)["tools"] == body["tools"]
    shown = r.Settings(model=SETTINGS.model, thinking="adaptive", effort="high")
    body = request(branch.thread(shown))
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": "high"}
    off = r.Settings(model=SETTINGS.model, thinking="off", ending=False)
    body = request(branch.thread(off))
    assert body["thinking"] == {"type": "disabled"}
    assert not {"tools", "tool_choice", "system"} & set(body)


def test_the_system_prompt_is_the_persons_and_the_part_about_ending() -> None:
    own = r.Settings(model="m", system="Be brief.", ending=False)
    assert system_prompt(own) == "Be brief."
    both = system_prompt(r.Settings(model="m", system="Be brief."))
    assert both.startswith("Be brief.\n\n")
    assert "end_conversation" in both
    with pytest.raises(RuleError, match="Update convend"):
        system_prompt(r.Settings(model="m", tool_version=99))


# Any tree

BLOCKS = st.sampled_from(
    [
        text("Well."),
        text(" "),
        text(""),
        thought("1"),
        thought("2"),
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "unknown", "unknown_deltas": [{"type": "x"}]},
        text("Hm.") | {"unknown_deltas": [{"type": "x"}]},
    ]
)
REPLY = st.tuples(
    st.sampled_from(["reply", "reply", "reply", "partial"]),
    st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "stop_sequence", "something_new", None]),
    st.lists(BLOCKS, max_size=4),
    st.integers(0, 2),
    st.sampled_from([None, None, None, {"from": "elsewhere"}]),
)
GUARD = st.lists(st.sampled_from(["own", "strange", "missing"]), max_size=2)
NODE = st.tuples(st.floats(0, 1), st.one_of(REPLY, REPLY, GUARD, st.text(max_size=4), st.just("question")))
TREES = st.lists(NODE, min_size=1, max_size=14)


def grow(nodes: list[tuple[float, Any]], changes: int = 0, ending: bool = True) -> Thread:
    """A thread of any shape: each node hangs below an earlier one, wherever that makes sense or not."""
    first = r.Settings(model=SETTINGS.model, server="referee", ending=ending)
    thread = Thread(header(first))
    known: list[r.Message] = []
    for number, (place, what) in enumerate(nodes):
        parent = known[int(place * len(known)) - 1] if known and place > 0.05 else None
        name = f"m{number:03d}"
        given: Json = {"at": at(number + 1), "id": name, "parent": parent.id if parent else None}
        if isinstance(what, tuple):
            kind, stop, blocks, calls, origin = what
            content = [*blocks, *(call(f"{name}_{i}") for i in range(calls))]
            message = r.Message(role="assistant", kind=kind, content=content, stop_reason=stop, origin=origin, **given)
        elif isinstance(what, list):
            asked = r.tool_calls(parent) if parent else []
            content = [
                {"type": "tool_result", "tool_use_id": block["id"] if how == "own" else "toolu_strange", "content": "x"}
                for how, block in zip(what, asked, strict=False)
                if how != "missing"
            ]
            message = r.Message(role="user", kind="guard", content=content, **given)
        else:
            message = r.Message(role="user", kind="typed", content=[text(what)], **given)
        known.append(message)
        thread.apply(message)
        if changes and number % changes == 0:
            thread.apply(r.as_change(OTHER if number % 2 else SETTINGS, at(number + 1)))
    return thread


def askable(thread: Thread) -> list[str]:
    """The messages that a request may be built for: questions with words in them, and answered calls."""
    return [m.id for m in thread.messages.values() if r.is_question(m) and r.text_of(m).strip()]


@settings(max_examples=150, deadline=None)
@given(TREES, st.sampled_from([0, 0, 2, 3]), st.booleans())
def test_the_request_of_any_branch_is_one_that_the_api_takes(
    nodes: list[tuple[float, Any]], changes: int, ending: bool
) -> None:
    thread = grow(nodes, changes, ending)
    for leaf in askable(thread):
        body = request(thread, leaf)
        assert objections(body) == []
        assert not {"temperature", "top_p", "top_k"} & set(body)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_tools_and_system_are_the_same_bytes_on_every_branch(nodes: list[tuple[float, Any]]) -> None:
    thread = grow(nodes, changes=2)
    heads = {json.dumps([body["tools"], body["system"]]) for body in (request(thread, i) for i in askable(thread))}
    assert len(heads) <= 1


def flat(body: Json) -> list[str]:
    """Role and block, one after another: what a prefix is compared by."""
    return [json.dumps([message["role"], block]) for message in body["messages"] for block in message["content"]]


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_a_longer_branch_begins_with_the_bytes_of_the_shorter(nodes: list[tuple[float, Any]]) -> None:
    """For every question with an answer: what was sent for the question opens the request of all that is below it.

    But for a turn that was refused, which is sent no more.
    """
    thread = grow(nodes)
    for leaf in askable(thread):
        path = thread.path(leaf)
        longer = flat(request(thread, leaf))
        for above, below in itertools.pairwise(path):
            if not r.is_question(above) or not r.text_of(above).strip() or r.is_question(below):
                continue
            if any(message.stop_reason == "refusal" for message in path[path.index(above) :]):
                continue
            shorter = flat(request(thread, above.id))
            assert longer[: len(shorter)] == shorter


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_building_a_request_changes_nothing_in_the_thread(nodes: list[tuple[float, Any]]) -> None:
    thread = grow(nodes)
    before = json.dumps([r.encode(m).decode() for m in thread.messages.values()])
    for leaf in askable(thread):
        request(thread, leaf)
    assert json.dumps([r.encode(m).decode() for m in thread.messages.values()]) == before
