"""The tour, opened by its command once more."""

from __future__ import annotations

from tests.tui.conftest import Home


async def test_the_command_opens_the_tour_at_its_beginning(online: Home) -> None:
    online.first_run()
    async with online.app() as me:
        await me.sees("A tour of convend")
        await me.press("escape", "G")
        await me.until(lambda: me.chat.transcript.scroll_offset.y > 0)
        await me.press("ctrl+n")
        await me.until(lambda: me.chat.conversation.thread is None)
        await me.press("ctrl+p", *"tour", "enter")
        await me.sees("A tour of convend")
        await me.until(lambda: me.chat.transcript.scroll_offset.y == 0)
        assert me.chat.transcript.focused_key == me.chat.transcript.items[0].key
