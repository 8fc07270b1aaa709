"""`list`, `show` and `tree`, and how threads and messages are named."""

from __future__ import annotations

import os

from convend_tui.thread import records as r
from tests import making
from tests.engine.commands import REDIRECTIONS, Home, chat, ended_chat
from tests.making import Branch, at


def test_list(home: Home) -> None:
    assert home.json("list") == []
    ended_chat(home, "2")
    home.save(chat(), r.Leaf(at=at(1000), message="m0004"))  # used last
    rows = home.json("list")
    assert [set(row) for row in rows] == [
        {"id", "title", "created", "updated", "messages", "branches", "ended", "model"}
    ] * 2
    assert [(row["title"], row["messages"], row["branches"], row["ended"]) for row in rows] == [
        ("What is a fox?", 4, 1, False),
        ("fool", 9, 1, True),
    ]
    (home.paths.threads / "20261122T000003-00000003.jsonl").write_text("no thread at all\n")
    done = home.run("list")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert sum(line.startswith("20261122T000003-00000003") and "cannot be read" in line for line in lines) == 1
    assert "20261122T000003-00000003.jsonl is not a thread file" in done.stderr


def test_show(home: Home) -> None:
    thread, branch = ended_chat(home)
    (shown,) = home.json("show", thread)
    assert set(shown) == {"thread", "leaf", "locked", "ended", "messages"}
    assert (shown["thread"], shown["leaf"], shown["locked"]) == (thread, branch.last, True)
    assert shown["ended"] == {
        "message": branch.last,
        "cause": "persistent_abuse",
        "explanation": "It went on.",
        "at": at(100),
    }
    assert [message["id"] for message in shown["messages"]] == [message.id for message in branch.path]
    first = shown["messages"][0]
    assert set(first) == {
        *("id", "parent", "role", "kind", "text", "content", "model", "stop_reason", "at"),
        "siblings",
    }
    assert (first["text"], first["parent"], first["siblings"]) == ("fool", None, [branch.path[0].id])
    (shown,) = home.json("show", thread, "--at", branch.path[1].id)
    assert (shown["leaf"], shown["locked"], len(shown["messages"])) == (branch.path[1].id, False, 2)
    plain = home.run("show", thread).stdout
    assert "The model ended this conversation" in plain
    assert "It went on." in plain
    assert REDIRECTIONS[0] in plain


def test_tree(home: Home) -> None:
    branch = chat()
    other = r.Message(
        at=at(50), id="other001", parent=branch.path[1].id, role="user", content=[making.text("A cat?")], kind="typed"
    )
    thread = home.save(
        branch,
        other,
        r.Label(at=at(60), message="other001", label="cats"),
        r.Leaf(at=at(70), message=branch.last),
        r.Hide(at=at(80), message="other001"),
    )
    (tree,) = home.json("tree", thread)
    assert (tree["thread"], tree["leaf"]) == (thread, branch.last)
    rows = {row["id"]: row for row in tree["messages"]}
    assert set(rows["other001"]) == {
        *("id", "parent", "role", "kind", "preview", "ended", "current", "label", "hidden"),
    }
    assert (rows["other001"]["label"], rows["other001"]["hidden"], rows["other001"]["current"]) == ("cats", True, False)
    assert all(rows[message.id]["current"] for message in branch.path)
    assert len(home.run("tree", thread).stdout.splitlines()) == 5


def test_threads_and_messages_are_named_by_unique_beginnings(home: Home) -> None:
    branch = chat()
    first = home.save(branch, name="1")
    second = home.save(branch, name="2")
    os.utime(home.paths.threads / f"{second}.jsonl", (0, 0))
    assert home.json("show", "@last")[0]["thread"] == first
    assert home.json("show", second[:15])[0]["thread"] == second
    ambiguous = home.run("show", "2026")
    assert ambiguous.returncode == 1
    assert "2 threads begin with" in ambiguous.stderr
    for words in (("show", "nothing"), ("show", first, "--at", "m9"), ("show", first, "--at", "m"), ("show", "../x")):
        done = home.run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("convend: ")
    assert home.run("show", first, "--at", "m0002").returncode == 0


def test_text_of_a_thread_cannot_command_a_terminal(home: Home) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    thread = home.save(Branch().typed(evil).reply(evil))
    assert "\x1b" not in home.run("list").stdout
    assert "\x1b" not in home.run("show", thread, "--json").stdout
