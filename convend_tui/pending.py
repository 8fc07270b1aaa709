"""A reply while it streams: kept as it grows, written once it is whole, and never lost in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from convend_tui.errors import ModelError, RuleError, StoreError
from convend_tui.model.events import TextDelta, ThinkingDelta
from convend_tui.model.faults import NO_STREAM
from convend_tui.model.reply import ReplyBuilder
from convend_tui.store.behind import Behind
from convend_tui.store.handle import Rule, ThreadHandle
from convend_tui.store.ids import new_id
from convend_tui.store.log import Batch
from convend_tui.store.partial import Checkpoint
from convend_tui.thread import records as r

CHECKPOINT_S = 1.0
"""Seconds between checkpoints: what `kill -9` may lose."""
_CHECKPOINT_PART = 20
"""So many times as long as it took to prepare a checkpoint, none is prepared."""


class PendingReply:
    """A context manager: left without `save`, by an error, a stop or the end of the program, it writes what has
    arrived as a `partial` message, without waiting for the event loop."""

    def __init__(
        self, handle: ThreadHandle, folder: Path, parent: str, clean: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        """`clean`: takes out of all that is written what must not be kept (see `Endpoint.clean`). Events are cleaned as
        they come; this is for a key that comes in several pieces."""
        self._clean = clean
        self.id = new_id()
        self.parent = parent
        self.request_id: str | None = None
        self._handle = handle
        self._folder = folder
        self._builder = ReplyBuilder()
        self._settings_at = handle.thread.settings_at
        self._model = handle.thread.settings.model
        self._started = time.monotonic()
        self._behind = Behind()
        self._checkpoint: Checkpoint | None = None
        """Touched by the thread that writes, and by no other."""
        self._newest: r.Message | None = None
        """What the checkpoint is to hold; None: nothing was written to it."""
        self._next_checkpoint = 0.0
        self._kept = False
        self._left = False
        """Nobody waits any more for the reply to be written."""

    def __enter__(self) -> PendingReply:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.keep_partial()

    @property
    def arrived(self) -> bool:
        """Whether anything worth keeping has arrived."""
        return self._builder.arrived

    def begin(self) -> None:
        """The request is about to leave (again): the clock starts."""
        self._builder = ReplyBuilder()
        self._started = time.monotonic()

    def feed(self, event: dict[str, Any]) -> TextDelta | ThinkingDelta | None:
        """Take one event of the stream in; returns what a person can see of it."""
        seen = self._builder.feed(event, self._ms())
        now = time.monotonic()
        if self._builder.arrived and now >= self._next_checkpoint:
            # The first is written at once, the others about a second apart; of a huge reply less often, so that it
            # does not take up the time in which it would be shown.
            self._save_checkpoint()
            done = time.monotonic()
            self._next_checkpoint = done + max(CHECKPOINT_S, _CHECKPOINT_PART * (done - now))
        return seen

    def require_complete(self) -> None:
        """The server closed the stream.

        Raises:
            ModelError: before the message was complete, or without having sent a message at all.
        """
        if self._builder.complete:
            return
        if self._builder.events == 0:
            raise ModelError(NO_STREAM, kind="bad_answer")
        raise ModelError("The answer broke off before its end.", kind="broken_off", retryable=True)

    def message(self) -> r.Message:
        """The complete reply. Of a refused one nothing is kept as an answer."""
        return self._message("reply")

    def checkpoint(self) -> None:
        """Keep all that has arrived, now."""
        self._save_checkpoint()

    async def save(self, records: Sequence[r.Record], rule: Rule | None = None) -> None:
        """Write the reply and what follows from it, in one write.

        Raises:
            StoreError: the disk refused; the checkpoint stays, for the next start.
            RuleError: `rule` raised it; nothing was written, and the reply is still pending.
        """
        self._kept = True  # from here on the write finishes by itself, even when this task is cancelled
        writing = self._begin(records, rule)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._left = not writing.done()
            raise

    async def keep(self) -> str | None:
        """As `keep_partial`, while the event loop goes on: behind a slow disk the screen does. Cancelled, it leaves the
        write to finish."""
        message = self._left_over()
        if message is None:
            return None
        try:
            await asyncio.shield(self._begin([message]))
        except StoreError:
            return None
        return message.id

    def _begin(self, records: Sequence[r.Record], rule: Rule | None = None) -> asyncio.Future[Batch]:
        """Write, whoever still waits for it. No task: one that has not begun yet is gone when the event loop ends."""
        writing = self._handle.begin_append(records, rule)
        writing.add_done_callback(self._written)
        return writing

    def _written(self, writing: asyncio.Future[Batch]) -> None:
        """The write has ended. Called before anybody who waits for it goes on."""
        match writing.exception():
            case None:
                self._close_checkpoint()
            case RuleError():
                self._kept = False
                if self._left and (message := self._left_over()) is not None:
                    self._begin([message])
            case _:
                self._save_checkpoint()
                self._close_checkpoint(keep=True)

    def keep_partial(self) -> str | None:
        """Write what has arrived as a `partial` message, unless the reply was kept already or there is nothing.
        Returns its id, or None. A disk that refuses leaves the checkpoint for the next start."""
        message = self._left_over()
        if message is None:
            return None
        try:
            self._handle.append_now([message])
        except StoreError:
            self._save_checkpoint()
            self._close_checkpoint(keep=True)
            return None
        self._close_checkpoint()
        return message.id

    def _left_over(self) -> r.Message | None:
        """What is to be kept of a reply that was not saved; asked once."""
        if self._kept:
            return None
        self._kept = True
        if not self._builder.arrived:
            self._close_checkpoint()
            return None
        return self._message("partial")

    def _message(self, kind: str) -> r.Message:
        builder = self._builder
        refused = builder.stop_reason == "refusal"
        timing = builder.timing(self._ms())
        content = [] if refused else builder.content()
        if self._clean is not None:
            self._clean({"content": content})
        return r.Message(
            at=self._handle.now(),
            id=self.id,
            parent=self.parent,
            role="assistant",
            content=content,
            kind=kind,
            model=builder.model or self._model,
            stop_reason=builder.stop_reason,
            stop_details=builder.stop_details,
            usage=builder.usage or None,
            request_id=self.request_id,
            timing=timing | {"chunks": []} if refused else timing,
            made_under=self._settings_at,
        )

    def _save_checkpoint(self) -> None:
        self._newest = message = self._message("partial")

        def write() -> None:
            if self._newest is not message:
                return  # a slow disk: there is a newer one by now
            if self._checkpoint is None:
                self._checkpoint = Checkpoint(self._folder, self._handle.thread.id, self.id)
            self._checkpoint.write(message)

        # A checkpoint is a second net; the answer itself goes on, and its own write will say what is wrong.
        with suppress(StoreError):
            self._behind.do(write)

    def _close_checkpoint(self, *, keep: bool = False) -> None:
        if self._newest is None:
            return

        def close() -> None:
            if self._checkpoint is not None:
                self._checkpoint.close(keep=keep)
                self._checkpoint = None

        self._behind.do(close)

    def _ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)
