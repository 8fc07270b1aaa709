"""What stands round the conversation on the page: its dialogs, its data, its script and style."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

_KEYS: Final = (
    (("j", "k"), "next, previous message"),
    (("[", "]"), "previous, next branch here, or at the nearest fork; also ← →"),
    (("Home", "End"), "first, last message of this branch"),
    (("t",), "the tree as an outline"),
    (("d",), "light, dark, or as the system has it"),
    (("?",), "these keys"),
    (("Esc",), "closes what is open"),
)


def dialogs() -> Iterator[str]:
    """The outline and the keys, which the script opens."""
    close = '<button type="button" class="close">Close</button>'
    yield f'<dialog id="outline" aria-labelledby="outline-title"><h2 id="outline-title">Tree</h2>{close}'
    yield '<div id="rows" role="tree" aria-label="Messages"></div></dialog>\n'
    yield f'<dialog id="keys" aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>{close}<dl>\n'
    for keys, words in _KEYS:
        yield f"<div><dt>{' '.join(f'<kbd>{key}</kbd>' for key in keys)}</dt><dd>{words}</dd></div>\n"
    yield "</dl></dialog>\n"


def as_json(value: dict[str, Any]) -> str:
    """JSON that no parser of HTML or JavaScript takes for anything else."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def file(name: str) -> str:
    """A file of this package."""
    return resources.files("convend_tui.exchange").joinpath(name).read_text("utf-8")


def source_of(text: str) -> str:
    """A source of the Content-Security-Policy: this text and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
