"""Outbound: a reply is a row before it is a request. States: queued, sending, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.model import SendOutcome
from shared.store.pool import Conn


@dataclass(frozen=True, slots=True)
class Claim:
    company_id: int
    outbound_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Outbound:
    """A claimed part with what sending needs. credentials: encrypted, as stored. age_s: since queued_at.
    account: the channel's id on the platform. role: who wrote it, `bot` or `agent`. last_message, last_customer_at:
    the customer's newest message (its id on the platform, the platform's time)."""

    company_id: int
    id: int
    conversation_id: int
    channel_id: int
    chat: str
    text: str
    part: int
    attempts: int
    age_s: float
    platform: str
    credentials: bytes
    channel_state: str
    account: str
    role: str
    last_message: str | None
    last_customer_at: datetime | None
    queued_at: datetime


def add_parts(
    conn: Conn, company_id: int, conversation_id: int, channel_id: int, turn_id: int | None, message_id: int,
    texts: Sequence[str],
) -> None:  # fmt: skip
    """Queue a message's parts, in order."""
    conn.execute(
        "/* outbound.add_parts */ INSERT INTO outbound (company_id, conversation_id, channel_id, turn_id,"
        " message_id, part, text) SELECT %s, %s, %s, %s, %s, part, text"
        " FROM unnest(%s::int[], %s::text[]) AS p (part, text) ORDER BY part",
        (company_id, conversation_id, channel_id, turn_id, message_id, list(range(1, len(texts) + 1)), list(texts)),
    )


def claim(conn: Conn, after_company: int, *, lease_s: float, unblock_s: float) -> Claim | None:
    """Lease the next due part of a company after this one, wrapping round; None if nothing is due."""
    for start in (after_company, 0) if after_company else (0,):
        row = conn.execute(
            "/* outbound.claim */ SELECT company_id, id, epoch FROM claim_outbound(%s, %s, %s)",
            (start, lease_s, unblock_s),
        ).fetchone()
        if row is not None:
            return Claim(*row)  # type: ignore[arg-type]
    return None


def load(conn: Conn, claim: Claim) -> Outbound | None:
    """The claimed part; None if the lease is gone."""
    row = conn.execute(
        "/* outbound.load */ SELECT o.company_id, o.id, o.conversation_id, o.channel_id,"
        " coalesce(c.migrated_to, c.chat), o.text, o.part, o.attempts,"
        " extract(epoch FROM clock_timestamp() - o.created_at)::float8, h.platform, h.credentials, h.state,"
        " h.external_id, m.role, c.last_customer_message, c.last_customer_at, o.created_at FROM outbound o"
        " JOIN conversations c ON c.company_id = o.company_id AND c.id = o.conversation_id"
        " JOIN channels h ON h.company_id = o.company_id AND h.id = o.channel_id"
        " JOIN messages m ON m.company_id = o.company_id AND m.id = o.message_id"
        " WHERE o.company_id = %s AND o.id = %s AND o.epoch = %s AND o.state = 'queued'",
        (claim.company_id, claim.outbound_id, claim.epoch),
    ).fetchone()
    return Outbound(*row) if row else None  # type: ignore[arg-type]


def begin_send(conn: Conn, claim: Claim, *, record_deadline_s: float) -> int | None:
    """Say that the request is about to leave; from here on a crash makes it uncertain. Returns the attempt's
    number, None if the lease is gone."""
    row = conn.execute(
        "/* outbound.begin_send */ WITH begun AS (UPDATE outbound SET state = 'sending', attempts = attempts + 1,"
        " due_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE company_id = %s AND id = %s AND epoch = %s AND state = 'queued' RETURNING company_id, id, attempts)"
        " INSERT INTO delivery_attempts (company_id, outbound_id, attempt, day, started_at)"
        " SELECT company_id, id, attempts, (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp()"
        " FROM begun RETURNING attempt",
        (record_deadline_s, claim.company_id, claim.outbound_id, claim.epoch),
    ).fetchone()
    return int(str(row[0])) if row else None


def postpone(conn: Conn, claim: Claim, *, delay_s: float, meaning: str) -> bool:
    """Give a leased part back without an attempt (a rate limit, a channel to be renewed)."""
    cursor = conn.execute(
        "/* outbound.postpone */ UPDATE outbound SET epoch = epoch + 1, meaning = %s,"
        " due_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE company_id = %s AND id = %s AND epoch = %s AND state = 'queued'",
        (meaning, delay_s, claim.company_id, claim.outbound_id, claim.epoch),
    )
    return cursor.rowcount == 1


def give_up(conn: Conn, claim: Claim, *, meaning: str) -> bool:
    """End a leased part that was never sent as failed."""
    cursor = conn.execute(
        "/* outbound.give_up */ UPDATE outbound SET state = 'failed', meaning = %s, finished_at = clock_timestamp()"
        " WHERE company_id = %s AND id = %s AND epoch = %s AND state = 'queued'",
        (meaning, claim.company_id, claim.outbound_id, claim.epoch),
    )
    return cursor.rowcount == 1


_STATES = {"sent": "sent", "failed": "failed", "uncertain": "uncertain", "retry": "queued", "reauth": "queued"}


