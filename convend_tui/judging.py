"""A call of end_conversation, judged: the rules of ending/, with what they need of disk, network and person.

Nothing here decides anything. `ending/policy.py` does; this module fetches what it asks for, in an order in which
somebody who may be in danger is not asked whether to end the conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from convend_tui.ending import policy
from convend_tui.ending.policy import Judgement, Opinion
from convend_tui.ending.signs import RiskReader, inherited
from convend_tui.errors import RuleError
from convend_tui.model import opinion
from convend_tui.model.client import Client
from convend_tui.model.connect import Models
from convend_tui.store.handle import Rule, ThreadHandle
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread

AskPerson = Callable[[Judgement], Awaitable[bool]]
"""Asks the person whether to end the conversation, as the judged call says they requested; its evidence names the
message. True only for a yes."""


class Unread(RuleError):
    """Something was typed after the thread was read for signs of risk: the call is to be judged again."""


class Judge:
    """Judges the calls of one turn. The person is asked at most once in it."""

    def __init__(self, handle: ThreadHandle, models: Models, reader: RiskReader, ask_person: AskPerson | None) -> None:
        self._handle = handle
        self._models = models
        self._reader = reader
        self._ask_person = ask_person
        self._consent: bool | None = None

    async def judge(
        self, message: r.Message, client: Client, text_of: Callable[[r.Block], str | None]
    ) -> Judgement | None:
        """What the client decides about a call in this reply, which is not on the disk yet; None: none counts.

        Args:
            client: the server's, for the second opinion.
            text_of: the text of an attachment, or None.

        Raises:
            StoreError: the thread's file cannot be read.
        """
        thread = self._handle.thread
        if not thread.settings.ending or not policy.counts(message):
            return None
        path = [*thread.path(message.parent), message]
        # A yes is assumed until the person is asked: it is not worth a question where anything else is missing.
        consent = self._consent
        if consent is None and self._ask_person is not None:
            consent = True
        found = await self._decide(path, consent, None)
        if found.outcome == "declined":
            return found
        second = None
        if self._wants_opinion():
            body = opinion.build(
                path, thread.settings.model, text_of, self._models.abilities(thread.settings).max_tokens
            )
            second = await opinion.ask(client, body)
        if found.at_own_request and self._consent is None and (second is None or second.at_risk is False):
            assert self._ask_person is not None
            self._consent = consent = await self._ask_person(found)
        # Asked last, and of the file as it is by now: what was typed on another branch in the meantime counts.
        return await self._decide(path, consent, second)

    def rule(self, judgement: Judgement | None) -> Rule | None:
        """What must hold, under the file's lock, for a judgement to be written: an ending that was decided on what the
        thread said a moment ago must not overlook what another process has just put into it."""
        if judgement is None or judgement.outcome != "ended":
            return None

        def nothing_new(thread: Thread) -> None:
            if not all(self._reader.has_read(message) for message in thread.messages.values()):
                raise Unread("Something was typed in the meantime.")

        return nothing_new

    async def _decide(self, path: list[r.Message], consent: bool | None, second: Opinion | None) -> Judgement:
        await self._handle.catch_up()
        thread = self._handle.thread
        messages, verdicts = [*thread.messages.values(), path[-1]], list(thread.verdicts.values())

        def decide() -> Judgement | None:
            return policy.judge(
                path,
                min_redirections=self._models.config.ending.min_redirections,
                risk=[*inherited(thread.header), *self._reader.read(messages, verdicts)],
                consent=consent,
                opinion=second,
            )

        # A long thread takes a while to read; keys and other chats go on meanwhile.
        found = await asyncio.to_thread(decide)
        assert found is not None  # the message counts
        return replace(found, opinion=second)

    def _wants_opinion(self) -> bool:
        server = self._models.config.server(self._handle.thread.settings.server)
        return self._models.config.ending.second_opinion and (server is None or server.second_opinion)
