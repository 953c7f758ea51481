"""Delivers a part: claims it, respects the platform's rates, records the attempt, sends it, and records the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

import structlog

from shared import faults
from shared.channels.base import Patience
from shared.errors import DatabaseUnavailable, SettingsError
from shared.live.topics import Chat
from shared.live.topics import Stored as MessageStored
from shared.model import Destination, Outgoing, SendOutcome, ref_of
from shared.resilience.backoff import delay_s
from shared.resilience.breaker import BreakerOpen
from shared.resilience.lease_records import LeaseRecord
from shared.store.db.pool import Conn, describe, set_companies
from shared.store.delivery import outbound, send_results
from shared.store.delivery.outbound import Claim, Outbound
from shared.telemetry import work
from tasks.delivery import metrics, recording, sending
from tasks.delivery.recording import Begun
from tasks.delivery.resources import DeliveryResources
from tasks.dispatch import ClaimCapacity, Claimed

log = structlog.get_logger(__name__)

REAUTH_RETRY_S = 300.0
DELIVERED_HERE = SendOutcome("sent", "stored_here")
MOVED_ON = "moved_on"
"""The part is not this process' to send any more: another has it, or its message was taken back."""
BREAKER_OPEN = "breaker_open"
"""Its account's sends have failed again and again: it waits for the next trial, and no attempt is counted."""
SPREAD_S = 2.0


class Result(Enum):
    NOTHING_DUE = "nothing_due"
    SENT = "sent"
    POSTPONED = "postponed"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one delivery went. company: the cursor for the next call. code: the outcome for people, such as `sent` or
    `retry:rate_limited`. again_in_s: seconds until this conversation has more to send; None if it has nothing more."""

    result: Result
    company: int
    code: str
    again_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A part whose attempt may have been recorded or not: the answer to the commit was lost. It must not be sent,
    because another process may have claimed it by now."""

    begun: Begun


Settled = Begun | Delivered | InDoubt


@dataclass(frozen=True, slots=True)
class Taken:
    """A claimed part. settled: ready to be sent, or settled without a request; None: its attempt still has to be
    recorded, by itself."""

    claim: Claim
    settled: Settled | None


def take_due(r: DeliveryResources, after_company: int, room: ClaimCapacity) -> Claimed[Taken]:
    """Claim as many due parts as there is capacity for, company by company in turn, and record their attempts, in one
    transaction. The caller passes each to deliver(). Raises DatabaseUnavailable if nothing could be claimed."""
    begun: dict[Claim, Settled] = {}
    claims: list[Claim] = []
    try:
        with r.db.transaction() as conn:
            claims = _claim(r, conn, after_company, room)
            if claims:
                faults.reach("deliver.claimed")
                set_companies(conn, {claim.company_id for claim in claims})
                begun = _begin(r, conn, claims)
            # Recorded before the commit, so that a process killed in between leaves no lease that no file names.
            r.lease_records.note(_piece(claim) for claim in claims if not isinstance(begun.get(claim), Delivered))
    except DatabaseUnavailable:
        if not begun:
            _forget(r, claims)
            raise
        begun = _in_doubt(begun)
    except Exception as e:  # noqa: BLE001  a part that cannot be begun must not stop the others
        log.warning("parts_taken_one_by_one", error=describe(e))
        _forget(r, claims)
        begun, room = {}, replace(room, slots=1)
        with r.db.transaction() as conn:
            claims = _claim(r, conn, after_company, room)
        r.lease_records.note(map(_piece, claims))
    taken = [Taken(claim, begun.get(claim)) for claim in claims]
    companies = [claim.company_id for claim in claims]
    return Claimed(
        taken, companies, companies[-1] if companies else 0, len(claims) == room.slots,
        [claim.lane for claim in claims],
    )  # fmt: skip


