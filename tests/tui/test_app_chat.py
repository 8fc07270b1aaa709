"""A chat: send, read, stop, copy, rename, switch, choose a model, find a key."""

from __future__ import annotations

import threading

from textual.command import CommandPalette
from textual.widgets import Input

from convend_tui.thread import records as r
from convend_tui.tui.commands import COMMANDS, SECTIONS
from convend_tui.tui.help import HelpScreen
from convend_tui.tui.palette_provider import TableCommands
from convend_tui.tui.pick import Pick
from tests.making import Branch
from tests.referee import Reply, Text, Thinking, ThreadedReferee
from tests.tui.conftest import SIZE, Home

SOURCE = "# A heading\n\nSome **bold** words, and `code`.\n\n```python\nprint('hi')\n```"


async def test_a_message_is_on_the_disk_before_its_answer_streams_in(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Text(SOURCE, chunk=8)], stall_after_events=5, stall_seconds=0.3))
    async with online.app() as me:
        await me.reads("A new chat", "claude-sonnet-5-5 will answer")
        await me.writes("First line")
        await me.press("ctrl+j", *"next", "enter")
        await me.sees("a reply is coming in")
        assert me.typed == ""
        assert me.texts() == ["First line\nnext"]
        assert not [m for m in me.records("message") if m["kind"] == "reply"]
        await me.until(lambda: me.idle)
        await me.reads("A heading", "Some bold words", "print('hi')")
        await me.until(lambda: "out" in me.screen)
        usage = me.records("message")[-1]["usage"]
        assert f"{usage['output_tokens']:,} out" in me.screen
        referee.enqueue("Again.")
        await me.says("Go on")
        await me.sees("% cached")
        await me.goes_to("# A heading")
        await me.press("y")
        await me.hears(f"Copied, {len(SOURCE)} characters.")
        assert me.app.clipboard == SOURCE
    referee.assert_clean()


async def test_thinking_is_folded_and_o_unfolds_it(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply([Thinking("What may they want to know?", display="summarized"), Text("Forty-two.")]))
    async with online.app() as me:
        await me.says("What is the answer?")
        await me.reads("Thinking · 6 words (o unfolds)", "Forty-two.")
        assert "What may they want" not in me.words
        await me.goes_to("Forty-two.")
        await me.press("o")
        await me.reads("Thinking (o folds)", "What may they want to know?")
        await me.press("o")
        await me.until(lambda: "What may they want" not in me.words)
        await me.goes_to("What is the answer?")
        await me.press("o")
        await me.hears("Thinking: This message shows no thinking.")


async def test_escape_stops_and_keeps_what_arrived(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply("Once upon a time. " * 50, stall_after_events=10))
    async with online.app() as me:
        await me.writes("A story, please")
        await me.press("enter")
        await me.reads("Once upon a time.")
        await me.writes("typed meanwhile")
        await me.press("enter")
        await me.sees("Not sent: a reply is still coming in.")
        assert len(referee.requests) == 1
        await me.press("escape")
        await me.until(lambda: me.idle)
        await me.reads("Once upon a time.", "Stopped or broken off here")
        assert me.typed == "typed meanwhile"
        partial = me.records("message")[-1]
        assert partial["kind"] == "partial"
        assert partial["content"][0]["text"].startswith("Once upon a time.")
        referee.enqueue("Then they slept.")
        await me.press("enter")
        await me.reads("typed meanwhile", "Then they slept.")
        await me.until(lambda: me.idle)
    referee.assert_clean()


