"""The tour: it is what it says of itself, and it keeps the rules of an ending."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from convend_tui.ending import policy, tool
from convend_tui.ending.risk import find_signs
from convend_tui.exchange import tour
from convend_tui.store.library import Library
from convend_tui.thread import lock, seen
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, paths_in


@pytest.fixture
def made(tmp_path: Path) -> Thread:
    library = Library(paths_in(tmp_path))
    handle = library.open(tour.make(library, SETTINGS))
    assert handle.problems == []
    return handle.thread


def test_it_is_a_sound_thread_of_today(made: Thread) -> None:
    assert tour.is_tour(made.header)
    assert made.problems == []
    assert made.settings == SETTINGS
    assert made.title == "A tour of convend"
    times = [record.at for record in made.messages.values()]
    assert times == sorted(times)
    assert made.header.at <= times[0]
    begun, written = r.moment_of(made.header.at), r.moment_of(made.updated)
    assert begun is not None and written is not None
    assert 60 < (written - begun).total_seconds() < 600


def test_it_opens_where_one_can_write_and_has_a_fork_a_comparison_and_an_ending(made: Thread) -> None:
    assert lock.may_send(made, made.leaf) is None
    forks = [[made.messages[i] for i in made.children(fork)] for fork in sorted(made.forks)]
    assert sorted(len(children) for children in forks) == [2, 2]
    (one, other), *_ = (children for children in forks if children[0].role == "assistant")
    same = set(r.text_of(one).split()) & set(r.text_of(other).split())
    assert len(same) > 40
    assert r.text_of(one) != r.text_of(other)
    (ended,) = made.ended.values()
    assert lock.may_send(made, ended.message) is not None
    assert not any(seen.is_secret(made, message) for message in made.messages.values())


def test_the_model_could_have_ended_it_so(made: Thread) -> None:
    (ended,) = made.ended.values()
    path = made.path(ended.message)
    assert not any(find_signs(r.text_of(message), of_model=message.role == "assistant") for message in path)
    for message in path:
        if not r.tool_calls(message):
            continue
        verdict = made.verdicts[message.id]
        judged = policy.judge(made.path(message.id))
        assert judged is not None
        assert judged.outcome == verdict.outcome, judged.reasons
        assert [dict(piece) for piece in judged.evidence] == verdict.evidence
        call = msgspec.convert(r.tool_calls(message)[0]["input"], tool.Call)
        assert call.explanation == ended.explanation


def test_its_replies_have_times_that_fit_them(made: Thread) -> None:
    replies = [message for message in made.messages.values() if message.kind == "reply"]
    assert len(replies) == 10
    for reply in replies:
        assert reply.timing is not None
        chunks = reply.timing["chunks"]
        assert sum(characters for _, characters in chunks) == len(r.text_of(reply))
        assert all(one[0] < next_one[0] for one, next_one in pairwise(chunks))
