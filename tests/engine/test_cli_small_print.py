"""What a checker who knows only the contract looked for, and did not find."""

from __future__ import annotations

from pathlib import Path

import pytest

from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.engine.commands import Home, Json, chat
from tests.making import at
from tests.referee import HttpError, Refusal, ThreadedReferee


@pytest.mark.parametrize(("words", "quoted"), [("no such thing", "no such thing."), ("Go away!", "Go away!")])
def test_the_words_of_a_server_do_not_run_into_what_follows(
    online: Home, referee: ThreadedReferee, words: str, quoted: str
) -> None:
    referee.enqueue(HttpError(400, "invalid_request_error", words))
    done = online.run("ask", "hello")
    assert done.returncode == 4
    assert f"It says: {quoted} What you typed is kept" in done.stderr


def test_the_times_of_a_refused_answer_are_those_of_what_was_kept(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Refusal("cyber", "Not this.", partial_text="Well, first you"))
    assert online.run("ask", "hello").returncode == 4
    refused = online.lines()[-1]
    assert (refused["stop_reason"], refused["content"], refused["timing"]["chunks"]) == ("refusal", [], [])
    assert refused["timing"]["first_ms"] is not None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b'{"type":"mess', "the last line was torn (13 bytes) and was cut off"),
        (b"broken\n", "line 6 is skipped: not valid JSON"),
    ],
    ids=["torn", "broken"],
)
def test_a_turn_says_what_is_wrong_with_the_file(
    online: Home, referee: ThreadedReferee, lines: bytes, said: str
) -> None:
    thread = online.save(chat())
    with (online.paths.threads / f"{thread}.jsonl").open("ab") as file:
        file.write(lines)
    referee.enqueue("Here I am.")
    done = online.run("ask", "-t", thread, "hello")
    assert (done.returncode, done.stdout) == (0, "Here I am.\n")
    assert done.stderr.startswith(f"convend: {said}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_check_that_fails_says_so_on_standard_error(home: Home, more: tuple[str, ...]) -> None:
    home.paths.threads.mkdir(mode=0o700)
    (home.paths.threads / "20261122T000001-00000001.jsonl").write_text("no thread\n")
    done = home.run("check", *more)
    assert done.returncode == 1
    assert done.stderr == "convend: Something is wrong in 1 place.\n"


@pytest.mark.parametrize("words", [("ask", "-t", "@last", "--at", "", "hello"), ("show", "@last", "--at", "")])
def test_an_empty_message_id_is_none_and_not_the_end_of_the_branch(
    online: Home, referee: ThreadedReferee, words: tuple[str, ...]
) -> None:
    online.save(chat())
    before = online.contents()
    done = online.run(*words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "convend: There is no message ''.\n")
    assert online.contents() == before
    assert not referee.requests


def test_a_lock_that_fell_elsewhere_while_the_answer_came_is_told(tmp_path: Path) -> None:
    asked: list[Json] = []

    def answer(request: Json) -> str:
        asked.append(request)
        handle = Library(home.paths).open(thread)
        ended = r.Ended(at=handle.now(), message="m0004", cause="persistent_abuse", explanation="It went on.")
        handle.append_now([ended])
        return "An answer."

    with ThreadedReferee(answer, opinion=False) as referee:
        home = Home(tmp_path, referee.base_url)
        thread = home.save(chat())
        events = home.json("ask", "-t", thread, "hello")
        assert (events[-1]["type"], events[-1]["locked"]) == ("turn_ended", True)
        assert home.lines()[-1]["content"] == [{"type": "text", "text": "An answer."}]
        assert home.run("ask", "-t", thread, "more").returncode == 3
        assert len(asked) == 1


def test_an_ending_whose_cause_an_export_does_not_say_is_shown_as_such(home: Home) -> None:
    branch = chat()
    home.save(branch, r.Ended(at=at(100), message=branch.last, cause="unknown", explanation="It does not say why."))
    assert "· no stated cause\n" in home.run("show", "@last").stdout
    assert home.json("show", "@last")[0]["ended"]["cause"] == "unknown"
