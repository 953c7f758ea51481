"""Delivering a part: lease it, respect the platform's rate, say that it leaves, send, write down what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

import structlog

from shared import faults
from shared.channels.base import Patience
from shared.errors import DatabaseUnavailable, SettingsError
from shared.flow import statuses
from shared.flow.claimed import Claimed, Room
from shared.live.topics import Chat
from shared.live.topics import Stored as MessageStored
from shared.model import Outgoing, Place, SendOutcome, ref_of
from shared.resilience.backoff import delay_s
from shared.resilience.held import Piece
from shared.resources import Resources
from shared.store import channels, conversations, many, outbound
from shared.store.conversations import ChatKey
from shared.store.outbound import Claim, Outbound
from shared.store.pool import Conn, describe, set_companies
from shared.store.statuses import Part
from shared.telemetry import metrics

log = structlog.get_logger(__name__)

REAUTH_RETRY_S = 300.0
RECORD_RETRY_S = 0.5
DELIVERED_HERE = SendOutcome("sent", "stored_here")


class Result(Enum):
    NOTHING_DUE = "nothing_due"
    SENT = "sent"
    POSTPONED = "postponed"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Delivered:
    """How it went. company: the cursor for the next call. again_in_s: when this conversation has more to send,
    None if it has not."""

    result: Result
    company: int
    again_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A part whose attempt is written down. outgoing: None if it was delivered by that, in our own tables."""

    claim: Claim
    part: Outbound
    attempt: int
    outgoing: Outgoing | None
    next_due_s: float | None = None


Taken = Begun | Delivered | Claim
"""A claimed part: about to leave, or settled without a request; a claim still has to be begun, on its own."""


def take_due(r: Resources, after_company: int, room: Room) -> Claimed[Taken]:
    """Claim as many due parts as there is room for, going round the companies, and write down that they leave: one
    transaction. Each must be given to deliver(). Raises DatabaseUnavailable when nothing could be claimed."""
    begun: dict[Claim, Begun | Delivered] = {}
    try:
        with r.db.transaction() as conn:
            claims = _claim(r, conn, after_company, room)
            if claims:
                faults.reach("deliver.claimed")
                set_companies(conn, {claim.company_id for claim in claims})
                begun = _begin(r, conn, claims)
    except DatabaseUnavailable:
        raise
    except Exception as e:  # noqa: BLE001  one that cannot be begun must not keep the others from being sent
        log.warning("parts_taken_one_by_one", error=describe(e))
        room = replace(room, slots=1)
        with r.db.transaction() as conn:
            claims = _claim(r, conn, after_company, room)
    taken = [begun.get(claim, claim) for claim in claims]
    r.held.note(_piece(claim) for claim in claims if not isinstance(begun.get(claim), Delivered))
    companies = [claim.company_id for claim in claims]
    return Claimed(taken, companies, companies[-1] if companies else 0, more=len(claims) == room.slots)


def _claim(r: Resources, conn: Conn, after_company: int, room: Room) -> list[Claim]:
    return outbound.claim_several(
        conn, after_company, limit=room.slots, lease_s=r.settings.lease_s, unblock_s=r.settings.uncertain_unblock_s,
        held=room.held, company_max=room.company_max,
    )  # fmt: skip


def _piece(claim: Claim) -> Piece:
    return Piece("part", claim.company_id, claim.outbound_id, claim.epoch)


def deliver_next_part(r: Resources, after_company: int) -> Delivered:
    """Claim the next due part and send it. Raises DatabaseUnavailable when nothing could be claimed."""
    for taken in take_due(r, after_company, Room(1)).pieces:
        return deliver(r, taken)
    return Delivered(Result.NOTHING_DUE, 0)


def deliver(r: Resources, taken: Taken) -> Delivered:
    """Send a part that was taken."""
    if isinstance(taken, Delivered):
        return taken
    claim = taken if isinstance(taken, Claim) else taken.claim
    try:
        return _deliver(r, taken)
    finally:
        r.held.forget(_piece(claim))


def _deliver(r: Resources, taken: Begun | Claim) -> Delivered:
    begun: Begun | Delivered
    if isinstance(taken, Claim):
        with r.db.transaction(taken.company_id) as conn:
            begun = _begin(r, conn, [taken])[taken]
    else:
        begun = taken
    if isinstance(begun, Delivered):
        return begun
    if begun.outgoing is None:
        return _tell_here(r, begun)
    return _send(r, begun.claim, begun.part, begun.attempt, begun.outgoing)


