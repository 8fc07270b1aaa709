"""Two branches side by side."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convend_tui.thread.compare import Pair, compare, differences, likeness
from convend_tui.thread.tree import Thread
from tests.making import Branch, at, call, header, result

TEXT = st.text(alphabet="ab cß.\n—字", max_size=40)


def forked() -> Thread:
    """One question, two answers; the second goes on for one more turn, with a call in it."""
    branch = Branch().typed("Hello").reply("Hi.").typed("A fox?").reply("Red.")
    others = Branch().typed("Hello").reply("Hi.").typed("A fox?").reply("It is red.").typed("And a dog?")
    others.reply("Let me see.", call()).guard(result()).reply("Brown.")
    renamed: dict[str | None, str | None] = {m.id: f"b{m.id}" for m in others.path[3:]}
    more = [
        msgspec.structs.replace(m, id=f"b{m.id}", parent=renamed.get(m.parent, m.parent), at=at(50 + i))
        for i, m in enumerate(others.path[3:])
    ]
    return Thread(header(), [*branch.path, *more])


def words(pair: Pair) -> tuple[str | None, str | None]:
    left, right = (m.content[0]["text"] if m is not None else None for m in (pair.left, pair.right))
    return left, right


def test_branches_are_compared_from_where_they_part() -> None:
    thread = forked()
    found = compare(thread, "m0004", "bm0008")
    assert found.fork is not None
    assert (found.fork.id, found.shared) == ("m0003", 3)
    assert [words(pair) for pair in found.pairs] == [
        ("Red.", "It is red."),
        (None, "And a dog?"),
        (None, "Let me see."),
        (None, "Brown."),
    ]
    assert compare(thread, "m0004", "m0004").pairs == ()
    # One is the beginning of the other.
    assert [words(pair) for pair in compare(thread, "m0003", "m0004").pairs] == [(None, "Red.")]


def test_branches_that_share_nothing() -> None:
    one, two = Branch().typed("Hello"), Branch().typed("Good day")
    other = msgspec.structs.replace(two.path[0], id="other")
    found = compare(Thread(header(), [*one.path, other]), "m0001", "other")
    assert (found.fork, found.shared) == (None, 0)
    assert [words(pair) for pair in found.pairs] == [("Hello", "Good day")]


def test_a_message_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        compare(forked(), "m0004", "nobody")


@given(TEXT, TEXT)
def test_no_word_is_lost_and_what_is_shared_is_the_same(left: str, right: str) -> None:
    one, two = differences(left, right)
    assert "".join(text for text, _ in one) == left
    assert "".join(text for text, _ in two) == right
    assert [text for text, differs in one if not differs] or not [text for text, differs in two if not differs]
    assert "".join(text for text, differs in one if not differs) == "".join(t for t, differs in two if not differs)
    assert 0 <= likeness(left, right) <= 1
    assert all(not differs for _, differs in differences(left, left)[0])


def test_single_words_are_told_apart() -> None:
    one, two = differences("The quick brown fox jumps.", "The quick red fox jumped.")
    assert [text for text, differs in one if differs] == ["brown", "jumps"]
    assert [text for text, differs in two if differs] == ["red", "jumped"]


def test_long_texts_that_share_little_differ_as_a_whole() -> None:
    one = " ".join(f"a{i}" for i in range(30_000))
    two = " ".join(f"b{i}" for i in range(30_000))
    found = differences(f"same {one} end", f"same {two} end")
    assert [differs for _, differs in found[0]] == [False, True, False], "compared word by word, it would take minutes"
