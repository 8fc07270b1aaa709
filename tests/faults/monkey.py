"""A monkey at the keyboard: it plays the whole app at random, by a seed, and looks at each step for what breaks.

What it types is made of words that come only once, so that each can be looked for afterwards.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from convend_tui.store import behind
from convend_tui.store.check import Checker
from convend_tui.thread import records as r
from convend_tui.tui.commands import COMMANDS
from convend_tui.tui.composer_input import ComposerInput
from tests.faults.trouble import Trouble
from tests.tui.conftest import INSULTS, Home, Json, Person

KEYS = tuple(sorted({key for command in COMMANDS for key in command.keys} - {"ctrl+q"}))
"""All that the table of commands binds."""
MORE_KEYS = ("enter", "escape", "tab", "shift+tab", "pageup", "pagedown", "space", "y", "n", "1", "backspace")
"""For dialogs; `backspace` only where nothing typed can go."""
PALETTE = ("new", "export", "report", "restore", "theme", "tour", "fork", "tree", "hide others", "cost", "rename", "")
SPECIAL = ("slow", "cut", "error event", "think", "overload", "refuse me", "please end", "premature")
WIDTHS = (40, 44, 60, 79, 80, 100, 120, 160)
HEIGHTS = (10, 12, 16, 24, 36, 50)


class Monkey:
    """Plays one home over several starts of the app.

    Args:
        trouble: what goes wrong meanwhile, beside what the monkey does.
    """

    def __init__(self, home: Home, chance: random.Random, trouble: Trouble) -> None:
        self.home = home
        self.steps = 0
        self.log: list[str] = []
        """What was done, for whoever looks into a failure."""
        self._chance = chance
        self._trouble = trouble
        self._me: Person
        self._number = 0
        self._typed: set[str] = set()
        """Words that must be found again."""
        self._lines: dict[str, Counter[bytes]] = {}
        """The lines that each thread file had."""
        self._locks: set[tuple[str, str]] = set()
        """(thread, message) of the endings that were shown."""
        self._shown = ""
        self._in_composer: set[str] = set()
        """At the last quit."""

    # -- the play ---------------------------------------------------------------------------------------

    async def play(self, starts: int, steps: int) -> None:
        """Start the app so many times, with so many steps in each.

        Raises:
            AssertionError: something was lost or broke; it says what had been done.
        """
        try:
            for start in range(starts):
                self.note(f"start {start + 1}")
                self._trouble.pause()
                async with self.home.app() as me:
                    self._me = me
                    await self._begins()
                    for _ in range(steps):
                        await self._step()
                    await self._alive()
                    await self._quits()
                self._raise()
                behind.finish()
                self._look_at_files()
                self._nothing_is_lost()
        except BaseException as error:
            error.add_note("\n".join(["What was done:", *self.log[-400:]]))
            raise

    def note(self, what: str) -> None:
        """Remember what was done."""
        self.log.append(what)

    async def _step(self) -> None:
        self.steps += 1
        for what in self._trouble.comes(self._me):
            self.note(f"({what})")
        steps = (
            (self._types, 8),
            (self._enters, 10),
            (self._insults, 7),
            (self._key, 24),
            (self._dialog_key, 6),
            (self._pastes, 8),
            (self._resizes, 3),
            (self._escapes, 5),
            (self._palette, 2),
            (self._special, 3),
            (self._pauses, 4),
            (self._waits, 3),
            (self._alive, 1),
            (self._older, 1),
        )
        (do,) = self._chance.choices([step for step, _ in steps], [weight for _, weight in steps])
        await do()
        self._look()

    async def _begins(self) -> None:
        """After a start the draft of where one was is there."""
        there = self._words_here()
        assert self._in_composer <= there, f"not in the composer after the start: {self._in_composer - there}"

    async def _quits(self) -> None:
        self._trouble.pause()
        # A disk that was full has room again: what it had refused is kept now.
        self._in_composer = self._words_in_composer()
        self.note(f"quit with {sorted(self._words_in_composer())} on {self._me.app.screen!r}")
        await self._me.press("ctrl+q")
        for _ in range(200):
            if self._me.app._exit:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"Ctrl+Q did nothing on {self._me.app.screen!r}")

    # -- what it does -----------------------------------------------------------------------------------

    def _word(self) -> str:
        self._number += 1
        return f"w{self._number:03}z"

    @property
    def _writing(self) -> bool:
        return isinstance(self._me.app.focused, ComposerInput)

    async def _press(self, *keys: str) -> None:
        self.note(" ".join(keys))
        for key in keys:
            before = self._words_in_composer()
            alters = self._writing and (len(key) == 1 or key in ("space", "delete", "backspace"))
            await self._me.press(key)
            if alters:
                # The cursor stood in the middle of a word, or at its end.
                self._typed -= before - self._words_in_composer()
        self._raise()

    async def _types(self) -> None:
        if not self._writing and self._me.chat.transcript.has_focus:
            await self._press("i")
        if not self._writing:
            return
        word = self._word()
        await self._press("space", *word)
        if word in self._me.typed:
            self._typed.add(word)

    async def _put(self, text: str, word: str) -> None:
        if not self._writing and self._me.chat.transcript.has_focus:
            await self._press("i")
        if self._writing:
            self.note(f"paste {text[:60]!r}")
            before = self._words_in_composer()
            await self._me.pastes(text)
            self._typed -= before - self._words_in_composer()
            if word in self._me.typed:
                self._typed.add(word)

    async def _pastes(self) -> None:
        word = self._word()
        lines = "\n".join(f"line {number}" for number in range(self._chance.choice((1, 3, 30))))
        await self._put(f" {word} {lines} ", word)

    async def _insults(self) -> None:
        word = self._word()
        await self._put(f" {self._chance.choice(INSULTS)} {word} ", word)
        await self._enters()

    async def _special(self) -> None:
        word = self._word()
        await self._put(f" {self._chance.choice(SPECIAL)} {word} ", word)
        await self._enters()

    async def _enters(self) -> None:
        await self._press("enter")
        if self._chance.random() < 0.6:
            await self._until_idle()

    async def _until_idle(self) -> None:
        """A person who waits for the answer, if it comes soon."""
        for _ in range(200):
            if self._me.idle or self._me.app._exception or len(self._me.app.screen_stack) > 1:
                break
            await self._me.pilot.pause(0.005)

    async def _key(self) -> None:
        keys = KEYS
        if self._writing and self._chance.random() < 0.8:
            # Letters would only be written; the rest is more of a trial.
            keys = tuple(key for key in KEYS if "+" in key or (key[0] == "f" and key[1:].isdigit()) or key == "escape")
        await self._press(self._chance.choice(keys))

    async def _dialog_key(self) -> None:
        keys = [key for key in MORE_KEYS if not (self._writing and key == "backspace")]
        await self._press(self._chance.choice(keys))

    async def _escapes(self) -> None:
        await self._press(*["escape"] * self._chance.randint(1, 3))

    async def _palette(self) -> None:
        await self._press("ctrl+p")
        if len(self._me.app.screen_stack) > 1:
            await self._me.pastes(self._chance.choice(PALETTE))
            await self._me.pilot.pause(0.03)
            await self._press("down", "enter")

    async def _resizes(self) -> None:
        width, height = self._chance.choice(WIDTHS), self._chance.choice(HEIGHTS)
        self.note(f"resize {width}x{height}")
        await self._me.pilot.resize_terminal(width, height)
        await self._me.pilot.pause()
        assert self._me.screen.strip(), f"nothing on the screen at {width}x{height}"

    async def _pauses(self) -> None:
        await self._me.pilot.pause(self._chance.choice((0.01, 0.05, 0.15)))

    async def _waits(self) -> None:
        self.note("wait")
        await self._until_idle()

    async def _older(self) -> None:
        """Another program puts an older copy in the place of the open chat's file: what is missing comes back."""
        thread = self._me.chat.conversation.thread
        file = self.home.file(thread.id) if thread is not None else None
        if thread is None or file is None or not file.exists() or not self._trouble.kinds.others:
            return
        await self._until_idle()
        self._trouble.pause()
        lines = file.read_bytes().splitlines(keepends=True)
        known = {message.id for message in thread.messages.values()}
        self.note("another program puts an older copy in the place of the file")
        older = file.with_name(".older")
        older.write_bytes(b"".join(lines[: self._chance.randint(1, len(lines))]))
        older.chmod(0o600)
        older.rename(file)
        await self._me.until(lambda: all(one.encode() in file.read_bytes() for one in known), 20)
        # Records that are written again need not be the same bytes.
        self._lines[thread.id] = Counter(file.read_bytes().splitlines())

    async def _alive(self) -> None:
        """Esc leads out of everything, and F1 and Ctrl+Q are heard."""
        me = self._me
        await self._out()
        await self._press("f1")
        await me.until(lambda: len(me.app.screen_stack) > 1, 10)
        await self._out()
        assert me.app.focused is not None, "nothing has the focus"

    async def _out(self) -> None:
        """Out of all dialogs; a question of the model's may come over them meanwhile."""
        for _ in range(20):
            if len(self._me.app.screen_stack) == 1:
                return
            await self._press("escape")
            await self._me.pilot.pause(0.01)
        raise AssertionError(f"Esc does not lead out of {self._me.app.screen_stack!r}")

    # -- what must be true ------------------------------------------------------------------------------

    def _raise(self) -> None:
        if (error := self._me.app._exception) is not None:
            raise error

    def _look(self) -> None:
        self._raise()
        me = self._me
        if me.app._exit:
            return
        assert len(me.app.screen_stack) > 1 or me.app.focused is not None, "nothing has the focus"
        conversation = me.chat.conversation
        thread = conversation.thread.id if conversation.thread is not None else "new"
        if (shown := f"[{thread}, {conversation.leaf}: {sorted(self._words_in_composer())}]") != self._shown:
            self._shown = shown
            self.note(shown)
        if me.chat.composer.locked is not None and conversation.thread is not None and conversation.ended is not None:
            self._locks.add((conversation.thread.id, conversation.ended.message))
        self._look_at_lines()

    def _look_at_lines(self) -> None:
        """No line goes away, wherever its file is."""
        for thread, lines in self._files():
            before = self._lines.get(thread, Counter())
            gone = before - lines
            assert not gone, f"gone from {thread}: {list(gone)}"
            self._lines[thread] = lines
        missing = set(self._lines) - {thread for thread, _ in self._files()}
        assert not missing, f"no longer there: {missing}"

    def _files(self) -> Iterator[tuple[str, Counter[bytes]]]:
        paths = self.home.paths
        found: dict[str, Counter[bytes]] = {}
        for folder in (paths.threads, paths.trash):
            for file in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
                try:
                    whole = self._read(file)
                except FileNotFoundError:
                    continue  # thrown away at this moment
                thread = file.name.partition("~")[0].removesuffix(".jsonl")
                found[thread] = Counter(line for line in whole.split(b"\n") if line.strip())
        yield from found.items()

    def _read(self, file: Path) -> bytes:
        if self._trouble.kinds.disk and file.parent == self.home.paths.threads:
            # Not in the middle of a write: one that fails is taken back.
            with self.home.library.log(file.stem).locked():
                return file.read_bytes().rpartition(b"\n")[0]
        return file.read_bytes().rpartition(b"\n")[0]

    def _look_at_files(self) -> None:
        self._look_at_lines()
        for checked in Checker(self.home.paths).threads():
            assert not checked.problems, f"{checked.file.name}: {checked.problems}"
        for thread, lines in self._files():
            self._look_at_tree(thread, [json.loads(line) for line in lines.elements()])

    def _look_at_tree(self, thread: str, records: list[Json]) -> None:
        messages = {one["id"]: one for one in records if one["type"] == "message"}
        ids = Counter(one["id"] for one in records if one["type"] == "message")
        ended = {one["message"] for one in records if one["type"] == "ended"}
        assert max(ids.values(), default=1) == 1, f"twice in {thread}: {ids}"
        for message in messages.values():
            above = message["parent"]
            while above is not None and above in messages:
                assert above not in ended, f"{message} stands below the lock on {above}"
                above = messages[above]["parent"]
        shown = {message for of, message in self._locks if of == thread}
        assert shown <= ended, f"a lock was shown and is not in {thread}: {shown - ended}"
        same = Counter((m["parent"], json.dumps(m["content"])) for m in messages.values() if m["kind"] == "typed")
        assert max(same.values(), default=1) == 1, f"sent twice in {thread}: {same.most_common(1)}"

    def _nothing_is_lost(self) -> None:
        kept = self._kept()
        lost = {word for word in self._typed if word not in kept}
        assert not lost, f"typed and lost: {sorted(lost)}"

    def _kept(self) -> str:
        """All that the person wrote and is on the disk."""
        parts: list[str] = []
        for _, lines in self._files():
            records = [json.loads(line) for line in lines]
            parts += [json.dumps(one) for one in records if one.get("role") == "user"]
        parts += [file.read_text() for file in self.home.paths.drafts.glob("*.json")]
        return "\n".join(parts)

    def _words_in(self, text: str) -> set[str]:
        return {word for word in self._typed if word in text}

    def _words_in_composer(self) -> set[str]:
        return self._words_in(self._me.typed)

    def _words_here(self) -> set[str]:
        """What is in the composer, lies aside while a message is edited, or stands in the chat that is shown."""
        conversation = self._me.chat.conversation
        here = self._me.typed
        if conversation.editing is not None:
            here += conversation.editing.draft.text + str(conversation.editing.draft.pastes)
        if conversation.thread is not None:
            path = conversation.thread.path(conversation.leaf)
            here += "".join(r.text_of(message) for message in path if message.kind == "typed")
        return self._words_in(here)
