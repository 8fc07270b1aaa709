"""Claude.ai's export -> a thread: whole conversations, their links and their order, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.exchange import claude_export
from convend_tui.exchange.incoming import TOOL, Incoming, Skip
from convend_tui.thread import records as r
from tests.making import MODEL, SETTINGS, text
from tests.unit.exports import (
    GARBAGE,
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
from tests.unit.exports.claude import (
    NIL,
    ROOT,
    UNSET,
    Json,
    bring_in,
    chat,
    end,
    model,
    person,
    result,
    use,
    words,
)

# A whole conversation


def test_a_bulk_export_comes_in_with_its_branches() -> None:
    thinking = {"type": "thinking", "thinking": "Two verbs.", "summaries": [{"summary": "…"}], "cut_off": False}
    found = bring_in(
        chat(
            person("h1", ROOT, 1, "handle vs tackle?"),
            model("a1", "h1", 2, thinking, use("t1", path="/x"), result("t1"), "Handle is calm."),
            person("h2", ROOT, 5, "(edited)"),
            model("a2", "h2", 6),
            model("a3", "h2", 7),
        )
    )
    assert tree(found) == {"h1": {"a1": {}}, "h2": {"a2": {}, "a3": {}}}
    assert path(found) == ["h2", "a3"]
    thread = thread_of(found)
    assert (thread.title, thread.given_title) == ("Verbs by depth", "Verbs by depth")
    assert (found.source, found.key, found.created) == ("claude.ai", "dcc23c56-0001", "2026-03-23T03:00:00.886Z")
    answer = of_key(found, "a1")
    assert answer.at == "2026-03-23T03:00:02.886Z"
    assert answer.content == [
        {"type": "thinking", "thinking": "Two verbs."},
        {"type": TOOL, "name": "view", "block": use("t1", path="/x")},
        {"type": TOOL, "name": "view", "block": result("t1")},
        text("Handle is calm."),
    ]
    assert (answer.role, answer.kind, answer.stop_reason, answer.model) == ("assistant", "reply", "end_turn", None)
    question = of_key(found, "h1")
    assert (question.role, question.kind, question.stop_reason) == ("user", "typed", None)
    assert question.origin == {"app": "claude.ai", "id": "h1"}
    assert found.settings == SETTINGS
    assert list(objections(found)) == []


def test_the_single_form_names_the_model_and_where_the_person_is() -> None:
    one = chat(
        person("h1", ROOT, 1, index=0, input_mode="text"),
        model("a1", "h1", 2, stop_reason="stop_sequence", index=1, truncated=False),
        model("a2", "h1", 3, stop_reason="user_canceled", index=2),
        model="claude-opus-4-1-20250805",
        current_leaf_message_uuid="a1",
        is_starred=False,
        settings={"paprika_mode": "extended"},
    )
    found = bring_in(one)
    assert path(found) == ["h1", "a1"]
    assert found.settings.model == "claude-opus-4-1-20250805"
    assert found.settings.server == SETTINGS.server
    assert [m.model for m in messages(found)] == [None, *["claude-opus-4-1-20250805"] * 2]
    assert [(m.kind, m.stop_reason) for m in messages(found)][1:] == [
        ("reply", "stop_sequence"),
        ("partial", "user_canceled"),
    ]
    assert list(objections(found)) == []


def test_a_star_becomes_a_pin_and_a_summary_is_told_to_be_lost() -> None:
    found = bring_in(chat(person("h1", ROOT, 1), is_starred=True, summary="Of verbs."))
    assert thread_of(found).pinned
    assert skipped(found) == [("summary of “Verbs by depth”", "summaries that Claude.ai makes are not kept")]
    for other in (False, None, "yes", 1):
        assert not thread_of(bring_in(chat(person("h1", ROOT, 1), is_starred=other))).pinned


def test_the_same_conversation_makes_the_same_thread() -> None:
    one = chat(person("h1", ROOT, 1), model("a1", "h1", 2))
    assert bring_in(one) == bring_in(one)
    other = bring_in(one | {"uuid": "dcc23c56-0002"})
    assert other.thread_id != bring_in(one).thread_id
    assert not {m.id for m in messages(other)} & {m.id for m in messages(bring_in(one))}


def test_a_conversation_that_grew_keeps_its_messages() -> None:
    given = [person("h1", ROOT, 1), model("a1", "h1", 2), person("h2", "a1", 3), model("a2", "h2", 4)]
    early, late = bring_in(chat(*given[:2])), bring_in(chat(*given))
    assert early.thread_id == late.thread_id
    assert messages(late)[:2] == messages(early)


def test_without_an_id_the_content_stands_for_it() -> None:
    one = chat(person("h1", ROOT, 1, "a"), uuid=None)
    assert bring_in(one).thread_id == bring_in(one).thread_id
    assert bring_in(one).thread_id != bring_in(chat(person("h1", ROOT, 1, "b"), uuid=None)).thread_id


def test_a_share_snapshot_comes_in_under_its_own_name() -> None:
    one = chat(person("h1", ROOT, 1), name=None, snapshot_name="Shared", uuid=None, conversation_uuid="dcc2")
    found = bring_in(one)
    assert (found.key, thread_of(found).title) == ("dcc2", "Shared")


@pytest.mark.parametrize("name", [None, "", "  \n", 7])
def test_without_a_name_the_first_words_are_the_title(name: Any) -> None:
    found = bring_in(chat(person("h1", ROOT, 1, "What is up?"), name=name))
    assert not [record for record in found.records if isinstance(record, r.Title)]
    assert thread_of(found).title == "What is up?"


# Links


@pytest.mark.parametrize("parent", [UNSET, None])
def test_older_exports_without_parents_are_one_branch(parent: Any) -> None:
    found = bring_in(chat(person("h1", parent, 5), model("a1", parent, 2), person("h2", parent, 1)))
    assert tree(found) == {"h1": {"a1": {"h2": {}}}}
    assert path(found) == ["h1", "a1", "h2"]
    assert list(objections(found)) == []


@pytest.mark.parametrize("root", [ROOT, NIL, None])
def test_roots(root: str | None) -> None:
    found = bring_in(chat(person("h1", root, 1), model("a1", "h1", 2), person("h2", root, 3), model("a2", "h2", 4)))
    assert tree(found) == {"h1": {"a1": {}}, "h2": {"a2": {}}}


def test_messages_older_than_the_links_follow_the_one_before() -> None:
    found = bring_in(chat(person("h1", UNSET, 1), model("a1", UNSET, 2), person("h2", "a1", 3)))
    assert tree(found) == {"h1": {"a1": {"h2": {}}}}


def test_a_missing_parent_makes_a_root_and_is_named() -> None:
    found = bring_in(chat(person("h1", ROOT, 1), model("a1", "gone", 2), person("h2", "a1", 3)))
    assert tree(found) == {"h1": {}, "a1": {"h2": {}}}
    assert [what for what, _ in skipped(found)] == ["link of “Verbs by depth”"]
    assert list(objections(found)) == []


def test_circles_are_cut_where_they_begin() -> None:
    found = bring_in(
        chat(
            person("x", "a1", 1),
            person("h1", "a1", 2),
            model("a1", "h1", 3),
            person("self", "self", 4),
            model("a2", "self", 5),
        )
    )
    assert tree(found) == {"h1": {"a1": {"x": {}}}, "self": {"a2": {}}}
    assert skipped(found) == [("2 links of “Verbs by depth”", "it was part of a circle, which was cut there")]


def test_a_parent_may_stand_after_its_children() -> None:
    found = bring_in(chat(model("a1", "h1", 2), person("h1", ROOT, 1)))
    assert tree(found) == {"h1": {"a1": {}}}


def test_the_same_message_twice_comes_in_once_and_another_of_its_id_too() -> None:
    first = person("h1", ROOT, 1, "a")
    found = bring_in(chat(first, first, person("h1", ROOT, 2, "b"), model("a1", "h1", 3)))
    assert tree(found) == {"h1": {"a1": {}}, "h1#2": {}}
    assert skipped(found) == [("message of “Verbs by depth”", "it stands there more than once")]


def test_messages_without_an_id_come_in() -> None:
    found = bring_in(chat(person(UNSET, UNSET, 1), model(None, UNSET, 2), person(7, UNSET, 3)))  # type: ignore[arg-type]
    assert tree(found) == {"#0": {"#1": {"#2": {}}}}


# Order


@pytest.mark.parametrize("times", [[1, 1, 1], [None, None, None], ["?", 3.5, "9999-12-31T23:59:59.9999-23:00"]])
def test_siblings_without_times_of_their_own_stay_in_order(times: list[Any]) -> None:
    answers = [model(f"a{number}", "h1", at) for number, at in enumerate(times)]
    found = bring_in(chat(person("h1", ROOT, 1), *answers))
    assert list(tree(found)["h1"]) == ["a0", "a1", "a2"]
    assert path(found) == ["h1", "a2"]


def test_siblings_are_in_the_order_of_their_times() -> None:
    answers = [model("late", "h1", 9), model("early", "h1", 2), model("between", "h1", 5)]
    found = bring_in(chat(person("h1", ROOT, 1), *answers))
    assert list(tree(found)["h1"]) == ["early", "between", "late"]
    assert path(found) == ["h1", "late"]


def test_a_sibling_without_a_time_stays_behind_the_one_before_it() -> None:
    answers = [model("a", "h1", 5), model("b", "h1", None), model("c", "h1", 9)]
    found = bring_in(chat(person("h1", ROOT, 1), *answers))
    assert list(tree(found)["h1"]) == ["a", "b", "c"]
    assert of_key(found, "b").at == "2026-03-23T03:00:05.887Z"


def test_an_answer_may_be_older_than_its_question() -> None:
    found = bring_in(chat(person("h1", ROOT, 9), model("a1", "h1", 8)))
    assert of_key(found, "a1").at < of_key(found, "h1").at
    assert path(found) == ["h1", "a1"]


def test_times_come_in_any_zone_and_go_to_utc() -> None:
    found = bring_in(chat(person("h1", ROOT, "2026-03-23T05:44:28.917458+02:00"), created_at="nonsense"))
    assert of_key(found, "h1").at == found.created == "2026-03-23T03:44:28.917Z"


def test_without_any_time_there_is_an_order_all_the_same() -> None:
    found = bring_in(chat(person("h1", ROOT, None), model("a1", "h1", None), created_at=None))
    assert found.created == "1970-01-01T00:00:00.000Z"
    assert path(found) == ["h1", "a1"]


# What is none


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"conversations_memory": "…", "account_uuid": "c1a9"}, "memories"),
        ({"uuid": "d", "name": "Logo", "project": {}, "messages": []}, "a design chat “Logo”"),
        ({"uuid": "p", "name": "Thesis", "prompt_template": "", "docs": []}, "a project “Thesis”"),
    ],
)
def test_what_else_is_in_the_export_is_declined_by_name(value: Json, what: str) -> None:
    assert claude_export.recognizes(value)
    found = claude_export.read(value, no_files())
    assert isinstance(found, Skip) and found.what == what


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"mapping": {}}, {"type": "user", "uuid": "u"}])
def test_what_is_of_another_kind_is_not_recognized(value: Any) -> None:
    assert not claude_export.recognizes(value)
    assert isinstance(claude_export.read(value, no_files()), Skip)


def test_a_conversation_without_messages_is_named() -> None:
    assert claude_export.read(chat(), no_files()) == Skip("“Verbs by depth”", "it holds no messages")
    nothing = claude_export.read(chat(None, person("h", ROOT, 1, content=[]), name=""), no_files())
    assert nothing == Skip("conversation dcc23c56-0001", "none of its 2 messages holds anything that can be read")


def test_what_no_file_can_hold_is_made_so_that_it_can() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    bad = use("t\ud800", "ed\x1b[31mit", deep=deep, big=2**70, infinite=float("inf"), half="\udfff")
    found = bring_in(chat(person("h\ud800", ROOT, 1, "a\ud83d"), model("a1", "h\ud800", 2, bad), name="T\ud800\x1b[2J"))
    assert tree(found) == {"h?": {"a1": {}}}
    [block] = of_key(found, "a1").content
    assert block["block"]["input"]["infinite"] is None
    assert "\x1b" not in block["name"] + thread_of(found).title


# Anything at all


@st.composite
def trees(draw: st.DrawFn) -> list[Json]:
    """Messages whose parents may be anything: before, after, missing, themselves."""
    size = draw(st.integers(1, 12))
    parents = st.sampled_from([ROOT, None, "gone", *(f"m{number}" for number in range(size))])
    times = st.none() | st.integers(0, 5) | st.just("broken")
    made: list[Json] = []
    for number in range(size):
        say = draw(st.sampled_from([person, model]))
        content = draw(
            st.sampled_from([["words"], [end(), "words"], [use("t1")], [{"type": "thinking", "thinking": "hm"}]])
        )
        made.append(say(f"m{number}", draw(parents), draw(times), *content))
    return made


@settings(max_examples=60)
@given(trees())
def test_every_message_comes_in_whatever_its_parent(given: list[Json]) -> None:
    found = bring_in(chat(*given))
    assert sorted(m.origin["id"] for m in messages(found) if m.origin) == sorted(one["uuid"] for one in given)
    by_key = {m.origin["id"]: m for m in messages(found) if m.origin}
    for one in given:
        kept = by_key[one["uuid"]]
        if one["parent_message_uuid"] in by_key and kept.parent is not None:
            assert kept.parent == by_key[one["parent_message_uuid"]].id
    assert list(objections(found)) == []


@given(st.permutations([0, 1, 2, 3]), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_siblings_are_ordered_by_time_and_then_as_they_stand(order: list[int], times: list[int]) -> None:
    answers = [model(f"a{number}", "h1", times[number]) for number in order]
    found = bring_in(chat(person("h1", ROOT, 0), *answers))
    assert list(tree(found)["h1"]) == [f"a{n}" for n in sorted(order, key=lambda n: (times[n], order.index(n)))]


FIELDS = (
    "uuid sender text content created_at updated_at parent_message_uuid attachments files files_v2 stop_reason model "
    "compaction_summary"
)
IN_BLOCKS = [
    "type",
    "text",
    "thinking",
    "name",
    "id",
    "input",
    "content",
    "tool_use_id",
    "is_error",
    "citations",
    "source",
]
BLOCK = st.dictionaries(st.sampled_from([*IN_BLOCKS, "summaries"]), GARBAGE) | st.sampled_from(
    [end(), use("t1"), result("t1"), words("hm")]
)
HALF_RIGHT = st.lists(
    st.fixed_dictionaries(
        {"uuid": st.sampled_from(["a", "b", None]), "sender": st.sampled_from(["human", "assistant", None])},
        optional={
            "content": st.lists(BLOCK, max_size=3) | GARBAGE,
            "parent_message_uuid": st.sampled_from(["a", "b", ROOT]),
        },
    )
    | st.dictionaries(st.sampled_from(FIELDS.split()), GARBAGE),
    max_size=5,
)


@settings(max_examples=60)
@given(
    GARBAGE
    | st.builds(
        lambda given, more: {"chat_messages": given} | more,
        HALF_RIGHT,
        st.dictionaries(st.sampled_from(["uuid", "name", "created_at", "model", "current_leaf_message_uuid"]), GARBAGE),
    )
)
def test_whatever_is_in_it_something_comes_back(value: Any) -> None:
    claude_export.recognizes(value)
    found = claude_export.read(value, no_files())
    if isinstance(found, Incoming):
        came_in(found)
        assert list(objections(found, model=MODEL)) == []
    else:
        assert isinstance(found, Skip) and found.what and found.why
