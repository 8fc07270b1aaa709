"""The library: searching it, and what is done to a chat as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from convend_tui.errors import StoreError
from convend_tui.plain import one_line
from convend_tui.store.library import LAST
from convend_tui.tui.actions.area import STREAMING, Area
from convend_tui.tui.commands import BY_ID
from convend_tui.tui.notices import NoticeItem

if TYPE_CHECKING:
    from textual.worker import Worker

    from convend_tui.store.index_search import Hit
    from convend_tui.tui.pick import Pick
    from convend_tui.tui.screen import ChatScreen
    from convend_tui.tui.search_screen import Search


class Searching(Area):
    """The search, and going from hit to hit.

    Args:
        new, back: what `n` and Esc do when nobody goes from hit to hit.
    """

    def __init__(self, screen: ChatScreen, new: Callable[[], None], back: Callable[[], None]) -> None:
        super().__init__(screen)
        self._new, self._back = new, back
        self._search: Search | None = None
        self._going = False

    def do_search(self) -> None:
        from convend_tui.tui.search_screen import Search, SearchScreen  # the search comes after the first paint

        screen = self._screen
        screen.listing.changed()
        before = self._search or Search()
        screen.convend.push_screen(SearchScreen(screen.convend.library, screen.listing.indexing, before), self._begin)

    def _begin(self, search: Search | None) -> None:
        if search is not None:
            self._search = search
            self._show()

    @property
    def words(self) -> str:
        """Where one is among the hits; empty where nobody goes from one to the next."""
        search = self._search
        if search is None or not self.is_going:
            return ""
        return f"hit {search.place + 1:,} of {len(search.hits):,}"

    @property
    def is_going(self) -> bool:
        """Whether `n` goes to the next hit: until the person leaves with Esc, writes, or opens another chat."""
        search, thread = self._search, self._screen.conversation.thread
        if not self._going or search is None or thread is None:
            return False
        return search.hits[search.place].thread == thread.id

    def over(self) -> None:
        """From now on `n` is a new chat again."""
        self._going = False

    def _why_not_step(self, step: int) -> str | None:
        search = self._search
        if search is None:
            return "Search for something first."
        if step > 0 and search.may_go_on:
            return None
        if not 0 <= search.place + step < len(search.hits):
            return "This is the last hit." if step > 0 else "This is the first hit."
        return None

    def _step(self, step: int) -> None:
        search = self._search
        assert search is not None
        if search.place + step < len(search.hits):
            self._search = replace(search, place=search.place + step)
            self._show()
        else:
            self._screen.run_worker(self._ask_for_more(search), group="search", exclusive=True)

    async def _ask_for_more(self, search: Search) -> None:
        """The last hit of those that were asked for: ask for more, and go on where there are any."""
        from convend_tui.tui.search_screen import more

        try:
            longer, place = await more(self._screen.convend.library, search)
        except StoreError as error:
            self._screen.convend.tell(str(error), severity="warning")
            return
        if self._search is not search:
            return  # the person went elsewhere meanwhile
        self._search = longer
        if place is None:
            self._screen.convend.tell("This is the last hit.", severity="warning")
            self._screen.refresh_lines()
        else:
            self._search = replace(longer, place=place)
            self._show()

    def why_not_hit_next(self) -> str | None:
        return self._why_not_step(1)

    def do_hit_next(self) -> None:
        self._step(1)

    def why_not_hit_previous(self) -> str | None:
        return self._why_not_step(-1)

    def do_hit_previous(self) -> None:
        self._step(-1)

    def _n_goes_on(self) -> bool:
        # On the notice of an ending `n` is what the notice says it is.
        return self.is_going and not isinstance(self._screen.transcript.focused_item, NoticeItem)

    def label_new_here(self) -> str:
        """See `Actions.label`."""
        return BY_ID["hit_next" if self._n_goes_on() else "new_here"].label

    def why_not_new_here(self) -> str | None:
        return self.why_not_hit_next() if self._n_goes_on() else None

    def do_new_here(self) -> None:
        if self._n_goes_on():
            self._step(1)
        else:
            self._new()

    def do_back(self) -> None:
        self.over()
        self._back()

    def _show(self) -> None:
        """Open the hit's chat, on its branch, at its message."""
        assert self._search is not None
        screen, hit = self._screen, self._search.hits[self._search.place]
        thread = screen.conversation.thread
        if thread is None or thread.id != hit.thread:
            screen.actions.chats.open(hit.thread)
            thread = screen.conversation.thread
        self._going = True
        if thread is None or thread.id != hit.thread:
            return  # it has gone since, and that was said
        self._go_to(hit)
        screen.refresh_lines()

    def _go_to(self, hit: Hit) -> None:
        screen = self._screen
        conversation = screen.conversation
        assert conversation.thread is not None
        if hit.message is None:
            screen.transcript.focus()
        elif hit.message not in conversation.thread.messages:
            screen.convend.tell("This message is no longer in its chat.", severity="warning")
        elif conversation.turn is not None:
            # The branch on which a reply comes in stays on the screen.
            if all(message.id != hit.message for message in conversation.thread.path(conversation.leaf)):
                screen.convend.tell(f"This is on another branch. {STREAMING}", severity="warning")
            else:
                screen.transcript.focus()
                screen.transcript.go_to(hit.message)
        else:
            self.go_to_message(hit.message)


