"""A disk on which a write takes seconds: the screen stays fluid, and what was typed meanwhile is kept."""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convend_tui import config, pending
from convend_tui.errors import StoreError
from convend_tui.model.events import TextDelta
from convend_tui.store import behind, drafts
from convend_tui.store.behind import Behind
from convend_tui.tui.composer import ComposerState
from convend_tui.tui.drafting import joined, typed_since
from convend_tui.tui.listing import DRAFT_S
from tests import making
from tests.referee import Reply, Text, ThreadedReferee
from tests.tui.conftest import Home, home, online, referee  # noqa: F401
from tests.tui.workbench import THREAD, forked, opened

linux = pytest.mark.skipif(sys.platform != "linux", reason="open files are named by /proc")


class Slow:
    """A disk on which everything that is written waits until it is let go on. On the event loop nothing may be written:
    there it does not wait, but is noted."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.waiting = 0
        self.fails = False
        self.on_the_loop: list[str] = []
        self._gate = threading.Event()
        self._loop = threading.get_ident()
        for name in ("fsync", "write", "replace", "ftruncate"):
            patch.setattr(os, name, self._slowed(name, getattr(os, name)))

    def go_on(self) -> None:
        self._gate.set()

    def _slowed(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *more: Any) -> Any:
            place = str(Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else what)
            if place.startswith(str(self.folder)):
                if threading.get_ident() == self._loop:
                    self.on_the_loop.append("".join(traceback.format_stack(limit=12)))
                else:
                    self.waiting += 1
                    assert self._gate.wait(60)
                    if self.fails:
                        raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(what, *more)

        return call


@linux
async def test_a_slow_disk_leaves_the_screen_fluid(
    online: Home,  # noqa: F811
    referee: ThreadedReferee,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with online.app() as me:
        await me.says("Hello")
        with monkeypatch.context() as patched:
            slow = Slow(online.root, patched)
            await me.writes("A question")
            await me.press("enter")
            await me.until(lambda: slow.waiting)
            await me.press(*"xyz")  # the question is being written
            assert me.typed == "A questionxyz"
            me.app.theme = "textual-light"
            await me.until(lambda: me.app.choices.theme == "textual-light")
            await me.pilot.pause(DRAFT_S + 0.2)  # the draft is being written
            await me.press("!")
            assert me.typed == "A questionxyz!"
            assert len(me.texts()) == 1
            slow.go_on()
            await me.until(lambda: me.idle and len(me.texts()) == 2)
            assert me.texts() == ["Hello", "A question"]
            await me.until(lambda: me.typed == "xyz!")
        assert not slow.on_the_loop, slow.on_the_loop[0]
        await me.press("?")
        assert me.typed == "xyz!?"
    assert config.load_choices(online.paths).theme == "textual-light"
    async with online.app() as me:
        await me.until(lambda: me.typed == "xyz!?")


@linux
async def test_a_slow_disk_while_an_answer_comes_and_is_stopped(
    online: Home,  # noqa: F811
    referee: ThreadedReferee,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with online.app() as me:
        await me.says("Hello")
        await me.writes("slow please")
        await me.press("enter")
        await me.until(lambda: (turn := me.chat.conversation.turn) and turn.reply and turn.reply.body.source)
        with monkeypatch.context() as patched:
            patched.setattr(pending, "CHECKPOINT_S", 0.0)
            slow = Slow(online.root, patched)
            await me.until(lambda: slow.waiting)  # a checkpoint
            await me.press(*"abc")
            assert me.typed == "abc"
            await me.press("escape")
            await me.until(lambda: slow.waiting > 1 or me.chat.transcript.has_focus)
            await me.press("escape")
            await me.press("i", *"def")
            slow.go_on()
            await me.until(lambda: me.idle)
        assert not slow.on_the_loop, slow.on_the_loop[0]
        await me.until(lambda: [m for m in me.records("message") if m["kind"] == "partial"])
        await me.until(lambda: not list(online.paths.partial.glob("*.json")))
        assert len(me.records("message")) == 4


@linux
async def test_an_answer_that_is_left_between_two_pieces_is_not_written_on_the_loop(
    plain_http: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadedReferee([Reply([Text("One two three.", rate=50.0, chunk=1)])]) as server:
        desk = making.desk(server.base_url, tmp_path)
        turn = desk.session.send(making.content_of("Hello"), None)
        async for event in turn:
            if isinstance(event, TextDelta):
                break
        with monkeypatch.context() as patched:
            slow = Slow(tmp_path, patched)
            slow.go_on()
            await turn.aclose()
        await desk.models.close()
    assert not slow.on_the_loop, slow.on_the_loop[0]
    assert desk.lines()[-1]["kind"] == "partial"


@linux
async def test_a_draft_that_a_slow_disk_refuses_is_told_of_and_kept(
    online: Home,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with online.app() as me:
        with monkeypatch.context() as patched:
            slow = Slow(online.root, patched)
            await me.writes("What was typed")
            await me.until(lambda: slow.waiting)
            await me.pilot.pause(behind.PATIENCE_S + 0.05)
            slow.fails = True
            slow.go_on()
            await me.hears("Your draft could not be kept")
            assert me.typed == "What was typed"
        await me.press("!")
        await me.until(lambda: drafts.load(online.paths, drafts.NEW).text == "What was typed!")


@linux
async def test_a_slow_disk_at_the_end_gets_every_draft(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        slow = Slow(home.root, monkeypatch)
        await me.writes("for the fourth")
        await me.goes_to("another answer")
        await me.press("left")
        await me.until(lambda: me.typed == "")
        await me.press("end")
        await me.writes("for the second")
        await me.until(lambda: slow.waiting)
        # The disk goes on when the screen is gone already.
        finish = behind.finish
        monkeypatch.setattr(behind, "finish", lambda: [slow.go_on(), finish()].clear())
    assert not slow.on_the_loop, slow.on_the_loop[0]
    kept = {place.message: draft.text for place, draft in drafts.of_branches(home.paths, THREAD)}
    assert set(kept.values()) == {"for the fourth", "for the second"} and len(kept) == 2


@linux
async def test_behind_a_slow_disk_a_flip_back_leads_to_where_one_was(
    home: Home,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.save(forked())
    async with home.app() as me:
        await opened(me, "fourth answer")
        with monkeypatch.context() as patched:
            slow = Slow(home.root, patched)
            await me.goes_to("fourth question")
            await me.press("left")
            await me.reads("third answer")
            await me.goes_to("another answer")
            await me.press("left")
            await me.reads("second answer")
            await me.goes_to("first answer")
            await me.press("right")
            await me.reads("another answer", "third answer")  # not the fourth, where the file still is
            await me.until(lambda: slow.waiting)
            slow.go_on()


# -- work that is done behind ------------------------------------------------------------------------------


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Work waits for it; in the end it is open in any case."""
    event = threading.Event()
    yield event
    event.set()
    behind.finish()


