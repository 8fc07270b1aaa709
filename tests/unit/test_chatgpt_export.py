"""ChatGPT's data export -> a thread: branches, what is hidden, damage."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convend_tui.exchange import chatgpt_export
from convend_tui.exchange.incoming import Incoming, Skip, message_id
from convend_tui.thread import records as r
from tests.making import SETTINGS
from tests.unit.exports.chatgpt import (
    BRANCHED,
    KEY,
    PNG,
    ROOT,
    Json,
    answered,
    bot,
    chat,
    context,
    image,
    message,
    path,
    read,
    sendable,
    shape,
    thread_of,
    tree,
    user,
    words,
)

# -- the tree -------------------------------------------------------------------------------------------------------


def test_all_branches_come_in_as_branches() -> None:
    found = read(BRANCHED)
    thread = thread_of(found)
    assert shape(thread) == [
        ["How do I roll back?", [["First answer", [["And then?", [["Then nothing.", []]]]]], ["Regenerated", []]]],
        ["How do I deploy?", []],
    ]
    assert path(thread) == ["How do I roll back?", "First answer", "And then?", "Then nothing."]
    assert (thread.title, found.created) == ("Deploy", "2025-08-24T01:46:40.120Z")
    assert found.thread_id.startswith("20250824T014640-")
    first, second = (thread.messages[message_id("chatgpt", KEY, i)] for i in ("a1", "a2"))
    assert (first.at, first.model, first.stop_reason, first.kind) == (
        "2025-08-24T01:46:42.500Z",
        "gpt-5",
        "end_turn",
        "reply",
    )
    assert second.model == "o4-mini"
    assert [m.kind for m in thread.messages.values()].count("typed") == 3
    assert all(m.origin and m.origin["app"] == "chatgpt" for m in thread.messages.values())
    assert found.skipped == (Skip("1 message of “Deploy”", "custom instructions, which belong to the account"),)


def test_reading_again_makes_the_same_and_changes_nothing() -> None:
    before = copy.deepcopy(BRANCHED)
    assert read(BRANCHED) == read(BRANCHED)
    assert before == BRANCHED


@pytest.mark.parametrize("times", [[None] * 3, [5.0, 5.0, 5.0], [9.0, 5.0, 1.0], [None, 7.0, None], [7.0, None, "x"]])
def test_siblings_come_in_the_order_of_the_children_whatever_their_times(times: list[Any]) -> None:
    names = ["z", "m", "a"]
    answers = [(i, "u", bot(f"answer {i}", time=t)) for i, t in zip(names, times, strict=True)]
    value = chat((ROOT, None, None), ("u", ROOT, user("q", time=6.0)), *answers)
    # The order of the mapping says nothing.
    value["mapping"] = dict(reversed(value["mapping"].items()))
    thread = tree(value)
    assert words(thread, thread.children(thread.roots[0])) == [f"answer {i}" for i in names]


def test_roots_are_siblings_too() -> None:
    thread = tree(chat((ROOT, None, None), *((i, ROOT, user(i)) for i in "cab")))
    assert words(thread, thread.roots) == ["c", "a", "b"]


def test_a_result_older_than_its_call_stays_below_it() -> None:
    thread = tree(
        chat(
            ("u", None, user("q", time=10.0)),
            ("a", "u", bot("one", time=10.5)),
            ("b", "a", bot("two", time=10.497)),
            ("c", "b", bot("three", time=None)),
        )
    )
    times = [m.at for m in thread.path(thread.leaf)]
    assert times == [f"1970-01-01T00:00:10.{ms}Z" for ms in ("000", "500", "501", "502")]


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -5, 1e300, 1756000000000, True, "1756000000", [], {}])
def test_what_is_no_time_is_as_if_it_were_not_there(time: Any) -> None:
    found = read(chat(("u", None, user("q", time=time)), ("a", "u", bot("x", time=time)), create_time=time))
    assert [m.at for m in found.records[:2]] == ["2025-08-24T01:53:20.650Z", "2025-08-24T01:53:20.651Z"]
    assert read(chat(("u", None, user("q")), create_time=None, update_time=time)).created == "1970-01-01T00:00:00.000Z"


def test_the_active_path_without_a_current_node_is_that_of_the_latest_leaf() -> None:
    for current in (None, "gone", 7, ["a1"], ""):
        value = {**BRANCHED, "current_node": current}
        assert path(tree(value)) == ["How do I deploy?"]
    value = {name: given for name, given in BRANCHED.items() if name != "current_node"}
    assert path(tree(value)) == ["How do I deploy?"]


def test_the_active_path_of_a_node_that_is_hidden_or_has_children() -> None:
    hidden = chat(("u", None, user("q")), ("a", "u", bot("x")), ("s", "a", message("system", "be good")))
    assert path(tree(hidden)) == ["q", "x"]
    assert path(tree({**BRANCHED, "current_node": "a1"})) == ["How do I roll back?", "First answer"]
    assert path(tree({**BRANCHED, "current_node": "sys"})) == ["How do I deploy?"], "nothing stands above it"


def test_what_is_hidden_is_taken_out_and_what_is_below_moves_up() -> None:
    unseen = {"is_visually_hidden_from_conversation": True}
    found = read(
        chat(
            (ROOT, None, None),
            ("s", ROOT, message("system", "You are ChatGPT.")),
            ("m", "s", bot(content={"content_type": "model_editable_context", "model_set_context": "Likes tea."})),
            ("u", "m", user("q")),
            ("h", "u", message("tool", "All the files are loaded.", metadata=unseen)),
            ("e", "h", bot("", None, "  \n")),
            ("a", "e", bot("answer")),
            ("b", "h", bot("another")),
        )
    )
    assert shape(thread_of(found)) == [["q", [["answer", []], ["another", []]]]]
    assert {skip.why: skip.what for skip in found.skipped} == {
        "instructions to the model, which ChatGPT does not show": "1 message of “Deploy”",
        "custom instructions, which belong to the account": "1 message of “Deploy”",
        "ChatGPT does not show them": "1 message of “Deploy”",
    }


# -- damage ---------------------------------------------------------------------------------------------------------


def test_a_circle_is_cut_and_nothing_is_lost() -> None:
    value = chat(("u", None, user("q")), ("a", "u", bot("x")), ("b", "a", user("y")), ("c", "b", bot("z")))
    value["mapping"]["a"]["parent"] = "c"
    # The question still lists its answer: that is where the circle hangs.
    assert shape(tree(value)) == [["q", [["x", [["y", [["z", []]]]]]]]]
    value["mapping"]["u"]["children"] = []
    assert shape(tree(value)) == [["q", []], ["x", [["y", [["z", []]]]]]]


def test_a_node_that_is_its_own_parent_is_a_root() -> None:
    value = chat(("u", None, user("q")), ("a", "u", bot("x")))
    value["mapping"]["u"]["parent"] = "u"
    assert shape(tree(value)) == [["q", [["x", []]]]]


def test_a_missing_parent_is_found_by_whoever_lists_the_child() -> None:
    value = chat(("u", None, user("q")), ("a", "u", bot("x")), ("o", "nowhere", user("orphan")))
    for parent in ("gone", None, 5, ["u"]):
        value["mapping"]["a"]["parent"] = parent
        assert sorted(shape(tree(value))) == [["orphan", []], ["q", [["x", []]]]]
    del value["mapping"]["a"]["parent"]
    assert sorted(shape(tree(value))) == [["orphan", []], ["q", [["x", []]]]]


def test_where_parent_and_children_contradict_the_parent_holds() -> None:
    value = chat(("u", None, user("q")), ("a", "u", bot("x")), ("b", "u", bot("y")), ("c", "a", user("z")))
    value["mapping"]["b"]["children"] = ["c", "c", "gone", None, 3]
    value["mapping"]["a"]["children"] = []
    value["mapping"]["u"]["children"] = ["b"]  # and the one that is not listed comes last
    assert shape(tree(value)) == [["q", [["y", []], ["x", [["z", []]]]]]]


def test_two_nodes_that_claim_the_same_id_both_come_in() -> None:
    value = chat(("u", None, user("q")), ("a", "u", bot("x", id="u")), ("b", "u", bot("y", id="u")))
    for node in value["mapping"].values():
        node["id"] = "u"
    assert shape(tree(value)) == [["q", [["x", []], ["y", []]]]]


def test_a_very_long_conversation_is_no_trouble() -> None:
    lines = [("n0", None, user("q"))] + [(f"n{i}", f"n{i - 1}", bot(f"{i}")) for i in range(1, 3_000)]
    found = read(chat(*lines))
    assert len(found.records) == 3_002
    thinking = [("n0", None, user("q"))]
    thinking += [(f"n{i}", f"n{i - 1}", message("tool", f"{i}", name="web")) for i in range(1, 3_000)]
    (_, answer, *_) = read(chat(*thinking)).records
    assert isinstance(answer, r.Message)
    assert len(answer.content) == 2_999


@pytest.mark.parametrize("missing", [None, [], {}, "mapping", 7])
def test_a_conversation_without_messages_is_skipped_by_name(missing: Any) -> None:
    found = chatgpt_export.read({**BRANCHED, "mapping": missing}, context())
    assert found == Skip(f"conversation {KEY} (“Deploy”)", "the export holds none of its messages")
    value = {name: given for name, given in BRANCHED.items() if name != "mapping"}
    assert chatgpt_export.recognizes(value)
    assert chatgpt_export.read(value, context()) == found


def test_a_conversation_of_nothing_that_is_shown_is_skipped() -> None:
    value = chat((ROOT, None, None), ("s", ROOT, message("system", "x")), title=None)
    assert chatgpt_export.read(value, context()) == Skip(
        f"conversation {KEY}", "there is nothing in it that ChatGPT shows"
    )
    for value in (None, [], "x", 5):
        assert isinstance(chatgpt_export.read(value, context()), Skip)


def test_only_chatgpts_conversations_are_recognized() -> None:
    assert chatgpt_export.recognizes(BRANCHED)
    assert chatgpt_export.recognizes({"title": None, "create_time": None})
    others: list[Any] = [
        *(None, [], "mapping", 5, {}, [BRANCHED]),
        {"uuid": "dcc2", "name": "x", "created_at": "…", "chat_messages": []},
        {"type": "user", "uuid": "1", "parentUuid": None, "message": {}},
        {"type": "thread", "id": "x", "format": 1},
        {"title": "x", "chat": {}},
    ]
    assert not any(map(chatgpt_export.recognizes, others))


def test_without_an_id_one_is_made_of_what_there_is() -> None:
    value = {**BRANCHED, "conversation_id": None, "id": 5}
    other = {**value, "title": "Another"}
    assert read(value).key == read(value).key != read(other).key
    assert read({**BRANCHED, "conversation_id": None}).key == KEY


def test_a_star_becomes_a_pin() -> None:
    assert tree(BRANCHED | {"is_starred": True}).pinned
    assert not tree(BRANCHED | {"is_starred": None}).pinned


def test_a_title_of_nothing_is_none() -> None:
    for title in (None, "", "  ", 5):
        assert not [x for x in read({**BRANCHED, "title": title}).records if isinstance(x, r.Title)]
    assert tree({**BRANCHED, "title": "half \ud83d of a face"}).title == "half � of a face"


def test_it_goes_on_with_the_model_of_a_new_chat_whoever_answered_there() -> None:
    for slug in (None, "auto", "", 5, "gpt-5-thinking"):
        assert read({**BRANCHED, "default_model_slug": slug}).settings == SETTINGS


# -- anything at all ------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])
JUNK = st.sampled_from([None, 5, "x", [], {}, [None], {"x": None}, True, float("nan"), "\ud800"])
ROLES = st.sampled_from(["user", "assistant", "assistant", "tool", "system", "critic", None])
TEXTS = st.sampled_from(["text", "text", "multimodal_text", None])
KINDS = st.sampled_from(
    (
        *("text", "code", "execution_output", "thoughts", "reasoning_recap", "new_kind", "user_editable_context"),
        *("tether_quote", "tether_browsing_display", "sonic_webpage", "system_error"),
    )
)
TOKEN = re.compile(r"token-\w-\d")
TIMES = st.one_of(st.none(), JUNK, st.floats(0, 100))


@st.composite
def contents(draw: st.DrawFn, name: str) -> Any:
    """A content that says the tokens of `name`, each in another place."""
    one, two, three, four = (f"token-{name}-{number}" for number in range(4))
    one = draw(st.sampled_from([one, f"é{one}\ud83d", f"{one} \ue200cite\ue202turn0\ue201"]))
    strange = draw(JUNK)
    shapes: list[Any] = [
        {"parts": [strange, one, {"content_type": "audio_transcription", "text": two}, {"odd": [three]}, [four]]},
        {"parts": [image("sediment://file_x1"), {"content_type": "text", "text": one}, {"text": two}, strange]},
        {"content_type": draw(KINDS), "text": one, "language": strange},
        {"content_type": draw(KINDS), "parts": [one, strange, {"odd": [three]}]},
        {"content_type": draw(KINDS), "parts": one},
        {"content_type": "thoughts", "thoughts": [strange, {"summary": one, "content": two}, {"odd": three}, four]},
        {"content_type": "thoughts", "thoughts": draw(st.sampled_from([one, {"odd": one}]))},
        {"content_type": "reasoning_recap", "content": one},
        {"content_type": "code", "text": one},
        one,
    ]
    content = draw(st.sampled_from([*shapes[:2], *shapes]))
    return {"content_type": draw(TEXTS)} | content if isinstance(content, dict) else content


@st.composite
def messages(draw: st.DrawFn, name: str) -> Any:
    """A message that says the tokens of `name`; or one of no content; or none."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JUNK)
    given = message(draw(ROLES), time=draw(TIMES))
    given["content"] = draw(st.one_of(contents(name), contents(name), contents(name), JUNK))
    given["recipient"] = draw(st.sampled_from(["all", "all", None, "python", 5]))
    given["status"] = draw(st.sampled_from(["finished_successfully", "in_progress", None]))
    hidden = draw(st.sampled_from([False, False, False, True]))
    given["metadata"] = draw(st.sampled_from([None, {"is_visually_hidden_from_conversation": hidden}]))
    if draw(st.integers(0, 4)) == 0:
        given[draw(st.sampled_from(["author", "metadata", "status", "end_turn", "recipient", "create_time"]))] = draw(
            JUNK
        )
    return given


