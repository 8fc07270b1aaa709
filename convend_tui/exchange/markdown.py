"""A thread in Markdown: one path, or the whole tree with each message once.

The person's words stand in block quotes, every line of them; an answer is Markdown and stands as it was written, its
headings below its own. Where an answer holds what would not end with it (an open fence, raw HTML, a definition of a
link), it stands in a block quote too: the outline of the document is convend's own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from convend_tui.ending import tool
from convend_tui.exchange.incoming import MISSING, TOOL
from convend_tui.plain import one_line, visible
from convend_tui.thread import lock, seen
from convend_tui.thread import records as r
from convend_tui.thread.runs import Run, runs_of
from convend_tui.thread.tree import Thread

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_SPECIAL = re.compile(r"[\\`*_\[\]<>#|&~$]")
_TAG = re.compile(r"<[A-Za-z/!?]")
_MARK_UP = re.compile(
    # An escape, a code span or an address in angle brackets stays as it is; before anything else that may begin a tag,
    # a backslash goes.
    r"\\.|(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)|<[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>|(?P<tag><(?=[A-Za-z/!?]))",
    re.DOTALL,
)
_ANY_TAG = re.compile(r"\\.|(?P<tag><(?=[A-Za-z/!?]))", re.DOTALL)
_HTML = ("html_block", "html_inline")
_END = "the end of an answer"
_AFTER = [("heading_open", 0, ""), ("inline", 1, _END)]
_ENDS_WELL = (None, "end_turn", "stop_sequence", "tool_use", "pause_turn")


def markdown(thread: Thread, leaf: str | None, *, tree: bool = False) -> Iterator[str]:
    """The document, in pieces that end with a newline.

    Args:
        leaf: the end of the path; of a tree it does not matter.
        tree: every branch, what is hidden too.
    """
    lines = _tree(thread) if tree else _path(thread, leaf)
    return (f"{line}\n" for line in lines)


def _path(thread: Thread, leaf: str | None) -> Iterator[str]:
    path, ended = thread.path(leaf), lock.ending_at(thread, leaf)
    shown = [message for message in path if not thread.unseen(message)]
    yield from _front_matter(
        thread,
        branch=shown[-1].id if shown else "",
        messages=len(shown),
        hidden=leaf is not None and thread.hidden(leaf),
        **_ended_facts([ended] if ended else []),
    )
    yield from _title(thread)
    hidden, told = False, False
    for message in path:
        hidden = hidden or thread.pruned(message.id)
        if not thread.unseen(message):
            yield from _message(thread, message, 2, hidden)
        if (here := thread.ended.get(message.id)) is not None:
            told = told or here == ended
            yield from _notice(thread, here, 2)
    if ended is not None and not told:
        # The path ends within the turn in which the model ended the conversation.
        yield from _notice(thread, ended, 2)


def _tree(thread: Thread) -> Iterator[str]:
    runs = runs_of(thread)
    below: dict[int, list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        if run.parent is not None:
            below[run.parent].append(number)
    endings = [ended for ended in thread.ended.values() if ended.message in thread.messages]
    yield from _front_matter(
        thread,
        branches=sum(not run.branches for run in runs),
        messages=sum(len(run.messages) for run in runs),
        hidden=sum(len(run.messages) - run.in_sight for run in runs),
        **_ended_facts(endings),
    )
    yield from _title(thread)
    for number, run in enumerate(runs):
        yield from _branch(thread, runs, number)
        for place, message in enumerate(run.messages):
            yield from _message(thread, message, 3, place >= run.in_sight)
            if (ended := thread.ended.get(message.id)) is not None:
                yield from _notice(thread, ended, 3)
        if branches := below[number]:
            names = ", ".join(f"branch {one + 1}" for one in sorted(branches, key=lambda one: runs[one].order))
            yield from _note(f"Here the conversation branches: {names}.")


def _branch(thread: Thread, runs: Sequence[Run], number: int) -> Iterator[str]:
    """The heading of a branch: which it is, and where it goes on from."""
    run = runs[number]
    place = f"{run.place} " if run.place else ""
    above = f"branch {run.parent + 1}, after {runs[run.parent].messages[-1].id}" if run.parent is not None else ""
    parts = [
        f"Branch {number + 1}",
        f"{place}of {above}" if above else f"{place}from the beginning",
        *(["hidden"] if not run.in_sight else []),
    ]
    yield f"## {escaped(' · '.join(parts))}"
    yield ""


# -- the head -------------------------------------------------------------------------------------------------


def _front_matter(thread: Thread, **facts: Any) -> Iterator[str]:
    known = {
        "title": one_line(thread.title),
        "thread": thread.id,
        "created": thread.header.at,
        "updated": thread.updated,
        "model": thread.settings.model,
    }
    yield "---"
    yield from (f"{name}: {_yaml(value)}" for name, value in (known | facts).items())
    yield "---"
    yield ""


def _ended_facts(endings: Sequence[r.Ended]) -> dict[str, Any]:
    facts: dict[str, Any] = {"ended": bool(endings)}
    if len(endings) == 1:
        facts |= {"ended_at": endings[0].at, "ended_cause": endings[0].cause, "ended_message": endings[0].message}
    elif endings:
        facts["endings"] = len(endings)
    return facts


def _yaml(value: str | int | bool) -> str:
    """A scalar. A JSON string without control characters is a double-quoted YAML string."""
    return json.dumps(one_line(value) if isinstance(value, str) else value, ensure_ascii=False)


def _title(thread: Thread) -> Iterator[str]:
    yield f"# {escaped(thread.title)}"
    yield ""


# -- messages -------------------------------------------------------------------------------------------------


def _message(thread: Thread, message: r.Message, level: int, hidden: bool) -> Iterator[str]:
    parts = [_who(message), message.at, message.id]
    siblings = seen.siblings(thread, message.id)
    if len(siblings) > 1 and message.id in siblings:
        parts.append(f"{siblings.index(message.id) + 1}/{len(siblings)}")
    if (label := thread.labels.get(message.id)) is not None and label.label.strip():
        parts.append(f"“{label.label}”")
    parts += ["broken off"] * (message.kind == "partial") + ["hidden"] * hidden
    yield f"{'#' * level} {' · '.join(map(escaped, parts))}"
    yield ""
    empty = True
    for line in (*_content(thread, message, level), *_remarks(thread, message)):
        empty = False
        yield line
    if empty:
        yield from _note("(no words)")


def _who(message: r.Message) -> str:
    return "You" if message.role == "user" else message.model or "Model"


def _content(thread: Thread, message: r.Message, level: int) -> Iterator[str]:
    words: list[str] = []

    def said() -> Iterator[str]:
        text = "\n\n".join(words)
        words.clear()
        yield from quoted(text) if message.role == "user" else written(text, level)

    for block in seen.content(thread, message):
        kind, text = block.get("type"), block.get("text")
        if kind == "text":
            words += [text] if isinstance(text, str) and text.strip() else []
            continue
        if words:
            yield from said()
        yield from _other(block)
    if words:
        yield from said()


def _other(block: r.Block) -> Iterator[str]:
    """A block that is not text: thinking in full, of the others that they are there."""
    kind, source = block.get("type"), block.get("source")
    if kind == "thinking":
        thinking = block.get("thinking")
        if isinstance(thinking, str) and thinking.strip():
            yield from _note("Thinking:")
            yield from quoted(thinking)
    elif isinstance(source, dict):
        name = source.get("name") or block.get("title") or kind
        yield from _note(f"Attachment: {name} ({source.get('media_type') or kind})")
    elif kind == MISSING:
        yield from _note(f"Attachment that did not come along: {block.get('name')}")
    elif kind in ("tool_use", TOOL):
        if block.get("name") != tool.NAME:
            yield from _note(f"Tool: {block.get('name')}")
    elif kind not in ("tool_result", "redacted_thinking"):
        yield from _note(f"({kind})")


def _remarks(thread: Thread, message: r.Message) -> Iterator[str]:
    """What became of the message: a call that was told, why it stopped, feedback."""
    verdict = thread.verdicts.get(message.id)
    if verdict is not None and not verdict.private and message.id not in thread.ended:
        outcome = {"confirm": "was asked to confirm", "declined": "it was not ended"}.get(
            verdict.outcome, verdict.outcome
        )
        why = f": {' '.join(verdict.reasons)}" if verdict.reasons else "."
        yield from _note(f"The model asked to end the conversation, and {outcome}{why}")
    stop = seen.stop_reason(thread, message)
    if stop not in _ENDS_WELL:
        yield from _note("Refused." if stop == "refusal" else f"Stopped: {stop}.")
    if message.id not in thread.ended:
        yield from _feedback(thread, message.id)


def _notice(thread: Thread, ended: r.Ended, level: int) -> Iterator[str]:
    message = thread.messages.get(ended.message)
    who = message.model if message is not None and message.model else "The model"
    yield f"{'#' * level} {escaped(f'{who} ended this conversation · {ended.at}')}"
    yield ""
    yield from quoted(ended.explanation)
    yield from _note(f"Cause: {tool.cause_in_words(ended.cause)}. This branch is locked at {ended.message}.")
    yield from _feedback(thread, ended.message)


def _feedback(thread: Thread, message_id: str) -> Iterator[str]:
    for given in thread.feedback.get(message_id, []):
        comment = f" · {given.comment}" if given.comment else ""
        yield from _note(f"Your feedback: {r.THUMBS.get(given.thumb, given.thumb)}{comment}")


def _note(text: str) -> Iterator[str]:
    """A line of convend's own, between quotes."""
    yield f"*{escaped(text)}*"
    yield ""


