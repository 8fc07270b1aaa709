"""The web addresses in a message, and opening one. What is opened is what was shown: the address, in full, and never
the words that a message gives it."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

MOST: Final = 200
"""Addresses of one message."""
LONGEST: Final = 2_000
"""Characters of one: no browser promises to take more."""
_WAIT_S: Final = 10.0
"""A browser that has not failed by then is open."""
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`\\|\x00-\x1f\x7f]{1,2000}", re.IGNORECASE)
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_SAFE: Final = "/?:@!$&'()*+,;=%~-._[]"
# In a process of its own, that what a browser prints does not come to the screen. `webbrowser` starts no shell.
_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


def addresses(text: str) -> list[str]:
    """The http and https addresses in a text (Markdown or not), each once, in order, as `whole` makes them."""
    found: dict[str, None] = {}
    place = 0
    while len(found) < MOST and (match := _ADDRESS.search(text, place)) is not None:
        typed = _without_end(match[0])
        place = match.start() + max(len(typed), len("http://"))
        if (address := whole(html.unescape(typed))) is not None:
            found[address] = None
    return list(found)


def whole(address: str) -> str | None:
    """An address as it goes to the browser: its host as the network has it (`xn--…`), all else percent-encoded. None
    where it is none, or longer than `LONGEST`."""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
    except ValueError:  # a port that is none, half an IPv6 address, a host that is no name
        return None
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[a-z0-9._:-]+", host):
        return None
    host = f"[{host}]" if ":" in host else host
    user = f"{quote(parts.netloc.rpartition('@')[0], safe=_SAFE)}@" if "@" in parts.netloc else ""
    place = f"{user}{host}{f':{port}' if port is not None else ''}"
    rest = (quote(part, safe=_SAFE, errors="replace") for part in (parts.path, parts.query, parts.fragment))
    encoded = urlunsplit((parts.scheme, place, *rest))
    return encoded if len(encoded) <= LONGEST else None


def host_of(address: str) -> str:
    """Who is asked, whatever else the address says before an `@`."""
    return urlsplit(address).hostname or ""


def open_in_browser(address: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Open an address in the person's browser. Blocks until it is open, at most some seconds. False: there is none."""
    # A browser in this terminal would fight with the screen for it: without TERM none is tried.
    given = {k: v for k, v in environ.items() if k != "TERM" and not k.startswith("ANTHROPIC_")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _OPEN, address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=given,
            start_new_session=True,
            timeout=_WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False
    return done.returncode == 0


def _without_end(address: str) -> str:
    """Without the punctuation of the sentence, and the brackets of the Markdown, that it stands in."""
    while address:
        last = address[-1]
        if last in ".,;:!?*_~…" or (last in _CLOSING and address.count(last) > address.count(_CLOSING[last])):
            address = address[:-1]
        else:
            break
    # `[![image](https://a.example/)](https://b.example/)`: the first one ends where its bracket does.
    opened = 0
    for place, character in enumerate(address):
        opened += (character == "(") - (character == ")")
        if opened < 0:
            return _without_end(address[:place])
    return address
