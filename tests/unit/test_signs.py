"""What of a thread is read for signs of risk, and how they are remembered; and the mark of a warned branch."""

from __future__ import annotations

import pytest

from convend_tui.ending import signs
from convend_tui.ending.marks import warned
from convend_tui.ending.signs import RiskReader
from convend_tui.thread import records as r
from tests.making import SETTINGS, Branch, at, call, result

WISH = "I want to die."
HEARD = "The person says that they want to die."


def reader(text: str | None = None) -> RiskReader:
    return RiskReader(lambda block: text)


def document(**more: object) -> r.Block:
    return {"type": "document", "source": {"type": "blob", "sha256": "0" * 64, "media_type": "text/plain"}} | more


@pytest.mark.parametrize(
    "branch",
    [
        Branch().typed(WISH),
        Branch().typed("Hello", WISH),
        Branch().typed("Hello").reply(f"You said: {HEARD}"),
        Branch().typed("Hello").reply(HEARD, kind="partial"),
        Branch().typed("Hello").reply(call(explanation=HEARD)),
        Branch().typed(document(title=WISH)),
        Branch().typed(document(context=WISH)),
    ],
    ids=["typed", "second block", "reply", "partial", "explanation", "title", "context"],
)
def test_a_sign_is_found_wherever_words_stand(branch: Branch) -> None:
    sign = next(sign for sign in reader().read(branch.path) if sign["language"] == "en")
    assert (sign["kind"], sign["sign"]) == ("risk", "self_harm")
    assert "want to die" in sign["quote"]
    assert sign["message"] == branch.last


def test_the_models_words_are_read_as_the_models() -> None:
    """A refusal or a warning is no sign; the same words would be, had the person typed them."""
    refusal = "I can't help you hurt people, and I would like you to stop threatening me."
    assert not reader().read(Branch().typed("Hello").reply(refusal).path)
    assert reader().read(Branch().typed("He keeps threatening me.").path)


def test_the_text_of_an_attachment_is_read() -> None:
    assert reader(f"Monday.\n{WISH}\nTuesday.").read(Branch().typed(document(), "My diary.").path)
    assert not reader("Monday. Tuesday.").read(Branch().typed(document(), "My diary.").path)


@pytest.mark.parametrize(
    "branch",
    [
        Branch().typed("Hello").reply({"type": "thinking", "thinking": WISH, "signature": "x"}, "Hello!"),
        Branch().typed("Hello").reply(call(redirections=[WISH])).guard(result("1", WISH)),
        Branch().typed("Hello").reply(call(name="other", explanation=WISH)),
        Branch().typed("Hello").reply({"type": "text", "text": None}, {"type": "tool_use"}, {"type": "new", "x": WISH}),
    ],
    ids=["thinking", "quotations and the client's own words", "another tool", "odd blocks"],
)
def test_what_is_nobodys_own_words_is_not_read(branch: Branch) -> None:
    assert reader(WISH).read(branch.path) == []


def test_each_message_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def find_signs(text: str, *, of_model: bool) -> list[object]:
        read.append(text)
        return []

    monkeypatch.setattr(signs, "find_signs", find_signs)
    branch = Branch().typed("a").reply("b")
    one = reader()
    one.read(branch.path)
    one.read(branch.typed("c").path)
    assert read == ["a", "b", "c"]


def test_what_an_earlier_verdict_saw_holds_for_good() -> None:
    """The patterns of a later version may not find it any more, and the message may be gone from the file."""
    sign = {"kind": "risk", "quote": "something", "message": "gone", "sign": "self_harm", "language": "en"}
    seen = r.Verdict(at=at(1), message="m1", outcome="declined", private=True, evidence=[sign])
    assert reader().read([], [seen]) == [sign]
    opinion = r.Verdict(at=at(1), message="m1", outcome="declined", private=True, second_opinion={"at_risk": True})
    assert reader().read([], [opinion])[0]["kind"] == "risk"
    for passing in (
        r.Verdict(at=at(1), message="m1", outcome="declined", private=True, second_opinion={"at_risk": None}),
        r.Verdict(at=at(1), message="m1", outcome="declined", second_opinion={"at_risk": False}),
        r.Verdict(at=at(1), message="m1", outcome="declined", reasons=["No warning."]),
    ):
        assert reader().read([], [passing]) == []


# The mark


def verdict(
    branch: Branch, message: int, outcome: str = "declined", cited: int | None = None, **more: object
) -> r.Verdict:
    evidence = [] if cited is None else [{"kind": "warning", "quote": "x", "message": branch.path[cited].id}]
    given = {"outcome": outcome, "evidence": evidence} | more
    return r.Verdict(at=at(90), message=branch.path[message].id, **given)  # type: ignore[arg-type]


def test_a_branch_is_warned_where_a_verdict_cites_its_warning_or_declined_a_call() -> None:
    branch = Branch().typed("a").reply("b").typed("c").reply("warning").typed("d").reply(call())

    def marked(*records: r.Record, leaf: int = -1) -> bool:
        return warned(branch.thread(SETTINGS, *records), branch.path[leaf].id)

    assert not marked()
    assert marked(verdict(branch, 5))
    assert not marked(verdict(branch, 5), leaf=4)
    assert not marked(verdict(branch, 5, "confirm"))
    # Cited on another branch, it stands on this one as well, from the warning on.
    assert marked(verdict(branch, 5, "confirm", cited=3), leaf=4)
    assert marked(verdict(branch, 5, "ended", cited=3), leaf=3)
    assert not marked(verdict(branch, 5, "ended", cited=3), leaf=2)
    assert not marked(verdict(branch, 5, private=True))
    assert not marked(verdict(branch, 5, evidence=[{"kind": "request", "quote": "x", "message": None}]))
    assert not warned(branch.thread(SETTINGS, verdict(branch, 5)), None)
