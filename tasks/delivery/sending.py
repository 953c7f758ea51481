"""Sends a part behind its account's breaker, and judges what an outcome says about the platform."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from shared import faults
from shared.errors import Permanent, ServiceFailed
from shared.model import Outgoing, SendOutcome
from shared.resilience.outside import MARGIN_S
from shared.resilience.shared_breaker import SharedBreaker
from shared.store.delivery.outbound import Outbound
from tasks.delivery import metrics
from tasks.delivery.resources import DeliveryResources

FAULTS = ("no_connection", "connection_lost", "timeout", "platform_error", "gateway_error", "receiver_error")
"""Meanings of outcomes that are the platform's fault, whatever was sent and to whom."""


class _Fault(ServiceFailed):
    def __init__(self, outcome: SendOutcome) -> None:
        super().__init__(outcome.meaning)
        self.outcome = outcome


class _Refusal(Permanent):
    """The platform answered, about this part or its recipient: that says nothing about the platform."""

    def __init__(self, outcome: SendOutcome) -> None:
        super().__init__("refused", outcome.meaning)
        self.outcome = outcome


def breaker_of(r: DeliveryResources, part: Outbound) -> SharedBreaker:
    return r.outside.sends.of(part.platform, str(part.channel_id))


def request(r: DeliveryResources, part: Outbound, outgoing: Outgoing) -> tuple[SendOutcome, int]:
    """Send the request to the platform. Returns the outcome and how many milliseconds it took. Raises BreakerOpen if it
    was not made."""
    platform = r.platforms[part.platform]
    deadline_s = r.settings.delivery.send_deadline_s
    started = time.monotonic()
    try:
        outcome = r.loop.run(_guarded(r, part, outgoing, deadline_s), timeout_s=deadline_s + MARGIN_S)
    except TimeoutError:
        outcome = SendOutcome("unknown_outcome", "timeout")
    if outcome.status == "unknown_outcome" and platform.idempotent:
        outcome = replace(outcome, status="retry")
    faults.reach("deliver.before_record")
    duration_ms = round((time.monotonic() - started) * 1000)
    metrics.SENDS.inc(part.platform, outcome.status, outcome.meaning)
    metrics.SEND.observe(duration_ms / 1000, part.platform)
    return outcome, duration_ms


async def _guarded(r: DeliveryResources, part: Outbound, outgoing: Outgoing, deadline_s: float) -> SendOutcome:
    """The deadline stands inside the breaker, so that a platform that says nothing counts as one that fails."""
    platform = r.platforms[part.platform]
    http = r.egress.client("send") if platform.guarded else r.http
    try:
        async with breaker_of(r, part).guarding():
            async with asyncio.timeout(deadline_s):
                outcome = await platform.send(http, outgoing)
            if outcome.status != "sent":
                raise _Fault(outcome) if is_fault(outcome) else _Refusal(outcome)
            return outcome
    except (_Fault, _Refusal) as e:
        return e.outcome


def is_fault(outcome: SendOutcome) -> bool:
    """Whether an outcome is the platform's fault, and no answer about a part or its recipient."""
    return outcome.meaning in FAULTS or (outcome.http_status or 0) >= 500