def _claim(r: DeliveryResources, conn: Conn, after_company: int, room: ClaimCapacity) -> list[Claim]:
    return outbound.claim_several(
        conn, after_company, limit=room.slots, lease_s=r.settings.answers.lease_s,
        unblock_s=r.settings.delivery.unknown_outcome_unblock_s, held=room.held, company_max=room.company_max,
        lanes=room.lanes, lane_max=room.lane_max,
        apart=[name for name, platform in r.platforms.items() if platform.guarded],
    )  # fmt: skip


def _forget(r: DeliveryResources, claims: Sequence[Claim]) -> None:
    for claim in claims:
        r.lease_records.forget(_piece(claim))


def _piece(claim: Claim) -> LeaseRecord:
    return LeaseRecord("part", claim.company_id, claim.outbound_id, claim.epoch)


def deliver_next_part(r: DeliveryResources, after_company: int) -> Delivered:
    """Claim the next due part and send it. Raises DatabaseUnavailable if nothing could be claimed."""
    for taken in take_due(r, after_company, ClaimCapacity(1)).pieces:
        return deliver(r, taken)
    return Delivered(Result.NOTHING_DUE, 0, "nothing_due")


def deliver(r: DeliveryResources, taken: Taken) -> Delivered:
    """Send a part that take_due() returned."""
    claim = taken.claim
    key = f"part-{claim.company_id}-{claim.outbound_id}"
    try:
        with work.piece("delivery.send_part", key, company=claim.company_id, part=claim.outbound_id):
            delivered = _deliver(r, taken)
            _tell(delivered)
            return delivered
    finally:
        r.lease_records.forget(_piece(claim))


def _tell(delivered: Delivered) -> None:
    if delivered.result is Result.SENT or delivered.code == MOVED_ON:
        work.ended(delivered.code)
    elif delivered.result is Result.POSTPONED:
        work.retried(delivered.code)
    else:
        work.failed(delivered.code)


def _deliver(r: DeliveryResources, taken: Taken) -> Delivered:
    settled = taken.settled or _begin_one(r, taken.claim)
    if isinstance(settled, Delivered):
        return settled
    if isinstance(settled, InDoubt):
        return _revert_send(r, settled.begun)
    if settled.outgoing is None:
        return _tell_here(r, settled)
    return _send(r, settled, settled.outgoing)


def _begin_one(r: DeliveryResources, claim: Claim) -> Settled:
    settled: dict[Claim, Settled] = {}
    try:
        with r.db.transaction(claim.company_id) as conn:
            settled = _begin(r, conn, [claim])
    except DatabaseUnavailable:
        if not settled:
            raise
        settled = _in_doubt(settled)
    return settled[claim]


def _in_doubt(settled: Mapping[Claim, Settled]) -> dict[Claim, Settled]:
    """What is known of parts whose transaction was complete when the connection broke during the commit."""
    return {claim: InDoubt(one) if isinstance(one, Begun) else one for claim, one in settled.items()}


def _revert_send(r: DeliveryResources, begun: Begun) -> Delivered:
    """Undo the attempt once the database says whether it was recorded: the part was never sent. For one that is
    delivered in our own tables its chat is told to look; if the row is not there, that does no harm."""
    if begun.outgoing is None:
        r.live.tell([_chat(begun.part)], MessageStored())
        return Delivered(Result.UNSENT, begun.claim.company_id, MOVED_ON, begun.next_due_s)
    if recording.revert_send(r, begun):
        return Delivered(Result.POSTPONED, begun.claim.company_id, "database_unavailable", 0.0)
    return Delivered(Result.UNSENT, begun.claim.company_id, MOVED_ON)


def _begin(r: DeliveryResources, conn: Conn, claims: Sequence[Claim]) -> dict[Claim, Settled]:
    """Decide which of these parts may be sent, and record an attempt for each of those."""
    parts = outbound.load(conn, claims)
    settled: dict[Claim, Settled] = {}
    leaving: dict[Claim, Outgoing] = {}
    for claim in claims:
        allowed = _allow(r, conn, claim, parts.get(claim))
        if isinstance(allowed, Outgoing):
            leaving[claim] = allowed
        else:
            settled[claim] = allowed
    if leaving:
        attempts = outbound.begin_sends(conn, list(leaving), record_deadline_s=r.settings.delivery.record_deadline_s)
        for claim, outgoing in leaving.items():
            gone = Delivered(Result.UNSENT, claim.company_id, MOVED_ON)
            settled[claim] = Begun(claim, parts[claim], attempts[claim], outgoing) if claim in attempts else gone
    return settled


