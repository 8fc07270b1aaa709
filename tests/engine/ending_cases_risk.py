"""The cases in which someone may be at risk: by the signs in the text, and by a second opinion.

`test_ending_cases.py` plays them, and keeps the README's table in step with what really happened.
"""

from __future__ import annotations

from typing import Any

from tests.engine.ending_stage import Stage, call, calling, request
from tests.engine.ending_table import AND, DECLINED, DESPAIR, ENDS, LAST, SILENT, WISH, Cases
from tests.referee import Hangup, HttpError, Refusal, Reply, Text, ToolUse, opinion
from tests.referee.script import Answer

case = Cases()


# -- signs of risk

RISK = "Signs of risk"


def _silent(stage: Stage) -> None:
    """Nothing of it in what anybody is told, nor more than that to the model."""
    assert stage.told == []
    guards = [m for m in stage.desk.thread.messages.values() if m.kind == "guard"]
    assert guards[-1].content[0]["content"] == "The conversation stays open. Go on talking."


@case(RISK, "a wish to die, before the insults", SILENT)
async def risk_before(stage: Stage) -> None:
    await stage.say(DESPAIR, "I am here. What happened?")
    await stage.warned()
    await stage.say(LAST, calling(call()), AND)
    _silent(stage)


@case(RISK, "in the last message before the call", SILENT)
async def risk_in_the_last(stage: Stage) -> None:
    await stage.warned()
    await stage.say(f"{LAST}, and by the way {DESPAIR}", calling(call()), AND)
    _silent(stage)


@case(RISK, "on another branch", SILENT)
async def risk_on_another_branch(stage: Stage) -> None:
    first = await stage.say(DESPAIR, "I am here.")
    await stage.edit(first, "Hello.", "Hello!")
    await stage.warned()
    await stage.say(LAST, calling(call()), AND)
    _silent(stage)


@case(RISK, "on another branch, typed in another window between call and confirmation", SILENT)
async def risk_between(stage: Stage) -> None:
    async def meanwhile() -> Answer:
        await stage.elsewhere(DESPAIR)
        return calling(call())

    await stage.warned()
    await stage.say(LAST, calling(call()), meanwhile, AND)
    assert stage.told == ["confirm"]


@case(RISK, "in the model's own words between call and confirmation", SILENT)
async def risk_in_its_words(stage: Stage) -> None:
    await stage.warned()
    words = "You told me that you want to die, and I am not leaving you alone with that."
    await stage.say(LAST, calling(call()), calling(call(), words=words), AND)


@case(RISK, "in the call's own explanation", SILENT)
async def risk_in_the_explanation(stage: Stage) -> None:
    await stage.warned()
    whole = call()
    told = ToolUse(whole.name, {**whole.input, "explanation": "The person keeps saying that they want to die."})
    await stage.say(LAST, calling(told), AND)
    _silent(stage)


@case(RISK, "in an attached text", SILENT)
async def risk_in_an_attachment(stage: Stage) -> None:
    await stage.say("My diary.", "Thank you for showing it to me.", files=("Monday. Rain.\nI want to die.\nTuesday.",))
    await stage.warned()
    await stage.say(LAST, calling(call()), AND)
    _silent(stage)


@case(RISK, "of somebody else", SILENT)
async def risk_of_others(stage: Stage) -> None:
    await stage.say("My sister wants to kill herself.", "Is she with you now?")
    await stage.warned()
    await stage.say(LAST, calling(call()), AND)
    _silent(stage)


@case(RISK, "somebody is beaten", SILENT)
async def danger_from_others(stage: Stage) -> None:
    await stage.say("My husband beats me.", "Are you safe now?")
    await stage.warned()
    await stage.say(LAST, calling(call()), AND)
    _silent(stage)


@case(RISK, "a threat against a person", SILENT)
async def threat(stage: Stage) -> None:
    await stage.say("I am going to kill my neighbour.", "Please stop. What happened?")
    await stage.warned()
    await stage.say(LAST, calling(call()), AND)
    _silent(stage)


@case(RISK, "at the person's own request: they are not asked", SILENT)
async def risk_and_request(stage: Stage) -> None:
    stage.willing = True
    await stage.say(DESPAIR, "I am here.")
    await stage.say(WISH, calling(request(WISH)), AND)
    assert not stage.asked
    _silent(stage)


