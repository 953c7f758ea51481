"""Metrics of sends, and of what was not sent."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

SENDS = Counter("sends_total", "Requests to send APIs, by outcome.", ("platform", "status", "meaning"))
SEND = Histogram("send_seconds", "Duration of a request to a send API.", ("platform",), buckets=STAGE_S)
POSTPONED = Counter("parts_postponed_total", "Parts postponed without an attempt.", ("platform", "meaning"))
GIVEN_UP = Counter("parts_given_up_total", "Parts that will not be sent.", ("platform", "meaning"))
FAILED_LATER = Counter(
    "sends_failed_later_total", "Parts that a platform accepted and later did not deliver.", ("platform", "meaning")
)
UNRECORDED = Counter("sends_unrecorded_total", "Sends whose outcome is unknown because nobody recorded it.")
LEASES_RECLAIMED = Counter("leases_reclaimed_total", "Leases of killed processes that others released.", ("kind",))
