"""The page of HTML in a real browser: headless Chromium, driven over its own protocol with real keys and clicks.

Skipped where no Chromium is found: `chromium`, `chromium-browser` or `google-chrome` on PATH, or $CHROMIUM.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from convend_tui.exchange.html import page
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import at, header
from tests.unit.pages import HOSTILE, ended, forked, message

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"no Chromium: none of {', '.join(NAMES)}, nor $CHROMIUM")
PATIENCE = 30.0
"""Seconds until something that does not come is given up."""
CODES = {"Home": 36, "End": 35, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27}
CODES |= {"Enter": 13, "Tab": 9}
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--remote-debugging-port=0"),
    # Nothing gets out of this machine, whatever a page asks for.
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running browser: the address at which it takes orders."""
    home = tmp_path_factory.mktemp("chromium")
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={home}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port, deadline = home / "DevToolsActivePort", time.monotonic() + PATIENCE
        while not port.exists() or len(port.read_text().split()) < 2:
            assert process.poll() is None and time.monotonic() < deadline, "Chromium does not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port.read_text().split()[0]}"
    finally:
        # Its own group: the browser has many processes.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Tab:
    """A tab, and what happened in it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requests: list[str] = []
        """Addresses that were asked for, apart from files and data."""
        self.problems: list[str] = []
        """What the console said: exceptions, and what the page's policy forbade."""
        self.dialogs = 0

    async def order(self, method: str, **given: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            answer = json.loads((await asyncio.wait_for(self._socket.receive(), PATIENCE)).data)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            if "method" in answer:  # not the answer to having closed a dialog
                await self._note(answer["method"], answer["params"])

    async def _note(self, method: str, given: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                address = given["request"]["url"]
                if not address.startswith(("file:", "data:", "about:")):
                    self.requests.append(address)
            case "Runtime.exceptionThrown":
                self.problems.append(str(given["exceptionDetails"]))
            case "Log.entryAdded":
                self.problems.append(given["entry"]["text"])
            case "Page.javascriptDialogOpening":
                self.dialogs += 1
                await self._socket.send_str(
                    json.dumps(
                        {"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": False}},
                    )
                )

    async def open(self, address: str) -> None:
        # A new address that differs behind the # only would not load the page again.
        await self.order("Page.navigate", url="about:blank")
        await self.order("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && location.protocol !== 'about:'")

    async def value(self, expression: str) -> Any:
        """What an expression comes to in the page."""
        found = await self.order("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + PATIENCE
        while not await self.value(expression):
            assert time.monotonic() < deadline, f"it never came true: {expression}"
            await asyncio.sleep(0.02)

    async def press(self, *keys: str) -> None:
        for key in keys:
            given: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": CODES.get(key, 0)}
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            await self.order("Input.dispatchKeyEvent", type="keyDown", **given, **text)
            await self.order("Input.dispatchKeyEvent", type="keyUp", **given)

    async def click(self, selector: str) -> None:
        found = f"document.querySelector({json.dumps(selector)})"
        await self.value(f"{found}.scrollIntoView({{block: 'center'}})")
        box = f"const b = {found}.getBoundingClientRect();"
        measure = f"(() => {{ {box} return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
        before, place = None, await self.value(measure)
        while before != place:  # the page may still be scrolling
            await asyncio.sleep(0.06)
            before, place = place, await self.value(measure)
        for kind in ("mousePressed", "mouseReleased"):
            await self.order("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    async def path(self) -> str:
        """The ids of the messages on the path shown."""
        return str(await self.value("[...document.querySelectorAll('article.message')].map(a => a.id).join(' ')"))

    async def current(self) -> str:
        return str(await self.value("document.querySelector('article[aria-current]').id"))


@asynccontextmanager
async def tab(browser: str) -> AsyncIterator[Tab]:
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{browser}/json/new?about:blank") as answer:
            target = await answer.json()
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            made = Tab(socket)
            for domain in ("Page", "Network", "Runtime", "Log"):
                await made.order(f"{domain}.enable")
            yield made
        async with session.get(f"{browser}/json/close/{target['id']}") as answer:
            await answer.read()


def written(root: Path, thread: Thread, leaf: str | None = None) -> str:
    """The address of a thread's page."""
    file = root / "page.html"
    file.write_text("".join(page(thread, leaf)), "utf-8", newline="")
    return file.as_uri()


async def test_branches_switch_with_keys_and_with_the_mouse(browser: str, tmp_path: Path) -> None:
    async with tab(browser) as it:
        await it.open(written(tmp_path, forked(), "d"))
        assert await it.path() == "m-a m-b m-c m-d"
        assert await it.current() == "m-a"
        await it.press("j", "j")
        assert await it.current() == "m-c"
        assert await it.value("document.activeElement.id") == "m-c"
        await it.press("]")
        assert await it.path() == "m-a m-b m-e m-f"
        assert "e" in str(await it.value("document.querySelector('#m-e .plain').textContent"))
        assert await it.value("document.querySelector('#said').textContent") == "Branch 2 of 2"
        assert await it.value("location.hash") == "#m-e"
        await it.press("]")
        assert await it.path() == "m-a m-b m-e m-f", "there is none further"
        await it.press("End")
        assert await it.current() == "m-f"
        await it.press("ArrowLeft")
        assert await it.path() == "m-a m-b m-c m-d", "the nearest fork above"
        await it.press("Home", "k")
        assert await it.current() == "m-a"
        await it.click("#m-c .place button:last-child")
        assert await it.path() == "m-a m-b m-e m-f"
        await it.value("history.back()")
        await it.until("document.getElementById('m-d') !== null")
        await it.value("history.go(-2)")
        await it.until("location.hash === ''")
        assert await it.path() == "m-a m-b m-c m-d", "as it was opened"
        await it.press("End", "t", "j", "Enter")
        assert it.problems == [] and it.requests == []


async def test_the_address_points_at_a_message_and_its_branch(browser: str, tmp_path: Path) -> None:
    address = written(tmp_path, forked(), "d")
    async with tab(browser) as it:
        await it.open(f"{address}#m-e")
        assert (await it.path(), await it.current()) == ("m-a m-b m-e m-f", "m-e")
        await it.open(f"{address}#m-b,d")
        assert (await it.path(), await it.current()) == ("m-a m-b m-c m-d", "m-b")
        await it.press("j", "k")
        await it.until("location.hash === '#m-b,d'")
        for wrong in ("#m-nowhere", "#__proto__", "#m-constructor", "#%3Cscript%3E"):
            await it.open(address + wrong)
            assert await it.path() == "m-a m-b m-c m-d"
        assert it.problems == []


async def test_the_outline_shows_the_tree_and_goes_anywhere(browser: str, tmp_path: Path) -> None:
    async with tab(browser) as it:
        await it.open(written(tmp_path, ended(), "m0004"))
        await it.press("t")
        rows = str(await it.value("document.querySelector('#rows').textContent"))
        assert "⊘ ended" in rows and "△ warned" in rows and "2/2" in rows
        assert await it.value("document.querySelectorAll('#rows [role=treeitem]').length") == 5
        await it.press("Home", "j", "ArrowDown")
        assert str(await it.value("document.activeElement.textContent")).startswith("○")
        await it.press("Enter")
        assert await it.value("document.querySelector('#outline').open") is False
        assert (await it.path(), await it.current()) == ("m-m0001 m-m0002 m-other", "m-other")
        await it.press("?")
        assert await it.value("document.querySelector('#keys').open") is True
        await it.press("Escape")
        assert await it.value("document.querySelector('#keys').open") is False
        assert it.problems == []


async def test_hidden_branches_are_reached_through_the_outline(browser: str, tmp_path: Path) -> None:
    async with tab(browser) as it:
        await it.open(written(tmp_path, forked(r.Hide(at=at(9), message="e"))))
        assert await it.path() == "m-a m-b m-c m-d"
        await it.press("]")
        assert await it.path() == "m-a m-b m-c m-d"
        await it.click("#m-c .place .others")
        hidden = ".row.hidden-branch"
        assert "(hidden)" in str(await it.value(f"document.querySelector('{hidden}').textContent"))
        await it.click(hidden)
        assert await it.path() == "m-a m-b m-e m-f"
        assert "(hidden)" in str(await it.value("document.querySelector('#m-e > header').textContent"))


async def test_light_and_dark(browser: str, tmp_path: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    async with tab(browser) as it:
        await it.order("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        await it.open(written(tmp_path, forked()))
        dark = await it.value(paper)
        await it.press("d")
        light = await it.value(paper)
        await it.press("d")
        assert await it.value(paper) == dark != light
        await it.order("Emulation.setEmulatedMedia", media="print")
        assert await it.value("getComputedStyle(document.querySelector('#bar')).display") == "none"
        assert await it.value(paper) == "rgb(255, 255, 255)"


async def test_content_runs_nothing_and_loads_nothing(browser: str, tmp_path: Path) -> None:
    words = [one.replace("alert(1)", "window.caught=1") for one in HOSTILE]
    words += ["![x](http://127.0.0.1:9/p.png) <img src='http://127.0.0.1:9/q.png' onerror='window.caught=1'>"]
    path = [message(f"h{i}", f"h{i - 1}" if i else None, i, one) for i, one in enumerate(words)]
    beside = [message(f"s{i}", f"h{i - 1}", 100 + i, one) for i, one in enumerate(words) if i]
    title = r.Title(at=at(999), title=HOSTILE[1])
    async with tab(browser) as it:
        await it.open(written(tmp_path, Thread(header(), [*path, *beside, title]), path[-1].id))
        for number in range(1, len(words)):
            await it.press("Home", *["j"] * number, "[", "]", "]")
            assert "s" in await it.path()
            await it.press("[")
        await it.until("![...document.querySelectorAll('article.message')].some(a => !a.firstChild)")
        await it.press("t")
        assert await it.value("document.querySelectorAll('#rows .row').length") > 2
        assert await it.value("typeof window.caught") == "undefined"
        assert await it.value("document.querySelectorAll('script').length") == 2
        assert (
            await it.value("document.querySelectorAll('main :is(script, style, img, svg, iframe, link)').length") == 0
        )
        assert (it.requests, it.problems, it.dialogs) == ([], [], 0)


async def test_what_would_run_or_load_would_have_been_seen(browser: str, tmp_path: Path) -> None:
    """The test above is worth something only if it can fail."""
    file = tmp_path / "bad.html"
    file.write_text("<img src='http://127.0.0.1:9/p.png'><script>window.caught = 1; alert(1); throw 1</script>")
    async with tab(browser) as it:
        await it.open(file.as_uri())
        assert await it.value("window.caught") == 1
        assert it.requests == ["http://127.0.0.1:9/p.png"] and it.problems and it.dialogs == 1


async def test_without_scripts_the_path_is_there(browser: str, tmp_path: Path) -> None:
    async with tab(browser) as it:
        await it.order("Emulation.setScriptExecutionDisabled", value=True)
        await it.open(written(tmp_path, ended(), "m0004"))
        seen = str(await it.value("document.querySelector('main').textContent"))
        for words in ("Hello", "This is a warning", "Enough.", "ended this conversation", "It went <on>."):
            assert words in seen
        assert "other" not in seen
        assert await it.value("document.querySelector('#m-m0004 .notice').offsetHeight") > 0
        assert await it.value("document.querySelector('#bar').offsetHeight") == 0
        assert await it.path() == "m-m0001 m-m0002 m-m0003 m-m0004"


async def test_ten_thousand_messages(browser: str, tmp_path: Path) -> None:
    names = [f"x{i}" for i in range(10_000)]
    long = [message(name, names[i - 1] if i else None, i, f"words {i}") for i, name in enumerate(names)]
    async with tab(browser) as it:
        await it.open(written(tmp_path, Thread(header(), long), names[-1]))
        assert await it.value("document.querySelectorAll('article.message').length") == 10_000
        assert "words 0" in str(await it.value("document.querySelector('#m-x0').textContent"))
        await it.press("End")
        assert await it.current() == "m-x9999"
        inside = "(() => { const b = document.querySelector('#m-x9999').getBoundingClientRect();"
        await it.until(f"{inside} return b.top >= 0 && b.bottom <= innerHeight && b.height > 20; }})()")
        await it.press("t")
        assert await it.value("document.querySelectorAll('#rows .row').length") == 5, "the rest is folded"
        assert it.problems == []
