"""Hostile texts, and what may reach a terminal all the same."""

from __future__ import annotations

import re

MARK = "7331"
"""Stands in every escape sequence of these texts, and in none of convend's own."""

_ESCAPES = {
    "colour": f"\x1b[38;5;{MARK}mred",
    "clear": f"\x1b[2J\x1b[{MARK};1H\x1b[3J over it",
    "keys sent back": f"\x1b[{MARK}c\x1b[6n\x1bP$q{MARK}\x1b\\ echo",
    "window title": f"\x1b]0;{MARK}\x07\x1b]2;{MARK}\x1b\\ title",
    "link": f"\x1b]8;;http://{MARK}/\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": f"\x1b]52;c;{MARK}\x07 copied",
    "device control": f"\x1bPq{MARK}#0\x1b\\ \x1b_G{MARK}\x1b\\ \x1b^{MARK}\x1b\\ \x1bX{MARK}\x1b\\",
    "broken off": f"\x1b]0;{MARK} never ended",
    "C1": f"\x9b{MARK}m \x9d0;{MARK}\x9c \x90{MARK}\x9c \x84\x85\x8d",
    "bells and backspaces": "\x07\x08\x08\x08\x0b\x0c\x0e\x0f\x00\x7f",
    "carriage return": "safe\rEVIL\r\n\ttab",
}
_INVISIBLE = {
    "overrides": "\u202egpj.exe\u202c \u202dx\u202a\u202b",
    "isolates": "\u2066a\u2067b\u2068c\u2069 \u200e\u200f\u061c",
    "zero width": "pass\u200b\u200c\u200dword\u2060\ufeff" + "\u200b" * 300,
    "combining": "z" + "\u0301\u0335\u20dd" * 200 + "!",
    "tags": "\U000e0041\U000e0042 \U0001f3f4\U000e0067\U000e007f",
    "emoji": "👩\u200d" * 200 + "👩🏽\u200d🚀 🇩🇪" + "\ufe0f" * 50,
    "right to left": "שלום עולם مرحبا \u06dd",
    "lines": "one\u2028two\u2029three\x85four\x1cfive",
    "unassigned": "\ufffe\uffff\U0010ffff\ue000",
}
_MARKUP = {
    "markup": "[bold]b[/] [/] [@click=app.quit]quit[/] [link=http://x]l[/link] $x {y} \\[red] [red",
    "styles": "[on red]x[/on red][#fff]y[/] :smile: [not closed",
    "html": "<script>alert(1)</script><!-- --><b>b</b> &lt;&#27;[31m &#x9b;2J",
    "markdown": "[l](javascript:alert(1)) ![i](file:///etc/passwd) <http://a> [r][r]\n\n[r]: x\n\n```\x1b\n~~~",
    "entities": f"&#27;[{MARK}m &#x1b;]0;{MARK}&#7; &#155;{MARK}m &#8238;x &#0; &#x200b;",
    "long word": "w" * 1500,
    "wide": "汉" * 700,
    "format": "%s %n {0} {} %(x)s \\x1b[31m \\u001b",
}
TEXTS = _ESCAPES | _INVISIBLE | _MARKUP
"""What can stand in a file, by what it is."""

