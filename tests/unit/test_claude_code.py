"""Claude Code's session files -> a thread."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.ending.signs import RiskReader
from convend_tui.exchange import claude_code, claude_export
from convend_tui.exchange.incoming import MISSING, TOOL, Incoming, Skip
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.making import MODEL, SETTINGS, text
from tests.unit.exports import (
    GARBAGE,
    PNG,
    Shelf,
    came_in,
    messages,
    no_files,
    objections,
    of_key,
    path,
    skipped,
    thread_of,
    tree,
)
from tests.unit.exports.claude_code import (
    OPUS,
    SESSION,
    Json,
    bring_in,
    kinds,
    line,
    model,
    result,
    use,
    user,
)

# A session


def test_a_session_comes_in() -> None:
    thinking = {"type": "thinking", "thinking": "Look first.", "signature": "EtYB"}
    found = bring_in(
        {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {"trackedFileBackups": {}}},
        user("u1", None, 1, "Why is the build red?"),
        model("a1", "u1", 2, thinking, of="msg_1"),
        model("a2", "a1", 3, text("I will look."), of="msg_1"),
        model("a3", "a2", 4, use("1", command="make"), of="msg_1", stop="tool_use"),
        user("t1", "a3", 5, [result("1", "error: no rule")], toolUseResult={"stdout": "error: no rule"}),
        model("a4", "t1", 6, text("A rule is missing."), stop="end_turn"),
        line("system", "s1", "a4", 7, subtype="turn_duration", durationMs=5000, content=None),
        user("u2", "s1", 8, "Add it."),
    )
    assert tree(found) == {"u1": {"a1": {"t1": {"a4": {"u2": {}}}}}}
    assert path(found) == ["u1", "a1", "t1", "a4", "u2"]
    assert kinds(found) == {"u1": "typed", "a1": "reply", "t1": "guard", "a4": "reply", "u2": "typed"}
    first = of_key(found, "a1")
    assert first.content == [
        {"type": "thinking", "thinking": "Look first."},
        text("I will look."),
        {"type": TOOL, "name": "Bash", "block": use("1", command="make")},
    ]
    assert (first.stop_reason, first.model, first.request_id) == ("tool_use", OPUS, "req_msg_1")
    assert first.usage == {"input_tokens": 4, "cache_read_input_tokens": 900, "output_tokens": 4}
    assert of_key(found, "t1").content == [{"type": TOOL, "name": "Bash", "block": result("1", "error: no rule")}]
    assert (found.source, found.key, found.created) == ("claude-code", SESSION, "2025-10-14T09:00:01.127Z")
    assert found.settings.model == OPUS
    assert thread_of(found).title == "Why is the build red?"
    assert skipped(found) == [
        (f"file-history-snapshot line of session {SESSION}", "it is no message"),
        (f"system line of session {SESSION}", "it is no message"),
    ]
    assert list(objections(found)) == []


def test_results_are_not_the_persons_words() -> None:
    danger = "I want to kill myself"
    found = bring_in(user("u1", None, 1), model("a1", "u1", 2, use("1")), user("t1", "a1", 3, [result("1", danger)]))
    assert RiskReader(lambda block: None).read(messages(found)) == []
    typed = bring_in(user("u1", None, 1, danger))
    assert RiskReader(lambda block: None).read(messages(typed)) != []


def test_edits_and_retries_are_branches() -> None:
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2),
        user("u2", "a1", 3),
        model("a2", "u2", 4),
        user("u3", "a1", 5),
        model("a3", "u3", 6),
        user("u4", None, 7),
    )
    assert tree(found) == {"u1": {"a1": {"u2": {"a2": {}}, "u3": {"a3": {}}}}, "u4": {}}
    assert path(found) == ["u4"]
    assert list(objections(found)) == []


def test_calls_at_the_same_time_are_no_branches() -> None:
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2, use("1"), of="m"),
        model("a2", "a1", 3, use("2"), of="m"),
        user("t1", "a1", 4, [result("1")]),
        line("progress", "p1", "t1", 4, data={"type": "hook_progress"}),
        model("a3", "p1", 5, use("3"), of="m"),
        user("t2", "a2", 6, [result("2")]),
        user("t3", "a3", 7, [result("3")]),
        model("a4", "t3", 8),
    )
    assert tree(found) == {"u1": {"a1": {"t1": {"a4": {}}}}}
    assert [b["block"]["id"] for b in of_key(found, "a1").content] == ["toolu_1", "toolu_2", "toolu_3"]
    assert [b["block"]["tool_use_id"] for b in of_key(found, "t1").content] == ["toolu_1", "toolu_2", "toolu_3"]
    assert list(objections(found)) == []


def test_the_same_call_answered_twice_is_a_branch() -> None:
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2, use("1")),
        user("t1", "a1", 3, [result("1")]),
        user("t2", "a1", 4, [result("1", "otherwise")]),
    )
    assert tree(found) == {"u1": {"a1": {"t1": {}, "t2": {}}}}


def test_two_messages_of_one_id_on_two_branches_stay_two() -> None:
    found = bring_in(
        user("u1", None, 1), model("a1", "u1", 2, of="m"), user("u2", None, 3), model("a2", "u2", 4, of="m")
    )
    assert tree(found) == {"u1": {"a1": {}}, "u2": {"a2": {}}}


def test_a_session_that_grew_adds_to_what_was_there() -> None:
    lines = [
        user("u1", None, 1),
        model("a1", "u1", 2, text("Well,"), of="m"),
        model("a2", "a1", 3, text("so."), of="m"),
    ]
    early, late = bring_in(*lines[:2]), bring_in(*lines)
    assert early.thread_id == late.thread_id
    # The whole message is another one than its first half: a message never changes.
    ids = {m.id: m for m in messages(early)}
    assert all(ids.get(m.id, m) == m for m in messages(late))
    assert len({m.id for m in (*messages(early), *messages(late))}) == 3


# Compaction, titles, several sessions


def compacted(boundary: str, back_to: str | None, at: int) -> list[Json]:
    more: Json = {"subtype": "compact_boundary", "content": "Conversation compacted", "isMeta": False}
    told = "This session is being continued from a previous conversation: they fixed the build."
    return [
        line("system", boundary, None, at, logicalParentUuid=back_to, compactMetadata={"trigger": "auto"}, **more),
        user("sum", boundary, at, told, isCompactSummary=True, isVisibleInTranscriptOnly=True),
        user("u2", "sum", at + 1),
    ]


def test_after_a_compaction_the_conversation_goes_on_where_it_was() -> None:
    found = bring_in(user("u1", None, 1), model("a1", "u1", 2), *compacted("b", "a1", 3))
    assert tree(found) == {"u1": {"a1": {"u2": {}}}}
    assert (f"summary of session {SESSION}", "what it sums up is there itself") in skipped(found)


def test_where_the_summary_is_all_there_is_it_stands_as_the_models_words() -> None:
    found = bring_in(*compacted("b", "elsewhere", 3))
    assert tree(found) == {"sum": {"u2": {}}}
    summary = of_key(found, "sum")
    assert (summary.role, summary.kind) == ("assistant", "reply")
    assert "they fixed the build" in r.text_of(summary)
    assert list(objections(found)) == []


def named(title: str, leaf: str) -> Json:
    return {"type": "summary", "summary": title, "leafUuid": leaf}


def test_the_title_is_the_persons_or_that_of_this_session() -> None:
    lines = [named("Of another file", "elsewhere"), user("u1", None, 1), model("a1", "u1", 2)]
    assert skipped(bring_in(*lines))[0][1] == "it is the title of a session that is not in this file"
    assert thread_of(bring_in(*lines)).given_title is None
    lines += [{"type": "ai-title", "aiTitle": "By the model", "sessionId": SESSION}]
    assert thread_of(bring_in(*lines)).title == "By the model"
    lines += [named("Of a part", "a1"), named("Fix the build", "a1")]
    assert thread_of(bring_in(*lines)).title == "Fix the build"
    lines += [{"type": "custom-title", "customTitle": "My build", "sessionId": SESSION}]
    found = bring_in(*lines)
    assert thread_of(found).title == "My build"
    assert [record.by for record in found.records if isinstance(record, r.Title)] == ["import"]


def test_a_session_that_was_taken_up_again_is_the_later_one() -> None:
    older = [user("u1", None, 1, sessionId="older"), model("a1", "u1", 2, sessionId="older")]
    found = bring_in(*older, *older, user("u2", "a1", 3))
    assert found.key == SESSION
    assert tree(found) == {"u1": {"a1": {"u2": {}}}}
    assert skipped(found) == [(f"2 messages of session {SESSION}", "it stands there more than once")]


def test_sessions_that_do_not_hang_together_have_a_root_each() -> None:
    found = bring_in(
        user("v1", None, 9, sessionId="other"), model("b1", "v1", 10, sessionId="other"), user("u1", None, 1)
    )
    assert tree(found) == {"u1": {}, "v1": {"b1": {}}}
    assert path(found) == ["v1", "b1"]


def test_a_file_of_nothing_but_summaries_is_named() -> None:
    assert claude_code.read([named("x", "y")], no_files()) == Skip("session without an id", "it holds no messages")
    assert isinstance(claude_code.read([], no_files()), Skip)
    assert isinstance(claude_code.read([user("u1", None, 1, [])], no_files()), Skip)


def test_lines_without_links_follow_each_other() -> None:
    bare = [{"type": "user", "sessionId": "s", "message": {"content": "a"}}]
    bare += [{"type": "assistant", "sessionId": "s", "message": {"content": [text("b")]}}]
    found = bring_in(*bare)
    assert tree(found) == {"#0": {"#1": {}}}
    assert found.settings == SETTINGS


# Attachments and endings


def test_pictures_come_along(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)

    def source(data: str, media: str) -> Json:
        return {"type": "base64", "media_type": media, "data": data}

    content = [
        {"type": "image", "source": source(base64.b64encode(PNG).decode(), "image/png")},
        {"type": "image", "source": source("!", "image/png")},
        {"type": "document", "title": "a.txt", "source": {"type": "text", "media_type": "text/plain", "data": "milk"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/x.png"}},
        text("Look."),
    ]
    found = bring_in(user("u1", None, 1, content), model("a1", "u1", 2), context=shelf.context)
    kept = of_key(found, "u1").content
    assert [block["type"] for block in kept] == ["image", MISSING, "document", MISSING, "text"]
    assert shelf.load(kept[0]["source"]["sha256"]) == PNG
    assert shelf.text_of(kept[2]) == "milk"
    assert list(objections(found, shelf.load)) == []


@pytest.mark.parametrize(("confirmed", "ends"), [(True, True), (False, False)])
def test_an_ending_in_two_steps(confirmed: bool, ends: bool) -> None:
    lines = [
        user("u1", None, 1),
        model("a1", "u1", 2, use("1", "end_conversation")),
        user("t1", "a1", 3, [result("1", "To confirm, call the tool again.")]),
        model("a2", "t1", 4, use("2", "end_conversation") if confirmed else text("Let us go on.")),
    ]
    for more in ([], [user("t2", "a2", 5, [result("2", "ended")])]):
        found = bring_in(*lines, *more)
        ended = [record for record in found.records if isinstance(record, r.Ended)]
        assert [record.message for record in ended] == [of_key(found, "a2").id] * ends
        assert (lock.may_send(thread_of(found), of_key(found, "t1").id) is not None) == ends
        assert list(objections(found)) == []


# What is none, and anything at all


@pytest.mark.parametrize(
    "value",
    [
        {"type": "thread", "id": "x", "format": 1},
        {"type": "message", "id": "x", "parent": None},
        {"type": "user"},
        {"type": ["user"]},
        {"chat_messages": []},
        {"type": "session", "version": 3, "id": "x"},
        None,
        "user",
    ],
)
def test_lines_of_other_programs_are_not_recognized(value: Any) -> None:
    assert not claude_code.recognizes(value)


def test_lines_of_a_session_are_recognized_and_not_by_the_other_importer() -> None:
    snapshot = {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}}
    mode = {"type": "permission-mode", "permissionMode": "default", "sessionId": SESSION}
    for value in (
        user("u1", None, 1),
        model("a1", "u1", 1),
        named("x", "y"),
        snapshot,
        mode,
        line("system", "s", None, 1),
    ):
        assert claude_code.recognizes(value)
        assert not claude_export.recognizes(value)


KEYS = ["a", "b", "c", "d", "e", "f"]
PARENTS = st.sampled_from([*KEYS, None, "gone"])


@st.composite
def sessions(draw: st.DrawFn) -> list[Json]:
    """Lines whose parents may be anything, some of which hold parts of one message and results of its calls."""
    lines: list[Json] = []
    for number, key in enumerate(KEYS[: draw(st.integers(1, len(KEYS)))]):
        parent, at = draw(PARENTS), draw(st.integers(0, 3))
        block = draw(st.sampled_from([text("hm"), use("1"), use("2")]))
        answer = [result(draw(st.sampled_from("12")))]
        made = draw(st.integers(0, 3))
        if made == 0:
            lines.append(user(key, parent, at, f"typed {number}"))
        elif made == 1:
            lines.append(user(key, parent, at, answer))
        elif made == 2:
            lines.append(model(key, parent, at, block, of=draw(st.sampled_from(["m", "n"]))))
        else:
            lines.append(line("progress", key, parent, at))
    return lines


@settings(max_examples=60)
@given(sessions())
def test_every_block_comes_in_whatever_hangs_where(lines: list[Json]) -> None:
    wanted = sum(one["type"] != "progress" for one in lines)
    found = claude_code.read(lines, no_files())
    if isinstance(found, Skip):
        assert wanted == 0
        return
    came_in(found)
    assert sum(len(m.content) for m in messages(found)) == wanted
    assert list(objections(found)) == []


FIELDS = [
    *("type", "uuid", "parentUuid", "sessionId", "isSidechain", "isMeta", "timestamp", "summary", "leafUuid", "origin"),
    *("attachment", "toolUseResult", "logicalParentUuid", "requestId", "isCompactSummary"),
]
CONTENT = st.lists(GARBAGE | st.sampled_from([text("hm"), use("1"), result("1")]), max_size=3) | GARBAGE
LINE = st.builds(
    lambda kind, more, message: {"type": kind, "message": message} | more,
    st.sampled_from(["user", "assistant", "attachment", "system", "summary", None]),
    st.dictionaries(st.sampled_from(FIELDS[1:]), GARBAGE),
    st.dictionaries(st.sampled_from(["id", "role", "model", "usage", "stop_reason"]), GARBAGE).flatmap(
        lambda more: CONTENT.map(lambda content: more | {"content": content})
    )
    | GARBAGE,
)


@settings(max_examples=60)
@given(st.lists(LINE | GARBAGE, max_size=5) | GARBAGE)
def test_whatever_is_in_it_something_comes_back(value: Any) -> None:
    for one in value if isinstance(value, list) else [value]:
        claude_code.recognizes(one)
    found = claude_code.read(value, no_files())
    if isinstance(found, Incoming):
        came_in(found)
        assert list(objections(found, model=MODEL)) == []
    else:
        assert isinstance(found, Skip) and found.what and found.why
