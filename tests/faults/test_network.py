"""Every fault of the network, through a session: what is said, what is kept, and that the next send works."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from convend_tui import session
from convend_tui.model import events as e
from convend_tui.model import sse
from convend_tui.store.check import Checker
from convend_tui.thread import records as r
from tests import making
from tests.faults.network_faults import FAULTS, HALF, Fault, stream, text
from tests.making import Desk, answer_of, ended, failed
from tests.referee import Referee

Json = dict[str, Any]
WITHIN_S = 60.0

pytestmark = pytest.mark.usefixtures("plain_http")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Instead of waiting before a request is sent again, this is put down."""
    asked: list[float] = []

    async def note(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(session, "pause", note)
    return asked


@asynccontextmanager
async def talking(root: Path, *script: Any, retries: int, timeout: float) -> AsyncIterator[tuple[Desk, Referee]]:
    """A new thread, and a referee that has nothing to object to in the end."""
    async with Referee(script, opinion=False) as referee:
        desk = making.desk(referee.base_url, root, retries=retries, timeout=timeout)
        try:
            async with asyncio.timeout(WITHIN_S):
                yield desk, referee
        finally:
            await desk.models.close()
        referee.assert_clean()


def kinds(desk: Desk) -> list[str]:
    return [str(line["kind"]) for line in desk.lines() if line["type"] == "message"]


def is_sound(desk: Desk) -> None:
    """The file opens, nothing is wrong with it, and it says what the thread in memory says."""
    other = desk.other()
    assert not other.handle.problems
    assert other.thread.messages == desk.thread.messages
    assert not Checker(desk.paths).thread(desk.thread.id).problems
    assert not desk.checkpoints()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_it_is_said_and_all_is_kept_and_the_next_send_works(tmp_path: Path, fault: Fault) -> None:
    async with talking(tmp_path, fault.answer, "Fine.", retries=0, timeout=fault.timeout) as (desk, referee):
        events = await desk.say("hello")
        if fault.whole is not None:
            assert answer_of(events).startswith(fault.whole)
            assert r.text_of(desk.thread.messages[ended(events).message]).startswith(fault.whole)
            assert kinds(desk) == ["typed", "reply"]
        else:
            _is_told(failed(events), fault)
            assert kinds(desk) == (["typed", "partial"] if fault.keeps else ["typed"])
            if fault.keeps is not None:
                assert r.text_of(desk.thread.messages[str(failed(events).partial)]).startswith(fault.keeps)
        is_sound(desk)
        before = answer_of(events)
        if not before:
            # The same words are the same question, on the wire and in the file.
            ended(await desk.say("hello"))
            assert kinds(desk) == ["typed", "reply"]
            assert referee.requests[0]["messages"] == referee.requests[1]["messages"]
        else:
            ended(await desk.say("and then?"))
            sent = [_words(message) for message in referee.requests[-1]["messages"]]
            assert sent == ["hello", r.text_of(desk.thread.path(desk.thread.leaf)[1]).rstrip(), "and then?"]
        is_sound(desk)


def _is_told(end: e.TurnFailed, fault: Fault) -> None:
    sentence = str(end.error)
    for part in fault.says:
        assert part in sentence, sentence
    assert fault.kind in ("", end.error.kind)
    assert "\n" not in sentence
    assert len(sentence) < 700
    assert "test-key" not in sentence
    assert sentence.endswith((".", "…")) or "It says:" in sentence


def _words(message: Json) -> str:
    return "".join(block.get("text", "") for block in message["content"])


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.whole is None], ids=str)
async def test_what_may_pass_is_tried_again_and_nothing_is_doubled(
    tmp_path: Path, fault: Fault, waits: list[float]
) -> None:
    async with talking(tmp_path, fault.answer, "Fine.", retries=2, timeout=fault.timeout) as (desk, referee):
        events = await desk.say("hello")
        waiting = [event for event in events if isinstance(event, e.Waiting)]
        if fault.again:
            assert answer_of(events) == "Fine."
            assert kinds(desk) == ["typed", "reply"]
            assert len(referee.requests) == 2
            assert dict(referee.requests[0]) == dict(referee.requests[1])
            assert [event.seconds for event in waiting] == waits == [0.5 if fault.waits is None else fault.waits]
            assert re.search(r"Trying again \(1 of 2\)$", waiting[0].why), waiting[0].why
            assert "Try again" not in waiting[0].why
        else:
            _is_told(failed(events), fault)
            assert not waiting
            assert len(referee.requests) == 1
            assert kinds(desk) == (["typed", "partial"] if fault.keeps else ["typed"])
        is_sound(desk)


async def test_an_answer_without_an_end_is_given_up_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_ANSWER", 2**20)
    more = text("and on it goes. " * 1_000)
    async with talking(tmp_path, stream(HALF, *[more] * 80, end="hold"), "Fine.", retries=2, timeout=30) as (desk, _):
        end = failed(await desk.say("hello"))
        assert "broke off: it sent more than 1 MB." in str(end.error)
        kept = r.text_of(desk.thread.messages[str(end.partial)])
        assert kept.startswith("Half of it") and kept.endswith("and on it goes. ") and len(kept) > 2**19
        is_sound(desk)
        ended(await desk.say("and then?"))


async def test_a_server_that_stays_broken_is_asked_a_few_times_and_no_more(tmp_path: Path, waits: list[float]) -> None:
    down = FAULTS[[fault.name for fault in FAULTS].index("status 529")].answer
    async with talking(tmp_path, *[down] * 4, "Fine.", retries=3, timeout=5) as (desk, referee):
        end = failed(await desk.say("hello"))
        assert "Try again in a moment." in str(end.error)
        assert (len(referee.requests), waits) == (4, [0.5, 1.0, 2.0])
        assert kinds(desk) == ["typed"]
        ended(await desk.say("hello"))
        assert kinds(desk) == ["typed", "reply"]
        assert json.dumps(referee.requests[-1]["messages"]).count("hello") == 1
        is_sound(desk)


async def test_a_stop_while_it_waits_leaves_the_question(tmp_path: Path) -> None:
    down = FAULTS[[fault.name for fault in FAULTS].index("retry-after: 60")].answer
    async with talking(tmp_path, down, "Fine.", retries=2, timeout=5) as (desk, referee):
        turn = asyncio.create_task(desk.say("hello"))
        async with asyncio.timeout(WITHIN_S):
            while not referee.requests:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert kinds(desk) == ["typed"]
        ended(await desk.say("hello"))
        assert kinds(desk) == ["typed", "reply"]
        is_sound(desk)
