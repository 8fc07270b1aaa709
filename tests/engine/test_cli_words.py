"""How the words of a command line are read: options may stand between the arguments, as in the contract's table."""

from __future__ import annotations

from typing import Any

import pytest

from convend_tui.cli.parser import build_parser


def read(*words: str) -> dict[str, Any]:
    return vars(build_parser().parse_args(words))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("edit", "T", "M", "--json", "words"), {"json": True, "text": "words"}),
        (("edit", "T", "--json", "M", "words"), {"json": True, "text": "words"}),
        (("edit", "T", "M", "-m", "a/b", "-a", "f", "words"), {"model": "a/b", "attach": ["f"], "text": "words"}),
        (("edit", "T", "M", "--json"), {"json": True, "text": None}),
        (("edit", "T", "M", "--json", "--", "--words"), {"json": True, "text": "--words"}),
        (("edit", "T", "M", "--", "--json"), {"json": False, "text": "--json"}),
        (("ask", "-t", "T", "words", "--at", "M"), {"thread": "T", "text": "words", "at": "M"}),
        (("ask", "--", "-5"), {"text": "-5"}),
        (("ask", "-5"), {"text": "-5"}),
        (("ask", "-5 degrees"), {"text": "-5 degrees"}),
        (("ask", "-"), {"text": "-"}),
        (("ask", ""), {"text": ""}),
        (("ask", "--", "--"), {"text": "--"}),
        (("ask", "--json", "--", "--json"), {"json": True, "text": "--json"}),
        (("ask", "-t", "T", "--", "-t"), {"thread": "T", "text": "-t"}),
        (("ask", "-mx", "words", "--at=M"), {"model": "x", "text": "words", "at": "M"}),
        (("search", "--limit", "3", "--", "-word"), {"limit": 3, "query": "-word"}),
        (("search", "--", "--json"), {"json": False, "query": "--json"}),
        (("feedback", "T", "--up", "M", "--comment", "yes"), {"thread": "T", "message": "M", "thumbs": ["up"]}),
        (("import", "a", "--json", "b"), {"files": ["a", "b"], "json": True}),
        (("local", "status"), {}),
    ],
)
def test_options_stand_anywhere(words: tuple[str, ...], expected: dict[str, Any]) -> None:
    found = read(*words)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "words",
    [
        ("edit", "T", "--json"),
        ("edit", "T", "M", "--json", "words", "more"),
        ("edit", "T", "M", "--nope", "words"),
        ("ask", "--", "words", "--json"),
        ("ask", "words", "--at"),
        ("ask", "--at", "--json", "words"),
        ("config", "--path", "--show"),
        ("local",),
        ("local", "nope"),
        ("local", "status", "more"),
    ],
)
def test_a_wrong_line_is_wrong_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        read(*words)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err
