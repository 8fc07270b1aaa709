"""The app: what lives as long as the program does. The screen is in screen.py."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import command
from textual.app import App, InvalidThemeError
from textual.command import Provider
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.worker import WorkerFailed

from convend_tui import config, logfile, paths, plain
from convend_tui.errors import StoreError
from convend_tui.model.connect import Models
from convend_tui.store import behind
from convend_tui.store.library import Library
from convend_tui.tui.commands import Keys
from convend_tui.tui.pasting import take_pastes_whole
from convend_tui.tui.screen import ChatScreen

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.driver import Driver

DEFAULT_THEME = "textual-dark"
TYPED_S = 1.0
"""Seconds for which leaving waits, at most, for keys that were typed before."""
FINISHING_S = 1.0
"""Seconds after which the end of the program says why it takes long."""
FINISHING = "convend is finishing what it has begun. A slow disk or a busy machine takes a while."
SAME_S = 5.0
"""Seconds in which a notice is not repeated."""


def _table_commands() -> type[Provider]:
    """The palette's commands, imported when it opens first."""
    from convend_tui.tui.palette_provider import TableCommands

    return TableCommands


class ConvendApp(App[None]):
    """Holds the settings, the library and the models, and shows the one screen."""

    CSS_PATH = "app.tcss"
    TITLE = "convend"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {_table_commands}

    def __init__(self, where: paths.Paths, settings: config.Config) -> None:
        super().__init__()
        self.paths = where
        self.config = settings
        self.choices = config.load_choices(where)
        self.library = Library(where)
        self.models = Models(settings, where)
        self.keys = Keys(settings.keys)
        self._no_colors = NoColor(), Monochrome()
        self._are_kept = True
        """The choices are on the disk."""
        self._told: dict[str, float] = {}
        self._merged: set[str] = set()
        self._behind = behind.Behind(lambda error: self.soon(lambda: self.tell(str(error), severity="warning")))
        self.finishing = Timer(FINISHING_S, lambda: os.write(2, f"{FINISHING}\n".encode()))
        """Begins when the terminal has been given back, and is ended with the program."""
        self.finishing.daemon = True

    def get_driver_class(self) -> type[Driver]:
        """What draws, and reads the keys."""
        chosen = super().get_driver_class()
        if sys.platform == "win32" or chosen.__name__ != "LinuxDriver":
            return chosen
        from convend_tui.tui.terminal import Terminal

        return Terminal

    def get_default_screen(self) -> Screen[None]:
        """The only screen there is; dialogs come over it."""
        return ChatScreen(self.keys)

    def on_mount(self) -> None:
        """What takes long follows after the first paint."""
        self.theme_from_choices()
        if keymap := self.keys.keymap:
            self.set_keymap(keymap)
        self.theme_changed_signal.subscribe(self, lambda theme: self.choose(theme=theme.name))
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        if not gc.isenabled():  # see cli/screen.py
            gc.freeze()  # what is here now stays: no later collection need look through it
            gc.enable()
        self.run_worker(self._later(), group="start")

    async def _later(self) -> None:
        # The model SDK takes seconds to import: after the first paint, so that the first send need not wait.
        await asyncio.sleep(0.3)
        logfile.start(self.paths, "screen")
        logfile.note("screen.painted", terminal=os.environ.get("TERM"), columns=self.size.width, rows=self.size.height)
        if self.models.missing() is None:
            from convend_tui import session  # noqa: F401 - with all that sending needs
            from convend_tui.model import client

            await asyncio.to_thread(client.warm)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What Textual draws through. It chooses at the start how `NO_COLOR` is done; the theme may become another: one
        of the terminal's own colours is drawn in none, as greys would be made of colours that are not known."""
        own, grey = self._no_colors
        chosen = own if self.native_ansi_color else grey
        return [chosen if isinstance(one, NoColor | Monochrome) else one for one in super().get_line_filters()]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A list that has a use of its own for the palette's key keeps it."""
        if action == "command_palette" and self.COMMAND_PALETTE_BINDING in self.screen._bindings.key_to_bindings:
            return False
        return super().check_action(action, parameters)

    def action_command_palette(self) -> None:
        """The palette, with an input of our own."""
        from convend_tui.tui.dialogs import PaletteInput  # dialogs come after the first paint

        vars(command)["CommandInput"] = PaletteInput
        super().action_command_palette()

    async def action_quit(self) -> None:
        """Leave, wherever one is. What was typed is kept; so is a reply that is coming in."""
        self.leave()

    def leave(self, code: int = 0) -> None:
        """As `action_quit`, also where nobody is at the keys: a signal, a terminal that is gone. What was typed before
        has a longer way, over the screen to what has the focus, and is let through first."""
        self.keep_drafts()
        if not self._are_kept:
            self._keep_choices()  # the disk that refused them may have room again

        def out() -> None:
            if not self._exit:
                self.keep_drafts()
                self.exit(return_code=code)

        def over_focus() -> None:
            (self.focused or self.screen).call_later(out)

        self.call_later(lambda: self.screen.call_later(over_focus))
        self.set_timer(TYPED_S, out)

    def keep_drafts(self) -> None:
        """Write down what is in the composer, wherever one is."""
        for screen in self.screen_stack:
            if isinstance(screen, ChatScreen) and screen.is_whole:
                screen.keep_draft()

    def draw_anew(self) -> None:
        """Draw the whole screen: some of what was drawn has not reached the terminal."""
        self.refresh()

    def theme_from_choices(self) -> None:
        """The person's theme: the one chosen last, else config.toml's, else the dark one."""
        wanted = self.choices.theme or self.config.ui.theme or DEFAULT_THEME
        try:
            self.theme = wanted
        except InvalidThemeError:
            self.theme = DEFAULT_THEME
            self.tell(f"There is no theme “{wanted}”; see the command Theme.", severity="warning")

    def choose(self, **changes: object) -> None:
        """Keep a choice of the person's for the next start."""
        choices = dataclasses.replace(self.choices, **changes)  # type: ignore[arg-type]
        if choices != self.choices:
            self.choices = choices
            self._keep_choices()

    def _keep_choices(self) -> None:
        choices = self.choices
        self._are_kept = False

        def write() -> None:
            if aside := config.save_choices(self.paths, choices):
                sentence = f"The file of your choices could not be read. It was put aside as {aside}."
                self.soon(lambda: self.tell(sentence))
            self._are_kept = True

        try:
            self._behind.do(write)
        except StoreError as error:
            self.tell(str(error), severity="warning")

    def soon(self, call: Callable[[], None]) -> None:
        """Have something done on the event loop, from any thread; nothing where the app has ended."""

        def within() -> None:
            with self._context():  # a timer that is begun here must know its app; another thread does not
                call()

        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(within)

    async def on_unmount(self) -> None:
        """The end: what is still to be written is written first."""
        await asyncio.to_thread(behind.finish)

    def tell(self, sentence: str, *, severity: str = "information", seconds: float | None = None) -> None:
        """A passing notice. The sentence may hold anybody's text: it is shown as data. What was said a moment ago is
        not said again: a full disk would otherwise fill the screen too."""
        if monotonic() - self._told.get(sentence, -SAME_S) < SAME_S:
            return
        self._told[sentence] = monotonic()
        self.notify(plain.visible(sentence), severity=severity, timeout=seconds, markup=False)  # type: ignore[arg-type]

    # -- errors that nobody expected ---------------------------------------------------------------------

    def _handle_exception(self, error: Exception) -> None:
        """Textual's own way prints the values of local variables: messages, and keys."""
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        # A worker's error comes wrapped.
        self._stop_at(error.error if isinstance(error, WorkerFailed) else error)

    def panic(self, *renderables: RenderableType) -> None:
        """Called by the thread that reads the keys, with a traceback made to be printed."""
        from rich.traceback import Traceback

        for stack in (stack for one in renderables if isinstance(one, Traceback) for stack in one.trace.stacks[:3]):
            last = stack.frames[-1:]
            at = f"{last[0].filename[-60:]}:{last[0].lineno}" if last else None
            logfile.note("screen.panic", error=stack.exc_type, at=at)
        self._stop_at(RuntimeError())

    def _stop_at(self, error: BaseException) -> None:
        """End with one sentence in the terminal."""
        self._return_code = 1
        if not self._exit_renderables:
            self.error_console.soft_wrap = True  # the name of the file can be copied
            self._exit_renderables.append(plain.one_line(logfile.crashed(self.paths, error)))
            self.soon(self.keep_drafts)
        self._close_messages_no_wait()

    def recovered(self) -> list[str]:
        """Bring back what a crash left behind, and take away what is of no use; blocks on the disk."""
        from convend_tui.store.leftovers import clear
        from convend_tui.store.partial import recover

        clear(self.paths)
        return list(recover(self.library))

    def merged(self) -> list[str]:
        """Bring in what copies in conflict hold; blocks on the disk. The same sentence comes only once."""
        from convend_tui.store.conflicts import merge

        found = [sentence for sentence in merge(self.library) if sentence not in self._merged]
        self._merged.update(found)
        return found


def run_app() -> int:
    """Open the TUI and stay in it until the person leaves.

    Raises:
        ConfigError: config.toml is not valid; nothing was opened.
    """
    where = paths.find()
    settings = config.load(where)
    take_pastes_whole()
    app = ConvendApp(where, settings)
    try:
        app.run(mouse=settings.ui.mouse)
    finally:
        app.models.stop_local()
        app.library.close()
        logfile.stop()
        app.finishing.cancel()
    return app.return_code or 0
