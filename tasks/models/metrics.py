"""Metrics of what models cost."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

BUDGET_REQUESTS = Counter(
    "budget_requests_total",
    "Requests to paid models, by what the budgets said: reserved, or whose has no room for it.", ("outcome",),
)  # fmt: skip
BUDGET_CHARGED = Counter(
    "budget_charged_reservations_total", "Reservations that nobody settled and that were charged in full."
)
BUDGET_DRIFT = Counter(
    "budget_drift_currency_total", "By how much sums that count against budgets were not the ledger's."
)
