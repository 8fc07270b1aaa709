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
from convend_tui.exchange.incoming import MISSING, TOOL, Context, Incoming, Skip
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

Json = dict[str, Any]
SESSION = "5f1c0e52-2d1c-4a52-9d1b-000000000001"
OPUS = "claude-opus-4-1-20250805"
REJECTED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the "
    "new_string was NOT written to the file). To tell you how to proceed, the user said:\n"
)


def moment(number: int) -> str:
    return f"2025-10-14T09:{number // 60:02d}:{number % 60:02d}.127Z"


def line(kind: str, key: str | None, parent: str | None, at: int, **more: Any) -> Json:
    """Any line of a session file."""
    made: Json = {"parentUuid": parent, "isSidechain": False, "userType": "external", "cwd": "/home/eve/site"}
    made |= {"sessionId": SESSION, "version": "2.0.14", "gitBranch": "main", "type": kind}
    return made | ({} if key is None else {"uuid": key}) | {"timestamp": moment(at)} | more


def user(key: str, parent: str | None, at: int, content: Any = None, **more: Any) -> Json:
    message = {"role": "user", "content": f"asked {key}" if content is None else content}
    return line("user", key, parent, at, message=message, **more)


def model(
    key: str, parent: str | None, at: int, *content: Json, of: str = "", stop: str | None = None, **more: Any
) -> Json:
    """A line with blocks of the model's message `of`, by default one of its own."""
    message = {"id": of or f"msg_{key}", "type": "message", "role": "assistant", "model": OPUS, "stop_sequence": None}
    message |= {"content": list(content) or [text(f"answered {key}")], "stop_reason": stop}
    message["usage"] = {"input_tokens": 4, "cache_read_input_tokens": 900, "output_tokens": at}
    return line("assistant", key, parent, at, message=message, requestId=f"req_{of or key}", **more)


def use(key: str, name: str = "Bash", **given: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{key}", "name": name, "input": given}


def result(key: str, said: Any = "ok", *, error: bool = False) -> Json:
    return {"tool_use_id": f"toolu_{key}", "type": "tool_result", "content": said} | (
        {"is_error": True} if error else {}
    )


def bring_in(*lines: Any, context: Context | None = None) -> Incoming:
    return came_in(claude_code.read(list(lines), context or no_files()))


def kinds(found: Incoming) -> dict[str, str]:
    return {(m.origin or {})["id"]: m.kind for m in messages(found)}


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


# What the person did not write


def test_notes_of_the_program_are_left_out_and_what_follows_stays() -> None:
    caveat = "Caveat: The messages below were generated by the user while running local commands."
    found = bring_in(
        user("n1", None, 1, caveat, isMeta=True),
        user("n2", "n1", 2, "<local-command-stdout>Set model to opus</local-command-stdout>"),
        user("u1", "n2", 3, [text("<system-reminder>Be kind.</system-reminder>"), text("Hello")]),
        user("n3", "u1", 4, "A background task is done.", origin={"kind": "task-notification"}),
        model("a1", "n3", 5),
        user("n4", "a1", 6, [text("[Request interrupted by user]")]),
        user("u2", "n4", 7, "Go on\n<system-reminder>The date is x.</system-reminder>"),
    )
    assert tree(found) == {"u1": {"a1": {"u2": {}}}}
    assert of_key(found, "u1").content == [text("Hello")]
    assert of_key(found, "u2").content == [text("Go on")]
    assert of_key(found, "a1").kind == "partial"
    assert [why for _, why in skipped(found)] == ["Claude Code wrote it, not a person"]
    assert skipped(found)[0][0].startswith("6 notes")
    assert list(objections(found)) == []


def test_commands_are_what_the_person_typed() -> None:
    command = "<command-message>init is running…</command-message>\n<command-name>/init</command-name>"
    found = bring_in(
        user("u1", None, 1, f"{command}\n<command-args>all of it</command-args>"),
        user("u2", "u1", 2, "<bash-input>git status</bash-input>"),
        user("u3", "u2", 3, "<bash-stdout>clean</bash-stdout><bash-stderr></bash-stderr>"),
        user("u4", "u2", 4, "What does <command-name>x</command-name> do?"),
    )
    assert [r.text_of(m) for m in messages(found)] == [
        "/init all of it",
        "! git status",
        "What does <command-name>x</command-name> do?",
    ]


def test_what_was_typed_while_the_model_worked_is_typed() -> None:
    typed = {"type": "queued_command", "commandMode": "prompt", "prompt": "and the tests", "origin": {"kind": "human"}}
    note = {"type": "queued_command", "commandMode": "task-notification", "prompt": "<x>"}
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2, use("1")),
        user("t1", "a1", 3, [result("1")]),
        line("attachment", "q1", "t1", 4, attachment=typed),
        line("attachment", "q2", "q1", 5, attachment=note),
        line("attachment", "q3", "q2", 6, attachment={"type": "todo_reminder"}),
        model("a2", "q3", 7),
    )
    assert tree(found) == {"u1": {"a1": {"t1": {"q1": {"a2": {}}}}}}
    assert (of_key(found, "q1").kind, of_key(found, "q1").content) == ("typed", [text("and the tests")])
    assert list(objections(found)) == []


