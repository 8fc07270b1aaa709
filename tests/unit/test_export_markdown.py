"""A thread in Markdown: whatever is in it, its outline is convend's own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from convend_tui.exchange.incoming import MISSING, TOOL
from convend_tui.exchange.markdown import escaped, markdown, quoted, written
from convend_tui.plain import one_line, visible
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, result, text
from tests.unit.test_outline import any_records
from tests.unit.test_tree import thread_of

PARTS = st.sampled_from(
    [
        *("# Heading", "## You · m0001", "```", "~~~~", "---", "===", "> quoted", "- one", "1. two", "    code"),
        *("<!-- open", "</blockquote>", "<div>", "<b>x", "`<i>`", "``", "\\", "\\<u>", "&lt;", "<https://x.org/>"),
        *("[a]: /b", "| a | b |", "|---|---|", "\n", "\n\n", " ", "*", "_x_", "words", "\r\n", "\x1b[31m", "\u2028"),
        *("</p", "<?", "\0", "\tcode"),
    ]
)
TEXTS = st.lists(PARTS, max_size=12).map("".join) | st.text(max_size=60)


def exported(thread: Thread, leaf: str | None = None, **options: Any) -> str:
    return "".join(markdown(thread, leaf or thread.leaf, **options))


def parts(document: str) -> tuple[dict[str, Any], list[Token]]:
    """The front matter, and the tokens of what follows."""
    lines = document.split("\n")
    assert lines[0] == "---"
    end = lines.index("---", 1)
    facts = dict(line.split(": ", 1) for line in lines[1:end])
    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(lines[end + 1 :]))
    return {name: json.loads(value) for name, value in facts.items()}, tokens


def outer(tokens: list[Token]) -> list[str]:
    """The blocks of the document itself: headings and notes in words, of a quote only that it is there."""
    found: list[str] = []
    for token in tokens:
        if token.level == 1 and token.type == "inline":
            found.append(rendered(token))
        elif token.level == 0 and token.nesting >= 0:
            found.append({"blockquote_open": ">", "heading_open": token.markup}.get(token.type, token.type))
    return found


def rendered(token: Token) -> str:
    """The words of a line, as they are shown."""
    return "".join(child.content for child in token.children or () if child.type in ("text", "text_special"))


def has_html(tokens: list[Token]) -> bool:
    types = {child.type for token in tokens for child in [token, *(token.children or ())]}
    return bool(types & {"html_block", "html_inline"})


# -- nothing gets out of its quote ---------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
@example("```\nopen", "x")
@example("<!--", "-->")
@example("<div>\n\n`</div>", "\\\\<b>")
@example("`a\n<b>`\n\n<b `c` d='`'>", "<a\nhref='`'>`</a>`")
@example("\t<div>", "- <div>\n  </div>")
def test_no_text_changes_the_structure(first: str, second: str) -> None:
    branch = Branch().typed(first or "x").reply(second or "x")
    _, tokens = parts(exported(branch.thread(SETTINGS, r.Title(at=at(9), title="Title"))))
    outline = [t.markup for t in tokens if t.type == "heading_open" and t.level == 0 and len(t.markup) < 3]
    assert outline == ["#", "##", "##"]
    found = [one for one in outer(tokens) if one != "paragraph_open"]
    typed = ">" if (first or "x").strip() else "(no words)"
    assert found[:7] == ["#", "Title", "##", f"You · {at(1)} · m0001", typed, "##", f"Model · {at(2)} · m0002"]
    assert not has_html(tokens)


def test_an_answer_stands_as_it_was_written_with_its_headings_below_its_own() -> None:
    words = "Yes.\n\n# Plan\n\n- one\n  - `two`\n\n```sh\n# no heading\n```\n\n##### Last"
    assert list(written(words, 2)) == [
        *("Yes.", "", "### Plan", "", "- one", "  - `two`", "", "```sh", "# no heading", "```", "", "###### Last", ""),
    ]


@pytest.mark.parametrize("words", ["```\nopen", "<b>raw</b>", "[a]: /b", "Title\n===", "<!-- open"])
def test_an_answer_that_would_reach_beyond_its_end_is_quoted(words: str) -> None:
    assert list(written(words, 2)) == list(quoted(words))


@settings(max_examples=150, deadline=None)
@given(TEXTS.filter(lambda words: "<" not in words))
def test_without_its_marks_a_quote_is_the_text(words: str) -> None:
    *lines, last = quoted(words)
    assert last == ""
    assert all(line == ">" or line.startswith("> ") for line in lines)
    plain = "\n".join(line[2:] for line in lines)
    assert [visible(line) for line in plain.split("\n")] == visible(words.strip("\n")).split("\n")


def test_code_stays_code() -> None:
    words = "```html\n<div>\t</div>\n```\n\nThe tag `<div>` and ``<!-- ` -->``, 1 < 2, <https://x.org/>, <b>raw</b>"
    assert list(quoted(words)) == [
        "> ```html", "> <div>\t</div>", "> ```", ">",
        "> The tag `<div>` and ``<!-- ` -->``, 1 < 2, <https://x.org/>, \\<b>raw\\</b>", "",
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40) | TEXTS)
def test_a_line_of_our_own_stays_one_line_and_says_what_it_should(words: str) -> None:
    line = escaped(words)
    assert "\n" not in line
    tokens = MarkdownIt("commonmark").parse(f"# You {line}")
    assert [token.type for token in tokens] == ["heading_open", "inline", "heading_close"]
    assert rendered(tokens[1]) == f"You {one_line(words)}".rstrip()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40) | TEXTS)
@example('say "no": # {x}')
@example("🦊 \ud83d ---")
def test_front_matter_is_valid_and_ends_where_it_should(title: str) -> None:
    thread = Thread(header(id="x\n---\ny"), [r.Title(at=at(3), title=title)])
    facts, tokens = parts(exported(thread))
    assert facts["title"] == one_line(thread.title)
    assert facts["thread"] == "x --- y"
    assert list(facts) == [
        *("title", "thread", "created", "updated", "model", "branch", "messages", "hidden", "ended"),
    ]
    assert outer(tokens)[0] == "#"


# -- what is in it -------------------------------------------------------------------------------------------


def ended_thread() -> tuple[Thread, Branch]:
    branch = Branch().typed("fool").reply("So.", call("1"), model="claude-x").guard(result("1"))
    branch.reply("That is it.", call("2"), model="claude-x")
    records = [
        r.Verdict(at=at(9), message="m0002", outcome="confirm"),
        r.Verdict(at=at(10), message="m0004", outcome="ended"),
        r.Ended(at=at(10), message="m0004", cause="persistent_abuse", explanation="It went on.\n# and on"),
        r.Message(at=at(20), id="kind", parent=None, role="user", content=[text("dear")], kind="typed"),
        r.Message(at=at(21), id="kind2", parent="kind", role="assistant", content=[text("Thanks.")], kind="partial"),
        r.Hide(at=at(30), message="kind"),
        r.Label(at=at(31), message="kind", label="the *kind* one"),
        r.Feedback(at=at(32), message="m0004", thumb="down", comment="Too early."),
        r.Leaf(at=at(33), message="m0004"),
    ]
    return branch.thread(SETTINGS, *records), branch


def test_a_path_with_its_ending() -> None:
    thread, _ = ended_thread()
    document = exported(thread)
    facts, tokens = parts(document)
    assert facts | {
        "branch": "m0004", "messages": 3, "hidden": False, "ended": True, "ended_at": at(10),
        "ended_cause": "persistent_abuse", "ended_message": "m0004", "model": SETTINGS.model,
    } == facts  # fmt: skip
    assert [one for one in outer(tokens) if one != "paragraph_open"] == [
        "#", "fool",
        "##", f"You · {at(1)} · m0001 · 1/2", ">",
        "##", f"claude-x · {at(2)} · m0002", "So.",
        "The model asked to end the conversation, and was asked to confirm.",
        "##", f"claude-x · {at(4)} · m0004", "That is it.",
        "##", f"claude-x ended this conversation · {at(10)}", ">",
        "Cause: persistent abuse. This branch is locked at m0004.", "Your feedback: thumbs down · Too early.",
    ]  # fmt: skip
    assert "> # and on" in document
    assert "dear" not in document


@pytest.mark.parametrize("leaf", ["m0002", "m0003"])
def test_a_path_into_the_turn_of_an_ending_has_the_notice(leaf: str) -> None:
    facts, _ = parts(document := exported(ended_thread()[0], leaf))
    assert facts["ended"] is True and facts["branch"] == "m0002"
    assert document.count("ended this conversation") == 1


def test_a_hidden_path_is_marked() -> None:
    facts, tokens = parts(exported(ended_thread()[0], "kind2"))
    assert facts["hidden"] is True and facts["ended"] is False
    assert f"You · {at(20)} · kind · 2/2 · “the *kind* one” · hidden" in outer(tokens)
    assert f"Model · {at(21)} · kind2 · broken off · hidden" in outer(tokens)


def test_the_tree_has_every_branch_and_says_where_it_begins() -> None:
    branch = Branch().typed("q").reply("a1").typed("b").reply("c")
    other = r.Message(at=at(9), id="a2", parent="m0001", role="assistant", content=[text("other")], kind="reply")
    thread = branch.thread(SETTINGS, other, r.Hide(at=at(10), message="a2"))
    facts, tokens = parts(exported(thread, tree=True))
    assert (facts["branches"], facts["messages"], facts["hidden"], facts["ended"]) == (2, 5, 1, False)
    assert [one for one in outer(tokens) if one not in ("paragraph_open", ">")] == [
        "#", "q", "##", "Branch 1 · from the beginning",
        "###", f"You · {at(1)} · m0001", "Here the conversation branches: branch 3, branch 2.",
        "##", "Branch 2 · of branch 1, after m0001 · hidden",
        "###", f"Model · {at(9)} · a2 · 2/2 · hidden", "other",
        "##", "Branch 3 · of branch 1, after m0001",
        "###", f"Model · {at(2)} · m0002 · 1/2", "a1",
        "###", f"You · {at(3)} · m0003", "###", f"Model · {at(4)} · m0004", "c",
    ]  # fmt: skip


def test_the_tree_has_the_endings() -> None:
    facts, _ = parts(document := exported(ended_thread()[0], tree=True))
    assert facts["ended"] is True and facts["ended_message"] == "m0004"
    assert document.count("### claude-x ended this conversation") == 1
    assert document.count("> dear\n") == 1


@settings(max_examples=60, deadline=None)
@given(any_records())
def test_any_tree_has_each_message_once_and_any_path_its_own(records: list[r.Record]) -> None:
    thread = thread_of(*records)
    _, tokens = parts(exported(thread, tree=True))
    heads = [one for one in outer(tokens) if re.search(r"Z · n\d", one)]
    shown = {m.id for m in thread.messages.values() if not thread.unseen(m)}
    assert sorted(head.split(" · ")[2] for head in heads) == sorted(shown)
    for name in thread.messages:
        _, tokens = parts(exported(thread, name))
        ids = [one.split(" · ")[2] for one in outer(tokens) if re.search(r"Z · n\d", one)]
        assert ids == [message.id for message in thread.path(name) if message.id in shown]


def test_a_call_that_protected_someone_was_never_there() -> None:
    branch = Branch().typed("Hello").reply("Well.", call(explanation="SECRET")).guard(result(words="SECRET"))
    branch.reply(call("2", explanation="SECRET")).guard(result("2", words="SECRET")).reply("I am here.")
    private = [
        r.Verdict(at=at(90), message=name, outcome="declined", private=True, reasons=["SECRET"])
        for name in ("m0002", "m0004")
    ]
    for tree in (False, True):
        facts, _ = parts(document := exported(branch.thread(SETTINGS, *private), tree=tree))
        assert "SECRET" not in document and "end_conversation" not in document and "asked to end" not in document
        assert "m0004" not in document and "tool_use" not in document
        assert facts["messages"] == 3
    told = exported(branch.thread(SETTINGS, *private[:1], r.Verdict(at=at(91), message="m0002", outcome="declined",
                                                                    reasons=["The warning is missing."])))  # fmt: skip
    assert "*The model asked to end the conversation, and it was not ended: The warning is missing.*" in told


def test_what_is_not_text_is_named() -> None:
    blob = {"type": "blob", "sha256": "a" * 64, "media_type": "image/png", "name": "fox_1.png"}
    branch = Branch().typed({"type": "image", "source": blob}, "Look.", {"type": MISSING, "name": "lost.txt"})
    branch.reply(
        {"type": "thinking", "thinking": "A fox?\n<b>", "signature": "s"}, {"type": "redacted_thinking", "data": "x"},
        {"type": TOOL, "name": "view", "block": {}}, {"type": "novelty"}, stop="max_tokens",
    )  # fmt: skip
    branch.typed("On").reply("No.", stop="refusal").typed(" ").reply({"type": "thinking", "thinking": ""})
    document = exported(branch.thread())
    _, tokens = parts(document)
    notes = [one for one in outer(tokens)[2:] if not one.startswith(("#", "You", "Model", "paragraph"))]
    assert notes == [
        "Attachment: fox_1.png (image/png)", ">", "Attachment that did not come along: lost.txt",
        "Thinking:", ">", "Tool: view", "(novelty)", "Stopped: max_tokens.",
        ">", "No.", "Refused.", "(no words)", "(no words)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "block",
    [
        {"type": None}, {}, {"type": "text", "text": None}, {"type": "text", "text": 5},
        {"type": "image", "source": {}}, {"type": "image", "source": {"name": ["x"], "media_type": {}}},
        {"type": "thinking", "thinking": []},
        {"type": ["x"]}, {"type": "tool_use", "name": None}, {"type": "a\x1b[2J\n# b"}, {"source": 3},
    ],
)  # fmt: skip
def test_blocks_of_wrong_shapes_are_survived(block: r.Block) -> None:
    document = exported(Branch().typed(block).reply("Fine.").thread())
    assert "\nFine.\n" in document and "\x1b" not in document
    assert [one for one in outer(parts(document)[1]) if one.startswith("#")] == ["#", "##", "##"]


def test_a_thread_without_messages() -> None:
    facts, tokens = parts(exported(Thread(header())))
    assert facts["messages"] == 0 and facts["branch"] == ""
    assert [one for one in outer(tokens) if one != "paragraph_open"] == ["#", "Untitled"]
    assert parts(exported(Thread(header()), tree=True))[0]["branches"] == 0


def test_a_thread_of_great_depth() -> None:
    branch = Branch()
    for number in range(3000):
        branch.typed(f"q{number}").reply(f"a{number}")
    assert exported(branch.thread(), tree=True).count("\n### ") == 6000
