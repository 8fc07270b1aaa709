"""Somebody at the screen, in a process of its own (playing.py)."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from convend_tui import config
from convend_tui import paths as p
from convend_tui.thread import records as r
from convend_tui.tui.app import ConvendApp
from tests.tui.conftest import Home, Person


def talk(home: Path, name: str) -> int:
    """Send a few messages at the screen, and print which of them stand in the thread."""
    Home(home, pytest.MonkeyPatch())
    asyncio.run(_talk(name))
    return 0


async def _talk(name: str) -> None:
    where = p.find()
    app = ConvendApp(where, config.load(where))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        person = Person(app, pilot, [])
        await person.until(lambda: person.chat.composer.has_focus_within or person.chat.transcript.has_focus)
        for number in range(4):
            if not person.chat.composer.has_focus_within:
                await person.press("i")
            words = f"{name} at the screen {number}"
            person.chat.composer.load(words)
            await pilot.pause()
            await person.press("enter")
            for _ in range(100):
                await pilot.pause(0.05)
                thread = person.chat.conversation.thread
                found = [m for m in thread.messages.values() if r.text_of(m) == words] if thread is not None else []
                if thread is not None and found and person.idle:
                    told = {"type": "kept", "thread": thread.id, "message": found[0].id}
                    os.write(1, json.dumps(told).encode() + b"\n")
                    break
        await person.press("ctrl+q")
        await app.models.close()
