"""ChatGPT's data export -> a thread: what a message holds, and its files."""

from __future__ import annotations

import pytest

from convend_tui.exchange.incoming import MISSING, TOOL
from convend_tui.thread import records as r
from tests.making import SETTINGS
from tests.unit.exports.chatgpt import (
    BRANCHED,
    PNG,
    Json,
    answered,
    bot,
    chat,
    image,
    message,
    path,
    read,
    sendable,
    shape,
    thread_of,
    tree,
    user,
)
from tests.unit.test_request import objections, request

# -- contents -------------------------------------------------------------------------------------------------------


def content(value: Json, **files: bytes) -> list[r.Block]:
    """The blocks of the message at the end of the active path."""
    thread = tree(value, **files)
    return thread.messages[str(thread.leaf)].content


def test_parts_of_one_text_and_texts_of_one_turn_stay_apart() -> None:
    thread = tree(answered(bot("one", "", "two"), bot("preamble", channel="commentary"), bot("final", channel="final")))
    assert path(thread) == ["question", "one\n\ntwo", "preamble", "final"]
    thread.apply(r.as_change(SETTINGS, "2030-01-01T00:00:00.000Z"))
    thread.apply(
        r.Message(
            at="2030-01-02T00:00:00.000Z",
            id="new",
            parent=thread.leaf,
            role="user",
            content=[{"type": "text", "text": "more"}],
            kind="typed",
        )
    )
    body = request(thread, "new")
    assert objections(body) == []
    assert [len(m["content"]) for m in body["messages"]] == [1, 4, 1]


def test_code_is_fenced() -> None:
    code = {"content_type": "code", "language": "python", "text": "print('```')"}
    assert content(answered(bot(content=code))) == [{"type": "text", "text": "````python\nprint('```')\n````"}]
    code = {"content_type": "code", "language": "unknown", "text": "search('x')"}
    assert content(answered(bot(content=code, recipient=None))) == [{"type": "text", "text": "```\nsearch('x')\n```"}]


def test_thinking_and_tools_go_into_the_answer_that_they_led_to() -> None:
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Looking", "content": "Let me see."}, "so"]}
    recap = {"content_type": "reasoning_recap", "content": "Thought for 3 seconds"}
    call = {"content_type": "code", "language": "unknown", "text": "1 + 1"}
    output = {"content_type": "execution_output", "text": "2"}
    value = answered(
        bot(content=thoughts),
        bot(content=call, recipient="python"),
        message("tool", name="python", content=output),
        bot(content=recap),
        bot("It is 2.", metadata={"model_slug": "o3"}),
    )
    thread = tree(value)
    question, answer = thread.path(thread.leaf)
    assert answer.origin == {"app": "chatgpt", "id": "n4"}
    assert answer.content == [
        {"type": "thinking", "thinking": "Looking\n\nLet me see."},
        {"type": "thinking", "thinking": "so"},
        {"type": TOOL, "name": "python", "block": call},
        {"type": TOOL, "name": "python", "block": output},
        {"type": "thinking", "thinking": "Thought for 3 seconds"},
        {"type": "text", "text": "It is 2."},
    ]
    assert (answer.model, answer.parent) == ("o3", question.id)
    # Where the person stood on a part of it, it is the whole that is shown.
    assert tree({**value, "current_node": "n1"}).leaf == answer.id


def test_thinking_before_a_fork_or_at_an_end_is_a_message_of_its_own() -> None:
    thought = {"content_type": "thoughts", "thoughts": "Hm."}
    value = chat(("u", None, user("q")), ("t", "u", bot(content=thought)), ("a", "t", bot("x")), ("b", "t", bot("y")))
    assert shape(tree(value)) == [["q", [["", [["x", []], ["y", []]]]]]]
    value = chat(("u", None, user("q")), ("t", "u", bot(content=thought)), ("v", "t", user("well?")))
    assert shape(tree(value)) == [["q", [["", [["well?", []]]]]]]
    assert content(answered(bot(content=thought))) == [{"type": "thinking", "thinking": "Hm."}]


