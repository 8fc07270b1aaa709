"""The command line, by its contract: real processes, a real home folder, the referee for a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convend_tui import __version__
from convend_tui.store.library import Library
from convend_tui.store.partial import recover
from convend_tui.thread import records as r
from tests import making
from tests.making import Branch, at, call, result
from tests.referee import HttpError, Refusal, Reply, Text, Thinking, ThreadedReferee, end_call

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
REDIRECTIONS = ["Let us look at the problem instead of calling names.", "I would still like to help with this."]
WARNING = "If the insults go on, I will end this conversation for good."
CALL = end_call("persistent_abuse", "The insults went on after a warning.", REDIRECTIONS, WARNING)
CONFIG = """
[[server]]
name = "referee"
base_url = "{url}"
key_env = "REFEREE_KEY"
model = "{model}"
[network]
retries = 0
"""


@pytest.fixture(scope="module")
def referee() -> Iterator[ThreadedReferee]:
    with ThreadedReferee(opinion=False) as running:
        yield running


class Home:
    """A home folder, and `convend` in it."""

    def __init__(self, root: Path, url: str = "http://127.0.0.1:9") -> None:
        self.root = root
        self.paths = making.paths_in(root)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
        self.environ |= {
            "CONVEND_HOME": str(root),
            "REFEREE_KEY": "test-key",
            "PYTHONPATH": str(ROOT),
            # Errors and warnings of any kind must not reach the person unseen by the tests.
            "PYTHONWARNINGS": "default",
        }
        (root / "config.toml").write_text(CONFIG.format(url=url, model=making.MODEL))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "convend_tui", *words]

    def run(self, *words: str, stdin: bytes | str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words),
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            capture_output=True,
            env=self.environ | environ,
            cwd=self.root,
            timeout=60,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environ,
            cwd=self.root,
        )

    def json(self, *words: str, code: int = 0, stdin: str = "", **environ: str) -> list[Json]:
        """The JSON lines of a command that must end with `code`."""
        done = self.run(*words, "--json", stdin=stdin, **environ)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def save(self, branch: Branch, *records: r.Record, name: str = "1", **settings: Any) -> str:
        """Write a thread file; returns the thread's id."""
        thread_id = f"20261122T00000{name}-0000000{name}"
        given = {"model": making.MODEL, "server": "referee"} | settings
        head = making.header(r.Settings(**given), id=thread_id)
        self.paths.threads.mkdir(exist_ok=True)
        file = self.paths.threads / f"{thread_id}.jsonl"
        file.write_bytes(b"".join(r.encode(record) for record in (head, *branch.path, *records)))
        return thread_id

    def lines(self) -> list[Json]:
        """The records of the only thread."""
        (file,) = self.paths.threads.glob("*.jsonl")
        return [json.loads(line) for line in file.open("rb")]

    def contents(self) -> dict[str, bytes]:
        """All files but locks."""
        files = (file for file in self.root.rglob("*") if file.is_file() and file.suffix != ".lock")
        return {str(file.relative_to(self.root)): file.read_bytes() for file in files}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without a server that answers."""
    return Home(tmp_path)


@pytest.fixture
def online(tmp_path: Path, referee: ThreadedReferee) -> Home:
    """A home with the referee for a server."""
    referee.requests.clear()
    return Home(tmp_path, referee.base_url)


def chat() -> Branch:
    return Branch().typed("What is a fox?").reply("An animal.").typed("And a dog?").reply("Another one.")


def abused() -> Branch:
    """A branch on which the model may end the conversation at its next call."""
    branch = Branch()
    for words, answer in zip(("fool", "fool again", "still a fool"), (*REDIRECTIONS, WARNING), strict=True):
        branch.typed(words).reply(answer)
    return branch


def ended_chat(home: Home, name: str = "1") -> tuple[str, Branch]:
    branch = abused().typed("fool for ever")
    for number in ("1", "2"):
        branch.reply("That is it.", call(number, **CALL.input))
        if number == "1":
            branch.guard(result(number))
    record = r.Ended(at=at(100), message=branch.last, cause="persistent_abuse", explanation="It went on.")
    return home.save(branch, record, name=name), branch


# Turns


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


def until_text(running: subprocess.Popen[bytes], enough: int) -> str:
    """Read JSON lines until so many characters of text have come."""
    assert running.stdout is not None
    text = ""
    while len(text) < enough:
        line = running.stdout.readline()
        assert line, running.communicate()
        event = json.loads(line)
        text += event["text"] if event["type"] == "text" else ""
    return text


def test_interrupted_exits_130_and_keeps_the_partial_answer(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text("word " * 2000, rate=500, chunk=5)]))
    running = online.start("ask", "hello", "--json")
    heard = until_text(running, 50)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"Traceback" not in err
    heard += "".join(json.loads(line).get("text", "") for line in out.splitlines())
    kept = online.lines()[-1]
    assert kept["kind"] == "partial"
    assert kept["content"][0]["text"].startswith(heard)
    assert not list(online.paths.partial.glob("*"))


def test_kill_9_loses_at_most_about_a_second(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text("0123456789" * 1000, rate=200, chunk=4)]))
    running = online.start("ask", "hello", "--json")
    times: list[tuple[float, int]] = []
    heard = ""
    while not times or times[-1][0] - times[0][0] < 1.6:
        heard += until_text(running, 1)
        times.append((time.monotonic(), len(heard)))
    running.kill()
    running.wait()
    killed = time.monotonic()
    running.communicate()
    assert online.lines()[-1]["kind"] == "typed"
    sentences = list(recover(Library(online.paths)))
    assert len(sentences) == 1
    kept = online.lines()[-1]
    assert (kept["kind"], kept["parent"]) == ("partial", online.lines()[1]["id"])
    text = kept["content"][0]["text"]
    assert ("0123456789" * 1000).startswith(text)
    # A checkpoint a second; twice that, as the machine may be busy.
    assert len(text) >= max((size for when, size in times if when < killed - 2), default=1)
    assert list(recover(Library(online.paths))) == []
    assert not list(online.paths.partial.glob("*.json"))


# Looking


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
    assert {"thread", "leaf", "locked", "ended", "messages"} <= set(shown)
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


@pytest.mark.parametrize("words", [["list"], ["show", "@last"], ["tree", "@last"], ["list", "--json"]])
def test_looking_loads_neither_the_screen_nor_the_sdk(home: Home, words: list[str]) -> None:
    home.save(chat())
    program = (
        "import sys; from convend_tui.cli import main; code = main(sys.argv[1:]); "
        "print(code, sorted({n.partition('.')[0] for n in sys.modules} & "
        "{'textual', 'anthropic', 'httpx2', 'pydantic'}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, env=home.environ, cwd=home.root, check=False
    )
    assert done.stderr.decode() == "0 []\n"
    assert done.stdout


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


def test_a_broken_pipe_ends_quietly(home: Home) -> None:
    thread = home.save(Branch().typed("x" * 1_000_000))
    running = home.start("show", thread)
    assert running.stdout is not None
    running.stdout.read(10)
    running.stdout.close()
    assert running.wait(30) == 0
    assert running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()


# What cannot be done


def test_wrong_usage_exits_2(home: Home) -> None:
    thread = home.save(chat())
    for words in (
        ("no-such-command",),
        ("ask", "--no-such-option"),
        ("show",),
        ("edit", thread),
        ("config", "--path", "--show"),
        ("ask", "x", "--at", "m0001"),
        ("ask", "x", "-t", thread, "-s", "Be brief."),
    ):
        done = home.run(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr
    done = home.run("ask", stdin=b"\xff\xfe")
    assert done.returncode == 2
    assert "UTF-8" in done.stderr


def test_what_could_not_be_done_exits_1(home: Home) -> None:
    branch = chat()
    thread = home.save(branch)
    before = home.contents()
    picture = home.root / "picture.png"
    picture.write_bytes(b"no picture")
    archive = home.root / "archive.zip"
    archive.write_bytes(b"PK\x03\x04\x00\x00")
    before = home.contents()
    for words, said in (
        (("ask", "look", "-a", "missing.txt"), "missing.txt"),
        (("ask", "look", "-t", thread, "-a", str(picture)), "picture.png"),
        (("ask", "look", "-a", str(archive)), "archive.zip"),
        (("ask", "look", "-a", str(home.root)), "folder"),
        (("ask", ""), "empty"),
        (("ask", "-t", "@lost", "x"), "@lost"),
        (("edit", thread, branch.path[1].id, "x"), "Only your own messages"),
        (("edit", thread, "m9999", "x"), "m9999"),
    ):
        done = home.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), (words, done.stderr)
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert home.contents() == before


def test_a_thread_of_a_newer_format_is_only_read(home: Home) -> None:
    thread = home.save(chat())
    file = home.paths.threads / f"{thread}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"format":1', b'"format":7', 1))
    assert home.run("show", thread).returncode == 0
    for words in (("ask", "-t", thread, "x"), ("edit", thread, "@last", "x"), ("retry", thread, "@last")):
        done = home.run(*words)
        assert done.returncode == 1
        assert "newer convend" in done.stderr


# Settings


def test_config(home: Home) -> None:
    file = home.root / "config.toml"
    assert home.run("config", "--path").stdout == f"{file}\n"
    shown = home.run("config").stdout
    assert shown == home.run("config", "--show").stdout
    assert 'name = "referee"' in shown
    assert "test-key" not in shown
    written = file.read_bytes()
    done = home.run("config", "--init")
    assert (done.returncode, file.read_bytes()) == (1, written)
    file.unlink()
    assert home.run("config", "--init").returncode == 0
    assert file.read_bytes() == (ROOT / "config.example.toml").read_bytes()
    assert home.run("config", "--show").returncode == 0


def test_a_broken_config_names_file_line_key_and_the_nearest_name(home: Home) -> None:
    file = home.root / "config.toml"
    file.write_text("[network]\n\nretrys = 3\n")
    home.save(chat())
    for words in (("ask", "hello"), ("config", "--show"), ("models",)):
        done = home.run(*words)
        assert done.returncode == 1
        assert all(word in done.stderr for word in (str(file), "3", "retrys", "retries")), done.stderr
    assert home.run("list").returncode == 0


def test_version(home: Home) -> None:
    done = home.run("--version")
    assert (done.returncode, done.stdout) == (0, f"convend {__version__}\n")


# Endings that can be trusted

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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [("list",), ("feedback", "--report"), ("show", "@last", "--json")])
def test_an_output_that_cannot_be_written_is_a_clear_error(home: Home, words: tuple[str, ...]) -> None:
    ended_chat(home)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            home.command(*words), stdout=full, stderr=subprocess.PIPE, env=home.environ, check=False, timeout=60
        )
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "convend: The output cannot be written: No space left on device.\n",
    )
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *home.command(*words)], stderr=subprocess.PIPE, env=home.environ, check=False
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_a_closed_standard_input_is_a_clear_error(online: Home) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *online.command("ask")], capture_output=True, env=online.environ, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"convend: There is no TEXT, and standard input is closed.\n"
    assert not online.paths.threads.exists()
