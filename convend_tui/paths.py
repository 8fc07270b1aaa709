"""Where things are. `CONVEND_HOME` puts all of it in one folder; else the platform's own folders are used."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from convend_tui.errors import ConfigError, StoreError

APP = "convend"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files of one installation. Nothing is created by looking."""

    config_file: Path
    """config.toml"""
    data: Path
    """What must never be lost: threads and blobs; the built-in model's weights lie here too."""
    cache: Path
    """What can be thrown away at any time."""
    state: Path
    """Drafts, partial replies, locks, where the person was."""

    @property
    def threads(self) -> Path:
        """One `<thread id>.jsonl` a thread."""
        return self.data / "threads"

    @property
    def blobs(self) -> Path:
        """Attachments by content: `blobs/<sha256>`."""
        return self.data / "blobs"

    @property
    def models(self) -> Path:
        """Weights of the built-in model."""
        return self.data / "models"

    @property
    def trash(self) -> Path:
        """Thread files that were thrown away, until the person empties it."""
        return self.data / "trash"

    @property
    def partial(self) -> Path:
        """Checkpoints of replies that are still streaming."""
        return self.state / "partial"

    @property
    def locks(self) -> Path:
        """Lock files of thread files; apart from them, so that no synchroniser copies a lock."""
        return self.state / "locks"

    @property
    def drafts(self) -> Path:
        """What was typed and not yet sent."""
        return self.state / "drafts"


def find() -> Paths:
    """The paths in force, from `CONVEND_HOME` or the platform.

    Raises:
        ConfigError: `CONVEND_HOME` names nothing that could be a folder.
    """
    if home := os.environ.get("CONVEND_HOME"):
        try:
            root = Path(home).expanduser().absolute()
        except RuntimeError:
            raise ConfigError(f"CONVEND_HOME is {home}: there is no such home folder.") from None
        except OSError as error:
            raise ConfigError(f"CONVEND_HOME is {home}, within a folder that is gone: {error.strerror}.") from None
        return Paths(root / "config.toml", root, root / "cache", root / "state")
    return Paths(
        platformdirs.user_config_path(APP, appauthor=False) / "config.toml",
        platformdirs.user_data_path(APP, appauthor=False),
        platformdirs.user_cache_path(APP, appauthor=False),
        platformdirs.user_state_path(APP, appauthor=False),
    )


def ensure(folder: Path) -> Path:
    """Create a folder, readable by its owner alone, and return it.

    Raises:
        StoreError: it cannot be created; the message names it and says why.
    """
    try:
        missing = [folder] if not folder.is_dir() else []
        while missing and not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        for made in reversed(missing):
            made.mkdir(mode=0o700, exist_ok=True)
            _sync(made.parent)
    except OSError as error:
        raise StoreError(f"{folder} cannot be created: {error.strerror or error}.") from error
    return folder


def _sync(folder: Path) -> None:
    """A power cut must not take a new folder away with all that was synced in it."""
    if os.name == "nt":
        return
    with suppress(OSError):  # not every file system syncs folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
