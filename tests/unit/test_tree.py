"""The tree: what it says depends on the set of records alone."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import Unreadable
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, header, text


def message(name: str, parent: str | None, when: int = 1, words: str | None = None, **more: Any) -> r.Message:
    given: dict[str, Any] = {"role": "user", "kind": "typed"} | more
    return r.Message(at=at(when), id=name, parent=parent, content=[text(words or name)], **given)


def thread_of(*records: r.AnyRecord | r.Unknown) -> Thread:
    return Thread(header(), records)


def says(thread: Thread) -> dict[str, Any]:
    """All that a thread has to say."""
    ids = sorted(thread.messages)
    return {
        "messages": {i: thread.messages[i] for i in ids},
        "roots": thread.roots,
        "leaves": thread.leaves(),
        "leaf": thread.leaf,
        "paths": {i: [m.id for m in thread.path(i)] for i in ids},
        "siblings": {i: thread.siblings(i) for i in ids},
        "last": {i: thread.last_leaf(i) for i in ids},
        "below": {i: thread.count_below(i) for i in ids},
        "hidden": [i for i in ids if thread.hidden(i)],
        "locked": {i: lock.ending_at(thread, i) for i in ids},
        "settings": thread.settings,
        "settings_at": thread.settings_at,
        "made": {i: thread.settings_of(thread.messages[i]) for i in ids},
        "title": thread.title,
        "pinned": thread.pinned,
        "ended": thread.ended,
        "verdicts": thread.verdicts,
        "labels": thread.labels,
        "feedback": thread.feedback,
        "updated": thread.updated,
        "problems": sorted(thread.problems),
    }


def on_one_path(thread: Thread) -> None:
    """Every message is reached from the roots exactly once, and its own way up ends at a root."""
    seen: list[str] = []
    todo = list(thread.roots)
    while todo:
        node = todo.pop()
        seen.append(node)
        assert len(seen) <= len(thread.messages)
        for child in thread.children(node):
            assert thread.parent(child) == node
            todo.append(child)
    assert sorted(seen) == sorted(thread.messages)
    for name in thread.messages:
        path = [m.id for m in thread.path(name)]
        assert path[0] in thread.roots
        assert path[-1] == name
        assert len(set(path)) == len(path)
        assert name in thread.siblings(name)


# Single rules


def test_children_siblings_and_paths() -> None:
    thread = thread_of(message("a", None), message("c", "a", 3), message("b", "a", 2), message("d", "b", 4))
    assert thread.children("a") == ["b", "c"]
    assert thread.siblings("c") == ["b", "c"]
    assert [m.id for m in thread.path("d")] == ["a", "b", "d"]
    assert thread.path(None) == []
    assert thread.leaves() == ["c", "d"]
    assert thread.leaf == "d"
    assert thread.count_below("a") == 4
    on_one_path(thread)


def test_an_empty_thread() -> None:
    thread = thread_of()
    assert (thread.leaf, thread.roots, thread.leaves(), thread.title) == (None, [], [], "Untitled")
    assert thread.settings == SETTINGS


def test_a_missing_parent_makes_a_root_until_it_comes() -> None:
    thread = thread_of(message("b", "a", 2), message("c", "b", 3))
    assert thread.roots == ["b"]
    on_one_path(thread)
    thread.apply(message("a", None))
    assert thread.roots == ["a"]
    on_one_path(thread)


@pytest.mark.parametrize(
    "links",
    [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "a", "d": "b"}, {"a": "a", "b": "b", "c": "a"}],
)
def test_a_circle_of_parents_is_cut_at_its_oldest_message(links: dict[str, str]) -> None:
    records = [message(name, parent, number) for number, (name, parent) in enumerate(links.items(), 1)]
    thread = thread_of(*records)
    on_one_path(thread)
    assert "a" in thread.roots
    assert any("run in a circle" in problem for problem in thread.problems)
    for _ in range(6):
        random.shuffle(records)
        assert says(thread_of(*records)) == says(thread)


def test_two_messages_of_one_id_are_reported_and_one_of_them_holds() -> None:
    versions = [
        message("b", "a", 2),
        message("b", "x", 5, "forged"),
        message("b", "b", 3, "circular"),
        message("a", "b", 1),
        message("a", None, 4, "late"),
    ]
    expected = says(thread_of(*versions))
    assert len([p for p in expected["problems"] if "two different" in p]) == 2
    for seed in range(30):
        random.Random(seed).shuffle(versions)
        thread = thread_of(*versions)
        on_one_path(thread)
        assert says(thread) == expected


def test_the_newest_of_competing_records_holds_whatever_their_order() -> None:
    records = [
        message("a", None),
        r.Title(at=at(5), title="new"),
        r.Title(at=at(4), title="old"),
        r.Label(at=at(5), message="a", label="new"),
        r.Label(at=at(4), message="a", label="old"),
        r.Hide(at=at(6), message="a"),
        r.Restore(at=at(7), message="a"),
        r.as_change(r.Settings(model="second"), at(9)),
        r.as_change(r.Settings(model="first"), at(8)),
    ]
    for turned in (records, records[::-1]):
        thread = thread_of(*turned)
        assert (thread.title, thread.labels["a"].label, thread.settings.model) == ("new", "new", "second")
        assert not thread.hidden("a")


def test_settings_change_but_not_what_tools_and_system_are_made_of() -> None:
    first = r.Settings(model="m", system="Be brief.", ending=True, tool_version=1)
    forged = r.Settings(model="n", server="s", system="Other.", ending=False, tool_version=9, effort="high")
    thread = Thread(header(first), [r.as_change(forged, at(5))])
    assert thread.settings == r.Settings(model="n", server="s", system="Be brief.", effort="high")


def test_the_place_is_where_the_person_last_went_or_the_last_message_came() -> None:
    thread = thread_of(message("a", None, 1), message("b", "a", 2), message("c", "a", 3))
    thread.apply(r.Leaf(at=at(4), message="b"))
    assert (thread.leaf, thread.last_leaf("a")) == ("b", "b")
    thread.apply(message("d", "c", 5))
    assert (thread.leaf, thread.last_leaf("a")) == ("d", "d")
    thread.apply(r.Leaf(at=at(9), message="gone"))
    assert thread.leaf == "d"


def test_the_title_is_the_persons_or_the_first_words() -> None:
    thread = thread_of(message("a", None, 1, "  Many \n words  "))
    assert thread.title == "Many words"
    thread.apply(r.Title(at=at(2), title="Named"))
    assert thread.title == "Named"
    thread.apply(r.Title(at=at(3), title=" "))
    assert thread.title == "Many words"
    assert len(thread_of(message("a", None, 1, "x" * 1000)).title) == 80


def test_a_copy_with_more_records_leaves_the_thread_as_it_is() -> None:
    thread = thread_of(*Branch().typed("a").reply("b").path, r.Feedback(at=at(5), message="m0001", thumb="up"))
    before = says(thread)
    more = [
        message("x", "m0001", 9),
        message("y", "y", 9),
        r.Ended(at=at(9), message="m0002", cause="persistent_abuse", explanation="x"),
        r.Feedback(at=at(9), message="m0001", thumb="down"),
        r.as_change(r.Settings(model="n"), at(9)),
        r.Hide(at=at(9), message="m0002"),
        r.Leaf(at=at(10), message="m0001"),
        r.Title(at=at(9), title="other"),
        r.Label(at=at(9), message="m0001", label="l"),
    ]
    other = thread.with_records(more)
    assert says(thread) == before
    for record in more:
        thread.apply(record)
    assert says(thread) == says(other) != before


@pytest.mark.parametrize("order", ["forth", "back", "shuffled"])
def test_a_chain_of_20000_is_no_trouble(order: str) -> None:
    chain = [message(f"m{i}", f"m{i - 1}" if i else None, i) for i in range(20_000)]
    ending = r.Ended(at=at(20_001), message="m19999", cause="persistent_abuse", explanation="x")
    records: list[r.AnyRecord] = [*chain, ending]
    if order == "back":
        records.reverse()
    elif order == "shuffled":
        random.Random(1).shuffle(records)
    thread = thread_of(*records)
    assert thread.roots == ["m0"]
    assert len(thread.path("m19999")) == 20_000
    assert thread.last_leaf("m0") == "m19999"
    assert thread.count_below("m0") == 20_000
    assert lock.may_send(thread, "m19999") is not None
    assert lock.may_edit(thread, "m19999") is None
    assert thread.leaves() == ["m19999"]
    # The same chain bitten into its own tail.
    thread.apply(message("m0", "m19999", 0))
    assert [len(thread.path(i)) for i in thread.roots] == [1]


# Any records, in any order

NAMES = st.sampled_from("abcdefgh")
WHEN = st.integers(1, 12)
MESSAGES = st.builds(
    lambda name, parent, when, kind, words: message(
        name, parent, when, words, role="user" if kind in ("typed", "guard") else "assistant", kind=kind
    ),
    NAMES,
    st.one_of(st.none(), NAMES, st.just("missing")),
    WHEN,
    st.sampled_from(["typed", "typed", "reply", "guard", "partial"]),
    st.sampled_from(["x", "y"]),
)
RECORDS = st.one_of(
    MESSAGES,
    MESSAGES,
    MESSAGES,
    st.builds(lambda n, w: r.Ended(at=at(w), message=n, cause="persistent_abuse", explanation=""), NAMES, WHEN),
    st.builds(lambda n, w, o: r.Verdict(at=at(w), message=n, outcome=o), NAMES, WHEN, st.sampled_from(["a", "b"])),
    st.builds(lambda n, w: r.Leaf(at=at(w), message=n), NAMES, WHEN),
    st.builds(lambda n, w: r.Hide(at=at(w), message=n), NAMES, WHEN),
    st.builds(lambda n, w: r.Restore(at=at(w), message=n), NAMES, WHEN),
    st.builds(lambda n, w, t: r.Label(at=at(w), message=n, label=t), NAMES, WHEN, st.sampled_from(["l", "k"])),
    st.builds(lambda n, w, t: r.Feedback(at=at(w), message=n, thumb=t), NAMES, WHEN, st.sampled_from(["up", "down"])),
    st.builds(
        lambda w, t, by: r.Title(at=at(w), title=t, by=by),
        WHEN,
        st.sampled_from(["t", "u", " "]),
        st.sampled_from(["person", "model"]),
    ),
    st.builds(lambda w, pinned: r.Pin(at=at(w), pinned=pinned), WHEN, st.booleans()),
    st.builds(lambda w, m: r.as_change(r.Settings(model=m), at(w)), WHEN, st.sampled_from(["m", "n"])),
    st.builds(lambda t: r.Unknown(type=t), st.sampled_from(["future", "x"])),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(RECORDS, max_size=16), st.randoms(use_true_random=False))
def test_order_and_repetition_of_records_play_no_part(
    records: list[r.AnyRecord | r.Unknown], chance: random.Random
) -> None:
    thread = thread_of(*records)
    on_one_path(thread)
    mixed = [*records, *(chance.choice(records) for _ in range(4) if records)]
    chance.shuffle(mixed)
    again = Thread(header())
    for number, record in enumerate(mixed):
        again.apply(record)
        if number % 5 == 0:
            says(again)  # looking in between must leave no traces
    on_one_path(again)
    assert says(again) == says(thread)


@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=16), st.lists(st.sampled_from(["left", "right", "both"]), min_size=16, max_size=16))
def test_the_union_of_two_copies_is_the_thread(records: list[r.AnyRecord | r.Unknown], where: list[str]) -> None:
    left = [record for record, side in zip(records, where, strict=False) if side != "right"]
    right = [record for record, side in zip(records, where, strict=False) if side != "left"]
    whole = says(thread_of(*records))
    assert says(thread_of(*left).with_records(right)) == whole
    assert says(thread_of(*right, *left)) == whole


# Lines


@settings(max_examples=100, deadline=None)
@given(RECORDS)
def test_a_record_is_its_line(record: r.AnyRecord | r.Unknown) -> None:
    if not isinstance(record, r.Unknown):
        line = r.encode(record)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert r.decode(line) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"text"',
        b"{}",
        b'{"type":1}',
        b'{"type":"message"}',
        b'{"type":"message","at":5,"id":"tor',
        b'{"type":"future","x":[1,2',
        b'{"type":"title","at":"x","title":"\xff"}',
        b'{"type":"future","x":"\xff"}',
        b'{"type":"message","at":"x","id":"a","parent":null,"role":"system","content":[],"kind":"typed"}',
        b"[" * 100_000,
        b'{"type":"future","x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_record_is_called_so(line: bytes) -> None:
    with pytest.raises(Unreadable):
        r.decode(line)


def test_records_and_fields_of_later_versions_are_skipped() -> None:
    assert r.decode(b'{"type":"future","at":"x","more":[1]}') == r.Unknown(type="future")
    line = b'{"type":"title","at":"x","title":"t","colour":{"deep":[1]}}'
    assert r.decode(line) == r.Title(at="x", title="t")


def test_a_persons_own_title_is_never_replaced_by_another_kind() -> None:
    thread = thread_of(message("a", None), r.Title(at=at(2), title="Mine"))
    thread.apply(r.Title(at=at(9), title="By a model", by="model"))
    assert thread.title == thread.given_title == "Mine"
    thread.apply(r.Title(at=at(10), title="Mine again"))
    assert thread.title == "Mine again"
    thread.apply(r.Title(at=at(11), title=""))
    assert thread.title == "By a model"
    thread.apply(r.Title(at=at(12), title=" ", by="model"))
    assert thread.title == "a"
    assert thread.given_title is None


def test_a_thread_is_pinned_by_the_newest_record() -> None:
    thread = thread_of(message("a", None))
    assert not thread.pinned
    thread.apply(r.Pin(at=at(5), pinned=True))
    assert thread.pinned
    thread.apply(r.Pin(at=at(4), pinned=False))
    assert thread.pinned
    thread.apply(r.Pin(at=at(6), pinned=False))
    assert not thread.pinned
    assert r.decode(b'{"type":"pin","at":"x","pinned":true}') == r.Pin(at="x", pinned=True)
    with pytest.raises(Unreadable):
        r.decode(b'{"type":"pin","at":"x","pinned":"yes"}')
