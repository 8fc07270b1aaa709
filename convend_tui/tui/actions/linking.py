"""Opening a link of a message."""

from __future__ import annotations

import asyncio

from convend_tui.tui.actions.area import NO_MESSAGE, Area
from convend_tui.tui.items import MessageItem

_NONE = "This message holds no web address."


class Linking(Area):
    """The web addresses of the focused message. Nothing is opened that was not shown in full first."""

    def _addresses(self) -> list[str]:
        from convend_tui.tui import links  # not needed for the first paint

        item = self._screen.transcript.focused_item
        return links.addresses(item.body.source) if isinstance(item, MessageItem) else []

    def why_not_link(self) -> str | None:
        """A notice has none, and most messages have none."""
        item = self._screen.transcript.focused_item
        if not isinstance(item, MessageItem):
            return NO_MESSAGE
        # The key hints ask this at each key; whether it is an address, `_addresses` says.
        return None if "://" in item.body.source else _NONE

    def do_link(self) -> None:
        """Ask which, then whether."""
        found = self._addresses()
        if len(found) == 1:
            self._ask(found[0])
            return
        if not found:
            self._screen.convend.tell(_NONE)
            return
        from convend_tui.tui.links import host_of
        from convend_tui.tui.pick import Pick, PickOption  # dialogs come after the first paint

        options = [PickOption(address, address, host_of(address)) for address in found]
        self._screen.convend.push_screen(Pick("Open which address?", options), self._ask)

    def _ask(self, address: str | None) -> None:
        if address is None:
            return
        from convend_tui.tui.dialogs import Confirm
        from convend_tui.tui.links import host_of

        app = self._screen.convend

        def answered(yes: bool | None) -> None:
            if yes:
                app.run_worker(self._open(address))

        title = f"Open this address of {host_of(address)} in your browser?"
        app.push_screen(Confirm(title, address, "Open", "Leave it", default_yes=True), answered)

    async def _open(self, address: str) -> None:
        from convend_tui.tui.links import open_in_browser

        app = self._screen.convend
        if not await asyncio.to_thread(open_in_browser, address):
            app.copy_to_clipboard(address)
            app.tell("No browser could be opened here. The address is copied instead.")
