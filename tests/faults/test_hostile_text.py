"""Text of others, in every place where text is shown: nothing of it reaches the terminal as anything but text, and
nothing takes long to show. (tests/tui/test_app_hostile.py looks at what is on the screen; here it is the bytes.)"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.drivers.headless_driver import HeadlessDriver

from convend_tui.errors import StoreError
from convend_tui.exchange import formats
from convend_tui.model.reply import ReplyBuilder
from convend_tui.plain import one_line, visible
from convend_tui.store.library import Library
from convend_tui.thread import outline
from convend_tui.thread import records as r
from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.plain_body import PlainBody
from tests.faults import drawing
from tests.faults.texts import LARGE, RAW, TEXTS, assert_own
from tests.making import Branch, at, header, paths_in
from tests.referee import HttpError, Reply, Text, Thinking, ThreadedReferee
from tests.referee.models import DEFAULT_MODELS, Model
from tests.tui.conftest import Home, Person, home, online, referee  # noqa: F401 - fixtures

STEPS = 3
"""So often a growing text is drawn."""
ALL = " ⁂ ".join(TEXTS.values())


def thread_of(text: str, number: int = 1) -> tuple[str, list[r.Record]]:
    """A thread with `text` wherever a file can hold one: id and records. The name of the file is an id."""
    thread_id = f"20261122T0000{number:02d}-{number:08x}"
    image = {"type": "image", "source": {"type": "blob", "sha256": text, "media_type": text, "name": text}}
    document = {"type": "document", "source": {"type": "text", "data": text}, "title": text, "context": text}
    branch = (
        Branch()
        .typed("Findme " + text, image, document)
        .reply({"type": "thinking", "thinking": text, "signature": text}, text, model=text, stop=text)
        .typed(text, {"type": text, "text": text})
        .reply(f"# {text}\n\n- {text}\n\n> {text}\n\n```{text}\n{text}\n```\n\n|{text}|\n|-|\n|{text}|", model=text)
        .typed(text)
        .reply(stop="refusal", stop_details={"category": text, "explanation": text}, model=text)
        .typed("The last word. " + text)
        .reply("So it ends. " + text, model=text, usage={"input_tokens": 3, text: text, "output_tokens": 4})
    )
    other = msgspec.structs.replace(branch.path[1], id="other", at=at(40), content=[{"type": "text", "text": text}])
    evidence = [{"kind": "warning", "message": "m0004", "quotation": text}, {"kind": text, text: text}]
    more: list[r.Record] = [
        r.Verdict(at=at(50), message="m0004", outcome="declined", reasons=[text], evidence=evidence),
        r.Ended(at=at(51), message="m0008", cause=text, explanation=text, evidence=evidence),
        r.Title(at=at(52), title=text),
        *(r.Label(at=at(53), message=message, label=text) for message in ("m0002", "m0003", "other")),
        r.Feedback(at=at(54), message="m0008", thumb="down", comment=text),
        r.Leaf(at=at(55), message="m0008"),
    ]
    named = r.Settings(model=text, server=text, system=text)
    return thread_id, [header(named, id=thread_id, app=text, origin={text: text}), *branch.path, other, *more]


def save(root: Path, thread_id: str, records: list[r.Record]) -> None:
    folder = paths_in(root).threads
    folder.mkdir(mode=0o700, exist_ok=True)
    # An older day, as in the tests of the screen.
    lines = b"".join(map(r.encode, records)).replace(b'"2026-11-22T', b'"2025-03-14T')
    (folder / f"{thread_id}.jsonl").write_bytes(lines)


# -- the pieces -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(drawing.CORPUS.iterdir()), ids=lambda file: file.name)
def test_the_corpus_of_the_fuzzer_is_drawn(file: Path) -> None:
    drawing.draw(file.read_bytes())


@pytest.mark.parametrize("name", LARGE)
def test_long_and_slow_text_is_text(name: str) -> None:
    text = LARGE[name]
    for kind in (MarkdownBody, PlainBody):
        drawing.check(kind(text), 76)
    grown = MarkdownBody()
    size = -(-len(text) // STEPS)
    for start in range(0, len(text), size):
        grown.append(text[start : start + size])
        drawing.check(grown, 76)
    assert cell_len(one_line(text, 40)) <= 40
    branch = Branch().typed(text)
    assert cell_len(outline.preview(branch.path[0])) <= outline.PREVIEW


PIECES = st.sampled_from(
    [
        *TEXTS.values(),
        "\n",
        "\n\n",
        " ",
        "a",
        "> ",
        "- ",
        "1. ",
        "`",
        "```",
        "|",
        "|-|",
        "*",
        "_",
        "[",
        "](",
        "<",
        "&#27;",
    ]
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join), st.integers(8, 90))
def test_no_mixture_becomes_a_sequence(text: str, width: int) -> None:
    drawing.draw(bytes([width]) + text.encode("utf-8", "surrogatepass"))
    assert not RAW.search(one_line(text, width))
    assert visible(visible(text)) == visible(text)


def test_half_characters_of_a_server_are_made_whole_or_replaced() -> None:
    builder = ReplyBuilder()
    for ms, text in enumerate(("a\ud83d", "\ude00b\ud800", "c\udfff")):
        builder.feed({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}, ms)
    (block,) = builder.content()
    assert block["text"] == "a😀b\ufffdc\ufffd"
    message = r.Message(at=at(1), id="a", parent=None, role="assistant", content=[block], kind="reply")
    assert r.decode(r.encode(message)) == message


# -- the command line on a terminal -----------------------------------------------------------------------

COMMANDS = """
import sys
from convend_tui.cli import main
for words in {words!r}:
    sys.stdout.write("⁂ " + words[0] + "\\n")
    sys.stdout.flush()
    main(words)
