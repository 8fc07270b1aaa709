"""The page of HTML: what is in it, and that nothing of what was said gets out of its place in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import StoreError
from convend_tui.exchange.html import page
from convend_tui.exchange.html_markdown import markdown
from convend_tui.exchange.incoming import MISSING, TOOL
from convend_tui.plain import visible
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, result

TAGS = set(
    re.findall(
        r"\w+",
        "html head meta link title style body a div header h1 h2 h3 h4 h5 h6 p noscript main article script dialog "
        "button dl dt dd kbd time span section details summary ul ol li strong em s code pre blockquote hr br table "
        "thead tbody tr th td figure img figcaption",
    )
)
ATTRIBUTES = set(
    re.findall(
        r"[\w-]+",
        "lang charset http-equiv content name rel href class id data-number tabindex hidden role aria-label "
        "aria-labelledby datetime dir target type start alt src",
    )
)
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</noscript><script>alert(1)</script>",
    "</article></main></style></title></textarea><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>--><svg onload=alert(1)>",
    '"><a href="javascript:alert(1)" onclick="alert(1)">x</a>',
    "[x](javascript:alert(1)) [y](  JaVaScRiPt:alert(1)) [z](data:text/html,<script>alert(1)</script>)",
    "[x](&#106;avascript:alert(1)) [y](java&Tab;script:alert(1)) [z](vbscript:x)",
    "[f](file:///etc/passwd) [r](//evil.example) [s](/x) [t](#m-b) [u](mailto:) [v](http:/x)",
    "![i](http://evil.example/pixel.png) ![j](javascript:alert(1)) ![k](//evil.example/x.png)",
    "<javascript:alert(1)> <https://evil.example/'onmouseover='alert(1)>",
    '[x](https://evil.example/"onmouseover="alert(1)) [y](https://evil.example "t\\" onclick=alert(1)")',
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "[a]: javascript:alert(1)\n[a] ![a]",
    "| <img src=x onerror=alert(1)> | `</td>` |\n|:--|--:|\n| a | b |",
    "\u202eoverride\u2066 &#x202e; \u2028\u2029 \x00\x1b[31m \x7f\x9b \ud800 &#xD800; \U000e0041",
    "${alert(1)} {{alert(1)}} \\u003cscript\\u003e \\",
]


class Parsed(HTMLParser):
    """A page as a browser without scripts reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.words = ""
        self.comments: list[str] = []
        self._raw: list[str] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        raw = {"script": self.scripts, "style": self.styles}.get(tag)
        if raw is not None:
            raw.append("")
        self._raw = raw

    def handle_endtag(self, tag: str) -> None:
        self._raw = None

    def handle_data(self, data: str) -> None:
        if self._raw is not None:
            self._raw[-1] += data
        else:
            self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def data(self) -> dict[str, Any]:
        value = json.loads(self.scripts[0])
        assert isinstance(value, dict)
        return value

    def attributes(self, tag: str, name: str) -> list[str | None]:
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]


def written(thread: Thread, leaf: str | None = None, **options: Any) -> str:
    return "".join(page(thread, leaf, **options))


def parsed(thread: Thread, leaf: str | None = None, **options: Any) -> Parsed:
    return Parsed(written(thread, leaf, **options))


def message(name: str, parent: str | None, number: int, words: str = "", **more: Any) -> r.Message:
    role: r.Role = more.pop("role", "user" if number % 2 else "assistant")
    given = {"kind": "typed" if role == "user" else "reply", "content": [{"type": "text", "text": words or name}]}
    return r.Message(at=at(number), id=name, parent=parent, role=role, **(given | more))


def forked(*records: Any) -> Thread:
    """a - b - c - d, and beside c: e - f."""
    messages = [message("a", None, 1), message("b", "a", 2), message("c", "b", 3), message("d", "c", 4)]
    messages += [message("e", "b", 5), message("f", "e", 6)]
    return Thread(header(), [*messages, *records])


def check_safe(text: str) -> Parsed:
    """Nothing in the page but what convend writes."""
    text.encode("utf-8")
    found = Parsed(text)
    assert {tag for tag, _ in found.tags} <= TAGS
    assert {name for _, attrs in found.tags for name in attrs} <= ATTRIBUTES
    assert not found.comments
    for address in found.attributes("a", "href"):
        assert re.match(r"https?://[^\s]|mailto:[^\s]|#(m-|transcript$)", str(address)), address
    for address in found.attributes("img", "src"):
        assert re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+", str(address))
    for tag, attrs in found.tags:
        if tag == "a" and str(attrs["href"]).startswith(("http", "mailto")):
            assert attrs["rel"] == "noopener noreferrer nofollow"
    return found


