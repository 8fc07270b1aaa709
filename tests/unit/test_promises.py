"""What the README promises: every row names tests, and every one of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "tests" / "faults"


def rows() -> list[tuple[str, list[str]]]:
    """Each promise, with what its second column names."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What convend promises")[2]
    table = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [line.strip("|").split("|") for line in table[2:]]
    return [(promise.strip(), re.findall(r"`([^`]+)`", tests)) for promise, tests in cells]


def test_every_promise_names_tests_that_exist() -> None:
    found = rows()
    assert len(found) > 10
    functions: dict[str, set[str]] = {}
    for promise, tests in found:
        assert tests, promise
        for name in tests:
            file, _, function = name.partition("::")
            if file not in functions:
                tree = ast.parse((PLACE / file).read_text(encoding="utf-8"))
                nodes = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
                functions[file] = {node.name for node in nodes}
            assert function in functions[file], name
