"""Outbound: a reply is a row before it is a request. States: queued, sending, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.model import SendOutcome
from shared.store.db.pool import Conn

NO_COMPANY_MAX = 2**31 - 1


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


def claim_several(
    conn: Conn, after_company: int, *, limit: int, lease_s: float, unblock_s: float, held: Sequence[int] = (),
    company_max: int = NO_COMPANY_MAX,
) -> list[Claim]:  # fmt: skip
    """Lease so many due parts of different conversations, each of the next company that has one; fewer if no more
    are due. No company gets more than company_max, its entries in `held` (what the caller is at) included."""
    rows = conn.execute(
        "/* outbound.claim */ SELECT company_id, id, epoch FROM claim_parts(%s, %s, %s, %s, %s::bigint[], %s)",
        (after_company, limit, lease_s, unblock_s, list(held), company_max),
        prepare=True,
    ).fetchall()
    return [Claim(*row) for row in rows]  # type: ignore[arg-type]


def load(conn: Conn, claims: Sequence[Claim]) -> dict[Claim, Outbound]:
    """The claimed parts; those whose lease is gone are left out."""
    rows = conn.execute(
        # LIMIT: one look into the index for each claim. As a join the planner may read the whole queue.
        "/* outbound.load */ SELECT o.epoch, o.company_id, o.id, o.conversation_id, o.channel_id,"
        " coalesce(c.migrated_to, c.chat), o.text, o.part, o.attempts,"
        " extract(epoch FROM clock_timestamp() - o.created_at)::float8, h.platform, h.credentials, h.state,"
        " h.external_id, m.role, c.last_customer_message, c.last_customer_at, o.created_at"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)"
        " CROSS JOIN LATERAL (SELECT * FROM outbound o WHERE o.company_id = k.company_id AND o.id = k.id"
        "   AND o.epoch = k.epoch AND o.state = 'queued' LIMIT 1) o"
        " CROSS JOIN LATERAL (SELECT * FROM conversations c WHERE c.company_id = o.company_id"
        "   AND c.id = o.conversation_id LIMIT 1) c"
        " CROSS JOIN LATERAL (SELECT * FROM channels h WHERE h.company_id = o.company_id"
        "   AND h.id = o.channel_id LIMIT 1) h"
        " CROSS JOIN LATERAL (SELECT m.role FROM messages m WHERE m.company_id = o.company_id"
        "   AND m.id = o.message_id LIMIT 1) m",
        _columns(claims),
        prepare=True,
    ).fetchall()
    parts = [(int(str(epoch)), Outbound(*row)) for epoch, *row in rows]  # type: ignore[arg-type]
    return {Claim(part.company_id, part.id, epoch): part for epoch, part in parts}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a part. started_at: by the database's clock; no other try of it began in the same microsecond."""

    number: int
    started_at: datetime


def begin_sends(conn: Conn, claims: Sequence[Claim], *, record_deadline_s: float) -> dict[Claim, Attempt]:
    """Say that the requests are about to leave; from here on a crash makes them uncertain. Returns the attempts;
    those whose lease is gone are left out."""
    rows = conn.execute(
        "/* outbound.begin_send */ WITH begun AS (UPDATE outbound o SET state = 'sending', attempts = o.attempts + 1,"
        " due_at = clock_timestamp() + make_interval(secs => %s)"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)"
        " WHERE o.company_id = k.company_id AND o.id = k.id AND o.epoch = k.epoch AND o.state = 'queued'"
        # the ids once more: with them alone the planner goes to these rows instead of reading the queue
        " AND o.id = ANY (%s::bigint[]) RETURNING o.company_id, o.id, o.epoch, o.attempts),"
        " noted AS (INSERT INTO delivery_attempts (company_id, outbound_id, attempt, day, started_at)"
        " SELECT company_id, id, attempts, (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp() FROM begun"
        " RETURNING company_id, outbound_id, attempt, started_at)"
        " SELECT b.company_id, b.id, b.epoch, n.attempt, n.started_at FROM begun b"
        " JOIN noted n ON n.company_id = b.company_id AND n.outbound_id = b.id",
        (record_deadline_s, *_columns(claims), [claim.outbound_id for claim in claims]),
        prepare=True,
    ).fetchall()
    return {Claim(*row[:3]): Attempt(*row[3:]) for row in rows}  # type: ignore[arg-type]


