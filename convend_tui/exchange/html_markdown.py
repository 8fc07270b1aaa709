"""Markdown of a reply as safe HTML: every tag and attribute is written here, none is taken from the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from convend_tui.plain import one_line, visible

_MAX_MARKDOWN: Final = 500_000
"""Characters of one message; beyond, it is shown as plain text."""
_MAX_NESTING: Final = 40
"""Levels of quotations and lists; beyond, the parser drops text, so such a message is shown as it was typed."""
_MAX_INLINE: Final = 64_000
_MAX_BRACKETS: Final = 2_000
"""Limits on one paragraph. Beyond, it is data more than prose, or made to keep the parser busy."""
_LONGEST_LANGUAGE: Final = 40
_SAFE_LINK: Final = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]", re.IGNORECASE)
_TAGS: Final = {
    **dict.fromkeys(("paragraph_open", "paragraph_close"), "p"),
    **dict.fromkeys(("blockquote_open", "blockquote_close"), "blockquote"),
    **dict.fromkeys(("bullet_list_open", "bullet_list_close"), "ul"),
    "ordered_list_close": "ol",
    **dict.fromkeys(("list_item_open", "list_item_close"), "li"),
    **dict.fromkeys(("thead_open", "thead_close"), "thead"),
    **dict.fromkeys(("tbody_open", "tbody_close"), "tbody"),
    **dict.fromkeys(("tr_open", "tr_close"), "tr"),
    **dict.fromkeys(("strong_open", "strong_close"), "strong"),
    **dict.fromkeys(("em_open", "em_close"), "em"),
    **dict.fromkeys(("s_open", "s_close"), "s"),
    "th_close": "th",
    "td_close": "td",
    "link_close": "a",
}
_FIXED: Final = {
    "hr": "<hr>\n",
    "hardbreak": "<br>\n",
    "softbreak": "\n",
    "table_open": '<div class="table" tabindex="0"><table>',
    "table_close": "</table></div>\n",
}


def shown(text: str) -> str:
    """Text as HTML that shows it: escaped, and what would hide or reorder it made visible."""
    return escape(visible(text))


def plain(text: str) -> str:
    """Text as it was typed, its line breaks kept."""
    return f'<div class="plain" dir="auto">{shown(text)}</div>'


def markdown(text: str) -> str:
    """Markdown as HTML. HTML in it is text; links go to http, https and mailto only; images are links."""
    source = visible(text)
    if len(source) > _MAX_MARKDOWN:
        return plain(source)
    env: dict[str, Any] = {}
    tokens = _parser().parse(source, env)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        return plain(source)
    return f'<div class="md" dir="auto">{_parser().renderer.render(tokens, _parser().options, env)}</div>'


class _Renderer(RendererHTML):
    """Writes every tag and attribute itself: what it does not know, it writes as text."""

    def render(self, tokens: Sequence[Token], options: Any, env: Any) -> str:
        """HTML of block tokens."""
        parts = (
            self.renderInline(token.children or [], options, env) if token.type == "inline" else self._one(token)
            for token in tokens
        )
        return "".join(parts)

    def renderInline(self, tokens: Sequence[Token], options: Any, env: Any) -> str:
        """HTML of the tokens within a block."""
        return "".join(map(self._one, tokens))

    def _one(self, token: Token) -> str:
        kind = token.type
        if kind in _FIXED:
            return _FIXED[kind]
        if token.hidden:  # the paragraphs of a tight list
            return "\n" if token.nesting < 0 else ""
        if kind in _TAGS:
            return f"</{_TAGS[kind]}>" if token.nesting < 0 else f"<{_TAGS[kind]}>"
        match kind:
            case "heading_open" | "heading_close":
                # The page has an h1, and each message is below an h2.
                tag = f"h{min(6, int(token.tag[1:]) + 2)}"
                return f"</{tag}>\n" if token.nesting < 0 else f'<{tag} class="{token.tag}">'
            case "ordered_list_open":
                start = str(token.attrs.get("start", 1))
                return f'<ol start="{start}">' if start.isdecimal() and start != "1" else "<ol>"
            case "th_open" | "td_open":
                side = str(token.attrs.get("style", "")).rpartition(":")[2]
                return f'<{token.tag} class="{side}">' if side in ("center", "right") else f"<{token.tag}>"
            case "link_open":
                return f"<a {link_to(str(token.attrs.get('href', '')))}>"
            case "image":
                return _image(token)
            case "code_inline":
                return f"<code>{shown(token.content)}</code>"
            case "fence" | "code_block":
                return code(token.content, token.info)
        return shown(token.content)


def link_to(address: str) -> str:
    """The attributes of a link; none for an address that may not be one."""
    if not _SAFE_LINK.match(address):
        return ""
    return f'href="{escape(visible(address))}" target="_blank" rel="noopener noreferrer nofollow"'


def code(text: str, info: str = "") -> str:
    """A block of code, with the first word of `info` for its language."""
    words = one_line(info).split()
    language = one_line(words[0], _LONGEST_LANGUAGE) if words else ""
    named = f'<span class="lang">{escape(language)}</span>' if language else ""
    label = escape(f"Code, {language}" if language else "Code")
    body = shown(text.rstrip("\n"))
    block = f'<pre tabindex="0" role="region" aria-label="{label}"><code>{body}</code></pre>'
    return f'<div class="code">{named}{block}</div>\n'


def _image(token: Token) -> str:
    """An image is never loaded: its description, and its address to go to."""
    address = str(token.attrs.get("src", ""))
    words = shown(_words(token.children or [])) or "image"
    return f'<a class="image" {link_to(address)}>{words}</a>' if link_to(address) else f"<span>{words}</span>"


def _words(tokens: Sequence[Token]) -> str:
    return "".join(_words(token.children) if token.children else token.content for token in tokens)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.at("inline", _inline)
    # Also what the parser takes for a link by itself: an address that is not allowed leaves the text as it was typed.
    parser.validateLink = _may_link  # type: ignore[assignment, method-assign]
    return parser


def _may_link(address: str) -> bool:
    return _SAFE_LINK.match(address) is not None


def _inline(state: StateCore) -> None:
    """The parser's own rule, but for paragraphs that would keep it busy for long: they are text."""
    for token in state.tokens:
        if token.type != "inline":
            continue
        token.children = []
        if len(token.content) > _MAX_INLINE or token.content.count("[") > _MAX_BRACKETS:
            token.children.append(Token("text", "", 0, content=token.content))
        else:
            state.md.inline.parse(token.content, state.md, state.env, token.children)
