"""Turns: a customer's burst of messages that wants one reply.

A turn is `waiting` until its quiet window has passed, then `answering` under a lease, and ends as `answered`,
`handed_over`, `no_reply` or `cancelled`. One that was claimed early is `answering` while the window still runs
(`quiet_until`): it is being drafted. `shared.store.answers.quiet_window` opens turns and extends them.

Whoever holds a lease knows the turn's epoch. A statement that takes a lease away moves the epoch on, and what the
holder writes afterwards, with the epoch that it knows, finds no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, tuple_row

from shared.store.db.pool import Conn, columns

NO_COMPANY_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a turn, valid while the turn has this epoch."""

    company_id: int
    turn_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed turn with what answering it needs. account: the channel's id on the platform. last_message,
    last_customer_at: the customer's newest message (its id on the platform, the platform's time). quiet_left_s: how
    long the quiet window of a turn that was claimed early still runs."""

    company_id: int
    id: int
    conversation_id: int
    channel_id: int
    epoch: int
    attempts: int
    first_seq: int
    last_seq: int
    received_at: datetime
    due_at: datetime
    chat: str
    platform: str
    bot_enabled: bool
    message_count: int
    request_id: str | None
    account: str
    last_message: str | None
    last_customer_at: datetime | None
    quiet_left_s: float = 0.0


def claim_several(
    conn: Conn, after_company: int, *, limit: int, lease_s: float, held: Sequence[int] = (),
    company_max: int = NO_COMPANY_MAX, early: int = 0,
) -> list[Claim]:  # fmt: skip
    """Lease up to `limit` due turns, going round the companies from the one after after_company.

    Each turn is of the next company that has one due. No company gets more than company_max; its entries in `held`,
    the companies of the turns that the caller already works on, count towards that. early: how many may be turns whose
    quiet window still runs, once nothing is due; they have `quiet_left_s`.
    """
    cursor = conn.cursor(row_factory=class_row(Claim))
    cursor.execute(
        """
        /* turns.claim */
        SELECT company_id, id AS turn_id, epoch
        FROM claim_turns(%s, %s, %s, %s::bigint[], %s, %s)
        """,
        (after_company, limit, lease_s, list(held), company_max, early),
        prepare=True,
    )
    return cursor.fetchall()


def renew(conn: Conn, claims: Sequence[Claim], *, lease_s: float) -> set[Claim]:
    """Renew leases in one statement. Leases that are not returned are lost."""
    if not claims:
        return set()
    rows = conn.cursor(row_factory=class_row(Claim)).execute(
        """
        /* turns.renew */
        SELECT company_id, id AS turn_id, epoch
        FROM renew_turns(%s::bigint[], %s::bigint[], %s::int[], %s)
        """,
        (*_columns(claims), lease_s),
    )
    # with the epoch: one process may hold a turn and an earlier claim of it that it has lost
    return set(rows)


def _columns(claims: Sequence[Claim]) -> tuple[list[int], list[int], list[int]]:
    return [c.company_id for c in claims], [c.turn_id for c in claims], [c.epoch for c in claims]


LOAD = """
    /* turns.load */
    SELECT t.company_id, t.id, t.conversation_id, t.channel_id, t.epoch, t.attempts,
        t.first_seq, t.last_seq, t.received_at, t.due_at, coalesce(c.migrated_to, c.chat) AS chat, h.platform,
        c.bot_enabled, c.message_count, t.request_id, h.external_id AS account,
        c.last_customer_message AS last_message, c.last_customer_at,
        greatest(coalesce(extract(epoch FROM t.quiet_until - clock_timestamp())::float8, 0), 0) AS quiet_left_s
    FROM turns t
    JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id
    JOIN channels h ON h.company_id = t.company_id AND h.id = t.channel_id
    WHERE t.company_id = %s
      AND t.id = %s
      AND t.epoch = %s
      AND t.state = 'answering'
"""


def load(conn: Conn, claim: Claim) -> Turn | None:
    """Return the claimed turn with what answering needs; None if the lease is gone."""
    cursor = conn.cursor(row_factory=class_row(Turn))
    return cursor.execute(LOAD, (claim.company_id, claim.turn_id, claim.epoch)).fetchone()


def finish(conn: Conn, claim: Claim, state: str) -> bool:
    """End a turn as `answered`, `handed_over` or `cancelled`. Returns False if the lease is gone. Lock the conversation
    first."""
    cursor = conn.execute(
        """
        /* turns.finish */
        UPDATE turns
        SET state = %s, finished_at = now(), error = NULL
        WHERE company_id = %s
          AND id = %s
          AND epoch = %s
          AND state = 'answering'
        """,
        (state, claim.company_id, claim.turn_id, claim.epoch),
    )
    return cursor.rowcount == 1


RETRY = """
    /* turns.retry */
    UPDATE turns
    SET epoch = epoch + 1,
        error = %s,
        due_at = clock_timestamp() + make_interval(secs => %s)
    WHERE company_id = %s
      AND id = %s
      AND epoch = %s
      AND state = 'answering'
"""


def retry(conn: Conn, claim: Claim, *, delay_s: float, error: str) -> bool:
    """Put a turn back after a failed attempt; false if the lease is gone.

    It stays `answering` with a lease that nobody holds and that ends in delay_s: its conversation may have a
    waiting turn behind it, and there is only one of each.
    """
    cursor = conn.execute(RETRY, (error, delay_s, claim.company_id, claim.turn_id, claim.epoch))
    return cursor.rowcount == 1


RETURN_UNUSED = """
    /* turns.return_unused */
    UPDATE turns
    SET due_at = clock_timestamp(),
        epoch = epoch + 1,
        attempts = greatest(attempts - 1, 0)
    WHERE company_id = %s
      AND id = %s
      AND epoch = %s
      AND state = 'answering'
