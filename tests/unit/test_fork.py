"""A fork: a path, or the whole tree, in a thread of its own."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.ending import signs
from convend_tui.errors import NotFound, RuleError, StoreError
from convend_tui.model.endpoint import Abilities
from convend_tui.model.request import build
from convend_tui.store.fork import fork_path, fork_tree
from convend_tui.store.library import Library
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, paths_in, result, text
from tests.unit.test_tree import NAMES, RECORDS

SOURCE = "20261122T000000-00000000"


class Shelf:
    """A library with one thread file in it."""

    def __init__(self, root: Path, *records: r.AnyRecord, raw: bytes = b"") -> None:
        self.library = Library(paths_in(root))
        self.library.paths.threads.mkdir(parents=True, exist_ok=True)
        self.file = self.library.paths.threads / f"{SOURCE}.jsonl"
        self.file.write_bytes(b"".join(map(r.encode, records)) + raw)

    @property
    def thread(self) -> Thread:
        return self.library.open(SOURCE).thread

    def path(self, message_id: str, thread: Thread | None = None) -> Thread:
        return self.library.open(fork_path(self.library, thread or self.thread, message_id)).thread

    def tree(self, leaf: str | None = None) -> Thread:
        return self.library.open(fork_tree(self.library, self.thread, leaf)).thread

    def lines(self, thread: Thread) -> list[dict[str, Any]]:
        data = (self.library.paths.threads / f"{thread.id}.jsonl").read_bytes()
        return [json.loads(line) for line in data.splitlines()]


def talk() -> Branch:
    """q1 a1 q2 a2."""
    return Branch().typed("q1").reply("a1").typed("q2").reply("a2")


def beside(branch: Branch, parent: str, name: str, number: int, role: r.Role = "user") -> r.Message:
    kind = "typed" if role == "user" else "reply"
    return r.Message(at=at(number), id=name, parent=parent, role=role, content=[text(name)], kind=kind)


ENDED = r.Ended(at=at(9), message="m0004", cause="persistent_abuse", explanation="x")


def test_a_path_comes_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    branch = talk()
    first = header(r.Settings(model="m", server="s", system="Be brief.", ending=False, tool_version=7))
    shelf = Shelf(
        tmp_path,
        first,
        *branch.path,
        beside(branch, "m0002", "other", 20),
        r.as_change(r.Settings(model="n", effort="high"), at(10)),
        r.Title(at=at(11), title="Mine"),
        r.Label(at=at(11), message="m0002", label="good"),
        r.Label(at=at(11), message="other", label="bad"),
        r.Feedback(at=at(11), message="m0002", thumb="up"),
        r.Verdict(at=at(11), message="m0004", outcome="declined", private=True),
        r.Verdict(at=at(11), message="other", outcome="declined"),
        r.Hide(at=at(30), message="m0003"),
        r.Leaf(at=at(31), message="other"),
    )
    copy = shelf.path("m0004")
    assert copy.id != SOURCE
    assert copy.header.origin == {"thread": SOURCE, "message": "m0004", "app": "convend"}
    assert copy.header.settings == first.settings
    assert copy.settings == shelf.thread.settings
    assert copy.settings_at == shelf.thread.settings_at
    assert list(copy.messages) == ["m0001", "m0002", "m0003", "m0004"]
    assert copy.messages == {m.id: m for m in branch.path}
    assert (copy.leaf, copy.title) == ("m0004", "Mine")
    assert {i: label.label for i, label in copy.labels.items()} == {"m0002": "good"}
    assert list(copy.feedback) == ["m0002"]
    assert list(copy.verdicts) == ["m0004"]
    assert copy.is_private("m0004")
    assert not copy.hidden("m0004"), "the path that was shown is shown"
    assert shelf.path("m0001").leaf == "m0001"


def test_the_whole_tree_comes_with_its_branches(tmp_path: Path) -> None:
    branch = talk()
    shelf = Shelf(
        tmp_path,
        header(),
        *branch.path,
        beside(branch, "m0002", "other", 20),
        r.Hide(at=at(30), message="other"),
        r.Pin(at=at(30), pinned=True),
        r.Leaf(at=at(31), message="m0004"),
    )
    copy = shelf.tree()
    assert "pin" not in [line["type"] for line in shelf.lines(copy)]
    assert copy.header.origin == {"thread": SOURCE, "message": None, "app": "convend"}
    assert copy.messages == shelf.thread.messages
    assert copy.leaf == "m0004"
    assert copy.hidden("other")
    assert shelf.tree("other").leaf == "other"


def test_what_this_version_does_not_know_comes_along(tmp_path: Path) -> None:
    branch = talk()
    raw = (
        b'{"type":"message","at":"2026-11-22T00:00:09.000Z","id":"new","parent":"m0004","role":"user",'
        b'"content":[],"kind":"typed","colour":{"deep":[1]}}\n'
        b'{"type":"star","at":"x","message":"m0002","points":3}\n'
        b'{"type":"star","at":"x","message":"not here"}\n'
        b'{"type":"weather","at":"x"}\n'
        b"broken\n"
        b'{"type":"title","at":"2026-11-22T00:00:12.000Z","title":"no newline at its end"}'
    )
    shelf = Shelf(tmp_path, header(), *branch.path, raw=raw)
    copy = shelf.path("new")
    lines = shelf.lines(copy)
    assert next(line["colour"] for line in lines if line.get("id") == "new") == {"deep": [1]}
    assert [line for line in lines if line["type"] == "star"] == [
        {"type": "star", "at": "x", "message": "m0002", "points": 3}
    ]
    assert copy.title == "no newline at its end"
    kinds = [line["type"] for line in shelf.lines(shelf.tree())]
    assert (kinds.count("star"), kinds.count("weather")) == (2, 1)


def test_the_lock_goes_with_the_path_that_has_it(tmp_path: Path) -> None:
    branch = talk()
    shelf = Shelf(tmp_path, header(), *branch.path, ENDED, beside(branch, "m0004", "forged", 20))
    for message_id in ("m0004", "forged"):
        copy = shelf.path(message_id)
        assert lock.may_send(copy, copy.leaf) is not None
        assert copy.leaf == message_id
    for message_id in ("m0003", "m0002"):
        free = shelf.path(message_id)
        assert free.ended == {}
        assert lock.may_send(free, free.leaf) is None
    assert shelf.tree().ended == {"m0004": ENDED}


@pytest.mark.parametrize("message_id", ["m0002", "m0003", "m0004"])
def test_the_turn_of_an_ending_is_forked_with_its_lock(tmp_path: Path, message_id: str) -> None:
    branch = Branch().typed("q").reply("Let me end this.", call()).guard(result()).reply("I end it.", call("2"))
    shelf = Shelf(tmp_path, header(), *branch.path, ENDED)
    copy = shelf.path(message_id)
    assert copy.leaf == "m0004"
    assert lock.ending_at(copy, message_id) == ENDED
    assert shelf.path("m0001").ended == {}


def test_an_answer_of_several_parts_comes_whole(tmp_path: Path) -> None:
    branch = Branch().typed("q").reply("May I?", call()).guard(result()).reply("Then we talk on.").typed("on")
    shelf = Shelf(tmp_path, header(), *branch.path)
    assert shelf.path("m0002").leaf == "m0004"


def test_a_lock_that_only_memory_knows_is_not_lost(tmp_path: Path) -> None:
    branch = talk()
    shelf = Shelf(tmp_path, header(), *branch.path, ENDED)
    known = shelf.thread
    # An older copy of the file takes its place, from before the ending.
    Shelf(tmp_path, header(), *branch.path[:3])
    copy = shelf.path("m0004", known)
    assert copy.ended == {"m0004": ENDED}
    assert [m.id for m in copy.path(copy.leaf)] == ["m0001", "m0002", "m0003", "m0004"]


def test_a_lock_that_only_the_file_knows_is_not_lost(tmp_path: Path) -> None:
    branch = talk()
    shelf = Shelf(tmp_path, header(), *branch.path)
    known = shelf.thread
    Shelf(tmp_path, header(), *branch.path, ENDED)
    assert shelf.path("m0004", known).ended == {"m0004": ENDED}
    assert known.ended == {}, "the caller's own thread stays as it is"


def test_thinking_is_sent_again_where_it_was_before_and_nowhere_else(tmp_path: Path) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    branch = Branch().typed("q1").reply(thought, "a1", made_under=at(0)).typed("q2")
    branch.reply(thought, "a2", made_under=at(50)).typed("q3").reply(thought, "a3", made_under=at(70)).typed("q4")
    changes = [r.as_change(r.Settings(model=m, server="referee"), at(w)) for m, w in (("b", 50), ("c", 60), ("b", 70))]
    shelf = Shelf(tmp_path, header(), *branch.path, *changes)

    def body(thread: Thread) -> dict[str, Any]:
        return build(thread, branch.last, load_blob=lambda sha: b"", abilities=Abilities())

    before = body(shelf.thread)
    assert json.dumps(before).count('"thinking": "hm"') == 2
    assert body(shelf.path(branch.last)) == before == body(shelf.tree())


def test_nothing_half_is_ever_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, header(), *talk().path)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        shelf.path("m0004")
    assert list(shelf.library.paths.threads.iterdir()) == [shelf.file]


def test_what_cannot_be_forked_is_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, header(), *talk().path)
    with pytest.raises(NotFound):
        shelf.path("gone")
    newer = Shelf(tmp_path, header(SETTINGS, format=r.FORMAT + 1), *talk().path)
    with pytest.raises(RuleError, match="newer convend"):
        newer.path("m0004")
    gone = Shelf(tmp_path, header(), *talk().path)
    known = gone.thread
    gone.file.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        fork_tree(gone.library, known)


def test_a_fork_is_a_thread_of_its_own(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, header(), *talk().path)
    before = shelf.file.read_bytes()
    handle = shelf.library.open(fork_path(shelf.library, shelf.thread, "m0002"))
    more = r.Message(at=handle.now(), id="on", parent="m0002", role="user", content=[text("on")], kind="typed")
    handle.append_now([more])
    assert handle.thread.path(handle.thread.leaf)[-1].id == "on"
    assert shelf.file.read_bytes() == before
    again = shelf.library.open(fork_path(shelf.library, handle.thread, "on")).thread
    assert again.header.origin is not None
    assert again.header.origin["thread"] == handle.thread.id


# Any tree


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=14), NAMES)
def test_a_fork_of_any_path_opens_and_has_the_same_path(records: list[r.AnyRecord | r.Unknown], name: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        shelf = Shelf(Path(root), header(), *[one for one in records if not isinstance(one, r.Unknown)])
        source = shelf.thread
        if name not in source.messages:
            return
        copy = shelf.path(name)
        path = [m.id for m in copy.path(copy.leaf)]
        assert path == [m.id for m in source.path(path[-1])]
        assert set(path) == set(copy.messages)
        assert path[: path.index(name) + 1] == [m.id for m in source.path(name)]
        for message_id in path:
            assert copy.messages[message_id] == source.messages[message_id]
            assert copy.labels.get(message_id) == source.labels.get(message_id)
            assert copy.feedback.get(message_id) == source.feedback.get(message_id)
            assert copy.verdicts.get(message_id) == source.verdicts.get(message_id)
            assert copy.settings_of(copy.messages[message_id]) == source.settings_of(source.messages[message_id])
            if ending := lock.ending_at(source, message_id):
                on_path = ending.message in path
                assert lock.ending_at(copy, message_id) is not None or not on_path
        # What was locked where the fork was made stays locked, and nothing else is.
        assert (lock.ending_at(copy, name) is None) == (lock.ending_at(source, name) is None)
        assert copy.settings == source.settings

        whole = shelf.tree()
        assert whole.messages == source.messages
        assert {i: whole.children(i) for i in whole.messages} == {i: source.children(i) for i in source.messages}
        assert {i: lock.ending_at(whole, i) for i in whole.messages} == {
            i: lock.ending_at(source, i) for i in source.messages
        }
        assert {i: whole.hidden(i) for i in whole.messages} == {i: source.hidden(i) for i in source.messages}
        assert whole.leaf == source.leaf


def test_what_speaks_of_a_risk_on_a_branch_that_stays_behind_holds_for_the_fork(tmp_path: Path) -> None:
    branch = Branch().typed("I want to die.").reply("I am here.")
    other = r.Message(at=at(50), id="other", parent=None, role="user", content=[text("Hello.")], kind="typed")
    fork = Shelf(tmp_path, header(), *branch.path, other).path("other")
    assert list(fork.messages) == ["other"]
    assert signs.inherited(fork.header)
    # And for the forks of that one.
    library = Library(paths_in(tmp_path))
    assert signs.inherited(library.open(fork_path(library, fork, "other")).thread.header)
    assert signs.inherited(library.open(fork_tree(library, fork)).thread.header)


def test_a_fork_of_a_thread_without_a_sign_is_free(tmp_path: Path) -> None:
    fork = Shelf(tmp_path, header(), *Branch().typed("Hello.").reply("Hello!").path).path("m0002")
    assert not signs.inherited(fork.header)
