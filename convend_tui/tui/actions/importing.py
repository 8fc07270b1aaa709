"""Chats from exports of other programs, while the event loop goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from convend_tui.errors import ConvendError
from convend_tui.tui.actions.area import Area

if TYPE_CHECKING:
    from convend_tui.exchange.telling import Report
    from convend_tui.tui.stoppable import Stoppable

_TOLD = 200
"""Lines of what did not come in that the screen shows."""


class Importing(Area):
    """The name of the file, the import with its progress, and the report."""

    def do_import(self) -> None:
        from convend_tui.tui.dialogs import Prompt  # dialogs come after the first paint

        def start(name: str | None) -> None:
            if name:
                self._start(Path(name))

        hint = "A zip, JSON file or folder"
        self._screen.convend.push_screen(Prompt("Import chats", "", hint, enter="brings them in"), start)

    def _start(self, file: Path) -> None:
        from convend_tui.tui.stoppable import Stoppable

        progress = Stoppable("Importing", str(file))
        self._screen.convend.push_screen(progress)
        self._screen.run_worker(self._import(file, progress), group="import")

    async def _import(self, file: Path, progress: Stoppable) -> None:
        from convend_tui.exchange.importing import import_files, settings_for
        from convend_tui.tui.stoppable import Stopped

        app = self._screen.convend
        report: Report | None = None
        try:
            settings = settings_for(app.models, app.choices.model)
            report = await asyncio.to_thread(import_files, app.library, [file], settings, progress.in_thread)
        except ConvendError as error:
            app.tell(str(error), severity="warning" if isinstance(error, Stopped) else "error")
        finally:
            progress.close()
        if self._screen.is_whole:
            self._screen.listing.changed()
        if report is not None:
            self._tell(report)

    def _tell(self, report: Report) -> None:
        from convend_tui.exchange.telling import in_words, skipped_in_words
        from convend_tui.tui.dialogs import TextPanel

        words = in_words(report)
        if not report.skipped:
            self._screen.convend.tell(words)
            return
        lines = [f"• {line}" for line in skipped_in_words(report)]
        if (more := len(lines) - _TOLD) > 0:
            lines[_TOLD:] = [f"and {more:,} more; `convend import --json` names them all"]
        text = "\n".join([words, "", "Not imported:", *lines])
        self._screen.convend.push_screen(TextPanel("Import", text))