async def test_escape_before_anything_arrived_gives_the_text_back(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue(Reply("late", delay=30), "In time.")
    async with online.app() as me:
        await me.writes("Hello?")
        await me.press("enter")
        await me.until(lambda: referee.requests)
        await me.press("escape")
        await me.until(lambda: me.idle)
        assert me.typed == "Hello?"
        await me.sees("Not answered yet", "Enter asks again")
        await me.press("enter")
        await me.reads("In time.")
        await me.until(lambda: me.idle)
        assert me.texts() == ["Hello?"]
        assert me.typed == ""


async def test_a_reply_that_was_coming_in_when_one_left_is_there_afterwards(
    online: Home, referee: ThreadedReferee
) -> None:
    referee.enqueue(Reply("Once upon a time. " * 50, stall_after_events=10))
    async with online.app() as me:
        await me.writes("A story, please")
        await me.press("enter")
        await me.reads("Once upon a time.")
    async with online.app() as me:
        await me.reads("A story, please", "Once upon a time.", "Stopped or broken off here")


async def test_new_chat_switch_and_drafts_of_each(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two.")
    async with online.app() as me:
        await me.says("First chat")
        await me.writes("draft of the first")
        await me.press("ctrl+n")
        await me.reads("A new chat")
        assert me.typed == ""
        await me.says("Second chat")
        await me.writes("draft of the second")
        await me.until(lambda: len(me.chat.thread_list._rows) == 2)
        await me.press("ctrl+n")
        await me.writes("draft of nothing yet")
        await me.press("ctrl+t", "end", "enter")
        await me.reads("First chat", "One.")
        assert me.typed == "draft of the first"
        await me.press("ctrl+t", "home", "enter")
        await me.reads("Second chat", "Two.")
        assert me.typed == "draft of the second"
    async with online.app() as me:
        await me.reads("Second chat", "Two.")
        assert me.typed == "draft of the second"
        await me.press("ctrl+n")
        assert me.typed == "draft of nothing yet"
    referee.assert_clean()


async def test_another_chat_can_be_read_while_a_reply_comes_in(online: Home, referee: ThreadedReferee) -> None:
    rest = threading.Event()
    referee.enqueue(Reply("Slowly. " * 20, stall_after_events=6, stall_until=rest))
    online.save(Branch().typed("Old chat").reply("Old answer."))
    async with online.app() as me:
        await me.writes("New chat")
        await me.press("enter")
        await me.reads("Slowly.")
        running = me.chat.conversation
        await me.press("ctrl+t", "end", "enter")
        await me.reads("Old chat", "Old answer.")
        assert running.turn is not None
        rest.set()
        await me.until(lambda: running.turn is None)
        assert "Slowly" not in me.words
        await me.press("ctrl+t", "home", "enter")
        await me.reads("New chat", "Slowly. Slowly.")
    referee.assert_clean()


async def test_f2_renames(online: Home) -> None:
    thread_id = online.save(Branch().typed("Hello").reply("Hi."))
    async with online.app() as me:
        await me.press("ctrl+t", "enter")
        await me.press("f2")
        await me.sees("Rename this chat")
        await me.press(*"Mine", "enter")
        await me.until(lambda: online.library.open(thread_id).thread.title == "Mine")
        await me.until(lambda: me.screen.count("Mine") == 2)
        await me.press("f2", "x", "escape")
        await me.until(lambda: me.app.screen is me.chat)
        assert online.library.open(thread_id).thread.title == "Mine"


async def test_models_come_from_the_servers_own_list(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("One.", "Two.")
    async with online.app() as me:
        await me.says("Hello")
        await me.press("ctrl+o")
        await me.sees("Choose a model", "Claude Opus 5.5", "Claude Sonnet 5.5", "How to connect a model")
        assert isinstance(me.app.screen, Pick)
        assert "● Claude Sonnet 5.5" in me.screen
        await me.press(*"opus 5.5", "enter")
        await me.sees("claude-opus-5-5")
        await me.says("Who are you now?")
        assert [request["model"] for request in referee.requests] == ["claude-sonnet-5-5", "claude-opus-5-5"]
        assert me.records("settings")[-1]["model"] == "claude-opus-5-5"
        await me.press("ctrl+n")
        await me.reads("claude-opus-5-5 will answer")
    async with online.app() as me:
        await me.press("ctrl+n")
        await me.reads("claude-opus-5-5 will answer")
    referee.assert_clean()


async def test_a_server_without_a_list_says_why(online: Home) -> None:
    online.key("wrong")
    async with online.app() as me:
        await me.press("ctrl+o")
        await me.sees("not now: The server referee did not accept the key", "How to connect a model")
        await me.press("enter")
        await me.sees("Choose a model", "Not now: The server referee did not accept the key (401).")
        await me.press("down", "enter")
        await me.sees("How to connect a model", "ANTHROPIC_BASE_URL")
        await me.press("escape")
        assert me.app.screen is me.chat


async def test_help_lists_every_key_of_the_table(online: Home) -> None:
    async with online.app((170, 140)) as me:
        await me.press("f1")
        assert isinstance(me.app.screen, HelpScreen)
        await me.sees(*SECTIONS.values())
        for command in COMMANDS:
            assert f"{me.chat.keys.shown(command)}" in me.screen
            await me.sees(command.label)
        await me.sees("not now:")
        await me.press("escape")
        await me.until(lambda: me.app.screen is me.chat)
        await me.press("escape", "question_mark")
        assert isinstance(me.app.screen, HelpScreen)


async def test_the_palette_has_every_command_and_says_why_one_is_not_possible(home: Home) -> None:
    async with home.app() as me:
        provider = TableCommands(me.chat)
        found = {hit.text: hit.help async for hit in provider.discover()}  # type: ignore[union-attr]
        # All but what a widget does itself; of two ways to the same, one.
        wanted = {c.label: c for c in reversed(COMMANDS) if c.bound}
        assert found.keys() >= wanted.keys()
        for label, command in wanted.items():
            why = me.chat.refusal(command.id)
            assert found[label].replace("\\[", "[") == (f"Not now: {why}" if why else command.help)
        assert found["Rename"] == "Not now: This chat is empty. Write something first."
        await me.press("ctrl+p")
        assert isinstance(me.app.screen, CommandPalette)
        await me.press(*"rename")
        await me.sees("Rename", "Not now: This chat is empty.")
        await me.press("enter")
        await me.hears("Rename: This chat is empty.")


async def test_a_theme_is_chosen_from_the_palette_and_kept(online: Home) -> None:
    async with online.app() as me:
        await me.press("ctrl+p", *"theme")
        await me.sees("Choose the colours.")
        await me.press("enter")
        await me.until(lambda: isinstance(me.app.screen, CommandPalette) and not me.app.screen.query_one(Input).value)
        await me.press(*"textual-light")
        await me.sees("textual-light")
        await me.press("enter")
        await me.until(lambda: me.app.theme == "textual-light")
    async with online.app() as me:
        assert me.app.theme == "textual-light"


async def test_the_first_and_the_last_message_are_one_key_away(home: Home) -> None:
    branch = Branch()
    for number in range(300):
        branch.typed(f"question {number}").reply(f"answer {number}")
    home.save(branch, r.Title(at="2026-11-22T10:00:00.000Z", title="Long"))
    async with home.app(SIZE) as me:
        await me.press("ctrl+t", "enter")
        await me.reads("answer 299")
        await me.reading()
        await me.press("home")
        await me.reads("question 0", "answer 0")
        await me.press("down", "down")
        item = me.chat.transcript.focused_item
        assert item is not None and item.key == branch.path[2].id
        await me.press("G")
        await me.reads("answer 299")