# -- the page -------------------------------------------------------------------------------------------


def test_the_page_has_the_whole_tree_and_the_path_without_a_script() -> None:
    found = parsed(forked(), "d")
    assert [m["id"] for m in found.data["messages"]] == ["a", "b", "c", "d", "e", "f"]
    assert [m["parent"] for m in found.data["messages"]] == [-1, 0, 1, 2, 1, 4]
    assert found.data["messages"][found.data["leaf"]]["id"] == "d"
    assert found.attributes("article", "id") == ["m-a", "m-b", "m-c", "m-d"]
    # The words of each message are in the page once: in the path, or in the data.
    assert [m["id"] for m in found.data["messages"] if "html" in m] == ["e", "f"]
    assert found.data["messages"][1]["next"] == 4, "who goes to b comes out where the thread was used last"


def test_it_opens_where_the_thread_was_left_or_where_it_is_asked_to() -> None:
    def leaf(thread: Thread, wanted: str | None) -> str:
        data = parsed(thread, wanted).data
        return str(data["messages"][data["leaf"]]["id"])

    assert leaf(forked(), None) == "f"
    assert leaf(forked(r.Leaf(at=at(9), message="d")), None) == "d"
    assert leaf(forked(), "c") == "d", "the whole branch through a message"
    assert leaf(forked(), "nowhere") == "f"


def test_a_thread_without_messages_says_so() -> None:
    found = parsed(Thread(header()))
    assert found.data == {"leaf": -1, "messages": []}
    assert "There are no messages" in found.words


