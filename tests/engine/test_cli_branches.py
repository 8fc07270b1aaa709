"""`label`, `hide` and `restore`, by real processes; and what the other commands say of what is hidden."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.engine.commands import Home, Json
from tests.making import Branch, at

THREAD = "20261122T000001-00000001"


def forked() -> Branch:
    """q1 a1 q2 a2, and beside q2 another question with its answer, where the person was last."""
    branch = Branch().typed("first").reply("one").typed("second").reply("two")
    beside = Branch().typed("beside").reply("elsewhere").path
    for number, (message, parent) in enumerate(zip(beside, ("m0002", "x1"), strict=True), 1):
        branch.path.append(msgspec.structs.replace(message, id=f"x{number}", parent=parent, at=at(10 + number)))
    return branch


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    assert home.save(forked()) == THREAD
    return home


def thread(home: Home) -> Thread:
    return Library(home.paths).open(THREAD).thread


def test_hide_and_restore_say_how_much_it_is(home: Home) -> None:
    done = home.run("hide", "@last", "x1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 messages on 1 branch are out of sight. To bring back: convend restore {THREAD} x1\n"
    assert thread(home).hidden("x2")
    assert thread(home).leaf == "m0004"
    # Everything is in the file, in `show` and in the tree, which marks it.
    assert "elsewhere" in home.run("show", "@last", "--at", "x2").stdout
    assert home.run("show", "@last").stdout.count("──") == 4
    marked = [line for line in home.run("tree", "@last").stdout.splitlines() if "hidden" in line]
    assert [("beside" in line, "elsewhere" in line) for line in marked] == [(True, False), (False, True)]
    tree: Json = json.loads(home.run("tree", "@last", "--json").stdout)
    assert [m["id"] for m in tree["messages"] if m["hidden"]] == ["x1", "x2"]
    assert tree["leaf"] == "m0004"

    done = home.run("restore", "@last", "x2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 messages on 1 branch are back.\n", "")
    assert not thread(home).hidden("x2")
    assert thread(home).leaf == "x2"


def test_what_cannot_be_hidden_or_restored_is_said_and_nothing_is_written(home: Home) -> None:
    file = home.paths.threads / f"{THREAD}.jsonl"
    before = file.read_bytes()
    for words, sentence in (
        (("hide", "@last", "m0001"), "This is the last path in sight, and it stays in sight."),
        (("hide", "@last", "nothing"), "There is no message 'nothing'."),
        (("restore", "@last", "x1"), "This message is not hidden."),
    ):
        done = home.run(*words)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"convend: {sentence}\n")
    assert file.read_bytes() == before
    home.run("hide", "@last", "x1")
    before = file.read_bytes()
    done = home.run("hide", "@last", "x2")
    assert (done.returncode, done.stderr) == (1, "convend: This is hidden already.\n")
    assert file.read_bytes() == before


def test_restore_undoes_whatever_keeps_a_message_out_of_sight(home: Home) -> None:
    home.run("hide", "@last", "x2")
    home.run("hide", "@last", "x1")
    assert home.run("restore", "@last", "x2").stdout == "2 messages on 1 branch are back.\n"
    assert [line["type"] for line in home.lines()].count("restore") == 2


def test_a_hidden_lock_is_a_lock(home: Home) -> None:
    home.save(forked(), r.Ended(at=at(12), message="x2", cause="persistent_abuse", explanation="Over."))
    assert home.run("ask", "more", "-t", "@last").returncode == 3
    done = home.run("hide", "@last", "x1")
    assert done.returncode == 0
    for words in (("ask", "more", "-t", "@last", "--at", "x2"), ("retry", "@last", "x2")):
        assert home.run(*words).returncode == 3
    shown: Json = json.loads(home.run("show", "@last", "--at", "x2", "--json").stdout)
    assert shown["locked"]
    assert not json.loads(home.run("show", "@last", "--json").stdout)["locked"]


def test_a_label_is_given_printed_changed_and_taken_away(home: Home) -> None:
    assert home.run("label", "@last", "x1").stdout == ""
    done = home.run("label", "@last", "x1", "  the other one ")
    assert (done.returncode, done.stdout) == (0, "")
    assert "“the other one”" in done.stderr
    assert home.run("label", "@last", "x1").stdout == "the other one\n"
    assert thread(home).labels["x1"].label == "the other one"
    assert "the other one" in home.run("tree", "@last").stdout
    count = len(home.lines())
    assert home.run("label", "@last", "x1", "the other one").returncode == 0
    assert len(home.lines()) == count, "what is so already is not written again"
    assert home.run("label", "@last", "@last", "renamed").returncode == 0
    assert thread(home).labels["x2"].label == "renamed"
    assert home.run("label", "@last", "x1", "--clear").returncode == 0
    assert home.run("label", "@last", "x1").stdout == ""
    assert home.run("label", "@last", "x2", "").returncode == 0
    assert thread(home).labels["x2"].label == ""


def test_a_label_is_data_whatever_is_in_it(home: Home) -> None:
    evil = "\x1b[31mred\n‮ [/b] ünï"
    assert home.run("label", "@last", "x1", evil).returncode == 0
    assert thread(home).labels["x1"].label == evil.strip()
    assert home.run("label", "@last", "x1").stdout == evil.strip() + "\n"
    assert "\x1b" not in home.run("tree", "@last").stdout


def test_wrong_words_and_threads_that_cannot_be_written(home: Home) -> None:
    assert home.run("label", "@last", "x1", "name", "--clear").returncode == 2
    assert home.run("label", "@last").returncode == 2
    assert home.run("hide", "@last").returncode == 2
    assert home.run("label", "@last", "gone", "name").returncode == 1
    file = home.paths.threads / f"{THREAD}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"format":1', b'"format":%d' % (r.FORMAT + 1)))
    before = file.read_bytes()
    for words in (("label", "@last", "x1", "name"), ("hide", "@last", "x1")):
        done = home.run(*words)
        assert done.returncode == 1
        assert "newer convend" in done.stderr
    assert file.read_bytes() == before
