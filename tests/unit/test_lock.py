"""The lock: whatever is sent, edited, retried, ended and merged, in whatever order."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from convend_tui.errors import Locked, RuleError
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, result, text
from tests.unit.test_tree import on_one_path, says


def ended_branch() -> tuple[Branch, r.Ended]:
    branch = Branch().typed("one").reply("two").typed("three").reply(call("1")).guard(result("1")).reply(call("2"))
    return branch, r.Ended(at=at(100), message=branch.last, cause="persistent_abuse", explanation="x")


def test_the_whole_turn_of_an_ending_is_locked_and_nothing_above_it() -> None:
    branch, ending = ended_branch()
    thread = branch.thread()
    thread.apply(ending)
    first, answer, question, asking, guard, last = [message.id for message in branch.path]
    for message in (asking, guard, last):
        assert lock.ending_at(thread, message) == ending
        refusal = lock.may_send(thread, message)
        assert refusal is not None
        assert refusal.ended == ending
        assert lock.may_retry(thread, message) is not None
    assert lock.may_retry(thread, question) is not None
    for message in (first, answer, question):
        assert lock.ending_at(thread, message) is None
        assert lock.may_send(thread, message) is None
    assert lock.may_retry(thread, answer) is None
    assert lock.may_edit(thread, question) is None
    assert lock.may_edit(thread, first) is None
    assert lock.may_send(thread, None) is None


def test_what_hangs_below_a_lock_is_locked() -> None:
    branch, ending = ended_branch()
    locked = branch.last
    branch.typed("smuggled").reply("in")
    thread = branch.thread()
    thread.apply(ending)
    assert lock.may_send(thread, branch.last) is not None
    assert lock.may_retry(thread, branch.last) is not None
    assert lock.may_edit(thread, branch.path[-2].id) is not None
    assert thread.parent(branch.path[-2].id) == locked


def test_an_ending_of_a_message_that_is_not_there_locks_nothing_yet() -> None:
    branch, ending = ended_branch()
    thread = Thread(header(), [ending, *branch.path[:-1]])
    assert lock.may_send(thread, branch.path[-2].id) is None
    assert lock.may_retry(thread, branch.path[2].id) is None
    thread.apply(branch.path[-1])
    assert lock.may_send(thread, branch.path[-2].id) is not None


def test_other_answers_to_the_same_question_are_untouched() -> None:
    branch, ending = ended_branch()
    thread = branch.thread()
    thread.apply(ending)
    other = r.Message(
        at=at(50), id="other", parent=branch.path[2].id, role="assistant", content=[text("x")], kind="reply"
    )
    thread.apply(other)
    assert lock.may_send(thread, "other") is None
    assert lock.may_retry(thread, "other") is None


def test_only_ones_own_messages_can_be_edited_and_only_answers_retried() -> None:
    branch, _ = ended_branch()
    thread = branch.thread()
    for message in (branch.path[1].id, branch.path[4].id):
        refusal = lock.may_edit(thread, message)
        assert refusal is not None
        assert refusal.ended is None
    lone = Branch().reply("Welcome.")
    assert lock.may_retry(lone.thread(), lone.last) is not None


def test_a_message_that_is_not_there_is_refused_and_no_crash() -> None:
    thread = Thread(header())
    for refusal in (
        lock.may_send(thread, "gone"),
        lock.may_edit(thread, "gone"),
        lock.may_retry(thread, "gone"),
    ):
        assert refusal is not None
        assert refusal.ended is None
    assert lock.ending_at(thread, "gone") is None


def test_require_raises_by_the_reason() -> None:
    _, ending = ended_branch()
    lock.require(None)
    with pytest.raises(RuleError) as found:
        lock.require(lock.Refusal("No."))
    assert not isinstance(found.value, Locked)
    with pytest.raises(Locked, match="ended"):
        lock.require(lock.Refusal(lock.LOCKED, ending))


def test_an_edit_is_unchanged_by_words_and_attachments() -> None:
    message = Branch().typed("same").path[0]
    assert lock.unchanged(message, [text("same")])
    assert not lock.unchanged(message, [text("same ")])
    assert not lock.unchanged(message, [{"type": "image", "source": {}}, text("same")])


CHANCE = st.integers(0, 999).map(random.Random)


class Life(RuleBasedStateMachine):
    """Two processes on two copies of one thread, which do all that a person can do, and are united now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[list[r.AnyRecord]] = [[], []]
        self.threads = [Thread(header()), Thread(header())]
        self.endings: list[r.Ended] = []
        self.clock = 0
        self.names = 0

    def now(self) -> str:
        self.clock += 1
        return at(self.clock)

    def write(self, side: int, *records: r.AnyRecord) -> None:
        self.copies[side].extend(records)
        for record in records:
            self.threads[side].apply(record)

    def message(self, side: int, parent: str | None, role: r.Role, kind: str) -> str:
        self.names += 1
        name = f"m{self.names:03d}"
        self.write(
            side,
            r.Message(at=self.now(), id=name, parent=parent, role=role, content=[text(name)], kind=kind),
        )
        return name

    def here(self, side: int, chance: random.Random) -> str | None:
        names = sorted(self.threads[side].messages)
        return chance.choice(names) if names else None

    def answer(self, side: int, question: str, chance: random.Random) -> None:
        """One turn: an answer, with calls and guards before it now and then, or none; perhaps an ending."""
        parent = question
        for _ in range(chance.choice([0, 0, 1, 2])):
            parent = self.message(side, parent, "assistant", "reply")
            parent = self.message(side, parent, "user", "guard")
        how = chance.choice(["reply", "reply", "partial", "nothing", "ended"])
        if how == "nothing":
            return
        reply = self.message(side, parent, "assistant", "partial" if how == "partial" else "reply")
        if how == "ended":
            ending = r.Ended(at=self.now(), message=reply, cause="persistent_abuse", explanation="x")
            self.write(side, ending)
            self.endings.append(ending)

    @initialize(chance=CHANCE)
    def begin(self, chance: random.Random) -> None:
        self.answer(0, self.message(0, None, "user", "typed"), chance)
        self.unite(chance)

    @rule(side=st.integers(0, 1), chance=CHANCE)
    def send(self, side: int, chance: random.Random) -> None:
        parent = chance.choice([self.threads[side].leaf, self.here(side, chance), None])
        if lock.may_send(self.threads[side], parent) is None:
            self.answer(side, self.message(side, parent, "user", "typed"), chance)

    @rule(side=st.integers(0, 1), chance=CHANCE)
    def edit(self, side: int, chance: random.Random) -> None:
        old = self.here(side, chance)
        if old is not None and lock.may_edit(self.threads[side], old) is None:
            parent = self.threads[side].parent(old)
            assert lock.may_send(self.threads[side], parent) is None
            self.answer(side, self.message(side, parent, "user", "typed"), chance)

    @rule(side=st.integers(0, 1), chance=CHANCE)
    def retry(self, side: int, chance: random.Random) -> None:
        old = self.here(side, chance)
        if old is not None and lock.may_retry(self.threads[side], old) is None:
            question = self.threads[side].question_of(old)
            assert question is not None
            self.answer(side, question.id, chance)

    @rule(side=st.integers(0, 1), chance=CHANCE)
    def go(self, side: int, chance: random.Random) -> None:
        place = self.here(side, chance)
        if place is not None:
            self.write(side, r.Leaf(at=self.now(), message=self.threads[side].last_leaf(place)))

    @rule(side=st.integers(0, 1), chance=CHANCE)
    def smuggle(self, side: int, chance: random.Random) -> None:
        """A program that asks no rule (or a careless merge) puts a message anywhere."""
        kind, role = chance.choice([("typed", "user"), ("guard", "user"), ("reply", "assistant")])
        self.message(side, self.here(side, chance), "user" if role == "user" else "assistant", kind)

    @precondition(lambda self: self.copies[0] or self.copies[1])
    @rule(chance=CHANCE)
    def unite(self, chance: random.Random) -> None:
        """A union merge: all lines of both, some of them twice, in any order."""
        lines = [*self.copies[0], *self.copies[1]]
        chance.shuffle(lines)
        merged = [
            record for number, record in enumerate(lines) if record not in lines[:number] or chance.random() < 0.3
        ]
        self.copies = [list(merged), list(merged)]
        self.threads = [Thread(header(), merged), self.threads[1].with_records(merged)]
        assert says(self.threads[0]) == says(self.threads[1])

    @invariant()
    def every_message_is_on_one_path(self) -> None:
        for thread in self.threads:
            on_one_path(thread)

    @invariant()
    def every_lock_is_in_force(self) -> None:
        for thread in self.threads:
            for ending in self.endings:
                if ending.message not in thread.messages or ending.message not in thread.ended:
                    continue
                self.is_locked(thread, ending.message)

    def is_locked(self, thread: Thread, locked: str) -> None:
        below = [locked]
        while below:
            node = below.pop()
            assert lock.may_send(thread, node) is not None
            assert lock.may_retry(thread, node) is not None
            below.extend(thread.children(node))
        question = thread.question_of(locked)
        assert question is not None
        assert lock.may_retry(thread, question.id) is not None
        for message in thread.turn_of(locked):
            assert lock.may_send(thread, message.id) is not None
        for message in thread.path(locked):
            if r.is_question(message):
                # Every typed message above can be edited, unless another ending stands above that one.
                refusal = lock.may_edit(thread, message.id)
                assert (refusal is None) == (lock.ending_at(thread, thread.parent(message.id)) is None)

    @invariant()
    def nothing_but_an_ending_locks(self) -> None:
        for thread in self.threads:
            if not thread.ended:
                assert all(lock.may_send(thread, i) is None for i in thread.messages)
                assert all(lock.may_retry(thread, i) is None for i in thread.messages)
            assert lock.may_send(thread, None) is None


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=14, deadline=None)


def test_a_message_that_came_between_call_and_ending_is_locked_with_them() -> None:
    """Another process sent below the client's result while the model confirmed."""
    branch = Branch().typed("fool").reply("So.", call("1")).guard(result("1")).reply(call("2"))
    end = r.Ended(at=at(90), message=branch.last, cause="persistent_abuse", explanation="x")
    late = r.Message(at=at(80), id="late", parent=branch.path[2].id, role="user", kind="typed", content=[])
    below = r.Message(at=at(81), id="below", parent="late", role="assistant", kind="reply", content=[])
    thread = branch.thread(SETTINGS, late, below, end)
    for message in (*branch.path[1:], late, below):
        assert lock.may_send(thread, message.id) is not None, message.id
    assert lock.may_send(thread, branch.path[0].id) is None