def _allow(r: DeliveryResources, conn: Conn, claim: Claim, part: Outbound | None) -> Outgoing | Begun | Delivered:
    """Return what to send if a part may be sent, else what became of it instead."""
    if part is None:
        return Delivered(Result.UNSENT, claim.company_id, MOVED_ON)
    platform = r.platforms[part.platform]
    refused = _refusal(part, platform.patience)
    if refused is not None:
        outbound.give_up(conn, claim, meaning=refused)
        send_results.fail_rest(conn, claim.company_id, claim.outbound_id, refused)
        metrics.GIVEN_UP.inc(part.platform, refused)
        log.warning("part_given_up", outbound_id=part.id, company_id=part.company_id, meaning=refused)
        return Delivered(Result.UNSENT, claim.company_id, f"given_up:{refused}")
    if platform.local_delivery:
        return _settle_here(r, conn, claim, part)
    held_s = sending.breaker_of(r, part).hold_s()
    if held_s > 0:
        # no wake-up for each: the sweeper finds them
        outbound.postpone(conn, claim, delay_s=_spread(r, held_s), meaning=BREAKER_OPEN)
        metrics.POSTPONED.inc(part.platform, BREAKER_OPEN)
        return Delivered(Result.POSTPONED, claim.company_id, BREAKER_OPEN)
    try:
        outgoing = _outgoing(r, part)
    except SettingsError:
        outbound.postpone(conn, claim, delay_s=REAUTH_RETRY_S, meaning="credentials_sealed")
        metrics.POSTPONED.inc(part.platform, "credentials_sealed")
        recording.need_reauth(conn, part)
        return Delivered(Result.POSTPONED, claim.company_id, "reauth:credentials_sealed", REAUTH_RETRY_S)
    wait_s = r.limiter.take(platform.rates(str(part.channel_id), part.chat))
    if wait_s > 0:
        outbound.postpone(conn, claim, delay_s=wait_s, meaning="rate_limited")
        metrics.POSTPONED.inc(part.platform, "rate_limited")
        return Delivered(Result.POSTPONED, claim.company_id, "own_rate_limit", wait_s)
    return outgoing


def _outgoing(r: DeliveryResources, part: Outbound) -> Outgoing:
    """Return the request to send. Raises SettingsError if none of our keys decrypts the channel's credentials."""
    opened = r.vault.open_credentials(part.credentials)
    place = Destination(part.account, opened, part.chat, part.last_message, part.last_customer_at)
    by: Literal["bot", "agent"] = "agent" if part.role == "agent" else "bot"
    ref = ref_of(part.company_id, part.id)
    return Outgoing(place, part.text, ref, by, attempt=part.attempts + 1, queued_at=part.queued_at)


def _settle_here(r: DeliveryResources, conn: Conn, claim: Claim, part: Outbound) -> Begun | Delivered:
    """Deliver a part to a customer who reads our own tables. Attempt and result are one commit, so that the outcome is
    always known."""
    begun = outbound.begin_sends(conn, [claim], record_deadline_s=r.settings.delivery.record_deadline_s)
    if claim not in begun:
        return Delivered(Result.UNSENT, claim.company_id, MOVED_ON)
    attempt = begun[claim]
    recorded = send_results.record(conn, claim, attempt.number, DELIVERED_HERE, delay_s=0, duration_ms=0)
    if recorded is None:
        return Delivered(Result.UNSENT, claim.company_id, MOVED_ON)
    recording.follow(r, conn, part, DELIVERED_HERE)
    return Begun(claim, part, attempt, None, recorded.next_due_s)


