"""Metrics of turns and their answers."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

TURNS = Counter("turns_total", "Attempts to answer a turn, by result and fallback step.", ("end", "step"))
STEPS = Counter("answers_total", "Answers, by the fallback step that worked and the reason.", ("step", "reason"))
ATTENTION = Counter("attention_total", "Answers that asked a person to look, by reason.", ("reason",))
OVERLOAD_STEPS = Counter(
    "overload_steps_total", "Companies that load shedding moved to this step, down or up.", ("direction", "step")
)
STAGE = Histogram("turn_stage_seconds", "Time of an answered turn, by stage.", ("stage",), buckets=STAGE_S)
COST = Counter("model_cost_currency_total", "Cost of the model calls of answers, in the currency of the prices.")
UNPRICED = Counter("model_unpriced_answers_total", "Answers by a model that has no price.")
LEASES_LOST = Counter("leases_lost_total", "Leases lost while a turn was being answered.")