"""


def return_unused(conn: Conn, claims: Sequence[Claim]) -> int:
    """Return leases at once, attempts uncounted: the process is stopping. Returns how many were still ours."""
    return sum(conn.execute(RETURN_UNUSED, (c.company_id, c.turn_id, c.epoch)).rowcount for c in claims)


RECLAIM = """
    /* turns.reclaim */
    WITH held AS (
        SELECT t.company_id, t.id
        FROM turns t
        JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
            ON t.company_id = k.company_id AND t.id = k.id AND t.epoch = k.epoch
        WHERE t.state = 'answering'
        FOR UPDATE OF t SKIP LOCKED
    )
    UPDATE turns t
    SET due_at = clock_timestamp(),
        epoch = t.epoch + 1
    FROM held
    WHERE t.company_id = held.company_id
      AND t.id = held.id
"""


def reclaim(conn: Conn, claims: Sequence[Claim]) -> int:
    """End the leases of a dead process, whose turns are due again at once; returns how many.

    The attempt counts, since the turn may be what killed the process. The transaction works for the turns' companies.
    It waits for nobody: a row that somebody has locked, perhaps the dead process' own last statement, keeps its lease,
    and still_held() counts it.
    """
    return conn.execute(RECLAIM, _columns(claims)).rowcount if claims else 0


def still_held(conn: Conn, claims: Sequence[Claim]) -> int:
    """Return how many of these leases stand as they were claimed. The transaction works for the turns' companies."""
    cursor = conn.execute(
        """
        /* turns.still_held */
        SELECT t.id
        FROM turns t
        JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
            ON t.company_id = k.company_id AND t.id = k.id AND t.epoch = k.epoch
        WHERE t.state = 'answering'
        """,
        _columns(claims),
    )
    return cursor.rowcount


def cancel_open(conn: Conn, company_id: int, conversation_id: int) -> int:
    """Cancel a conversation's open turns, because a person has taken it over. Lock the conversation first."""
    cursor = conn.execute(
        """
        /* turns.cancel_open */
        UPDATE turns
        SET state = 'cancelled', epoch = epoch + 1, finished_at = now()
        WHERE company_id = %s
          AND conversation_id = %s
          AND state IN ('waiting', 'answering')
        """,
        (company_id, conversation_id),
    )
    return cursor.rowcount


CANCELLED_AT = """
    /* turns.cancelled_at */
    SELECT k.company_id, k.conversation_id, min(t.first_seq), max(t.last_seq)
    FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS k (company_id, conversation_id, at)
    JOIN turns t
        ON t.company_id = k.company_id
        AND t.conversation_id = k.conversation_id
        AND t.finished_at = k.at
    WHERE t.state = 'cancelled'
    GROUP BY k.company_id, k.conversation_id
"""


def cancelled_at(
    conn: Conn, times: Mapping[tuple[int, int], Collection[datetime]]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Return the first and the last message of the turns that transactions which began at these times have cancelled:
    (company, conversation) → their seqs."""
    asked = [(*place, at) for place, of_place in times.items() for at in of_place]
    if not asked:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(CANCELLED_AT, columns(asked))
    return {(company, conversation): (first, last) for company, conversation, first, last in rows}


CANCEL_ALL = """
    /* turns.cancel_all */
    UPDATE turns t
    SET state = 'cancelled', epoch = epoch + 1, finished_at = now()
    FROM unnest(%s::bigint[], %s::bigint[]) AS p (company_id, conversation_id)
    WHERE t.company_id = p.company_id
      AND t.conversation_id = p.conversation_id
      AND t.state IN ('waiting', 'answering')
"""


def cancel_all(conn: Conn, places: Collection[tuple[int, int]]) -> int:
    """Do what cancel_open does, for many locked conversations (company, id)."""
    if not places:
        return 0
    return conn.execute(CANCEL_ALL, ([company for company, _ in places], [id_ for _, id_ in places])).rowcount


@dataclass(frozen=True, slots=True)
class Listed:
    """A turn as operators see it in a list. step, reason, cost_micros: of its receipt, if it has one."""

    company_id: int
    id: int
    conversation_id: int
    state: str
    attempts: int
    error: str | None
    step: str | None
    reason: str | None
    cost_micros: int | None
    received_at: datetime
    finished_at: datetime | None


NEWEST = """
    /* turns.newest */
    SELECT t.company_id, t.id, t.conversation_id, t.state, t.attempts, t.error, r.step, r.reason, r.cost_micros,
        t.received_at, t.finished_at
    FROM turns t
    LEFT JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id
    WHERE (%(company)s::bigint IS NULL OR t.company_id = %(company)s)
      AND (%(state)s::text IS NULL OR t.state = %(state)s)
    ORDER BY t.id DESC
    LIMIT %(limit)s
"""


def newest(conn: Conn, *, company_id: int | None = None, state: str | None = None, limit: int = 50) -> list[Listed]:
    """List turns, newest first. For the owner role."""
    values = {"company": company_id, "state": state, "limit": limit}
    return conn.cursor(row_factory=class_row(Listed)).execute(NEWEST, values).fetchall()
