"""Why the model ended a conversation, or why it could not: what it cited, each quotation a key away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase, digits

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from convend_tui.plain import one_line, visible
from convend_tui.tui.dialogs import Dialog, DialogBody
from convend_tui.tui.rows import BOLD, DIM

KEYS = digits[1:] + ascii_lowercase
"""What the quotations are numbered with."""
LONGEST = 300
"""Characters of a quotation that are shown."""


@dataclass(frozen=True, slots=True)
class Quotation:
    """Something that was cited."""

    what: str
    """`a redirection`, `the warning`, `your request`."""
    quote: str
    message: str | None
    """Where it was found; None: nowhere on the branch."""
    when: str = ""
    """The time of that message."""


class EvidencePanel(Dialog[str | None]):
    """The facts in sentences, then the quotations. A quotation's key gives the message it stands in; Esc gives None."""

    AUTO_FOCUS = ".dialog--body"

    def __init__(self, title: str, facts: Sequence[str], quotations: Sequence[Quotation], closing: str = "") -> None:
        super().__init__(title)
        self.add_class("-wide")
        self._facts = [visible(fact) for fact in facts]
        self._quotations = list(quotations)
        self._last = closing
        found = [quotation for quotation in quotations if quotation.message is not None]
        self._keys = dict(zip(KEYS, found, strict=False))

    def compose_body(self) -> ComposeResult:
        """Facts, quotations, and how to go on."""
        with DialogBody(can_focus=True):
            yield Static(Content("\n".join([*self._facts, ""])))
            for quotation in self._quotations:
                yield Static(self._line(quotation), classes="evidence--quotation")
            if self._last:
                yield Static(Content("\n" + visible(self._last)))
        jump = f"{' '.join(self._keys)} go to the message · " if self._keys else ""
        yield Static(Content(f"{jump}↑↓ scroll · Esc closes"), classes="dialog--hint")

    def on_key(self, event: events.Key) -> None:
        """The key of a quotation goes to its message."""
        if event.character is not None and (quotation := self._keys.get(event.character)) is not None:
            event.stop()
            self.dismiss(quotation.message)

    def _line(self, quotation: Quotation) -> Content:
        key = next((key for key, one in self._keys.items() if one is quotation), " ")
        where = f"in the message of {quotation.when}" if quotation.message else "not found on this branch"
        head = Content(f"{key}  ").stylize(BOLD) + Content(quotation.what) + Content(f" · {where}").stylize(DIM)
        return head + Content(f"\n“{one_line(quotation.quote, LONGEST)}”")
