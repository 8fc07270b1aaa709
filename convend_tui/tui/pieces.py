"""Lines of a text so long that they are rendered piece by piece, and only where they come near the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, overload

from convend_tui.tui.offsets import Heights
from convend_tui.tui.wrap import Line

LONG: Final = 8_000
"""Characters of a text; a longer one is rendered in pieces."""


class Piece:
    """Some lines, rendered when they are first asked for."""

    __slots__ = ("_render", "estimate", "rendered")

    def __init__(self, estimate: int, render: Callable[[], Sequence[Line]]) -> None:
        self.estimate = estimate
        """A guess of the number of lines."""
        self.rendered: Sequence[Line] | None = None
        self._render = render

    def lines(self) -> Sequence[Line]:
        """The lines; kept."""
        if self.rendered is None:
            self.rendered = self._render()
        return self.rendered

    def mapped(self, change: Callable[[Line], Line]) -> Piece:
        """The same with every line changed."""
        return Piece(self.estimate, lambda: [change(line) for line in self.lines()])


class Pieces(Sequence[Line]):
    """The lines of some pieces, one after the other. Its length is known only when all of them are rendered: whoever
    shows it looks at `pieces`.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces

    def __len__(self) -> int:
        return sum(len(piece.lines()) for piece in self.pieces)

    def __iter__(self) -> Iterator[Line]:
        for piece in self.pieces:
            yield from piece.lines()

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        return list(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def pieces_of(lines: Sequence[Line]) -> Sequence[Piece]:
    """The pieces of some lines: one, if they are all there."""
    if isinstance(lines, Pieces):
        return lines.pieces
    whole = Piece(len(lines), lambda: lines)
    whole.rendered = lines
    return [whole]


def one_after_another(*parts: Sequence[Line]) -> Sequence[Line]:
    """The lines of several texts: a list, or pieces if one of the texts is in pieces."""
    parts = tuple(part for part in parts if isinstance(part, Pieces) or part)
    if any(isinstance(part, Pieces) for part in parts):
        return Pieces([piece for part in parts for piece in pieces_of(part)])
    return [line for part in parts for line in part]


class Sheet:
    """The lines of one item as they are laid out: rendered pieces count with their real heights, others by guess."""

    __slots__ = ("_heights", "_pieces")

    def __init__(self, lines: Sequence[Line]) -> None:
        self._pieces = pieces_of(lines)
        self._heights = Heights(
            max(1, piece.estimate) if piece.rendered is None else len(piece.rendered) for piece in self._pieces
        )

    @property
    def height(self) -> int:
        """Of all pieces, in lines."""
        return self._heights.total

    @property
    def count(self) -> int:
        """Of the pieces; at least one."""
        return max(1, len(self._pieces))

    def measured(self, number: int) -> int:
        """The height of a piece, which is rendered if it was not."""
        if number >= len(self._pieces):
            return 0
        height = len(self._pieces[number].lines())
        self._heights[number] = height
        return height

    def guessed(self, number: int) -> int:
        """The height of a piece as it counts now."""
        return self._heights[number] if number < len(self._pieces) else 0

    def offset(self, number: int) -> int:
        """The line at which a piece begins."""
        return self._heights.offset(min(number, len(self._pieces)))

    def find(self, line: int) -> tuple[int, int]:
        """The piece that holds a line, and the line within it; beyond the end, as far beyond the last piece."""
        number, within = self._heights.find(line)
        if number < len(self._pieces):
            return number, within
        last = self.count - 1
        return last, line - self.offset(last)

    def lines(self, number: int) -> Sequence[Line]:
        """The lines of a piece."""
        return self._pieces[number].lines() if number < len(self._pieces) else ()
