"""The replay: a branch played as it came, on a screen of its own. Nothing is sent, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from convend_tui.plain import one_line
from convend_tui.replay import LONGEST_PAUSE_MS, Replay
from convend_tui.thread import lock
from convend_tui.thread.tree import Thread
from convend_tui.tui.commands import commands_in, key_name
from convend_tui.tui.lines import VirtualLines
from convend_tui.tui.notices import WelcomeItem
from convend_tui.tui.replay_bar import ENDING, FORKS, ReplayBar, clock_of
from convend_tui.tui.replay_player import INSTANT, Player
from convend_tui.tui.replay_stage import Stage
from convend_tui.tui.status import KeyHints, StatusLine, StatusPart
from convend_tui.tui.status_words import ENDED

if TYPE_CHECKING:
    from convend_tui.tui.app import ConvendApp

TICK_S = 0.05
"""Seconds between two looks at the clock; a recorded chunk is at least as long."""
NO_LOCK = "A replay: nothing can be written here."
EMPTY = "Nothing on this branch can be shown. Esc goes back."
_MARKS = (
    (FORKS[True], "Fork", "On the bar: here the path has other branches; [ and ] go to them.", None),
    (ENDING, "Ending", "On the bar: here the model ended the conversation.", None),
    ("timing made up", "Timing", "The file does not say when the pieces of this message came.", None),
)


class ReplayScreen(ModalScreen[None]):
    """Shows what a player says, and hands it the keys."""

    LEAVE_FIRST = "Leave the replay first (Esc)."
    """Why the palette's commands, which are for the conversation below, cannot be done here."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Play or pause", show=False, priority=True),
        Binding("right", "move(1)", "Next message", show=False, priority=True),
        Binding("left", "move(-1)", "Previous message", show=False, priority=True),
        Binding("up", "speed(1)", "Faster", show=False, priority=True),
        Binding("down", "speed(-1)", "Slower", show=False, priority=True),
        Binding("full_stop", "step", "Next piece", show=False, priority=True),
        Binding("left_square_bracket", "branch(-1)", "Branch before", show=False, priority=True),
        Binding("right_square_bracket", "branch(1)", "Branch after", show=False, priority=True),
        Binding("home", "start", "Beginning", show=False, priority=True),
        Binding("end", "end", "End", show=False, priority=True),
        Binding("pageup,ctrl+u", "page(-1)", "Scroll up", show=False, priority=True),
        Binding("pagedown,ctrl+d", "page(1)", "Scroll down", show=False, priority=True),
        Binding("p", "pauses", "Pauses", show=False, priority=True),
        Binding("o", "unfold", "Thinking", show=False, priority=True),
        Binding("question_mark,f1", "keys", "Keys", show=False, priority=True),
        Binding("escape,q,R", "leave", "Back", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ReplayScreen { background: $background; }
    ReplayScreen #replay-title { height: 1; width: 1fr; padding: 0 2; color: $text-muted; text-style: bold; }
    ReplayScreen VirtualLines { height: 1fr; padding: 0 1; }
    ReplayScreen #replay-input {
        height: auto;
        max-height: 3;
        width: 1fr;
        margin: 0 1;
        padding: 0 1;
        background: $surface;
        border-left: outer $primary;
        &.-locked { border-left: outer $panel; color: $text-muted; }
    }
    ReplayScreen:ansi #replay-title { color: ansi_default; }
    ReplayScreen:ansi #replay-input { border-left: outer ansi_default; }
    ReplayScreen:ansi #replay-input.-locked { color: ansi_default; text-style: dim; }
    """

    def __init__(
        self,
        thread: Thread,
        leaf: str | None = None,
        start: str | None = None,
        *,
        thinking: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Args: leaf: the end of the path. start: the message to begin at; None: the first. thinking: unfolded.
        clock: seconds, never going back."""
        super().__init__()
        self._longest_pause: int | None = LONGEST_PAUSE_MS
        self._player = Player(
            lambda end: Replay(thread, end, longest_pause_ms=self._longest_pause), leaf, clock=clock or monotonic
        )
        if start is not None:
            self._player.to_message(start)
        self._player.play()
        self._stage = Stage(show_thinking=thinking)
        self._lines = VirtualLines()
        self._title = Static(id="replay-title", markup=False)
        self._input = Static(Content(NO_LOCK), id="replay-input", markup=False)
        self._bar = ReplayBar()
        self._status, self._hints = StatusLine(), KeyHints()
        self._said: tuple[object, ...] = ()

    @property
    def player(self) -> Player:
        """Where the replay is."""
        return self._player

    def compose(self) -> ComposeResult:
        """As in the conversation: title, messages, input; below them the bar, the state and the keys."""
        with Vertical():
            yield self._title
            yield self._lines
            yield self._input
            yield self._bar
            yield self._status
            yield self._hints

    def on_mount(self) -> None:
        """Begin to play."""
        self._lines.focus()
        self._timer = self.set_interval(TICK_S, self._tick, pause=not self._player.playing)
        self._player.tick()
        self._show()

    # -- what is shown ------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._player.tick():
            self._show()

    def _moved(self) -> None:
        """The person went elsewhere, or wants something else: the end of what there is comes into view."""
        self._lines.follow()
        self._show()

    def _show(self) -> None:
        player, stage = self._player, self._stage
        change = stage.show(player)
        if change == "other":
            self._lines.set_items(stage.items or [self._nothing_yet()], keep_position=True)
        elif change == "grown" and stage.growing is not None:
            self._lines.item_changed(stage.growing.key)
        self._bar.show(player.moment, player.replay.duration, player.replay.marks)
        self._say()
        if player.playing:
            self._timer.resume()
        else:
            self._timer.pause()

    def _nothing_yet(self) -> WelcomeItem:
        count = self._player.count
        if not count:
            return WelcomeItem("Replay", EMPTY)
        messages = f"{count:,} message{'s' if count != 1 else ''}"
        return WelcomeItem("Replay", f"{messages}, {clock_of(self._player.replay.duration)}. Space plays and pauses.")

    def _say(self) -> None:
        """Everything in words: the title, the input, the state, the keys."""
        left, right = self._state()
        ended = self._stage.ended is not None
        said = (left, right, ended, self._player.playing, self.size.width)
        if said == self._said:
            return
        self._said = said
        mark = f"  {ENDED}" if ended else ""
        room = max(0, self.size.width - 4 - cell_len(mark))
        self._title.update(Content(one_line(f"Replay · {self._player.thread.title}", room) + mark))
        self._input.update(Content(f"⊘ {lock.LOCKED}" if ended else NO_LOCK))
        self._input.set_class(ended, "-locked")
        self._status.show(left, right)
        self._hints.show(self._keys_now())

    def _state(self) -> tuple[list[StatusPart], list[StatusPart]]:
        player = self._player
        state = "playing" if player.playing else "at the end" if player.at_end else "paused"
        speed = "instant" if player.speed == INSTANT else f"{player.speed:g}×"
        here = min(player.count, player.scene + bool(player.shown))
        left = [
            StatusPart(state, 6, strong=True),
            StatusPart(speed, 5),
            StatusPart(f"message {here:,} of {player.count:,}", 1),
            StatusPart("timing made up" if player.made_up else "", 4),
            StatusPart("" if self._longest_pause else "long pauses", 2),
        ]
        fork = player.fork
        if fork is None:
            return left, []
        which = f"{'next: ' if fork.coming else ''}branch {fork.place + 1} of {len(fork.branches)}"
        return left, [StatusPart(which, 3)]

    def _keys_now(self) -> list[tuple[str, str, bool]]:
        playing, fork = self._player.playing, self._player.fork
        return [
            ("Space", "Pause" if playing else "Play", False),
            ("←→", "Message", False),
            ("Esc", "Back", False),
            ("↑↓", "Speed", False),
            (".", "Piece", False),
            *([("[ ]", "Branch", False)] if fork is not None else []),
            ("?", "Keys", False),
            ("Home End", "First, last", False),
        ]

    @on(events.Resize)
    def fit(self) -> None:
        """What is said is cut to the width."""
        self._say()

    @on(events.ScreenSuspend)
    def wait(self) -> None:
        """Below a dialog nothing plays on unseen."""
        self._player.pause()

    # -- keys -----------------------------------------------------------------------------------------------

    def action_play(self) -> None:
        """Play or pause; at the end: from the beginning."""
        if self._player.playing:
            self._player.pause()
        else:
            self._player.play()
        self._moved()

    def action_move(self, messages: int) -> None:
        """A message on or back."""
        self._player.move(messages)
        self._moved()

    def action_speed(self, step: int) -> None:
        """Faster or slower."""
        self._player.faster(step)
        self._show()

    def action_step(self) -> None:
        """The next piece."""
        self._player.step()
        self._moved()

    def action_branch(self, step: int) -> None:
        """Another branch, or why there is none."""
        fork = self._player.fork
        if self._player.choose(step):
            self._moved()
        elif fork is None:
            self._tell("There is no fork on this branch up to here.")
        else:
            self._tell("This is the first branch here." if step < 0 else "This is the last branch here.")

    def action_start(self) -> None:
        """Before the first message."""
        self._player.to_start()
        self._moved()

    def action_end(self) -> None:
        """After the last one."""
        self._player.to_end()
        self._moved()

    @on(ReplayBar.Clicked)
    def go_to_moment(self, event: ReplayBar.Clicked) -> None:
        """A click on the bar."""
        event.stop()
        self._player.to_moment(event.moment)
        self._moved()

    def action_page(self, pages: int) -> None:
        """Scroll by a screen. Any step goes back to the end of what there is."""
        if pages < 0:
            self._lines.scroll_page_up()
        else:
            self._lines.scroll_page_down()

    def action_unfold(self) -> None:
        """Unfold or fold the model's thinking."""
        self._stage.unfold()
        self._lines.set_items(self._stage.items or [self._nothing_yet()], keep_position=True)

    def action_pauses(self) -> None:
        """Long pauses as long as they were, or cut short again."""
        self._longest_pause = LONGEST_PAUSE_MS if self._longest_pause is None else None
        self._player.again()
        self._moved()

    def action_keys(self) -> None:
        """List the keys."""
        from convend_tui.tui.help import HelpScreen

        keys = [(" ".join(map(key_name, c.keys)), c.label, c.help, None) for c in commands_in("replay")]
        self.app.push_screen(HelpScreen([("Replay", keys), ("Marks", _MARKS)], "Keys of the replay"))

    def action_leave(self) -> None:
        """Back to where one was."""
        self.dismiss(None)

    def _tell(self, sentence: str) -> None:
        app: ConvendApp = self.app  # type: ignore[assignment]
        app.tell(sentence, severity="warning")
