"""Outbound: the parts of messages that we send, each a row before it is a request to the platform.

A part is `queued` until it is sent, `sending` while its request may be under way, and ends as `sent`, `failed` or
`cancelled`; with `unknown_outcome` nobody knows whether it arrived, until the platform or a person says so. Here parts
are queued, leased and begun; `shared.store.delivery.send_results` writes down what became of them.

Whoever holds a lease knows the part's epoch. A statement that takes a lease away moves the epoch on, and what the
holder writes afterwards, with the epoch that it knows, finds no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, kwargs_row, tuple_row

from shared.store.db.pool import Conn

NO_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a part, valid while the part has this epoch. lane: what its send waits for (claim_several)."""

    company_id: int
    outbound_id: int
    epoch: int
    lane: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Outbound:
    """A claimed part with what sending needs. turn_id: the turn that it answers, None for what an agent wrote.
    credentials: encrypted, as stored. age_s: since queued_at. account: the channel's id on the platform. role: who
    wrote it, `bot` or `agent`. last_message, last_customer_at: the customer's newest message (its id on the platform,
    the platform's time)."""

    company_id: int
    id: int
    conversation_id: int
    channel_id: int
    turn_id: int | None
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
        """
        /* outbound.add_parts */
        INSERT INTO outbound (company_id, conversation_id, channel_id, turn_id, message_id, part, text)
        SELECT %s, %s, %s, %s, %s, part, text
        FROM unnest(%s::int[], %s::text[]) AS p (part, text)
        ORDER BY part
        """,
        (company_id, conversation_id, channel_id, turn_id, message_id, list(range(1, len(texts) + 1)), list(texts)),
    )


def claim_several(
    conn: Conn, after_company: int, *, limit: int, lease_s: float, unblock_s: float, held: Sequence[int] = (),
    company_max: int = NO_MAX,
    lanes: Sequence[str] = (), lane_max: int = NO_MAX, apart: Sequence[str] = (),
) -> list[Claim]:  # fmt: skip
    """Lease up to `limit` due parts of different conversations, going round the companies from the one after
    after_company.

    Each part is of the next company that has one due. No company gets more than company_max; its entries in `held`,
    the companies of the parts that the caller already works on, count towards that. lanes and lane_max are the same for
    what a part's send waits for: a platform, or on those of `apart` the account, which has a host of its own.
    """
    cursor = conn.cursor(row_factory=class_row(Claim))
    cursor.execute(
        """
        /* outbound.claim */
        SELECT company_id, id AS outbound_id, epoch, lane
        FROM claim_parts(%s, %s, %s, %s, %s::bigint[], %s, %s::text[], %s, %s::text[])
        """,
        (after_company, limit, lease_s, unblock_s, list(held), company_max, list(lanes), lane_max, list(apart)),
        prepare=True,
    )
    return cursor.fetchall()


# LIMIT 1: one look into the index for each claim. As a join the planner may read the whole queue.
LOAD = """
    /* outbound.load */
    SELECT o.epoch, o.company_id, o.id, o.conversation_id, o.channel_id, o.turn_id,
        coalesce(c.migrated_to, c.chat) AS chat,
        o.text, o.part, o.attempts, extract(epoch FROM clock_timestamp() - o.created_at)::float8 AS age_s,
        h.platform, h.credentials, h.state AS channel_state, h.external_id AS account, m.role,
        c.last_customer_message AS last_message, c.last_customer_at, o.created_at AS queued_at
    FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
    CROSS JOIN LATERAL (
        SELECT *
        FROM outbound o
        WHERE o.company_id = k.company_id
          AND o.id = k.id
          AND o.epoch = k.epoch
          AND o.state = 'queued'
        LIMIT 1
    ) o
    CROSS JOIN LATERAL (
        SELECT *
        FROM conversations c
        WHERE c.company_id = o.company_id
          AND c.id = o.conversation_id
        LIMIT 1
    ) c
    CROSS JOIN LATERAL (
        SELECT *
        FROM channels h
        WHERE h.company_id = o.company_id
          AND h.id = o.channel_id
        LIMIT 1
    ) h
    CROSS JOIN LATERAL (
        SELECT m.role
        FROM messages m
        WHERE m.company_id = o.company_id
          AND m.id = o.message_id
        LIMIT 1
    ) m
"""


def load(conn: Conn, claims: Sequence[Claim]) -> dict[Claim, Outbound]:
    """Read the claimed parts; those whose lease is gone are left out."""
    cursor = conn.cursor(row_factory=kwargs_row(_claimed))
    return dict(cursor.execute(LOAD, _columns(claims), prepare=True).fetchall())


def _claimed(*, epoch: int, **values: Any) -> tuple[Claim, Outbound]:
    part = Outbound(**values)
    return Claim(part.company_id, part.id, epoch), part


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a part. started_at: by the database's clock; unique among the attempts of the part."""

    number: int
    started_at: datetime


