"""`export`, by real processes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from convend_tui.thread import records as r
from tests.engine.commands import FORMATS, Home, chat, ended_chat
from tests.making import Branch, at, text
from tests.unit.test_request import objections


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without a server that answers."""
    return Home(tmp_path)


def file_of(home: Home, thread: str) -> Path:
    return home.paths.threads / f"{thread}.jsonl"


def out_of(home: Home, *words: str) -> bytes:
    """Standard output of an export, byte for byte."""
    done = home.run_bytes("export", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_markdown_is_what_one_gets(home: Home) -> None:
    thread = home.save(chat())
    written = out_of(home, thread).decode()
    assert written.startswith('---\ntitle: "What is a fox?"\n') and "\nAnother one.\n" in written
    assert out_of(home, thread, "--format", "markdown", "-o", "-").decode() == written
    assert "Another one." not in out_of(home, "@last", "--at", "m0002").decode()
    assert home.run("export", thread, "-o", "fox.md").returncode == 0
    assert (home.root / "fox.md").read_text("utf-8") == written


def test_an_ending_and_a_hidden_branch_are_in_every_format(home: Home) -> None:
    thread, branch = ended_chat(home)
    hidden = r.Message(
        at=at(200), id="aside", parent="m0001", role="assistant", content=[text("An aside.")], kind="reply"
    )
    with file_of(home, thread).open("ab") as out:
        for record in (hidden, r.Hide(at=at(201), message="aside"), r.Leaf(at=at(202), message=branch.last)):
            out.write(r.encode(record))
    assert "ended this conversation" in out_of(home, thread).decode()
    tree = out_of(home, thread, "--tree").decode()
    assert "ended this conversation" in tree and "\nAn aside.\n" in tree and "hidden" in tree
    whole = json.loads(out_of(home, thread, "--format", "json"))
    assert whole["thread"]["id"] == thread
    assert [one["type"] for one in whole["records"]][-4:] == ["ended", "message", "hide", "leaf"]
    assert out_of(home, thread, "--format", "jsonl") == file_of(home, thread).read_bytes()
    page = out_of(home, thread, "--format", "html").decode()
    assert "An aside." in page and "It went on." in page
    cast = out_of(home, thread, "--format", "asciicast").decode()
    assert json.loads(cast.splitlines()[0])["version"] in (2, 3) and "ended this conversation" in cast
    body = json.loads(out_of(home, thread, "--format", "messages"))
    assert body["messages"][-1]["content"][0]["type"] == "tool_result"
    for leaf in (branch.last, "aside", "m0001"):
        at_leaf = json.loads(out_of(home, thread, "--format", "messages", "--at", leaf))
        assert objections(at_leaf) == []
    assert "An aside." in json.dumps(json.loads(out_of(home, thread, "--format", "messages", "--at", "aside")))


def test_the_format_goes_by_the_ending_of_the_file(home: Home) -> None:
    thread = home.save(chat())
    for name, begins in (
        ("a.json", b'{"convend": 1'), ("a.jsonl", b'{"type":"thread"'), ("a.html", b"<!"), ("a.request.json", b"{\n"),
        ("a.cast", b"{"), ("a.md", b"---\n"), ("a", b"---\n"),
    ):  # fmt: skip
        done = home.run("export", thread, "-o", name)
        assert (done.returncode, done.stdout) == (0, "") and name in done.stderr
        assert (home.root / name).read_bytes().lower().startswith(begins), name


def test_nothing_is_written_over_but_by_force(home: Home) -> None:
    thread = home.save(chat())
    (home.root / "a.md").write_text("mine")
    done = home.run("export", thread, "-o", "a.md")
    assert done.returncode == 1 and "exists already" in done.stderr
    assert (home.root / "a.md").read_text() == "mine"
    assert home.run("export", thread, "-o", "a.md", "--force").returncode == 0
    assert (home.root / "a.md").read_text().startswith("---")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="for the administrator there is no such folder")
