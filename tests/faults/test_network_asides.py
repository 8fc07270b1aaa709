"""The requests beside the conversation, under the same faults: the second opinion, and a server's list of models."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from convend_tui.errors import ModelError
from convend_tui.model import opinion
from tests import making
from tests.engine.ending_stage import FIRST, INSULTS, SECOND, WARNING, call, calling
from tests.faults.network_faults import BODIES, FAULTS, RESETS, RETRY_AFTER, STALLS, STATUSES, Fault, page
from tests.making import Branch, Desk, answer_of, ended
from tests.referee import Hangup, HttpError, Raw, Referee, Reply
from tests.referee.script import Answer

pytestmark = pytest.mark.usefixtures("plain_http")

ALL = os.environ.get("CONVEND_FAULTS") == "all"
"""Every fault, and not only every third: all of them are played against the session itself (test_network.py)."""


# -- the second opinion --------------------------------------------------------------------------------------------


def abused(desk: Desk) -> None:
    """A branch on which a call of end_conversation would count."""
    branch = Branch()
    for words, answer in zip(INSULTS, (FIRST, SECOND, WARNING), strict=False):
        branch.typed(words).reply(answer)
    desk.handle.append_now(branch.path)


@pytest.mark.parametrize("fault", FAULTS if ALL else FAULTS[::3], ids=str)
async def test_without_a_second_opinion_nothing_ends(
    tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the fault is survived: what arrives then is no opinion."""
    monkeypatch.setattr(opinion, "TIMEOUT_S", 0.6)
    script: list[Answer] = [calling(call()), "Let us go on.", "Still here."]
    async with Referee(script, opinion=fault.answer) as referee:
        desk = making.desk(referee.base_url, tmp_path, timeout=fault.timeout)
        async with asyncio.timeout(60):
            abused(desk)
            events = await desk.say(INSULTS[3])
            assert "Let us go on." in answer_of(events)
            assert not ended(events).locked
            ended(await desk.say("and then?"))
        await desk.models.close()
        assert len(referee.opinions) == 1
        lines = desk.lines()
        (verdict,) = (line for line in lines if line["type"] == "verdict")
        assert (verdict["outcome"], verdict["private"]) == ("declined", True)
        assert verdict["second_opinion"].get("at_risk") is None
        assert verdict["second_opinion"]["reason"]
        assert "test-key" not in json.dumps(lines)
        assert not any(line["type"] == "ended" for line in lines)
        assert not desk.other().handle.problems
    referee.assert_clean()


# -- the list of models --------------------------------------------------------------------------------------------

ROW = {"type": "model", "id": "m", "display_name": "M", "created_at": "2026-01-01T00:00:00Z"}


def listing(body: object) -> Raw:
    return page(json.dumps(body).encode(), content_type="application/json")


def _before_the_answer(fault: Fault) -> bool:
    return isinstance(fault.answer, HttpError | Hangup) or fault.name in (
        "silence before the answer",
        "silence in the headers",
        "reset in the headers",
        "a sign-in page",
        "plain words",
        "not HTTP",
        "no content",
        "an error page",
        "an error nested too deep",
        *(f"sent on by {status}" for status in (301, 302, 307)),
    )


LISTS = [fault for fault in (*STATUSES, *RETRY_AFTER[:3], *RESETS, *STALLS, *BODIES) if _before_the_answer(fault)]
NO_LIST = {
    "nothing": page(b"", content_type="application/json"),
    "no JSON": page(b'{"data": [', content_type="application/json"),
    "a number": listing(7),
    "a list": listing([ROW]),
    "no data": listing({}),
    "data of another type": listing({"data": 7}),
    "rows of another type": listing({"data": [7, None, "x"]}),
    "rows in rows": listing({"data": [[ROW]]}),
    "rows without an id": listing({"data": [{"type": "model"}]}),
    "nested too deep": page(b'{"data":' + b"[" * 100_000, content_type="application/json"),
    "not UTF-8": page(b'{"data": [{"id": "\xff\xfe"}]}', content_type="application/json"),
}


@pytest.mark.parametrize("fault", LISTS, ids=str)
async def test_a_list_that_does_not_come_is_said(tmp_path: Path, fault: Fault) -> None:
    assert not isinstance(fault.answer, str | Reply)
    async with Referee(list_answer=fault.answer) as referee:
        models = making.models_of(referee.base_url, making.paths_in(tmp_path), timeout=fault.timeout)
        with pytest.raises(ModelError) as caught:
            async with asyncio.timeout(60):
                await models.list_models("referee")
        await models.close()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 700
    assert "test-key" not in sentence
    assert "object has no attribute" not in sentence
    if fault.name.startswith(("status", "silence", "reset", "sent on")):
        assert all(part in sentence for part in fault.says), sentence


@pytest.mark.parametrize("name", NO_LIST)
async def test_a_list_that_is_none_is_said_or_empty(tmp_path: Path, name: str) -> None:
    async with Referee(list_answer=NO_LIST[name]) as referee:
        models = making.models_of(referee.base_url, making.paths_in(tmp_path), timeout=5)
        try:
            async with asyncio.timeout(60):
                found = await models.list_models("referee")
        except ModelError as error:
            sentence = str(error)
            assert "base_url" in sentence, sentence
            assert "attribute" not in sentence
        else:
            assert all(isinstance(model.id, str) and model.id != "None" for model in found), found
        await models.close()


async def test_a_list_that_never_ends_is_cut(tmp_path: Path) -> None:
    same = listing({"data": [ROW], "has_more": True, "first_id": "m", "last_id": "m"})
    async with Referee(list_answer=same) as referee:
        models = making.models_of(referee.base_url, making.paths_in(tmp_path), timeout=5)
        async with asyncio.timeout(60):
            assert [model.id for model in await models.list_models("referee")] == ["m"]
        await models.close()
