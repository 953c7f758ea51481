"""What is said to a turn: which step of the fallback holds, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from time import perf_counter

from shared.errors import ModelUnavailable, Permanent
from shared.knowledge.quote import quote
from shared.llm import prompt
from shared.llm.call import ModelCall
from shared.llm.router import Router
from shared.model import Answer, Completion, ModelAttempt, Passage
from shared.triage.classify import claims_nothing
from tasks.answers import fallback, handover, manners, wording
from tasks.answers.generate import generate
from tasks.answers.leases import Lease
from tasks.answers.resources import AnswerResources
from tasks.answers.turn_context import Case
from tasks.models import spending

ATTEMPTS_MAX = 5
"""After so many failed attempts a person is asked: a customer waits, and the fault is ours."""


NOT_LISTED, OWN_CASE = "not_listed", "own_case"
"""Reasons of answers: a code that is asked for is not there; the question is about the customer's own case."""


def is_question(case: Case) -> bool:
    """Whether something is to be searched for."""
    return case.triage is not None and case.triage.kind == "question"


def compose(r: AnswerResources, lease: Lease, case: Case) -> Answer:
    """Try the fallback steps until one holds: a model's answer, quoted passages, that nothing is known. Where we fail,
    a person is told, and the bot stays on."""
    if case.turn.attempts > ATTEMPTS_MAX:
        tried = fallback.without_models("failed_attempts", "handover")
        return Answer(wording.text(case, "failed"), "handover", "failed_attempts", fallback_steps=tried)
    if not is_question(case):
        return manners.without_question(case, r.clock.now())
    if case.step == "handover":
        tried = fallback.without_models("overload", "handover")
        return Answer(wording.text(case, "overload"), "handover", "overload", fallback_steps=tried)
    relevant = [p for p in case.passages if p.relevance >= r.settings.answers.relevance_threshold]
    call = ModelCall(case.turn.company_id, case.contact_id, "answer", case.turn.id)
    router = r.router_for(call)
    if not relevant:
        if manners.says_little(case):
            return manners.unclear(case)
        lacking, said = _lacking(case)
        modelless = router is None or case.over_budget or case.step == "passages"
        if lacking or modelless or not manners.may_ask_nothing(case):
            return handover.unknown(case, lacking or "nothing_relevant", r.clock.now(), case.passages, said=said)
    if router is None or case.over_budget or case.step == "passages":
        reason = "no_model" if router is None else "budget" if case.over_budget else "overload"
        return manners.unclear(case) if manners.says_little(case) else _quote(case, relevant, reason, r.clock.now())
    passed_over = _passed_over(case) if router.has_cheaper else None
    return _by_model(r, call, router, lease, case, relevant, passed_over=passed_over)


def _without_passages(case: Case, now: datetime, attempts: tuple[ModelAttempt, ...]) -> Answer:
    """Nothing is known, after a model was asked whether anything is asked at all."""
    answer = handover.unknown(case, "nothing_relevant", now, case.passages)
    tried = fallback.by_models(attempts, answer.step, "nothing_relevant")
    return replace(answer, attempts=attempts, fallback_steps=tried)


def _by_model(
    r: AnswerResources, call: ModelCall, router: Router, lease: Lease, case: Case, relevant: Sequence[Passage], *,
    passed_over: str | None,
) -> Answer:  # fmt: skip
    """What the model wrote, or what stands in for it."""
    started = perf_counter()
    try:
        completion = generate(r, call, router, lease, case, relevant, cheaper=passed_over is not None)
    except (ModelUnavailable, Permanent, TimeoutError) as e:
        reason = "model_unavailable" if not isinstance(e, Permanent) else e.reason
        attempts = tuple(lease.attempts)
        if manners.says_little(case):
            tried = fallback.by_models(attempts, "notice", reason, passed_over=passed_over)
            answer = replace(manners.unclear(case), attempts=attempts, fallback_steps=tried)
        elif not relevant:
            answer = _without_passages(case, r.clock.now(), attempts)
        else:
            answer = _quote(case, relevant, reason, r.clock.now(), attempts, passed_over)
        return replace(answer, ms={"model": _ms(started)})
    answer = _taken(r, case, completion, relevant, passed_over or _over_budget(completion.attempts))
    tried = fallback.by_models(completion.attempts, answer.step, answer.step_reason, passed_over=passed_over)
    return replace(
        answer,
        passages=tuple(relevant) or case.passages,
        attempts=completion.attempts,
        fallback_steps=tried,
        ms={"model": _ms(started)},
    )


