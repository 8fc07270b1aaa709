"""Claude.ai's export -> a thread: what a message holds, its attachments, and endings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convend_tui.exchange.incoming import MISSING, TOOL, Incoming
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.making import text
from tests.unit.exports import (
    PNG,
    Shelf,
    messages,
    objections,
    of_key,
    path,
    skipped,
    thread_of,
    tree,
)
from tests.unit.exports.claude import (
    CONFIRM,
    ROOT,
    Json,
    bring_in,
    chat,
    end,
    model,
    person,
    result,
    said,
    use,
    words,
)

# What a message holds


def test_blocks_come_first_and_the_plain_text_is_the_fallback() -> None:
    found = bring_in(
        chat(
            person("h1", ROOT, 1, "from the block", text="from the text"),
            model("a1", "h1", 2, content=[], text="only text"),
            person("h2", "a1", 3, content=None, text="only text, too"),
            model("a2", "h2", 4, use("t1"), text="```\nThis block is not supported on your current device yet.\n```"),
        )
    )
    assert [r.text_of(m) for m in messages(found)] == ["from the block", "only text", "only text, too", ""]


def test_what_holds_nothing_to_read_is_counted() -> None:
    cited = words("See there.") | {"citations": [{"uuid": "c", "title": "A page", "url": "https://example.org"}]}
    budget = {"type": "token_budget", "remaining": 5}
    found = bring_in(
        chat(
            person("h1", ROOT, 1),
            model(
                "a1",
                "h1",
                2,
                budget,
                {"type": "flag", "flag": "x"},
                cited,
                budget,
                {"type": "thinking", "thinking": ""},
            ),
        )
    )
    assert of_key(found, "a1").content == [text("See there.")]
    assert skipped(found) == [
        ("2 token_budget blocks of “Verbs by depth”", "it holds nothing to read"),
        ("flag block of “Verbs by depth”", "it holds nothing to read"),
        ("citation list of “Verbs by depth”", "sources of citations are not kept"),
        ("thinking block of “Verbs by depth”", "it is empty"),
    ]


def test_unknown_blocks_are_kept_by_name() -> None:
    voice = {"type": "voice_note", "title": "Memo", "text": "la la"}
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
    hits = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    found = bring_in(chat(person("h1", ROOT, 1, "a", voice), model("a1", "h1", 2, search, hits, "b")))
    blocks = [block for m in messages(found) for block in m.content if block["type"] == TOOL]
    assert [(block["name"], block["block"]) for block in blocks] == [
        ("voice_note", voice),
        ("web_search", search),
        ("web_search", hits),
    ]
    assert list(objections(found)) == []


def test_thinking_falls_back_to_its_summaries() -> None:
    thought = {"type": "thinking", "thinking": "", "summaries": [{"summary": "First."}, {"summary": "Then."}]}
    found = bring_in(chat(person("h1", ROOT, 1), model("a1", "h1", 2, thought)))
    assert of_key(found, "a1").content == [{"type": "thinking", "thinking": "First.\n\nThen."}]
    assert list(objections(found)) == []


def test_empty_messages_go_unless_something_hangs_below_them() -> None:
    found = bring_in(
        chat(
            person("h1", ROOT, 1),
            model("divider", "h1", 2, content=[]),
            person("h2", "divider", 3),
            model("refused", "h2", 4, content=[], stop_reason="refusal"),
            model("gone", "h2", 5, content=[]),
            person("gone too", "gone", 6, content=[{"type": "text", "text": "  "}]),
            current_leaf_message_uuid="gone too",
        )
    )
    assert tree(found) == {"h1": {"divider": {"h2": {"refused": {}}}}}
    assert path(found) == ["h1", "divider", "h2"]
    assert of_key(found, "refused").stop_reason == "refusal"
    assert skipped(found) == [("2 messages of “Verbs by depth”", "it is empty")]
    assert list(objections(found)) == []


def test_a_compaction_keeps_its_summary_by_name() -> None:
    divider = model("d", "h1", 2, content=[], compaction_summary="They spoke of verbs.")
    found = bring_in(chat(person("h1", ROOT, 1), divider, person("h2", "d", 3)))
    assert [block["name"] for block in of_key(found, "d").content] == ["compaction_summary"]
    assert list(objections(found)) == []


def test_what_is_no_message_is_counted_and_what_hangs_below_it_stays() -> None:
    found = bring_in(
        chat(person("h1", ROOT, 1), said("s", "system", "h1", 2, "Be nice."), model("a1", "s", 3), None, "x", [1])
    )
    assert tree(found) == {"h1": {"a1": {}}}
    assert sorted(skipped(found)) == [
        ("3 messages of “Verbs by depth”", "it has not the form of one"),
        ("message of “Verbs by depth”", "it is neither the person's nor the model's"),
    ]


# Attachments


def test_attachments_whose_text_is_there_are_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    given = [
        {"file_name": "note.txt", "file_size": 18, "file_type": "text/plain", "extracted_content": "milk, eggs"},
        {
            "file_name": "paper.pdf",
            "file_size": 9,
            "file_type": "application/pdf",
            "extracted_content": "Abstract \ud800",
        },
        {"file_name": "", "file_size": 9, "file_type": "txt", "extracted_content": "pasted"},
    ]
    found = bring_in(chat(person("h1", ROOT, 1, "Read.", attachments=given)), shelf.context)
    content = of_key(found, "h1").content
    assert [block["type"] for block in content] == ["document"] * 3 + ["text"]
    assert [block["source"]["name"] for block in content[:3]] == ["note.txt", "paper.pdf.txt", "pasted text.txt"]
    assert [shelf.text_of(block) for block in content[:3]] == ["milk, eggs", "Abstract ?", "pasted"]
    assert list(objections(found, shelf.load)) == []


def test_files_come_along_where_the_export_has_them(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, **{"files/f-1.png": PNG, "tune.mp3": b"\xff\xfb\x00\x01"})
    files = [
        {"file_name": "pic.png", "file_uuid": "f-1"},
        {"file_name": "gone.png", "file_uuid": "f-2"},
        {"file_name": "tune.mp3"},
    ]
    again = [
        {"file_kind": "image", "file_uuid": "f-1", "file_name": "pic.png"},
        {"file_name": "tune.mp3", "file_uuid": "f-3"},
    ]
    found = bring_in(chat(person("h1", ROOT, 1, "Look.", files=files, files_v2=again)), shelf.context)
    content = of_key(found, "h1").content
    assert [block["type"] for block in content] == ["image", MISSING, MISSING, "text"]
    assert content[0]["source"]["name"] == "pic.png"
    assert content[1:3] == [{"type": MISSING, "name": "gone.png"}, {"type": MISSING, "name": "tune.mp3"}]
    assert skipped(found) == [
        ("attachment “gone.png” of “Verbs by depth”", "its content is not in the export"),
        ("attachment “tune.mp3” of “Verbs by depth”", "it is of a kind or size that cannot be attached"),
    ]
    assert list(objections(found, shelf.load)) == []


def test_two_files_of_one_name_are_two_and_an_upload_named_twice_is_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, **{"f-1": PNG, "f-2": PNG + b"2"})
    files = [{"file_name": "image.png", "file_uuid": "f-1"}, {"file_name": "image.png", "file_uuid": "f-2"}]
    upload = {"file_name": "note.txt", "extracted_content": "milk"}
    found = bring_in(
        chat(person("h1", ROOT, 1, attachments=[upload], files=[*files, {"file_name": "note.txt", "file_uuid": "n"}])),
        shelf.context,
    )
    assert [block["type"] for block in of_key(found, "h1").content] == ["document", "image", "image", "text"]
    assert found.skipped == ()


def test_a_file_of_the_models_is_shown_and_never_sent(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, **{"chart.png": PNG})
    found = bring_in(
        chat(person("h1", ROOT, 1), model("a1", "h1", 2, files=[{"file_name": "chart.png"}])), shelf.context
    )
    kept = of_key(found, "a1").content[0]
    assert (kept["type"], kept["name"], kept["block"]["type"]) == (TOOL, "chart.png", "image")
    assert list(objections(found, shelf.load)) == []


def test_a_message_of_nothing_but_a_lost_file_is_kept() -> None:
    found = bring_in(chat(person("h1", ROOT, 1, content=[], files=[{"file_name": "pic.png"}]), model("a1", "h1", 2)))
    assert of_key(found, "h1").content == [{"type": MISSING, "name": "pic.png"}]
    assert list(objections(found)) == []


# Endings


def last_turn(*content: Json | str) -> Incoming:
    return bring_in(chat(person("h1", ROOT, 1), model("a1", "h1", 2, *content)))


def endings(found: Incoming) -> list[r.Ended]:
    return [record for record in found.records if isinstance(record, r.Ended)]


@pytest.mark.parametrize(
    "content",
    [
        ["Goodbye.", end()],
        [end(), result("e1", "The conversation was ended.")],
        [use("t1"), result("t1"), end()],
        [end(), result("e1", CONFIRM), end("e2")],
        [end(), result("e1", CONFIRM), "I am sure.", end("e2"), result("e2", "Ended.")],
        [end(), result("e1", "Declined.", error=True), end("e2"), result("e2", CONFIRM), end("e3")],
    ],
)
def test_a_call_that_ended_the_conversation_locks_its_branch(content: list[Any]) -> None:
    found = last_turn(*content)
    [ended] = endings(found)
    leaf = of_key(found, "a1")
    assert (ended.message, ended.at) == (leaf.id, leaf.at)
    assert isinstance(lock.may_send(thread_of(found), leaf.id), lock.Refusal)
    assert lock.may_edit(thread_of(found), of_key(found, "h1").id) is None


@pytest.mark.parametrize(
    "content",
    [
        ["Let us go on."],
        [end(), result("e1", CONFIRM)],
        [end(), result("e1", CONFIRM), "Let us go on."],
        [end(), result("e1", "Declined.", error=True), "Let us go on."],
        [end(), use("t1")],
        [use("t1"), result("t1", CONFIRM), end(), result("e1", CONFIRM)],
        [result("e1", name="end_conversation")],
        [end(), result("e1", "Declined.", error=True), end("e2"), result("e2", CONFIRM)],
        [{"type": "text", "text": "end_conversation"}],
    ],
)
def test_a_call_that_did_not_end_it_does_not(content: list[Any]) -> None:
    found = last_turn(*content)
    assert endings(found) == []
    assert list(objections(found)) == []


def test_an_ending_that_went_on_is_none() -> None:
    found = bring_in(chat(person("h1", ROOT, 1), model("a1", "h1", 2, "Bye.", end()), person("h2", "a1", 3)))
    assert endings(found) == []
    assert list(objections(found)) == []


def test_each_branch_has_an_ending_of_its_own() -> None:
    found = bring_in(
        chat(
            person("h1", ROOT, 1),
            model("a1", "h1", 2, end(cause="user_request", explanation=" You asked for it. ")),
            model("a2", "h1", 3),
            model("a3", "h1", 4, end(cause=["?"], explanation=7)),
        )
    )
    first, second = endings(found)
    assert (first.message, first.cause, first.explanation) == (
        of_key(found, "a1").id,
        "user_request",
        "You asked for it.",
    )
    assert (second.message, second.cause) == (of_key(found, "a3").id, "unknown")
    assert second.explanation == "The model ended this conversation in Claude.ai, which does not say why."
    assert lock.may_send(thread_of(found), of_key(found, "a2").id) is None
    assert list(objections(found)) == []
