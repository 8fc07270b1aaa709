"""On which line of a TOML text a key stands: `tomllib` does not say."""

from __future__ import annotations

import re
from typing import Any

Key = tuple[str | int, ...]
"""Where a value stands: `("server", 1, "base_url")` is `base_url` of the second `[[server]]`."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COMMENT = re.compile(r"#[^\n]*")
_KEY = re.compile(r"""[ \t]*(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)


class Lines:
    """The line on which each key of a TOML text stands. Never raises, whatever the text."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._found: dict[Key, int] = {}
        self._tables: dict[Key, int] = {}
        """How many `[[name]]` of each name have been seen."""
        self._line = 1
        self._counted = 0
        self._scan()

    def find(self, where: Key) -> int | None:
        """The line of `where`, else of the nearest thing it stands in; None where nothing is known."""
        for length in range(len(where), 0, -1):
            if line := self._found.get(where[:length]):
                return line
        return None

    def _scan(self) -> None:
        text, position = self._text, 0
        prefix: Key = ()
        while (position := _match(_SPACE, text, position)) < len(text):
            start = position
            if text.startswith("[", position):
                double = text.startswith("[[", position)
                position, names = self._key(position + 1 + double)
                prefix = self._enter(names, double)
                for length in range(1, len(prefix) + 1):
                    self._note(prefix[:length], start)
            else:
                position, names = self._key(position)
                for length in range(1, len(names) + 1):
                    self._note(prefix + names[:length], start)
            position = max(self._end_of_statement(position), start + 1)

    def _note(self, where: Key, position: int) -> None:
        self._line += self._text.count("\n", self._counted, position)
        self._counted = position
        self._found.setdefault(where, self._line)

    def _enter(self, names: Key, double: bool) -> Key:
        """The place that a section's header opens: inside the newest of each array of tables on its way."""
        prefix: Key = ()
        for number, name in enumerate(names):
            prefix = (*prefix, name)
            if double and number == len(names) - 1:
                self._tables[prefix] = self._tables.get(prefix, 0) + 1
            if prefix in self._tables:
                prefix = (*prefix, self._tables[prefix] - 1)
        return prefix

    def _key(self, position: int) -> tuple[int, Key]:
        """A dotted key at `position`: where it ends, and its parts."""
        start = position
        while match := _KEY.match(self._text, position):
            position = match.end()
            if not self._text.startswith(".", position):
                break
            position += 1
        import tomllib

        try:
            node: Any = tomllib.loads(self._text[start:position] + "=0")
        except (ValueError, RecursionError):
            return position, ()
        names: list[str | int] = []
        while isinstance(node, dict) and node:
            name = next(iter(node))
            names.append(name)
            node = node[name]
        return position, tuple(names)

    def _end_of_statement(self, position: int) -> int:
        """The end of the line on which the value that begins at or after `position` ends."""
        text, depth = self._text, 0
        while position < len(text):
            character = text[position]
            if character in "\"'" and (match := _STRING.match(text, position)):
                position = match.end()
                continue
            if character == "#":
                position = _match(_COMMENT, text, position)
                continue
            if character == "\n" and depth <= 0:
                break
            depth += (character in "[{") - (character in "]}")
            position += 1
        return position


def _match(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where a match of `pattern` at `position` ends; `position` itself where there is none."""
    match = pattern.match(text, position)
    return match.end() if match else position
