"""The virtual list: what is rendered, where the reader stays, what is focused and what is copied."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convend_tui.tui.lines import VirtualLines
from convend_tui.tui.markdown import MarkdownBody
from convend_tui.tui.offsets import Heights
from tests.tui.noting import Note, Notes, notes, screen, shown
from tests.tui.waiting import until


async def test_only_items_near_the_screen_are_rendered() -> None:
    app = Notes(notes(10_000))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 9999 line 2")
        assert len(set(Note.rendered)) < 40
        assert app.list.following


async def test_an_empty_list_and_a_short_one() -> None:
    app = Notes([])
    async with app.run_test(size=(60, 10)) as pilot:
        await until(pilot, lambda: screen(app) == [""] * 10)
        app.list.append_item(Note("only", "one line"))
        await shown(pilot, app, "one line")
        assert screen(app)[0] == "one line"
        assert app.list.following


@pytest.mark.parametrize("guess", [1, 3, 40])
async def test_wrong_guesses_do_not_move_what_is_read(guess: int) -> None:
    app = Notes(notes(300, guess=guess))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 299 line 2")
        for _ in range(60):
            before = screen(app)
            app.list.scroll_up()
            assert screen(app)[1:] == before[:-1]
        await pilot.press("up", "down")
        await pilot.press("pageup")
        await pilot.press("pagedown")
        assert screen(app)[1:] == before[:-1]
        assert not app.list.following


async def test_jumping_to_the_middle_and_to_both_ends() -> None:
    app = Notes(notes(1000, guess=9))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 999 line 2")
        await pilot.press("home")
        assert screen(app)[0] == "note 0 line 0"
        app.list.scroll_to(y=app.list.virtual_size.height // 2)
        await until(pilot, lambda: "note 5" in " ".join(screen(app))[:60] or "note 4" in " ".join(screen(app))[:60])
        assert not app.list.following
        await pilot.press("end")
        await shown(pilot, app, "note 999 line 2")
        assert app.list.following
        app.list.append_item(Note("new", "the newest"))
        await shown(pilot, app, "the newest")


async def test_the_wheel_scrolls_up_to_release_and_down_to_resume() -> None:
    app = Notes(notes(50))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 49 line 2")
        app.list._on_mouse_scroll_up(wheel(app))
        assert not app.list.following
        before = screen(app)
        app.list.append_item(Note("new", "more\n" * 30))
        await pilot.pause()
        assert screen(app) == before
        for _ in range(60):
            app.list._on_mouse_scroll_down(wheel(app))
        assert app.list.following


def wheel(app: Notes) -> Any:
    from textual.events import MouseScrollDown

    return MouseScrollDown(app.list, 5, 5, 0, 1, 0, False, False, False, 5, 5)


async def test_a_growing_item_is_followed_and_redraws_are_few() -> None:
    app = Notes(notes(30))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 29 line 2")
        reply = Note("reply", "")
        reply.body = MarkdownBody()
        app.list.append_item(reply)
        await pilot.pause()
        Note.rendered.clear()
        for n in range(500):
            reply.body.append(f"paragraph {n}\n\n")
            app.list.item_changed("reply")
        await shown(pilot, app, "paragraph 499")
        assert Note.rendered.count("reply") < 10
        assert app.list.following


async def test_growth_does_not_move_a_reader_above_or_inside_it() -> None:
    items = notes(40)
    app = Notes(items)
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 39 line 2")
        app.list.scroll_to_item("n20", "top")
        before = screen(app)
        assert before[0] == "note 20 line 0"
        height = app.list.virtual_size.height
        for key in (3, 39):
            items[key].body.append("\nand\nmore\nlines")
            app.list.item_changed(f"n{key}")
        await until(pilot, lambda: app.list.virtual_size.height != height)
        assert screen(app) == before
        app.list.scroll_to(y=app.list.scroll_offset.y + 1)
        items[20].body.append("\nlast line")
        app.list.item_changed("n20")
        await shown(pilot, app, "last line")
        assert screen(app)[0] == "note 20 line 1"


async def test_resizing_keeps_the_first_item_and_renders_little() -> None:
    app = Notes(Note(f"n{n}", f"note {n} " + "word " * 40) for n in range(2000))
    async with app.run_test(size=(100, 20)) as pilot:
        await until(pilot, lambda: app.list.following and Note.rendered)
        app.list.scroll_to_item("n1000", "top")
        assert screen(app)[0].startswith("note 1000 ")
        Note.rendered.clear()
        await pilot.resize_terminal(40, 20)
        await until(pilot, lambda: app.list.size.width < 60)
        await until(pilot, lambda: screen(app)[0].startswith("note 1000 "))
        assert 0 < len(set(Note.rendered)) < 40


async def test_resizing_at_the_end_stays_at_the_end() -> None:
    app = Notes(Note(f"n{n}", f"note {n} " + "word " * 40 + f"end{n}") for n in range(200))
    async with app.run_test(size=(100, 20)) as pilot:
        await until(pilot, lambda: "end199" in " ".join(screen(app)))
        await pilot.resize_terminal(37, 11)
        await until(pilot, lambda: app.list.size.width < 60 and "end199" in " ".join(screen(app)))


@pytest.mark.parametrize("where", ["top", "visible", "end"])
async def test_scrolling_to_an_item(where: Any) -> None:
    app = Notes(notes(500, guess=11))
    async with app.run_test(size=(60, 20)) as pilot:
        app.list.scroll_to_item("n100", where)  # before or after the first layout
        await shown(pilot, app, "note 100 line 0")
        rows = screen(app)
        assert "note 100 line 2" in rows
        assert rows.index("note 100 line 0") == {"top": 0, "visible": 0, "end": 17}[where]
        app.list.scroll_to_item("n101", "visible")
        assert "note 101 line 2" in screen(app)
        app.list.scroll_to_item("no such key")


async def test_a_click_focuses_and_the_mark_is_another_glyph() -> None:
    app = Notes(notes(4))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 3 line 2")
        await pilot.click(VirtualLines, offset=(5, 5))
        await until(pilot, lambda: app.clicked == ["n1"])
        assert app.list.focused_key == "n1"
        bars = [app.list.render_line(y).text[:1] for y in range(8)]
        assert bars == ["▎", "▎", "▎", " ", "▌", "▌", "▌", " "]
        app.list.focus_item("n3")
        assert app.list.render_line(4).text[0] == "▎"
        assert app.list.render_line(12).text[0] == "▌"


async def test_selecting_with_the_mouse_copies_text_without_bars() -> None:
    long = Note("long", "a sentence that is long enough to be wrapped twice at this width, I should think")
    app = Notes([Note("n0", "first\nsecond"), long, Note("n2", "third")])
    async with app.run_test(size=(40, 20)) as pilot:
        await shown(pilot, app, "third")
        await pilot.mouse_down(VirtualLines, offset=(2, 1))
        await pilot.hover(VirtualLines, offset=(6, 7))
        await pilot.mouse_up(VirtualLines, offset=(6, 7))
        await until(pilot, lambda: app.screen.get_selected_text())
        expected = "second\n\na sentence that is long enough to be wrapped twice at this width, I should think\n\nthird"
        assert app.screen.get_selected_text() == expected
        assert app.clicked == []
        selected = [segment for segment in app.list.render_line(1) if segment.text.strip() == "second"]
        plain = [segment for segment in app.list.render_line(0) if segment.text.strip() == "first"]
        assert selected[0].style != plain[0].style
        app.list.append_item(Note("n3", "fourth"))
        assert app.screen.get_selected_text() == expected


async def test_replacing_and_removing_items() -> None:
    app = Notes(notes(20))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 19 line 2")
        app.list.focus_item("n19")
        app.list.replace_item("n19", Note("final", "the final text"))
        await shown(pilot, app, "the final text")
        assert app.list.focused_key == "final"
        app.list.remove_items_from(18)
        await shown(pilot, app, "note 17 line 2")
        assert "the final text" not in screen(app)
        assert app.list.focused_key is None
        assert len(app.list.items) == 18


async def test_other_items_can_keep_the_place() -> None:
    app = Notes(notes(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 99 line 2")
        app.list.scroll_to_item("n50", "top")
        before = screen(app)
        app.list.set_items([Note("earlier", "x\n" * 50), *notes(100)], keep_position=True)
        assert screen(app) == before
        app.list.set_items(notes(30), at_end=False)
        assert screen(app)[0] == "note 0 line 0"
        assert not app.list.following


async def test_a_new_theme_draws_in_its_colours() -> None:
    app = Notes(notes(5))
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 4 line 2")
        before, palette = app.list.render_line(0), app.list.palette
        app.theme = "textual-light"
        await until(pilot, lambda: app.list.palette != palette)
        await until(pilot, lambda: app.list.render_line(0) != before)
        assert app.list.render_line(0).text == before.text


async def test_items_long_out_of_view_are_forgotten() -> None:
    items = notes(600)
    app = Notes(items)
    async with app.run_test(size=(60, 20)) as pilot:
        await shown(pilot, app, "note 599 line 2")
        for n in range(599, 0, -4):
            app.list.scroll_to_item(f"n{n}", "top")
        await pilot.pause()
        assert items[599].forgotten == 1
        assert items[2].forgotten == 0
        await pilot.press("end")
        await shown(pilot, app, "note 599 line 2")


@given(st.lists(st.integers(1, 9), max_size=40), st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9))))
def test_heights_are_prefix_sums(start: list[int], changes: list[tuple[int, int]]) -> None:
    plain = list(start)
    tree = Heights(start)
    for place, height in changes:
        if place < len(plain):
            plain[place] = tree[place] = height
        elif place % 3:
            plain.append(height)
            tree.append(height)
        else:
            del plain[place // 2 :]
            tree.truncate(min(len(tree), place // 2))
    assert tree.total == sum(plain)
    assert [tree.offset(n) for n in range(len(plain) + 1)] == [sum(plain[:n]) for n in range(len(plain) + 1)]
    for line in range(sum(plain) + 2):
        place, within = tree.find(line)
        if line < sum(plain):
            assert sum(plain[:place]) + within == line and within < plain[place]
        else:
            assert (place, within) == (len(plain), 0)
