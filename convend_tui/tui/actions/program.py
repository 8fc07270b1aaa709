"""Everything that is not about one chat: leaving places, the model, help, themes."""

from __future__ import annotations

from convend_tui.errors import AttachmentError
from convend_tui.files import named
from convend_tui.tui.actions.area import Area
from convend_tui.tui.commands import SECTIONS, commands_in


class Program(Area):
    """What is done with the program itself."""

    def do_back(self) -> None:
        """Esc: stop; else leave the edit, or the place above the end; else switch between writing and the
        conversation."""
        screen = self._screen
        if screen.thread_list.has_focus:
            if screen.is_narrow:
                screen.show_list(False)
            screen.focus_where_one_can_write()
        elif screen.conversation.turn is not None:
            screen.sending.stop(screen.conversation)
        elif screen.conversation.editing is not None:
            screen.sending.end_edit()
        elif screen.conversation.below is not None and screen.composer.has_focus_within:
            screen.sending.go_on_below(None)
        elif screen.composer.has_focus_within:
            screen.transcript.focus()
            screen.transcript.focus_something()
        else:
            screen.focus_where_one_can_write()

    def do_tour(self) -> None:
        self._screen.touring.open()

    def why_not_cost(self) -> str | None:
        thread = self._screen.conversation.thread
        return None if thread is not None and thread.messages else "This chat is empty."

    def do_cost(self) -> None:
        from convend_tui.tui.costs import cost_panel

        conversation = self._screen.conversation
        assert conversation.thread is not None
        room = int(self._screen.size.width * 0.94) - 6  # the frame of a dialog
        panel = cost_panel(conversation.thread, conversation.leaf, self._screen.convend.config, room)
        self._screen.convend.push_screen(panel)

    def do_model(self) -> None:
        self._screen.model_choice.choose()

    def do_attach(self) -> None:
        screen = self._screen

        def attach(name: str | None) -> None:
            if name and name.strip():
                try:
                    screen.composer.add_attachment(named(name.strip()))
                except AttachmentError as error:
                    screen.convend.tell(str(error), severity="error")
            screen.composer.focus()

        from convend_tui.tui.dialogs import Prompt

        screen.convend.push_screen(
            Prompt("Attach a file", "", "A text file, image or PDF", enter="attaches it"), attach
        )

    def why_not_attach(self) -> str | None:
        return self._screen.composer.locked

    def do_help(self) -> None:
        from convend_tui.tui.help import HelpScreen
        from convend_tui.tui.status_words import MARKS

        screen = self._screen
        sections = [
            (
                title,
                [(screen.keys.shown(c), c.label, c.help, screen.refusal(c.id)) for c in commands_in(where)],
            )
            for where, title in SECTIONS.items()
        ]
        sections.append(("Marks", list(MARKS)))
        screen.convend.push_screen(HelpScreen(sections))

    do_keys = do_help

    def do_theme(self) -> None:
        self._screen.convend.search_themes()

    def do_quit(self) -> None:
        self._screen.convend.call_later(self._screen.convend.action_quit)