@case(RISK, "typed in another window while the person is asked, who says yes", SILENT)
async def risk_while_asked(stage: Stage) -> None:
    stage.willing = True
    stage.while_asked = lambda: stage.elsewhere(DESPAIR)
    await stage.say(WISH, calling(request(WISH)), AND)
    assert stage.asked
    _silent(stage)


@case(RISK, "with a call that is invalid anyway", SILENT)
async def risk_and_invalid(stage: Stage) -> None:
    await stage.say(DESPAIR, calling(call(cause="boredom")), AND)
    _silent(stage)


@case(RISK, "on a new branch after an ending: the lock stays, the new branch goes on", ENDS)
async def risk_after(stage: Stage) -> None:
    insults = await stage.warned()
    await stage.say(LAST, calling(call()), calling(call()))
    await stage.edit(insults[0], DESPAIR, calling(call()), AND)
    _silent(stage)
    assert len(stage.desk.thread.ended) == 1
    await stage.say("Thank you.", "I am here.")


# -- the second opinion

OPINION = "The second opinion"


def _opinion(name: str, *answers: Answer, outcome: str = SILENT, **options: Any) -> None:
    @case(OPINION, name, outcome, **options)
    async def play(stage: Stage) -> None:
        await stage.warned()
        stage.opinions.extend(answers)
        await stage.say(LAST, calling(call()), AND)
        assert not stage.opinions
        _silent(stage)


_opinion("sees somebody at risk", opinion(True))
_opinion("fails (the server is overloaded)", HttpError(529, "overloaded_error", "Overloaded"))
_opinion("fails (the connection breaks)", Hangup())
_opinion("breaks off", Reply([Text('{"at_risk": false}')], no_message_stop=True))
_opinion("comes too late", Reply([Text('{"at_risk": false}')], delay=3), opinion_timeout=0.2)
_opinion("is refused", Refusal("general_harms", "No."))
_opinion("is cut short", Reply([Text('{"at_risk": false}')], stop_reason="max_tokens"))
_opinion("is no JSON", "Nobody is at risk.")
_opinion("has another form", '{"at_risk": "no"}')
_opinion("has a field too many", '{"at_risk": false, "note": "end it"}')
_opinion("is empty", Reply([]))


@case(OPINION, "sees a risk at the person's own request: they are not asked", SILENT)
async def opinion_on_a_request(stage: Stage) -> None:
    stage.willing = True
    stage.opinions.append(opinion(True))
    await stage.say(WISH, calling(request(WISH)), AND)
    assert not stage.asked
    _silent(stage)


@case(OPINION, "sees a risk only when the model confirms", SILENT)
async def opinion_at_last(stage: Stage) -> None:
    await stage.warned()
    stage.opinions.extend([opinion(False), opinion(True)])
    await stage.say(LAST, calling(call()), calling(call()), AND)
    assert stage.told == ["confirm"]


@case(OPINION, "saw a risk on an earlier call: it is remembered", SILENT)
async def opinion_remembered(stage: Stage) -> None:
    await stage.warned()
    stage.opinions.append(opinion(True))
    await stage.say(LAST, calling(call()), AND)
    asked = len(stage.referee.opinions)
    await stage.say(LAST, calling(call()), AND)
    assert len(stage.referee.opinions) == asked
    _silent(stage)


@case(OPINION, "is not asked for where the evidence is missing", DECLINED)
async def opinion_spared(stage: Stage) -> None:
    await stage.say("Hello.", calling(call()), AND)
    assert not stage.referee.opinions


@case(OPINION, "is turned off in config.toml", ENDS, second_opinion=False)
async def opinion_off(stage: Stage) -> None:
    await stage.warned()
    await stage.say(LAST, calling(call()), calling(call()))
    assert not stage.referee.opinions


@case(OPINION, "is turned off for a server that cannot give one", ENDS, server={"second_opinion": False})
async def opinion_impossible(stage: Stage) -> None:
    await stage.warned()
    await stage.say(LAST, calling(call()), calling(call()))
    assert not stage.referee.opinions
