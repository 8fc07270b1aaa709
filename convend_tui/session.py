"""The turn: the only code that sends, and the only writer of turns.

A turn can be read here from the typed words to the disk: `send`, `edit` and `retry` are async generators that put
the question on the disk, ask the model, emit what arrives, write the reply, and judge a call of end_conversation.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec

from convend_tui import logfile
from convend_tui.ending import policy
from convend_tui.ending.signs import RiskReader
from convend_tui.errors import ModelError, RuleError, StoreError
from convend_tui.judging import AskPerson, Judge, Unread
from convend_tui.model import events as e
from convend_tui.model import request
from convend_tui.model.client import BOUND, Client
from convend_tui.model.connect import Models
from convend_tui.paths import Paths
from convend_tui.pending import PendingReply
from convend_tui.store import blobs
from convend_tui.store.handle import ThreadHandle
from convend_tui.store.ids import new_id
from convend_tui.thread import lock, seen
from convend_tui.thread import records as r

MAX_DECLINED = 2
"""Declined calls in one turn, after which the model is not offered another."""
MAX_ROUNDS = 10
"""Requests in one turn, whatever the model does."""
pause = asyncio.sleep
"""Waits so many seconds before a request is sent again."""
LONGEST_WAIT = 60.0
"""Seconds; a server that wants a longer wait gets the turn back to the person instead."""


@dataclass(slots=True)
class _Turn:
    """What one turn has come to so far."""

    question: str
    parent: str
    """The message that the next reply goes below."""
    judge: Judge
    notes: logfile.TurnNotes
    declined: int = 0
    usage: Counter[str] = field(default_factory=Counter)
    partial: str | None = None
    send_thinking: bool = True


class Session:
    """Turns in one thread.

    All generators may raise Locked and RuleError from the rules of the thread, before anything is sent or written, and
    StoreError where the disk refuses, at any time. Once the question is on the disk a failure of the model ends them
    with `TurnFailed`. Cancelled at any point, they keep what arrived as a `partial` reply.
    """

    def __init__(self, handle: ThreadHandle, models: Models, paths: Paths, ask_person: AskPerson | None = None) -> None:
        """`ask_person` asks whether to end the conversation at the person's own request; None: nobody can be asked,
        and it stays open."""
        self.handle = handle
        self._models = models
        self._paths = paths
        self._ask_person = ask_person
        self._risk = RiskReader(self._text_of)
        self._untold: str | None = None
        """The question that was written last, until somebody is told that it is on the disk."""

    async def send(
        self, content: list[r.Block], parent: str | None, settings: r.Settings | None = None
    ) -> AsyncGenerator[e.Event, None]:
        """Put a message below `parent` (None: as a root) and have it answered.

        Sent again after a failure, the same words below the question that nobody answered are that question.

        Args:
            content: as `content_of` makes it.
            settings: from here on; None: unchanged.
        """
        await self.handle.settled()
        lock.require(lock.may_send(self.handle.thread, parent))
        question = self._unanswered(parent, content) or self._written_untold(parent, content)
        if question is None:
            question = await self._write_question(content, parent, settings)
        else:
            await self._require_retry(question)
        async with aclosing(self._answer(question, settings)) as events:
            async for event in events:
                yield event

    async def edit(
        self, message_id: str, content: list[r.Block], settings: r.Settings | None = None
    ) -> AsyncGenerator[e.Event, None]:
        """Put a sibling of a typed message beside it, a new branch, and have it answered."""
        await self.handle.settled()
        thread = self.handle.thread
        lock.require(lock.may_edit(thread, message_id))
        if lock.unchanged(thread.messages[message_id], content):
            raise RuleError("Nothing was changed. Change the message, or ask for another answer instead.")
        siblings = thread.siblings(message_id)
        question = next((found for i in siblings if (found := self._unanswered(i, content))), None)
        if question is None:
            question = await self._write_question(content, thread.parent(message_id), settings)
        else:
            await self._require_retry(question)
        async with aclosing(self._answer(question, settings)) as events:
            async for event in events:
                yield event

    async def retry(self, message_id: str, settings: r.Settings | None = None) -> AsyncGenerator[e.Event, None]:
        """One more answer to the question that this message answers (or is)."""
        await self._require_retry(message_id)
        question = self.handle.thread.question_of(message_id)
        assert question is not None  # may_retry refuses otherwise
        async with aclosing(self._answer(question.id, settings)) as events:
            async for event in events:
                yield event

    # -- the question -----------------------------------------------------------------------------------

    def _unanswered(self, parent: str | None, content: list[r.Block]) -> str | None:
        """The question at the end of the branch, if it has these very words and no answer."""
        if parent is None:
            return None
        thread = self.handle.thread
        # An answer that nobody was shown is none.
        node: str | None = parent
        while node is not None and seen.is_secret(thread, thread.messages[node]):
            node = thread.parent(node)
        if node is None or seen.answers(thread, node):
            return None
        message = thread.messages[node]
        return node if r.is_question(message) and message.content == content else None

    def _written_untold(self, parent: str | None, content: list[r.Block]) -> str | None:
        """The question with these words below `parent`, if it was stopped while it was being written: whoever sends it
        again does not know that it is there."""
        message = self.handle.thread.messages.get(self._untold or "")
        if message is None or (message.parent, message.content) != (parent, content):
            return None
        return self._unanswered(message.id, content)

    async def _require_retry(self, message_id: str) -> None:
        """The rule of a retry, asked again under the file's lock as for a question that is written."""
        await self.handle.settled()
        lock.require(lock.may_retry(self.handle.thread, message_id))
        await self.handle.append([], lambda thread: lock.require(lock.may_retry(thread, message_id)))

    def _changes(self, settings: r.Settings) -> bool:
        """Whether these settings are to be written down: they are others, or they decide what was provisional."""
        thread = self.handle.thread
        return thread.is_provisional or settings != thread.settings

    async def _write_question(self, content: list[r.Block], parent: str | None, settings: r.Settings | None) -> str:
        if not content:
            raise RuleError("There is nothing to send: the message is empty.")
        request.require_sendable(content, self._models.abilities(settings or self.handle.thread.settings))
        times = self.handle.times(2)
        records: list[r.Record] = []
        if settings is not None and self.handle.on_disk and self._changes(settings):
            records.append(r.as_change(settings, times[0]))
        question = r.Message(at=times[1], id=new_id(), parent=parent, role="user", content=content, kind="typed")
        records.append(question)
        self._untold = question.id
        # Asked again under the file's lock: an ending that another process wrote a moment ago counts.
        await self.handle.append(records, lambda thread: lock.require(lock.may_send(thread, parent)))
        return question.id

    # -- the answer -------------------------------------------------------------------------------------

    async def _answer(self, question: str, settings: r.Settings | None) -> AsyncGenerator[e.Event, None]:
        if settings is not None and self._changes(settings):
            await self.handle.append([r.as_change(settings, self.handle.now())])
        self._untold = None
        yield e.TurnStarted(self.handle.thread.id, question)
        asked = self.handle.thread.settings
        with logfile.TurnNotes(
            thread=self.handle.thread.id, question=question, server=asked.server, model=asked.model
        ) as notes:
            async with aclosing(self._rounds(question, notes)) as events:
                async for event in events:
                    if isinstance(event, e.TextDelta | e.ThinkingDelta):
                        notes.arriving()
                    elif isinstance(event, e.TurnEnded):
                        notes.ended(event.message, event.stop_reason)
                    elif isinstance(event, e.TurnFailed):
                        notes.failed(event.error)
                    yield event

    async def _rounds(self, question: str, notes: logfile.TurnNotes) -> AsyncGenerator[e.Event, None]:
        """Requests and replies until the model has answered, or failed to."""
        judge = Judge(self.handle, self._models, self._risk, self._ask_person)
        turn = _Turn(question=question, parent=question, judge=judge, notes=notes)
        try:
            if why := self._models.starts_slowly(self.handle.thread.settings):
                yield e.Waiting(why)
            client = await self._models.client(self.handle.thread.settings)
            for _ in range(MAX_ROUNDS):
                over = False
                async with aclosing(self._round(turn, client)) as events:
                    async for event in events:
                        over = over or isinstance(event, e.TurnEnded)
                        yield event
                if over:
                    return
            raise ModelError(
                "The model called tools or paused, again and again, without an answer.",
                kind="too_many_rounds",
                advice="Ask again, or choose another model.",
            )
        except ModelError as error:
            yield e.TurnFailed(error, question, turn.partial)

    async def _round(self, turn: _Turn, client: Client) -> AsyncGenerator[e.Event, None]:
        """One request and its reply. Emits TurnEnded unless the turn goes on."""
        reply = PendingReply(self.handle, self._paths.partial, turn.parent, client.endpoint.clean)
        with reply:
            try:
                async with aclosing(self._stream(turn, client, reply)) as stream:
                    async for event in stream:
                        yield event
                message = reply.message()
                judgement, records = await self._settle(turn, client, reply, message)
            except ModelError:
                turn.partial = await reply.keep()
                raise
            except (StoreError, asyncio.CancelledError, GeneratorExit):
                # Stopped while the server was waited for, while what had come was shown, or while a call was judged.
                await reply.keep()
                raise
        yield e.ReplySaved(message.id, message.stop_reason)
        turn.usage.update({k: v for k, v in (message.usage or {}).items() if type(v) is int})
        if judgement is not None:
            yield e.VerdictGiven(judgement.outcome, judgement.reasons, judgement.private)
        guard = next((record for record in records if isinstance(record, r.Message)), None)
        if guard is not None:
            turn.parent = guard.id
        elif message.stop_reason == "pause_turn":
            turn.parent = message.id
        else:
            # Another process may have made a lock above it meanwhile.
            locked = lock.ending_at(self.handle.thread, message.id) is not None
            yield e.TurnEnded(message.id, message.stop_reason, locked, dict(turn.usage), message.stop_details)

    async def _settle(
        self, turn: _Turn, client: Client, reply: PendingReply, message: r.Message
    ) -> tuple[policy.Judgement | None, list[r.Record]]:
        """Judge a call in the reply, and write the reply with what follows from it."""
        if policy.counts(message):
            # Judging may take long (a second opinion, a question to the person): nothing of the reply is lost then.
            reply.checkpoint()
        while True:
            judgement = await turn.judge.judge(message, client, self._text_of)
            records = self._consequences(message, judgement, turn)
            try:
                await reply.save([message, *records], turn.judge.rule(judgement))
            except Unread:
                continue
            return judgement, records

    async def _stream(self, turn: _Turn, client: Client, reply: PendingReply) -> AsyncGenerator[e.Event, None]:
        """Ask, and feed the reply with what arrives. Tries again, visibly, as long as nothing has arrived: what was
        shown once is never shown twice."""
        retries = self._models.config.network.retries
        attempt = 0
        while True:
            try:
                body = self._body(turn)
                reply.begin()
                stream = await client.stream(body)
                reply.request_id = turn.notes.request_id = stream.request_id
                async with aclosing(stream):
                    yield e.ReplyStarted(reply.id, reply.parent, self.handle.thread.settings.model)
                    async for wire in stream:
                        event = reply.feed(wire)
                        if event is not None:
                            yield event
                reply.require_complete()
                return
            except ModelError as error:
                if reply.arrived:
                    raise
                if error.kind == BOUND and turn.send_thinking:
                    turn.send_thinking = False
                    continue
                wait = error.retry_after or min(8.0, 0.5 * 2**attempt)
                if not error.retryable or attempt >= retries or wait > LONGEST_WAIT:
                    raise
                attempt += 1
                turn.notes.retry(error, wait)
                yield e.Waiting(f"{error.what} Trying again ({attempt} of {retries})", wait)
                await pause(wait)

    def _body(self, turn: _Turn) -> dict[str, Any]:
        thread = self.handle.thread
        try:
            return request.build(
                thread,
                turn.parent,
                load_blob=lambda sha: blobs.load(self._paths, sha),
                abilities=self._models.abilities(thread.settings),
                allow_calls=turn.declined < MAX_DECLINED,
                send_thinking=turn.send_thinking,
            )
        except (RuleError, StoreError) as error:
            # The question is on the disk by now: this is a turn that failed.
            raise ModelError(str(error), kind="cannot_be_sent") from error

    # -- the ending -------------------------------------------------------------------------------------

    def _text_of(self, attachment: r.Block) -> str | None:
        return blobs.text_of(self._paths, attachment)

    def _consequences(self, message: r.Message, judgement: policy.Judgement | None, turn: _Turn) -> list[r.Record]:
        """The records that go into the same write as the reply: the verdict, and the lock or the guard message."""
        times = self.handle.times(3)[1:]
        records: list[r.Record] = []
        if judgement is not None:
            evidence = list(judgement.evidence)
            records.append(
                r.Verdict(
                    at=times[0],
                    message=message.id,
                    outcome=judgement.outcome,
                    reasons=list(judgement.reasons),
                    evidence=evidence,
                    private=judgement.private,
                    second_opinion=msgspec.structs.asdict(judgement.opinion) if judgement.opinion else None,
                )
            )
            if judgement.outcome == "ended" and judgement.call is not None:
                call = judgement.call
                records.append(
                    r.Ended(
                        at=times[1],
                        message=message.id,
                        cause=call.cause,
                        explanation=call.explanation,
                        evidence=evidence,
                    )
                )
                return records
        offered = self.handle.thread.settings.ending and turn.declined < MAX_DECLINED
        may_answer = offered and message.stop_reason == "tool_use"
        if may_answer and (results := policy.guard_content(message, judgement)):
            turn.declined += judgement is None or judgement.outcome != "confirm"
            records.append(
                r.Message(at=times[1], id=new_id(), parent=message.id, role="user", content=results, kind="guard")
            )
        return records


def content_of(text: str, attachments: Sequence[r.Block] = ()) -> list[r.Block]:
    """The content of a typed message: attachments first, then the words. Empty where there is neither.

    What cannot be written as UTF-8 (half a surrogate pair) is replaced.
    """
    text = text.encode("utf-8", "replace").decode()
    words: list[r.Block] = [{"type": "text", "text": text}] if text.strip() else []
    return [*attachments, *words]


def edited(message: r.Message, text: str, attachments: Sequence[r.Block] = ()) -> list[r.Block]:
    """The content of an edit: the old message's attachments and new ones, with other words."""
    kept = [block for block in message.content if block.get("type") != "text"]
    return content_of(text, [*kept, *attachments])