# AND o.id = ANY: with the ids alone the planner goes to these rows instead of reading the queue.
BEGIN_SENDS = """
    /* outbound.begin_send */
    WITH begun AS (
        UPDATE outbound o
        SET state = 'sending',
            attempts = o.attempts + 1,
            due_at = clock_timestamp() + make_interval(secs => %s)
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
        WHERE o.company_id = k.company_id
          AND o.id = k.id
          AND o.epoch = k.epoch
          AND o.state = 'queued'
          AND o.id = ANY (%s::bigint[])
        RETURNING o.company_id, o.id, o.epoch, o.attempts
    ),
    noted AS (
        INSERT INTO delivery_attempts (company_id, outbound_id, attempt, day, started_at)
        SELECT company_id, id, attempts, (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp()
        FROM begun
        RETURNING company_id, outbound_id, attempt, started_at
    )
    SELECT b.company_id, b.id, b.epoch, n.attempt, n.started_at
    FROM begun b
    JOIN noted n ON n.company_id = b.company_id AND n.outbound_id = b.id
"""


def begin_sends(conn: Conn, claims: Sequence[Claim], *, record_deadline_s: float) -> dict[Claim, Attempt]:
    """Record that the requests are about to leave; from here on a crash makes their outcome unknown.

    Returns the attempts; those whose lease is gone are left out.
    """
    rows = conn.cursor(row_factory=tuple_row).execute(
        BEGIN_SENDS,
        (record_deadline_s, *_columns(claims), [claim.outbound_id for claim in claims]),
        prepare=True,
    )
    return {Claim(company, id_, epoch): Attempt(number, at) for company, id_, epoch, number, at in rows}


def _columns(claims: Sequence[Claim]) -> tuple[list[int], list[int], list[int]]:
    return [c.company_id for c in claims], [c.outbound_id for c in claims], [c.epoch for c in claims]


def postpone(conn: Conn, claim: Claim, *, delay_s: float, meaning: str) -> bool:
    """Return a leased part to the queue without an attempt (a rate limit, or a channel that needs new credentials)."""
    cursor = conn.execute(
        """
        /* outbound.postpone */
        UPDATE outbound
        SET epoch = epoch + 1, meaning = %s, due_at = clock_timestamp() + make_interval(secs => %s)
        WHERE company_id = %s
          AND id = %s
          AND epoch = %s
          AND state = 'queued'
        """,
        (meaning, delay_s, claim.company_id, claim.outbound_id, claim.epoch),
    )
    return cursor.rowcount == 1


def give_up(conn: Conn, claim: Claim, *, meaning: str) -> bool:
    """Mark a leased part that was never sent as failed."""
    cursor = conn.execute(
        """
        /* outbound.give_up */
        UPDATE outbound
        SET state = 'failed', meaning = %s, finished_at = clock_timestamp()
        WHERE company_id = %s
          AND id = %s
          AND epoch = %s
          AND state = 'queued'
        """,
        (meaning, claim.company_id, claim.outbound_id, claim.epoch),
    )
    return cursor.rowcount == 1


# The epoch of a send stays: its result, should it come after all, is still welcome.
RECLAIM = """
    /* outbound.reclaim */
    WITH held AS (
        SELECT o.company_id, o.id
        FROM outbound o
        JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
            ON o.company_id = k.company_id AND o.id = k.id AND o.epoch = k.epoch
        WHERE o.state IN ('queued', 'sending')
        FOR UPDATE OF o SKIP LOCKED
    )
    UPDATE outbound o
    SET due_at = clock_timestamp(),
        epoch = o.epoch + (o.state = 'queued')::int
    FROM held
    WHERE o.company_id = held.company_id
      AND o.id = held.id
"""


def reclaim(conn: Conn, claims: Sequence[Claim]) -> int:
    """End what a dead process had begun with these parts; returns how many.

    A part that it had not begun to send is due at once. For one that it had, the time to record the result is over,
    and send_results.expire_sending() finds it. The transaction works for the parts' companies. It waits for nobody: a
    row that somebody has locked, perhaps the dead process' own last statement, is left, and still_held() counts it.
    """
    return conn.execute(RECLAIM, _columns(claims)).rowcount if claims else 0


def still_held(conn: Conn, claims: Sequence[Claim]) -> int:
    """Count the parts whose lease, or time to record the result, is unchanged. The transaction works for the parts'
    companies."""
    cursor = conn.execute(
        """
        /* outbound.still_held */
        SELECT o.id
        FROM outbound o
        JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
            ON o.company_id = k.company_id AND o.id = k.id AND o.epoch = k.epoch
        WHERE o.state IN ('queued', 'sending')
          AND o.due_at > clock_timestamp()
        """,
        _columns(claims),
    )
    return cursor.rowcount
