"""What the person chose in the app: kept in `state/choices.toml`, since config.toml is the person's alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convend_tui.files import read_regular, set_aside, write_atomic
from convend_tui.paths import Paths


@dataclass(frozen=True, slots=True)
class Choices:
    """None everywhere: nothing chosen yet, config.toml and the defaults decide."""

    theme: str | None = None
    """The theme."""
    model: str | None = None
    """The model for new threads, as `server/model`."""
    last_thread: str | None = None
    """The id of the thread that was open."""
    list_open: bool | None = None
    """Whether the thread list was unfolded."""
    tour: bool | None = None
    """Whether the tour was given."""


_TYPES: dict[str, type] = {"theme": str, "model": str, "last_thread": str, "list_open": bool, "tour": bool}


def choices_file(paths: Paths) -> Path:
    """Where the choices are kept."""
    return paths.state / "choices.toml"


def load_choices(paths: Paths) -> Choices:
    """The choices; what is missing, broken or unreadable counts as not chosen. Never fails."""
    try:
        return _read(choices_file(paths))
    except (OSError, ValueError, RecursionError):
        return Choices()


def save_choices(paths: Paths, choices: Choices) -> Path | None:
    """Replace the choices on disk, in one step. What is there and cannot be read is put aside before that; returns
    where it is then.

    Raises:
        StoreError: the disk refused.
    """
    values = {name: value for name, value in asdict(choices).items() if value is not None}
    import tomli_w

    file, aside = choices_file(paths), None
    try:
        _read(file)
    except (ValueError, RecursionError):
        aside = set_aside(file)
    except OSError:
        pass  # most likely there is none
    # A name from the command line may hold what is not Unicode.
    write_atomic(file, tomli_w.dumps(values).encode("utf-8", "replace"))
    return aside


def _read(file: Path) -> Choices:
    """The choices in a file; a value of another type counts as not chosen.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read.
    """
    text = read_regular(file).decode("utf-8")
    import tomllib  # takes as long to load as this whole package: only where there is something to read

    found: dict[str, Any] = tomllib.loads(text)
    return Choices(**{name: found[name] for name, kind in _TYPES.items() if isinstance(found.get(name), kind)})
