"""Pages of HTML: as a browser without scripts reads them, and what may be in them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

from convend_tui.exchange.html import page
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from tests.making import SETTINGS, Branch, at, call, header

TAGS = set(
    re.findall(
        r"\w+",
        "html head meta link title style body a div header h1 h2 h3 h4 h5 h6 p noscript main article script dialog "
        "button dl dt dd kbd time span section details summary ul ol li strong em s code pre blockquote hr br table "
        "thead tbody tr th td figure img figcaption",
    )
)
ATTRIBUTES = set(
    re.findall(
        r"[\w-]+",
        "lang charset http-equiv content name rel href class id data-number tabindex hidden role aria-label "
        "aria-labelledby datetime dir target type start alt src",
    )
)
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</noscript><script>alert(1)</script>",
    "</article></main></style></title></textarea><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>--><svg onload=alert(1)>",
    '"><a href="javascript:alert(1)" onclick="alert(1)">x</a>',
    "[x](javascript:alert(1)) [y](  JaVaScRiPt:alert(1)) [z](data:text/html,<script>alert(1)</script>)",
    "[x](&#106;avascript:alert(1)) [y](java&Tab;script:alert(1)) [z](vbscript:x)",
    "[f](file:///etc/passwd) [r](//evil.example) [s](/x) [t](#m-b) [u](mailto:) [v](http:/x)",
    "![i](http://evil.example/pixel.png) ![j](javascript:alert(1)) ![k](//evil.example/x.png)",
    "<javascript:alert(1)> <https://evil.example/'onmouseover='alert(1)>",
    '[x](https://evil.example/"onmouseover="alert(1)) [y](https://evil.example "t\\" onclick=alert(1)")',
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "[a]: javascript:alert(1)\n[a] ![a]",
    "| <img src=x onerror=alert(1)> | `</td>` |\n|:--|--:|\n| a | b |",
    "\u202eoverride\u2066 &#x202e; \u2028\u2029 \x00\x1b[31m \x7f\x9b \ud800 &#xD800; \U000e0041",
    "${alert(1)} {{alert(1)}} \\u003cscript\\u003e \\",
]


class Parsed(HTMLParser):
    """A page as a browser without scripts reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.words = ""
        self.comments: list[str] = []
        self._raw: list[str] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        raw = {"script": self.scripts, "style": self.styles}.get(tag)
        if raw is not None:
            raw.append("")
        self._raw = raw

    def handle_endtag(self, tag: str) -> None:
        self._raw = None

    def handle_data(self, data: str) -> None:
        if self._raw is not None:
            self._raw[-1] += data
        else:
            self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def data(self) -> dict[str, Any]:
        value = json.loads(self.scripts[0])
        assert isinstance(value, dict)
        return value

    def attributes(self, tag: str, name: str) -> list[str | None]:
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]


def written(thread: Thread, leaf: str | None = None, **options: Any) -> str:
    return "".join(page(thread, leaf, **options))


def parsed(thread: Thread, leaf: str | None = None, **options: Any) -> Parsed:
    return Parsed(written(thread, leaf, **options))


def message(name: str, parent: str | None, number: int, words: str = "", **more: Any) -> r.Message:
    role: r.Role = more.pop("role", "user" if number % 2 else "assistant")
    given = {"kind": "typed" if role == "user" else "reply", "content": [{"type": "text", "text": words or name}]}
    return r.Message(at=at(number), id=name, parent=parent, role=role, **(given | more))


def forked(*records: Any) -> Thread:
    """a - b - c - d, and beside c: e - f."""
    messages = [message("a", None, 1), message("b", "a", 2), message("c", "b", 3), message("d", "c", 4)]
    messages += [message("e", "b", 5), message("f", "e", 6)]
    return Thread(header(), [*messages, *records])


def check_safe(text: str) -> Parsed:
    """Nothing in the page but what convend writes."""
    text.encode("utf-8")
    found = Parsed(text)
    assert {tag for tag, _ in found.tags} <= TAGS
    assert {name for _, attrs in found.tags for name in attrs} <= ATTRIBUTES
    assert not found.comments
    for address in found.attributes("a", "href"):
        assert re.match(r"https?://[^\s]|mailto:[^\s]|#(m-|transcript$)", str(address)), address
    for address in found.attributes("img", "src"):
        assert re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+", str(address))
    for tag, attrs in found.tags:
        if tag == "a" and str(attrs["href"]).startswith(("http", "mailto")):
            assert attrs["rel"] == "noopener noreferrer nofollow"
    return found


def ended(**more: Any) -> Thread:
    branch = Branch().typed("Hello").reply("This is a warning, the last one.", model="claude-x").typed("No!")
    branch.reply("Enough.", call(), model="claude-x")
    evidence = [{"kind": "warning", "message": branch.path[1].id, "quote": "a warning, the last one"}]
    lock = r.Ended(
        at=at(95), message=branch.last, cause="persistent_abuse", explanation="It went <on>.", evidence=evidence
    )
    verdict = r.Verdict(at=at(95), message=branch.last, outcome="ended", evidence=evidence, **more)
    other = message("other", branch.path[1].id, 50)
    return branch.thread(SETTINGS, verdict, lock, other)
