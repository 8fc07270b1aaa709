"""The composer: where the person writes. A banner, the attachments, and the text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Self

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static, TextArea

from convend_tui.errors import AttachmentError
from convend_tui.plain import one_line, visible
from convend_tui.tui.composer_input import ComposerInput
from convend_tui.tui.folding import HUGE_CHARACTERS, Folding, hold, release, size_words

IDLE_HINT = "Write a message · Enter sends · Ctrl+J new line"
BUSY_HINT = "A reply is coming in · write on, Enter sends when it is done"
REFUSED_HINT = "Not sent: a reply is still coming in. Your text stays here; Esc stops the reply."
DOUBLE_PRESS = 0.5
"""Seconds in which a second Enter on the same text is taken for a slip of the finger."""


@dataclass(frozen=True, slots=True)
class ComposerState:
    """All that a draft is. `text` holds a token where a long paste is folded."""

    text: str = ""
    pastes: tuple[tuple[str, str], ...] = ()
    """(token, pasted text)"""
    cursor: tuple[int, int] = (0, 0)
    """(row, column), both from 0"""
    attachments: tuple[Path, ...] = ()


class Composer(Vertical):
    """Text in the making. It sends nothing itself: `Submitted` is for the app, which then calls `clear`."""

    DEFAULT_CSS = """
    Composer {
        height: auto;
        padding: 0 1 0 0;
        background: $surface;
        border-left: outer $panel;
        &:focus-within { border-left: outer $primary; }
        & > Static { width: 1fr; height: auto; padding: 0 1; }
        & > .composer--banner, & > .composer--chips {
            height: 1;
            text-wrap: nowrap;
            text-overflow: ellipsis;
        }
        & > .composer--banner { color: $text-accent; }
        & > .composer--chips { color: $text-muted; }
        & > ComposerInput { padding: 0 1; }
        & > .composer--reason { color: $text-muted; }
        &.-locked { border-left: outer $panel; }
        &:ansi { border-left: outer ansi_default; }
        &:ansi:focus-within { border-left: outer $primary; }
        &:ansi > .composer--reason, &:ansi > .composer--chips { color: ansi_default; text-style: dim; }
    }
    """

    # Plain classes: making a dataclass takes a millisecond, before the first paint.

    class Submitted(Message):
        """The person wants this sent. The composer keeps it until `clear` or `load` is called."""

        def __init__(self, text: str, attachments: tuple[Path, ...]) -> None:
            super().__init__()
            self.text = text
            self.attachments = attachments

    class Changed(Message):
        """The text or the attachments changed."""

        def __init__(self, text_is_empty: bool) -> None:
            super().__init__()
            self.text_is_empty = text_is_empty

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._banner_line = Static(classes="composer--banner")
        self._chips_line = Static(classes="composer--chips")
        self._reason_line = Static(classes="composer--reason")
        self._input = ComposerInput()
        self._attachments: dict[Path, str] = {}
        self._banner: str | None = None
        self._locked: str | None = None
        self._busy = False
        self._refused = False
        self._aside = ComposerState()
        self._submitted_at = 0.0
        self._show_state()

    def compose(self) -> ComposeResult:
        """The text; the lines around it come when there is something in them."""
        yield self._input

    def focus(self, scroll_visible: bool = True) -> Self:
        """Put the cursor into the text."""
        self._input.focus(scroll_visible)
        return self

    # The draft.

    @property
    def text(self) -> str:
        """The full text, pastes unfolded; while locked, that of the draft kept aside."""
        if self._locked is None:
            return self._input.full_text
        folding = Folding()
        folding.restore(self._aside.pastes)
        return folding.expand(hold(self._aside.text))

    @property
    def attachments(self) -> tuple[Path, ...]:
        """The attached files, in order."""
        return self._aside.attachments if self._locked is not None else tuple(self._attachments)

    @property
    def state(self) -> ComposerState:
        """The draft, to be kept and given to `restore` later."""
        if self._locked is not None:
            return self._aside
        held = self._input.held_text
        return ComposerState(
            text=release(held),
            pastes=self._input.folding.kept(held),
            cursor=self._input.cursor_location,
            attachments=tuple(self._attachments),
        )

    def restore(self, state: ComposerState) -> None:
        """Show this draft. While locked it is kept aside until the lock is gone."""
        if self._locked is not None:
            self._aside = state
            return
        if not state.pastes and len(state.text) > HUGE_CHARACTERS:
            state = replace(_draft_of(state.text), attachments=state.attachments)
        self._input.folding.restore(state.pastes)
        self._input.load_text(hold(state.text))
        self._input.move_cursor(state.cursor)
        self._attachments = {path: _chip(path) for path in state.attachments}
        self._edited()

    def load(self, text: str) -> None:
        """Replace the text, folded if it is long, and put the cursor at its end. Attachments stay."""
        if self._locked is not None:
            self._aside = replace(_draft_of(text), attachments=self._aside.attachments)
            return
        self._input.load_full(text)
        self._edited()

    def clear(self) -> None:
        """Take away the text, its pastes and the attachments."""
        self.restore(ComposerState())

    def add_attachment(self, path: Path) -> None:
        """Attach a file; does nothing if it is attached already or the composer is locked.

        Raises:
            AttachmentError: it is missing, or not a file; the message names it.
        """
        if self._locked is not None or path in self._attachments:
            return
        if not path.is_file():
            raise AttachmentError(f"{visible(str(path))} is not a file that can be read.")
        self._attachments[path] = _chip(path)
        self._edited()

    def remove_attachment(self, path: Path) -> None:
        """Detach a file, if it is attached."""
        if self._attachments.pop(path, None) is not None:
            self._edited()

    # What may be done with it.

    @property
    def banner(self) -> str | None:
        """One line above the text, such as what is being edited."""
        return self._banner

    @banner.setter
    def banner(self, banner: str | None) -> None:
        self._banner = banner
        self._show_state()

    @property
    def busy(self) -> bool:
        """Whether a reply streams: writing is allowed, Enter posts nothing."""
        return self._busy

    @busy.setter
    def busy(self, busy: bool) -> None:
        self._busy = busy
        self._refused = False
        self._show_state()

    @property
    def locked(self) -> str | None:
        """Why nothing can be written here, or None. The draft is kept aside meanwhile."""
        return self._locked

    @locked.setter
    def locked(self, reason: str | None) -> None:
        if reason is not None and self._locked is None:
            self._aside = self.state
            self._input.folding.clear()
            self._input.load_text("")
            self._attachments = {}
        was_locked, self._locked = self._locked is not None, reason
        self._show_state()
        if was_locked and reason is None:
            aside, self._aside = self._aside, ComposerState()
            self.restore(aside)

    @on(ComposerInput.Entered)
    def submit(self, event: ComposerInput.Entered) -> None:
        """Enter: post what there is, unless a reply streams."""
        event.stop()
        text, now = self.text, monotonic()
        if self._locked is not None or not (text.strip() or self._attachments):
            return
        if self._busy:
            self._refused = True
            self._show_state()
        elif now - self._submitted_at >= DOUBLE_PRESS:
            self._submitted_at = now
            self.post_message(self.Submitted(text, tuple(self._attachments)))

    @on(ComposerInput.NothingLeft)
    def drop_last_attachment(self, event: ComposerInput.NothingLeft) -> None:
        """Backspace in an empty text takes the last attachment away."""
        event.stop()
        if self._attachments:
            self.remove_attachment(next(reversed(self._attachments)))

    @on(TextArea.Changed)
    def note_edit(self, event: TextArea.Changed) -> None:
        """The text was edited."""
        event.stop()
        self._edited()

    @on(TextArea.SelectionChanged)
    def keep_to_itself(self, event: TextArea.SelectionChanged) -> None:
        """Where the cursor is concerns nobody else."""
        event.stop()

    def _edited(self) -> None:
        self._submitted_at = 0.0
        self._refused = False
        self._show_state()
        if self._locked is None:
            self.post_message(self.Changed(not self._input.held_text))

    def _show_state(self) -> None:
        locked = self._locked is not None
        banner = REFUSED_HINT if self._refused else self._banner
        _show(self._banner_line, None if locked else banner)
        _show(self._chips_line, self._chips())
        _show(self._reason_line, None if self._locked is None else f"⊘ {visible(self._locked)}", lines=0)
        self._mount_needed()
        self._input.display = not locked
        self._input.disabled = locked
        self._input.placeholder = Content(BUSY_HINT if self._busy else IDLE_HINT)
        self.set_class(locked, "-locked")

    def _mount_needed(self) -> None:
        if not self._input.is_attached:
            return
        for line, place in ((self._banner_line, {"before": 0}), (self._chips_line, {"before": self._input})):
            if line.display and not line.is_attached:
                self.mount(line, **place)
        if self._reason_line.display and not self._reason_line.is_attached:
            self.mount(self._reason_line)

    def on_mount(self) -> None:
        """What was set before there was a screen."""
        self._mount_needed()

    def _chips(self) -> str | None:
        if not self._attachments:
            return None
        hint = "" if self._input.held_text else "  (Backspace takes the last one away)"
        return "📎 Attached: " + " · ".join(self._attachments.values()) + hint


def _show(line: Static, text: str | None, lines: int = 1) -> None:
    shown = "" if text is None else one_line(text) if lines == 1 else text
    content = Content(shown)
    if line.display != (text is not None):
        line.display = text is not None
    if not (isinstance(line.content, Content) and line.content.plain == shown):
        line.update(content)


def _draft_of(text: str) -> ComposerState:
    folding = Folding()
    held = folding.take(text)
    last = held.rpartition("\n")[2]
    return ComposerState(release(held), folding.kept(held), (held.count("\n"), len(last)))


def _chip(path: Path) -> str:
    name = one_line(path.name)
    try:
        return f"{name}, {size_words(path.stat().st_size)}"
    except OSError:
        return f"{name}, not found"