"""


def on_a_terminal(root: Path, *commands: list[str]) -> str:
    """What commands write to a terminal, on standard output and standard error."""
    master, slave = pty.openpty()
    code = COMMANDS.format(words=commands)
    given = {"CONVEND_HOME": str(root), "TERM": "xterm-256color", "LANG": "C.UTF-8", "ANTHROPIC_API_KEY": ""}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")} | given
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    guard = threading.Timer(60, process.kill)
    guard.start()
    written = b""
    try:
        while True:
            try:
                piece = os.read(master, 1 << 16)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            written += piece
    finally:
        guard.cancel()
        os.close(master)
    assert process.wait() == 0, written.decode(errors="replace")
    return written.decode()


def test_no_command_writes_it_raw_to_a_terminal(tmp_path: Path) -> None:
    for number, text in enumerate([ALL, *TEXTS.values()], 1):
        save(tmp_path, *thread_of(text, number))
    broken = paths_in(tmp_path).threads / "20261122T000099-\x1b[7331m\u202e.jsonl"
    broken.write_bytes(ALL.encode())
    (tmp_path / "config.toml").write_text('"\\u001b[7331m" = "\\u009b7331m"\n')
    first = Library(paths_in(tmp_path)).ids()
    names = sorted(name for name in first if name.startswith("20261122T0000") and "\x1b" not in name)
    written = on_a_terminal(
        tmp_path,
        ["list"],
        ["search", "findme"],
        ["search", "\x1b[7331m findme \u202e"],
        ["search", "--model", ALL, ""],
        ["check"],
        ["show", broken.stem],
        ["show", "\x1b[7331m\x9b"],
        ["tree", names[0]],
        ["replay", names[0], "--instant"],
        ["export", names[0], "--format", "markdown"],
        ["export", names[0], "--format", "html"],
        ["export", names[0], "--format", "asciicast"],
        ["export", names[0], "--format", "messages"],
        ["export", names[0], "--format", "json"],
        ["export", names[0], "--format", "jsonl"],
        ["title", names[1], "\x1b]0;7331\x07"],
        ["label", names[1], "m0001", "\x1b[7331m"],
        ["models"],
        ["ask", "hello \x1b[7331m", "-t", "\x1b[7331m"],
        ["config", "--show"],
        *(["show", name] for name in names[:12]),
        *(["tree", name] for name in names[12:]),
    )
    assert written.count("Findme") > len(names)
    assert_own(written.replace("\r\n", "\n").replace("\r\x1b[K", "").replace("\r", ""))


def test_exports_hold_it_as_data(tmp_path: Path) -> None:
    thread_id, records = thread_of(ALL)
    save(tmp_path, thread_id, records)
    paths = paths_in(tmp_path)
    thread = Library(paths).open(thread_id).thread
    written: dict[str, str] = {}
    for one in formats.FORMATS.values():
        job = formats.Job(paths, paths.threads / f"{thread_id}.jsonl", thread, thread.leaf, True, False)
        with suppress(StoreError):  # a request needs the attachments, which are not there
            written[one.name] = b"".join(one.write(job)).decode()
    assert written.keys() >= formats.FORMATS.keys() - {"messages"}
    for name in written.keys() & {"json", "jsonl", "asciicast"}:
        assert "\x1b" not in written[name]
    lines = [json.loads(line) for line in written["asciicast"].splitlines()]
    played = "".join(line[2] for line in lines if isinstance(line, list))
    assert "Findme" in played
    assert_own(played.replace("\r\n", "\n"))
    assert "<script>alert(1)" not in written["html"]
    assert not re.search(r"(href|src)=[\"']?(javascript|file|data:text)", written["html"], re.IGNORECASE)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", written["html"])


# -- the screen -------------------------------------------------------------------------------------------


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """All that the app writes to its terminal, which the tests' driver otherwise leaves out."""
    pieces: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "is_headless", property(lambda _: False))
    monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: pieces.append(data))
    yield pieces


