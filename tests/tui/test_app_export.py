"""Export from the palette: the format, the name of the file, and where it went."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convend_tui.thread import records as r
from tests.making import Branch, at, text
from tests.tui.conftest import Home, Person


async def opens_export(me: Person) -> None:
    me.chat.action_do("export")
    await me.sees("Export this chat", "markdown, the whole tree", "asciicast")


def forked() -> tuple[Branch, r.Message]:
    other = r.Message(at=at(9), id="b", parent="m0001", role="assistant", content=[text("A dog.")], kind="reply")
    return Branch().typed("What is a *fox*?").reply("An animal."), other


async def test_the_branch_that_is_shown_is_written_to_a_file(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    branch, other = forked()
    home.save(branch, other, r.Leaf(at=at(10), message="m0002"))
    file = tmp_path / "What-is-a-fox.md"
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("An animal.")
        await opens_export(me)
        await me.press("enter")
        await me.sees("Export as markdown", "What-is-a-fox.md")
        await me.press("enter")
        await me.hears(f"Written to {file}.")
        written = file.read_text("utf-8")
        assert "\nAn animal.\n" in written and "A dog." not in written
        # Again: what is there stays.
        await opens_export(me)
        await me.press("down", "enter")
        await me.sees("Export as markdown, the whole tree", "What-is-a-fox-2.md")
        await me.pastes(file.name)
        await me.press("enter")
        await me.hears("exists already")
        assert file.read_text("utf-8") == written
        await opens_export(me)
        await me.press("down", "enter")
        await me.pastes(str(tmp_path / "tree.md"))
        await me.press("enter")
        await me.hears("tree.md")
        await me.until((tmp_path / "tree.md").exists)
        assert "\nA dog.\n" in (tmp_path / "tree.md").read_text("utf-8")


async def test_a_request_and_a_folder_that_is_not_there(home: Home, tmp_path: Path) -> None:
    home.save(forked()[0])
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("An animal.")
        for name in ("none/x.json", "x.request.json"):
            await opens_export(me)
            await me.press(*"messages", "enter")
            await me.sees("Export as messages", "What-is-a-fox.request.json")
            await me.pastes(str(tmp_path / name))
            await me.press("enter")
        await me.hears("there is no folder")
        await me.until((tmp_path / "x.request.json").exists)
        assert json.loads((tmp_path / "x.request.json").read_bytes())["messages"][0]["role"] == "user"


async def test_there_is_nothing_to_export_in_a_new_chat_and_esc_writes_nothing(home: Home, tmp_path: Path) -> None:
    async with home.app() as me:
        me.chat.action_do("export")
        await me.hears("Export: This chat is empty.")
    home.save(forked()[0])
    before = sorted(tmp_path.rglob("*.md"))
    async with home.app() as me:
        await me.press("ctrl+t", "enter")
        await me.reads("An animal.")
        await opens_export(me)
        await me.press("enter")
        await me.sees("What-is-a-fox.md")
        await me.press("escape")
        await me.until(lambda: me.app.screen is me.chat)
        assert sorted(tmp_path.rglob("*.md")) == before
