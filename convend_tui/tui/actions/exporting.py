"""A chat, or the branch that is shown, to a file for other programs and people."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convend_tui.errors import ConvendError
from convend_tui.files import named
from convend_tui.tui.actions.area import Area

if TYPE_CHECKING:
    from convend_tui.exchange.formats import Format, Job

_TREE = "tree"


class Exporting(Area):
    """The format, the name of the file, and the writing."""

    def why_not_export(self) -> str | None:
        handle = self._screen.conversation.handle
        return None if handle is not None and handle.on_disk else "This chat is empty. Write something first."

    def do_export(self) -> None:
        from convend_tui.exchange.formats import DEFAULT, FORMATS
        from convend_tui.tui.pick import Pick, PickOption

        job = self._job()
        options = [PickOption(name, name, one.text) for name, one in FORMATS.items()]
        options.insert(1, PickOption(_TREE, f"{DEFAULT}, the whole tree", "every branch, each message once"))

        def ask(choice: str | None) -> None:
            if choice == _TREE:
                self._ask_name(FORMATS[DEFAULT], replace(job, tree=True))
            elif choice is not None:
                self._ask_name(FORMATS[choice], job)

        self._screen.convend.push_screen(Pick("Export this chat", options, DEFAULT), ask)

    def _job(self) -> Job:
        from convend_tui.exchange.formats import Job

        screen = self._screen
        app, conversation = screen.convend, screen.conversation
        assert conversation.thread is not None
        # A copy of the tree: it is read in a thread of its own, while this one may grow.
        thread = conversation.thread.with_records(())
        file = app.library.file(thread.id)
        return Job(app.paths, file, thread, conversation.leaf, with_blobs=True, config=app.config)

    def _ask_name(self, chosen: Format, job: Job) -> None:
        from convend_tui.exchange.formats import free_name
        from convend_tui.tui.dialogs import Prompt

        def write(name: str | None) -> None:
            if name:
                self._screen.run_worker(self._write(chosen, job, name), group="export")

        title = f"Export as {chosen.name}{', the whole tree' if job.tree else ''}"
        prompt = Prompt(
            title, free_name(job.thread.title, chosen.suffixes[0], Path()), "A file that is new", enter="writes it"
        )
        self._screen.convend.push_screen(prompt, write)

    async def _write(self, chosen: Format, job: Job, name: str) -> None:
        from convend_tui.exchange.formats import write_export

        app = self._screen.convend
        missing: list[str] = []
        try:
            file = named(name).absolute()
        except OSError as error:  # the folder in which convend was started is gone
            app.tell(f"{name} cannot be written: {error.strerror or error}.", severity="error")
            return
        try:
            await asyncio.to_thread(write_export, chosen, replace(job, warn=missing.append), file)
        except ConvendError as error:
            app.tell(str(error), severity="error")
        else:
            for sentence in missing:
                app.tell(sentence, severity="warning")
            app.tell(f"Written to {file}.", seconds=8)