def revert_send(conn: Conn, claim: Claim, attempt: Attempt) -> bool:
    """Queue a part again whose attempt was begun, perhaps, and never left: the answer to that transaction's commit
    was lost. False: it was never committed, or the row has moved on.

    Without a commit another process may have claimed the part since, under the same epoch and with the same number;
    when the attempt began tells its row from ours.
    """
    cursor = conn.execute(
        "/* outbound.revert_send */ WITH ours AS (UPDATE delivery_attempts SET status = 'retry', meaning = 'never_left'"
        "   WHERE company_id = %(company)s AND outbound_id = %(id)s AND attempt = %(attempt)s AND day >= %(since)s"
        "   AND started_at = %(started)s AND status IS NULL RETURNING 1)"
        " UPDATE outbound SET state = 'queued', meaning = 'never_left', epoch = epoch + 1, uncertain_at = NULL,"
        "   due_at = clock_timestamp()"
        " WHERE company_id = %(company)s AND id = %(id)s AND epoch = %(epoch)s AND attempts = %(attempt)s"
        " AND state IN ('sending', 'uncertain') AND EXISTS (SELECT FROM ours)",
        {
            "company": claim.company_id,
            "id": claim.outbound_id,
            "epoch": claim.epoch,
            "attempt": attempt.number,
            "started": attempt.started_at,
            "since": _attempts_since(),
        },
    )
    return cursor.rowcount == 1


def _attempts_since() -> date:
    """As a value, so that the planner leaves out the other ninety days of attempts: 2.3 to 0.2 ms. A send is recorded
    within a minute as a rule; two days bear a clock that is wrong."""
    return datetime.now(UTC).date() - timedelta(days=2)


def _columns(claims: Sequence[Claim]) -> tuple[list[int], list[int], list[int]]:
    return [c.company_id for c in claims], [c.outbound_id for c in claims], [c.epoch for c in claims]


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


@dataclass(frozen=True, slots=True)
class Recorded:
    """next_due_s: in how many seconds the next queued part of the same conversation is due, None if there is none;
    one that blocks those behind it comes first."""

    next_due_s: float | None