def test_the_policy_allows_this_script_and_this_style_and_nothing_else() -> None:
    found = parsed(forked())
    policy = next(a["content"] for t, a in found.tags if t == "meta" and a.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert len(found.scripts) == 2 and len(found.styles) == 1
    assert rules == {
        "default-src": "'none'",
        "script-src": source(found.scripts[1]),
        "style-src": source(found.styles[0]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [attrs.get("type") for tag, attrs in found.tags if tag == "script"] == ["application/json", None]
    assert found.attributes("script", "src") == [] and found.attributes("link", "href") == ["data:,"]
    assert "//" not in found.styles[0] and "url(" not in found.styles[0] and "@import" not in found.styles[0]


def test_hidden_branches_are_there_and_say_so() -> None:
    found = parsed(forked(r.Hide(at=at(9), message="e")))
    messages = {m["id"]: m for m in found.data["messages"]}
    assert [name for name, m in messages.items() if m.get("hidden")] == ["e", "f"]
    assert "(hidden)" in messages["e"]["html"] and "hidden-branch" in messages["f"]["class"]
    assert messages["b"]["next"] == 2, "nobody gets there by going down"
    assert "2/2" not in found.words and "1/2" not in found.words, "hidden branches do not count"
    assert "1 hidden" in found.words


# -- hostile content --------------------------------------------------------------------------------------


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


# -- what may be seen ---------------------------------------------------------------------------------------


def declined(words: str, *, private: bool) -> Thread:
    branch = Branch().typed("Hello").reply(*([words] if words else []), call(explanation="SECRET-CALL"))
    branch.guard(result(words="SECRET-RESULT")).reply("I am here.")
    verdict = r.Verdict(
        at=at(90),
        message=branch.path[1].id,
        outcome="declined",
        reasons=["REASON"],
        evidence=[{"kind": "warning", "message": branch.path[1].id, "quote": "QUOTE"}],
        private=private,
        second_opinion={"at_risk": True, "reason": "OPINION"},
    )
    return branch.thread(SETTINGS, verdict, r.Feedback(at=at(91), message=branch.path[1].id, thumb="up"))


@pytest.mark.parametrize("words", ["", "Well."])
def test_a_decline_that_protects_someone_is_nowhere_in_the_page(words: str) -> None:
    text = written(declined(words, private=True))
    for secret in ("SECRET", "REASON", "QUOTE", "OPINION", "m0003", "asked to end", "tool_use", "verdict", "risk"):
        assert secret not in text.replace(Parsed(text).scripts[1], ""), secret
    found = Parsed(text)
    shown = [m["id"] for m in found.data["messages"]]
    assert shown == (["m0001", "m0002", "m0004"] if words else ["m0001", "m0004"])
    assert not any(m.get("warned") for m in found.data["messages"])
    assert ("m0002" in text) == bool(words)


def test_a_decline_that_was_told_is_told() -> None:
    found = parsed(declined("Well.", private=False))
    assert "The model asked to end the conversation · not ended: REASON" in found.words
    assert "SECRET" not in found.words and "OPINION" not in found.words
    assert found.data["messages"][-1]["warned"] is True
    assert "more" in found.data["messages"][-1]["class"], "it goes on with what it said before the call"


def ended(**more: Any) -> Thread:
    branch = Branch().typed("Hello").reply("This is a warning, the last one.", model="claude-x").typed("No!")
    branch.reply("Enough.", call(), model="claude-x")
    evidence = [{"kind": "warning", "message": branch.path[1].id, "quote": "a warning, the last one"}]
    lock = r.Ended(
        at=at(95), message=branch.last, cause="persistent_abuse", explanation="It went <on>.", evidence=evidence
    )
    verdict = r.Verdict(at=at(95), message=branch.last, outcome="ended", evidence=evidence, **more)
    other = message("other", branch.path[1].id, 50)
    return branch.thread(SETTINGS, verdict, lock, other)


@pytest.mark.parametrize("private", [False, True])
def test_an_ending_says_who_when_and_why(private: bool) -> None:
    found = parsed(ended(private=private), "m0004")
    assert "claude-x ended this conversation" in found.words
    assert "22 Nov 2026, 00:01 UTC · persistent abuse" in found.words
    assert "It went <on>." in found.words and "“a warning, the last one”" in found.words
    assert "#m-m0002" in found.attributes("a", "href")
    assert [("class", attrs["class"]) for tag, attrs in found.tags if tag == "section" and "class" in attrs] == [
        ("class", "notice")
    ]
    messages = {m["id"]: m for m in found.data["messages"]}
    assert messages["m0004"]["ended"] is True and "warned" not in messages["m0004"]
    assert bool(messages["other"].get("warned")) is not private
    assert "1 ended" in found.words


def test_thinking_is_folded_and_cut_answers_say_so() -> None:
    branch = Branch().typed("Hello")
    branch.reply({"type": "thinking", "thinking": "Hmm, well."}, "Yes", stop="max_tokens")
    branch.typed("So?").reply({"type": "redacted_thinking", "data": "x"}, "Half", kind="partial")
    branch.typed("And?").reply(stop="end_turn")
    found = parsed(branch.thread())
    assert any(tag == "details" and attrs.get("class") == "thinking" for tag, attrs in found.tags)
    assert not any(tag == "details" and "open" in attrs for tag, attrs in found.tags)
    for words in ("Thinking · 2 words", "Hmm, well.", "Cut short", "Stopped or broken off", "not shown by the model"):
        assert words in found.words
    assert "(an empty answer)" in found.words


# -- attachments ----------------------------------------------------------------------------------------------


def attached(media_type: str, kind: str = "image") -> Thread:
    source = {"type": "blob", "sha256": "0" * 64, "media_type": media_type, "name": "a photo.png"}
    return Branch().typed("Look", {"type": kind, "source": source}).thread()


def _missing(_: str) -> bytes:
    raise StoreError("An attachment is missing.")


def test_images_are_in_the_page() -> None:
    asked: list[str] = []
    found = check_safe(written(attached("image/png"), load_blob=lambda name: asked.append(name) or b"bytes"))  # type: ignore[func-returns-value]
    assert found.attributes("img", "src") == [f"data:image/png;base64,{base64.b64encode(b'bytes').decode()}"]
    assert found.attributes("img", "alt") == ["a photo.png"] and asked == ["0" * 64]


@pytest.mark.parametrize(
    ("thread", "load"),
    [
        (attached("image/png"), None),
        (attached("image/png"), _missing),
        (attached("image/svg+xml"), lambda _: b"<svg/>"),
        (attached("text/html"), lambda _: b"<b>"),
        (attached("application/pdf", "document"), lambda _: b"%PDF-"),
    ],
)
def test_what_is_not_at_hand_or_no_image_is_named(thread: Thread, load: Callable[[str], bytes] | None) -> None:
    found = check_safe(written(thread, load_blob=load))
    assert found.attributes("img", "src") == [] and "📎 a photo.png (" in found.words


def test_what_came_from_other_programs_is_named() -> None:
    blocks: list[r.Block] = [
        {"type": TOOL, "name": "web_search", "block": {"input": "x"}},
        {"type": MISSING, "name": "notes.pdf"},
    ]
    found = parsed(Branch().typed("Go").reply("Yes", *blocks).thread())
    assert "⚙ web_search" in found.words and "notes.pdf · missing" in found.words
