"""Which items of a long list are rendered, and where the screen stands in it. No widget, no screen.

Items near the screen are rendered and count with their real heights, all others with an estimate; of an item in
pieces (see pieces.py) only the pieces near the screen. When a real height takes the place of an estimate, the first
visible line (the anchor) keeps its place on the screen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from convend_tui.tui.offsets import Heights
from convend_tui.tui.palette import Palette, Tone
from convend_tui.tui.pieces import Sheet
from convend_tui.tui.wrap import Line

_KEPT: Final = 100
"""Items whose lines are kept in memory."""


class Item(Protocol):
    """What the list shows. `lines` should keep its result: it is asked for again when it comes into view.

    An item may also have `forget()`, called when it has long been out of view.
    """

    @property
    def key(self) -> str:
        """Its name in the list, unique."""

    @property
    def tone(self) -> Tone:
        """Chooses the colour of the bar at its left."""

    def lines(self, width: int, palette: Palette) -> Sequence[Line]:
        """Its lines, each at most `width` cells."""

    def estimate(self, width: int) -> int:
        """A cheap guess of the number of lines."""


class Anchor(msgspec.Struct, frozen=True):
    """The first visible line: the `line` of a piece of the item `index`. The piece had `height` lines."""

    index: int = 0
    line: int = 0
    height: int = 1
    piece: int = 0


class Viewport:
    """The items, their heights, and the anchor. All heights are in lines and include `gap` after each item."""

    def __init__(self, gap: int) -> None:
        self.gap = gap
        self.items: list[Item] = []
        self.index: dict[str, int] = {}
        """Key -> place in `items`."""
        self.heights = Heights()
        self.anchor = Anchor()
        self.following = True
        """The end stays in view."""
        self.width = 0
        """Of the text, in cells; 0 until the screen is known."""
        self.palette = Palette()
        self.window = range(0)
        """The items that are rendered for the screen as it is."""
        self._known: list[bool] = []
        self._shown: dict[str, Sheet] = {}
        self._rendered: OrderedDict[str, Item] = OrderedDict()
        """Items that were asked for their lines and may still hold them, the longest unseen first. It outlives
        `_shown`, which a change of the list empties: a chat changes with each turn."""

    def set_items(self, items: Iterable[Item], *, keep_anchor: bool) -> bool:
        """Hold other items. Returns whether the anchor could be kept; if not, it is at the beginning."""
        old = self.anchor
        key = self.items[old.index].key if keep_anchor and old.index < len(self.items) else None
        self._take(list(items))
        place = self.index.get(key) if key is not None else None
        self.anchor = Anchor() if place is None else msgspec.structs.replace(old, index=place)
        return place is not None

    def _take(self, items: list[Item]) -> None:
        """Hold these. Where they begin with the same items as before (a flip to a sibling far down), the heights of
        those stay: a long list costs what is new in it."""
        same = 0
        for before, now in zip(self.items, items, strict=False):
            if before is not now:
                break
            same += 1
        for item in self.items[same:]:
            self.index.pop(item.key, None)
        self.index.update((item.key, place) for place, item in enumerate(items[same:], same))
        self.items = items
        if same:
            self.heights.truncate(same)
            for item in items[same:]:
                self.heights.append(self._estimated(item))
        else:
            self.heights = Heights(self._estimated(item) for item in items)
        # They may be the same and yet say something else.
        self.unrender()

    def append(self, item: Item) -> None:
        """Add an item at the end."""
        self.index[item.key] = len(self.items)
        self.items.append(item)
        self._known.append(False)
        self.heights.append(self._estimated(item))

    def replace(self, key: str, item: Item) -> None:
        """Put `item` in the place of the item `key`."""
        place = self.index.pop(key)
        self._shown.pop(key, None)
        self.items[place] = item
        self.index[item.key] = place
        self.remeasure(place)

    def truncate(self, length: int) -> None:
        """Keep only the first `length` items."""
        for item in self.items[length:]:
            self.index.pop(item.key, None)
            self._shown.pop(item.key, None)
        del self.items[length:]
        del self._known[length:]
        self.heights.truncate(len(self.items))

    def estimate_all(self) -> None:
        """Begin again with estimates, as after a change of width."""
        self._shown.clear()
        self.heights = Heights(self._estimated(item) for item in self.items)
        self._known = [False] * len(self.items)

    def unrender(self) -> None:
        """Forget all lines but keep the heights, as after a change of colours."""
        self._shown.clear()
        self._known = [False] * len(self.items)

    def _estimated(self, item: Item) -> int:
        # Before the screen is known all heights are made up, and made anew once it is.
        return max(1, item.estimate(self.width)) + self.gap if self.width else 1

    def sheet(self, place: int) -> Sheet:
        """The lines of an item as they are laid out."""
        item = self.items[place]
        sheet = self._shown.get(item.key)
        if sheet is None or not self._known[place]:
            sheet = self._shown[item.key] = Sheet(item.lines(self.width, self.palette))
            self._known[place] = True
            self.heights[place] = sheet.height + self.gap
        self._rendered[item.key] = item
        self._rendered.move_to_end(item.key)
        return sheet

    def line(self, row: int) -> tuple[int, int, int, Line | None]:
        """What stands on a row of the list: the item, its piece, the line of the piece by its number, and itself (None
        in the gap after an item). After the end the item is `len(items)`.
        """
        place, within = self.heights.find(row)
        if place >= len(self.items):
            return place, 0, 0, None
        sheet = self.sheet(place)
        piece, number = sheet.find(within)
        lines = sheet.lines(piece)
        return place, piece, number, lines[number] if number < len(lines) else None

    def measured(self, place: int) -> int:
        """The height of an item, which is rendered if it was not; of one in pieces, what is known of it."""
        sheet = self.sheet(place)
        if sheet.count == 1:
            self._measured(place, 0)
        return self.heights[place]

    def _measured(self, place: int, piece: int) -> int:
        """The height of a piece, which is rendered if it was not; of the last one, with the gap after the item."""
        sheet = self.sheet(place)
        height = sheet.measured(piece)
        self.heights[place] = sheet.height + self.gap
        return height + (self.gap if piece == sheet.count - 1 else 0)

    def remeasure(self, place: int) -> None:
        """The item at `place` is another than it was: lay it out if it is near the screen."""
        before = self._shown.pop(self.items[place].key, None)
        self._known[place] = False
        is_near = self.width and place in self.window
        if not is_near:
            self.heights[place] = self._estimated(self.items[place])
        if place != self.anchor.index or not is_near:
            if is_near:
                self.measured(place)
            return
        # It grew at its end: what is read stays where it is.
        line = self.anchor.line + (before.offset(self.anchor.piece) if before is not None else 0)
        sheet, piece = self.sheet(place), 0
        while before is not None and before.count == 1 and piece < sheet.count and sheet.offset(piece) <= line:
            self._measured(place, piece)
            piece += 1
        self.anchor = self._anchor_in(place, line)

    def _anchor_in(self, place: int, line: int) -> Anchor:
        """The anchor at a line of an item."""
        sheet = self.sheet(place)
        piece, within = sheet.find(line)
        height = sheet.guessed(piece) + (self.gap if piece == sheet.count - 1 else 0)
        return Anchor(place, max(0, min(within, height - 1)), height, piece)

    def anchor_at(self, line: int) -> Anchor:
        """The anchor for a screen whose first line is `line` of the list."""
        place, within = self.heights.find(max(0, line))
        if place >= len(self.items):
            return self.anchor
        guess = self.heights[place]
        self.sheet(place)
        # A guess was replaced: the same share of the item is above the screen.
        return self._anchor_in(place, within * self.heights[place] // max(1, guess))

    def anchor_above(self, place: int, lines: int) -> Anchor:
        """The line that is `lines` lines above the first line of the item at `place`."""
        if not self.items:
            return Anchor()
        piece = 0
        while lines > 0 and (above := self._above(place, piece)) is not None:
            place, piece = above
            lines -= self._measured(place, piece)
        place = min(place, len(self.items) - 1)
        return Anchor(place, max(0, -lines), self._measured(place, piece), piece)

    def _above(self, place: int, piece: int) -> tuple[int, int] | None:
        """The item and the piece above a piece."""
        if piece:
            return place, piece - 1
        return (place - 1, self.sheet(place - 1).count - 1) if place else None

    def _below(self, place: int, piece: int) -> tuple[int, int] | None:
        """The item and the piece below a piece."""
        if piece + 1 < self.sheet(place).count:
            return place, piece + 1
        return (place + 1, 0) if place + 1 < len(self.items) else None

    def settle(self, view: int) -> int:
        """Render what a screen of `view` lines shows, and a screen above and below it.

        Returns the line of the list that is at the top of the screen: the anchor, or what shows the end.
        """
        if not self.items:
            self.anchor, self.window = Anchor(), range(0)
            return 0
        anchor = self.anchor_above(len(self.items), view) if self.following else self.anchor
        place = min(anchor.index, len(self.items) - 1)
        piece = min(anchor.piece, self.sheet(place).count - 1)
        height = self._measured(place, piece)
        line = anchor.line
        if height != anchor.height:
            # A guess was replaced: the same share of it is above the screen.
            line = max(0, min(line * height // max(1, anchor.height), height - 1))
        last, below = (place, piece), height - line
        while below < 2 * view and (lower := self._below(*last)) is not None:
            last = lower
            below += self._measured(*last)
        first, above = (place, piece), line
        # Where little is below, the screen reaches further up.
        while above < view + max(0, view - below) and (upper := self._above(*first)) is not None:
            first = upper
            above += self._measured(*first)
        self.window = range(first[0], last[0] + 1)
        offset = self.heights.offset(place) + self.sheet(place).offset(piece)
        top = max(0, min(offset + line, self.heights.total - view))
        self.anchor = self.anchor_at(top)
        self._forget_far()
        return top

    def _forget_far(self) -> None:
        while len(self._rendered) > max(_KEPT, 2 * len(self.window)):
            key, item = self._rendered.popitem(last=False)
            self._shown.pop(key, None)
            forget = getattr(item, "forget", None)
            if forget is not None:
                forget()