async def visit(me: Person, thread_id: str) -> None:
    """Open a thread of the list."""
    if not me.chat.thread_list.has_focus:
        await me.press("ctrl+t")
    me.chat.thread_list.put_cursor_on(thread_id)
    await me.press("enter")
    await me.until(lambda: getattr(me.chat.conversation.thread, "id", None) == thread_id)


async def back(me: Person) -> None:
    """Close whatever lies over the chat."""
    for _ in range(4):
        if me.app.screen is not me.chat:
            await me.press("escape")
    assert me.app.screen is me.chat


async def test_every_text_in_the_list_and_in_the_transcript(home: Home, written: list[str]) -> None:  # noqa: F811
    texts = list(TEXTS.values())
    threads = [thread_of(" ⁂ ".join(texts[number::6]), number + 1) for number in range(6)]
    for thread_id, records in threads:
        save(home.root, thread_id, records)
    async with home.app((100, 40)) as me:
        for thread_id, _ in threads:
            await visit(me, thread_id)
            await me.reading()
            await me.press("home", "down", "o", "end")
    assert_own("".join(written))
    assert "⟨RLO⟩" in "".join(written) and "␛" in "".join(written)


async def test_all_of_it_in_every_panel(home: Home, written: list[str]) -> None:  # noqa: F811
    thread_id, records = thread_of(ALL)
    save(home.root, thread_id, records)
    save(home.root, *thread_of(TEXTS["markup"], 2))
    async with home.app((100, 30)) as me:
        await visit(me, thread_id)
        await me.reading()
        await me.press("end", "up", "w")  # why
        await me.pilot.pause()
        await back(me)
        for key in ("c", "f", "d", "R", "l", "x", "F", "f2", "f1", "ctrl+o"):
            await me.reading()
            await me.press(key)
            await me.until(lambda: me.app.screen is not me.chat or me.told)
            if key == "R":
                await me.press("space", "right", "up")
            await back(me)
        await me.reading()
        await me.press("t", "down", "down", "slash", *"findme", "enter", "escape", "escape")
        await me.press("ctrl+p", *"theme", "escape")
        await back(me)
        await me.press("ctrl+f", *"findme")
        await me.until(lambda: "Findme" in me.screen)
        await me.press("down", "enter")
        await me.until(lambda: me.app.screen is me.chat)
        await me.reading()
        await me.press("e")
        await me.press("escape")
        await me.writes(ALL)
        await me.pastes(ALL)
    assert_own("".join(written))


async def test_all_of_it_from_a_server(home: Home, written: list[str]) -> None:  # noqa: F811
    evil = ALL + "\ud800\udfff"
    models = (*DEFAULT_MODELS, Model("m" + ALL, "Model " + ALL, ALL, ALL))
    script: list[Any] = [
        Reply([Thinking(ALL, display="summarized"), Text(ALL, chunk=40)], model=ALL),
        HttpError(400, ALL, ALL),
        Reply([Text("Part " + ALL)], error_event_after=3, error_type=ALL, error_message=ALL),
    ]
    with ThreadedReferee(script, models=models) as server:
        home.connect(server)
        async with home.app((100, 40)) as me:
            for text in (evil, "second", "third"):
                count = len(server.requests)
                await me.writes(text)
                await me.press("enter")
                await me.until(lambda count=count: len(server.requests) > count and me.idle)  # type: ignore[misc]
                if me.chat.conversation.editing is not None:
                    await me.press("escape")
            await me.press("ctrl+o")
            await me.sees("Model")
            await back(me)
    assert_own("".join(written))


@pytest.mark.parametrize("name", ["escapes", "quotes, then lines"])
async def test_a_thread_of_long_text_opens(home: Home, written: list[str], name: str) -> None:  # noqa: F811
    text = LARGE[name]
    branch = Branch().typed(text).reply({"type": "thinking", "thinking": text}, text).typed("The end of it.")
    home.save(branch, r.Title(at=at(9), title=text), r.Label(at=at(9), message="m0002", label=text))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("The end of it.")
        await me.reading()
        await me.press("home", "end", "t")
        await me.press("escape")
    assert_own("".join(written))
