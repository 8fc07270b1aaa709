"""Web addresses in messages: which are found, and what goes to the browser."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.tui import links


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x.", ["https://a.example/x"]),
        ("[words](https://a.example/x) and <http://b.example>", ["https://a.example/x", "http://b.example"]),
        ("[a](https://a.example/(x)), (https://b.example/y)", ["https://a.example/(x)", "https://b.example/y"]),
        ("[![i](https://a.example/i.png)](https://b.example)", ["https://a.example/i.png", "https://b.example"]),
        ("**https://a.example/?q=1&amp;r=2**", ["https://a.example/?q=1&r=2"]),
        (
            "`https://a.example/code`\n\n[1]: https://b.example/ref 'title'",
            ["https://a.example/code", "https://b.example/ref"],
        ),
        ("HTTPS://A.Example/Path https://a.example/Path", ["https://a.example/Path"]),
        ("https://b\u00fccher.example/\u00e4 \u4e2d", ["https://xn--bcher-kva.example/%C3%A4"]),
        ("https://bank.example@evil.example/", ["https://bank.example@evil.example/"]),
        ("javascript:alert(1) file:///etc/passwd data:text/html,x ftp://a.example //b.example vscode://x", []),
        ("https:// http://? https://[::1 https://a.example:port/ https://" + "a" * 3000, []),
        ("https://[::1]:80/x", ["https://[::1]:80/x"]),
    ],
)
def test_addresses_are_found_as_a_browser_takes_them(text: str, found: list[str]) -> None:
    assert links.addresses(text) == found


def test_who_is_asked_stands_behind_the_at() -> None:
    assert links.host_of("https://bank.example@evil.example/") == "evil.example"


@given(st.text() | st.text(alphabet="https:/.@[]()%#?\u202e\u200b\x1bab"))
@settings(max_examples=100)
def test_what_is_found_is_a_plain_web_address(text: str) -> None:
    for address in links.addresses(f"https://{text} http://{text}"):
        assert address.startswith(("http://", "https://"))
        assert address.isascii()
        assert address.isprintable()
        assert " " not in address
        assert links.whole(address) == address


@pytest.mark.skipif(sys.platform == "win32", reason="the browser is a shell script")
def test_the_browser_gets_the_address_alone(tmp_path: Path) -> None:
    browser, said = tmp_path / "browser", tmp_path / "said"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\nenv >> {said}\necho noise; echo noise >&2\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    environ = {"PATH": os.environ["PATH"], "BROWSER": f"{browser} %s", "ANTHROPIC_API_KEY": "sk-ant-x", "TERM": "xterm"}
    address = "https://a.example/?q=$(touch%20x);'y'&z"
    assert links.open_in_browser(address, environ)
    lines = said.read_text().splitlines()
    assert lines[0] == address
    assert not [line for line in lines if "sk-ant" in line or line.startswith("TERM=")]
    browser.write_text("#!/bin/sh\nexit 1\n")
    # Nothing else on this path could be taken for a browser.
    assert not links.open_in_browser(address, environ | {"PATH": str(tmp_path)})