def _begin(r: Resources, conn: Conn, claims: Sequence[Claim]) -> dict[Claim, Begun | Delivered]:
    """Which of these parts may leave; for those, that they do."""
    parts = outbound.load(conn, claims)
    settled: dict[Claim, Begun | Delivered] = {}
    leaving: dict[Claim, Outgoing] = {}
    for claim in claims:
        allowed = _allow(r, conn, claim, parts.get(claim))
        if isinstance(allowed, Outgoing):
            leaving[claim] = allowed
        else:
            settled[claim] = allowed
    if leaving:
        attempts = outbound.begin_sends(conn, list(leaving), record_deadline_s=r.settings.record_deadline_s)
        for claim, outgoing in leaving.items():
            gone = Delivered(Result.UNSENT, claim.company_id)
            settled[claim] = Begun(claim, parts[claim], attempts[claim], outgoing) if claim in attempts else gone
    return settled


def _allow(r: Resources, conn: Conn, claim: Claim, part: Outbound | None) -> Outgoing | Begun | Delivered:
    """Whether a part may leave: what is sent then, or what became of it instead."""
    if part is None:
        return Delivered(Result.UNSENT, claim.company_id)
    platform = r.platforms[part.platform]
    refused = _refusal(part, platform.patience)
    if refused is not None:
        outbound.give_up(conn, claim, meaning=refused)
        outbound.fail_rest(conn, claim.company_id, claim.outbound_id, refused)
        metrics.GIVEN_UP.inc(part.platform, refused)
        log.warning("part_given_up", outbound_id=part.id, company_id=part.company_id, meaning=refused)
        return Delivered(Result.UNSENT, claim.company_id)
    if platform.local_delivery:
        return _settle_here(r, conn, claim, part)
    try:
        outgoing = _outgoing(r, part)
    except SettingsError:
        outbound.postpone(conn, claim, delay_s=REAUTH_RETRY_S, meaning="credentials_sealed")
        metrics.POSTPONED.inc(part.platform, "credentials_sealed")
        _need_reauth(conn, part)
        return Delivered(Result.POSTPONED, claim.company_id, REAUTH_RETRY_S)
    wait_s = r.limiter.take(platform.rates(str(part.channel_id), part.chat))
    if wait_s > 0:
        outbound.postpone(conn, claim, delay_s=wait_s, meaning="rate_limited")
        metrics.POSTPONED.inc(part.platform, "rate_limited")
        return Delivered(Result.POSTPONED, claim.company_id, wait_s)
    return outgoing


def _outgoing(r: Resources, part: Outbound) -> Outgoing:
    """Raises SettingsError when no key of ours opens the channel's credentials."""
    opened = r.vault.open_credentials(part.credentials)
    place = Place(part.account, opened, part.chat, part.last_message, part.last_customer_at)
    by: Literal["bot", "agent"] = "agent" if part.role == "agent" else "bot"
    ref = ref_of(part.company_id, part.id)
    return Outgoing(place, part.text, ref, by, attempt=part.attempts + 1, queued_at=part.queued_at)


def _settle_here(r: Resources, conn: Conn, claim: Claim, part: Outbound) -> Begun | Delivered:
    """The customer reads our tables: attempt and result are one commit, so none of these is ever uncertain."""
    attempt = outbound.begin_send(conn, claim, record_deadline_s=r.settings.record_deadline_s)
    if attempt is None:
        return Delivered(Result.UNSENT, claim.company_id)
    recorded = outbound.record(conn, claim, attempt, DELIVERED_HERE, delay_s=0, duration_ms=0)
    if recorded is None:
        return Delivered(Result.UNSENT, claim.company_id)
    _follow(r, conn, part, DELIVERED_HERE)
    return Begun(claim, part, attempt, None, recorded.next_due_s)


def _tell_here(r: Resources, begun: Begun) -> Delivered:
    part = begun.part
    r.live.tell([Chat(part.company_id, part.channel_id, part.chat)], MessageStored())
    metrics.SENDS.inc(part.platform, DELIVERED_HERE.status, DELIVERED_HERE.meaning)
    log.info(
        "part_delivered", outbound_id=part.id, company_id=part.company_id, part=part.part, attempt=begun.attempt,
        status=DELIVERED_HERE.status, meaning=DELIVERED_HERE.meaning, duration_ms=0,
    )  # fmt: skip
    return Delivered(Result.SENT, part.company_id, begun.next_due_s)


def _refusal(part: Outbound, patience: Patience) -> str | None:
    if part.channel_state == "disabled":
        return "channel_disabled"
    if part.age_s > patience.expires_after_s or part.attempts >= patience.attempts_max:
        return "expired"
    return None


