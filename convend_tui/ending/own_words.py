"""What a typed message says in the person's own words: without code, quoted blocks and quotations.

Whoever pastes a text, quotes a message or shows code is not asking for what stands in it.
"""

from __future__ import annotations

import re
from functools import cache

from markdown_it import MarkdownIt

from convend_tui.thread import records as r

LONGEST = 20_000
"""Characters. A longer message is material that was pasted; nobody asks for an end in so many words."""

_QUOTED = re.compile(
    r"""“[^”]*”|„[^“”]*[“”]|«[^»]*»|»[^«]*«|‹[^›]*›|「[^」]*」|『[^』]*』|"[^"]*"|(?<!\w)['‘][^'’]*['’](?!\w)"""
)
_TAGGED = re.compile(r"<([A-Za-z][\w-]*)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL)
_NOT_OWN = {"fence", "code_block", "html_block", "blockquote_open", "blockquote_close"}


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def of(message: r.Message) -> str:
    """The person's own words in a typed message; of one that is longer than `LONGEST`, nothing."""
    text = r.text_of(message)
    return "" if len(text) > LONGEST else unquoted(text)


def unquoted(text: str) -> str:
    """Text (CommonMark) without code, quoted blocks, tagged blocks and what stands between quotation marks."""
    found: list[str] = []
    depth = 0
    for token in _parser().parse(_TAGGED.sub("\n\n", text)):
        depth += token.nesting if token.type.startswith("blockquote") else 0
        if depth or token.type != "inline":
            continue
        words = "".join(
            "\n" if child.type.endswith("break") else child.content
            for child in token.children or ()
            if child.type in ("text", "softbreak", "hardbreak", "text_special")
        )
        found.append(words)
    # A quotation may run over several paragraphs.
    return _QUOTED.sub(" … ", "\n\n".join(found))
