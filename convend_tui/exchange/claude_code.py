"""Claude Code's session files: one JSON object a line, each a message or a note of the program's own.

A line is not yet a message. The model's message comes in several lines of one id, a content block each, and the
results of its calls in a line each: both are put together. What the person did not write is never a typed message:

- Results of tools become `guard` messages: they belong to the model's turn, are not read for signs of risk, lock with
  the turn that they are part of, and as their blocks are TOOL blocks nothing of them is sent.
- Notes of the program (`isMeta`, `system`, hooks, output of local commands, reminders) are left out and counted; what
  hangs below them goes below what is above them. So is a sub-agent's work: its questions are the model's.
- The summary after a compaction goes where the conversation before it is in the file; else it is all that there is of
  it, and stands as the model's words, which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from convend_tui.exchange import claude_content as c
from convend_tui.exchange import claude_tree
from convend_tui.exchange.claude_code_texts import INTERRUPTED, between, is_by_program, without_reminders
from convend_tui.exchange.incoming import TOOL, Context, Incoming, Skip, digest
from convend_tui.thread import records as r

SOURCE: Final = "claude-code"

ELSEWHERE: Final = "it is the title of a session that is not in this file"
"""Why a title does not come in with a session."""
_SYNTHETIC: Final = "<synthetic>"
"""The model's name on what the program says in its place, such as an error of the API."""
_NOTES: Final = (
    "file-history-snapshot queue-operation progress summary ai-title custom-title agent-name last-prompt attachment "
    "system mode permission-mode"
)
_TYPES: Final = frozenset(_NOTES.split()) | {"user", "assistant"}
_OWN_FIELDS: Final = ("sessionId", "parentUuid", "leafUuid", "snapshot")
_REFUSED: Final = "The user doesn't want to "
_SAID: Final = "the user said:"
_TO_CLARIFY: Final = "The user wants to clarify"
_ADVICE: Final = "\n\nNote: The user's next message "
"""What stands round the person's words in the result of a call that they refused."""
_MOST_ANSWERS: Final = 100
"""Answers to one message that are looked at for where a result belongs: calls that are answered again and again."""


def recognizes(value: Any) -> bool:
    """Whether a decoded line is of a session file."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("type"), str) or kind not in _TYPES:
        return False
    if kind in ("user", "assistant"):
        return isinstance(value.get("message"), dict) and ("uuid" in value or "sessionId" in value)
    return any(name in value for name in _OWN_FIELDS)


def read(value: Any, context: Context) -> Incoming | Skip:
    """Make one thread of all lines of a file. Sessions in it that do not hang together have a root each.

    Args:
        value: the lines' values, as a list.
    """
    lines = value if isinstance(value, list) else [value]
    losses = c.Losses()
    session = _session(lines)
    nodes = claude_tree.distinct(_Lines(context, losses).read(lines), losses)
    if not any(node.keep for node in nodes):
        sub_agent = any(isinstance(line, dict) and line.get("isSidechain") is True for line in lines)
        why = "it is the work of a sub-agent, which is part of another session" if sub_agent else "it holds no messages"
        return Skip(f"session {c.name_of(session) or 'without an id'}", why)
    _join(nodes, losses)
    key = session or digest(*(node.key + str(node.time) + node.words() for node in nodes))
    placed = claude_tree.place(nodes, SOURCE, key, None, losses)
    if not placed.messages:
        return Skip(f"session {c.name_of(session) or 'without an id'}", "it holds no messages")
    title = _title(lines, {node.key for node in nodes}, losses)
    last = max((node for node in nodes if node.keep and node.model), key=lambda node: node.time or 0, default=None)
    settings = context.settings
    if last is not None and last.model:
        settings = msgspec.structs.replace(settings, model=last.model)
    return Incoming(
        source=SOURCE,
        key=key,
        created=c.stamp(placed.earliest),
        settings=settings,
        records=placed.records(title, placed.nearest(placed.newest), "Claude Code"),
        skipped=losses.all(f"“{title}”" if title else f"session {c.name_of(key)}"),
    )


def _session(lines: Iterable[Any]) -> str:
    """The id of the session that wrote the file: a session that was taken up again begins with the lines of the one
    before."""
    found = ""
    for line in lines:
        if isinstance(line, dict) and line.get("type") in ("user", "assistant"):
            given = line.get("sessionId")
            found = c.clean(given) if isinstance(given, str) and given.strip() else found
    return found


def _title(lines: Iterable[Any], known: set[str], losses: c.Losses) -> str:
    """The name that the person gave, else the last one that the program gave to something in this file."""
    found: dict[str, str] = {}
    for line in lines:
        kind = line.get("type") if isinstance(line, dict) else None
        if kind == "summary":
            title, elsewhere = c.name_of(line.get("summary")), title_elsewhere(line)
            if elsewhere is not None and c.clean(elsewhere[0]) not in known:
                losses.count("summary", ELSEWHERE)
                continue
        elif kind in ("custom-title", "ai-title"):
            title = c.name_of(line.get("customTitle") or line.get("aiTitle") or line.get("title"))
        else:
            continue
        if title:
            found[kind] = title
    return next((found[kind] for kind in ("custom-title", "summary", "ai-title") if kind in found), "")


def title_elsewhere(line: object) -> tuple[str, str] | None:
    """The title that a line gives to a session, maybe of another file: the id of a line of that session, and the
    title."""
    if not isinstance(line, dict) or line.get("type") != "summary":
        return None
    title, leaf = c.name_of(line.get("summary")), line.get("leafUuid")
    return (leaf, title) if title and isinstance(leaf, str) else None


@dataclass(slots=True)
class _Line(claude_tree.Node):
    """A line on its way in."""

    message: str | None = None
    """The id of the model's message that it is a part of."""
    results: set[str] = field(default_factory=set)
    """The calls that it answers."""
    interrupts: bool = False
    """The person stopped the model here."""
    sums_up: bool = False
    """It is the summary of a compaction."""

    def take_in(self, part: _Line, content: list[r.Block]) -> None:
        """Make another line a part of this one, which comes first."""
        part.keep = False
        self.parts.append(part.key)
        self.content += content
        self.results |= part.results
        self.usage, self.request_id = part.usage or self.usage, part.request_id or self.request_id
        self.stop_reason = part.stop_reason or self.stop_reason
        self.empty = self.empty and part.empty
        self.touched = max(self.touched, part.touched)