# -- text as data -----------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """Text that stays what it is inside a line of Markdown."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))


def written(text: str, level: int) -> Iterator[str]:
    """The lines of an answer below a heading of this level, and an empty one: as they are, but for the level of their
    headings and for what `visible` changes; or quoted, where something in them would reach beyond."""
    lines = _tidy(text).split("\n")
    for token in _parser().parse("\n".join(lines)):
        if token.type == "heading_open" and token.map and token.markup.startswith("#"):
            deeper = "#" * min(level, 6 - len(token.markup))
            lines[token.map[0]] = lines[token.map[0]].replace("#", f"{deeper}#", 1)
    if _ends_with_itself("\n".join(lines), level):
        yield from lines
        yield ""
    else:
        yield from quoted(text)


def _ends_with_itself(text: str, level: int) -> bool:
    """Whether a heading after a text is one, and nothing in the text is a heading above it or changes what follows."""
    known: dict[str, Any] = {}
    tokens = _parser().parse(f"{text}\n\n# {_END}", known)
    if known.get("references") or [(one.type, one.level, one.content) for one in tokens[-3:-1]] != _AFTER:
        return False
    headings = [token for token in tokens[:-3] if token.type == "heading_open"]
    return all(token.markup.startswith("#") and len(token.markup) > level for token in headings) and not any(
        part.type in _HTML for token in tokens for part in (token, *(token.children or ()))
    )


