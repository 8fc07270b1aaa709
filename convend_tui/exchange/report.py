"""A report on endings, declined calls and feedback, in Markdown, for a person to read and to send on.

Declines that protect someone are never in it. Without the conversation's text it still holds what was cited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from convend_tui.ending.tool import cause_in_words
from convend_tui.plain import one_line, visible
from convend_tui.thread import records as r
from convend_tui.thread import seen
from convend_tui.thread.tree import Thread

_OUTCOMES = {"confirm": "asked to confirm", "declined": "declined", "ended": "ended"}


def worth_reporting(thread: Thread) -> bool:
    """Whether there is anything to say of a thread."""
    return bool(thread.ended or thread.feedback or _told(thread))


def report(threads: Iterable[Thread], *, with_text: bool) -> str:
    """The report on those of the threads that have anything to tell.

    Args:
        with_text: with the branch that each ending, declined call and feedback is about.
    """
    told = [thread for thread in threads if worth_reporting(thread)]
    lines = ["# Endings, declined calls and feedback", ""]
    if not told:
        lines += ["There are none.", ""]
    else:
        content = "holds the text of the conversations" if with_text else "holds quotations, but not the conversations"
        lines += [f"Written by convend. This report {content}.", ""]
    for thread in told:
        lines += _thread(thread, with_text)
    return "\n".join(lines)


def _told(thread: Thread) -> list[r.Verdict]:
    return sorted((v for v in thread.verdicts.values() if not v.private), key=lambda v: v.at)


def _thread(thread: Thread, with_text: bool) -> Iterator[str]:
    settings = thread.settings
    yield f"## {_escaped(one_line(thread.title))}" if with_text else f"## Thread {thread.id}"
    yield ""
    yield f"- thread: {thread.id}, {sum(not thread.unseen(m) for m in thread.messages.values())} messages"
    yield f"- model: {_escaped(settings.model)}; ending rules, version {settings.tool_version}"
    yield ""
    for verdict in _told(thread):
        if verdict.message not in thread.ended:
            yield from _verdict(thread, verdict)
    for ended in sorted(thread.ended.values(), key=lambda one: one.at):
        yield from _ending(thread, ended)
    for message, given in sorted(thread.feedback.items()):
        if message not in thread.ended:
            yield f"### Feedback on the answer {message}"
            yield ""
            yield from _feedback(given)
    if with_text:
        yield from _texts(thread)


def _verdict(thread: Thread, verdict: r.Verdict) -> Iterator[str]:
    yield f"### A call was {_OUTCOMES.get(verdict.outcome, verdict.outcome)} · {verdict.at}"
    yield ""
    yield f"- message: {verdict.message}"
    yield from (f"- {_escaped(visible(reason))}" for reason in verdict.reasons)
    yield from _evidence(thread, verdict.evidence)
    yield from _opinion(verdict)
    yield ""


def _ending(thread: Thread, ended: r.Ended) -> Iterator[str]:
    message, verdict = thread.messages.get(ended.message), thread.verdicts.get(ended.message)
    yield f"### The conversation was ended · {ended.at}"
    yield ""
    yield f"- message: {ended.message}"
    yield f"- model: {_escaped(str(message.model if message else 'unknown'))}"
    yield f"- cause: {_escaped(cause_in_words(ended.cause))}"
    yield f"- explanation: {_escaped(visible(ended.explanation))}"
    yield from _evidence(thread, ended.evidence)
    if verdict is not None:
        yield from _opinion(verdict)
    yield ""
    yield from _feedback(thread.feedback.get(ended.message, []))


def _evidence(thread: Thread, evidence: Sequence[dict[str, Any]]) -> Iterator[str]:
    for piece in evidence:
        where = piece.get("message")
        found = f"found in {where}" if where in thread.messages else "not found on the branch"
        yield f"- {_escaped(str(piece.get('kind')))}, {found}: “{_escaped(one_line(str(piece.get('quote') or '')))}”"


def _opinion(verdict: r.Verdict) -> Iterator[str]:
    if verdict.second_opinion is not None and verdict.second_opinion.get("at_risk") is False:
        model = _escaped(str(verdict.second_opinion.get("model") or "the same model"))
        yield f"- second opinion ({model}): nobody at risk"


def _feedback(given: Sequence[r.Feedback]) -> Iterator[str]:
    for one in given:
        comment = f": {_escaped(visible(one.comment))}" if one.comment else ""
        yield f"- feedback, {one.at}: {r.THUMBS.get(one.thumb, _escaped(one.thumb))}{comment}"
    if given:
        yield ""


def _texts(thread: Thread) -> Iterator[str]:
    """Every branch that the report is about, once each, the words as quoted blocks."""
    about = {*thread.ended, *thread.feedback, *(verdict.message for verdict in _told(thread))}
    wanted: dict[str, None] = {}
    for message_id in sorted((i for i in about if i in thread.messages), key=lambda i: (thread.messages[i].at, i)):
        wanted |= dict.fromkeys(message.id for message in thread.path(message_id))
    yield "### The conversation"
    yield ""
    for message_id in wanted:
        message = thread.messages[message_id]
        if thread.unseen(message):
            continue
        who = "You" if message.role == "user" else _escaped(message.model or "Model")
        above = seen.parent(thread, message_id)
        yield f"**{who}** · {message.at} · {message_id}" + (f" · below {above}" if above else "")
        yield ""
        yield from (f"> {line}".rstrip() for line in visible(r.text_of(message) or "(no text)").splitlines())
        yield ""


def _escaped(text: str) -> str:
    """Text that stays what it is inside a line of Markdown."""
    for mark in "\\`*_[]<>#|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