def refuse() -> None:
    raise StoreError("No.")


def test_quick_work_is_done_at_once_and_says_what_is_wrong() -> None:
    done: list[int] = []
    work = Behind()
    work.do(lambda: done.append(1))
    assert done == [1] and not work.busy
    with pytest.raises(StoreError):
        work.do(refuse)


def test_slow_work_is_done_in_its_order_and_what_is_wrong_is_told_later(gate: threading.Event) -> None:
    done: list[object] = []
    failed: list[str] = []
    work = Behind(lambda error: failed.append(str(error)))
    work.do(lambda: done.append(gate.wait(30)))
    work.do(lambda: done.append(2))
    work.do(refuse)
    work.do(lambda: done.append(3))
    assert work.busy and not done
    gate.set()
    behind.finish()
    assert done == [True, 2, 3]
    assert failed == ["No."]


def test_an_error_that_nobody_expected_is_raised_for_the_next(gate: threading.Event) -> None:
    work = Behind()
    work.do(lambda: [gate.wait(30), {}["no such key"]].clear())
    gate.set()
    with pytest.raises(KeyError):
        behind.finish()
    work.do(lambda: [][1])
    with pytest.raises(IndexError):
        work.do(lambda: None)
    behind.finish()


@pytest.mark.parametrize(
    ("sent", "now", "later"),
    [
        ("Hello", "Hello", ""),
        ("Hello", "Hello there", " there"),
        ("Hello", "Hello\n\nthere", "there"),
        ("Hello", "", ""),
        ("Hello", "Jello", "Jello"),
    ],
)
def test_what_was_typed_since_it_was_sent(sent: str, now: str, later: str) -> None:
    found = typed_since(ComposerState(sent), ComposerState(now))
    assert found.text == later
    assert joined(ComposerState("aside"), found).text == (f"aside\n\n{later}" if later else "aside")
