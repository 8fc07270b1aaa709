"""From the start to the first paint: time, and memory then and later."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from convend_tui import config
from tests.bench import bare, homes
from tests.bench.table import Row, compare
from tests.bench.terminal import Cost, Terminal
from tests.making import paths_in

ROUNDS = 9
SETTLED_ROUNDS = 3
SETTLED_S = 6.0
"""Seconds after which nothing is imported or read any more."""
CONVEND = ("-m", "convend_tui")
COMPOSER = "Write a message"
HINTS = "Help"
NEW = ("New chat", "will answer", COMPOSER, HINTS)
OPEN = (homes.SECOND, COMPOSER, HINTS)

Program = tuple[tuple[str, ...], Mapping[str, str], tuple[str, ...]]
"""Arguments of python, environment, and what is on the screen once it is painted."""


def environment(home: Path) -> dict[str, str]:
    """A key, and a server that nobody is asked for: no start may touch the network. Nor is this the first run of all,
    with its tour."""
    paths = paths_in(home)
    config.save_choices(paths, replace(config.load_choices(paths), tour=True))
    return {"CONVEND_HOME": str(home), "ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}


def programs(folder: Path) -> dict[str, Program]:
    """What is started, by name."""
    return {
        "bare": (("-m", "tests.bench.bare"), {}, bare.READY),
        "new": (CONVEND, environment(homes.home(folder / "new")), NEW),
        "10": (CONVEND, environment(homes.home(folder / "10", length=10)), OPEN),
        "10,000": (CONVEND, environment(homes.home(folder / "10000", length=10_000)), OPEN),
    }


def measure() -> Iterator[Row]:
    """Start to first paint, and opening a long thread."""
    with tempfile.TemporaryDirectory() as folder:
        started = programs(Path(folder))
        costs: dict[str, list[Cost]] = {name: [] for name in started}
        for turn in range(-1, ROUNDS):  # one more, to have everything in the disk's cache
            for name, (arguments, env, ready) in started.items():
                with Terminal(arguments, env) as terminal:
                    cost = terminal.seen(*ready)
                if turn >= 0:
                    costs[name].append(cost)
    wall = {name: [cost.wall * 1000 for cost in found] for name, found in costs.items()}
    cpu = {name: [cost.cpu * 1000 for cost in found] for name, found in costs.items()}
    for what, times in (("CPU", cpu), ("wall", wall)):
        yield compare("start", f"first paint, new chat / bare app, {what}", times["bare"], times["new"], "ms", 1.2)
        yield compare("start", f"first paint, 10 messages / bare app, {what}", times["bare"], times["10"], "ms")
        yield compare("open", f"first paint, 10,000 / 10 messages, {what}", times["10"], times["10,000"], "ms", 1.3)
    memory = {name: [cost.memory for cost in found] for name, found in costs.items()}
    yield from _memory("at first paint", memory)


def settled() -> Iterator[Row]:
    """Memory some seconds later, when the model SDK has been imported and the thread list read."""
    with tempfile.TemporaryDirectory() as folder:
        started = programs(Path(folder))
        memory: dict[str, list[float]] = {name: [] for name in started}
        for _ in range(SETTLED_ROUNDS):
            for name, (arguments, env, ready) in started.items():
                with Terminal(arguments, env) as terminal:
                    terminal.until(*ready)
                    terminal.rest(SETTLED_S)
                    memory[name].append(terminal.memory)
    yield from _memory(f"{SETTLED_S:g} s later", memory)


def _memory(when: str, memory: Mapping[str, list[float]]) -> Iterator[Row]:
    yield compare("memory", f"{when}, new chat / bare app", memory["bare"], memory["new"], "MiB")
    yield compare("memory", f"{when}, 10 messages / bare app", memory["bare"], memory["10"], "MiB")
    yield compare("memory", f"{when}, 10,000 / 10 messages", memory["10"], memory["10,000"], "MiB")


def imports() -> Iterator[str]:
    """Sentences about what is imported by the first paint, from Python's own record of it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, env, ready) in programs(Path(folder)).items():
            with Terminal(("-X", "importtime", *arguments), env) as terminal:
                terminal.until(*ready)
                modules = re.findall(r"import time: +\d+ \| +\d+ \| +([\w.]+)", terminal.text)
            sdk = "is" if "anthropic" in modules else "is not"
            yield f"{name}: {len(modules)} modules at the first paint; anthropic {sdk} among them"