class _Lines:
    """Turns lines into nodes, one each."""

    def __init__(self, context: Context, losses: c.Losses) -> None:
        self._blocks = c.Blocks(context, losses)
        self._losses = losses
        self._last: str | None = None

    def read(self, lines: Sequence[Any]) -> list[_Line]:
        """The nodes of all lines that others can hang below. Lines of one message stay apart."""
        nodes: list[_Line] = []
        for number, line in enumerate(lines):
            if not isinstance(line, dict):
                self._losses.count("line", "it is not a line of a session")
                continue
            kind = line.get("type")
            uuid = line.get("uuid")
            if kind not in ("user", "assistant", "attachment") and not isinstance(uuid, str):
                self._left_out(kind)
                continue
            node = _Line(
                c.clean(uuid) if isinstance(uuid, str) and uuid else f"#{number}", c.ms_of(line.get("timestamp"))
            )
            node.parent = self._parent(line)
            node.touched = node.time or 0
            self._fill(node, line)
            self._last = node.key
            nodes.append(node)
        return nodes

    def _parent(self, line: dict[str, Any]) -> str | None:
        if "parentUuid" not in line:
            return self._last
        # After a compaction the chain begins anew; the second link leads back.
        links = (line.get("parentUuid"), line.get("logicalParentUuid"))
        return next((c.clean(link) for link in links if isinstance(link, str) and link), None)

    def _fill(self, node: _Line, line: dict[str, Any]) -> None:
        kind, message = line.get("type"), line.get("message")
        if line.get("isSidechain") is True:
            self._drop(node, "message", "it is part of a sub-agent's work")
        elif kind == "attachment":
            self._queued(node, line.get("attachment"))
        elif kind not in ("user", "assistant"):
            self._left_out(kind)
            node.keep = False
        elif not isinstance(message, dict):
            self._drop(node, "message", "it has not the form of one")
        elif kind == "assistant":
            self._answer(node, line, message)
        elif line.get("isCompactSummary") is True:
            self._compacted(node, message)
        elif line.get("isMeta") is True or line.get("isVisibleInTranscriptOnly") is True or not _of_person(line):
            self._drop(node, "note", "Claude Code wrote it, not a person")
        else:
            self._question(node, message.get("content"), line.get("toolUseResult"))

    def _drop(self, node: _Line, what: str, why: str) -> None:
        node.keep = False
        self._losses.count(what, why)

    def _left_out(self, kind: object) -> None:
        name = c.name_of(kind)[:40]
        if name not in ("summary", "ai-title", "custom-title"):
            self._losses.count(f"{name} line" if name else "line", "it is no message")

    def _answer(self, node: _Line, line: dict[str, Any], message: dict[str, Any]) -> None:
        model, reason, usage = (message.get(name) for name in ("model", "stop_reason", "usage"))
        if model == _SYNTHETIC or line.get("isApiErrorMessage") is True:
            return self._drop(node, "notice", "Claude Code wrote it in the model's place")
        node.role, node.kind = "assistant", "reply"
        node.content = self._blocks.read(_listed(message.get("content")), "assistant")
        node.model = c.clean(model) if isinstance(model, str) and model.strip() else None
        node.stop_reason = c.clean(reason) if isinstance(reason, str) and reason else None
        node.usage = c.safe(usage) if isinstance(usage, dict) else None
        node.request_id = c.clean(request) if isinstance(request := line.get("requestId"), str) else None
        node.message = given if isinstance(given := message.get("id"), str) and given else None
        node.empty = not node.content and node.stop_reason != "refusal"
        return None

    def _compacted(self, node: _Line, message: dict[str, Any]) -> None:
        node.sums_up = True
        node.role, node.kind, node.stop_reason = "assistant", "reply", "end_turn"
        node.content = self._blocks.read(_listed(message.get("content")), "assistant")
        node.empty = not node.content

    def _queued(self, node: _Line, given: object) -> None:
        """What the person typed while the model was at work."""
        attachment = given if isinstance(given, dict) else {}
        typed = attachment.get("type") == "queued_command" and attachment.get("commandMode", "prompt") == "prompt"
        if not typed or not _of_person(attachment):
            return self._drop(node, "attachment line", "it is no message")
        self._question(node, attachment.get("prompt"))
        return None

    def _question(self, node: _Line, content: object, result: object = None) -> None:
        given = _listed(content)
        node.results = _results(given)
        said: list[r.Block] = []
        left_out = False
        for block in self._blocks.read(given, "user"):
            if block["type"] != "text":
                said.append(block)
                if (words := _refusal(block)) is not None:
                    said.append({"type": "text", "text": words})
            elif (words := self._typed(block["text"])) is not None:
                said.append({"type": "text", "text": words})
            else:
                left_out = True
                node.interrupts = node.interrupts or block["text"].lstrip().startswith(INTERRUPTED)
        said += ({"type": "text", "text": words} for words in _answers(result) if node.results)
        node.content = said
        if said and all(block["type"] == TOOL for block in said):
            node.kind = "guard"
        node.keep = bool(said) or not left_out
        node.empty = not said

    def _typed(self, text: str) -> str | None:
        """A text as the person typed it; None where the program wrote it."""
        given = text.strip()
        if given.startswith("<command-") and (name := between(given, "command-name")) is not None:
            return f"{name.strip()} {(between(given, 'command-args') or '').strip()}".strip()
        if given.startswith("<bash-input>") and (shell := between(given, "bash-input")) is not None:
            return f"! {shell.strip()}"
        rest = without_reminders(text)
        by_program = not rest.strip() or is_by_program(rest.strip())
        if rest != text or by_program:
            self._losses.count("note", "Claude Code wrote it, not a person")
        return None if by_program else rest