def record(
    conn: Conn, claim: Claim, attempt: int, outcome: SendOutcome, *, delay_s: float, duration_ms: int,
    blocks: bool = True,
) -> bool:  # fmt: skip
    """Write down what became of a send, also when it was meanwhile taken for uncertain.

    delay_s: for `retry` and `reauth`, when to try again. blocks: whether the conversation's later parts wait until
    then, too. False: the row has moved on (a person settled it).
    """
    state = _STATES[outcome.status]
    cursor = conn.execute(
        "/* outbound.record */ UPDATE outbound SET state = %(state)s, meaning = %(meaning)s,"
        " platform_message_id = coalesce(%(platform_id)s, platform_message_id), epoch = epoch + 1,"
        " blocks = %(blocks)s,"
        " due_at = clock_timestamp() + make_interval(secs => %(delay)s),"
        " uncertain_at = CASE WHEN %(state)s = 'uncertain' THEN coalesce(uncertain_at, clock_timestamp()) END,"
        " finished_at = CASE WHEN %(state)s IN ('sent', 'failed') THEN clock_timestamp() END"
        " WHERE company_id = %(company)s AND id = %(id)s AND epoch = %(epoch)s AND attempts = %(attempt)s"
        " AND state IN ('sending', 'uncertain')",
        {
            "state": state,
            "meaning": outcome.meaning,
            "platform_id": outcome.platform_message_id,
            "delay": delay_s,
            "blocks": blocks,
            "company": claim.company_id,
            "id": claim.outbound_id,
            "epoch": claim.epoch,
            "attempt": attempt,
        },
    )
    conn.execute(
        "/* outbound.record */ UPDATE delivery_attempts SET status = %s, meaning = %s, http_status = %s,"
        " duration_ms = %s WHERE company_id = %s AND outbound_id = %s AND attempt = %s AND day >= %s",
        (
            outcome.status,
            outcome.meaning,
            outcome.http_status,
            duration_ms,
            claim.company_id,
            claim.outbound_id,
            attempt,
            # As a value, so that the planner leaves out the other ninety days: 2.3 to 0.2 ms. A send is recorded
            # within a minute; two days bear a clock that is wrong.
            datetime.now(UTC).date() - timedelta(days=2),
        ),
    )
    return cursor.rowcount == 1


def fail_rest(conn: Conn, company_id: int, outbound_id: int, meaning: str) -> int:
    """A part can never be sent: the later parts of the same message would make no sense."""
    cursor = conn.execute(
        "/* outbound.fail_rest */ UPDATE outbound o SET state = 'cancelled', meaning = %s, epoch = o.epoch + 1,"
        " finished_at = clock_timestamp() FROM outbound f"
        " WHERE f.company_id = %s AND f.id = %s AND o.company_id = f.company_id AND o.message_id = f.message_id"
        " AND o.part > f.part AND o.state = 'queued'",
        (meaning, company_id, outbound_id),
    )
    return cursor.rowcount


def expire_sending(conn: Conn, idempotent: Sequence[str] = (), *, limit: int = 500) -> list[tuple[int, int]]:
    """Turn sends whose result was never recorded into `uncertain`, and those on `idempotent` platforms back into
    `queued`; returns the (company, outbound) ids of the uncertain ones."""
    rows = conn.execute(
        "/* outbound.expire_sending */ SELECT company_id, id, state FROM expire_sending(%s, %s::text[])",
        (limit, list(idempotent)),
    ).fetchall()
    return [(int(str(company)), int(str(id_))) for company, id_, state in rows if state == "uncertain"]


def next_due_s(conn: Conn, company_id: int, conversation_id: int) -> float | None:
    """Seconds until the conversation's oldest open part is due, else until the oldest of those that block nobody is;
    None when nothing is queued."""
    row = conn.execute(
        "/* outbound.next_due_s */ SELECT extract(epoch FROM coalesce("
        "(SELECT due_at FROM outbound WHERE company_id = %(company)s AND conversation_id = %(conversation)s"
        " AND state = 'queued' AND blocks ORDER BY id LIMIT 1),"
        " (SELECT due_at FROM outbound WHERE company_id = %(company)s AND conversation_id = %(conversation)s"
        " AND state = 'queued' ORDER BY id LIMIT 1)) - clock_timestamp())::float8",
        {"company": company_id, "conversation": conversation_id},
    ).fetchone()
    return max(0.0, float(str(row[0]))) if row and row[0] is not None else None


@dataclass(frozen=True, slots=True)
class Uncertain:
    company_id: int
    id: int
    conversation_id: int
    part: int
    meaning: str
    uncertain_at: datetime


def list_uncertain(conn: Conn, *, limit: int = 100) -> list[Uncertain]:
    """Sends that a person must settle, oldest first. As either role."""
    rows = conn.execute(
        "/* outbound.list_uncertain */ SELECT company_id, id, conversation_id, part, meaning, uncertain_at"
        " FROM ops_uncertain(%s)",
        (limit,),
    ).fetchall()
    return [Uncertain(*row) for row in rows]  # type: ignore[arg-type]


def settle(conn: Conn, company_id: int, outbound_id: int, *, sent: bool) -> bool:
    """A person decides what became of an uncertain send: it arrived, or it did not and goes out again."""
    cursor = conn.execute(
        "/* outbound.settle */ UPDATE outbound SET epoch = epoch + 1, uncertain_at = NULL,"
        " state = CASE WHEN %(sent)s THEN 'sent' ELSE 'queued' END, meaning = 'settled_by_person',"
        " due_at = clock_timestamp(), finished_at = CASE WHEN %(sent)s THEN clock_timestamp() END"
        " WHERE company_id = %(company)s AND id = %(id)s AND state = 'uncertain'",
        {"sent": sent, "company": company_id, "id": outbound_id},
    )
    return cursor.rowcount == 1
