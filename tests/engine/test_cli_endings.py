"""Endings on the command line: who is asked, what nobody is told, `feedback` and its report."""

from __future__ import annotations

import pytest

from convend_tui.thread import records as r
from tests.engine.commands import CALL, REDIRECTIONS, WARNING, Home, abused, chat, ended_chat
from tests.making import Branch, at, call, result
from tests.referee import Reply, Text, ThreadedReferee, end_call

REQUEST = end_call("user_request", "You asked for it.", request="Please end this conversation.")


@pytest.mark.parametrize("yes", [False, True])
@pytest.mark.parametrize("command", ["ask", "edit", "retry"])
def test_an_ending_at_ones_own_request_needs_yes_end_on_a_pipe(
    online: Home, referee: ThreadedReferee, command: str, yes: bool
) -> None:
    branch = Branch().typed("Hello.").reply("Hello!").typed("Please end this conversation.").reply("Sure?")
    thread = online.save(branch)
    words = {
        "ask": ("ask", "-t", thread, "Yes."),
        "edit": ("edit", thread, "@last", "Please end this conversation. Now."),
        "retry": ("retry", thread, "@last"),
    }[command]
    referee.enqueue(Reply([REQUEST]), Reply([REQUEST]) if yes else "Then let us go on.")
    events = online.json(*words, *(["--yes-end"] if yes else []))
    verdicts = [event for event in events if event["type"] == "verdict"]
    assert events[-1]["locked"] is yes
    if yes:
        assert [verdict["outcome"] for verdict in verdicts] == ["confirm", "ended"]
        assert online.lines()[-1]["cause"] == "user_request"
    else:
        assert [verdict["outcome"] for verdict in verdicts] == ["declined"]
        assert "could not be asked" in verdicts[0]["reasons"][0]


def test_a_decline_that_protects_someone_is_in_the_file_and_nowhere_else(
    online: Home, referee: ThreadedReferee
) -> None:
    thread = online.save(abused())
    silent = end_call("persistent_abuse", "SECRET explanation.", REDIRECTIONS, WARNING)
    for words in (("--json",), ()):
        referee.enqueue(Reply([Text("Well."), silent]), "I am here for you.")
        done = online.run("ask", "-t", thread, "--at", abused().last, "I want to die.", *words)
        assert done.returncode == 0
        assert referee.left == 0
        for leak in ("verdict", "declined", "SECRET", "risk", "end_conversation"):
            assert leak not in done.stdout + done.stderr
    verdict = next(line for line in online.lines() if line["type"] == "verdict")
    assert (verdict["outcome"], verdict["private"]) == ("declined", True)
    assert verdict["evidence"][0]["quote"] == "I want to die"
    for shown in (
        online.run("show", thread),
        online.run("show", thread, "--json"),
        online.run("tree", thread),
        online.run("tree", thread, "--json"),
        online.run("list", "--json"),
        online.run("feedback", "--report", "--with-text"),
    ):
        assert shown.returncode == 0
        for leak in ("verdict", "SECRET", "stays open", "end_conversation"):
            assert leak not in shown.stdout + shown.stderr


def test_an_answer_that_was_nothing_but_a_protecting_decline_was_never_there(home: Home) -> None:
    branch = Branch().typed("I want to die.").reply(call("1", **CALL.input)).guard(result("1")).reply("I am here.")
    declined = r.Verdict(at=at(50), message=branch.path[1].id, outcome="declined", private=True)
    thread = home.save(branch, declined)
    (shown,) = home.json("show", thread)
    assert [(m["id"], m["parent"]) for m in shown["messages"]] == [("m0001", None), ("m0004", "m0001")]
    assert shown["messages"][-1]["siblings"] == ["m0004"]
    (tree,) = home.json("tree", thread)
    assert [(m["id"], m["parent"]) for m in tree["messages"]] == [("m0001", None), ("m0004", "m0001")]
    assert home.json("list")[0]["messages"] == 2
    for words in (("show", thread), ("tree", thread), ("feedback", "--report", thread, "--with-text")):
        said = home.run(*words).stdout
        assert not any(leak in said for leak in ("tool_use", "tool_result", "m0002", "m0003", "risk", "insults"))
    assert home.run("feedback", thread, "@last", "--up").stderr.endswith("on the answer m0004.\n")


def test_feedback_is_kept_in_the_thread(home: Home) -> None:
    thread, branch = ended_chat(home)
    done = home.run("feedback", thread, "@last", "--down", "--comment", "Too early.")
    assert (done.returncode, done.stdout) == (0, "")
    assert "thumbs down on the ending" in done.stderr
    assert home.run("feedback", thread, branch.path[1].id, "--up").returncode == 0
    found = [line for line in home.lines() if line["type"] == "feedback"]
    assert [(line["message"], line["thumb"], line.get("comment")) for line in found] == [
        (branch.last, "down", "Too early."),
        (branch.path[1].id, "up", None),
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("@last", "@last"), 2, "--up or --down"),
        (("@last", "@last", "--up", "--down"), 2, "--up or --down"),
        (("@last", "--up"), 2, "MESSAGE"),
        (("@last", "m0001", "--up"), 1, "your own"),
        (("@last", "nobody", "--up"), 1, "nobody"),
        (("nothing", "@last", "--up"), 1, "nothing"),
        (("@last", "@last", "--up", "--with-text"), 2, "--report"),
        (("@last", "@last", "--report"), 2, "--report"),
        (("--report", "--up"), 2, "--report"),
    ],
)
def test_bad_feedback_is_refused_and_nothing_is_written(
    home: Home, words: tuple[str, ...], code: int, said: str
) -> None:
    ended_chat(home)
    before = home.contents()
    done = home.run("feedback", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert home.contents() == before


def test_the_report_has_endings_and_declines_with_their_evidence(home: Home) -> None:
    thread, branch = ended_chat(home)
    other = home.save(chat(), name="2")
    home.run("feedback", thread, "@last", "--down", "--comment", "Too *early*.")
    done = home.run("feedback", "--report")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"## Thread {thread}" in done.stdout
    assert "- cause: persistent abuse" in done.stdout
    assert "thumbs down: Too \\*early\\*." in done.stdout
    assert other not in done.stdout
    assert "fool" not in done.stdout
    with_text = home.run("feedback", "--report", thread, "--with-text").stdout
    assert "> fool for ever" in with_text
    assert with_text.count(branch.path[0].id) == 2
    assert "There are none." in home.run("feedback", "--report", other).stdout


def test_a_file_that_cannot_be_read_is_named_and_the_report_goes_on(home: Home) -> None:
    thread, _ = ended_chat(home)
    (home.paths.threads / "20261122T000009-00000009.jsonl").write_text("nonsense\n")
    done = home.run("feedback", "--report")
    assert done.returncode == 1
    assert thread in done.stdout
    assert "20261122T000009-00000009" in done.stderr
