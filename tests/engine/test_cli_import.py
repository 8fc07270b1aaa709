"""`convend import`: exports on the command line, by the contract; and nothing half imported."""

from __future__ import annotations

import base64
import itertools
import json
import os
import pty
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import ExchangeError, StoreError
from convend_tui.exchange import importing
from convend_tui.exchange.document import document
from convend_tui.exchange.importing import import_files
from convend_tui.exchange.incoming import Context, Incoming, Skip
from convend_tui.store import blobs
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests import making
from tests.engine.test_cli import Home, chat
from tests.making import Branch, at, text

Json = dict[str, Any]
ROOT = "00000000-0000-4000-8000-000000000000"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without a server that answers."""
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


def said(key: str, words: str, parent: str = ROOT, sender: str = "human", **more: Any) -> Json:
    """A message of Claude.ai's export."""
    minute = sum(key.encode()) % 60
    when = f"2025-03-23T03:{minute:02d}:28.917458Z"
    message = {"uuid": key, "sender": sender, "text": words, "parent_message_uuid": parent, "created_at": when}
    return message | {"content": [{"type": "text", "text": words}], "attachments": [], "files": []} | more


def conversation(key: str = "one", *messages: Json, name: str = "Verbs by depth") -> Json:
    """A conversation of Claude.ai's export: a question with two answers, unless messages are given."""
    given = messages or (
        said("a", "handle or tackle?"),
        said("b", "tackle", "a", "assistant"),
        said("c", "handle", "a", "assistant"),
    )
    return {"uuid": key, "name": name, "created_at": "2025-03-23T03:00:00Z", "chat_messages": list(given)}


def written(file: Path, value: Any) -> str:
    file.write_text(json.dumps(value))
    return str(file)


def imported(home: Home, *files: str, code: int = 0) -> Json:
    """The report of an import."""
    (report,) = home.json("import", *files, code=code)
    assert set(report) == {"threads", "messages", "branched", "ended", "skipped"}
    assert all(set(skip) == {"what", "why"} for skip in report["skipped"])
    return report


def counts(report: Json) -> tuple[int, int, int, int]:
    return report["threads"], report["messages"], report["branched"], report["ended"]


def leftovers(home: Home) -> list[Path]:
    return list(home.paths.state.glob("import-*"))


# -- exports of other programs ------------------------------------------------------------------------------


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