_N = 40_000
LARGE = {
    "a line of 1 MB": "x" * 1_000_000,
    "words, 1 MB": "word " * 200_000,
    "escapes": f"\x1b[{MARK}m" * 30_000,
    "zero width": "\u200b" * _N,
    "combining": "a" + "\u0301" * _N,
    "emoji": "👩\u200d" * (_N // 2),
    "overrides": "\u202e" * _N,
    "quotes": ">" * _N,
    "quotes, then lines": ">" * 1000 + "a\n" + "b\n" * (_N // 2),
    "quotes on lines": "> > > > a\n" * (_N // 10),
    "lists": "- " * (_N // 2),
    "lists on lines": "- a\n* b\n" * (_N // 8),
    "lists, deeper and deeper": "".join("  " * depth + "- a\n" for depth in range(240)),
    "brackets": "[" * _N,
    "links never closed": "[a](" * (_N // 4),
    "images in images": "![" * (_N // 2),
    "parentheses": "[a](" + "(" * _N,
    "emphasis": "*" * _N,
    "emphasis, mixed": "*a_ **b " * (_N // 8),
    "backticks": "".join("`" * length + " " for length in range(1, 340)),
    "fences": "```\n~~~\n" * (_N // 8),
    "code": "```python\n" + 'x = "a" # b\n' * (_N // 12),
    "code of brackets": "```perl\n" + "s{{{" * (_N // 16),
    "a wide table": "|" + "a|" * 8000 + "\n|" + "-|" * 8000 + "\n|" + "b|" * 8000,
    "a tall table": "|a|b|\n|-|-|\n" + "|c|d|\n" * (_N // 6),
    "definitions": "".join(f"[r{number}]: http://x/{number}\n" for number in range(_N // 20)) + "\n" + "[r1] " * 1000,
    "headings": "a\n=\n" * (_N // 4),
    "tags": "<a " * (_N // 3),
    "comments": "<!-- " * (_N // 5),
    "links": "<http://a " * (_N // 10),
    "entities": "&amp;&#27;" * (_N // 10),
    "empty lines": "\n" * _N,
    "tabs": "\t" * _N,
    "returns": "\r" * _N,
    "NUL": "\0" * _N,
}
"""What is long, or slow to parse."""

_CODE = {
    "python": 'def f(x, y="a"):  # b\n    return {"k": [x, 1.5]} or None\n',
    "javascript": 'const f = async (x) => { return `a${x}` + /re/g.exec("b") }; // c\n',
    "html": '<div class="a"><b>x</b>&amp;<script>var a = 1;</script></div>\n',
    "cpp": 'R"a( template<class T> auto f(std::vector<T>& x) -> int { return x.size(); } // c\n',
    "perl": "s{{{ s{{{ s{{{\n",
    "sql": "SELECT /* /* a, 'b FROM c;\n",
    "bash": 'for x in "$(`$("; do echo "${x%%.*}"; done\n',
    "delphi": "{(*{(*{(*\n",
}
_REPEATED = {
    "no spaces": "x",
    "wide": "汉",
    "wide words": "汉字漢字 ",
    "families": "👩\u200d🚀",
    "Hindi": "नमस्ते",
    "combining": "a\u0301\u0302\u0303",
    "overrides": "\u202eab ",
    "lines": "a\n",
    "paragraphs": "some *words* in a `paragraph` of **text** with [a link](http://x.y), as replies have them\n\n",
    "quotes": "> > > > > a\n",
    "quotes, deep": "> " * 30 + "a\n",
    "points": "- a\n",
    "points of two kinds": "- a\n* b\n",
    "points, numbered": "1. a\n",
    "points in points": "- a\n  - b\n    - c\n",
    "points, deep": "".join("  " * depth + "- a\n" for depth in range(35)),
    "brackets": "[" * 1900 + "\n\n",
    "links not closed": "[a](" * 900 + "\n\n",
    "images": "![",
    "emphasis": "*",
    "emphasis, mixed": "*a_ **b " * 400 + "\n\n",
    "emphasis, closed by more": "**a*b" * 700 + "\n\n",
    "backticks": "``` `` ` ",
    "fences": "```\n~~~\n",
    "small tables": "|a|b|\n|-|-|\n|c|d|\n\n",
    "definitions": "[r]: http://x/y\n",
    "definitions, broken": "[a]:\n",
    "headings": "# head\n",
    "headings, underlined": "a\n=\n",
    "tags": "<a ",
    "HTML": "<div>\n<p>a</p>\n</div>\n\n",
    "entities": "&amp;&#27;",
    "empty lines": "\n",
}


def of_length(length: int) -> dict[str, str]:
    """Texts of about `length` characters, by what they are."""

    def filled(text: str) -> str:
        return (text * (length // len(text) + 1))[:length]

    wide = 1000
    return {
        **{name: filled(text) for name, text in _REPEATED.items()},
        **{f"code: {language}": f"```{language}\n{filled(text)}" for language, text in _CODE.items()},
        "code in one line": "```python\n" + filled("x = 1;"),
        "a point with many": "- a\n" + filled("  - b\n"),
        "a point with lines": "- a\n" + filled("b\n"),
        "a quote with lines": ">" * wide + "a\n" + filled("b\n"),
        "a tall table": "|a|b|\n|-|-|\n" + filled("|c|d|\n"),
        "a wide table": "|" + "a|" * wide + "\n|" + "-|" * wide + "\n" + filled("|" + "b|" * wide + "\n"),
        "a table short of cells": "|" + "a|" * wide + "\n|" + "-|" * wide + "\n" + filled("|b\n"),
        "backticks, longer and longer": "".join("`" * n + " " for n in range(1, max(2, int((2 * length) ** 0.5)))),
        "a long address": "[a](http://" + filled("%c3%a4") + ")",
    }


RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""What no line on a screen may hold; the newline is looked at apart."""
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])")
OWN = re.compile(
    r"\x1b\[(?:[\d;]*m|\d+;\d+H|\?\d+(?:;\d+)*[hlu$]p?|[<>=?]?[\d;]*u|\d* ?q|K|\?\d+\$p)|\x1b\]22;[a-z-]+\x07"
)
"""What Textual writes to draw and to ask for abilities: colours, places, modes, the shape of the pointer."""


def assert_own(written: str) -> None:
    """What went to a terminal has no sequence but those that draw, and no control character beside them."""
    for sequence in (found[0] for found in SEQUENCE.finditer(written)):
        assert OWN.fullmatch(sequence), repr(sequence)
        assert MARK not in sequence, repr(sequence)
    rest = SEQUENCE.sub("", written)
    found = RAW.search(rest)
    assert found is None, repr(rest[max(0, found.start() - 60) : found.end() + 20])
