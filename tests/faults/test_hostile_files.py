"""Thread files that somebody or something spoiled: a clear error or a way round, never a crash, never an endless loop,
and nothing is written over what could not be read."""

from __future__ import annotations

import os
import random
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui import config
from convend_tui.cli import main
from convend_tui.errors import ConvendError, StoreError
from convend_tui.exchange import formats
from convend_tui.model.reply import ReplyBuilder
from convend_tui.paths import Paths
from convend_tui.plain import visible
from convend_tui.replay import Replay
from convend_tui.store.check import Checker
from convend_tui.store.library import Library
from convend_tui.thread import cost
from convend_tui.thread import records as r
from convend_tui.thread.crumbs import crumbs
from tests.faults import mutating
from tests.faults.spoiled import GOOD, JSON, THREAD, thread_file
from tests.making import at, header
from tests.tui.conftest import Home, home  # noqa: F401 - a fixture

pytestmark = [pytest.mark.timeout(90), pytest.mark.skipif(os.name == "nt", reason="POSIX files")]

MUTATED = int(os.environ.get("CONVEND_MUTATIONS", "2500"))
"""Thread files in the small run; `python -m tests.bench mutations` has a million."""
ON_DISK = 120


def test_mutated_thread_files_bring_nothing_down() -> None:
    threads = 0
    for seed in range(MUTATED):
        threads += mutating.go_through(mutating.mutated(random.Random(seed))) is not None
    print(f"\n{MUTATED:,} mutated thread files, {threads:,} still threads: 0 crashes")
    assert threads > MUTATED / 2, "the mutations leave too little to look at"


def test_what_shows_and_exports_them_is_not_brought_down_either(paths: Paths) -> None:
    def warn(_: str) -> None:
        return

    shown = 0
    for seed in range(ON_DISK):
        data = mutating.mutated(random.Random(f"shown {seed}"))
        thread = mutating.read(data)
        if thread is None:
            continue
        shown += 1
        leaf = thread.leaf
        crumbs(thread, leaf)
        visible(cost.in_words(cost.cost_of(thread, thread.messages.values(), lambda _: config.Price(model="x"))))
        cost.estimate(thread, leaf, "x", datetime.now(UTC))
        replay = Replay(thread, leaf)
        assert all(replay.events(number) for number in range(len(replay.scenes)))
        thread_file(paths).write_bytes(data)
        for one in formats.FORMATS.values():
            try:
                for piece in one.write(formats.Job(paths, thread_file(paths), thread, leaf, True, True, warn=warn)):
                    piece.decode("utf-8", "strict" if one.scope != "file" else "replace")
            except ConvendError as error:
                assert str(error)
    assert shown > ON_DISK / 2


def test_on_the_disk_nothing_is_written_over_and_the_next_record_is_kept(paths: Paths) -> None:
    kept = told = 0
    for seed in range(ON_DISK):
        data = mutating.mutated(random.Random(f"disk {seed}"))
        file = thread_file(paths)
        file.write_bytes(data)
        library = Library(paths)
        list(Checker(paths).threads())
        assert file.read_bytes() == data
        try:
            handle = library.open(THREAD)
            handle.append_now([r.Pin(at=handle.now(), pinned=True)])
        except StoreError as error:
            told += 1
            assert str(error)
            assert file.read_bytes() == data, "what could not be read was written over"
            continue
        kept += 1
        after = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        assert after.startswith(whole)
        tail = data[len(whole) :]
        torn = [one.read_bytes() for one in (paths.state / "torn").glob("*")] if (paths.state / "torn").exists() else []
        assert not tail or after.startswith(data) or tail in torn, "a torn line is lost"
        assert isinstance(r.decode(after.splitlines()[-1]), r.Pin)
    print(f"\n{ON_DISK} mutated files on the disk: {kept} went on, {told} refused with a reason, 0 written over")
    assert kept > told > 0


def test_the_index_and_the_files_say_the_same_of_mutated_files(paths: Paths) -> None:
    for seed in range(ON_DISK):
        file = thread_file(paths, f"20261122T000000-{seed:08x}")
        file.write_bytes(mutating.mutated(random.Random(f"index {seed}")))
    library = Library(paths)
    with closing(library):
        listed = {summary.id: summary for summary in library.summaries()}
        assert listed == {name: library.summary(name) for name in library.ids()}
        assert library.index.search("Hello") and not library.index.search("nothingofthekind")