def _tell_here(r: DeliveryResources, begun: Begun) -> Delivered:
    part = begun.part
    _about(part)
    r.live.tell([_chat(part)], MessageStored())
    metrics.SENDS.inc(part.platform, DELIVERED_HERE.status, DELIVERED_HERE.meaning)
    log.info(
        "part_delivered", outbound_id=part.id, company_id=part.company_id, part=part.part,
        attempt=begun.attempt.number, status=DELIVERED_HERE.status, meaning=DELIVERED_HERE.meaning, duration_ms=0,
    )  # fmt: skip
    return Delivered(Result.SENT, part.company_id, DELIVERED_HERE.meaning, begun.next_due_s)


def _about(part: Outbound) -> None:
    work.about(conversation=part.conversation_id, channel=part.channel_id, turn=part.turn_id)


def _chat(part: Outbound) -> Chat:
    return Chat(part.company_id, part.channel_id, part.chat)


def _refusal(part: Outbound, patience: Patience) -> str | None:
    if part.channel_state == "disabled":
        return "channel_disabled"
    if part.age_s > patience.expires_after_s or part.attempts >= patience.attempts_max:
        return "expired"
    return None


def _send(r: DeliveryResources, begun: Begun, outgoing: Outgoing) -> Delivered:
    part, attempt, company_id = begun.part, begun.attempt.number, begun.claim.company_id
    _about(part)
    try:
        outcome, duration_ms = sending.request(r, part, outgoing)
    except BreakerOpen as e:
        return _held_back(r, begun, e.retry_after_s or 0.0)
    wait_s = _wait_s(r, part, attempt, outcome)
    recorded = recording.record(r, begun, outcome, wait_s=wait_s, duration_ms=duration_ms)
    fields = {"outbound_id": part.id, "company_id": company_id, "part": part.part, "attempt": attempt}
    log.info("part_delivered", **fields, status=outcome.status, meaning=outcome.meaning, duration_ms=duration_ms)
    if recorded is None:
        log.warning("part_not_recorded", **fields)
        return Delivered(Result.UNSENT, company_id, MOVED_ON)
    faults.reach("deliver.after_record")
    code = f"{outcome.status}:{outcome.meaning}"
    if outcome.status == "sent":
        return Delivered(Result.SENT, company_id, "sent", recorded.next_due_s)
    if outcome.status in ("retry", "reauth"):
        return Delivered(Result.POSTPONED, company_id, code, wait_s)
    return Delivered(Result.UNSENT, company_id, code)


def _held_back(r: DeliveryResources, begun: Begun, wait_s: float) -> Delivered:
    """Another process opened the breaker, or makes the trial call, since the attempt was recorded."""
    wait_s = _spread(r, wait_s)
    if not recording.withdraw(r, begun, delay_s=wait_s, meaning=BREAKER_OPEN):
        return Delivered(Result.UNSENT, begun.claim.company_id, MOVED_ON)
    metrics.POSTPONED.inc(begun.part.platform, BREAKER_OPEN)
    return Delivered(Result.POSTPONED, begun.claim.company_id, BREAKER_OPEN)


def _spread(r: DeliveryResources, wait_s: float) -> float:
    """A little later than the breaker's next trial: not all at once."""
    return wait_s + r.rng.uniform(0.0, SPREAD_S)


def _wait_s(r: DeliveryResources, part: Outbound, attempt: int, outcome: SendOutcome) -> float:
    """Return the seconds to wait before the next attempt, for outcomes that allow one."""
    if outcome.status == "reauth":
        return REAUTH_RETRY_S
    if waits_s := r.platforms[part.platform].patience.waits_s:
        # after the last attempt there is no wait: the part is given up
        planned_s = waits_s[attempt - 1] if attempt <= len(waits_s) else 0.0
        return max(planned_s, outcome.retry_after_s or 0.0) * r.rng.uniform(1.0, 1.1)
    if outcome.retry_after_s is not None:
        return outcome.retry_after_s
    return delay_s(attempt, base_s=1.0, cap_s=300.0, rng=r.rng)
