"""Writing in the background: a disk that takes seconds must not keep the screen from going on.

Work is done in the order in which it was given, by one thread for the whole program. Most disks are quick: for them a
piece of work is done before `do` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Event, Lock
from typing import TYPE_CHECKING

from convend_tui.errors import StoreError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

PATIENCE_S = 0.1
"""How long `do` waits for a disk that was quick so far."""

_lock = Lock()
_writer: ThreadPoolExecutor | None = None
_unexpected: list[BaseException] = []
"""What work raised that is no StoreError: a defect of the program, for the next who comes by."""


class Behind:
    """Work for the disk, of one kind. Its methods are for one thread, such as the event loop's.

    Args:
        failed: is given what work raised after `do` had returned; on the thread that does the work.
    """

    def __init__(self, failed: Callable[[StoreError], None] = lambda error: None) -> None:
        self._failed = failed
        self._last: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is not done yet."""
        return self._last is not None and not self._last.done()

    def do(self, work: Callable[[], None]) -> None:
        """Have this done. Behind a disk that is slow it is still to be done when this returns.

        Raises:
            StoreError: it was done at once, and raised this.
            Exception: earlier work, anybody's, ended with an error that nobody expected.
        """
        _raise_unexpected()
        waits = not self.busy
        piece = _Piece(work, self._failed)
        try:
            self._last = _pool().submit(piece.run)
            self._last.add_done_callback(_look)
        except RuntimeError:  # the program is ending
            self._last = None
            piece.run()
        piece.done.wait(PATIENCE_S if waits else 0)
        piece.leave()


def finish() -> None:
    """Wait until all work that was given is done.

    Raises:
        Exception: some of it ended with an error that nobody expected.
    """
    if _writer is not None:
        wait([_writer.submit(lambda: None)])
    _raise_unexpected()


def _look(done: Future[None]) -> None:
    if (error := done.exception()) is not None:
        _unexpected.append(error)


def _raise_unexpected() -> None:
    if _unexpected:
        raise _unexpected.pop(0)


class _Piece:
    """One piece of work, and whether somebody still waits for it."""

    def __init__(self, work: Callable[[], None], failed: Callable[[StoreError], None]) -> None:
        self.done = Event()
        self._work = work
        self._failed = failed
        self._error: StoreError | None = None
        self._left = False

    def run(self) -> None:
        error: StoreError | None = None
        try:
            self._work()
        except StoreError as why:
            error = why
        finally:
            with _lock:
                self._error, left = error, self._left
                self.done.set()
        if left and error is not None:
            self._failed(error)

    def leave(self) -> None:
        """Wait no longer. Raises what there was to raise by now."""
        with _lock:
            self._left = True
            error = self._error
        if error is not None:
            raise error


def _pool() -> ThreadPoolExecutor:
    global _writer
    from concurrent.futures import ThreadPoolExecutor  # not needed for the first paint

    with _lock:
        if _writer is None:
            # Python waits for its thread at the end of the program: nothing that was given is left out.
            _writer = ThreadPoolExecutor(1, thread_name_prefix="disk")
        return _writer
