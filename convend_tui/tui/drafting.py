"""Which draft is in the composer: one for each branch, kept over switches, flips, failed sends and restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from convend_tui.errors import StoreError
from convend_tui.store import drafts, drafts_apart
from convend_tui.store.behind import Behind
from convend_tui.thread import lock
from convend_tui.thread import records as r
from convend_tui.tui.composer import ComposerState
from convend_tui.tui.conversation import Conversation, Editing
from convend_tui.tui.folding import Folding, hold

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen

JOINED = "Another draft was kept at the end of this branch. It stands below yours now."


class Drafting:
    """Brings the draft of the branch that is shown into the composer, and writes it down."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self._kept: dict[drafts.Place, drafts.Draft] = {}
        """What was last read or written of a place: what has not changed is not written again."""
        self._on_disk: dict[drafts.Place, drafts.Draft] = {}
        """What this window last read or wrote in a place's own file: anything else there is another window's."""
        self._apart: set[drafts.Place] = set()
        """Places whose file another window has: what is typed here is kept apart."""
        self._absorbed: dict[drafts.Place, tuple[str, list[Path]]] = {}
        """What a place's draft took in of those that were kept apart, and their files: still to be removed."""
        self._behind = Behind(self._failed)
        self._waiting: dict[drafts.Place, drafts.Draft] = {}
        """What is still to be written."""
        self._refused: set[drafts.Place] = set()
        """Those of them that the disk did not take: written when it takes others again."""
        self._failing = False
        """A draft could not be written: none is taken away before one can."""

    # -- the chat that is shown -----------------------------------------------------------------------

    def show(self) -> None:
        """A chat came to the screen: its draft goes into the composer, or the message that was being edited."""
        screen, conversation = self._screen, self._screen.conversation
        self._take_up(conversation)
        conversation.draft = self.place_of(conversation)
        conversation.draft_goes = "along"
        state = as_state(self.draft_of(conversation, move=True))
        if conversation.editing is not None:
            conversation.editing = replace(conversation.editing, draft=state)
            state = conversation.editing.text
        screen.sending.show_banner()
        screen.composer.restore(state)

    def fit(self) -> None:
        """The chat may be at another place than a moment ago: bring the draft there, or that place's draft here."""
        conversation = self._screen.conversation
        goes, conversation.draft_goes = conversation.draft_goes, "along"
        old, new = conversation.draft, self.place_of(conversation)
        if old is None or old == new:
            return
        conversation.draft = new
        if old == drafts.NEW:
            self._screen.remember(conversation)  # it has a file by now, also where nobody saw it begin
        held = as_draft(self._held)
        if goes == "along":
            both = _joined(held, self.draft_of(conversation, move=True))
            if self._save(new, both):
                self._save(old, drafts.Draft())
            if both != held:
                if held:
                    self._screen.convend.tell(JOINED)
                self._hold(both)
        elif goes == "both":
            self._save(old, held)
            self._save(new, held)
        else:
            self._save(old, held)
            self._hold(self.draft_of(conversation, move=True))
        self._screen.sending.show_banner()

    def keep(self) -> None:
        """Write down what is in the composer, and what lies aside while an old message is edited."""
        conversation = self._screen.conversation
        if conversation.editing is not None:
            self.keep_edit(conversation, self._screen.composer.state, under_way=True)
        draft = as_draft(self._held)
        if conversation.below is not None:
            draft = msgspec.structs.replace(draft, under_way=True)
        if self._save(conversation.draft or self.place_of(conversation), draft):
            self._try_again()

    def take(self, draft: drafts.Draft) -> None:
        """Put another chat's draft into this one."""
        self._screen.composer.restore(as_state(draft))
        self.keep()

    def take_over(self, state: ComposerState) -> bool:
        """Put what was in the composer of another chat into this one. False: a draft was here already, and now both
        are."""
        here = as_draft(self._screen.composer.state)
        both = _joined(as_draft(state), here)
        self.take(both)
        if here and both != here:
            self._screen.convend.tell(JOINED)
        return not here

    def kept_edit(self, message: r.Message) -> drafts.Draft:
        """What an earlier edit of a message of this chat had come to, when it was left without being sent."""
        thread = self._screen.conversation.thread
        if thread is None:
            return drafts.Draft()
        draft = self._load(drafts.Place(thread.id, "edit", message.id))
        return drafts.Draft() if full_text(draft) == r.text_of(message) else draft

    @property
    def _held(self) -> ComposerState:
        """The draft in the composer, or aside while an old message is edited."""
        editing = self._screen.conversation.editing
        return editing.draft if editing is not None else self._screen.composer.state

    def _hold(self, draft: drafts.Draft) -> None:
        conversation, state = self._screen.conversation, as_state(draft)
        if conversation.editing is not None:
            conversation.editing = replace(conversation.editing, draft=state)
        else:
            self._screen.composer.restore(state)

    # -- any chat -------------------------------------------------------------------------------------

    def place_of(self, conversation: Conversation) -> drafts.Place:
        """What the draft of a chat belongs to, where the chat is now."""
        handle = conversation.handle
        if handle is None or not handle.on_disk:
            return drafts.NEW
        if conversation.below is not None:
            return drafts.Place(handle.thread.id, "below", conversation.below)
        if conversation.leaf is not None:
            return drafts.Place(handle.thread.id, "end", conversation.leaf)
        return drafts.Place(handle.thread.id)

    def draft_of(self, conversation: Conversation, *, move: bool = False) -> drafts.Draft:
        """What was last written where a chat is now. Has the branch grown since, it is found where the branch ended
        then; `move` brings it along."""
        place = self.place_of(conversation)
        draft = self._load(place)
        self._kept[place] = _unplaced(draft)
        if draft or place.kind != "end":
            return draft
        before, draft = self._left_behind(conversation)
        if draft and move and self._save(place, draft):
            self._save(before, drafts.Draft())
        return draft

    def _left_behind(self, conversation: Conversation) -> tuple[drafts.Place, drafts.Draft]:
        """The nearest draft above the end that belonged to the end once; else that of the whole thread."""
        thread = conversation.thread
        assert thread is not None and conversation.leaf is not None  # the place is the end of a branch
        found = {p.message: (p, d) for p, d in self._of_branches(thread.id) if p.kind == "end"}
        below: r.Message | None = None
        for message in thread.ancestry(conversation.leaf) if found else ():
            if message.id in found:
                place, _ = found[message.id]
                draft = self._load(place)
                if below is not None and not draft.attachments and full_text(draft) == r.text_of(below):
                    # It was sent, and the program was killed before that was noted: it stands below already.
                    self._save(place, drafts.Draft())
                    draft = drafts.Draft()
                return place, draft
            below = message
        whole = drafts.Place(thread.id)
        return whole, self._load(whole)

    def _load(self, place: drafts.Place) -> drafts.Draft:
        """The draft of a place. One that cannot be read is put aside, and the person is told where it is."""
        if (waiting := self._waiting.get(place)) is not None:
            return waiting
        paths = self._screen.convend.paths
        if place in self._apart:
            return drafts_apart.load(paths, place)
        if aside := drafts.rescue(paths, place):
            self._screen.convend.tell(f"A draft could not be read. It was put aside as {aside}.", severity="warning")
        self._on_disk[place] = draft = drafts.load(paths, place)
        others = list(drafts_apart.left(paths, place))
        for _, other in others:
            both = _joined(draft, other) if draft else other
            draft = msgspec.structs.replace(both, under_way=draft.under_way, again=draft.again)
        if others:
            self._absorbed[place] = (full_text(draft), [file for file, _ in others])
        if others and self._save(place, draft):
            try:
                self._behind.do(lambda: self._let_go(place))
            except StoreError as error:
                self._tell_of(error)
        return draft

    def keep_edit(self, conversation: Conversation, state: ComposerState, *, under_way: bool) -> None:
        """Write down what an edit has come to. Left (not `under_way`) without a change, it is forgotten."""
        editing, thread = conversation.editing, conversation.thread
        if editing is None or thread is None:
            return
        draft = as_draft(state)
        if not under_way and full_text(draft) == r.text_of(thread.messages[editing.message]):
            draft = drafts.Draft()
        draft = msgspec.structs.replace(draft, under_way=under_way, again=editing.again)
        self._save(drafts.Place(thread.id, "edit", editing.message), draft)

    def forget(self, place: drafts.Place, but_for: ComposerState | None = None) -> None:
        """What was a draft has been sent. With `but_for`, the state that was sent: what was typed since stays."""
        later = typed_since(but_for, as_state(self._load(place))) if but_for is not None else ComposerState()
        self._save(place, as_draft(later))

    def _take_up(self, conversation: Conversation) -> None:
        """A chat is shown for the first time since the start: an edit or a continuation that was under way is again."""
        thread = conversation.thread
        if conversation.is_taken_up or thread is None:
            return
        conversation.is_taken_up = True
        for place, draft in self._of_branches(thread.id):
            if not draft.under_way:
                continue
            if place.kind == "edit" and lock.may_edit(thread, place.message) is None:
                answered = any(thread.messages[i].kind == "reply" for i in thread.children(place.message))
                if not (draft.again and answered):
                    draft = self._load(place)
                    conversation.editing = Editing(place.message, ComposerState(), draft.again, as_state(draft))
            elif place.kind == "below" and lock.may_send(thread, place.message) is None:
                conversation.go_on_below(place.message)

    def _of_branches(self, thread_id: str) -> list[tuple[drafts.Place, drafts.Draft]]:
        """As `drafts.of_branches`, with what is still to be written."""
        found = dict(drafts.of_branches(self._screen.convend.paths, thread_id))
        for place, draft in list(self._waiting.items()):
            found.pop(place, None)
            if draft and place.thread == thread_id and place.kind != "whole":
                found[place] = draft
        return list(found.items())

    def _save(self, place: drafts.Place, draft: drafts.Draft) -> bool:
        """Write a draft that has changed. False where the disk refused; behind a slow one that is said later."""
        if self._kept.get(place) == _unplaced(draft) and place not in self._refused:
            return True
        self._kept[place] = _unplaced(draft)
        self._waiting[place] = draft
        self._refused.discard(place)

        def write() -> None:
            if self._waiting.get(place) is not draft:
                return  # there is a newer one by now
            try:
                if self._failing and not draft:
                    self._refused.add(place)
                    return
                self._put(place, draft)
                self._failing = False
                self._let_go(place)
            except StoreError:
                self._failing = True
                self._refused.add(place)
                raise
            if self._waiting.get(place) is draft:
                del self._waiting[place]

        try:
            self._behind.do(write)
        except StoreError as error:
            self._failing = False  # whoever asked is told, and takes nothing away
            self._tell_of(error)
            return False
        return True

    def _try_again(self) -> None:
        """What the disk refused before: the composer may hold something else by now."""
        # First what is to be written: what goes elsewhere is taken away only then.
        for place, draft in sorted(self._waiting.items(), key=lambda one: not one[1]):
            if place in self._refused and not self._save(place, draft):
                return

    def _put(self, place: drafts.Place, draft: drafts.Draft) -> None:
        """Write into the place's file; where another window has written there since, apart."""
        paths = self._screen.convend.paths
        there = drafts.load(paths, place)
        known = self._on_disk.get(place, drafts.Draft())
        is_others = bool(there) and full_text(there) != full_text(known) and _joined(draft, there) != draft
        if is_others and draft:
            self._apart.add(place)
        if place in self._apart:
            drafts_apart.save(paths, place, draft)
            if not draft:
                self._apart.discard(place)
        elif not is_others:
            drafts.save(paths, place, draft)
            self._on_disk[place] = draft

    def _let_go(self, place: drafts.Place) -> None:
        """What was kept apart is in the place's draft now: once that is on the disk, the files can go."""
        text, files = self._absorbed.get(place, ("", []))
        if files and text in full_text(drafts.load(self._screen.convend.paths, place)):
            del self._absorbed[place]
            for file in files:
                drafts_apart.remove(file)

    def _failed(self, error: StoreError) -> None:
        """Called by the thread that writes."""
        self._screen.convend.soon(lambda: self._tell_of(error))

    def _tell_of(self, error: StoreError) -> None:
        self._screen.convend.tell(f"Your draft could not be kept: {error}", severity="warning")


