"""Looking how far answers are behind, and which fallback step each company's are made on."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import structlog

from shared.resilience.load_shedding import STEPS, Rules, State, move, times_to_clear_s
from shared.settings import Settings
from shared.store.answers import load
from shared.store.answers.load import Look
from tasks.answers import metrics
from tasks.answers.resources import AnswerResources

log = structlog.get_logger(__name__)

GRACE_S = 1.0
"""What became due just now waits for nobody yet."""
LOOK_SHARE = 0.02
"""Of the time, at most, that the database spends on counting what waits."""


def rules(settings: Settings) -> Rules:
    after_s = (
        settings.answers.overload_cheaper_s,
        settings.answers.overload_passages_s,
        settings.answers.overload_handover_s,
    )
    return Rules(after_s, settings.answers.overload_recovery_s)


def watch(r: AnswerResources, process: str, *, every_s: float) -> None:
    """One round of a process: tell its pace, look if it is time to, and learn what was found. Raises
    DatabaseUnavailable; then the levels stay as they were, and nothing is answered anyway."""
    with r.db.transaction() as conn:
        load.tell_pace(conn, process, r.load_shedding.pace.per_s())
        began = perf_counter()
        found = load.look(conn, grace_s=GRACE_S)
        if found is not None:
            clear_s = times_to_clear_s(found.behind, found.per_s)
            states = _judge(found, clear_s, rules(r.settings))
            again_in_s = max(every_s, (perf_counter() - began) / LOOK_SHARE)
            load.keep(
                conn, states, per_s=found.per_s, clear_s=max(clear_s.values(), default=0.0), again_in_s=again_in_s
            )
        now = load.now(conn)
    r.load_shedding.set_levels(now.levels)
    if found is not None:
        _tell(found, states, clear_s)


def _judge(found: Look, clear_s: Mapping[int, float], by: Rules) -> dict[int, State]:
    states: dict[int, State] = {}
    for company in found.states.keys() | clear_s.keys():
        state = move(found.states.get(company), clear_s.get(company, 0.0), found.now_s, by)
        if state is not None:
            states[company] = state
    return states


def _tell(found: Look, states: Mapping[int, State], clear_s: Mapping[int, float]) -> None:
    for company in found.states.keys() | states.keys():
        before, after = (held[company].level if company in held else 0 for held in (found.states, states))
        if before != after:
            metrics.OVERLOAD_STEPS.inc("down" if after > before else "up", STEPS[after])
            log.warning(
                "overload_step", company_id=company, step=STEPS[after], before=STEPS[before],
                clear_s=round(clear_s.get(company, 0.0), 1),
            )  # fmt: skip
