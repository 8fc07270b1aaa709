"""Choosing a model from the servers' own lists, and fetching the built-in one."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from convend_tui.config import LOCAL_SERVER
from convend_tui.errors import ConvendError, ModelError, NotConnected
from convend_tui.model import local_weights
from convend_tui.model.local import MODEL_NAME
from convend_tui.tui.dialogs import Confirm, Progress, TextPanel
from convend_tui.tui.pick import Pick, PickOption
from convend_tui.tui.welcome import connect_text

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen

_FETCH = "local:install"
_CONNECT = "connect"


class ModelChoice:
    """The dialogs about models."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self._offered = False

    # -- choosing -------------------------------------------------------------------------------------

    def choose(self) -> None:
        """A list of all models of all servers, which fills as they answer."""
        pick = Pick("Choose a model", None, self._current())
        self._screen.convend.push_screen(pick, self._chosen)
        self._screen.run_worker(self._fill(pick), group="models", exclusive=True)

    def _current(self) -> str | None:
        conversation = self._screen.conversation
        if conversation.wanted is not None or conversation.thread is None:
            return conversation.wanted
        app = self._screen.convend
        try:
            return "/".join(app.models.next_model(conversation.thread, None, app.choices.model))
        except NotConnected:
            return None

    async def _fill(self, pick: Pick) -> None:
        models = self._screen.convend.models
        options: list[PickOption] = []
        for name in models.names():
            try:
                found = await models.list_models(name)
            except ModelError as error:
                options.append(PickOption(f"{name}/", name, "", str(error)))
                continue
            where = "built in, tiny" if name == LOCAL_SERVER else name
            options += [PickOption(f"{name}/{model.id}", model.name, where, None) for model in found]
        if self._can_fetch():
            options.append(PickOption(_FETCH, f"Fetch {MODEL_NAME}, the built-in model", "98 MB, no key", None))
        options.append(PickOption(_CONNECT, "How to connect a model …", "", None))
        if pick.is_attached:
            pick.set_options(options)

    def _chosen(self, option: str | None) -> None:
        screen = self._screen
        if option is None:
            return
        if option == _CONNECT:
            screen.convend.push_screen(TextPanel("How to connect a model", connect_text()))
        elif option == _FETCH:
            self.fetch()
        else:
            screen.conversation.wanted = option
            screen.convend.choose(model=option)
            screen.refresh_all()

    # -- the built-in model ---------------------------------------------------------------------------

    def _can_fetch(self) -> bool:
        app = self._screen.convend
        status = local_weights.status(app.paths)
        return app.config.local.enabled and status.server_available and not status.weights_ok

    def offer_local(self) -> None:
        """Once a run: where nothing can be asked but the built-in model could be fetched, offer that."""
        if self._offered or not self._can_fetch() or self._screen.convend.models.missing() is None:
            return
        self._offered = True

        def answer(yes: bool | None) -> None:
            if yes:
                self.fetch()

        self._screen.convend.push_screen(
            Confirm(
                "Fetch the built-in model?",
                f"No model is connected. {MODEL_NAME} is a tiny model (98 MB) that runs on this computer without a "
                "key. It is good for trying convend out, not for answers you rely on.",
                "Fetch it",
                "Not now",
                default_yes=True,
            ),
            answer,
        )

    def fetch(self) -> None:
        """Fetch the weights, with a progress bar that Esc stops."""
        progress = _FetchProgress("Fetching the built-in model", "98 MB, checked by their hash")
        self._screen.convend.push_screen(progress)
        self._screen.run_worker(self._fetch(progress), group="fetch", exclusive=True)

    async def _fetch(self, progress: _FetchProgress) -> None:
        app = self._screen.convend

        def report(done: int, total: int) -> None:
            if progress.stopped.is_set():
                raise _Stopped("Stopped; nothing was kept.")
            app.call_from_thread(progress.update, done, total, f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

        try:
            await asyncio.to_thread(local_weights.install, app.paths, report)
            app.tell(f"{MODEL_NAME} is here. Write something.")
        except ConvendError as error:
            app.tell(str(error), severity="warning" if isinstance(error, _Stopped) else "error")
        finally:
            progress.stopped.set()
            if progress.is_attached:
                progress.dismiss(None)
            if self._screen.is_attached:
                self._screen.refresh_all()


class _FetchProgress(Progress):
    def __init__(self, title: str, body: str) -> None:
        super().__init__(title, body)
        self.stopped = threading.Event()

    def action_cancel(self) -> None:
        """Esc: the next report of the download stops it."""
        self.stopped.set()


class _Stopped(ConvendError):
    """The person does not want the model any more."""
