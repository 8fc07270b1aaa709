"""The virtual list with items so long that they come in pieces: only those near the screen cost anything."""

from __future__ import annotations

from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.pieces import LONG
from tests.tui.noting import Note, Notes, notes, screen, shown
from tests.tui.waiting import until


def long_note(key: str = "long", lines: int = 6_000) -> Note:
    """A note in many pieces, whose heights are guessed wrong: its lines are of all lengths."""
    return Note(key, "\n".join(f"line {n} " + "word " * (n % 40) for n in range(lines)))


async def test_only_the_pieces_of_a_long_item_near_the_screen_are_rendered() -> None:
    items = [*notes(3), long_note(), *(Note(f"m{n}", "after it") for n in range(3))]
    app = Notes(items)
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "after it")
        await pilot.press("home", "end", "pageup")
        app.list.scroll_to(y=app.list.virtual_size.height // 2)
        await pilot.resize_terminal(40, 20)
        await until(pilot, lambda: app.list.size.width < 60)
        sheet = app.list._view.sheet(3)
        rendered = [piece for piece in sheet._pieces if piece.rendered is not None]
        assert sheet.count > 100 and len(rendered) < 10


async def test_wrong_guesses_inside_a_long_item_do_not_move_what_is_read() -> None:
    app = Notes([*notes(3), long_note(), *(Note(f"m{n}", "after it") for n in range(3))])
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "after it")
        for _ in range(150):
            before = screen(app)
            app.list.scroll_up()
            assert screen(app)[1:] == before[:-1]
        app.list.scroll_to(y=app.list.virtual_size.height // 2)
        assert screen(app)[1].strip()
        for _ in range(150):
            before = screen(app)
            app.list.scroll_down()
            assert screen(app)[:-1] == before[1:]
        app.list.scroll_to_item("long", "top")
        assert screen(app)[0] == "line 0"
        app.list.scroll_to_item("long", "end")
        assert screen(app)[-1].endswith("word") and not app.list.following
        app.list.scroll_down()
        app.list.scroll_down()
        assert screen(app)[-1] == "after it"


async def test_a_reply_that_becomes_long_does_not_move_who_reads_it() -> None:
    reply = Note("reply", "")
    reply.body = MarkdownBody()
    app = Notes([*notes(2), reply])
    async with app.run_test(size=(60, 20)) as pilot:
        count = 0

        async def grows(paragraphs: int) -> None:
            nonlocal count
            for _ in range(paragraphs):
                reply.body.append(f"paragraph {count} " + "word " * (count % 30) + "\n\n")
                count += 1
            app.list.item_changed("reply")
            await until(pilot, lambda: not app.list._dirty and not app.list._redraw_waits)

        await grows(60)
        assert isinstance(reply.body, MarkdownBody)
        app.list.scroll_to(y=40)
        before = screen(app)
        assert before[1].strip() and not app.list.following
        await grows(300)
        assert len(reply.body.source) > 2 * LONG and screen(app) == before
        await grows(50)
        reply.body.finish()
        app.list.item_changed("reply")
        await until(pilot, lambda: not app.list._dirty and not app.list._redraw_waits)
        assert screen(app) == before
        app.list.follow()
        await until(pilot, lambda: f"paragraph {count - 1} word" in " ".join(screen(app)))


async def test_what_is_selected_across_pieces_is_copied() -> None:
    app = Notes([long_note(lines=3_000), *notes(1)])
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 0 line 2")
        app.list.text_select_all()
        selected = app.screen.get_selected_text()
        assert selected is not None
        text = app.start[0].body.source + "\n\n" + app.start[1].body.source
        assert [line.rstrip() for line in selected.splitlines()] == [line.rstrip() for line in text.splitlines()]
