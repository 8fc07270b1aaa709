"""A replay as an asciicast: every line is read again, and what a player's terminal would show is looked at."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from convend_tui.exchange.asciicast import NARROWEST, THINKING, asciicast
from convend_tui.plain import visible
from convend_tui.replay import Replay
from convend_tui.thread import records as r
from tests.making import SETTINGS, Branch, at, call, header, result, text

HOSTILE = "\x1b[2J\x1b]0;evil\x07\x9b31m\r\b\x00 \u202eRTL\u2066 \ud83d half\x7f"


def cast_of(replay: Replay, **options: Any) -> tuple[dict[str, Any], list[tuple[float, str]]]:
    """The header and the outputs, each of their lines read on its own."""
    lines = list(asciicast(replay, **options))
    assert all(line.endswith("\n") and line.count("\n") == 1 and line.isascii() for line in lines)
    head, *events = map(json.loads, lines)
    assert all(kind == "o" and isinstance(data, str) for _, kind, data in events)
    moments = [moment for moment, _, _ in events]
    assert all(type(moment) is float and moment >= 0 for moment in moments)
    assert moments == sorted(moments)
    assert moments[-1] == head["duration"]
    return head, [(moment, data) for moment, _, data in events]


def screen(replay: Replay, width: int = 80, **options: Any) -> list[str]:
    """The rows that a terminal would show, if it never had to break a row itself."""
    _, events = cast_of(replay, width=width, **options)
    shown = "".join(data for _, data in events)
    assert not re.search(r"(?<!\r)\n|\r(?!\n)", shown)
    rows = shown.split("\r\n")
    assert all(row == visible(row) for row in rows), "nothing that a terminal would obey"
    assert all(cell_len(row) <= width for row in rows)
    return rows


def answered(*content: r.Block | str, **more: Any) -> Replay:
    return Replay(Branch().typed("Hello").reply(*content, **more).thread())


def test_the_header_says_what_a_player_needs() -> None:
    replay = answered("Hi", timing={"chunks": [[300, 2]], "total_ms": 500})
    head, _ = cast_of(replay, width=100, height=30, title="A \x1b[31mtitle\nof mine")
    assert head == {
        "version": 2,
        "width": 100,
        "height": 30,
        "timestamp": 1795305600,
        "duration": 0.5,
        "title": "A ␛[31mtitle of mine",
    }
    assert cast_of(replay)[0]["title"] == "Hello"


def test_every_piece_comes_at_its_time() -> None:
    replay = answered("Hello there.", timing={"chunks": [[300, 5], [400, 1], [2000, 6]], "total_ms": 2500})
    _, events = cast_of(replay)
    assert events == [
        (0.0, "Hello"),
        (0.0, "\r\n\r\n" + events[1][1].strip("\r\n") + "\r\n"),
        (0.0, "Hello"),
        (0.3, "\r\n\r\n" + events[3][1].strip("\r\n") + "\r\n"),
        (0.3, "Hello"),
        (0.4, " "),
        (2.0, "there."),
        (2.5, "\r\n"),
    ]
    assert "You" in events[1][1] and "Model" in events[3][1] and "2026-11-2" in events[1][1]


def test_words_are_wrapped_before_they_are_written() -> None:
    words = "one two three four five six seven eight nine ten"
    chunks = [[10 * n, 1] for n in range(len(words))]
    replay = answered(words, timing={"chunks": chunks, "total_ms": 1000})
    rows = screen(replay, width=20)
    assert rows[-4:] == ["one two three four", "five six seven eight", "nine ten", ""]
    _, events = cast_of(replay, width=20)
    assert {data for moment, data in events if data.startswith("\r\n") and 0 < moment < 0.5} == {"\r\n"}


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("x" * 45, ["x" * 20, "x" * 20, "xxxxx"]),
        ("日本語" * 5, ["日本語日本語日本語日", "本語日本語"]),
        ("a 日本語" * 4, ["a 日本語a 日本語a 日", "本語a 日本語"]),
        ("    indented\n\n\tcode  two", ["    indented", "", "    code  two"]),
        ("word " * 4 + "   " * 9 + "end", ["word word word word", "end"]),
        ("one\r\ntwo\n\n\n", ["one", "two"]),
    ],
)
def test_rows(words: str, rows: list[str]) -> None:
    assert screen(answered(words), width=20)[-len(rows) - 1 :] == [*rows, ""]


def test_thinking_is_told_from_the_answer() -> None:
    rows = screen(answered({"type": "thinking", "thinking": "Hm."}, "Yes.", "No."))
    assert rows[-7:] == [THINKING, "Hm.", "", "Yes.", "", "No.", ""]


def test_the_ending_is_framed() -> None:
    branch = Branch().typed("fool").reply(call("1")).guard(result("1")).reply("Bye.", call("2"))
    replay = Replay(
        branch.thread(
            SETTINGS,
            r.Verdict(at=at(50), message="m0002", outcome="confirm", reasons=["Call \x1b[1magain."]),
            r.Verdict(at=at(51), message=branch.last, outcome="ended"),
            r.Ended(at=at(51), message=branch.last, cause="persistent_abuse", explanation=f"It went on. {HOSTILE}" * 3),
        )
    )
    rows = screen(replay, width=100)
    assert "The model asked to end the conversation · it was asked to confirm: Call ␛[1magain." in rows
    top, bottom = (next(n for n, row in enumerate(rows) if row.startswith(corner)) for corner in "╭╰")
    assert rows[top - 2 : top] == ["Bye.", ""]
    frame = rows[top : bottom + 1]
    assert {cell_len(row) for row in frame} == {100}
    assert "The model ended this conversation" in frame[1] and "persistent abuse" in frame[1]
    assert "locked" in frame[-2]
    assert rows[bottom + 1 :] == [""]


def test_nothing_of_a_private_decline_is_in_it() -> None:
    branch = Branch().typed("Hello").reply("Well.", call(explanation="SECRET")).guard(result(words="SECRET"))
    branch.reply(call("2", explanation="SECRET")).guard(result("2")).reply("I am here.")
    private = [
        r.Verdict(at=at(90), message=i, outcome="declined", private=True, reasons=["SECRET"])
        for i in ("m0002", "m0004")
    ]
    shown = "".join(asciicast(Replay(branch.thread(SETTINGS, *private))))
    assert "Well." in shown and "I am " in shown
    assert not re.search(r"SECRET|end_conv|tool|asked|declined", shown)


def test_what_has_no_words_is_named_and_a_made_up_pace_too() -> None:
    branch = Branch().typed({"type": "image", "source": {}}).reply("Nice.", kind="partial", model="m\x1b[5m")
    rows = screen(Replay(branch.thread()))
    assert "(image)" in rows
    assert any(re.fullmatch(r"── m␛\[5m · .* · broken off · pace made up", row) for row in rows)
    timed = answered("Hi", timing={"chunks": [[1, 2]], "total_ms": 2})
    assert not any("made up" in row for row in screen(timed))


@pytest.mark.parametrize("when", ["", HOSTILE, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_times_that_cannot_be_told(when: str) -> None:
    message = r.Message(at=when, id="m", parent=None, role="user", content=[text("x")], kind="typed")
    thread = Branch().thread().with_records([message])
    thread.header = header(at=when)
    assert "x" in screen(Replay(thread))


def test_a_terminal_that_is_too_narrow_is_taken_for_a_wider_one() -> None:
    head, _ = cast_of(answered("Hi"), width=-3, height=0)
    assert (head["width"], head["height"]) == (NARROWEST, 1)


def test_an_empty_thread_is_a_cast_too() -> None:
    assert screen(Replay(Branch().thread())) == ["Untitled", ""]


@given(st.lists(st.text(st.characters(codec=None), max_size=60), max_size=3), st.integers(NARROWEST, 40))
def test_whatever_is_written_a_player_shows_it_and_obeys_nothing(texts: list[str], width: int) -> None:
    branch = Branch().typed(HOSTILE).reply({"type": "thinking", "thinking": HOSTILE}, *texts, model=HOSTILE)
    rows = screen(Replay(branch.thread()), width)

    def letters(of: str) -> str:
        return re.sub(r"\s", "", of)

    assert letters(visible("\n\n".join(texts))) in letters("".join(rows))
