"""Sends a part behind its account's breaker, and judges what an outcome says about the platform.

Within one attempt a request is made a second time (retries.SEND) only if it is certain that the platform has not taken
the first: it never left this machine, or the answer was 429 with a short time to wait. Whatever may have arrived is
left to the row.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from shared import faults
from shared.errors import Permanent, ServiceFailed, Transient
from shared.model import Outgoing, SendOutcome
from shared.resilience import retries
from shared.resilience.breaker import BreakerOpen
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


class _NotTaken(Transient):
    """The platform has certainly not taken the part. outcome: of the request that says so."""

    def __init__(self, outcome: SendOutcome) -> None:
        super().__init__(outcome.meaning, retry_after_s=outcome.retry_after_s)
        self.outcome = outcome
        self.retry = True


def breaker_of(r: DeliveryResources, part: Outbound) -> SharedBreaker:
    return r.outside.sends.of(part.platform, str(part.channel_id))


def request(r: DeliveryResources, part: Outbound, outgoing: Outgoing) -> tuple[SendOutcome, int]:
    """Send the part to the platform. Returns the outcome and how many milliseconds it took, all within SEND_DEADLINE_S.
    Raises BreakerOpen if no request was made."""
    deadline_s = r.settings.delivery.send_deadline_s
    began_s = time.monotonic()
    first: _NotTaken | None = None

    def once() -> SendOutcome:
        nonlocal first
        left_s = began_s + deadline_s - time.monotonic()
        if first is not None:
            faults.reach("deliver.before_retry")
            if not _may_again(r, part, first.outcome, left_s):
                raise _final(first)
        try:
            outcome = _request(r, part, outgoing, left_s)
        except BreakerOpen:
            if first is None:
                raise
            raise _final(first) from None  # a request was made, and that is what came of it
        if is_not_taken(outcome):
            first = _NotTaken(outcome)
            raise first
        return outcome

    try:
        outcome = retries.retrying_here(retries.SEND, deadline_s, stopping=r.stopping)(once)
    except _NotTaken as e:
        outcome = e.outcome
    faults.reach("deliver.before_record")
    return outcome, _ms_since(began_s)


def is_not_taken(outcome: SendOutcome) -> bool:
    """Whether the platform has certainly not taken what was sent, and may take it in a moment."""
    asked_to_wait = outcome.http_status == 429 and outcome.retry_after_s is not None
    return outcome.status == "retry" and (outcome.meaning == "no_connection" or asked_to_wait)


def _may_again(r: DeliveryResources, part: Outbound, first: SendOutcome, left_s: float) -> bool:
    """Whether there is still time: this process may have been stopped while it waited, and the attempt be another's by
    now. The platform has counted a request that it answered, so that the next one is taken from its rates anew."""
    if left_s < retries.SEND.worthwhile_s:
        return False
    rates = r.platforms[part.platform].rates(str(part.channel_id), part.chat)
    return first.http_status is None or r.limiter.take(rates) == 0


def _final(error: _NotTaken) -> _NotTaken:
    error.retry = False
    return error


def _request(r: DeliveryResources, part: Outbound, outgoing: Outgoing, deadline_s: float) -> SendOutcome:
    platform = r.platforms[part.platform]
    began_s = time.monotonic()
    try:
        outcome = r.loop.run(_guarded(r, part, outgoing, deadline_s), timeout_s=deadline_s + MARGIN_S)
    except TimeoutError:
        outcome = SendOutcome("unknown_outcome", "timeout")
    if outcome.status == "unknown_outcome" and platform.idempotent:
        outcome = replace(outcome, status="retry")
    metrics.SENDS.inc(part.platform, outcome.status, outcome.meaning)
    metrics.SEND.observe(_ms_since(began_s) / 1000, part.platform)
    return outcome


def _ms_since(began_s: float) -> int:
    return round((time.monotonic() - began_s) * 1000)


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
