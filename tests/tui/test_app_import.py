"""Import on the screen: a name is asked for, the list shows what came, and what did not is told."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest

from convend_tui.exchange import importing
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from convend_tui.tui.items import MessageItem
from tests.engine.exports import conversation, said
from tests.making import Branch
from tests.tui.conftest import Home, Person


async def imports(person: Person, name: str) -> None:
    """By the command, as the palette runs it."""
    person.chat.action_do("import")
    await person.sees("Import chats", "Enter brings them in")
    await person.pastes(name)
    await person.press("enter")


async def test_an_import_fills_the_list(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([conversation("one"), conversation("two", name="Of foxes")]))
    async with home.app() as person:
        await imports(person, str(file))
        await person.hears("2 chats came in: 6 messages (2 with branches).")
        await person.sees("Verbs by depth", "Of foxes")
        assert len(person.app.screen_stack) == 1
        await imports(person, str(file))
        await person.hears("2 chats were here already, with nothing new.")


async def test_what_did_not_come_in_is_told(home: Home, tmp_path: Path) -> None:
    lost = said("a", "look", files=[{"file_name": "lost\x1b[2J.png", "file_uuid": "4567abcd-0000"}])
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([conversation("one", lost, name="A picture")]))
    async with home.app() as person:
        await imports(person, str(file))
        await person.sees("1 chat came in", "Not imported:", "lost", "its content is not in the export")
        await person.press("escape")
        (thread_id,) = home.library.ids()
        person.chat.actions.chats.open(thread_id)
        await person.reads("look", "(not in the export)")


async def test_a_wrong_file_is_an_error_and_nothing_else(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    file.write_bytes(b"<html></html>")
    async with home.app() as person:
        await imports(person, str(file))
        await person.hears("page.json cannot be imported: it is a web page")
        await person.until(lambda: len(person.app.screen_stack) == 1)
        assert home.library.ids() == []


async def test_esc_stops_an_import(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(
        library: Library, files: list[Path], settings: r.Settings, progress: Callable[[int, int], None]
    ) -> None:
        for done in itertools.count():
            progress(min(done, 5_000_000), 10_000_000)
            sleep(0.01)

    monkeypatch.setattr(importing, "import_files", endless)
    async with home.app() as person:
        await imports(person, "~/export.zip")
        await person.sees("Importing", "~/export.zip", "of 10.0 MB", "Esc stops it")
        await person.press("escape")
        await person.hears("Stopped; nothing was kept.")
        await person.until(lambda: len(person.app.screen_stack) == 1)


def test_blocks_of_other_programs_are_shown_by_name() -> None:
    branch = Branch().reply(
        "words",
        {"type": "imported_tool", "name": "web_search", "block": {"type": "tool_use"}},
        {"type": "imported_tool", "block": {}},
        {"type": "attachment_missing", "name": "pic.png"},
        {"type": "attachment_missing"},
        {"type": "something_new"},
    )
    message: r.Message = branch.path[0]
    assert MessageItem(message, show_thinking=False)._notes() == [
        "[web_search]",
        "[imported_tool]",
        "📎 pic.png (not in the export)",
        "📎 a file (not in the export)",
        "[something_new]",
    ]