@pytest.mark.parametrize(
    "given",
    [
        {"content_type": "tether_quote", "url": "https://x.example", "title": "T", "text": "quoted"},
        {"content_type": "tether_browsing_display", "result": "found", "summary": None},
        {"content_type": "sonic_webpage", "url": "https://x.example", "text": "page"},
        {"content_type": "system_error", "name": "tool_error", "text": "robots.txt"},
        {"content_type": "something_new", "deep": {"er": ["words"]}},
        {"content_type": "thoughts", "thoughts": [], "other": "words"},
        {"content_type": "text", "parts": {"not": "a list"}},
    ],
)
@pytest.mark.parametrize("role", ["tool", "assistant", "user", "critic", None])
def test_what_has_no_shape_of_ours_is_kept_verbatim(role: str | None, given: Json) -> None:
    thread = tree(answered(message(role, content=given, name="web" if role == "tool" else None)))
    (block,) = thread.messages[str(thread.leaf)].content
    assert block["type"] == TOOL
    assert block["block"] == given
    assert block["name"] == ("web" if role == "tool" else role if role == "critic" else block["name"])


@pytest.mark.parametrize(
    ("more", "kind", "stop"),
    [
        ({"metadata": {"finish_details": {"type": "stop"}}}, "reply", "end_turn"),
        ({"end_turn": True}, "reply", "end_turn"),
        ({"end_turn": None}, "reply", None),
        ({"metadata": {"finish_details": {"type": "interrupted", "reason": "client_stopped"}}}, "partial", None),
        ({"metadata": {"is_complete": False}}, "partial", None),
        ({"status": "in_progress"}, "partial", None),
        ({"status": "finished_partial_completion"}, "partial", None),
        (
            {"status": "finished_partial_completion", "metadata": {"finish_details": {"type": "max_tokens"}}},
            "reply",
            "max_tokens",
        ),
        ({"metadata": {"finish_details": "stop"}, "status": ["x"]}, "reply", None),
    ],
)
def test_how_an_answer_ended(more: Json, kind: str, stop: str | None) -> None:
    thread = tree(answered(bot("An ans", **more)))
    answer = thread.messages[str(thread.leaf)]
    assert (answer.kind, answer.stop_reason) == (kind, stop)


@pytest.mark.parametrize(
    ("given", "shown", "marks"),
    [
        ("Prices fell.\ue200cite\ue202turn0search1\ue202turn0news2\ue201 Then rose.", "Prices fell. Then rose.", 1),
        ('By \ue200entity\ue202["people","Ada \\"A\\" Lovelace","author"]\ue201.', 'By Ada "A" Lovelace.', 0),
        ("\ue200entity\ue202Invincible\ue201!", "Invincible!", 0),
        ('\ue200entity\ue202["people","bad \\q"]\ue201', "bad \\q", 0),
        ("See \ue200url\ue202this page\ue202https://x.example\ue201", "See [this page](https://x.example)", 0),
        ("stray \ue203mark\ue2ff and \ue200 no end", "stray mark and  no end", 3),
        ("Apple \uf8ff stays, \ue1ff and \ue300 too", "Apple \uf8ff stays, \ue1ff and \ue300 too", 0),
    ],
)
def test_citation_marks_are_taken_out(given: str, shown: str, marks: int) -> None:
    found = read(answered(bot(given)))
    assert path(thread_of(found))[-1] == shown.strip()
    assert [s.what for s in found.skipped] == [f"{marks} citation mark{'s' * (marks > 1)} of “Deploy”"] * bool(marks)