def full_text(draft: drafts.Draft) -> str:
    """The text of a draft, its pastes unfolded."""
    folding = Folding()
    folding.restore(tuple(draft.pastes))
    return folding.expand(hold(draft.text))


def _unplaced(draft: drafts.Draft) -> drafts.Draft:
    return msgspec.structs.replace(draft, message="")


def _joined(first: drafts.Draft, second: drafts.Draft) -> drafts.Draft:
    """One draft with all of two; the first as it is where it holds the second already."""
    one, other = full_text(first), full_text(second)
    files = [*first.attachments, *(name for name in second.attachments if name not in first.attachments)]
    if other in one and files == first.attachments:
        return first
    if one in other and not first.attachments:
        return second
    # Tokens of two drafts may be the same: folded again when it is shown.
    return drafts.Draft(text=f"{one}\n\n{other}" if one and other else one or other, attachments=files)


def typed_since(sent: ComposerState, now: ComposerState) -> ComposerState:
    """What came into the composer after it was sent: a slow disk leaves time for that. Where more than its end was
    changed, all of it."""
    files = tuple(path for path in now.attachments if path not in sent.attachments)
    if not now.text.startswith(sent.text):
        return replace(now, attachments=files)
    return _at_end(now.text.removeprefix(sent.text).lstrip("\n"), now, files)


def joined(before: ComposerState, later: ComposerState) -> ComposerState:
    """A draft that lay aside, with what was typed since below it."""
    if not later.text and not later.attachments:
        return before
    text = f"{before.text}\n\n{later.text}" if before.text and later.text else before.text or later.text
    both = replace(before, pastes=(*before.pastes, *later.pastes))
    return _at_end(text, both, (*before.attachments, *later.attachments))


def _at_end(text: str, state: ComposerState, files: tuple[Path, ...]) -> ComposerState:
    rows = text.split("\n")
    return replace(state, text=text, cursor=(len(rows) - 1, len(rows[-1])), attachments=files)


def as_state(draft: drafts.Draft) -> ComposerState:
    """A draft as the composer holds it."""
    return ComposerState(
        text=draft.text,
        pastes=tuple(draft.pastes),
        cursor=draft.cursor,
        attachments=tuple(Path(name) for name in draft.attachments),
    )


def as_draft(state: ComposerState) -> drafts.Draft:
    """A composer's state as it is kept on the disk."""
    return drafts.Draft(
        text=state.text,
        pastes=list(state.pastes),
        cursor=state.cursor,
        attachments=[str(path) for path in state.attachments],
    )
