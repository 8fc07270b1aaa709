"""What a branch has come to on the way to an ending, for the person to see."""

from __future__ import annotations

from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread


def warned(thread: Thread, leaf: str | None) -> bool:
    """Whether the branch that ends in `leaf` has been warned: a verdict cites a warning that stands on it, or the model
    was redirected through a declined call on it. Verdicts that protect someone say nothing, nor do the person's own
    requests."""
    told = [verdict for verdict in thread.verdicts.values() if not verdict.private and not _at_own_request(verdict)]
    if not told or leaf not in thread.messages:
        return False
    path = {message.id for message in thread.ancestry(leaf)}
    for verdict in told:
        if verdict.outcome == "declined" and verdict.message in path:
            return True
        cited = [piece.get("message") for piece in verdict.evidence if piece.get("kind") == "warning"]
        if any(message in path for message in cited):
            return True
    return False


def _at_own_request(verdict: r.Verdict) -> bool:
    return any(piece.get("kind") == "request" for piece in verdict.evidence)
