"""What a typed message says in the person's own words: without code, quoted blocks, pasted mark-up and quotations.

Whoever pastes a text, quotes a message or shows code is not asking for what stands in it. What is left comes in pieces,
since words on both sides of something quoted make no sentence together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from convend_tui.thread import records as r

LONGEST = 20_000
"""Characters. A longer message is material that was pasted; nobody asks for an end in so many words."""

DEEPEST = 50
"""Quotations in quotations that are told apart; the outermost are what counts."""

CUT = "\0"
"""Stands where something was left out."""

_LOOK = frozenset(
    ("a", "b", "big", "br", "em", "font", "hr", "i", "mark", "p", "s", "small", "span", "strong", "sub", "sup", "u")
)
"""Tags that say how words look, not whose they are."""
_WRAPPERS = frozenset(
    (
        *("article", "attachment", "chat", "cite", "code", "content", "context", "conversation", "doc", "document"),
        *(
            "email",
            "example",
            "file",
            "input",
            "instructions",
            "letter",
            "log",
            "mail",
            "message",
            "msg",
            "note",
            "page",
        ),
        *("paper", "pre", "prompt", "q", "quote", "quotation", "blockquote", "report", "source", "story", "system"),
        *("text", "tool", "transcript", "user", "assistant"),
    )
)
"""Tags that hold material, also where nobody closed them."""
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)\b[^<>]*?(/?)>|\[(/?)(quote|code)\b[^\]]*\]", re.IGNORECASE)

_CLOSERS = {
    "“": "”",
    "„": "“”„",
    "‟": "”",
    "«": "»",
    "»": "«»",
    "‹": "›",
    "›": "‹›",
    "”": "”",
    "「": "」",
    "『": "』",
    "《": "》",
    "〈": "〉",
    "｢": "｣",
    "〝": "〞〟",
    "‚": "‘’",
    "‘": "’",
    '"': '"',
    "＂": "＂",
    "״": "״",
    "''": "''",
    "``": "''``",
    "'": "'",
}
_MARK = re.compile("''|``|[“„‟«»‹›”「」『』《》〈〉｢｣〝〞〟‚‘’\"＂״']")
_CONTRACTED = re.compile(r"['’‘](?:\d|(?:til|tis|twas|cause|em|n|bout|round|s)\b)", re.IGNORECASE)
"""What has lost its beginning: 'til, the '90s."""


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def of(message: r.Message) -> list[str]:
    """The person's own words in a typed message, in pieces; of one that is longer than `LONGEST`, none."""
    text = r.text_of(message)
    return [] if len(text) > LONGEST else unquoted(text)


def unquoted(text: str) -> list[str]:
    """The pieces of a text (CommonMark) without code, quoted blocks, pasted mark-up and quotations."""
    plain = _without_quotations(CUT.join(_paragraphs(text)))
    return [piece for piece in re.split(f"{CUT}+", plain) if piece.strip()]


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs outside code and quoted blocks, with `CUT` and line feeds between; tags are followed."""
    tags = _Tags({match[2].lower() for match in _TAG.finditer(text) if match[1]})
    depth = 0
    for token in _parser().parse(text.replace(CUT, " ")):
        depth += token.nesting if token.type.startswith("blockquote") else 0
        if token.type == "html_block":
            # What stands in it is left out; what it opens may go on below it.
            tags.follow(token.content)
        elif token.type == "inline" and not depth:
            yield "\n\n" + _words(token.children or (), tags)


def _words(tokens: Sequence[Token], tags: _Tags) -> str:
    found: list[str] = []
    for token in tokens:
        if token.type == "html_inline":
            found.append(CUT if tags.follow(token.content) or tags.inside else "")
        elif token.type in ("text", "text_special"):
            found.append(tags.follow_text(token.content))
        elif token.type.endswith("break"):
            found.append("\n")
        elif token.type in ("code_inline", "image"):
            found.append(CUT)
    return "".join(found)


class _Tags:
    """Which tags of the text are open. `closed` are the names that are closed somewhere in it."""

    def __init__(self, closed: set[str]) -> None:
        self._closed = closed
        self._open: list[str] = []

    @property
    def inside(self) -> bool:
        return bool(self._open)

    def follow(self, mark_up: str) -> bool:
        """Take the tags of some mark-up. True where any of them holds material."""
        taken = [self._take(match) for match in _TAG.finditer(mark_up)]
        return any(taken)

    def follow_text(self, text: str) -> str:
        """Text without what stands in tags (of the kind that CommonMark does not know)."""
        found, at = [], 0
        for match in _TAG.finditer(text):
            found.append(CUT if self.inside else text[at : match.start()])
            if self._take(match):
                found.append(CUT)
            at = match.end()
        found.append(CUT if self.inside else text[at:])
        return "".join(found)

    def _take(self, match: re.Match[str]) -> bool:
        name = (match[2] or match[5]).lower()
        if name in _LOOK or match[3] or not (name in self._closed or name in _WRAPPERS or match[5]):
            return False
        if not (match[1] or match[4]):
            self._open.append(name)
        elif name in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(name) :]
        return True


def _without_quotations(text: str) -> str:
    """`CUT` for each quotation, with all that is nested in it. One that nobody closed goes to its paragraph's end."""
    ends = [match.start() for match in re.finditer("\n\n", text)] + [len(text)]
    open_: list[tuple[int, str]] = []
    hidden: list[tuple[int, int]] = []
    for match in _MARK.finditer(text):
        mark, at = match[0], match.start()
        place = next((i for i in range(len(open_) - 1, -1, -1) if mark in _CLOSERS[open_[i][1]]), None)
        if place is not None and _may_close(text, match):
            hidden.append((open_[place][0], match.end()))
            del open_[place:]
        elif mark in _CLOSERS and len(open_) < DEEPEST and _may_open(text, match):
            open_.append((at, mark))
    hidden += [(at, next(end for end in ends if end >= at)) for at, _ in open_]
    found, last = [], 0
    for low, high in sorted(hidden):
        if low > last:
            found.append(text[last:low])
        if high > last:
            found.append(CUT)
            last = high
    return "".join([*found, text[last:]])


def _may_open(text: str, match: re.Match[str]) -> bool:
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if match[0] in "'‘":
        return not before.isalnum() and after.isalnum() and not _CONTRACTED.match(text, match.start())
    return not (match[0] == '"' and before.isdigit())  # inches


def _may_close(text: str, match: re.Match[str]) -> bool:
    if match[0] in "'’‘":
        return not text[match.end() : match.end() + 1].isalnum()
    return True