@st.composite
def graphs(draw: st.DrawFn) -> Json:
    mapping: Json = {}
    for name in draw(st.lists(NAMES, unique=True, min_size=1)):
        mapping[name] = {
            "id": draw(NAMES),
            "parent": draw(st.one_of(NAMES, NAMES, NAMES, JUNK)),
            "children": draw(st.one_of(st.lists(st.one_of(NAMES, JUNK), max_size=4), JUNK)),
            "message": draw(messages(name)),
        }
        if draw(st.integers(0, 9)) == 0:
            mapping[name] = draw(JUNK)
    node = draw(st.one_of(NAMES, JUNK))
    return {"title": draw(JUNK), "conversation_id": KEY, "create_time": draw(TIMES), "current_node": node} | {
        "mapping": mapping
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.booleans())
def test_whatever_the_graph_every_word_comes_in_or_is_counted(value: Json, has_file: bool) -> None:
    files = {"file_x1": PNG} if has_file else {}
    found = chatgpt_export.read(value, context(**files))
    mapping = value["mapping"]
    said = {name: set(TOKEN.findall(json.dumps(node))) for name, node in mapping.items()}
    if isinstance(found, Skip):
        assert all(is_hidden(mapping[name]["message"]) for name, tokens in said.items() if tokens)
        return
    assert chatgpt_export.read(copy.deepcopy(value), context(**files)) == found
    thread = thread_of(found)
    kept = set(TOKEN.findall(b"".join(map(r.encode, found.records)).decode()))
    lost = [name for name, tokens in said.items() if tokens - kept]
    assert all(is_hidden(mapping[name]["message"]) for name in lost)
    counted = sum(int(s.what.split()[0]) for s in found.skipped if " message" in s.what)
    assert len(lost) <= counted <= len(mapping)

    ids = [record.id for record in found.records if isinstance(record, r.Message)]
    assert len(ids) == len(set(ids)) == len(thread.messages)
    for record in found.records:
        if isinstance(record, r.Message) and record.parent is not None:
            assert ids.index(record.parent) < ids.index(record.id)
            assert thread.messages[record.parent].at < record.at
    for name in (None, *ids):
        times = [thread.messages[i].at for i in thread.children(name)]
        assert times == sorted(set(times)), "no two siblings of one time"
    assert thread.leaf in thread.messages
    sendable(found)


