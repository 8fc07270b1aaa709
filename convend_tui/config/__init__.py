"""Settings: config.toml, the environment, and what the person chose in the app.

settings.py says what there is, load.py reads it, source.py and lines.py complain well, key.py fetches keys,
choices.py keeps the app's own choices, show.py prints the settings in force and writes the example.
"""

from __future__ import annotations

from convend_tui.config.choices import Choices, load_choices, save_choices
from convend_tui.config.load import load
from convend_tui.config.settings import (
    DEFAULT_BASE_URL,
    DEFAULT_MODEL,
    LOCAL_MODEL,
    LOCAL_SERVER,
    Config,
    Ending,
    Local,
    Network,
    Price,
    Server,
    Ui,
)
from convend_tui.config.show import example_text, show, write_example

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_MODEL",
    "LOCAL_MODEL",
    "LOCAL_SERVER",
    "Choices",
    "Config",
    "Ending",
    "Local",
    "Network",
    "Price",
    "Server",
    "Ui",
    "example_text",
    "load",
    "load_choices",
    "save_choices",
    "show",
    "write_example",
]
