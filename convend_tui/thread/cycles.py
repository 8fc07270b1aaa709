"""Parents that run in a circle: a damaged or forged file may have them, and no walk up or down may go on for ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convend_tui.thread import records as r


def oldest_of_cycles(messages: Mapping[str, r.Message]) -> Iterator[str]:
    """The oldest message of each circle of parents: the link to its parent is the one to cut."""
    done: set[str] = set()
    for start in messages:
        trail: dict[str, str] = {}
        node: str | None = start
        while node is not None and node in messages and node not in done and node not in trail:
            trail[node] = messages[node].at
            node = messages[node].parent
        if node is not None and node in trail:
            members = list(trail)[list(trail).index(node) :]
            yield min(members, key=lambda i: (trail[i], i))
        done.update(trail)