def test_a_folder_that_may_not_be_written(home: Home) -> None:
    thread = home.save(chat())
    folder = home.root / "closed"
    folder.mkdir(mode=0o500)
    done = home.run("export", thread, "-o", "closed/a.md")
    assert done.returncode == 1 and "cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, ["none"]),
        (1, ["@last", "--at", "none"]),
        (1, ["@last", "-o", "none/a.md"]),
        (1, ["@last", "-o", "/dev/null", "--force"]),
        (2, []),
        (2, ["@last", "--format", "pdf"]),
        (2, ["@last", "--format", "html", "--tree"]),
        (2, ["@last", "--blobs"]),
        (2, ["@last", "--tree", "--at", "m0001"]),
        (2, ["@last", "--format", "json", "--at", "m0001"]),
        (2, ["@last", "-o", "a.jsonl", "--at", "m0001"]),
        (2, ["@last", "--force"]),
        (2, ["@last", "-o", ""]),
    ],
)
def test_wrong_words(home: Home, code: int, words: list[str]) -> None:
    home.save(chat())
    before = home.contents()
    done = home.run("export", *words)
    assert (done.returncode, done.stdout) == (code, "") and done.stderr
    assert home.contents() == before


def test_a_damaged_thread(home: Home) -> None:
    thread = home.save(chat())
    with file_of(home, thread).open("ab") as out:
        out.write(b'nonsense \xff\x00\r\n{"type":"future","at":"9","x":1.50}\n{"type":"mess')
    data = file_of(home, thread).read_bytes()
    assert out_of(home, thread, "--format", "jsonl") == data
    done = home.run("export", thread, "--format", "json")
    whole = json.loads(done.stdout)
    assert '"x":1.50' in done.stdout and "is skipped" in done.stderr
    assert [one["line"] for one in whole["damaged"]] == [6, 8]
    assert file_of(home, thread).read_bytes() == data


def test_a_file_that_is_no_thread_goes_as_it_is_and_no_other_way(home: Home) -> None:
    thread = home.save(chat())
    file_of(home, thread).write_bytes(b"no header\n\xff")
    assert out_of(home, thread, "--format", "jsonl") == b"no header\n\xff"
    for name in FORMATS:
        if name != "jsonl":
            done = home.run("export", thread, "--format", name)
            assert (done.returncode, done.stdout) == (1, "") and "no header" in done.stderr


def test_a_thread_of_a_newer_convend_comes_out_too(home: Home) -> None:
    thread = home.save(chat(), tool_version=99)
    assert "What is a fox?" in out_of(home, thread).decode()
    done = home.run("export", thread, "--format", "messages")
    assert done.returncode == 1 and "Update convend" in done.stderr


def test_attachments_in_the_document(home: Home) -> None:
    (home.root / "note.txt").write_text("Foxes are red.")
    blob = {"type": "blob", "sha256": "0" * 64, "media_type": "text/plain", "name": "note.txt"}
    thread = home.save(Branch().typed("Read this.", {"type": "document", "source": blob}))
    done = home.run("export", thread, "--format", "json", "--blobs")
    assert done.returncode == 0 and json.loads(done.stdout)["blobs"] == {}
    assert "An attachment is missing" in done.stderr
    assert "note.txt (text/plain)" in out_of(home, thread).decode()
    assert home.run("export", thread, "--format", "messages").returncode == 1


def test_a_settings_file_that_is_wrong_is_in_the_way_of_a_request_only(home: Home) -> None:
    thread = home.save(chat())
    (home.root / "config.toml").write_text("[[server]]\nnmae = 1\n")
    for name in FORMATS:
        assert home.run("export", thread, "--format", name).returncode == (name == "messages")


@pytest.mark.parametrize("name", FORMATS)
def test_on_a_terminal_nothing_in_a_thread_is_obeyed(home: Home, name: str) -> None:
    home.save(Branch().typed("\x1b]0;evil\x07 \x9b31m").reply("\u202eback"))
    terminal, end = pty.openpty()
    done = subprocess.Popen(
        home.command("export", "@last", "--format", name), stdout=end, env=home.environ, cwd=home.root
    )
    os.close(end)
    shown = b""
    with suppress(OSError):  # what the terminal says when nobody writes to it any more
        while piece := os.read(terminal, 65536):
            shown += piece
    os.close(terminal)
    assert done.wait() == 0 and b"back" in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown.decode("utf-8"))
