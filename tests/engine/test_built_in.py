"""The built-in model through the whole engine: a real question, a real answer, an edit, a second branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from convend_tui import config
from convend_tui.model import connect, local_weights
from convend_tui.model import events as e
from convend_tui.model.connect import Models
from convend_tui.session import Session, content_of
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.engine.test_local_model import weights  # noqa: F401 - a fixture
from tests.making import paths_in

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not local_weights.server_available(), reason="the extra `local` is not installed"),
]


async def test_a_question_an_answer_an_edit_and_a_second_branch(
    weights: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connect, "LOCAL_MAX_TOKENS", 24)
    paths = paths_in(tmp_path)
    paths.models.mkdir(parents=True)
    (paths.models / weights.name).symlink_to(weights)
    models = Models(config.load(paths, {}), paths)
    library = Library(paths)
    try:
        handle = library.new(await models.new_settings())
        session = Session(handle, models, paths)
        first = [event async for event in session.send(content_of("What is the capital of France?"), None)]
        assert any(isinstance(event, e.Waiting) for event in first), "the start of the local model is told"
        assert sum(isinstance(event, e.TextDelta) for event in first) > 1, "the answer streams"
        assert isinstance(first[-1], e.TurnEnded)
        question = handle.thread.path(handle.thread.leaf)[0]
        # What so small a model says is chance; that it said something is not.
        assert any(c.isalpha() for c in r.text_of(handle.thread.messages[first[-1].message]))

        second = [event async for event in session.edit(question.id, content_of("What is the capital of Italy?"))]
        assert isinstance(second[-1], e.TurnEnded)
        assert any(c.isalpha() for c in r.text_of(handle.thread.messages[second[-1].message]))
        assert len(handle.thread.roots) == 2
    finally:
        await models.close()

    again = library.open(handle.thread.id).thread
    assert again.settings.ending is False
    assert [len(again.path(leaf)) for leaf in again.leaves()] == [2, 2]
    assert again.leaf == second[-1].message