def record(
    conn: Conn, claim: Claim, attempt: int, outcome: SendOutcome, *, delay_s: float, duration_ms: int,
    blocks: bool = True,
) -> Recorded | None:  # fmt: skip
    """Write down what became of a send, also when it was meanwhile taken for uncertain.

    delay_s: for `retry` and `reauth`, when to try again. blocks: whether the conversation's later parts wait until
    then, too. None: the row has moved on (a person settled it, or the platform said that it was sent
    and this outcome says otherwise).
    """
    row = conn.execute(
        "/* outbound.record */ WITH settled AS (UPDATE outbound SET state = %(state)s, meaning = %(meaning)s,"
        "   platform_message_id = coalesce(%(platform_id)s, platform_message_id), epoch = epoch + 1,"
        "   blocks = %(blocks)s, due_at = clock_timestamp() + make_interval(secs => %(delay)s),"
        "   uncertain_at = CASE WHEN %(state)s = 'uncertain' THEN coalesce(uncertain_at, clock_timestamp()) END,"
        "   finished_at = CASE WHEN %(state)s IN ('sent', 'failed') THEN clock_timestamp() END"
        "   WHERE company_id = %(company)s AND id = %(id)s AND epoch = %(epoch)s AND attempts = %(attempt)s"
        "   AND (state IN ('sending', 'uncertain')"
        "     OR (state = 'sent' AND meaning = 'settled_by_platform' AND %(state)s = 'sent'))"
        "   RETURNING conversation_id),"
        " noted AS (UPDATE delivery_attempts SET status = %(status)s, meaning = %(meaning)s,"
        "   http_status = %(http)s, duration_ms = %(duration)s"
        "   WHERE company_id = %(company)s AND outbound_id = %(id)s AND attempt = %(attempt)s AND day >= %(since)s)"
        # greatest() passes NULL over: without the WHERE nothing more would be something due now
        " SELECT (SELECT greatest(0, extract(epoch FROM due_at - clock_timestamp()))::float8 FROM (SELECT coalesce("
        "   (SELECT n.due_at FROM outbound n WHERE n.company_id = %(company)s"
        "     AND n.conversation_id = settled.conversation_id AND n.state = 'queued' AND n.blocks AND n.id <> %(id)s"
        "     ORDER BY n.id LIMIT 1),"
        "   (SELECT n.due_at FROM outbound n WHERE n.company_id = %(company)s"
        "     AND n.conversation_id = settled.conversation_id AND n.state = 'queued' AND n.id <> %(id)s"
        "     ORDER BY n.id LIMIT 1)) AS due_at) d WHERE due_at IS NOT NULL) FROM settled",
        {
            "state": _STATES[outcome.status],
            "meaning": outcome.meaning,
            "platform_id": outcome.platform_message_id,
            "delay": delay_s,
            "blocks": blocks,
            "company": claim.company_id,
            "id": claim.outbound_id,
            "epoch": claim.epoch,
            "attempt": attempt,
            "status": outcome.status,
            "http": outcome.http_status,
            "duration": duration_ms,
            "since": _attempts_since(),
        },
        prepare=True,
    ).fetchone()
    return Recorded(None if row[0] is None else float(str(row[0]))) if row else None


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


def reclaim(conn: Conn, claims: Sequence[Claim]) -> int:
    """Parts of a process that is dead (its companies are set): one that had not begun to leave is due at once; the
    time to record one that had is over, for expire_sending(). Returns how many. Nobody is waited for: a row that
    somebody has locked, which may be the dead process' own last statement, is left; still_held() tells."""
    if not claims:
        return 0
    cursor = conn.execute(
        "/* outbound.reclaim */ WITH held AS (SELECT o.company_id, o.id FROM outbound o"
        " JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)"
        " ON o.company_id = k.company_id AND o.id = k.id AND o.epoch = k.epoch"
        " WHERE o.state IN ('queued', 'sending') FOR UPDATE OF o SKIP LOCKED)"
        # the epoch of a send stays: its result, should it come after all, is still welcome
        " UPDATE outbound o SET due_at = clock_timestamp(), epoch = o.epoch + (o.state = 'queued')::int FROM held"
        " WHERE o.company_id = held.company_id AND o.id = held.id",
        _columns(claims),
    )
    return cursor.rowcount


def still_held(conn: Conn, claims: Sequence[Claim]) -> int:
    """Of how many of these the lease, or the time to record the result, stands as it was (their companies are set)."""
    cursor = conn.execute(
        "/* outbound.still_held */ SELECT o.id FROM outbound o"
        " JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)"
        " ON o.company_id = k.company_id AND o.id = k.id AND o.epoch = k.epoch"
        " WHERE o.state IN ('queued', 'sending') AND o.due_at > clock_timestamp()",
        _columns(claims),
    )
    return cursor.rowcount


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


def state_of(conn: Conn, company_id: int, outbound_id: int) -> str | None:
    """queued, sending, uncertain, sent, failed, …; None: there is no such send."""
    row = conn.execute(
        "/* outbound.state_of */ SELECT state FROM outbound WHERE company_id = %s AND id = %s",
        (company_id, outbound_id),
    ).fetchone()
    return None if row is None else str(row[0])
