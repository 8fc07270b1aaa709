"""Reading config.toml so that every complaint names the file, the line, the key and the nearest valid name.

`tomllib` forgets where a value stood; `Lines` finds it again when there is something to complain about.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from dataclasses import field as dataclass_field
from functools import cached_property
from pathlib import Path
from typing import Any

from convend_tui.config.lines import Key, Lines
from convend_tui.errors import ConfigError

_MOST_BITS = 1000
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


class Bad(ValueError):
    """A value is not acceptable. The message completes "`key` ..." and never holds a secret."""


def setting(default: Any, check: Callable[[Any], Any], *, factory: bool = False, secret: bool = False) -> Any:
    """A dataclass field that knows how its value in config.toml is checked.

    Args:
        default: the value where config.toml names none, or a function that makes it (`factory`).
        check: takes the TOML value, returns the value to keep, raises `Bad`.
        secret: keep the value out of `repr`.
    """
    metadata = {"check": check}
    if factory:
        return dataclass_field(default_factory=default, metadata=metadata, repr=not secret)
    return dataclass_field(default=default, metadata=metadata, repr=not secret)


def amount(value: Any) -> float:
    """A sum of money, not negative.

    Raises:
        Bad: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise Bad(f"must be an amount of money such as 2.5, not {shown(value)}")
    return float(value)


def setting_names(kind: type) -> list[str]:
    """The names of the settings of a dataclass whose fields were made with `setting`."""
    return [field.name for field in fields(kind) if "check" in field.metadata]


def plain(text: str, limit: int = 60) -> str:
    """`text` fit for one line of a message: control characters escaped, cut after `limit` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def shown(value: Any) -> str:
    """A TOML value as the person wrote it, short enough for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        import json  # only what is wrong is shown

        return plain(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a number of very many digits"  # such as Python makes no text of
    return plain(str(value))


@dataclass(frozen=True)
class Source:
    """The text of a config file and its name, for complaints about it."""

    file: Path
    text: str

    def error(self, where: Key, message: str) -> ConfigError:
        """A complaint about the value at `where`, with the line of it or of what it stands in."""
        line = self._lines.find(where)
        place = f"{self.file}, line {line}" if line else str(self.file)
        return ConfigError(f"{place}: {message}")

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self.text)

    def parse(self) -> dict[str, Any]:
        """The file's content.

        Raises:
            ConfigError: it is not TOML; names line and column.
        """
        import tomllib

        try:
            return tomllib.loads(self.text)
        except RecursionError:
            raise ConfigError(f"{self.file}: the values are nested too deeply.") from None
        except ValueError as error:
            # tomllib lets a few plain ValueErrors through, such as for a number of 5,000 digits.
            message = str(error)
            place = str(self.file)
            if match := _POSITION.search(message):
                message = message[: match.start()]
                line = match[1] or str(self.text.count("\n") + 1)
                place += f", line {line}" + (f", column {match[2]}" if match[2] else "")
            raise ConfigError(f"{place}: this is not valid TOML: {plain(message, 200)}.") from None


def read_source(file: Path) -> Source | None:
    """The config file's text; None where there is none.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        if file.exists() and not file.is_file():
            raise ConfigError(f"{file} is not a file.")
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}.") from error
    try:
        # Windows editors begin a file with a byte order mark.
        return Source(file, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}, line {line}: this is not UTF-8 text; save the file as UTF-8.") from None


def read_table(source: Source, where: Key, table: Any, kind: type, hint: Callable[[str], str]) -> dict[str, Any]:
    """The checked settings of one table, as arguments for the dataclass `kind`.

    Args:
        where: where the table stands.
        table: what TOML holds there.
        kind: a dataclass whose fields were made with `setting`.
        hint: given an unknown key, says what to do about it, or nothing.

    Raises:
        ConfigError: an unknown key, or a value that is not acceptable.
    """
    if not isinstance(table, dict):
        raise source.error(where, f"`{where[-1]}` must be a section: `[{where[-1]}]` on a line of its own.")
    checks = {f.name: f.metadata["check"] for f in fields(kind) if "check" in f.metadata}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in checks:
            raise source.error((*where, key), unknown(key, f" in {section(where)}", hint(key), checks))
        try:
            values[key] = checks[key](value)
        except Bad as error:
            place = f" in {section(where)}" if where else ""
            raise source.error((*where, key), f"`{key}`{place} {error}.") from None
    return values


def section(where: Key) -> str:
    """How the person writes the section at `where`."""
    if not where:
        return "the top of the file"
    return f"[[{where[0]}]]" if len(where) > 1 else f"[{where[0]}]"


def unknown(key: str, place: str, hint: str, names: Iterable[str]) -> str:
    """The complaint about an unknown key: `hint` where there is one, else the nearest valid name."""
    message = f"unknown key `{plain(key)}`{place}"
    if hint:
        return f"{message}; {hint}."
    if near := difflib.get_close_matches(key.lower().replace("-", "_"), list(names), n=1):
        return f"{message}; did you mean `{near[0]}`?"
    return f"{message}."


# Checks: each takes what TOML holds and returns what to keep, or raises Bad.


def is_bool(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Bad(f"must be true or false, not {shown(value)}")
    return value


def is_text(value: Any) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise Bad(f"must be text in quotes, not {shown(value)}")
    return value


def is_name(value: Any) -> str:
    """A string of printable characters with something in it; white space around it is dropped."""
    text = is_text(value).strip()
    if not text:
        raise Bad("must not be empty")
    if not text.isprintable():
        raise Bad("must not hold control characters")
    return text


def one_of(*names: str) -> Callable[[Any], str]:
    """One of a few words."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        near = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
        listed = ", ".join(f'"{name}"' for name in names)
        raise Bad(f"must be one of {listed}, not {shown(value)}" + (f' (did you mean "{near[0]}"?)' if near else ""))

    return check


def whole(least: int, most: int) -> Callable[[Any], int]:
    """A whole number in a range, both ends included."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Bad(f"must be a whole number from {least} to {most}, not {shown(value)}")
        return value

    return check


def seconds(least: float, most: float) -> Callable[[Any], float]:
    """A number of seconds in a range, both ends included."""

    def check(value: Any) -> float:
        # `nan` compares false with everything, and so is refused here too.
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise Bad(f"must be a number of seconds from {least:g} to {most:g}, not {shown(value)}")
        return float(value)

    return check
