"""A few whole screens, compared as plain text with the files in screens/.

`CONVEND_WRITE_SCREENS=1 pytest tests/tui/test_app_screens.py` writes the files anew; look at the difference before
keeping it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from convend_tui.thread import records as r
from convend_tui.tui import commands
from tests.making import at
from tests.referee import HttpError, Reply, Text, Thinking, ThreadedReferee
from tests.tui.conftest import Home, Person
from tests.tui.test_app_branches import forked
from tests.tui.test_app_ending import ended, locked_branch
from tests.tui.test_app_tree import a_long_chat

SCREENS = Path(__file__).parent / "screens"
README = Path(__file__).parents[2] / "README.md"
WRITE = "CONVEND_WRITE_SCREENS"
ANSWER = """\
Sort by **size**, largest first:

```python
files.sort(key=lambda file: file.stat().st_size, reverse=True)
```

| way    | fits         |
|--------|--------------|
| `sort` | a list       |
| `heap` | many 中文 files |

1. Try it
2. Then *measure* 🙂
"""


async def matches(me: Person, name: str) -> None:
    """Wait until the screen is that of a file; times of day and ages are made the same."""

    def shown() -> str:
        text = re.sub(r"\b\d\d:\d\d\b", "00:00", me.screen)
        return re.sub(r"(?<= {2})(now|\d+ min) *$", "now", text, flags=re.MULTILINE).rstrip("\n") + "\n"

    file = SCREENS / f"{name}.txt"
    if os.environ.get(WRITE):
        await me.pilot.pause(0.5)  # what is on its way to the screen is not waited for by anything here
        file.write_text(shown(), encoding="utf-8")
    expected = file.read_text(encoding="utf-8")
    with suppress(AssertionError):
        await me.until(lambda: shown() == expected, timeout=5)
    assert expected == shown(), f"the screen is another than {file}"


async def test_the_first_run(home: Home) -> None:
    async with home.app((80, 24)) as me:
        await me.reads("No model is connected yet")
        await matches(me, "first_run")


async def test_an_answer(online: Home, referee: ThreadedReferee) -> None:
    usage = {"input_tokens": 120, "cache_read_input_tokens": 1080, "output_tokens": 85}
    thinking = Thinking("They want a list.", display="summarized")
    referee.enqueue(Reply([thinking, Text(ANSWER)], usage=usage))
    async with online.app((110, 36)) as me:
        await me.says("How do I find the largest files?")
        await me.sees("85 out", "now")
        await me.until(lambda: "▌  How do I find" in me.screen)
        await matches(me, "answer")


async def test_a_failure(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(HttpError(529, "overloaded_error", "Overloaded"))
    async with online.app((80, 24)) as me:
        await me.writes("Are you there?")
        await me.press("enter")
        await me.sees("Not answered yet")
        await me.until(lambda: me.idle)
        await matches(me, "failure")


async def test_an_ending(online: Home) -> None:
    branch = locked_branch()
    online.save(branch, *ended(branch), r.Title(at=at(101), title="Trouble"))
    async with online.app((80, 24)) as me:
        await me.press("ctrl+t", "enter")
        await me.reads("ended this conversation")
        await me.reading()
        await matches(me, "ending")


async def test_a_fork(online: Home) -> None:
    online.save(forked())
    async with online.app((110, 24)) as me:
        await me.press("ctrl+t", "enter")
        await me.goes_to("second question")
        await matches(me, "fork")


async def test_the_tree(online: Home) -> None:
    branch, records = a_long_chat()
    online.save(branch, *records)
    for size, name in (((80, 24), "tree"), ((150, 24), "tree_beside")):
        async with online.app(size) as me:
            await me.press("ctrl+t", "enter")
            await me.goes_to("Which one is faster?")
            await me.press("t")
            await me.until(lambda: "›◉" in me.screen)
            await matches(me, name)


async def test_the_list_on_a_narrow_screen(online: Home) -> None:
    branch = locked_branch()
    os.utime(online.write("20250101T000000-00000000"), (1_000_000_000, 1_000_000_000))
    os.utime(online.file(online.save(branch, *ended(branch))), (1_100_000_000, 1_100_000_000))
    online.save(forked(), name="2")
    async with online.app((80, 24)) as me:
        await me.press("ctrl+t")
        await me.until(lambda: me.chat.thread_list.has_focus)
        await matches(me, "list")


async def test_the_search(home: Home) -> None:
    branch = locked_branch()
    home.save(branch, *ended(branch), r.Title(at=at(101), title="Trouble"))
    home.save(forked(), name="2")
    async with home.app((80, 24)) as me:
        await me.press("ctrl+f")
        await me.sees("Filters, anywhere among the words")
        await matches(me, "search_empty")
        await me.press(*"the")
        await me.sees("Trouble", "and then?", "⊘ ended")
        await matches(me, "search")


async def test_the_help(online: Home) -> None:
    async with online.app((160, 48)) as me:
        await me.press("f1")
        await me.sees("Type to filter")
        await matches(me, "help")


def test_the_readme_lists_every_key() -> None:
    found = re.search(r"<!-- keys -->\n(.*?)<!-- /keys -->", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, "README.md has no list of keys between <!-- keys --> and <!-- /keys -->"
    assert found[1].strip() == commands.markdown_list().strip()


@pytest.mark.parametrize("file", sorted(SCREENS.glob("*.txt")), ids=lambda file: file.stem)
def test_every_screen_that_is_kept_is_compared(file: Path) -> None:
    assert f'"{file.stem}"' in Path(__file__).read_text(encoding="utf-8")
