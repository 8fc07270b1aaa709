"""Where each item of a long list begins, when heights change all the time: a Fenwick tree of heights."""

from __future__ import annotations

from collections.abc import Iterable


class Heights:
    """A list of heights in lines. Changing one, adding one and looking up an offset take O(log n)."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        tree = [0, *self._heights]
        for index in range(1, len(tree)):
            parent = index + (index & -index)
            if parent < len(tree):
                tree[parent] += tree[index]
        self._tree = tree
        self.total = sum(self._heights)
        """Of all heights."""

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    def __setitem__(self, index: int, height: int) -> None:
        change = height - self._heights[index]
        if not change:
            return
        self._heights[index] = height
        self.total += change
        node = index + 1
        while node < len(self._tree):
            self._tree[node] += change
            node += node & -node

    def append(self, height: int) -> None:
        """Add an item at the end."""
        self._heights.append(height)
        self.total += height
        node = len(self._tree)
        value, child = height, node - 1
        while child > node - (node & -node):
            value += self._tree[child]
            child -= child & -child
        self._tree.append(value)

    def truncate(self, length: int) -> None:
        """Keep only the first `length` items."""
        self.total = self.offset(length)
        del self._heights[length:]
        del self._tree[length + 1 :]

    def offset(self, index: int) -> int:
        """The sum of the heights before `index`: the line at which that item begins."""
        result = 0
        while index > 0:
            result += self._tree[index]
            index -= index & -index
        return result

    def find(self, line: int) -> tuple[int, int]:
        """The index of the item that holds `line`, and the line within it; `(len, 0)` after the end."""
        if line >= self.total:
            return len(self._heights), 0
        index = 0
        step = 1 << len(self._heights).bit_length()
        while step:
            node = index + step
            if node < len(self._tree) and self._tree[node] <= line:
                index = node
                line -= self._tree[node]
            step >>= 1
        return index, line
