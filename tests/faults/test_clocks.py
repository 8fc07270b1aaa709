"""Clocks that were wrong: what is done now counts all the same, and later records keep their own dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from convend_tui.store.handle import ThreadHandle
from convend_tui.thread import lock
from convend_tui.thread import records as r
from tests.faults.test_disk import again, message, thread_in
from tests.making import SETTINGS

NOW = datetime.now(UTC)
FUTURE = r.timestamp(NOW + timedelta(days=700))


@pytest.fixture
def dragged(tmp_path: Path) -> ThreadHandle:
    """A thread in which a machine whose clock is two years ahead did everything once."""
    handle = thread_in(tmp_path)
    said = r.Message(at=FUTURE, id="future", parent="a", role="user", content=[], kind="typed")
    change = r.as_change(SETTINGS, FUTURE)
    own = [
        r.Title(at=FUTURE, title="Theirs"),
        r.Pin(at=FUTURE, pinned=True),
        r.Label(at=FUTURE, message="a", label="x"),
    ]
    handle.append_now([said, change, *own, r.Hide(at=FUTURE, message="b"), r.Leaf(at=FUTURE, message="future")])
    return again(handle, tmp_path)


def test_what_is_done_after_a_clock_was_ahead_counts(dragged: ThreadHandle, tmp_path: Path) -> None:
    now = dragged.now()
    assert now < FUTURE
    dragged.append_now([message("b", parent="a")])
    assert dragged.thread.leaf == "b"  # where the person is, is in sight
    dragged.append_now([r.Restore(at=dragged.now(), message="b")])
    dragged.append_now([message("c", parent="b")])
    times = dragged.times(2)
    dragged.append_now([r.Hide(at=times[0], message="future"), r.Hide(at=times[0], message="x")])
    dragged.append_now([r.Title(at=dragged.now(), title="Mine"), r.Pin(at=dragged.now(), pinned=False)])
    dragged.append_now([r.Label(at=dragged.now(), message="a", label="")])
    dragged.append_now([r.SettingsChange(at=dragged.now(), model="another")])
    for thread in (dragged.thread, again(dragged, tmp_path).thread):
        assert (thread.title, thread.pinned, thread.labels["a"].label) == ("Mine", False, "")
        assert thread.settings.model == "another"
        assert thread.leaf == "c" and thread.hidden("future") and not thread.hidden("b")
        assert len({at for at, _ in thread.prunings}) == 1  # of one act
        assert max(thread.messages["b"].at, thread.messages["c"].at) < FUTURE


def test_a_lock_holds_whenever_it_was_made(tmp_path: Path) -> None:
    handle = thread_in(tmp_path)
    handle.append_now([r.Ended(at=r.timestamp(NOW - timedelta(days=9000)), message="a", cause="x", explanation="")])
    handle.append_now([r.Title(at=FUTURE, title="x")])
    handle.append_now([message("b")])
    assert lock.may_send(again(handle, tmp_path).thread, "a")
    assert not lock.may_send(again(handle, tmp_path).thread, "b")
