"""Metrics of turns and their answers."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

TURNS = Counter("turns_total", "Turns by how an attempt to answer ended and the fallback step.", ("end", "step"))
STEPS = Counter("answers_total", "Answers by the fallback step that held and why.", ("step", "reason"))
ATTENTION = Counter("attention_total", "Answers that asked for a person to look, by why.", ("reason",))
OVERLOAD_STEPS = Counter(
    "overload_steps_total", "Companies that an overload moved down, or its end up, to this step.", ("direction", "step")
)
STAGE = Histogram("turn_stage_seconds", "Time of an answered turn, by stage.", ("stage",), buckets=STAGE_S)
COST = Counter("model_cost_currency_total", "What answers' calls cost, in the currency of the prices.")
UNPRICED = Counter("model_unpriced_answers_total", "Answers by a model that has no price.")
LEASES_LOST = Counter("leases_lost_total", "Leases lost while an answer was being made.")
