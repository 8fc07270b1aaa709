"""A lock falls while somebody has stopped to think in the middle of a message, and types on without a look."""

from __future__ import annotations

from time import monotonic

from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.tui.screen import QUIET_S, TYPED_ON
from tests.making import call
from tests.referee.scenario import WARNING
from tests.tui.conftest import Home
from tests.tui.test_app_ending import before_the_end


async def test_the_first_keys_are_no_commands_however_long_the_thought(online: Home) -> None:
    thread_id = online.save(before_the_end())
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads(WARNING)
        await me.writes("wait, I ")
        other = online.library.open(thread_id)
        reply = r.Message(
            at=other.now(),
            id="o1",
            parent=other.thread.leaf,
            role="assistant",
            kind="reply",
            content=[call()],
            stop_reason="tool_use",
        )
        other.append_now([reply, r.Ended(at=other.now(), message="o1", cause="persistent_abuse", explanation="So.")])
        await me.until(lambda: me.chat.composer.locked == lock.LOCKED)
        assert me.chat._quiet_until > monotonic() + QUIET_S
        # A letter that would begin a new chat, and one that would open the tree.
        await me.press("n", "t")
        await me.hears(TYPED_ON)
        assert me.chat.conversation.thread is not None and me.chat.conversation.thread.id == thread_id
        assert me.typed == "wait, I "
        await me.reading()
        await me.press("n")
        await me.until(lambda: me.chat.conversation.thread is None)
        assert me.typed == "wait, I "
