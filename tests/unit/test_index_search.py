"""The search: queries, filters, snippets, and the order of what is found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convend_tui.paths import Paths
from convend_tui.store import index_text
from convend_tui.store.index import Index
from convend_tui.thread import records as r
from tests.making import Branch, at, text
from tests.unit.indexing import ID, chat, file_of, found, message, save


@pytest.fixture(params=[True, False], ids=["fts5", "without fts5"])
def searching(paths: Paths, request: pytest.FixtureRequest) -> Iterator[Index]:
    """An index of a few threads."""
    private = (
        Branch().typed("I feel low").reply("I am here.", {"type": "tool_use", "id": "x", "name": "e", "input": {}})
    )
    private.guard(text("The conversation stays open, secretly."))
    verdict = r.Verdict(at=at(8), message="m0002", outcome="declined", reasons=["risk seen"], private=True)
    save(paths, "1", *chat("The quick brown fox", "A café in Zürich", "naïve don't", "Foxes are red"))
    save(paths, "2", *chat("東京タワーはどこですか", "在北京大学学习", "iPhone充電", "한국어에서는"))
    save(paths, "3", *private.path, verdict)
    attached = {"type": "document", "source": {"type": "blob", "sha256": "0" * 64, "name": "budget-2026.pdf"}}
    thinking = {"type": "thinking", "thinking": "hidden ponderings", "signature": "s"}
    branch = Branch().typed("look at this", attached).reply(thinking, "seen", kind="partial")
    save(paths, "4", *branch.path, r.Title(at=at(3), title="Money matters"))
    save(paths, "5", *chat("AND OR NOT NEAR", "x:y -z ^w {a} +(b)*"))
    made = Index(paths, full_text=request.param)
    made.update()
    yield made
    made.close()


def places(index: Index, query: str, **filters: Any) -> list[str]:
    """Thread and message of each hit, shortened: `1.2`; of a title `4.`."""
    return sorted(f"{h.thread[-1]}.{(h.message or '')[-1:]}" for h in index.search(query, **filters))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fox", ["1.1", "1.4"]),
        ("FOX ", ["1.1"]),
        ("fox brown", ["1.1"]),
        ('"brown fox"', ["1.1"]),
        ('"fox brown"', []),
        ('"quick bro', ["1.1"]),
        ("fo* re", ["1.4"]),
        ("cafe zurich", ["1.2"]),
        ("CAFÉ", ["1.2"]),
        ("cafe\u0301 ", ["1.2"]),
        ("naive", ["1.3"]),
        ("don't", ["1.3"]),
        ("東京", ["2.1"]),
        ("京タ", ["2.1"]),
        ("京東", []),
        ("北京", ["2.2"]),
        ("大学", ["2.2"]),
        ("iphone充", ["2.3"]),
        ("국어", ["2.4"]),
        ("i am here", ["3.2"]),
        ("secretly", []),
        ("risk", []),
        ("budget", ["4.1"]),
        ("ponderings", []),
        ("seen", ["4.2"]),
        ("money", ["4."]),
        ("and", ["5.1"]),
        ("AND NOT ", ["5.1"]),
        ("NEAR(and or)", []),
        ("x:y", ["5.2"]),
        ("-z ^w", ["5.2"]),
        ("?! ...", []),
        ("", []),
        ("😀", []),
    ],
)
def test_queries(searching: Index, query: str, expected: list[str]) -> None:
    assert places(searching, query) == expected


def test_filters(searching: Index) -> None:
    everything = ["1.1", "1.2", "1.3", "1.4"]
    thread = ID.format(1)
    query = "f* "
    assert places(searching, query, thread=thread) == ["1.1", "1.4"]
    assert places(searching, query, thread=thread, role="user") == ["1.1"]
    assert places(searching, query, model="TEST") == ["1.4"]
    assert places(searching, query, model="opus") == []
    assert places(searching, "money", role="user") == places(searching, "money", model="c") == []
    third = datetime(2026, 11, 22, 0, 0, 3, tzinfo=UTC)
    assert places(searching, "fox", since=third) == ["1.4"]
    assert places(searching, "fox", until=third) == ["1.1"]
    assert everything[:1] == places(searching, "fox", until=datetime(2026, 11, 22, 0, 0, 4, tzinfo=UTC))


def test_filters_alone_find_the_newest_and_no_titles(searching: Index) -> None:
    by_role = places(searching, "", role="user") + places(searching, " ", role="assistant")
    assert len(by_role) == len(set(by_role)) > 4
    found = [hit.message for hit in searching.search("", role="user", thread=ID.format(1))]
    assert found == ["m0003", "m0001"]
    assert [hit.message for hit in searching.search("", role="user", thread=ID.format(1), limit=1, offset=1)] == found[
        1:
    ]
    (hit,) = searching.search("", model="test-1", thread=ID.format(1), limit=1)
    assert (hit.message, hit.matches) == ("m0004", ())
    assert hit.snippet


def test_a_hit_says_where_and_what(searching: Index) -> None:
    (hit,) = searching.search("cafe zurich")
    assert (hit.thread, hit.message, hit.title, hit.role) == (ID.format(1), "m0002", "The quick brown fox", "assistant")
    assert (hit.at, hit.model, hit.ended) == (at(2), "claude-test-1", False)
    assert [hit.snippet[a:b] for a, b in hit.matches] == ["café", "Zürich"]
    (hit,) = searching.search("京タ")
    assert hit.snippet == "東京タワーはどこですか"
    assert [hit.snippet[a:b] for a, b in hit.matches] == ["京タ"]


@given(st.text(max_size=40) | st.text(alphabet='ab"*( )^:-\\\x00', max_size=20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_typed_is_a_query(searching: Index, typed: str) -> None:
    for hit in searching.search(typed):
        assert all(0 <= begin < end <= len(hit.snippet) for begin, end in hit.matches)


def test_a_query_of_any_length(searching: Index) -> None:
    for typed in ("a " * 10_000, '"' + "fox " * 5000, "x" * 100_000, "東" * 5000, "(" * 5000, "a*" * 3000):
        searching.search(typed)


@given(st.text(max_size=60), st.text(max_size=8))
@settings(deadline=None, max_examples=200)
def test_a_snippet_is_one_line_and_its_matches_are_inside(words: str, typed: str) -> None:
    assert index_text.joined(index_text.apart(words)) == (
        words if words.isascii() else words.replace(index_text.APART, "")
    )
    query = index_text.parse(typed)
    if query is not None:
        shown, matches = index_text.snippet(index_text.apart(words * 9), query, 40)
        assert "\n" not in shown and "\x1b" not in shown
        ends = [place for pair in matches for place in pair]
        assert ends == sorted(ends) and all(0 <= place <= len(shown) for place in ends)


def test_the_snippet_is_where_most_of_the_query_is() -> None:
    query = index_text.parse("alpha beta ")
    assert query is not None
    shown, matches = index_text.snippet("alpha " + "x " * 300 + "here alpha and beta. " + "y " * 300, query, 80)
    assert [shown[a:b] for a, b in matches] == ["alpha", "beta"]
    assert shown.startswith("…") and shown.endswith("…") and len(shown) < 90


def test_the_better_and_the_newer_come_first(paths: Paths, index: Index) -> None:
    now = r.timestamp(datetime.now(UTC))
    old = "2020-01-01T00:00:00.000Z"
    for name, when, words in (("1", old, "fox"), ("2", now, "fox"), ("3", old, "fox " + "and other beasts " * 40)):
        content = [text(words)]
        save(paths, name, r.Message(at=when, id=name, parent=None, role="user", kind="typed", content=content))
    index.update()
    assert found(index, "fox") == ["2", "1", "3"]
    assert found(index, "fox", limit=1, offset=1) == ["1"]
    assert found(index, "fox", limit=0) == []


def test_where_too_many_match_it_is_the_newest_that_are_put_in_order(
    paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convend_tui.store.index.MOST_FILES", 3)
    monkeypatch.setattr("convend_tui.store.index_search.CONSIDERED", 4)
    for number in range(10):
        name = f"2026112{number}T000000-00000000"
        save(paths, name, message("m", words="fox"))
        os.utime(file_of(paths, name), (number, number))
    index.update()
    assert sorted(hit.thread[7] for hit in index.search("fox", limit=4)) == list("6789")
    assert len(index.search("fox", limit=100)) == 10
    save(paths, "20261130T000000-00000000", message("m", words="fox"))
    index.update()
    assert "20261130T000000-00000000" in [hit.thread for hit in index.search("fox", limit=4)]
