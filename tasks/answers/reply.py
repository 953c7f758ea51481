"""Answering a turn: passages, a model, the fallback steps below it, and one transaction that makes it a reply."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum
from time import perf_counter

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from shared import faults
from shared.errors import Cancelled, DatabaseUnavailable
from shared.knowledge import asked_identifiers, trim
from shared.knowledge import search as knowledge
from shared.knowledge.asking import Question
from shared.knowledge.conversation import said_before
from shared.knowledge.embedding_models import Understood
from shared.knowledge.reranked import reranked
from shared.live.stream import AnswerStream
from shared.live.topics import AnswerId, Chat
from shared.llm import made_calls
from shared.llm.metrics import UNRECORDED
from shared.model import Answer, ModelAttempt
from shared.resilience.backoff import delay_s
from shared.resilience.lease_records import LeaseRecord
from shared.store.answers import replies, turns
from shared.store.answers.turns import Claim
from shared.store.db.pool import describe
from shared.store.inbox import conversations
from shared.store.knowledge import identified
from shared.store.knowledge.embedding_models import EmbeddingModel
from shared.store.models import usage
from shared.telemetry import work
from tasks.answers import manners, metrics
from tasks.answers import turn_context as cases
from tasks.answers.compose import ATTEMPTS_MAX, compose, is_question
from tasks.answers.leases import Lease, Leases
from tasks.answers.resources import AnswerResources
from tasks.answers.turn_context import Case
from tasks.dispatch import ClaimCapacity, Claimed
from tasks.inbox.metrics import BOT_LEFT, BOT_RETURNED
from tasks.models import spending

log = structlog.get_logger(__name__)

QUESTION_LINES_MAX = 20
QUESTION_LINE_CHARS = 1_000
"""Somebody who pastes a book or sends a thousand messages in a burst gets an answer to the end of it."""
PASSAGES = 6
RERANKED = 48
"""Passages that a reranker chooses from: a reader finds what words and vectors ranked too low."""
PASSAGES_TOKENS = 4_000
PUT_BACK_WITHIN_S = 1.0


class Result(Enum):
    NOTHING_DUE = "nothing_due"
    ANSWERED = "answered"
    NO_REPLY = "no_reply"
    CANCELLED = "cancelled"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Taken:
    """A turn that this process has claimed. case: None where it is still to be loaded, on its own."""

    lease: Lease
    case: Case | None


def take_due(r: AnswerResources, leases: Leases, after_company: int, room: ClaimCapacity) -> Claimed[Taken]:
    """Claim as many due turns as there is room for, going round the companies, and load what their answers need. Each
    must be given to answer(). Raises DatabaseUnavailable when nothing could be claimed."""
    if leases.stopping:
        return Claimed((), (), after_company, more=False)
    try:
        claims, loaded = _claim(r, after_company, room, load=True)
    except DatabaseUnavailable:
        raise
    except Exception as e:  # noqa: BLE001  one that cannot be loaded must not keep the others from being claimed
        log.warning("turns_taken_one_by_one", error=describe(e))
        room = replace(room, slots=1)
        claims, loaded = _claim(r, after_company, room, load=False)
    if claims:
        faults.reach("reply.claimed")
    taken = [Taken(leases.take(claim), loaded.get(claim)) for claim in claims]
    companies = [claim.company_id for claim in claims]
    return Claimed(taken, companies, companies[-1] if companies else 0, more=len(claims) == room.slots)


def _claim(
    r: AnswerResources, after_company: int, room: ClaimCapacity, *, load: bool
) -> tuple[list[Claim], dict[Claim, Case]]:
    """The claims are recorded before they are committed: a process killed in between has nothing that only the
    database knows of."""
    claims: list[Claim] = []
    try:
        with r.db.transaction() as conn:
            claims = turns.claim_several(
                conn, after_company, limit=room.slots, lease_s=r.settings.answers.lease_s, held=room.held,
                company_max=room.company_max, early=_early(r, room),
            )  # fmt: skip
            loaded = cases.load(r, conn, claims) if load else {}
            r.lease_records.note(map(_piece, claims))
    except BaseException:
        for claim in claims:
            r.lease_records.forget(_piece(claim))
        raise
    return claims, loaded


def _early(r: AnswerResources, room: ClaimCapacity) -> int:
    """How many turns may be begun while their quiet window runs: half of the threads are kept for what is due."""
    if not r.settings.answers.early_start:
        return 0
    return max(0, room.slots - r.settings.processes.reply_threads // 2)


def answer_next_turn(r: AnswerResources, leases: Leases, after_company: int) -> tuple[Result, int]:
    """Claim the next due turn and answer it. Returns how it went and the company it was of (the cursor for the
    next call). Raises DatabaseUnavailable when nothing could be claimed."""
    batch = take_due(r, leases, after_company, ClaimCapacity(1))
    for taken in batch.pieces:
        return answer(r, leases, taken), batch.company
    return Result.NOTHING_DUE, batch.company


def answer(r: AnswerResources, leases: Leases, taken: Taken) -> Result:
    """Answer a claimed turn; its lease ends here, however that goes."""
    claim = taken.lease.claim
    ids = bound_contextvars(turn_id=claim.turn_id, company_id=claim.company_id, request_id=None)
    try:
        with ids, _told(claim), r.load_shedding.pace.piece(), made_calls.collected() as beside:
            try:
                result = _answer(r, taken, beside)
            finally:
                _charge_left(r, taken, made_calls.taken(beside))
            return result
    finally:
        leases.drop(taken.lease)
        r.lease_records.forget(_piece(claim))


def _told(claim: Claim) -> AbstractContextManager[None]:
    key = f"turn-{claim.company_id}-{claim.turn_id}"
    return work.piece("answers.answer_turn", key, company=claim.company_id, turn=claim.turn_id)


def _piece(claim: Claim) -> LeaseRecord:
    return LeaseRecord("turn", claim.company_id, claim.turn_id, claim.epoch)


def _answer(r: AnswerResources, taken: Taken, beside: list[ModelAttempt]) -> Result:
    """Logs on the way carry turn_id and company_id, and request_id once the turn is loaded. beside: the calls of models
    on the way to the answer; what is stored is taken from it."""
    lease, claim = taken.lease, taken.lease.claim
    try:
        lease.guard(None)  # a process that stops begins nothing
        started = perf_counter()
        case = taken.case or cases.load_one(r, claim)
        if case is None:
            work.ended("cancelled", "gone")
            return Result.CANCELLED
        bind_contextvars(request_id=case.turn.request_id)
        work.about(conversation=case.turn.conversation_id, request=case.turn.request_id)
        if not (case.turn.bot_enabled or case.paused):
            return _cancelled(r, claim)
        case = manners.judged(
            replace(case, step=r.load_shedding.step(claim.company_id)),
            r.rate_limits.of(claim.company_id, "answers").per_hour,
        )
        if not case.may_be_drafted:
            lease.wait(case.quiet_left_s)
        if is_question(case) and case.turn.attempts <= ATTEMPTS_MAX and case.step != "handover":
            case = _retrieve(r, claim, case)
        with _stream(r, case) as stream:
            answer = compose(r, lease, replace(case, stream=stream))
            answer = replace(
                manners.returned(case, answer), embedding_model=case.embedding_model,
                needed=r.settings.answers.relevance_threshold, beside=made_calls.taken(beside),
            )  # fmt: skip
            answer.ms.update(case.ms)
            answer.ms["quiet"] = _wait_for_quiet(r, lease, case, answer)
            answer.ms["total"] = _ms(started) + (0 if taken.case is None else case.ms["gather"])
            lease.guard(None)
            if not _store(r, lease, case, answer):
                metrics.TURNS.inc("cancelled", "")
                work.ended("cancelled", "taken_over")
                log.info("turn_cancelled", reason="taken_over")
                return Result.CANCELLED
            if answer.step != "silence" or replies.attention_of(answer):  # which lists of conversations show
                stream.became_message()
    except Cancelled:
        _return_unused(r, claim)
        metrics.TURNS.inc("cancelled", "")
        work.retried("cancelled")
        log.info("turn_cancelled")
        return Result.CANCELLED
    except DatabaseUnavailable as e:
        back = _retry_later_if_possible(r, claim, e)  # else the lease ends by itself, and the turn is found again
        metrics.TURNS.inc("left", "")
        work.retried("database_unavailable")
        log.warning("turn_left", reason="database_unavailable", retried=back)
        return Result.RETRY
    except Exception as e:
        _retry_later(r, claim, e)
        metrics.TURNS.inc("failed", "")
        work.retried(describe(e))
        log.warning("turn_failed", exc_info=e)
        return Result.RETRY
    faults.reach("reply.after_commit")
    _count(answer, counted_before=case.return_untold)
    _count_limit(r, case, answer)
    work.ended(answer.step, answer.step_reason)
    log.info("turn_answered", step=answer.step, reason=answer.step_reason, **_numbers(answer))
    return Result.NO_REPLY if answer.step == "silence" else Result.ANSWERED


def _wait_for_quiet(r: AnswerResources, lease: Lease, case: Case, answer: Answer) -> int:
    """Wait until the quiet window of a turn that was claimed early has passed. Returns the milliseconds; raises
    Cancelled when a further message comes, once what the answer took is charged."""
    faults.reach("reply.quiet")
    left_s = case.quiet_left_s
    if left_s:
        try:
            lease.wait(left_s)
        except Cancelled:
            _charge(r, lease, case.contact_id, (*answer.attempts, *answer.beside))
            raise
    return round(left_s * 1000)


def _cancelled(r: AnswerResources, claim: Claim) -> Result:
    """A person has the conversation."""
    work.ended("cancelled", "taken_over")
    with r.db.transaction(claim.company_id) as conn:
        turns.finish(conn, claim, "cancelled")
    return Result.CANCELLED


def _count(answer: Answer, *, counted_before: bool) -> None:
    """counted_before: that the bot is back, which this answer says, was counted when it came."""
    metrics.TURNS.inc(_state(answer), answer.step)
    if (attention := replies.attention_of(answer)) is not None:
        metrics.ATTENTION.inc(attention)
    metrics.STEPS.inc(answer.step, answer.step_reason)
    if answer.bot in ("hands_over", "pauses"):
        BOT_LEFT.inc(answer.step_reason)
    elif answer.bot == "resumes" and not counted_before:
        BOT_RETURNED.inc("resumed")
    for stage, ms in answer.ms.items():
        metrics.STAGE.observe(ms / 1000, stage)


def _count_limit(r: AnswerResources, case: Case, answer: Answer) -> None:
    if answer.step_reason == replies.ANSWERS_LIMIT:
        who = str(case.contact_id or "")
        r.refusals.refused("answers", "contact", case.turn.company_id, who, again=answer.step == "silence")
    elif answer.step != "silence":
        r.refusals.allowed("answers", "contact")


def _state(answer: Answer) -> str:
    """How its turn ends."""
    return {"handover": "handed_over", "silence": "no_reply"}.get(answer.step, "answered")


def _stream(r: AnswerResources, case: Case) -> AnswerStream:
    turn = case.turn
    chat = Chat(turn.company_id, turn.channel_id, turn.chat)
    return AnswerStream(r.live, chat, AnswerId(turn.id, turn.epoch), not_before_s=case.quiet_ends_s)


def _numbers(answer: Answer) -> dict[str, int]:
    return {f"{stage}_ms": ms for stage, ms in answer.ms.items()} | {"passages": len(answer.passages)}


def _retrieve(r: AnswerResources, claim: Claim, case: Case) -> Case:
    """Return the case with the passages for its burst and the embedding model that ranked them. ms: `embed` is 0 if all
    results were cached."""
    started = perf_counter()
    lines = [line[-QUESTION_LINE_CHARS:] for line in manners.asked_lines(case)[-QUESTION_LINES_MAX:]]
    before = said_before(manners.of_the_matter(case))
    case.ms["embed"] = 0

    def understand(known: Sequence[EmbeddingModel]) -> Understood:
        embedding = perf_counter()
        found = r.understand(knowledge.questions_of(lines), before=before, known=known)
        case.ms["embed"] = _ms(embedding)
        return found

    reranker = r.reranker_for(claim.company_id)
    candidates = RERANKED if reranker is not None else 2 * PASSAGES
    question = Question(claim.company_id, lines, candidates, before, case.where)
    understood, found = r.ask(question, understand, case.embedding_models)
    case.ms["search"] = _ms(started) - case.ms["embed"]
    held = {text for passage in found for text in passage.identifiers}
    unlisted = asked_identifiers.missing_of_lines(lines, held)
    if unlisted:
        with r.db.transaction(claim.company_id) as conn:
            unlisted = unlisted if identified.is_complete(conn, claim.company_id) else ()
    # the connection is back: a reranker is somebody else's HTTP, too
    found = reranked(reranker, "\n".join(lines), found, filtered=case.where is not None)
    passages = tuple(trim.fitting(found, PASSAGES, PASSAGES_TOKENS))
    return replace(case, passages=passages, embedding_model=understood.embedding_model, unlisted=unlisted)


def _store(r: AnswerResources, lease: Lease, case: Case, answer: Answer) -> bool:
    """Make the reply; an answer that does not become one is charged all the same. Where the database was lost, nobody
    knows whether it was, and what is reserved is charged if it was not."""
    calls = (*answer.attempts, *answer.beside)
    try:
        stored = _make_reply(r, lease, case, answer)
    except DatabaseUnavailable:
        UNRECORDED.inc(by=len(calls))
        _settled(r, lease)
        raise
    except Exception:
        _charge(r, lease, case.contact_id, calls)
        raise
    if stored:
        _settled(r, lease)
    else:
        _charge(r, lease, case.contact_id, calls)
    return stored


def _charge(r: AnswerResources, lease: Lease, contact_id: int | None, calls: Sequence[ModelAttempt]) -> None:
    """Write calls to the ledger, and settle what was reserved for the turn."""
    if not calls and lease.reservation is None:
        return
    claim = lease.claim
    with r.db.transaction(claim.company_id) as conn:
        cost_micros = usage.add(
            conn, claim.company_id, calls, contact_id=contact_id, turn_id=claim.turn_id, epoch=claim.epoch,
            reservation_id=_reserved(lease),
        )  # fmt: skip
    _settled(r, lease)
    _count_cost(cost_micros)


def _reserved(lease: Lease) -> int | None:
    return None if lease.reservation is None else lease.reservation.id


def _settled(r: AnswerResources, lease: Lease) -> None:
    """The turn's calls are in the ledger and what was reserved is settled, or will be charged when it expires."""
    lease.attempts.clear()
    if lease.reservation is not None:
        spending.ended(r, lease.reservation)
        lease.reservation = None