def is_hidden(given: Json) -> bool:
    """Whether ChatGPT would not show this message."""
    author, metadata = given.get("author"), given.get("metadata")
    role = author.get("role") if isinstance(author, dict) else None
    kind = given["content"].get("content_type") if isinstance(given["content"], dict) else None
    unseen = isinstance(metadata, dict) and metadata.get("is_visually_hidden_from_conversation")
    return bool(role == "system" or kind == "user_editable_context" or unseen)


WORDS = st.sampled_from(
    (
        *("mapping", "message", "content", "parts", "author", "role", "metadata", "children", "parent", "name"),
        *("thoughts", "attachments", "asset_pointer", "finish_details", "user", "assistant", "text", "code", "id"),
        *("current_node", "title", "create_time", "frames_asset_pointers", "multimodal_text", "all", "content_type"),
    )
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING)
def test_no_value_is_too_strange(whole: Any, mapping: Any, given: Any) -> None:
    values = [whole, {"mapping": mapping}, {"mapping": {"a": given, "b": {"message": given, "parent": "a"}}}]
    values.append({"mapping": {"a": {"message": {"author": {"role": "user"}, "content": given, "metadata": mapping}}}})
    for value in values:
        assert chatgpt_export.recognizes(value) in (True, False)
        found = chatgpt_export.read(value, context())
        if isinstance(found, Incoming):
            thread_of(found)


def test_what_is_nested_without_end_is_cut_and_named() -> None:
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    found = read(answered(bot(content={"content_type": "odd", "deep": deep})))
    assert thread_of(found).leaf
    assert Skip("1 part of “Deploy”", "nested too deeply to be kept") in found.skipped