def _tidy(text: str) -> str:
    """Safe to show. `visible` makes spaces of tabs, which would spoil what is indented with them."""
    return "\t".join(map(visible, text.strip("\n").split("\t")))


def quoted(text: str) -> Iterator[str]:
    """The lines of a block quote with this text, and an empty one. Without the first two characters of each line (the
    mark and a space) it is the text again, but for empty lines around it, for what `visible` changes, and for
    backslashes before raw HTML."""
    tidy = _tidy(text)
    lines = [f"> {line}" if line else ">" for line in tidy.split("\n")]
    yield from _without_html(lines) if _TAG.search(tidy) else lines
    yield ""


def _without_html(lines: list[str]) -> list[str]:
    """Raw HTML made text: an open comment or a `</blockquote>` would reach beyond the quote where it is rendered."""
    for pattern in (_MARK_UP, _ANY_TAG):
        places = _html_places(lines)
        if not places:
            return lines
        for begin, end in places:
            lines[begin:end] = _escape_tags(pattern, lines[begin:end])
    # What was escaped may have been what kept other lines together: then everything is.
    return _escape_tags(_ANY_TAG, lines) if _html_places(lines) else lines


def _escape_tags(pattern: re.Pattern[str], lines: Sequence[str]) -> list[str]:
    return pattern.sub(lambda found: "\\<" if found["tag"] else found[0], "\n".join(lines)).split("\n")


def _html_places(lines: Sequence[str]) -> list[tuple[int, int]]:
    """The lines (first, one past the last) of the blocks in which there is raw HTML."""
    return [
        (token.map[0], token.map[1])
        for token in _parser().parse("\n".join(lines))
        if token.map and (token.type in _HTML or any(child.type in _HTML for child in token.children or ()))
    ]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # few threads need it

    return MarkdownIt("commonmark")
