"""The page of HTML: what is in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from convend_tui.errors import StoreError
from convend_tui.exchange.incoming import MISSING, TOOL
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header, result
from tests.unit.pages import Parsed, check_safe, ended, forked, parsed, written

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
