"""What a turn's answer is made from, loaded for as many turns as were claimed together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from shared import channels
from shared.live.stream import AnswerStream
from shared.model import ChatLine, Passage
from shared.resilience.load_shedding import Step
from shared.store.answers import turn_contexts
from shared.store.answers.turn_contexts import Loaded
from shared.store.answers.turns import Claim, Turn
from shared.store.assistants.assistants import Assistant
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge.embedding_models import EmbeddingModel
from shared.store.knowledge.filters import Filter
from shared.store.tenants.companies import Company
from shared.triage import own_case
from shared.triage.classify import Triage
from tasks.answers.resources import AnswerResources

HISTORY_LINES = 20
LINES_MAX = 200


@dataclass(frozen=True, slots=True)
class Case:
    """ms: time per stage so far. where: what the answer may draw on; None: all that the company knows. near_budget:
    most of the day's tokens are used. stream: tells who watches what is being written. step: the highest fallback step
    that an overload leaves. embedding_models: those that there were when the turn was claimed; None: not looked up.
    embedding_model: what ranked the passages. bot_step, bot_step_at: of the bot's last reply, None since a person did.
    misses: its replies in a row that nothing is known. day_ahead_s, silenced, language, status, handle, return_untold,
    contact_id, answers_hour, limit_told: as in Loaded. unlisted: codes of the question that no document has. triage:
    what the burst is; None until it is judged, and of one that holds nothing readable. quiet_ends_s: when the
    quiet window ends, by time.monotonic(); past, where the turn was not claimed early."""

    turn: Turn
    company: Company
    assistant: Assistant
    burst: tuple[ChatLine, ...]
    history: tuple[ChatLine, ...]
    passages: tuple[Passage, ...]
    sealed: bytes
    ms: dict[str, int]
    where: Filter | None = None
    over_budget: bool = False
    near_budget: bool = False
    stream: AnswerStream | None = None
    step: Step = "full"
    embedding_models: Sequence[EmbeddingModel] | None = None
    embedding_model: str | None = None
    bot_step: str | None = None
    bot_step_at: datetime | None = None
    misses: int = 0
    day_ahead_s: float = 0.0
    silenced: bool = False
    triage: Triage | None = None
    language: str | None = None
    status: str = "open"
    handle: str | None = None
    return_untold: bool = False
    contact_id: int | None = None
    answers_hour: int = 0
    limit_told: bool = False
    unlisted: tuple[str, ...] = ()
    quiet_ends_s: float = 0.0

    @property
    def may_be_drafted(self) -> bool:
        """Whether a model may be asked although a further message may make that be for nothing."""
        return not (self.over_budget or self.near_budget) and self.step == "full"

    @property
    def quiet_left_s(self) -> float:
        return max(0.0, self.quiet_ends_s - time.monotonic())

    @property
    def paused(self) -> bool:
        """The customer has silenced the bot, and no person has the conversation."""
        return self.status == "paused" or (self.status == "closed" and not self.turn.bot_enabled)

    @property
    def shared(self) -> bool:
        """Several customers may write in the chat."""
        return channels.platform(self.turn.platform).is_shared(self.turn.chat)

    @property
    def own_case(self) -> bool:
        """The question is about the customer's own order or account, of which no document knows."""
        return own_case.judge(self.question) is not None

    @property
    def question(self) -> str:
        return "\n".join(line.text for line in self.burst if line.text)


def load(r: AnswerResources, conn: Conn, claims: Sequence[Claim]) -> dict[Claim, Case]:
    """Everything that answers need but their passages; nothing for a turn whose lease is gone. The transaction works
    for the companies of these turns from here on."""
    if not claims:
        return {}
    started = perf_counter()
    set_companies(conn, {claim.company_id for claim in claims})
    loaded = turn_contexts.load(conn, claims, history_lines=HISTORY_LINES, lines_max=LINES_MAX)
    # Here, because without a usable model they are read each time, which would cost each turn a transaction of its own.
    models = tuple(r.embedding_models.every(conn))
    gather_ms = round((perf_counter() - started) * 1000)
    return {claim: _case(r, one, gather_ms, models) for claim, one in loaded.items()}


def load_one(r: AnswerResources, claim: Claim) -> Case | None:
    with r.db.transaction(claim.company_id) as conn:
        return load(r, conn, [claim]).get(claim)


def _case(r: AnswerResources, loaded: Loaded, gather_ms: int, models: Sequence[EmbeddingModel]) -> Case:
    turn, budget = loaded.turn, loaded.company.daily_token_budget
    lines = loaded.lines
    asked = {
        seq for seq, line in lines if turn.first_seq <= seq <= turn.last_seq and line.role == "customer"
    } - loaded.answered
    burst = tuple(line for seq, line in lines if seq in asked)
    # also what was said to an earlier turn after this one began; what customers wrote since wants its own turn
    history = tuple(
        line
        for seq, line in lines
        if (line.text or line.attached or line.told)
        and seq not in asked
        and (seq <= turn.last_seq or line.role != "customer")
    )
    waited_ms = round((r.clock.now() - turn.received_at).total_seconds() * 1000)
    over = budget is not None and loaded.tokens_today >= budget
    near = budget is not None and loaded.tokens_today >= budget * r.settings.answers.budget_cheaper_share
    ms = {"waited": waited_ms, "gather": gather_ms}
    return Case(
        turn,
        loaded.company,
        loaded.assistant,
        burst,
        history,
        (),
        loaded.credentials,
        ms,
        loaded.where,
        over_budget=over,
        near_budget=near,
        embedding_models=models,
        bot_step=loaded.bot_step,
        bot_step_at=loaded.bot_step_at,
        misses=loaded.misses,
        day_ahead_s=loaded.day_ahead_s,
        silenced=loaded.silenced,
        language=loaded.language,
        status=loaded.status,
        handle=loaded.handle,
        return_untold=loaded.return_untold,
        contact_id=loaded.contact_id,
        answers_hour=loaded.answers_hour,
        limit_told=loaded.limit_told,
        quiet_ends_s=time.monotonic() + turn.quiet_left_s if turn.quiet_left_s else 0.0,
    )