def shards(path: Path, *members: tuple[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(name, data)
    return str(path)


def encoded(*values: Any) -> bytes:
    return json.dumps(list(values)).encode()


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


# -- what cannot be imported --------------------------------------------------------------------------------


BAD: dict[str, bytes] = {
    "broken.json": encoded(conversation("one"))[:-2],
    "picture.json": PNG,
    "page.json": b"<html></html>",
    "empty.json": b"",
    "blank.json": b" \n",
    "none.json": b"[]",
    "number.json": b"12",
    "other.json": b'{"messages": [], "conversationId": "x"}',
    "others.json": encoded(*range(3000)),
    "deep.json": b"[" * 50_000,
    "latin.json": '[{"name": "é"}]'.encode("latin-1"),
    "lines.jsonl": json.dumps(conversation("two")).encode() + b'\n{"uuid": \n',
    "text.jsonl": b"hello\n",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_beside_a_good_one_and_nothing_is_imported(home: Home, tmp_path: Path, name: str) -> None:
    good = written(tmp_path / "good.json", [conversation("one")])
    (tmp_path / name).write_bytes(BAD[name])
    before = home.contents()
    with pytest.raises(ExchangeError, match=name.replace(".", r"\.")):
        import_files(Library(home.paths), [Path(good), tmp_path / name], making.SETTINGS)
    assert home.contents() == before


def test_errors_are_a_sentence_on_standard_error(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(BAD["broken.json"])
    done = home.run("import", str(file), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("convend: broken.json is not valid JSON: it ends in the middle")
    assert home.run("import", str(tmp_path / "gone.json")).returncode == 1
    assert home.run("import").returncode == 2
    hostile = tmp_path / "\x1b[2Jx.json"
    hostile.write_bytes(b"{")
    assert "\x1b" not in home.run("import", str(hostile)).stderr


def test_memories_alone_are_declined(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "memories.json", [{"account_uuid": "x", "conversations_memory": "y"}])
    report = imported(home, file, code=1)
    assert counts(report) == (0, 0, 0, 0)
    assert "memories" in report["skipped"][0]["why"]
    assert "Nothing was imported." in home.run("import", file).stdout


def nested(levels: int) -> Any:
    found: Any = "x"
    for _ in range(levels):
        found = [found]
    return found


def incoming(value: Any, context: Context) -> Incoming | Skip:
    """What a format makes of `{"fake": block}`."""
    if value["fake"] == "too deep to be read":
        raise RecursionError
    message = r.Message(
        at=at(1), id="m", parent=None, role="user", content=[{"type": "x", "of": value["fake"]}], kind="typed"
    )
    return Incoming("fake", str(value["key"]), at(0), context.settings, (message,))


def test_values_that_no_thread_file_can_hold_do_not_stop_the_others(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = SimpleNamespace(recognizes=lambda value: isinstance(value, dict) and "fake" in value, read=incoming)
    monkeypatch.setitem(sys.modules, "convend_tui.exchange.fake", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(importing, "FORMATS", ["fake"])
    braces = "[{" * 500
    blocks = ["plain", nested(150), braces, "half \ud83d", nested(300), "too deep to be read"]
    file = tmp_path / "x.json"
    written(file, [{"fake": block, "key": number} for number, block in enumerate(blocks)])
    report = import_files(Library(home.paths), [file], making.SETTINGS)
    assert (report.threads, report.messages) == (4, 4)
    assert [skip.what for skip in report.skipped] == [f"entry {number} of x.json" for number in (5, 6)]
    library = Library(home.paths)
    kept = [library.open(thread_id).thread.messages["m"].content[0]["of"] for thread_id in library.ids()]
    assert sorted(map(str, kept)) == sorted(map(str, ["plain", nested(150), braces, "half \ufffd"]))


def test_a_full_disk_leaves_nothing(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.json"
    written(file, [conversation("one"), conversation("two", name="Two")])
    real, calls = os.open, itertools.count()

    def failing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith(".jsonl") and next(calls) == 1:
            raise OSError(28, "No space left on device")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(StoreError, match="disk is full"):
        import_files(Library(home.paths), [file], making.SETTINGS)
    monkeypatch.undo()
    assert Library(home.paths).ids() == []
    assert leftovers(home) == []


def test_whoever_stops_an_import_imported_nothing(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    written(file, [conversation(str(number)) for number in range(5)])

    def stop(done: int, total: int) -> None:
        raise ExchangeError("Stopped.")

    with pytest.raises(ExchangeError, match="Stopped"):
        import_files(Library(home.paths), [file], making.SETTINGS, stop)
    assert Library(home.paths).ids() == []
    assert leftovers(home) == []


def test_a_kill_in_the_middle_leaves_nothing_half_imported(home: Home, tmp_path: Path) -> None:
    lines = [said("a", "x" * 2000), *(said(f"m{n}", "y" * 2000, "a", "assistant") for n in range(20))]
    conversations = [conversation(str(number), *lines, name=f"Chat {number}") for number in range(60)]
    file = written(tmp_path / "conversations.json", conversations)
    whole = {}
    finished = False
    for patience in (0.0, 0.02, 0.05, 0.1, 0.2):
        process = home.start("import", file)
        until = time.monotonic() + 30
        while not leftovers(home) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(patience)
        process.send_signal(signal.SIGKILL)
        finished = process.wait() == 0
        process.communicate()
        for thread in home.paths.threads.glob("*") if home.paths.threads.exists() else ():
            data = thread.read_bytes()
            assert data.endswith(b"\n")
            assert len(data.splitlines()) >= 22
            whole[thread.name] = data
    report = imported(home, file)
    assert report["threads"] == 60 - len(whole)
    assert not finished or report["threads"] == 0
    assert {name: (home.paths.threads / name).read_bytes() for name in whole} == whole
    assert len(list(home.paths.threads.iterdir())) == 60
    assert leftovers(home) == []


def test_one_import_at_a_time(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    written(file, [conversation("one")])
    library = Library(home.paths)

    def again(done: int, total: int) -> None:
        with pytest.raises(ExchangeError, match="Another import is running"):
            import_files(Library(home.paths), [file], making.SETTINGS)

    assert import_files(library, [file], making.SETTINGS, again).threads == 1


# -- convend's own formats ----------------------------------------------------------------------------------


def ended_thread() -> tuple[Branch, list[r.Record]]:
    """A fork, a lock, a label and something of a later version."""
    branch = Branch().typed("Tell me of foxes").reply("Foxes are red.").typed("fool").reply("That is the end.")
    second = r.Message(
        at=at(30), id="second", parent="m0001", role="assistant", content=[text("Foxes are shy.")], kind="reply"
    )
    ended = r.Ended(at=at(20), message="m0004", cause="persistent_abuse", explanation="It went on.")
    return branch, [ended, second, r.Label(at=at(31), message="second", label="shy"), r.Title(at=at(32), title="Mine")]


def moved(home: Home, tmp_path: Path, file: Path) -> Home:
    """Another home, into which a file was imported."""
    other = Home(_folder(tmp_path / "other"))
    assert imported(other, str(file))["threads"] == 1
    return other


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_thread_file_comes_in_line_by_line(home: Home, tmp_path: Path) -> None:
    branch, more = ended_thread()
    thread = home.save(branch, *more)
    file = home.paths.threads / f"{thread}.jsonl"
    with file.open("ab") as out:
        out.write(b'{"type":"mood","at":"2026-11-22T00:00:40.000Z","of":"the fox","extra":[1]}\n')
    other = moved(home, tmp_path, file)
    assert (other.paths.threads / file.name).read_bytes() == file.read_bytes()
    assert other.json("list") == home.json("list")
    # Two copies that grew apart become their union.
    handle = Library(other.paths).open(thread)
    handle.append_now([r.Label(at=handle.now(), message="m0002", label="red")])
    report = imported(home, str(other.paths.threads / file.name))
    assert counts(report) == (1, 0, 1, 1)
    assert file.read_bytes() == (other.paths.threads / file.name).read_bytes()
    assert counts(imported(home, str(file))) == (0, 0, 0, 0)


def test_no_message_takes_the_place_of_another(home: Home, tmp_path: Path) -> None:
    thread = home.save(chat())
    file = home.paths.threads / f"{thread}.jsonl"
    before = file.read_bytes()
    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(before.replace(b"An animal.", b"A plant."))
    report = imported(home, str(forged))
    assert counts(report) == (0, 0, 0, 0)
    (skip,) = report["skipped"]
    assert skip == {"what": "message m0002 of “What is a fox?”", "why": "another one of this id is here already"}
    assert file.read_bytes() == before


def test_a_document_comes_in_with_its_attachments(home: Home, tmp_path: Path) -> None:
    branch, more = ended_thread()
    picture = blobs.attach_bytes(home.paths, "pic.png", PNG)
    branch.typed("look", picture)
    thread = home.save(branch, *more)
    source = home.paths.threads / f"{thread}.jsonl"
    file = tmp_path / "thread.json"
    file.write_text("".join(document(source, load_blob=lambda sha256: blobs.load(home.paths, sha256))))
    other = moved(home, tmp_path, file)
    assert _values(other.paths.threads / source.name) == _values(source)
    assert blobs.load(other.paths, picture["source"]["sha256"]) == PNG
    assert other.json("tree", thread) == home.json("tree", thread)
    # Without the bytes, the attachment is named.
    third = Home(_folder(tmp_path / "third"))
    (skip,) = imported(third, str(source))["skipped"]
    assert skip["what"].startswith(f"attachment {picture['source']['sha256'][:12]}")


def _values(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "../../x"}, "is no thread's id"),
        ({"id": "x"}, "is no thread's id"),
        ({"format": 99}, "newer convend"),
        ({"settings": None}, "no header"),
    ],
)
def test_a_forged_header_is_declined(home: Home, tmp_path: Path, change: Json, why: str) -> None:
    header = json.loads(r.encode(making.header())) | change
    file = tmp_path / "thread.jsonl"
    file.write_text(json.dumps(header) + "\n")
    with pytest.raises(ExchangeError, match=why):
        import_files(Library(home.paths), [file], making.SETTINGS)
    written(tmp_path / "thread.json", {"convend": 1, "thread": header, "records": []})
    with pytest.raises(ExchangeError, match=why):
        import_files(Library(home.paths), [tmp_path / "thread.json"], making.SETTINGS)
    assert Library(home.paths).ids() == []


def test_broken_lines_and_wrong_bytes_are_named(home: Home, tmp_path: Path) -> None:
    header = json.loads(r.encode(making.header()))
    message = json.loads(r.encode(chat().path[0]))
    value = {"convend": 1, "thread": header, "records": [message, {"type": "message"}, 3, None, header | {"id": "b"}]}
    value["damaged"] = [{"line": 7, "base64": ""}]
    value["blobs"] = {"../x": "", "0" * 64: base64.b64encode(PNG).decode(), "1" * 64: 3}
    report = imported(home, written(tmp_path / "x.json", value))
    assert counts(report) == (1, 1, 0, 0)
    assert len(report["skipped"]) == 8
    assert not home.paths.blobs.exists()
    newer = written(tmp_path / "newer.json", value | {"convend": 2})
    assert "newer convend" in home.run("import", newer).stderr


@st.composite
def trees(draw: st.DrawFn) -> list[r.Record]:
    """The records of any thread, in any order."""
    count = draw(st.integers(1, 8))
    found: list[r.Record] = []
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    for number in range(count):
        parent = draw(st.one_of(st.none(), st.sampled_from([f"m{i}" for i in range(number)] or ["gone"])))
        role = draw(st.sampled_from(["user", "assistant"]))
        blocks = draw(st.lists(words.map(text), max_size=2))
        kind = "typed" if role == "user" else "reply"
        found.append(r.Message(at=at(number), id=f"m{number}", parent=parent, role=role, content=blocks, kind=kind))
    target = st.sampled_from([f"m{i}" for i in range(count)])
    found += draw(st.lists(st.builds(r.Label, at=st.just(at(50)), message=target, label=words), max_size=2))
    found += draw(st.lists(st.builds(r.Hide, at=st.just(at(51)), message=target), max_size=2))
    found += draw(st.lists(st.builds(r.Title, at=st.just(at(52)), title=words), max_size=1))
    ended = st.builds(r.Ended, at=st.just(at(53)), message=target, cause=st.just("user_request"), explanation=words)
    found += draw(st.lists(ended, max_size=1))
    return draw(st.permutations(found))


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trees")


_NUMBERS = itertools.count()


@settings(deadline=None, max_examples=40)
@given(records=trees(), cut=st.integers(0, 12))
def test_export_then_import_gives_the_same_tree(roots: Path, records: list[r.Record], cut: int) -> None:
    root = roots / str(next(_NUMBERS))
    root.mkdir()
    header = making.header()
    file = root / f"{header.id}.jsonl"
    file.write_bytes(b"".join(map(r.encode, [header, *records])))
    as_json = root / "thread.json"
    as_json.write_text("".join(document(file)))
    for source in (file, as_json):
        library = Library(making.paths_in(root / source.name.replace(".", "-")))
        # A copy that has only some of the records becomes whole.
        part = root / "part.jsonl"
        part.write_bytes(b"".join(map(r.encode, [header, *records[:cut]])))
        import_files(library, [part], making.SETTINGS)
        report = import_files(library, [source], making.SETTINGS)
        is_new = bool({*map(r.encode, records)} - {*map(r.encode, records[:cut])})
        assert (report.threads, report.unchanged) == ((1, 0) if is_new else (0, 1))
        placed = library.file(header.id)
        once = placed.read_bytes()
        # A line may stand in a file twice (git's union merge); it says the same once.
        assert set(once.split(b"\n")) == set(file.read_bytes().split(b"\n"))
        assert library.open(header.id).thread.messages == Thread(header, records).messages  # type: ignore[arg-type]
        assert import_files(library, [source], making.SETTINGS).threads == 0
        assert placed.read_bytes() == once


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
