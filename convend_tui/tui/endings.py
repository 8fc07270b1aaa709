"""The dialogs about endings: the question before one, why there was one, feedback, and a draft's way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from convend_tui.ending.policy import Judgement
from convend_tui.ending.tool import cause_in_words
from convend_tui.errors import ConvendError
from convend_tui.files import named, write_new
from convend_tui.thread import records as r
from convend_tui.thread.tree import Thread
from convend_tui.tui.conversation import Conversation
from convend_tui.tui.dialogs import Prompt
from convend_tui.tui.end_for_good import EndForGood
from convend_tui.tui.evidence import EvidencePanel, Quotation
from convend_tui.tui.items import clock, day_and_clock
from convend_tui.tui.rate import RateDialog, Rating

if TYPE_CHECKING:
    from convend_tui.tui.screen import ChatScreen

_CITED = {"redirection": "a redirection", "warning": "the warning", "request": "your request"}


class Endings:
    """Opens the dialogs and keeps what comes of them."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen

    # -- before an ending -----------------------------------------------------------------------------

    async def ask_person(self, conversation: Conversation, judgement: Judgement) -> bool:
        """Ask whether to end the conversation, as the model understood. True only for a yes."""
        thread = conversation.thread
        cited = (str(piece.get("message")) for piece in judgement.evidence)
        found = [thread.messages[i] for i in cited if thread is not None and i in thread.messages]
        # All that was typed, not only what the model cites of it: a word beside it may turn its meaning round.
        quote = next((str(piece.get("quote") or "") for piece in judgement.evidence), "")
        dialog = EndForGood(r.text_of(found[0]) if found else "", conversation.title, quote)
        try:
            answer: bool | None = await self._screen.convend.push_screen_wait(dialog)
            return answer is True
        finally:
            # The turn was stopped from elsewhere: its question goes with it.
            dialog.give_up()

    # -- why ------------------------------------------------------------------------------------------

    def why(self, thread: Thread, message_id: str) -> None:
        """Show what a verdict stands on."""
        ended, verdict = thread.ended.get(message_id), thread.verdicts.get(message_id)
        asked = verdict is not None and verdict.outcome == "confirm"
        title = "Why the model was asked to confirm" if asked else "Why this conversation was not ended"
        title = "Why this conversation ended" if ended else title
        facts = _of_ending(thread, ended, verdict) if ended else _of_decline(verdict)
        evidence = ended.evidence if ended else verdict.evidence if verdict else []
        quotations = [_quotation(thread, piece) for piece in evidence]
        closing = "" if evidence else "There are no quotations in the thread's file."

        def jump(message: str | None) -> None:
            if message is not None:
                self._screen.transcript.focus()
                self._screen.transcript.go_to(message)

        self._screen.convend.push_screen(EvidencePanel(title, list(facts), quotations, closing), jump)

    # -- feedback -------------------------------------------------------------------------------------

    def rate(self, conversation: Conversation, message: r.Message) -> None:
        """Ask for thumbs and a comment, and keep them in the thread."""
        thread, handle = conversation.thread, conversation.handle
        assert thread is not None and handle is not None
        given = thread.feedback.get(message.id, [])
        before = Rating(given[-1].thumb, given[-1].comment) if given else None
        if message.id in thread.ended:
            title, body = (
                "Was it right to end this conversation?",
                "Thumbs up: it was right. Thumbs down: it was wrong.",
            )
        else:
            title, body = "What do you think of this answer?", f"The answer of {clock(message.at)}."
        body += " It is kept in this thread's file and sent nowhere; the command Report writes it down to send on."

        def keep(rating: Rating | None) -> None:
            if rating is not None:
                record = r.Feedback(at=handle.now(), message=message.id, thumb=rating.thumb, comment=rating.comment)
                self._screen.sending.append(handle, [record])

        self._screen.convend.push_screen(RateDialog(title, body, before), keep)

    def report(self, thread: Thread) -> None:
        """Write a report on the thread's endings to a file."""
        screen = self._screen

        def write(name: str | None) -> None:
            if not name or not name.strip():
                return
            from convend_tui.exchange.report import report

            file = named(name.strip())
            if not file.parent.is_dir():
                screen.convend.tell(f"{file} cannot be written: there is no folder {file.parent}.", severity="error")
                return
            try:
                write_new(file, report([thread], with_text=False).encode())
            except ConvendError as error:
                screen.convend.tell(str(error), severity="error")
            else:
                screen.convend.tell(f"Written to {file}. It holds quotations, but not the conversation.", seconds=8)

        name = f"convend-report-{thread.id}.md"
        prompt = Prompt("Write a report on this chat's endings", name, "A file that is new", enter="writes it")
        screen.convend.push_screen(prompt, write)

    # -- drafts ---------------------------------------------------------------------------------------

    def offer_draft(self, left: Conversation) -> None:
        """What was being typed when the lock fell comes along into the new chat, and stays where it was as well."""
        screen = self._screen
        if left.ended is None or left.thread is None:
            return
        draft = screen.drafting.draft_of(left)
        if not draft:
            return
        if screen.composer.text.strip() or screen.composer.state.attachments:
            screen.convend.tell("What you were writing in the ended chat is kept there.")
            return
        screen.drafting.take(draft)
        screen.convend.tell("What you were writing when the chat ended is here. It is kept there, too.")


def _of_ending(thread: Thread, ended: r.Ended, verdict: r.Verdict | None) -> Iterator[str]:
    model = thread.messages[ended.message].model if ended.message in thread.messages else None
    yield f"{model or 'The model'} ended it on {day_and_clock(ended.at)}. Cause: {cause_in_words(ended.cause)}."
    yield f"In its words: {ended.explanation}"
    yield ""
    if ended.cause == "user_request":
        yield "Your words were looked up in what you had typed, and you were asked. You said yes."
    else:
        yield "Each quotation was looked up, word for word, in the model's own earlier messages on this branch."
    opinion = verdict.second_opinion if verdict is not None else None
    if opinion is not None and opinion.get("at_risk") is False:
        yield f"A second opinion ({opinion.get('model') or 'the same model'}) saw nobody at risk."
    if verdict is not None:
        yield "The model was asked to read the rules again, and confirmed."


def _of_decline(verdict: r.Verdict | None) -> Iterator[str]:
    if verdict is None:
        return
    yield f"The model asked for an end on {day_and_clock(verdict.at)}."
    if verdict.outcome == "confirm":
        yield "It was asked to read the rules again and to confirm."
    yield from verdict.reasons


def _quotation(thread: Thread, piece: Mapping[str, Any]) -> Quotation:
    message = thread.messages.get(str(piece.get("message")))
    kind = str(piece.get("kind"))
    quote = str(piece.get("quote") or "(nothing)")
    return Quotation(
        _CITED.get(kind, kind), quote, message.id if message else None, clock(message.at) if message else ""
    )
