"""Records the outcomes of sends, also across an outage of the database, and applies what follows from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from shared.errors import DatabaseUnavailable
from shared.model import Outgoing, SendOutcome
from shared.store.db.pool import Conn
from shared.store.delivery import send_results
from shared.store.delivery.outbound import Attempt, Claim, Outbound
from shared.store.delivery.send_results import Recorded
from shared.store.delivery.statuses import Part
from shared.store.inbox import conversation_bulk, conversations, merged, moving
from shared.store.inbox.conversations import ChatKey
from shared.store.tenants import channels
from tasks.delivery import metrics
from tasks.delivery.resources import DeliveryResources
from tasks.inbound import statuses
from tasks.tenants.metrics import CHANNEL_ALERTS

log = structlog.get_logger(__name__)

T = TypeVar("T")
RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Begun:
    """A part whose attempt is recorded. outgoing: what to send; None if the record itself delivers it, in our
    tables."""

    claim: Claim
    part: Outbound
    attempt: Attempt
    outgoing: Outgoing | None
    next_due_s: float | None = None


def record(
    r: DeliveryResources, begun: Begun, outcome: SendOutcome, *, wait_s: float, duration_ms: int
) -> Recorded | None:
    """Record a send's outcome. wait_s: seconds until the next attempt, for outcomes that allow one. Returns None if the
    part has a newer attempt, or if this process was told to stop while the database is unavailable."""
    part, claim = begun.part, begun.claim
    blocks = r.platforms[part.platform].patience.blocks

    def write() -> Recorded | None:
        with r.db.transaction(claim.company_id) as conn:
            if outcome.status == "failed" or outcome.migrated_to is not None:
                # The conversation changes too. Its lock is always taken before those of its parts.
                conversations.lock(conn, part.company_id, part.conversation_id)
            recorded = send_results.record(
                conn, claim, begun.attempt.number, outcome, delay_s=wait_s, duration_ms=duration_ms, blocks=blocks
            )
            failed = follow(r, conn, part, outcome) if recorded else []
        _tell_failures(part, failed)
        return recorded

    return _until_written(r, write)


def revert_send(r: DeliveryResources, begun: Begun) -> bool:
    """Undo the attempt of a part that was never sent, if the attempt was committed. Returns whether it was."""

    def write() -> bool:
        with r.db.transaction(begun.claim.company_id) as conn:
            return send_results.revert_send(conn, begun.claim, begun.attempt)

    taken_back = bool(_until_written(r, write))
    log.warning(
        "send_reverted", outbound_id=begun.part.id, company_id=begun.part.company_id, committed=taken_back
    )  # fmt: skip
    return taken_back


def withdraw(r: DeliveryResources, begun: Begun, *, delay_s: float, meaning: str) -> bool:
    """Take back an attempt that was recorded and not made: the part is due again in delay_s, and the attempt is not
    counted. Returns False if the part has moved on."""

    def write() -> bool:
        with r.db.transaction(begun.claim.company_id) as conn:
            return send_results.withdraw(conn, begun.claim, begun.attempt, delay_s=delay_s, meaning=meaning)

    return bool(_until_written(r, write))


def _until_written(r: DeliveryResources, write: Callable[[], T]) -> T | None:
    """Try until the database takes the write: while it is unavailable, only this thread knows the outcome.

    After RECORD_DEADLINE_S other processes mark the outcome as unknown; a later write still settles it. A process that
    was told to stop tries only until that deadline, and None is returned if it did not succeed.
    """
    until = time.monotonic() + r.settings.delivery.record_deadline_s
    while True:
        try:
            return write()
        except DatabaseUnavailable:
            if r.stopping.is_set() and time.monotonic() > until:
                return None
            time.sleep(RETRY_S)


def follow(r: DeliveryResources, conn: Conn, part: Outbound, outcome: SendOutcome) -> list[Part]:
    """Apply what follows from an outcome to the conversation, the channel and later parts. Returns the part if its
    platform has already reported that it was not delivered."""
    if outcome.migrated_to is not None:
        now = merged.current(conn, part.company_id, part.conversation_id)
        key = conversations.chat_of(conn, part.company_id, now)
        if key is not None:
            for_good = r.platforms[part.platform].moves_for_good(key)
            moving.move_chat(
                conn, ChatKey(part.company_id, part.channel_id, key), outcome.migrated_to, for_good=for_good
            )
    if outcome.status == "failed":
        send_results.fail_rest(conn, part.company_id, part.id, outcome.meaning)
        now = merged.current(conn, part.company_id, part.conversation_id)
        conversation_bulk.set_problems(conn, {(part.company_id, now): outcome.meaning})
    if outcome.status == "reauth":
        need_reauth(conn, part)
    if outcome.disables and channels.set_state(conn, part.company_id, part.channel_id, "disabled"):
        log.error("channel_disabled", channel_id=part.channel_id, company_id=part.company_id, meaning=outcome.meaning)
    if outcome.status == "sent" and part.channel_state == "needs_reauth":
        channels.set_state(conn, part.company_id, part.channel_id, "active")
    if outcome.status == "sent" and outcome.platform_message_id is not None and r.platforms[part.platform].tells_fate:
        return statuses.hear_early(conn, (part.company_id, part.id), part.channel_id, outcome.platform_message_id)
    return []


def _tell_failures(part: Outbound, failed: Sequence[Part]) -> None:
    for one in failed:
        metrics.FAILED_LATER.inc(part.platform, one.meaning or "")
        log.error("part_failed_later", outbound_id=one.id, company_id=one.company_id, meaning=one.meaning)


def need_reauth(conn: Conn, part: Outbound) -> None:
    """Mark the channel as one whose credentials a person has to renew."""
    if channels.set_state(conn, part.company_id, part.channel_id, "needs_reauth"):
        CHANNEL_ALERTS.inc(part.platform, "channel_needs_reauth", "send_refused")
        log.error("channel_needs_reauth", channel_id=part.channel_id, company_id=part.company_id)


def expire_unrecorded(r: DeliveryResources) -> int:
    """Mark sends whose outcome nobody recorded in time as unknown; returns how many."""
    with r.db.transaction() as conn:
        again = [name for name, platform in r.platforms.items() if platform.idempotent]
        expired = send_results.expire_sending(conn, again)
    for company_id, outbound_id in expired:
        log.error("part_outcome_unknown", company_id=company_id, outbound_id=outbound_id, meaning="not_recorded")
    metrics.UNRECORDED.inc(by=len(expired))
    return len(expired)
