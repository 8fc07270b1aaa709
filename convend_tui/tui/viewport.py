"""Which items of a long list are rendered, and where the screen stands in it. No widget, no screen.

Items near the screen are rendered and count with their real heights, all others with an estimate. When a real
height takes the place of an estimate, the first visible line (the anchor) keeps its place on the screen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from convend_tui.tui.offsets import Heights
from convend_tui.tui.palette import Palette, Tone
from convend_tui.tui.wrap import Line

_KEPT: Final = 200
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


@dataclass(frozen=True, slots=True)
class Anchor:
    """The first visible line: the `line` of the item `index`, which had `height` lines."""

    index: int = 0
    line: int = 0
    height: int = 1


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
        self._shown: OrderedDict[str, Sequence[Line]] = OrderedDict()

    def set_items(self, items: Iterable[Item], *, keep_anchor: bool) -> bool:
        """Hold other items. Returns whether the anchor could be kept; if not, it is at the beginning."""
        old = self.anchor
        key = self.items[old.index].key if keep_anchor and old.index < len(self.items) else None
        self._take(list(items))
        place = self.index.get(key) if key is not None else None
        self.anchor = Anchor() if place is None else Anchor(place, old.line, old.height)
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

    def lines(self, place: int) -> Sequence[Line]:
        """The lines of an item as they were last rendered."""
        found = self._shown.get(self.items[place].key)
        return self.items[place].lines(self.width, self.palette) if found is None else found

    def measured(self, place: int) -> int:
        """The height of an item, which is rendered if it was not."""
        item = self.items[place]
        if not self._known[place] or item.key not in self._shown:
            lines = item.lines(self.width, self.palette)
            self._shown[item.key] = lines
            self._known[place] = True
            self.heights[place] = len(lines) + self.gap
        self._shown.move_to_end(item.key)
        return self.heights[place]

    def remeasure(self, place: int) -> None:
        """The item at `place` is another than it was: render it if it is near the screen."""
        self._known[place] = False
        self._shown.pop(self.items[place].key, None)
        if self.width and place in self.window:
            height = self.measured(place)
        else:
            height = self.heights[place] = self._estimated(self.items[place])
        if place == self.anchor.index:  # it grew at its end: what is read stays where it is
            self.anchor = Anchor(place, min(self.anchor.line, height - 1), height)

    def anchor_at(self, line: int) -> Anchor:
        """The anchor for a screen whose first line is `line` of the list."""
        place, within = self.heights.find(max(0, line))
        if place >= len(self.items):
            return self.anchor
        return Anchor(place, within, self.heights[place])

    def anchor_above(self, place: int, lines: int) -> Anchor:
        """The line that is `lines` lines above the first line of the item at `place`."""
        while lines > 0 and place > 0:
            place -= 1
            lines -= self.measured(place)
        return Anchor(place, max(0, -lines), self.measured(place)) if self.items else Anchor()

    def settle(self, view: int) -> int:
        """Render what a screen of `view` lines shows, and a screen above and below it.

        Returns the line of the list that is at the top of the screen: the anchor, or what shows the end.
        """
        if not self.items:
            self.anchor, self.window = Anchor(), range(0)
            return 0
        last_item = len(self.items) - 1
        anchor = self.anchor_above(len(self.items), view) if self.following else self.anchor
        place = min(anchor.index, last_item)
        height = self.measured(place)
        line = anchor.line
        if height != anchor.height:
            # A guess was replaced: the same share of the item is above the screen.
            line = min(line * height // max(1, anchor.height), height - 1)
        last, below = place, height - line
        while last < last_item and below < 2 * view:
            last += 1
            below += self.measured(last)
        first, above = place, line
        # Where little is below, the screen reaches further up.
        while first > 0 and above < view + max(0, view - below):
            first -= 1
            above += self.measured(first)
        self.window = range(first, last + 1)
        top = max(0, min(self.heights.offset(place) + line, self.heights.total - view))
        self.anchor = self.anchor_at(top)
        self._forget_far()
        return top

    def _forget_far(self) -> None:
        while len(self._shown) > max(_KEPT, 2 * len(self.window)):
            key, _ = self._shown.popitem(last=False)
            forget = getattr(self.items[self.index[key]], "forget", None)
            if forget is not None:
                forget()
