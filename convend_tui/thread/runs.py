"""The straight runs of a thread, in the order and at the indentation in which they are listed.

A run is a chain of messages without a fork. Of the branches of a fork, the one with most messages goes on at the
indentation of the fork, below the others, which stand one step further in: so n messages never need more than
log2(n) steps, whatever their shape. Everything here is a loop, and takes time in proportion to the messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread


@dataclass(frozen=True, slots=True)
class Run:
    """Messages that follow each other without a fork. What nobody is shown is not among them."""

    messages: Sequence[r.Message]
    parent: int | None
    """Which run of the outline it forks off."""
    depth: int
    """How far in it stands."""
    order: int
    """Which of the branches there it is, from 0, the oldest first."""
    number: int
    """The same from 1, not counting those that were pruned there; 0: it was itself."""
    of: int
    """So many branches are counted there."""
    branches: int
    """How many go on below its last message."""
    in_sight: int
    """So many of its messages, from the first, are not pruned."""
    inner: bool
    """It stands further in than what it forks off."""

    @property
    def place(self) -> str:
        """`2/3`; empty where there is nothing to count."""
        return f"{self.number}/{self.of}" if self.number and self.of > 1 else ""

    @property
    def id(self) -> str:
        """Its first message's: what `unfolded` holds."""
        return self.messages[0].id


def runs_of(thread: Thread) -> list[Run]:
    """All runs."""
    return _in_order(_trace(thread))


def walk(thread: Thread) -> Iterator[tuple[r.Message, bool]]:
    """All messages, parents before children, seen or not; with each, whether it is pruned."""
    pruned = {message for _, message in thread.prunings}
    todo = [(root, False) for root in reversed(thread.roots)]
    while todo:
        node, hidden = todo.pop()
        hidden = hidden or node in pruned
        yield thread.messages[node], hidden
        todo.extend((child, hidden) for child in reversed(thread.children(node)))


@dataclass(slots=True)
class _Traced:
    """A run while it is not known yet where it will be listed."""

    parent: int | None
    order: int
    number: int
    of: int
    messages: list[r.Message] = field(default_factory=list)
    in_sight: int = 0
    branches: int = 0
    weight: int = 0
    """Messages in it and below it."""


class _Links:
    """Who answers whom, turned round once for all messages: asking the thread for the children of each costs more than
    all the rest."""

    def __init__(self, thread: Thread) -> None:
        messages = thread.messages
        self.roots = thread.roots
        self.pruned = {message for _, message in thread.prunings}
        self.unseen = {name for name, message in messages.items() if thread.unseen(message)}
        self.only: dict[str, str] = {}
        """The child of each message that has one."""
        self.several: dict[str, list[str]] = {}
        """The children of each that has more, the oldest first."""
        roots = set(self.roots)
        for name, message in messages.items():
            parent = message.parent
            if name in roots or parent is None:
                continue
            if parent in self.several:
                self.several[parent].append(name)
            elif parent in self.only:
                self.several[parent] = [self.only.pop(parent), name]
            else:
                self.only[parent] = name
        for children in self.several.values():
            children.sort(key=lambda name: (messages[name].at, name))

    def below(self, node: str) -> Sequence[str]:
        """The children of a message."""
        return (self.only[node],) if node in self.only else self.several.get(node, ())

    def seen(self, nodes: Sequence[str], hidden: bool) -> list[tuple[str, bool]]:
        """These messages, and instead of those that nobody is shown the nearest below them; with each, whether it is
        pruned."""
        found: list[tuple[str, bool]] = []
        todo = [(node, hidden) for node in reversed(nodes)]
        while todo:
            node, above = todo.pop()
            gone = above or node in self.pruned
            if node in self.unseen:
                todo.extend((child, gone) for child in reversed(self.below(node)))
            else:
                found.append((node, gone))
        return found


def _trace(thread: Thread) -> list[_Traced]:
    """Cut a thread into its runs, each after the one that it forks off."""
    links, messages = _Links(thread), thread.messages
    only, unseen, pruned = links.only, links.unseen, links.pruned
    runs: list[_Traced] = []
    todo: list[tuple[str, bool, _Traced]] = []

    def push(heads: Sequence[tuple[str, bool]], fork_hidden: bool, parent: int | None) -> None:
        of, number = sum(hidden == fork_hidden for _, hidden in heads), 0
        for order, (head, hidden) in enumerate(heads):
            counts = hidden == fork_hidden
            number += counts
            todo.append((head, hidden, _Traced(parent, order, number if counts else 0, of)))

    push(links.seen(links.roots, False), False, None)
    while todo:
        node, hidden, run = todo.pop()
        while True:
            run.messages.append(messages[node])
            run.in_sight += not hidden
            child = only.get(node)
            if child is not None and child not in unseen:  # most are like this
                node, hidden = child, hidden or child in pruned
                continue
            below = links.seen(links.below(node), hidden)
            if len(below) != 1:
                break
            node, hidden = below[0]
        run.branches = len(below)
        push(below, hidden, len(runs))
        runs.append(run)
    for run in reversed(runs):
        run.weight += len(run.messages)
        if run.parent is not None:
            runs[run.parent].weight += run.weight
    return runs


def _in_order(traced: Sequence[_Traced]) -> list[Run]:
    """The runs as they are listed: of the branches of a fork, the one with most messages last."""
    below: dict[int | None, list[int]] = defaultdict(list)
    for index, one in enumerate(traced):
        below[one.parent].append(index)
    runs: list[Run] = []
    todo: list[tuple[int, int | None, int, bool]] = []

    def push(parent: int | None, listed_as: int | None, depth: int) -> None:
        branches = sorted(below.get(parent, ()), key=lambda index: traced[index].order)
        if branches:
            trunk = max(branches, key=lambda index: (traced[index].weight, traced[index].order))
            todo.append((trunk, listed_as, depth, False))
            todo.extend((index, listed_as, depth + 1, True) for index in reversed(branches) if index != trunk)

    push(None, None, 0)
    while todo:
        index, parent, depth, inner = todo.pop()
        one = traced[index]
        push(index, len(runs), depth)
        counted = (one.order, one.number, one.of)
        runs.append(Run(one.messages, parent, depth, *counted, one.branches, one.in_sight, inner))
    return runs
