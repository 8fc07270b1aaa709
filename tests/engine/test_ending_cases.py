"""Every case of an ending, played against the referee; and the README's table of them, made from what happened.

`CONVEND_WRITE_README=1 pytest tests/engine/test_ending_cases.py` writes the table.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

import pytest

from convend_tui.model import opinion
from tests import making
from tests.engine.ending_cases import CASES, ENDS, Case, goes_on, is_locked
from tests.engine.ending_stage import stage

README = Path(__file__).parents[2] / "README.md"
TABLE = re.compile(r"(?<=<!-- cases -->\n).*?(?=<!-- /cases -->)", re.DOTALL)
TIMEOUT_S = 20.0


async def outcome_of(case: Case, root: Path) -> str:
    """Play a case, look at what came of it, and see that the thread is as it must be afterwards."""
    options = dict(case.options)
    timeout = options.pop("opinion_timeout", TIMEOUT_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(making.KEY_VARIABLE, "test-key")
        patch.setattr(opinion, "TIMEOUT_S", timeout)
        async with stage(root, **options) as played:
            await case.play(played)
            found = played.outcome()
            await (is_locked if found == ENDS else goes_on)(played)
    return found


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What really happened in each case, by its name."""

    async def play(case: Case) -> str:
        with tempfile.TemporaryDirectory() as root:
            try:
                return await outcome_of(case, Path(root))
            except Exception as error:  # noqa: BLE001 - one case that fails must not hide the others
                return f"failed: {error!r}"

    return {f"{case.group}: {case.name}": asyncio.run(play(case)) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.name}")
def test_case(case: Case, outcomes: dict[str, str]) -> None:
    assert outcomes[f"{case.group}: {case.name}"] == case.outcome


def table(outcomes: dict[str, str]) -> str:
    """The README's table: a row a case, with what happened."""
    lines: list[str] = []
    for group in dict.fromkeys(case.group for case in CASES):
        rows = [case.name for case in CASES if case.group == group]
        lines += [f"| {group} | the conversation |", "| --- | --- |"]
        lines += [f"| {name} | {outcomes[f'{group}: {name}']} |" for name in rows]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def test_the_readme_has_every_case_as_it_happened(outcomes: dict[str, str]) -> None:
    text = README.read_text()
    if os.environ.get("CONVEND_WRITE_README"):
        text = TABLE.sub(lambda _: table(outcomes), text)
        README.write_text(text)
    found = TABLE.search(text)
    assert found is not None
    assert found[0] == table(outcomes)