def _charge_left(r: AnswerResources, taken: Taken, calls: Sequence[ModelAttempt]) -> None:
    """Charge what was called for on the way to an answer that did not come to be."""
    lease, contact_id = taken.lease, None if taken.case is None else taken.case.contact_id
    calls = (*lease.attempts, *calls)
    try:
        _charge(r, lease, contact_id, calls)
    except Exception as e:  # noqa: BLE001  the turn has its end, and what is reserved is charged when it expires
        UNRECORDED.inc(by=len(calls))
        log.warning("model_calls_not_recorded", calls=len(calls), error=describe(e))
        _settled(r, lease)


def _make_reply(r: AnswerResources, lease: Lease, case: Case, answer: Answer) -> bool:
    """Make the answer a reply: message, parts to deliver, receipt, heads; all or nothing, fenced by the epoch.

    False: a person has the conversation. Raises Cancelled when the turn is not ours any more.
    """
    claim, turn = lease.claim, case.turn
    parts = r.platforms[turn.platform].split(answer.text)
    with r.db.transaction(claim.company_id) as conn:
        # the conversation first, like everybody who changes its turns
        conversation = conversations.lock(conn, claim.company_id, turn.conversation_id)
        if conversation is None:
            raise Cancelled
        if not (conversation.bot_enabled or (case.paused and conversation.status in ("paused", "closed"))):
            turns.finish(conn, claim, "cancelled")
            return False
        if answer.step == "silence":
            if not replies.make_none(conn, claim, answer):
                raise Cancelled
            if (attention := replies.attention_of(answer)) is not None:
                replies.silence(conn, claim, conversation.id, attention=attention, for_s=_silent_s(answer))
            usage.add(
                conn, claim.company_id, (*answer.attempts, *answer.beside), contact_id=case.contact_id,
                turn_id=claim.turn_id, epoch=claim.epoch, reservation_id=_reserved(lease),
            )  # fmt: skip
            return True
        made = replies.make(
            conn, claim, conversation, _state(answer), answer, parts, contact_id=case.contact_id,
            reservation_id=_reserved(lease),
            burst=len(case.burst) > 1,
        )  # fmt: skip
        if made is None:
            raise Cancelled
        faults.reach("reply.before_commit")
    _count_cost(made.cost_micros)
    return True