def test_what_the_person_said_when_refusing_a_call_is_typed() -> None:
    said = REJECTED + "No,\nlook first.\n\nNote: The user's next message may contain a correction or preference."
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2, use("1"), use("2"), use("3")),
        user("t1", "a1", 3, [result("1")]),
        user("t2", "a1", 4, [result("2", said, error=True)]),
        user("t3", "a1", 5, [result("3", REJECTED + "The user wants to clarify these questions.", error=True)]),
        model("a2", "t2", 6),
    )
    assert tree(found) == {"u1": {"a1": {"t1": {"t2": {"a2": {}}}}}}
    assert r.text_of(of_key(found, "t2")) == "No,\nlook first."
    assert of_key(found, "t2").kind == "typed"
    assert len(of_key(found, "t1").content) == 2
    assert list(objections(found)) == []


def test_answers_to_the_models_questions_are_typed() -> None:
    answers = {"questions": [{"question": "Which?"}], "answers": {"Which?": "The red one", "Why?": ["x"]}}
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2, use("1", "AskUserQuestion")),
        user("t1", "a1", 3, [result("1", "User has answered your questions: …")], toolUseResult=answers),
    )
    assert (of_key(found, "t1").kind, r.text_of(of_key(found, "t1"))) == ("typed", "The red one")
    assert list(objections(found)) == []


def test_a_sub_agents_work_is_counted() -> None:
    found = bring_in(
        user("u1", None, 1),
        model("a1", "u1", 2, use("1", "Task")),
        user("s1", None, 3, "Find the file.", isSidechain=True),
        model("s2", "s1", 4, isSidechain=True),
        user("t1", "a1", 5, [result("1")]),
    )
    assert tree(found) == {"u1": {"a1": {"t1": {}}}}
    assert skipped(found) == [(f"2 messages of session {SESSION}", "it is part of a sub-agent's work")]
    alone = claude_code.read([user("s1", None, 3, "Find it.", isSidechain=True)], no_files())
    assert isinstance(alone, Skip) and "sub-agent" in alone.why


def test_what_the_program_said_in_the_models_place_is_left_out() -> None:
    error = model("e1", "u1", 2, text("API Error: 529 overloaded"), isApiErrorMessage=True)
    synthetic = model("e2", "u2", 4, text("No response requested."))
    synthetic["message"]["model"] = "<synthetic>"
    found = bring_in(
        user("u1", None, 1), error, user("u2", "e1", 3), synthetic, user("u3", "e2", 5), model("a1", "u3", 6)
    )
    assert tree(found) == {"u1": {"u2": {"u3": {"a1": {}}}}}
    assert skipped(found) == [(f"2 notices of session {SESSION}", "Claude Code wrote it in the model's place")]
    assert list(objections(found)) == []


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


@settings(max_examples=100)
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


@settings(max_examples=100)
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
