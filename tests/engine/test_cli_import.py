"""`convend import`: exports of other programs on the command line, by the contract."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.engine.commands import Home, chat
from tests.engine.exports import (
    PNG,
    Json,
    conversation,
    counts,
    encoded,
    imported,
    leftovers,
    said,
    shards,
    written,
)


def test_an_export_comes_in_once(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "conversations.json", [conversation("one"), conversation("two", name="")])
    report = imported(home, file)
    assert counts(report) == (2, 6, 2, 0)
    assert report["skipped"] == []
    before = home.contents()
    assert counts(imported(home, file)) == (0, 0, 0, 0)
    assert home.contents() == before
    (thread, other) = home.json("list")
    assert {thread["title"], other["title"]} == {"Verbs by depth", "handle or tackle?"}
    (shown,) = home.json("show", thread["id"])
    assert [message["text"] for message in shown["messages"]] == ["handle or tackle?", "handle"]
    first = json.loads((home.paths.threads / f"{thread['id']}.jsonl").read_bytes().splitlines()[0])
    assert first["origin"]["app"] == "claude.ai"
    assert first["origin"]["conversation"] in ("one", "two")
    assert all(file.stat().st_mode & 0o077 == 0 for file in home.paths.threads.iterdir())
    assert leftovers(home) == []


def test_the_report_in_words(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "conversations.json", [conversation("one"), {"strange": True}])
    done = home.run("import", file)
    assert done.returncode == 0
    assert done.stdout == (
        "not imported: entry 2 of conversations.json: it is no conversation in a format that convend knows\n"
        "1 chat came in: 3 messages (1 with branches). 1 thing did not come in.\n"
    )
    assert done.stderr == ""
    assert "1 chat was here already, with nothing new." in home.run("import", file).stdout
    many = written(tmp_path / "many.json", [conversation("one"), *range(9)])
    said_ = "not imported: 9 times, such as entry 2 of many.json: it is no conversation in a format that convend knows"
    assert said_ in home.run("import", many).stdout.splitlines()


def test_a_later_export_adds_what_is_new(home: Home, tmp_path: Path) -> None:
    imported(home, written(tmp_path / "first.json", [conversation("one")]))
    (thread,) = home.json("list")
    home.run("title", thread["id"], "My own name")
    file = home.paths.threads / f"{thread['id']}.jsonl"
    before = file.read_bytes()
    later = conversation("one", name="Another name")
    later["chat_messages"] += [said("d", "thank you", "c"), said("e", "at your service", "d", "assistant")]
    report = imported(home, written(tmp_path / "second.json", [later]))
    assert counts(report) == (1, 2, 1, 0)
    after = file.read_bytes()
    assert after.startswith(before)
    assert len([line for line in after.splitlines() if b'"type":"message"' in line]) == 5
    (thread,) = home.json("list")
    assert thread["title"] == "My own name"
    (shown,) = home.json("show", thread["id"])
    assert [message["text"] for message in shown["messages"]][-1] == "at your service"
    assert counts(imported(home, str(tmp_path / "second.json"))) == (0, 0, 0, 0)
    assert file.read_bytes() == after


def test_two_exports_of_one_conversation_at_once_are_its_union(home: Home, tmp_path: Path) -> None:
    later = conversation("one")
    later["chat_messages"].append(said("d", "thank you", "c"))
    files = [
        written(tmp_path / "1.json", {"conversations": [conversation("one")]}),
        written(tmp_path / "2.json", later),
    ]
    assert counts(imported(home, *files)) == (1, 4, 1, 0)
    assert len(home.lines()) == len({line.get("id", str(line)) for line in home.lines()})


def test_nothing_comes_below_a_lock_that_fell_here(home: Home, tmp_path: Path) -> None:
    imported(home, written(tmp_path / "first.json", [conversation("one")]))
    library = Library(home.paths)
    (thread_id,) = library.ids()
    handle = library.open(thread_id)
    locked = next(m.id for m in handle.thread.messages.values() if r.text_of(m) == "handle")
    handle.append_now([r.Ended(at=handle.now(), message=locked, cause="user_request", explanation="As you asked.")])
    later = conversation("one")
    later["chat_messages"] += [
        *(said("d", "go on", "c"), said("e", "well", "d", "assistant")),
        *(said("f", "on the other branch", "b"), said("g", "well then", "f", "assistant")),
    ]
    report = imported(home, written(tmp_path / "second.json", [later]))
    assert counts(report) == (1, 2, 1, 1)
    assert [skip["why"] for skip in report["skipped"]] == ["the model ended this conversation above it"] * 2
    texts = {r.text_of(m) for m in library.open(thread_id).thread.messages.values()}
    assert texts == {"handle or tackle?", "tackle", "handle", "on the other branch", "well then"}


def test_what_is_in_the_trash_stays_there(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "conversations.json", [conversation("one"), conversation("two", name="Another")])
    imported(home, file)
    one = next(thread["id"] for thread in home.json("list") if thread["title"] == "Verbs by depth")
    home.run("trash", one)
    report = imported(home, file)
    (skip,) = report["skipped"]
    assert counts(report) == (0, 0, 0, 0)
    assert skip["what"] == "“Verbs by depth”"
    assert f"convend restore {one}" in skip["why"]
    assert [thread["title"] for thread in home.json("list")] == ["Another"]
    # Where that is all there is, nothing was imported.
    alone = written(tmp_path / "alone.json", [conversation("one")])
    assert imported(home, alone, code=1)["threads"] == 0


def test_an_import_makes_no_chat_the_one_used_last(home: Home, tmp_path: Path) -> None:
    thread = home.save(chat())
    imported(home, written(tmp_path / "conversations.json", [conversation("one")]))
    assert home.json("list")[0]["id"] == thread
    assert home.json("show", "@last")[0]["thread"] == thread
    grown = conversation("one")
    grown["chat_messages"].append(said("d", "thank you", "c"))
    assert imported(home, written(tmp_path / "grown.json", [grown]))["messages"] == 1
    assert home.json("show", "@last")[0]["thread"] == thread
    (hit,) = home.json("search", "tackle", "--role", "assistant")
    assert hit["title"] == "Verbs by depth"


def test_a_zip_with_shards_and_attachments(home: Home, tmp_path: Path) -> None:
    picture = said("a", "look", files=[{"file_name": "pic.png", "file_uuid": "0123abcd-0000"}])
    gone = said("a", "look", files=[{"file_name": "lost.png", "file_uuid": "4567abcd-0000"}])
    file = shards(
        tmp_path / "export.zip",
        ("conversations-000.json", encoded(conversation("one", picture))),
        ("conversations-001.json", encoded(conversation("two", gone, name="Two"), conversation("three"))),
        ("files/0123abcd-0000-pic.png", PNG),
        ("chat.html", b"<html>"),
        ("user.json", b'{"email_address": "a@example.org"}'),
        ("memories.json", encoded({"account_uuid": "x", "conversations_memory": "likes foxes"})),
    )
    report = imported(home, file)
    assert counts(report) == (3, 5, 1, 0)
    skipped = {skip["what"]: skip["why"] for skip in report["skipped"]}
    assert skipped["user.json in export.zip"] == "the account, not conversations"
    assert skipped["1 other file in export.zip"] == "no conversation names them"
    assert any("lost.png" in what for what in skipped)
    assert any("memories" in why for why in skipped.values())
    (blob,) = home.paths.blobs.iterdir()
    assert blob.read_bytes() == PNG
    assert blob.stat().st_mode & 0o077 == 0
    names = [block.get("source", block).get("name") for line in map(json.loads, _all_lines(home)) for block in line]
    assert sorted(name for name in names if name) == ["lost.png", "pic.png"]
    assert {file.name for file in tmp_path.iterdir()} == {"export.zip", "home"}


def _all_lines(home: Home) -> list[bytes]:
    """The content of every message."""
    return [
        json.dumps(json.loads(line).get("content", [])).encode()
        for file in home.paths.threads.iterdir()
        for line in file.read_bytes().splitlines()
    ]


def session(*words: str, name: str = "5f9c") -> list[Json]:
    """The lines of a session of Claude Code."""
    lines: list[Json] = []
    for number, text_ in enumerate(words):
        role = "assistant" if number % 2 else "user"
        content: Any = [{"type": "text", "text": text_}] if number % 2 else text_
        line = {"type": role, "uuid": f"{name}-{number}", "parentUuid": lines[-1]["uuid"] if lines else None}
        line |= {"sessionId": name, "timestamp": f"2025-05-01T10:00:{number:02d}.000Z", "isSidechain": False}
        lines.append(line | {"message": {"role": role, "content": content, "model": "claude-x"}})
    return lines


def test_a_folder_of_sessions(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "-home-me"
    folder.mkdir(parents=True)
    for name in ("aaaa", "bbbb"):
        lines = session("Mend the test", "Done.", name=name)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with (folder / "bbbb.jsonl").open("a") as file:
        file.write('{"type": "user", "uuid": "torn')
    report = imported(home, str(tmp_path / "projects"))
    assert counts(report) == (2, 4, 0, 0)
    (skip,) = report["skipped"]
    assert skip["what"] == "line 3 of -home-me/bbbb.jsonl"


def test_a_title_in_the_file_of_another_session(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    titles = [
        {"type": "summary", "summary": "Mending the tests", "leafUuid": "bbbb-1"},
        {"type": "summary", "summary": "Of a session that is gone", "leafUuid": "gone"},
    ]
    for name, more in (("aaaa", titles), ("bbbb", []), ("cccc", [])):
        lines = [*more, *session("Mend the test", "Done.", name=name)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = imported(home, str(folder))
    assert counts(report) == (3, 6, 0, 0)
    assert [skip["why"] for skip in report["skipped"]] == ["it is the title of a session that is not in this file"]
    assert sorted(thread["title"] for thread in home.json("list")) == ["Mend the test"] * 2 + ["Mending the tests"]
    before = home.contents()
    assert counts(imported(home, str(folder))) == (0, 0, 0, 0)
    assert home.contents() == before
    (folder / "aaaa.jsonl").write_text(json.dumps(titles[0]) + "\n" + (folder / "bbbb.jsonl").read_text())
    assert imported(home, str(folder))["skipped"] == []


def test_a_session_whose_first_line_is_broken(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    whole = "".join(json.dumps(line) + "\n" for line in session("Mend the test", "Done."))
    file.write_text('{"type": "summary"}\n{"torn\n' + whole)
    report = imported(home, str(file))
    assert counts(report) == (1, 2, 0, 0)
    assert "line 2 of session.jsonl" in [skip["what"] for skip in report["skipped"]]


def test_conversations_a_line(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "conversations.jsonl"
    file.write_text("".join(json.dumps(conversation(key)) + "\n" for key in ("one", "two")) + '{"strange": 1}\n')
    report = imported(home, str(file))
    assert counts(report) == (2, 6, 2, 0)
    assert [skip["what"] for skip in report["skipped"]] == ["line 3 of conversations.jsonl"]


# -- the bar ------------------------------------------------------------------------------------------------


def test_the_bar_is_drawn_on_a_terminal_alone(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "x.json", [conversation("one")])
    main, side = pty.openpty()
    with os.fdopen(main, "rb", buffering=0) as screen:
        done = subprocess.run(
            home.command("import", file), stderr=side, stdout=subprocess.PIPE, env=home.environ, check=True, timeout=60
        )
        os.close(side)
        drawn = b""
        try:
            while piece := screen.read(4096):
                drawn += piece
        except OSError:  # the terminal is gone: that is its end
            pass
    assert "━ 0.0 of 0.0 MB" in drawn.decode()
    assert drawn.endswith(b"\r\x1b[K")
    assert "━" not in done.stdout.decode()
