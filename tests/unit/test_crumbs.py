"""The breadcrumb of a branch."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from convend_tui.thread import prune
from convend_tui.thread import records as r
from convend_tui.thread.crumbs import crumbs, fitted
from convend_tui.thread.tree import Thread
from tests.making import at, header
from tests.unit.test_tree import RECORDS, message


def reply(name: str, parent: str, when: int) -> r.Message:
    return message(name, parent, when, role="assistant", kind="reply")


def tree() -> Thread:
    """Two answers to q, b the third; below the second an edit of its question."""
    return Thread(
        header(),
        [
            message("q", None, 1),
            reply("a", "q", 2),
            message("on", "a", 3),
            reply("a1", "q", 4),
            reply("a2", "q", 5),
            message("x", "a2", 6),
            message("y", "a2", 7),
        ],
    )


def test_a_path_is_named_by_its_forks() -> None:
    thread = tree()
    assert crumbs(thread, "on") == ["main"]
    assert crumbs(thread, "a1") == ["main", "retry 1"]
    assert crumbs(thread, "x") == ["main", "retry 2"]
    assert crumbs(thread, "y") == ["main", "retry 2", "edit 1"]
    assert crumbs(thread, "q") == []


def test_where_there_is_one_branch_there_is_nothing_to_say() -> None:
    thread = Thread(header(), [message("q", None, 1), reply("a", "q", 2)])
    assert crumbs(thread, "a") == []
    assert crumbs(Thread(header()), None) == []


def test_a_label_names_the_branch_also_the_first() -> None:
    thread = tree().with_records(
        [
            r.Label(at=at(8), message="a2", label="the  short\none"),
            r.Label(at=at(8), message="a", label="first"),
            r.Label(at=at(8), message="on", label="not where it forks"),
            r.Label(at=at(8), message="a1", label=""),
        ]
    )
    assert crumbs(thread, "y") == ["main", "the short one", "edit 1"]
    assert crumbs(thread, "on") == ["main", "first"]
    assert crumbs(thread, "a1") == ["main", "retry 1"]


def test_hiding_changes_no_name_and_leaves_nothing_where_one_branch_is_in_sight() -> None:
    thread = tree().with_records(prune.hide_records(["a1"], at(9)))
    assert crumbs(thread, "y") == ["main", "retry 2", "edit 1"]
    alone = thread.with_records(prune.hide_records(["a2"], at(10)))
    assert crumbs(alone, "on") == []
    assert crumbs(alone, "y") == ["main", "retry 2", "edit 1"], "one stands on a hidden branch"


def test_a_second_beginning_is_an_edit() -> None:
    thread = tree().with_records([message("p", None, 9)])
    assert crumbs(thread, "p") == ["main", "edit 1"]
    assert crumbs(thread, "a1") == ["main", "retry 1"]


def test_cut_in_the_middle() -> None:
    names = ["main", "retry 2", "edit 1", "retry 12"]
    whole = "main › retry 2 › edit 1 › retry 12"
    assert fitted(names, 80) == fitted(names, len(whole)) == whole
    assert fitted(names, len(whole) - 1) == "main › … › edit 1 › retry 12"
    assert fitted(names, 22) == "main › … › retry 12"
    assert fitted(names, 14) == "… › retry 12"
    assert fitted(names, 8) == "… › ret…"
    assert fitted(names, 0) == ""
    assert fitted([], 10) == ""
    assert fitted(["main"], 3) == "ma…"


@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=16), st.integers(0, 30))
def test_any_path_has_a_line_that_fits(records: list[r.AnyRecord | r.Unknown], width: int) -> None:
    thread = Thread(header(), records)
    for name in thread.messages:
        names = crumbs(thread, name)
        assert names[:1] in ([], ["main"])
        assert "" not in names
        line = fitted(names, width)
        assert cell_len(line) <= width
        forks = [m for m in thread.path(name) if len(thread.shown_siblings(m.id)) > 1]
        assert bool(names) == bool(forks)
