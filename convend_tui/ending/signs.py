"""The signs of risk in a thread: what is read, and what was found in it, once seen for good.

All typed messages of all branches are read, with their attachments' text, and the model's own words; never its
thinking, which weighs the very words that are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from convend_tui.ending import tool
from convend_tui.ending.policy import Evidence
from convend_tui.ending.risk import find_signs
from convend_tui.errors import StoreError
from convend_tui.thread import records as r

TextOf = Callable[[r.Block], str | None]
"""The text of an attachment; None where it has none that can be read (an image, a PDF). Raises StoreError where it is
missing."""

MOST_SIGNS = 20
"""Signs that are passed on and recorded; one is enough to hold a thread."""
UNREAD = "(an attachment that cannot be read)"


class RiskReader:
    """Reads the messages of one thread, each of them once."""

    def __init__(self, text_of: TextOf) -> None:
        self._text_of = text_of
        self._found: dict[str, tuple[Evidence, ...]] = {}

    def read(self, messages: Iterable[r.Message], verdicts: Iterable[r.Verdict] = ()) -> list[Evidence]:
        """The signs in these messages, as evidence, and those that an earlier verdict on the thread recorded.

        Args:
            messages: of every branch; what was read before is not read again. Takes about 0.3 s a megabyte.
        """
        found: dict[tuple[object, ...], Evidence] = {}
        for verdict in verdicts:
            _add(found, recorded(verdict))
        for message in messages:
            try:
                if message.id not in self._found:
                    self._found[message.id] = tuple(self._read(message))
                _add(found, self._found[message.id])
            except StoreError:
                # An attachment that is missing now: nobody knows what is in it, and it may come back.
                _add(found, [_sign(message, UNREAD, "attachment", "")])
        return list(found.values())[:MOST_SIGNS]

    def has_read(self, message: r.Message) -> bool:
        """Whether a message was read already."""
        return message.id in self._found

    def _read(self, message: r.Message) -> Iterator[Evidence]:
        for words in _words_of(message, self._text_of):
            for sign in find_signs(words, of_model=message.role == "assistant"):
                yield _sign(message, sign.quote, sign.kind, sign.language)


def _sign(message: r.Message, quote: str, kind: str, language: str) -> Evidence:
    return {"kind": "risk", "quote": quote, "message": message.id, "sign": kind, "language": language}


def _add(found: dict[tuple[object, ...], Evidence], signs: Iterable[Evidence]) -> None:
    """Each sign once: what one verdict records comes back with the next."""
    for sign in signs:
        found.setdefault((sign.get("message"), sign.get("sign"), sign.get("quote")), sign)


def inherited(header: r.Header) -> list[Evidence]:
    """What a thread that was forked brings along: that there were signs on branches which stayed behind."""
    if not (header.origin or {}).get("held"):
        return []
    quote = "(in the thread that this one was forked from)"
    return [{"kind": "risk", "quote": quote, "message": None, "sign": "origin", "language": ""}]


def recorded(verdict: r.Verdict) -> list[Evidence]:
    """What an earlier verdict saw of risk: its signs, and a second opinion that saw one."""
    if not verdict.private:
        return []
    found = [piece for piece in verdict.evidence if piece.get("kind") == "risk"]
    if verdict.second_opinion is not None and verdict.second_opinion.get("at_risk") is True and not found:
        quote = "(by the second opinion)"
        found.append({"kind": "risk", "quote": quote, "message": verdict.message, "sign": "opinion", "language": ""})
    return found


def _words_of(message: r.Message, text_of: TextOf) -> Iterator[str]:
    if message.kind == "guard":
        return  # the client's own words
    for block in message.content:
        kind = block.get("type")
        if kind == "text":
            yield from _strings(block.get("text"))
        elif kind in ("document", "image"):
            yield from _strings(block.get("title"), block.get("context"), text_of(block))
        elif kind == "tool_use" and block.get("name") == tool.NAME and isinstance(block.get("input"), dict):
            yield from _strings(block["input"].get("explanation"))


def _strings(*values: object) -> Iterator[str]:
    return (value for value in values if isinstance(value, str) and value)
