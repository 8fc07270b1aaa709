"""What the palette finds by what was typed."""

from __future__ import annotations

import pytest

from convend_tui.tui.commands import COMMANDS
from convend_tui.tui.matching import match


def found(query: str) -> list[str]:
    """The labels that the palette lists, the best first."""
    scored = {command.label: hit[0] for command in COMMANDS if (hit := match(query, command.label, command.help))}
    return sorted(scored, key=lambda label: -scored[label])


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("tree", "Tree"),
        ("exp", "Export"),
        ("ren", "Rename"),
        ("name", "Rename"),
        ("nc", "New chat"),
        ("newc", "New chat"),
        ("New  Chat ", "New chat"),
        ("trashed", "Restore a trashed chat"),
        ("others", "Hide others"),
        ("colours", "Theme"),
        ("pdf", "Attach"),
    ],
)
def test_what_was_meant_comes_first(query: str, label: str) -> None:
    assert found(query)[0] == label


@pytest.mark.parametrize("query", ["rtd", "qt", "xq", "rsc", "ntc", "?", "", " ", "[", "a" * 1_000])
def test_letters_from_anywhere_find_nothing(query: str) -> None:
    assert found(query) == []


def test_every_command_is_found_by_its_name_and_by_the_beginning_of_its_sentence() -> None:
    for command in COMMANDS:
        assert found(command.label)[0] == command.label
        assert command.label in found(" ".join(command.help.split()[:3]))


def test_what_fits_is_marked_in_the_name() -> None:
    assert match("nc", "New chat") == (0.7, [(0, 1), (4, 5)])
    assert match("NAME", "Rename") == (0.6, [(2, 6)])
    assert match("trash", "Restore a trashed chat") == (0.8, [(10, 15)])
    assert match("begin hide", "Hide", "The beginning.") == (0.4, [(0, 4)])
    assert match("über", "Go to ⚑ Über uns") == (0.8, [(8, 12)])
    assert match("⚑", "Go to ⚑ İstanbul") == (0.8, [(6, 7)])
    assert match("gi", "Go to ⚑ İstanbul") is None  # a letter that is two in lower case