def _taken(
    r: AnswerResources, case: Case, completion: Completion, relevant: Sequence[Passage], passed_over: str | None
) -> Answer:
    """What is made of a model's text. One that points at no passage is not grounded, unless it asks back what was
    meant, or is a courtesy that claims nothing."""
    said = prompt.said_to_be(completion.text) if manners.may_ask_nothing(case) else None
    if said is not None:
        return manners.told_apart(case, said, r.clock.now())
    text, citations = prompt.check_citations(prompt.without_marker(completion.text), relevant)
    lacking, told = _lacking(case)
    if citations:
        if lacking == NOT_LISTED and not any(code.lower() in text.lower() for code in case.unlisted):
            text = f"{told}\n{text}"
        return Answer(text, completion.step, passed_over or lacking or "model", citations=citations)
    # not twice in a row: a customer who is asked again and again is not helped
    asked_back = prompt.clarifying_question(completion.text) if case.bot_step != "clarify" else None
    if asked_back is not None:
        return Answer(asked_back, "clarify", "model")
    if _courteous(case, text):
        return Answer(text, "courtesy", "model")
    if not relevant:
        return _without_passages(case, r.clock.now(), completion.attempts)
    if manners.says_little(case):
        return manners.unclear(case)
    return handover.unknown(case, lacking or "uncited", r.clock.now(), said=told)


def _courteous(case: Case, text: str) -> bool:
    """Whether a model's answer without a source is a courtesy in return for one."""
    asked = case.triage
    return asked is not None and asked.polite and not asked.asks and claims_nothing(text)


def _over_budget(attempts: Sequence[ModelAttempt]) -> str | None:
    """Which budget had no room for a dearer model than the one that answered."""
    return next((one.outcome for one in attempts if one.outcome in spending.OVER_BUDGET), None)


def _passed_over(case: Case) -> str | None:
    """Why the first model is left alone where there is a cheaper one."""
    return "overload" if case.step == "cheaper" else "near_budget" if case.near_budget else None


def _lacking(case: Case) -> tuple[str, str]:
    """Which data the question asks for and we do not have, and how that is said; both empty if nothing is missing."""
    if case.unlisted:
        return NOT_LISTED, wording.not_listed(case, case.unlisted)
    return (OWN_CASE, wording.text(case, "own_case")) if case.own_case else ("", "")


def _quote(
    case: Case, relevant: Sequence[Passage], reason: str, now: datetime, attempts: tuple[ModelAttempt, ...] = (),
    passed_over: str | None = None,
) -> Answer:  # fmt: skip
    """What the passages say; where the question is about the customer's own case, a person is offered behind it,
    because no passage answers that."""
    introduction = manners.introduction(case, away=reason != "no_model")
    text, citations = prompt.check_citations(quote(relevant, case.question, introduction), relevant)
    lacking, said = _lacking(case)
    if not text:  # titles alone
        answer = handover.unknown(case, lacking or "nothing_relevant", now, relevant, said=said)
        return replace(answer, attempts=attempts)
    if lacking == OWN_CASE:
        answer = handover.unknown(case, OWN_CASE, now, relevant)
        return replace(answer, text=f"{said}\n{text}\n\n{answer.text}", citations=citations, attempts=attempts)
    if lacking:
        text, reason = f"{said}\n{text}", lacking
    tried = fallback.by_models(attempts, "passages", reason, passed_over=passed_over)
    return Answer(text, "passages", reason, tuple(relevant), citations, attempts, tried)


def _ms(started: float) -> int:
    return round((perf_counter() - started) * 1000)
