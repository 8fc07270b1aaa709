"""Hiding and restoring: what goes out of sight, what the counts say, and where one then stands."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.thread import lock, prune
from convend_tui.thread import records as r
from convend_tui.thread.answers import answer_end, answer_of
from convend_tui.thread.tree import Thread
from tests.making import Branch, at, call, header, result
from tests.unit.test_tree import NAMES, RECORDS, WHEN, message


def tree() -> Thread:
    r"""a has the answers b (below it c, d) and e (below it f, and beside that g)."""
    links = {"a": None, "b": "a", "c": "b", "d": "c", "e": "a", "f": "e", "g": "e"}
    return Thread(header(), [message(name, parent, when) for when, (name, parent) in enumerate(links.items(), 1)])


def hidden(thread: Thread, *targets: str, when: int = 20) -> Thread:
    return thread.with_records(prune.hide_records(targets, at(when)))


def restored(thread: Thread, *targets: str, when: int = 30) -> Thread:
    return thread.with_records(prune.restore_records(targets, at(when)))


def in_sight(thread: Thread) -> set[str]:
    return {i for i in thread.messages if not thread.hidden(i)}


def test_a_hidden_subtree_is_left_out_of_flipping_counts_and_of_where_one_is() -> None:
    thread = tree()
    assert thread.leaf == "g"
    pruning = prune.subtree(thread, "e")
    assert (pruning.targets, pruning.messages, pruning.branches) == (("e",), 3, 2)
    assert pruning.words == "3 messages on 2 branches"
    after = hidden(thread, "e")
    assert in_sight(after) == {"a", "b", "c", "d"}
    assert (after.leaf, after.last_leaf("a")) == ("d", "d")
    assert after.shown_children("a") == after.shown_siblings("b") == ["b"]
    assert after.children("a") == after.siblings("b") == ["b", "e"]
    assert after.count_below("a") == 4
    assert after.count_below("e") == 3
    back = restored(after, "e")
    assert (back.leaf, back.count_below("a"), in_sight(back)) == ("g", 7, set(back.messages))


def test_everything_but_the_path_is_one_act_and_is_undone_as_one() -> None:
    thread = hidden(tree(), "g")
    pruning = prune.all_but(thread, "d")
    assert (pruning.targets, pruning.messages, pruning.branches) == (("e",), 2, 1)
    pruning = prune.all_but(tree(), "b")
    assert set(pruning.targets) == {"e", "c"}
    after = hidden(thread, "c", "e", when=25)
    assert in_sight(after) == {"a", "b"}
    assert after.leaf == "b"
    assert set(prune.last_act(after)) == {"c", "e"}
    # g was hidden by itself before, and stays so.
    assert prune.coming_back(after, ["c", "e"]).words == "4 messages on 2 branches"
    back = restored(after, "c", "e")
    assert prune.last_act(back) == ["g"]
    assert in_sight(back) == set("abcdef")
    assert prune.last_act(restored(back, "g", when=31)) == []


def test_whoever_went_to_a_hidden_branch_since_stands_there() -> None:
    thread = hidden(tree(), "e")
    there = thread.with_records([r.Leaf(at=at(21), message="f")])
    assert there.leaf == "f"
    assert there.shown_siblings("e") == ["b", "e"]
    again = hidden(there, "f", when=22)
    assert again.leaf == "g", "within a hidden branch one stays in it"
    assert there.in_sight("f") == "d"


def test_what_is_pruned_below_a_message_leaves_it_a_leaf() -> None:
    thread = hidden(tree(), "c")
    assert thread.last_leaf("b") == "b"
    assert prune.subtree(thread, "b").words == "1 message on 1 branch"


def test_the_last_path_in_sight_stays() -> None:
    thread = tree()
    assert "last path in sight" in str(prune.may_hide(thread, ["a"]))
    two = thread.with_records([message("x", None, 9)])
    assert prune.may_hide(two, ["a"]) is None
    after = hidden(two, "a")
    assert after.leaf == "x"
    assert "last path in sight" in str(prune.may_hide(after, ["x"]))
    assert "hidden already" in str(prune.may_hide(after, ["b"]))
    assert "not in the thread's file" in str(prune.may_hide(after, ["gone"]))
    assert "no other branch" in str(prune.may_hide(after, prune.all_but(after, "x").targets))
    # Two copies may each hide another: the union has nothing to show, and shows where one was.
    assert hidden(after, "x").leaf == "x"


def test_restoring_names_every_mark_above() -> None:
    thread = hidden(hidden(tree(), "c"), "b", when=21)
    assert prune.hiding(thread, "d") == ["c", "b"]
    assert prune.hiding(thread, "a") == []
    assert prune.coming_back(thread, ["c", "b"]).words == "3 messages on 1 branch"
    assert prune.coming_back(thread, ["b"]).words == "1 message on 1 branch"


def answered_in_parts() -> Branch:
    """A question answered by a call, its result, and another call."""
    ending = call("2", explanation="x")
    return Branch().typed("q").reply("Let me end this.", call()).guard(result()).reply("I end it.", ending)


def test_an_answer_of_several_parts_goes_as_a_whole() -> None:
    branch = answered_in_parts().typed("on")
    thread = branch.thread()
    assert [answer_of(thread, i) for i in ("m0002", "m0003", "m0004")] == ["m0002"] * 3
    assert answer_of(thread, "m0005") == "m0005"
    assert prune.subtree(thread, "m0004").words == "3 messages on 1 branch"
    assert answer_end(thread, "m0002") == "m0004"
    assert answer_end(thread, "m0001") == "m0001"


def test_a_question_below_a_guard_is_no_part_of_the_answer() -> None:
    thread = Branch().typed("q").reply(call()).guard(result()).typed("on").thread()
    assert answer_of(thread, "m0004") == "m0004"
    assert answer_end(thread, "m0002") == "m0003"


def test_a_lock_is_a_lock_hidden_or_not() -> None:
    branch = answered_in_parts()
    ending = r.Ended(at=at(9), message="m0004", cause="persistent_abuse", explanation="x")
    thread = branch.thread(r.Settings(model="m"), ending)
    pruning = prune.subtree(thread, "m0004")
    assert pruning.ended == 1
    after = hidden(thread, *pruning.targets)
    assert after.leaf == "m0001"
    for either in (thread, after):
        assert all(lock.ending_at(either, i) == ending for i in ("m0002", "m0003", "m0004"))
        assert lock.may_retry(either, "m0001") is not None
        assert lock.may_send(either, "m0003") is not None


@pytest.mark.parametrize("order", ["forth", "back"])
def test_ten_thousand_messages_below_are_no_trouble(order: str) -> None:
    chain = [message(f"m{i}", f"m{i - 1}" if i else None, i) for i in range(10_000)]
    other = message("x", "m0", 20_000)
    thread = Thread(header(), [*(chain if order == "forth" else chain[::-1]), other])
    assert prune.subtree(thread, "m1").words == "9,999 messages on 1 branch"
    assert prune.all_but(thread, "m9999").targets == ("x",)
    after = hidden(thread, "m5000", when=25_000)
    assert after.in_sight("m9999") == "m4999"


# Any tree

THREADS = st.lists(RECORDS, max_size=16).map(lambda records: Thread(header(), records))


@settings(max_examples=200, deadline=None)
@given(THREADS, NAMES, st.booleans())
def test_the_counts_are_what_goes_and_what_comes_back(thread: Thread, name: str, others: bool) -> None:
    if name not in thread.messages:
        return
    pruning = prune.all_but(thread, name) if others else prune.subtree(thread, name)
    if prune.may_hide(thread, pruning.targets) is not None:
        return
    before = in_sight(thread)
    after = hidden(thread, *pruning.targets)
    gone = before - in_sight(after)
    assert pruning.messages == sum(not thread.unseen(thread.messages[i]) for i in gone)
    assert pruning.branches == sum(not thread.shown_children(i) for i in gone)
    assert pruning.ended == sum(i in thread.ended for i in gone)
    assert in_sight(after), "something always stays in sight"
    assert not others or in_sight(after) == {m.id for m in thread.path(name)} & before
    assert after.leaf is not None
    assert not after.hidden(after.leaf)
    # Nothing but the sight of it has changed.
    assert after.messages == thread.messages
    assert {i: after.siblings(i) for i in after.messages} == {i: thread.siblings(i) for i in thread.messages}
    assert {i: lock.ending_at(after, i) for i in after.messages} == {
        i: lock.ending_at(thread, i) for i in thread.messages
    }
    assert sorted(prune.last_act(after)) == sorted(pruning.targets)
    assert prune.coming_back(after, pruning.targets) == pruning
    back = restored(after, *pruning.targets)
    assert in_sight(back) == before
    assert {i: back.last_leaf(i) for i in back.messages} == {i: thread.last_leaf(i) for i in thread.messages}


@settings(max_examples=150, deadline=None)
@given(THREADS, st.randoms(use_true_random=False))
def test_what_is_shown_hangs_together(thread: Thread, chance: random.Random) -> None:
    shown, todo = list[str](), thread.shown_children(None)
    while todo:
        node = todo.pop()
        shown.append(node)
        todo += thread.shown_children(node)
    assert sorted(shown) == sorted(in_sight(thread))
    for name in thread.messages:
        assert name in thread.shown_siblings(name)
        assert set(thread.shown_siblings(name)) <= set(thread.siblings(name))
        leaf = thread.last_leaf(name)
        assert name in {m.id for m in thread.path(leaf)}
        assert not thread.shown_children(leaf)
        assert thread.hidden(leaf) == thread.hidden(name)
        seen = thread.in_sight(name)
        assert not in_sight(thread) or not thread.hidden(seen)
        assert answer_end(thread, name) in thread.messages
        assert answer_of(thread, name) in {m.id for m in thread.path(name)}
        assert all(thread.pruned(i) for i in prune.hiding(thread, name))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(RECORDS, max_size=12),
    st.lists(st.tuples(NAMES, WHEN, st.booleans(), st.booleans()), max_size=6),
)
def test_the_union_of_two_copies_hides_the_same(
    records: list[r.AnyRecord | r.Unknown], acts: list[tuple[str, int, bool, bool]]
) -> None:
    left, right = list(records), list(records)
    for name, when, hide, here in acts:
        make = prune.hide_records if hide else prune.restore_records
        (left if here else right).extend(make([name], at(when)))
    one, other = Thread(header(), [*left, *right]), Thread(header(), [*right, *left])
    assert one.prunings == other.prunings
    assert (one.leaf, in_sight(one)) == (other.leaf, in_sight(other))
    assert prune.last_act(one) == prune.last_act(other)