def _send(r: Resources, claim: Claim, part: Outbound, attempt: int, outgoing: Outgoing) -> Delivered:
    platform = r.platforms[part.platform]
    started = time.monotonic()
    try:
        http = r.egress.client if platform.guarded else r.http
        outcome = r.loop.run(platform.send(http, outgoing), timeout_s=r.settings.send_deadline_s)
    except TimeoutError:
        outcome = SendOutcome("uncertain", "timeout")
    if outcome.status == "uncertain" and platform.idempotent:
        outcome = replace(outcome, status="retry")
    faults.reach("deliver.before_record")
    duration_ms = round((time.monotonic() - started) * 1000)
    metrics.SENDS.inc(part.platform, outcome.status, outcome.meaning)
    metrics.SEND.observe(duration_ms / 1000, part.platform)
    wait_s = _wait_s(r, part, attempt, outcome)
    recorded = _record_until(r, claim, part, attempt, outcome, wait_s, duration_ms)
    fields = {"outbound_id": part.id, "company_id": part.company_id, "part": part.part, "attempt": attempt}
    log.info("part_delivered", **fields, status=outcome.status, meaning=outcome.meaning, duration_ms=duration_ms)
    if recorded is None:
        log.warning("part_not_recorded", **fields)
        return Delivered(Result.UNSENT, claim.company_id)
    faults.reach("deliver.after_record")
    if outcome.status == "sent":
        return Delivered(Result.SENT, claim.company_id, recorded.next_due_s)
    if outcome.status in ("retry", "reauth"):
        return Delivered(Result.POSTPONED, claim.company_id, wait_s)
    return Delivered(Result.UNSENT, claim.company_id)


def _wait_s(r: Resources, part: Outbound, attempt: int, outcome: SendOutcome) -> float:
    """When to try again, for outcomes that want it."""
    if outcome.status == "reauth":
        return REAUTH_RETRY_S
    if waits_s := r.platforms[part.platform].patience.waits_s:
        # once it was tried for the last time it is given up without a wait
        planned_s = waits_s[attempt - 1] if attempt <= len(waits_s) else 0.0
        return max(planned_s, outcome.retry_after_s or 0.0) * r.rng.uniform(1.0, 1.1)
    if outcome.retry_after_s is not None:
        return outcome.retry_after_s
    return delay_s(attempt, base_s=1.0, cap_s=300.0, rng=r.rng)


def _record_until(
    r: Resources, claim: Claim, part: Outbound, attempt: int, outcome: SendOutcome, wait_s: float, duration_ms: int
) -> outbound.Recorded | None:
    """Write the result down, trying again while the database is away. After the deadline somebody else takes
    the send for uncertain, and what is written later still settles it."""
    blocks = r.platforms[part.platform].patience.blocks
    until = time.monotonic() + r.settings.record_deadline_s
    while True:
        try:
            with r.db.transaction(claim.company_id) as conn:
                if outcome.status == "failed" or outcome.migrated_to is not None:
                    # what is said of a conversation is written under its lock, which comes before its parts'
                    conversations.lock(conn, part.company_id, part.conversation_id)
                recorded = outbound.record(
                    conn, claim, attempt, outcome, delay_s=wait_s, duration_ms=duration_ms, blocks=blocks
                )
                failed = _follow(r, conn, part, outcome) if recorded else []
            _tell_failures(part, failed)
            return recorded
        except DatabaseUnavailable:
            if time.monotonic() > until:
                return None
            time.sleep(RECORD_RETRY_S)


def _follow(r: Resources, conn: Conn, part: Outbound, outcome: SendOutcome) -> list[Part]:
    """What an outcome means beyond its own part. Returns the part if its platform had said meanwhile that it failed."""
    if outcome.migrated_to is not None:
        key = conversations.chat_of(conn, part.company_id, part.conversation_id)
        if key is not None:
            conversations.migrate_chat(conn, ChatKey(part.company_id, part.channel_id, key), outcome.migrated_to)
    if outcome.status == "failed":
        outbound.fail_rest(conn, part.company_id, part.id, outcome.meaning)
        many.set_problems(conn, {(part.company_id, part.conversation_id): outcome.meaning})
    if outcome.status == "reauth":
        _need_reauth(conn, part)
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


def _need_reauth(conn: Conn, part: Outbound) -> None:
    if channels.set_state(conn, part.company_id, part.channel_id, "needs_reauth"):
        metrics.CHANNEL_ALERTS.inc(part.platform, "channel_needs_reauth", "send_refused")
        log.error("channel_needs_reauth", channel_id=part.channel_id, company_id=part.company_id)


def expire_unrecorded(r: Resources) -> int:
    """Take sends whose result nobody wrote down for uncertain; returns how many."""
    with r.db.transaction() as conn:
        again = [name for name, platform in r.platforms.items() if platform.idempotent]
        expired = outbound.expire_sending(conn, again)
    for company_id, outbound_id in expired:
        log.error("part_uncertain", company_id=company_id, outbound_id=outbound_id, meaning="not_recorded")
    metrics.UNRECORDED.inc(by=len(expired))
    return len(expired)
