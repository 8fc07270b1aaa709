"""`convend sync` while others write, where it is killed, and where the remote moves: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from convend_tui.store import blobs
from convend_tui.store import sync as sync_module
from tests.faults.syncing import (
    Machine,
    bare,
    copied,
    git,
    in_step,
    killed_at,
    needs_git,
    nobodys_settings,
    pair_in,
    shared,
)

ROOT = Path(__file__).parents[2]
pytestmark = needs_git


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys_settings(tmp_path, monkeypatch)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Machine, Machine]:
    """Two machines that have synced once."""
    return pair_in(tmp_path)


_APPENDING = """
import sys
from pathlib import Path
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.making import paths_in, text
library = Library(paths_in(Path(sys.argv[1])))
for number in range(int(sys.argv[3])):
    handle = library.open(sys.argv[2]) if number % 20 == 0 else handle
    name, words = f"{Path(sys.argv[1]).name}-{number}", [text("x")]
    handle.append_now([r.Message(at=handle.now(), id=name, parent="m0002", role="user", content=words, kind="typed")])
"""


def test_other_processes_append_all_the_while(pair: tuple[Machine, Machine]) -> None:
    thread_id, count = shared(pair), 150
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _APPENDING, str(machine.root), thread_id, str(count)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )
        for machine in pair
    ]
    rounds = 0
    while any(writer.poll() is None for writer in writers):
        pair[rounds % 2].sync()
        rounds += 1
    for writer in writers:
        _, err = writer.communicate()
        assert (writer.returncode, err) == (0, b"")
    assert in_step(*pair)
    wanted = {f"{machine.root.name}-{number}" for machine in pair for number in range(count)}
    for machine in pair:
        messages = machine.open(thread_id).thread.messages.keys()
        assert messages == {"m0001", "m0002"} | wanted
        assert not list((machine.paths.state / "torn").glob("*"))
    print(f"\n2 processes of {count} appends each, {rounds} syncs meanwhile: 0 lost, 0 torn")


def test_a_sync_killed_at_any_step_loses_nothing(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    one, two = pair
    both, thrown, kept, back = (one.new(words) for words in ("both", "thrown", "kept", "back"))
    one.library.trash(back)
    assert in_step(one, two)
    # Something of everything is new on both sides.
    one.say(both, "one")
    two.say(both, "two")
    one.library.trash(thrown)
    one.library.trash(kept)
    two.say(kept, "I go on")
    one.library.untrash(back)
    fresh = one.new("new on one"), two.new("new on two")
    blob = blobs.attach_bytes(one.paths, "n.txt", b"words of one")["source"]["sha256"]
    one.sync()
    wanted = {
        f"threads/{both}.jsonl": one.lines(both) | two.lines(both),
        f"threads/{kept}.jsonl": two.lines(kept),
        f"threads/{back}.jsonl": one.lines(back),
        f"trash/{thrown}.jsonl": one.lines(thrown, "trash"),
        f"threads/{fresh[0]}.jsonl": one.lines(fresh[0]),
        f"threads/{fresh[1]}.jsonl": two.lines(fresh[1]),
        f"blobs/{blob}": b"words of one",
    }
    for folder in (one.root, two.root, one.remote):
        git(folder, "gc", "-q")
    step = 0
    while True:
        one, two = copied(tmp_path, tmp_path / f"step {step}")
        if not killed_at(step, two):
            break
        for machine in (two, one):
            for file in machine.paths.threads.glob("*.jsonl"):  # every file opens as it was left
                assert machine.open(file.stem).problems == []
        two.sync()
        one.sync()
        assert (one.head(), one.everything()) == (two.head(), two.everything()), step
        assert one.everything() == wanted, step
        git(one.remote, "fsck", "--no-dangling")
        step += 1
    assert step > 20
    print(f"\na sync killed before each of its {step} steps: records lost: 0")


def test_lock_files_of_git_that_a_killed_sync_left_are_taken_away(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    thread_id = shared(pair)
    one.say(thread_id, "x")
    assert killed_at(15, one)
    left = one.root / ".git" / "refs" / "heads" / "main.lock"
    left.touch()
    one.sync()
    assert not left.exists()
    assert in_step(one, two)


def test_the_remote_moves_while_a_sync_is_at_work(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    thread_id = shared(pair)
    fetch, moves = sync_module.fetch, 2
    one.say(thread_id, "mine")

    def moving(git: object) -> object:
        nonlocal moves
        found = fetch(git)  # type: ignore[arg-type]
        if moves:
            moves -= 1
            two.say(thread_id, f"theirs {moves}")
            with monkeypatch.context() as patch:
                patch.setattr(sync_module, "fetch", fetch)
                two.sync()
        return found

    monkeypatch.setattr(sync_module, "fetch", moving)
    one.sync()
    monkeypatch.undo()
    assert moves == 0
    assert in_step(one, two)
    assert len(one.open(thread_id).thread.children("m0002")) == 3


@pytest.mark.parametrize("seed", range(2))
def test_three_machines_do_anything_in_any_order_and_agree_in_the_end(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    remote = bare(tmp_path / "remote.git")
    machines = [Machine(tmp_path / name, remote) for name in ("one", "two", "three")]
    written: dict[str, set[str]] = {}
    for machine in machines:
        machine.begin()

    def act(machine: Machine) -> None:
        ids, trashed = machine.library.ids(), machine.library.trashed_ids()
        what = chance.choice(["new", "say", "say", "say", "trash", "untrash"])
        if what == "new" or not ids + trashed:
            written[machine.new()] = set()
        elif what == "say" and ids:
            thread_id = chance.choice(sorted(ids))
            written[thread_id].add(machine.say(thread_id, f"{len(written[thread_id])}"))
        elif what == "trash" and ids:
            machine.library.trash(chance.choice(sorted(ids)))
        elif what == "untrash" and trashed:
            machine.library.untrash(chance.choice(sorted(trashed)))

    for _ in range(6):
        for machine in chance.sample(machines, 3):
            for _ in range(chance.randrange(4)):
                act(machine)
            if chance.random() < 0.6:
                machine.sync()
    assert in_step(*machines)
    for thread_id, names in written.items():
        folder = "threads" if machines[0].file(thread_id).exists() else "trash"
        text = b"".join(machines[0].lines(thread_id, folder))
        assert all(json.dumps(name).encode() in text for name in names), thread_id
