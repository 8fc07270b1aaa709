"""Times at the ends of the calendar, and what is no time: shown in every place, in every zone, and never an error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from convend_tui.cli import look
from convend_tui.cli.search import _moment as option_moment
from convend_tui.errors import UsageError
from convend_tui.exchange import asciicast, html
from convend_tui.plain import one_line
from convend_tui.store.index_search import Hit
from convend_tui.thread import cost
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from convend_tui.tui import items, search_rows, search_words, thread_list, tree_rows
from tests.making import SETTINGS, Branch, header

DATES = ("0001-01-01", "0001-12-31", "0002-01-01", "0999-06-01", "1899-01-01", "9998-12-31", "9999-01-01", "9999-12-31")
CLOCKS = ("T00:00:00.000Z", "T23:59:59.999Z", "T00:00:00+14:00", "T23:59:59-23:59", "T00:00:00+23:59:59.999999", "")
STRANGE = ("", "yesterday\nor\x1b[2Jso", "2026-02-30T00:00:00Z", "\ud800", "24:00", "1" * 5000)
TIMES = [*(date + clock for date in DATES for clock in CLOCKS), *STRANGE]


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def _hit(when: str) -> Hit:
    return Hit("t", "m", "Foxes", "user", when, None, False, "fox", ())


@pytest.mark.usefixtures("zone")
def test_every_time_is_shown() -> None:
    now = datetime.now(UTC).astimezone()
    for words in TIMES:
        message = Branch().typed("Hello").path[0]
        message = r.Message(at=words, id="m", parent=None, role="assistant", content=message.content, kind="reply")
        shown = [
            items.clock(words),
            items.day_and_clock(words),
            one_line(tree_rows._when(words)),  # as the row does
            look.when(words),
            asciicast.when(words),
            html._time(words),
            search_rows._facts(_hit(words), now),
        ]
        if (moment := r.moment_of(words)) is not None:
            shown.append(thread_list.ago(moment, now))
            assert r.moment_of(r.timestamp(moment)) is None or r.timestamp(moment).endswith("Z")
        assert not any(set("\x1b\n\ud800") & set(text) for text in shown), (words, shown)
        thread = Thread(header(SETTINGS, at=words), [message])
        cost.estimate(thread, "m", "Hello", now)
        assert thread.path("m") == [message]


@pytest.mark.usefixtures("zone")
def test_every_date_can_be_searched_for_or_is_refused() -> None:
    for words in TIMES:
        for name in ("since", "until"):
            asked = search_words.parse(f"fox {name}:{words[:40]}")
            for moment in (asked.since, asked.until):
                assert moment is None or r.timestamp(moment)
            try:
                found = option_moment(words, f"--{name}", whole_day=name == "until")
            except UsageError:
                continue
            assert found is not None and r.timestamp(found)