class Keeping(Area):
    """Pin, throw away, bring back. In the list it is about the chat under the cursor, elsewhere about the open one."""

    def do_list_filter(self) -> None:
        screen = self._screen
        screen.show_list(True)
        screen.thread_list.focus()
        screen.thread_list.begin_filter()
        screen.refresh_lines()

    def _chosen(self) -> tuple[str, str, bool] | None:
        """Id, title, and whether it is pinned."""
        screen = self._screen
        if screen.focused is screen.thread_list:
            row = screen.thread_list.cursor_thread
            return None if row is None else (row.id, row.title, row.pinned)
        conversation = screen.conversation
        if conversation.handle is None or not conversation.handle.on_disk:
            return None
        thread = conversation.handle.thread
        return thread.id, thread.title, thread.pinned

    def _why_not(self) -> str | None:
        if self._chosen() is not None:
            return None
        in_list = self._screen.focused is self._screen.thread_list
        return "There is no chat under the cursor." if in_list else "This chat is empty."

    def why_not_pin(self) -> str | None:
        return self._why_not()

    def do_pin(self) -> None:
        chosen = self._chosen()
        assert chosen is not None
        thread_id, _, pinned = chosen
        library = self._screen.convend.library
        self._work(partial(library.pin, thread_id, not pinned), lambda _: None)

    def why_not_trash(self) -> str | None:
        chosen = self._chosen()
        if chosen is None:
            return self._why_not()
        known = self._screen.opened.get(chosen[0])
        return STREAMING if known is not None and known.turn is not None else None

    def do_trash(self) -> None:
        from convend_tui.tui.dialogs import Confirm

        chosen = self._chosen()
        assert chosen is not None
        thread_id, title, _ = chosen

        def trash(agreed: bool | None) -> None:
            if agreed:
                self._trash(thread_id, title)

        body = (
            f"“{one_line(title, 60)}” goes to the trash, with all its branches. u in the list of chats brings it back."
        )
        dialog = Confirm("Throw this chat away?", body, "Throw away", "Keep", default_yes=True)
        self._screen.convend.push_screen(dialog, trash)

    def _trash(self, thread_id: str, title: str) -> None:
        screen = self._screen
        known = screen.opened.get(thread_id)
        if known is not None and known.turn is not None:
            screen.convend.tell(f"Trash: {STREAMING}", severity="warning")  # it began behind the dialog
            return
        is_open = screen.conversation.thread is not None and screen.conversation.thread.id == thread_id
        if is_open:
            in_list = screen.focused is screen.thread_list
            screen.actions.chats.do_new()
            screen.listing.mark_current()
            if in_list:
                screen.thread_list.focus()
        screen.opened.pop(thread_id, None)
        words = f"“{one_line(title, 40)}” is in the trash. u in the list of chats brings it back."
        self._work(partial(screen.convend.library.trash, thread_id), lambda _: screen.convend.tell(words))

    def do_untrash(self) -> None:
        library = self._screen.convend.library
        self._work(lambda: library.untrash(library.resolve_trashed(LAST)), self._is_back)

    def _is_back(self, thread_id: object) -> None:
        self._screen.convend.tell("The chat is back.")
        self._screen.listing.go_to(str(thread_id))

    def do_restore(self) -> None:
        from convend_tui.tui.pick import Pick

        pick = Pick("Restore a trashed chat", None, empty="There is nothing in the trash.")
        self._screen.convend.push_screen(pick, self._restore)
        self._worker: Worker[None] = self._screen.run_worker(partial(self._list_trash, pick), group="library")

    async def _list_trash(self, pick: Pick) -> None:
        from convend_tui.tui.items import clock
        from convend_tui.tui.pick import PickOption

        try:
            trashed = await asyncio.to_thread(self._screen.convend.library.trashed)
        except StoreError as error:
            pick.show_error(str(error))
            return
        options = [
            PickOption(one.id, one_line(one.title, 60), f"{clock(one.updated)}{' · ⊘ ended' if one.locked else ''}")
            for one in trashed
        ]
        if pick.is_attached:
            pick.set_options(options)

    def _restore(self, trashed_id: str | None) -> None:
        if trashed_id is not None:
            library = self._screen.convend.library
            self._work(lambda: library.untrash(trashed_id), self._is_back)

    def _work(self, work: Callable[[], object], then: Callable[[object], None]) -> None:
        """Do what blocks on the disk in the background; say what is wrong with it."""
        self._worker = self._screen.run_worker(partial(self._worked, work, then), group="library")

    async def _worked(self, work: Callable[[], object], then: Callable[[object], None]) -> None:
        screen = self._screen
        try:
            result = await asyncio.to_thread(work)
        except StoreError as error:
            screen.convend.tell(str(error), severity="error")
        else:
            then(result)
        if screen.is_whole:
            screen.listing.changed()
