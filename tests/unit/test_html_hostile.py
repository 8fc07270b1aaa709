"""The page of HTML: nothing of what was said gets out of its place in it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.exchange.html_markdown import markdown
from convend_tui.exchange.incoming import MISSING, TOOL
from convend_tui.plain import visible
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import at, header
from tests.unit.pages import HOSTILE, Parsed, check_safe, message, parsed, written


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words_everywhere(words: str) -> None:
    block = {"type": words, "name": words, "title": words, "source": {"name": words, "media_type": words}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": words, "name": words}}
    linked = {"type": "image", "source": {"type": "url", "url": words, "media_type": "image/png"}}
    svg = {"type": "image", "source": {"type": "blob", "sha256": words, "media_type": "image/svg+xml"}}
    content = [{"type": "text", "text": words}, {"type": "thinking", "thinking": words}, block, image, linked, svg]
    content += [{"type": TOOL, "name": words, "block": {}}, {"type": MISSING, "name": words}, {"type": None}]
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    evidence: list[r.Block] = [
        {"kind": words, "message": words, "quote": words},
        {"kind": ["x"], "message": {}, "quote": deep},
    ]
    # What is not JSON of any kind cannot be in a record's own text.
    known = words.replace("\ud800", "")
    records: list[Any] = [
        message(words, None, 1, content=content),
        message("b", words, 2, content=content, model=words, stop_reason=words),
        message("c", words, 4, content=content, stop_reason="refusal", stop_details={"explanation": words}),
        message("d", words, 6, content=content),
        r.Verdict(at=at(8), message="c", outcome=known, reasons=[known]),
        r.Ended(at=known, message="b", cause=known, explanation=known, evidence=evidence),
        r.Feedback(at=at(8), message="b", thumb=known, comment=known),
        r.Feedback(at=at(8), message="c", thumb=known, comment=known),
        r.Label(at=at(8), message="b", label=known),
        r.Title(at=at(8), title=known),
    ]
    thread = Thread(header(at=known), records)
    for leaf in ("b", "c"):
        text = written(thread, leaf, load_blob=lambda _: words.encode("utf-8", "surrogatepass"))
        assert text.count("</script") == 2 and text.count("<!--") == 0
        assert not re.search("[\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\x00-\x09\x0b-\x1f\x7f]", text)
        found = check_safe(text)
        for data in found.data["messages"]:
            check_safe(data.get("html", ""))
            assert re.fullmatch(r"[\w-]{1,64}", data["id"])


PIECES = st.sampled_from(
    [*HOSTILE, *"<>&\"'`[]()!*_~|#-\n \\:/", "http://a.b", "javascript:", "&#x3c;", "    ", "- ", "> "]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_markdown_makes_anything_but_what_is_allowed(words: str) -> None:
    check_safe(markdown(words))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_what_a_person_typed_reads_as_it_was_typed(words: str) -> None:
    found = parsed(Thread(header(), [message("a", None, 1, f"begin{words}end")]))
    assert visible(f"begin{words}end") in found.words


def test_markdown_of_a_reply() -> None:
    found = Parsed(
        markdown(
            "# Head\n\n*em* **strong** ~~gone~~ `code`\n\n- one\n  1. two\n\n> quoted\n\n"
            "```python title\nx < 1\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n[link](https://a.b/c?d=1&e=2 'title') ![pic](https://a.b/p.png)\n\n---"
        )
    )
    tags = [tag for tag, _ in found.tags]
    for tag in ("h3", "em", "strong", "s", "code", "ul", "ol", "blockquote", "pre", "table", "td", "a", "hr"):
        assert tag in tags, tag
    assert "img" not in tags and "pic" in found.words
    assert "python" in found.words and "x < 1" in found.words and "title" not in found.words
    assert found.attributes("a", "href") == ["https://a.b/c?d=1&e=2", "https://a.b/p.png"]
    assert found.attributes("td", "class") == ["right"]


@pytest.mark.parametrize(
    "words", ["> " * 500 + "deep", "[" * 20_000, "*a_ " * 20_000, "x" * 600_000, "|a" * 3000 + "\n" + "|-" * 3000]
)
def test_what_would_keep_the_parser_busy_is_shown_all_the_same(words: str) -> None:
    letters = [letter for letter in words if letter.isalpha()]
    assert [letter for letter in Parsed(markdown(words)).words if letter.isalpha()] == letters
