"""A thread as one page of HTML that needs nothing else: the tree as data, and a small script to walk it.

The page may load nothing and run nothing but its own script (a Content-Security-Policy with hashes). The messages of
the current path stand in <noscript> elements, so that they can be read without the script; the script takes them from
there, and the other messages from the data. Nothing is in the page that thread/seen.py keeps secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

from convend_tui.ending.marks import warned
from convend_tui.ending.tool import cause_in_words
from convend_tui.errors import ConvendError
from convend_tui.exchange.html_frame import as_json, dialogs, file, source_of
from convend_tui.exchange.html_markdown import link_to, markdown, plain, shown
from convend_tui.exchange.incoming import MISSING, TOOL, digest
from convend_tui.plain import one_line
from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.outline import preview
from convend_tui.thread.runs import walk
from convend_tui.thread.tree import Thread

LoadBlob = Callable[[str], bytes]

_PREVIEW: Final = 90
_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_SILENT: Final = ("text", "thinking", "redacted_thinking", "tool_use", "tool_result")
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CUT: Final = {
    "max_tokens": "Cut short: the answer reached its longest length.",
    "model_context_window_exceeded": "Cut short: the conversation is as long as the model can read.",
}
_USUAL: Final = ("end_turn", "stop_sequence", "tool_use", "pause_turn", None)
_CITED: Final = {"redirection": "A redirection", "warning": "The warning", "request": "The person’s request"}


@dataclass(slots=True)
class _Node:
    """A message that can be seen, among those that can be seen."""

    message: r.Message
    parent: int
    """-1: none."""
    hidden: bool
    children: list[int] = field(default_factory=list)
    next: int = -1
    """The child through which the branch goes that was used last; -1: it ends here."""


def page(thread: Thread, leaf: str | None, *, load_blob: LoadBlob | None = None) -> Iterator[str]:
    """The whole tree as one page of HTML, in pieces.

    Args:
        leaf: the page opens with the branch through this message; None: where the thread was left.
        load_blob: SHA-256 in hexadecimal to the bytes of an attachment; without it, and where it raises a
            ConvendError, images are named and not shown.
    """
    yield from _Page(thread, leaf, load_blob).pieces()


class _Page:
    def __init__(self, thread: Thread, leaf: str | None, load_blob: LoadBlob | None) -> None:
        self.thread = thread
        self.load_blob = load_blob
        self.nodes: list[_Node] = []
        self.numbers: dict[str, int] = {}
        """Of every message in the thread: its node, or the one nearest above it; -1: there is none."""
        self.roots: list[int] = []
        self._read()
        self.leaf = self._leaf(leaf)

    # -- the tree ---------------------------------------------------------------------------------------

    def _read(self) -> None:
        thread = self.thread
        for message, hidden in walk(thread):
            above = thread.parent(message.id)
            parent = self.numbers[above] if above is not None else -1
            # An ending is told in any case, whatever else the file says of its message.
            if thread.unseen(message) and message.id not in thread.ended:
                self.numbers[message.id] = parent
                continue
            number = self.numbers[message.id] = len(self.nodes)
            self.nodes.append(_Node(message, parent, hidden))
            self.siblings_below(parent).append(number)
        # Each message is on one way down from where the ways fork, so all of them together cost one walk.
        done: set[str] = set()
        for message, _ in walk(thread):
            if message.id in done:
                continue
            below = -1
            for one in thread.ancestry(thread.last_leaf(message.id)):
                number = self.numbers[one.id]
                if number >= 0 and self.nodes[number].message is one:
                    self.nodes[number].next, below = below, number
                done.add(one.id)
                if one is message:
                    break

    def _leaf(self, wanted: str | None) -> int:
        """The number of the message at the end of the path that is shown first; -1: there are none."""
        known = wanted if wanted in self.thread.messages else self.thread.leaf
        number = self.numbers[known] if known is not None else -1
        number = number if number >= 0 or not self.nodes else 0
        while number >= 0 and self.nodes[number].next >= 0:
            number = self.nodes[number].next
        return number

    def siblings_below(self, parent: int) -> list[int]:
        """The numbers of the messages below one; of the roots for -1."""
        return self.nodes[parent].children if parent >= 0 else self.roots

    def path(self) -> list[int]:
        """The numbers of the messages on the path that is shown first, from the root."""
        found, number = [], self.leaf
        while number >= 0:
            found.append(number)
            number = self.nodes[number].parent
        return found[::-1]

    def place(self, number: int) -> str:
        """`2/3` among the branches at its place, those apart that were hidden there; empty where there is one."""
        node = self.nodes[number]
        hidden = node.parent >= 0 and self.nodes[node.parent].hidden
        beside = [i for i in self.siblings_below(node.parent) if i == number or self.nodes[i].hidden == hidden]
        return f"{beside.index(number) + 1}/{len(beside)}" if len(beside) > 1 else ""

    # -- the page ---------------------------------------------------------------------------------------

    def pieces(self) -> Iterator[str]:
        """The page, from its first character to its last."""
        yield from self._head()
        yield '<main id="transcript" tabindex="-1">\n'
        on_path = set[int]()
        for number in self.path():
            on_path.add(number)
            node = self.nodes[number]
            yield f'<noscript data-number="{number}"><article class="{self._classes(node)}" id="m-{_id(node.message)}">'
            yield self._message(number, self.place(number))
            yield "</article></noscript>\n"
        if not self.nodes:
            yield '<p class="note">There are no messages in this thread.</p>\n'
        yield "</main>\n"
        yield from dialogs()
        yield f'<script type="application/json" id="data">{{"leaf":{self.leaf},"messages":[\n'
        for number in range(len(self.nodes)):
            yield ",\n" * (number > 0) + as_json(self._data(number, with_body=number not in on_path))
        yield "\n]}</script>\n"
        yield f"<script>{file('page.js')}</script>\n</body>\n</html>\n"

    def _head(self) -> Iterator[str]:
        title = shown(one_line(self.thread.title))
        style = file("page.css")
        policy = (
            f"default-src 'none'; script-src {source_of(file('page.js'))}; style-src {source_of(style)}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        )
        yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        yield '<meta name="referrer" content="no-referrer">\n<meta name="generator" content="convend">\n'
        # Without an icon of its own the browser asks the server for one.
        yield f'<link rel="icon" href="data:,">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n'
        yield '<a class="skip" href="#transcript">Skip to the conversation</a>\n'
        yield '<div class="bar" id="bar" hidden></div>\n'
        yield f'<header class="top"><h1 dir="auto">{title}</h1>\n<p class="facts">{self._facts()}</p>\n'
        yield "<noscript><p>This is one path of the tree. With JavaScript the page shows the others too.</p></noscript>"
        yield '</header>\n<p class="quiet" id="said" role="status"></p>\n'

    def _facts(self) -> str:
        ends = [node for node in self.nodes if not node.children]
        hidden = sum(node.hidden for node in ends)
        ended = sum(node.message.id in self.thread.ended for node in self.nodes)
        facts = [_count(len(self.nodes), "message"), _count(len(ends), "branch", "branches")]
        facts += [f"{ended:,} ended"] if ended else []
        facts += [f"{hidden:,} hidden"] if hidden else []
        return " · ".join([_time(self.thread.header.at), *facts, "saved by convend"])

    def _classes(self, node: _Node) -> str:
        parent = self.nodes[node.parent].message if node.parent >= 0 else None
        # After a call the model goes on in a message of its own, without a head of its own.
        more = parent is not None and parent.role == node.message.role == "assistant"
        return " ".join(["message", node.message.role, *["more"] * more, *["hidden-branch"] * node.hidden])

    def _data(self, number: int, *, with_body: bool) -> dict[str, Any]:
        node = self.nodes[number]
        message, parent = node.message, node.parent
        data: dict[str, Any] = {
            "id": _id(message),
            "parent": parent,
            "class": self._classes(node),
            "who": _who(message),
        }
        data["preview"] = preview(message, _PREVIEW)
        if node.next >= 0:
            data["next"] = node.next
        if node.hidden:
            data["hidden"] = True
        if message.id in self.thread.ended:
            data["ended"] = True
        elif not node.children and warned(self.thread, message.id):
            data["warned"] = True
        if label := self._label(message):
            data["label"] = label
        if with_body:
            data["html"] = self._message(number)
        return data

    # -- a message ----------------------------------------------------------------------------------------

    def _label(self, message: r.Message) -> str:
        given = self.thread.labels.get(message.id)
        return one_line(given.label, _PREVIEW) if given is not None else ""

    def _message(self, number: int, place: str = "") -> str:
        """A message as HTML: who and when, thinking, words, attachments, notes, and the notice of an ending."""
        node = self.nodes[number]
        message = node.message
        parts = [f'<header><h2 class="who">{shown(_who(message))}</h2> {_time(message.at)}']
        if label := self._label(message):
            parts.append(f' <span class="label">⚑ {shown(label)}</span>')
        if node.hidden:
            parts.append(' <span class="mark">(hidden)</span>')
        parts.append(f' <span class="place">{place}</span></header>\n')
        parts += _thinking(message)
        if text := r.text_of(message).strip("\n"):
            parts.append(plain(text) if message.role == "user" else markdown(text))
        parts += [self._block(block) for block in message.content if block.get("type") not in _SILENT]
        parts += [f'<p class="note">{shown(note)}</p>\n' for note in self._notes(message)]
        if (ended := self.thread.ended.get(message.id)) is not None:
            parts += self._notice(message, ended)
        return "".join(parts)

    def _block(self, block: r.Block) -> str:
        kind, source = block.get("type"), block.get("source")
        source = source if isinstance(source, dict) else {}
        name = _first_text(source.get("name"), block.get("name"), block.get("title"), "a file")
        if kind == "image" and (data := self._image(source)):
            return f'<figure><img alt="{shown(name)}" src="{data}"><figcaption>{shown(name)}</figcaption></figure>\n'
        if kind in ("image", "document"):
            name = f"📎 {name} ({_first_text(source.get('media_type'), kind)})"
            address = source.get("url") if source.get("type") == "url" else None
            if isinstance(address, str) and (attributes := link_to(address)):
                return f'<p class="note"><a {attributes}>{shown(name)}</a></p>\n'
        elif kind == MISSING:
            name = f"📎 {name} · missing: it did not come along"
        elif kind == TOOL:
            name = f"⚙ {name}"
        else:
            name = f"[{_first_text(kind, 'unknown')}]"
        return f'<p class="note">{shown(name)}</p>\n'

    def _image(self, source: dict[str, Any]) -> str:
        """An image as a data: address; empty where it is not at hand."""
        media_type, sha256 = source.get("media_type"), source.get("sha256")
        if media_type not in _IMAGES:
            return ""
        if source.get("type") == "base64":
            data = source.get("data")
            return f"data:{media_type};base64,{data}" if isinstance(data, str) and _is_base64(data) else ""
        if self.load_blob is None or not isinstance(sha256, str):
            return ""
        try:
            return f"data:{media_type};base64,{base64.b64encode(self.load_blob(sha256)).decode('ascii')}"
        except ConvendError:
            return ""

    def _notes(self, message: r.Message) -> Iterator[str]:
        stop = seen.stop_reason(self.thread, message)
        if message.kind == "partial":
            yield "Stopped or broken off here; this much had arrived."
        elif stop == "refusal":
            yield _refusal(message)
        elif stop in _CUT:
            yield _CUT[stop]
        elif stop not in _USUAL:
            yield f"Stopped: {_first_text(stop)}."
        elif message.role == "assistant" and not r.says_anything(message) and not r.tool_calls(message):
            yield "(an empty answer)"
        verdict = self.thread.verdicts.get(message.id)
        if verdict is not None and not verdict.private and message.id not in self.thread.ended:
            said = "it was asked to confirm" if verdict.outcome == "confirm" else "not ended"
            reasons = f": {' '.join(verdict.reasons)}" if verdict.reasons else ""
            yield f"The model asked to end the conversation · {said}{reasons}"
        if message.id not in self.thread.ended and (given := self.thread.feedback.get(message.id)):
            yield _feedback(given[-1])

    def _notice(self, message: r.Message, ended: r.Ended) -> Iterator[str]:
        who = shown(_who(message) if message.model else "The model")
        yield f'<section class="notice" aria-label="Ending"><h3>{who} ended this conversation</h3>\n'
        yield f'<p class="facts">{_time(ended.at)} · {shown(one_line(cause_in_words(ended.cause)))}</p>\n'
        yield f'<div class="plain" dir="auto">{shown(ended.explanation)}</div>\n'
        if given := self.thread.feedback.get(message.id):
            yield f'<p class="note">{shown(_feedback(given[-1]))}</p>\n'
        if ended.evidence:
            yield "<details><summary>Why: what the model cited</summary><ul>\n"
            yield from map(self._evidence, ended.evidence)
            yield "</ul></details>\n"
        yield "</section>\n"

    def _evidence(self, piece: dict[str, Any]) -> str:
        kind, cited, quote = (_first_text(piece.get(name)) for name in ("kind", "message", "quote"))
        words = shown(_CITED.get(kind, kind))
        number = self.numbers.get(cited, -1)
        if number >= 0 and (found := self.nodes[number].message).id == cited:
            words = f'<a href="#m-{_id(found)}">{words}</a>'
        return f"<li>{words}: “{shown(quote)}”</li>\n"


def _thinking(message: r.Message) -> Iterator[str]:
    blocks = [block for block in message.content if block.get("type") in ("thinking", "redacted_thinking")]
    found = [text for block in blocks if isinstance(text := block.get("thinking"), str) and text.strip()]
    if found:
        text = "\n\n".join(found)
        words = _count(len(text.split()), "word")
        yield f'<details class="thinking"><summary>Thinking · {words}</summary>{plain(text)}</details>\n'
    elif blocks:
        yield '<p class="note">Thinking, not shown by the model</p>\n'


def _refusal(message: r.Message) -> str:
    details = message.stop_details or {}
    category = _first_text(details.get("category"))
    why = _first_text(details.get("explanation"), category and f"category {category}").rstrip(". ")
    return f"The server refused to answer{f': {why}' if why else ''}. This is no ending."


def _first_text(*values: Any) -> str:
    """The first of the values that is a text with something in it, on one line. A file may hold anything."""
    return next((line for value in values if isinstance(value, str) and (line := one_line(value))), "")


def _feedback(given: r.Feedback) -> str:
    thumb = r.THUMBS.get(given.thumb, given.thumb)
    return f"Feedback: {thumb}" + (f" · {given.comment}" if given.comment else "")


def _who(message: r.Message) -> str:
    return "You" if message.role == "user" else one_line(message.model or "", _PREVIEW) or "Model"


def _time(at: str) -> str:
    """A time in UTC; the script turns it into the reader's own."""
    moment = r.moment_of(at)
    try:
        moment = moment.astimezone(UTC) if moment is not None else None
    except OverflowError:  # on the first or last day that there is
        moment = None
    if moment is None:
        return f"<span>{shown(one_line(at, _PREVIEW))}</span>"
    words = f"{moment.day} {moment:%b %Y, %H:%M} UTC"
    return f'<time datetime="{moment.isoformat()}">{words}</time>'


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _id(message: r.Message) -> str:
    """A message's id, if it may stand in an address; else one made of it."""
    return message.id if _PLAIN_ID.fullmatch(message.id) else digest(message.id)


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except ValueError:
        return False
