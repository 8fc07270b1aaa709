"""Text of others is data: no markup, no control characters, nothing that turns a line round, anywhere."""

from __future__ import annotations

import re

from convend_tui.thread import records as r
from tests.making import Branch, at, header
from tests.referee import HttpError, Refusal, Reply, Text, Thinking, ThreadedReferee
from tests.referee.models import DEFAULT_MODELS, Model
from tests.tui.conftest import CONFIG, SIZE, Home, Person

EVIL = (
    "[bold]x[/] [/] [@click=app.quit]q[/] \x1b[31mred\x1b]52;c;eA==\x07 \x9b2J \u202eabc\u2066 a\x00b\rc\u200bd $x {y}"
)
"""Markup look-alikes, escape sequences of both kinds, a reversed line, invisible characters."""
RAW = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(me: Person) -> None:
    """Nothing raw is on the screen, whatever lies over it."""
    for strip in me.app.screen._compositor.render_strips():
        for segment in strip:
            assert segment.control is None or not segment.control
            assert not RAW.search(segment.text), repr(segment.text)


def hostile() -> Branch:
    """A thread with hostile text wherever a file can hold some."""
    return (
        Branch()
        .typed(EVIL, {"type": "image", "source": {"type": "blob", "sha256": EVIL, "media_type": EVIL, "name": EVIL}})
        .reply({"type": "thinking", "thinking": EVIL, "signature": EVIL}, EVIL, model=EVIL, stop=EVIL)
        .typed("Go on: " + EVIL, {"type": EVIL, "text": EVIL})
        .reply(
            f"# {EVIL}\n\n- {EVIL}\n\n```{EVIL}\n{EVIL}\n```\n\n| {EVIL} |\n|---|\n| {EVIL} |\n\n> {EVIL}",
            model=EVIL,
            usage={"input_tokens": 3, EVIL: EVIL, "output_tokens": 4},
        )
        .typed("And " + EVIL)
        .reply(stop="refusal", stop_details={"category": EVIL, "explanation": EVIL}, model=EVIL)
    )


async def test_a_thread_file_full_of_it(online: Home) -> None:
    branch = hostile()
    ended = r.Ended(at=at(90) + EVIL, message=branch.last, cause=EVIL, explanation=EVIL, evidence=[{EVIL: EVIL}])
    verdict = r.Verdict(at=at(91), message=branch.path[3].id, outcome=EVIL, reasons=[EVIL])
    title = r.Title(at=at(92), title=EVIL)
    online.save(branch, ended, verdict, title)
    settings = r.Settings(model=EVIL, server=EVIL)
    other = Branch().typed(EVIL).reply("Hi.")
    other.path[0] = r.Message(at="not a time" + EVIL, id=EVIL, parent=None, role="user", content=[], kind=EVIL)
    online.write(
        "20261122T000002-[bold]x",
        header(settings, id="20261122T000002-[bold]x"),
        *other.path,
        r.Title(at=at(5), title=EVIL),
    )
    online.file("[red]broken[bold]").write_bytes(EVIL.encode("utf-8") + b"\n")
    async with online.app((110, 60)) as me:
        for row in me.chat.thread_list._rows:
            if not me.chat.thread_list.has_focus:
                await me.press("ctrl+t")
            clean(me)
            me.chat.thread_list.put_cursor_on(row.id)
            await me.press("enter")
            if row.unreadable:
                await me.hears("[red]broken[bold]")
                clean(me)
                continue
            await me.until(lambda row=row: getattr(me.chat.conversation.thread, "id", None) == row.id)  # type: ignore[misc]
            clean(me)
            await me.reading()
            for key in ("home", "o", "down", "o", "down", "down", "r", "e", "y", "end"):
                await me.press(key)
                clean(me)
            if me.chat.conversation.editing is not None:
                await me.press("escape")
            for key in ("f2", "f1", "ctrl+o", "ctrl+p"):
                await me.press(key)
                await me.until(lambda: me.app.screen is not me.chat or me.told)
                clean(me)
                if key == "ctrl+p":
                    await me.press(*"retry")
                    clean(me)
                while me.app.screen is not me.chat:
                    await me.press("escape")
        await me.press("ctrl+t")
        me.chat.thread_list.put_cursor_on("20261122T000001-00000001")
        await me.press("enter")
        await me.reads("[bold]x[/] [/] [@click=app.quit]q[/] ␛[31mred")
        await me.reads("ended this conversation", "⟨RLO⟩abc⟨LRI⟩")
        assert "[bold]x[/]" in me.rows[0]
        clean(me)


async def test_a_server_that_sends_it(home: Home) -> None:
    models = (*DEFAULT_MODELS, Model("m" + EVIL, "Model " + EVIL, EVIL, EVIL))
    script = [
        Reply([Thinking(EVIL, display="summarized"), Text(EVIL, chunk=3)], model=EVIL),
        HttpError(400, EVIL, EVIL),
        Refusal(EVIL, EVIL),
        Reply([Text(EVIL)], error_event_after=3, error_type=EVIL, error_message=EVIL),
        Reply([Text("x")], stop_reason=EVIL),
    ]
    with ThreadedReferee(script, models=models) as referee:
        home.connect(referee)
        async with home.app((SIZE[0], 50)) as me:
            for text in (EVIL, "second", "third", "fourth", "fifth"):
                await me.writes(text)
                clean(me)
                await me.press("enter")
                await me.until(lambda: not me.idle or referee.requests)
                await me.until(lambda: me.idle)
                clean(me)
                if me.chat.conversation.editing is not None:
                    await me.press("escape")
            await me.reads("stopped: [bold]x[/]")
            await me.goes_to("second")
            clean(me)
            await me.press("ctrl+o")
            await me.sees("Model [bold]x[/]")
            clean(me)
            await me.press(*"model", "enter")
            await me.until(lambda: me.app.screen is me.chat)
            clean(me)


async def test_the_config_and_what_is_pasted_and_attached(home: Home) -> None:
    home.configure(CONFIG.format(model="[/] m", url="http://127.0.0.1:9", retries=0) + '[keys]\n"[/] no" = "ctrl+g"\n')
    async with home.app() as me:
        await me.hears("[keys] in config.toml names no command: [/] no")
        clean(me)
        await me.pastes(EVIL)
        clean(me)
        assert me.typed == EVIL.replace("\r", "\n")
        bad = home.root / "[red]\u202efile[bold].txt"
        bad.write_text("hello")
        me.chat.composer.add_attachment(bad)
        await me.pilot.pause()
        clean(me)
        await me.sees("[red]⟨RLO⟩file[bold].txt")
        await me.press("f4", *"[/] no such file", "enter")
        await me.hears("[/] no such file is not a file that can be read")
        clean(me)
        await me.press("enter")
        await me.reads("No answer")
        await me.until(lambda: me.idle)
        clean(me)
