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
from tests.engine import ending_cases, ending_cases_risk
from tests.engine.ending_stage import stage
from tests.engine.ending_table import ENDS, Case, goes_on, is_locked

README = Path(__file__).parents[2] / "README.md"
TABLE = re.compile(r"(?<=<!-- cases -->\n).*?(?=<!-- /cases -->)", re.DOTALL)
TIMEOUT_S = 20.0
CASES = (*ending_cases.case, *ending_cases_risk.case)


async def outcome_of(case: Case, root: Path) -> str:
    """Play a case, look at what came of it, and see that the thread is as it must be afterwards."""
    options = dict(case.options)
    timeout = options.pop("opinion_timeout", TIMEOUT_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(making.KEY_VARIABLE, "test-key")
        making.skip_certificates(patch)
        patch.setattr(opinion, "TIMEOUT_S", timeout)
        async with stage(root, **options) as played:
            await case.play(played)
            found = played.outcome()
            await (is_locked if found == ENDS else goes_on)(played)
    return found


async def happened(case: Case) -> str:
    """The outcome of a case, or how it failed: one that fails must not hide the others."""
    with tempfile.TemporaryDirectory() as root:
        try:
            return await outcome_of(case, Path(root))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs into the table
            return f"failed: {error!r}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.name}")
async def test_case(case: Case, tmp_path: Path) -> None:
    assert await outcome_of(case, tmp_path) == case.outcome


def table(outcomes: list[str]) -> str:
    """The README's table: a row a case, with what happened."""
    lines: list[str] = []
    for group in dict.fromkeys(case.group for case in CASES):
        lines += [f"| {group} | the conversation |", "| --- | --- |"]
        rows = zip(CASES, outcomes, strict=True)
        lines += [f"| {case.name} | {outcome} |" for case, outcome in rows if case.group == group]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def test_the_readme_has_every_case_as_it_happened() -> None:
    # That each case comes out like this is what `test_case` shows; written is only what was played here.
    expected = table([case.outcome for case in CASES])
    text = README.read_text()
    if os.environ.get("CONVEND_WRITE_README"):
        played = table([asyncio.run(happened(case)) for case in CASES])
        text = TABLE.sub(lambda _: played, text)
        README.write_text(text)
    found = TABLE.search(text)
    assert found is not None
    assert found[0] == expected