def _silent_s(answer: Answer) -> float:
    """How long the bot says nothing from now on, whatever comes."""
    return manners.SILENT_S if answer.step_reason == "loop" else 0.0


def _count_cost(micros: int | None) -> None:
    if micros is None:
        metrics.UNPRICED.inc()
    elif micros:
        metrics.COST.inc(by=micros / 1_000_000)


def _retry_later(r: AnswerResources, claim: Claim, error: Exception) -> None:
    # the database says when to ask again, and not when to have an answer written once more
    retry_after_s = None if isinstance(error, DatabaseUnavailable) else getattr(error, "retry_after_s", None)
    with r.db.transaction(claim.company_id) as conn:
        turn = turns.load(conn, claim)
        if turn is not None:
            wait_s = retry_after_s or delay_s(turn.attempts, base_s=1.0, cap_s=60.0, rng=r.rng)
            turns.retry(conn, claim, delay_s=wait_s, error=describe(error))


def _retry_later_if_possible(r: AnswerResources, claim: Claim, error: DatabaseUnavailable) -> bool:
    """Have the turn answered again later; returns whether that was stored. Tried several times: often the database is
    there and only our connections were cut, and each shows that at its next use."""
    ends_s = perf_counter() + PUT_BACK_WITHIN_S
    while True:
        try:
            _retry_later(r, claim, error)
            return True
        except DatabaseUnavailable:
            if perf_counter() > ends_s:
                return False


def _return_unused(r: AnswerResources, claim: Claim) -> None:
    """Return a lease that may still be ours (the process stops); if it is not, the fence says so."""
    try:
        with r.db.transaction(claim.company_id) as conn:
            turns.return_unused(conn, [claim])
    except DatabaseUnavailable:
        pass  # it ends by itself


def _ms(started: float) -> int:
    return round((perf_counter() - started) * 1000)