def _of_person(given: dict[str, Any]) -> bool:
    origin = given.get("origin")
    return not isinstance(origin, dict) or origin.get("kind", "human") == "human"


def _answers(result: object) -> list[str]:
    """What the person answered to questions that the model asked by a call."""
    answers = result.get("answers") if isinstance(result, dict) else None
    given = answers.values() if isinstance(answers, dict) else ()
    return [c.clean(answer) for answer in given if isinstance(answer, str) and answer.strip()]


def _listed(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _results(content: object) -> set[str]:
    blocks = (block for block in content if isinstance(block, dict)) if isinstance(content, list) else ()
    calls = (block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result")
    return {call for call in calls if isinstance(call, str)}


def _refusal(block: r.Block) -> str | None:
    """What the person typed when they refused a call."""
    inner = block.get("block")
    if not isinstance(inner, dict) or inner.get("type") != "tool_result" or not inner.get("is_error"):
        return None
    words = inner.get("content")
    if not isinstance(words, str) or not words.startswith(_REFUSED):
        return None
    said = words.partition(_SAID)[2].partition(_ADVICE)[0].strip()
    return None if said.startswith(_TO_CLARIFY) else said or None


def _join(nodes: Sequence[_Line], losses: c.Losses) -> None:
    """Put the lines of one message together, and the results of its calls. What went into another node is not kept,
    and hangs below it, so that what follows finds its place."""
    above = claude_tree.links(nodes, c.Losses())
    by_key = {node.key: node for node in nodes}

    def kept_above(node: _Line) -> _Line | None:
        at, passed = above[node.key], []
        while at is not None and not by_key[at].keep:
            passed.append(at)
            at = above[at]
        above.update(dict.fromkeys(passed, at))  # the next one need not walk there again
        return None if at is None else by_key[at]

    def move(node: _Line, parent: _Line) -> None:
        node.parent = above[node.key] = parent.key

    for node in nodes:
        lead = kept_above(node) if node.keep and node.message is not None else None
        while lead is not None and lead.kind == "guard":
            lead = kept_above(lead)  # results may come before the message is complete
        if lead is not None and lead.message == node.message:
            lead.take_in(node, node.content)
            move(node, lead)
    answered: dict[str, list[_Line]] = {}
    for node in nodes:
        parent = kept_above(node) if node.keep and node.results else None
        if parent is None:
            continue
        group = [parent] if parent.kind == "guard" else answered.setdefault(parent.key, [])
        other = next((one for one in group[:_MOST_ANSWERS] if one.results.isdisjoint(node.results)), None)
        if other is None:
            group.append(node)
        elif node.kind == "guard":
            other.take_in(node, node.content)
            move(node, other)
        elif other.kind == "guard":
            move(node, other)  # what the person said with it comes after the other results
    for node in nodes:
        parent = kept_above(node)
        if node.sums_up and parent is not None:
            node.keep = False
            losses.count("summary", "what it sums up is there itself")
        elif node.interrupts and parent is not None and parent.role == "assistant":
            parent.kind = "partial"
    for node in nodes:
        if node.kind == "reply" and node.stop_reason is None and node.content:
            inner = node.content[-1].get("block") or {}
            node.stop_reason = "tool_use" if inner.get("type") == "tool_use" else "end_turn"
