"""`ask`, `edit`, `retry` and `models`, against the referee."""

from __future__ import annotations

import pytest

from tests import making
from tests.engine.commands import CALL, Home, abused, chat, ended_chat
from tests.referee import HttpError, Refusal, Reply, Text, Thinking, ThreadedReferee


def test_ask_prints_the_answer_and_goes_on_where_it_was_left(online: Home, referee: ThreadedReferee) -> None:
    note = online.root / "note.txt"
    note.write_text("Remember the milk.")
    referee.enqueue(Reply([Thinking("Hm.", display="summarized"), Text("An animal.\nRed.")]), "Another one.")
    done = online.run("ask", "What is a fox?", "-a", str(note), "-s", "Be brief.")
    assert (done.returncode, done.stdout, done.stderr) == (0, "An animal.\nRed.\n", "")
    request = referee.requests[-1]
    assert request["messages"][0]["content"][0]["source"]["data"] == "Remember the milk."
    assert request["system"].startswith("Be brief.")

    events = online.json("ask", "-t", "@last", stdin="And a dog?\nA big one.\r\n")
    assert [event["type"] for event in events[:1] + events[-1:]] == ["turn_started", "turn_ended"]
    assert set(events[0]) == {"type", "thread", "message"}
    assert "".join(event["text"] for event in events if event["type"] == "text") == "Another one."
    end = events[-1]
    assert set(end) == {"type", "message", "stop_reason", "locked", "usage"}
    assert (end["stop_reason"], end["locked"]) == ("end_turn", False)
    assert end["usage"]["output_tokens"] > 0
    lines = online.lines()
    assert (lines[0]["id"], lines[-1]["id"], lines[-2]["id"]) == (
        events[0]["thread"],
        end["message"],
        events[0]["message"],
    )
    assert lines[-2]["content"] == [{"type": "text", "text": "And a dog?\nA big one."}]
    assert referee.requests[-1]["messages"][0] == request["messages"][0]


def test_edit_and_retry_make_branches(online: Home, referee: ThreadedReferee) -> None:
    branch = chat()
    thread = online.save(branch)
    referee.enqueue("A cat purrs.", Reply([Thinking("Hm.", display="summarized"), Text("A cat.")]))
    events = online.json("edit", thread[:16], "@last", "And a cat?")
    assert events[-1]["type"] == "turn_ended"
    assert online.lines()[-2]["parent"] == branch.path[1].id
    events = online.json("retry", "@last", "@last", "-m", "claude-haiku-5-5")
    assert {"type": "thinking", "text": "Hm."} in events
    assert referee.requests[-1]["model"] == "claude-haiku-5-5"
    siblings = online.json("show", "@last")[0]["messages"][-1]["siblings"]
    assert len(siblings) == 2
    assert siblings[1] == events[-1]["message"]
    # An edit that changes nothing writes and sends nothing.
    before, asked = online.contents(), len(referee.requests)
    done = online.run("edit", thread, branch.path[0].id, stdin="What is a fox?\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Nothing was changed" in done.stderr
    assert (online.contents(), len(referee.requests)) == (before, asked)


def test_a_turn_can_end_the_conversation_and_the_next_is_refused(online: Home, referee: ThreadedReferee) -> None:
    thread = online.save(abused())
    referee.enqueue(Reply([Text("That is it."), CALL]), Reply([Text("I am sure."), CALL]))
    events = online.json("ask", "-t", thread, "fool for ever")
    assert [event["outcome"] for event in events if event["type"] == "verdict"] == ["confirm", "ended"]
    assert all(set(event) == {"type", "outcome", "reasons"} for event in events if event["type"] == "verdict")
    assert events[-1]["locked"] is True
    assert online.lines()[-1]["type"] == "ended"
    before, asked = online.contents(), len(referee.requests)
    (error,) = online.json("ask", "-t", thread, "hello?", code=3)
    assert error == {"type": "error", "error": "locked", "retryable": False}
    assert (online.contents(), len(referee.requests)) == (before, asked)


def test_a_locked_branch_exits_3_and_nothing_is_written(home: Home) -> None:
    thread, branch = ended_chat(home)
    before = home.contents()
    guard = branch.path[-2].id
    for words in (
        ("ask", "-t", thread, "hello?"),
        ("ask", "-t", thread, "--at", "@last", "hello?"),
        ("ask", "-t", thread, "--at", guard, "hello?"),
        ("retry", thread, "@last"),
        ("retry", thread, branch.path[6].id),
        ("retry", thread, branch.path[7].id),
    ):
        done = home.run(*words)
        assert (done.returncode, done.stdout) == (3, ""), words
        assert done.stderr == (
            "convend: The model ended this conversation, and this branch is locked. "
            "Start a new chat, or edit an earlier message to branch.\n"
        )
    assert home.contents() == before


def test_an_earlier_message_of_an_ended_thread_can_be_edited(online: Home, referee: ThreadedReferee) -> None:
    thread, _ = ended_chat(online)
    referee.enqueue("Gladly.")
    events = online.json("edit", thread, "@last", "I am sorry.")
    assert events[-1]["locked"] is False
    (shown,) = online.json("show", thread)
    assert (shown["locked"], shown["ended"]) == (False, None)


def test_no_answer_exits_4_and_what_was_typed_is_kept(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(HttpError(401, "authentication_error", "invalid bearer token"), Refusal("cyber", "Not this."))
    done = online.run("ask", "hello")
    assert (done.returncode, done.stdout) == (4, "")
    assert "401" in done.stderr
    assert "What you typed is kept" in done.stderr
    assert online.lines()[-1]["kind"] == "typed"
    events = online.json("ask", "-t", "@last", "hello", code=4)
    assert events[-1]["stop_reason"] == "refusal"
    assert [line["type"] for line in online.lines()] == ["thread", "message", "message"]


def test_nothing_to_send_to(home: Home) -> None:
    (home.root / "config.toml").write_text("")
    done = home.run("ask", "hello")
    assert done.returncode == 4
    assert "ANTHROPIC_API_KEY" in done.stderr
    assert "What you typed is kept" in done.stderr
    assert home.lines()[-1]["content"] == [{"type": "text", "text": "hello"}]
    (home.root / "threads").rename(home.root / "away")
    events = home.json("ask", "hello", code=4)
    assert [event["type"] for event in events] == ["turn_started", "error"]
    assert set(events[1]) == {"type", "error", "retryable"}


def test_the_environment_alone_names_a_server(online: Home, referee: ThreadedReferee) -> None:
    (online.root / "config.toml").unlink()
    referee.enqueue("Hello.")
    named = {"ANTHROPIC_API_KEY": "test-key", "ANTHROPIC_BASE_URL": f"{referee.base_url}/v1/"}
    done = online.run("ask", "hello", **named)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done.stderr
    done = online.run("models", **named)
    assert done.returncode == 0
    assert "anthropic/claude-opus-5-5\tClaude Opus 5.5" in done.stdout.splitlines()


def test_models(online: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    models = online.json("models")
    assert {"referee"} == {model["server"] for model in models}
    assert making.MODEL in [model["id"] for model in models]
    assert set(models[0]) == {"server", "id", "name", "max_tokens"}
    deaf = Home(tmp_path_factory.mktemp("deaf"))
    done = deaf.run("models")
    assert (done.returncode, done.stdout) == (4, "")
    assert "127.0.0.1:9" in done.stderr
