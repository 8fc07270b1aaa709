"""Coroutines step by step, and what Python says of what they leave behind."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest


class Stepped:
    """A coroutine, run as it is; `at_step` is told of every suspension, with what is waited for."""

    def __init__(self, inner: Awaitable[None], at_step: Callable[[Any], None]) -> None:
        self._inner = inner
        self._at_step = at_step

    def __await__(self) -> Generator[Any, Any, None]:
        running: Any = self._inner.__await__()
        error: BaseException | None = None
        while True:
            try:
                waits_for = running.send(None) if error is None else running.throw(error)
            except StopIteration:
                return
            error = None
            self._at_step(waits_for)
            try:
                yield waits_for
            except BaseException as thrown:  # noqa: BLE001 (it is handed on, whatever it is)
                error = thrown


@contextmanager
def listening(noise: list[str]) -> Iterator[None]:
    """What Python says of things that were left lying."""

    def told(unraisable: Any) -> None:
        noise.append(f"{unraisable.err_msg}: {unraisable.exc_value!r}")

    with warnings.catch_warnings(record=True) as found, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr(sys, "unraisablehook", told)
        yield
    noise.extend(str(warning.message) for warning in found)


@contextmanager
def late_threads(wanted: bool) -> Iterator[None]:
    """Every job of a thread begins late, each by another time."""
    real = ThreadPoolExecutor.submit
    number = 0

    def submit(self: ThreadPoolExecutor, job: Callable[..., Any], /, *given: Any, **options: Any) -> Any:
        nonlocal number
        number += 1
        waits = threading.Event()
        seconds = (number * 7 % 5) / 500

        def late() -> Any:
            waits.wait(seconds)
            return job(*given, **options)

        return real(self, late)

    with pytest.MonkeyPatch.context() as patch:
        if wanted:
            patch.setattr(ThreadPoolExecutor, "submit", submit)
        yield