def test_what_a_person_typed_loses_whole_marks_only() -> None:
    typed = "icons \ue235 \ue201 and \ue200cite\ue202turn0search1\ue201 pasted"
    assert path(tree(chat(("u", None, user(typed))))) == ["icons \ue235 \ue201 and  pasted"]


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pointer", ["file-service://file_AbC123", "sediment://file_AbC123", "sediment://file_AbC123#page#p_1.png"]
)
def test_an_image_comes_along_under_its_name(pointer: str) -> None:
    listed = [{"id": "file_AbC123", "name": "cat.png", "mime_type": "image/png"}]
    mixed = {"content_type": "multimodal_text", "parts": [image(pointer), "What is this?"]}
    value = chat(("u", None, user(content=mixed, metadata={"attachments": listed})))
    found = read(value, file_AbC123=PNG)
    picture, text = thread_of(found).path(thread_of(found).leaf)[0].content
    assert picture["source"]["name"] == "cat.png"
    assert text == {"type": "text", "text": "What is this?"}
    assert found.skipped == ()


def test_what_the_export_does_not_hold_or_cannot_be_attached_is_named() -> None:
    named = [{"id": "file_gone1", "name": "cat.png"}, {"id": "file_zip1", "name": "all.zip"}]
    given = {"attachments": [*named, {"name": "nameless.txt"}, None, 5]}
    value = chat(("u", None, user("Look", image("sediment://file_gone1"), metadata=given)))
    found = read(value, file_zip1=b"PK")
    assert thread_of(found).messages[str(thread_of(found).leaf)].content == [
        {"type": "text", "text": "Look"},
        {"type": MISSING, "name": "cat.png"},
        {"type": MISSING, "name": "all.zip"},
        {"type": MISSING, "name": "nameless.txt"},
    ]
    assert [(skip.what, skip.why) for skip in found.skipped] == [
        ("attachment cat.png of “Deploy”", "the export does not hold it"),
        ("attachment all.zip of “Deploy”", "it is of a kind or size that cannot be attached"),
        ("attachment nameless.txt of “Deploy”", "the export does not hold it"),
    ]


def test_a_picture_that_a_tool_made_is_shown_and_never_sent() -> None:
    made = {"content_type": "multimodal_text", "parts": [image("sediment://file_made1")]}
    blocks = content(answered(message("tool", content=made, name="dalle.text2im"), bot("Here.")), file_made1=PNG)
    assert [block["type"] for block in blocks] == [TOOL, TOOL, "text"]
    assert blocks[1]["block"]["source"]["media_type"] == "image/png"


def test_speech_is_its_words_and_its_recordings_are_named() -> None:
    spoken = {
        "content_type": "real_time_user_audio_video_asset_pointer",
        "audio_asset_pointer": {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_wav1"},
        "video_container_asset_pointer": None,
        "frames_asset_pointers": [image("sediment://file_frame1"), None],
    }
    heard = {"content_type": "audio_transcription", "text": "Hello there", "direction": "in"}
    blocks = content(chat(("u", None, user(content={"content_type": "multimodal_text", "parts": [heard, spoken]}))))
    assert blocks == [
        {"type": "text", "text": "Hello there"},
        {"type": MISSING, "name": "file_wav1"},
        {"type": MISSING, "name": "file_frame1"},
    ]


def test_a_pointer_to_nothing_matches_no_file() -> None:
    for pointer in ("", "sediment://", "file-service://#x", "f"):
        (block,) = content(chat(("u", None, user("", image(pointer)))), file_any=PNG)
        assert block["type"] == MISSING


# -- sent on --------------------------------------------------------------------------------------------------------


def test_an_imported_conversation_can_be_gone_on_with() -> None:
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "S", "content": "C"}]}
    made = {"content_type": "multimodal_text", "parts": [image("sediment://file_made1")]}
    sendable(
        read(
            answered(
                user("more", image("sediment://file_made1")),
                bot(content=thoughts),
                message("tool", content=made, name="dalle"),
                bot("text", image("sediment://file_made1")),
                bot("and more", status="in_progress"),
                user("again"),
                bot(content=thoughts),
                user("and again"),
            ),
            file_made1=PNG,
        )
    )
    sendable(read(BRANCHED))