BLOCKS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "tool_result", "image", "document", "odd"]) | JSON},
    optional=dict.fromkeys(("text", "thinking", "id", "tool_use_id", "source", "input", "content", "title"), JSON),
)
IDS = st.sampled_from(["a", "b", "c", "d", "gone", ""])
MESSAGES = st.fixed_dictionaries(
    {
        "type": st.just("message"),
        "at": st.sampled_from(["2026-11-22T00:00:01.000Z", "2026-11-22T00:00:02.000Z", "", "\x1b", "9999-12-31"]),
        "id": IDS,
        "parent": IDS | st.none(),
        "role": st.sampled_from(["user", "assistant"]),
        "kind": st.sampled_from(["typed", "reply", "guard", "partial", ""]),
        "content": st.lists(BLOCKS, max_size=4),
    },
    optional=dict.fromkeys(("model", "stop_reason", "stop_details", "usage", "timing", "origin"), JSON),
)
ABOUT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ended", "verdict", "label", "leaf", "hide", "restore", "feedback", "later"]),
        "at": st.sampled_from(["2026-11-22T00:00:03.000Z", ""]),
        "message": IDS,
        **{name: st.text(max_size=9) for name in ("cause", "explanation", "outcome", "label", "thumb", "comment")},
    }
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(MESSAGES | ABOUT | JSON, max_size=9))
def test_records_of_any_content_make_a_thread_that_can_be_worked_with(records: list[Any]) -> None:
    lines = [r.encode(header()), *(msgspec.json.encode(record) + b"\n" for record in records)]
    thread = mutating.go_through(b"".join(lines))
    assert thread is not None
    assert not thread.messages or thread.roots


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_bytes_at_all(data: bytes) -> None:
    assert mutating.go_through(data) is None
    assert mutating.go_through(GOOD + data) is not None


@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_deep_nesting_is_refused_line_by_line(paths: Paths, depth: int) -> None:
    nested = b'{"type":"odd","of":' + b"[" * depth + b"]" * depth + b"}"
    line = GOOD.splitlines()[2].replace(b'"content":[', b'"content":[' + nested + b",").replace(b"m0002", b"m0003")
    thread_file(paths).write_bytes(GOOD + line + b"\n")
    handle = Library(paths).open(THREAD)
    assert len(handle.thread.messages) == 2
    assert "line 4 is skipped" in handle.problems[0]
    assert thread_file(paths).read_bytes() == GOOD + line + b"\n"


@pytest.mark.parametrize("depth", [100, 500, 5_000])
def test_what_a_server_nests_deeply_is_written_so_that_it_can_be_read(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    builder = ReplyBuilder()
    builder.feed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Words."}, "index": 0}, 1)
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    builder.feed({"type": "content_block_start", "index": 1, "content_block": call}, 2)
    builder.feed(
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": nested}}, 3
    )
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    builder.feed({"type": "content_block_start", "index": 2, "content_block": {"type": "odd", "of": value}}, 4)
    message = r.Message(at=at(1), id="x", parent=None, role="assistant", content=builder.content(), kind="reply")
    read = r.decode(r.encode(message))
    assert isinstance(read, r.Message)
    assert r.text_of(read) == "Words."
    call = read.content[1]
    assert call["input"] or call["partial_input"] == nested


def test_a_huge_file_of_nothing(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    size = 1 << (30 if os.environ.get("CONVEND_HUGE") else 25)
    with thread_file(paths).open("r+b") as file:
        file.truncate(size)
    empty = thread_file(paths, "20261122T000001-00000001")
    with empty.open("wb") as file:
        file.truncate(size)
    assert len(Library(paths).open(THREAD).thread.messages) == 2
    assert main(["show", THREAD]) == 0
    assert main(["list"]) == 0
    assert main(["show", empty.stem]) == 1
    assert "not a thread file" in capsys.readouterr().err
    assert main(["check"]) == 1
    assert empty.stat().st_size == thread_file(paths).stat().st_size == size
