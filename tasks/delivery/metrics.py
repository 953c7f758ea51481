"""Metrics of sends, and of what was not sent."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

SENDS = Counter("sends_total", "Requests to send APIs by what became of them.", ("platform", "status", "meaning"))
SEND = Histogram("send_seconds", "Time of a request to a send API.", ("platform",), buckets=STAGE_S)
POSTPONED = Counter("parts_postponed_total", "Parts put off without an attempt.", ("platform", "meaning"))
GIVEN_UP = Counter("parts_given_up_total", "Parts that will not be sent.", ("platform", "meaning"))
FAILED_LATER = Counter(
    "sends_failed_later_total", "Parts that a platform had taken and then did not deliver.", ("platform", "meaning")
)
UNRECORDED = Counter("sends_unrecorded_total", "Sends of unknown outcome because nobody recorded their result.")
LEASES_RECLAIMED = Counter("leases_reclaimed_total", "Leases of killed processes that others gave back.", ("kind",))
