"""What others do to the files: a second process, a newer version, a broken disk. And narrow screens."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from convend_tui.store.partial import Checkpoint
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.tui import screen
from tests.making import Branch, at, call
from tests.referee import Reply, Text, ThreadedReferee
from tests.tui.conftest import Home
from tests.tui.test_app_ending import WARNING, before_the_end


async def test_what_a_second_process_appends_is_shown_and_its_lock_counts(
    online: Home, referee: ThreadedReferee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "QUIET_S", 600)  # however slow the machine
    thread_id = online.save(before_the_end())
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads(WARNING)
        await me.writes("a draft")
        await me.press(*" of mine")
        other = online.library.open(thread_id)
        leaf = other.thread.leaf
        typed = r.Message(
            at=other.now(),
            id="o1",
            parent=leaf,
            role="user",
            kind="typed",
            content=[{"type": "text", "text": "insult: from afar"}],
        )
        other.append_now([typed])
        await me.reads("insult: from afar")
        assert me.typed == "a draft of mine"
        reply = r.Message(
            at=other.now(),
            id="o2",
            parent="o1",
            role="assistant",
            kind="reply",
            content=[call()],
            stop_reason="tool_use",
        )
        locked = r.Ended(at=other.now(), message="o2", cause="persistent_abuse", explanation="Enough is enough.")
        other.append_now([reply, locked])
        # Typing goes on until the lock is seen: nothing of it may be a command.
        await me.reads("ended this conversation", "Enough is enough.")
        await me.pilot.press(*"nrey")
        assert me.chat.composer.locked == lock.LOCKED
        assert me.app.screen is me.chat
        assert me.chat.conversation.thread is not None and me.chat.conversation.thread.id == thread_id
        assert me.typed == "a draft of mine"
        me.chat._quiet_until = 0.0
        await me.reading()
        await me.press("end", "e")
        assert me.typed == "insult: from afar"
        assert not referee.requests


async def test_a_lock_that_came_unseen_stops_a_send(online: Home, referee: ThreadedReferee) -> None:
    branch = before_the_end()
    thread_id = online.save(branch)
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads(WARNING)
        await me.writes("one more thing")
        # Between the last look at the file and Enter.
        other = online.library.open(thread_id)
        other.append_now([r.Ended(at=other.now(), message=branch.last, cause="persistent_abuse", explanation="Over.")])
        me.chat.sending.submit(me.typed, ())
        await me.until(lambda: me.idle)
        await me.reads("ended this conversation", "Over.")
        assert me.chat.composer.locked == lock.LOCKED
        assert me.typed == "one more thing"
        assert not referee.requests
        assert "one more thing" not in me.thread_file().read_text()


async def test_the_command_line_writes_into_the_chat_that_is_open(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two, from the command line.")
    async with online.app() as me:
        await me.says("Hello")
        command = [sys.executable, "-m", "convend_tui", "ask", "And from here?", "-t", "@last"]
        process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        await me.reads("And from here?", "Two, from the command line.")
        await me.until(lambda: process.poll() is not None)
        out, err = process.communicate()
        assert (process.returncode, out.decode().strip()) == (0, "Two, from the command line."), err
        await me.says("Go on")
        assert len(me.records("message")) == 6
        assert [m["parent"] is None for m in me.records("message")].count(True) == 1
    referee.assert_clean()


async def test_an_unreadable_file_is_listed_as_such_and_never_written(online: Home) -> None:
    online.save(Branch().typed("A good one").reply("Yes."))
    online.paths.threads.mkdir(exist_ok=True)
    broken = online.file("20250101T000000-bad00000")
    broken.write_bytes(b"\x00\x01 not a thread [/]\n{}\n")
    os.utime(broken, (1, 1))
    before = broken.read_bytes()
    async with online.app() as me:
        await me.sees("⚠ cannot be read")
        await me.press("ctrl+t", "end", "enter")
        await me.hears("is not a thread file: it has no header line")
        await me.reads("A new chat")
        await me.press("home", "enter")
        await me.reads("A good one")
    assert broken.read_bytes() == before


async def test_broken_lines_are_told_and_the_rest_is_shown(online: Home, referee: ThreadedReferee) -> None:
    thread_id = online.save(Branch().typed("Hello").reply("Hi."))
    file = online.file(thread_id)
    lines = file.read_bytes().splitlines(keepends=True)
    lines.insert(2, b'{"type":"message","broken\n')
    file.write_bytes(b"".join(lines))
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.hears("In this thread's file, line 3 is skipped")
        await me.reads("Hello", "Hi.")
        await me.says("Still there?")
        assert file.read_bytes().startswith(b"".join(lines))
    referee.assert_clean()


async def test_a_thread_of_a_newer_format_is_read_only(online: Home, referee: ThreadedReferee) -> None:
    thread_id = online.save(Branch().typed("From the future").reply("Yes."), format=r.FORMAT + 1)
    before = online.file(thread_id).read_bytes()
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("From the future")
        await me.sees("read-only")
        await me.writes("Hello")
        await me.press("enter")
        await me.hears("This thread was written by a newer convend")
        await me.until(lambda: me.idle)
        assert me.typed == "Hello"
        await me.press("f2")
        await me.hears("Rename: This thread was written by a newer convend")
        await me.goes_to("Yes.")
        await me.press("r")
        await me.until(lambda: me.idle)
    assert online.file(thread_id).read_bytes() == before
    assert not referee.requests


async def test_a_thread_whose_file_is_gone_can_still_be_read(online: Home, referee: ThreadedReferee) -> None:
    thread_id = online.save(Branch().typed("Hello").reply("Hi."))
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("Hello")
        online.file(thread_id).unlink()
        await me.writes("Go on")
        await me.press("enter")
        await me.hears("cannot be read")
        await me.until(lambda: me.idle)
        assert me.typed == "Go on"
        await me.reads("Hi.")
    assert not referee.requests
    async with online.app() as me:
        await me.reads("A new chat")


async def test_a_reply_cut_off_by_a_crash_is_brought_back(online: Home) -> None:
    branch = Branch().typed("A long story, please")
    thread_id = online.save(branch)
    left = Checkpoint(online.paths.partial, thread_id, "p1")
    left.write(
        r.Message(
            at=at(9),
            id="p1",
            parent=branch.last,
            role="assistant",
            kind="partial",
            content=[{"type": "text", "text": "Once upon"}],
        )
    )
    left.close(keep=True)
    async with online.app() as me:
        await me.hears("A reply that was cut off has been brought back in “A long story, please”.")
        await me.press("ctrl+t", "enter")
        await me.reads("Once upon", "Stopped or broken off here")


async def test_a_narrow_screen_keeps_the_list_away(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text("A short answer.")]))
    online.save(Branch().typed("An old chat").reply("An old answer."))
    async with online.app((80, 24)) as me:
        assert not me.chat.thread_list.display
        assert me.chat.transcript.region.x == 0
        await me.says("Hello")
        await me.press("ctrl+t")
        await me.sees("An old chat", "Hello")
        assert me.chat.transcript.region.x == 0
        assert me.chat.thread_list.has_focus
        await me.press("escape")
        assert not me.chat.thread_list.display
        assert me.chat.composer.has_focus_within
        await me.press("ctrl+t", "end", "enter")
        await me.reads("An old chat", "An old answer.")
        assert not me.chat.thread_list.display
        assert me.chat.composer.has_focus_within
        await me.press("ctrl+t", "ctrl+t")
        assert not me.chat.thread_list.display
        # Wider, it has a place of its own; narrower again, it gives way.
        await me.pilot.resize_terminal(120, 30)
        await me.until(lambda: me.chat.thread_list.display and me.chat.transcript.region.x > 0)
        await me.press("ctrl+t", "ctrl+t")
        assert not me.chat.thread_list.display
        await me.pilot.resize_terminal(80, 24)
        await me.pilot.resize_terminal(120, 30)
        await me.pilot.pause()
        assert not me.chat.thread_list.display
    async with online.app() as me:
        assert not me.chat.thread_list.display
    referee.assert_clean()


async def test_a_screen_of_a_few_cells_does_not_break(online: Home, referee: ThreadedReferee) -> None:
    online.save(Branch().typed("Hello").reply("| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('hello')\n```"))
    async with online.app((20, 6)) as me:
        await me.press("ctrl+t", "enter")
        for size in ((1, 1), (7, 3), (200, 60), (30, 8)):
            await me.pilot.resize_terminal(*size)
            await me.until(lambda size=size: tuple(me.app.size) == size)  # type: ignore[misc]
        await me.press("f1", "escape", "ctrl+o", "escape", "ctrl+p", "escape")
        await me.until(lambda: me.app.screen is me.chat)
