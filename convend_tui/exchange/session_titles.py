"""Titles of Claude Code's sessions that stand in other files: the program writes the title of one session at the head
of the next one's file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from convend_tui.exchange.claude_code import ELSEWHERE, title_elsewhere
from convend_tui.exchange.incoming import Incoming, Skip
from convend_tui.thread import records as r


@dataclass(slots=True)
class Titles:
    """What the sessions of one export say of each other."""

    _given: dict[str, str] = field(default_factory=dict)
    """Titles, by the id of a line of the session that is meant."""
    _untitled: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Thread and time of the sessions that have no title of their own, by the id of each line."""
    _lost: list[Skip] = field(default_factory=list)

    def take(self, lines: Iterable[Any], found: Incoming | None) -> None:
        """Note what a session says, and what it lacks.

        Args:
            lines: the values of its lines.
            found: what became of it.
        """
        session = None
        if found is not None and not any(isinstance(record, r.Title) for record in found.records):
            session = (found.thread_id, found.created)
        for line in lines:
            if (title := title_elsewhere(line)) is not None:
                self._given[title[0]] = title[1]
            elif session is not None and isinstance(line, dict) and isinstance(uuid := line.get("uuid"), str):
                self._untitled.setdefault(uuid, session)

    def hold_back(self, skipped: Iterable[Skip]) -> list[Skip]:
        """What is left of this once titles are taken out that may yet find their session."""
        kept: list[Skip] = []
        for skip in skipped:
            (self._lost if skip.why == ELSEWHERE else kept).append(skip)
        return kept

    def titles(self) -> Iterator[tuple[str, r.Title]]:
        """Thread and title of each session that found its own; the rest is then among `lost`."""
        for line, title in self._given.items():
            if (session := self._untitled.get(line)) is not None:
                yield session[0], r.Title(at=session[1], title=title, by="import")

    @property
    def lost(self) -> list[Skip]:
        """The titles that were held back, where one of them found no session."""
        return self._lost if any(line not in self._untitled for line in self._given) else []
