"""Turns: a customer's burst that wants one reply. States: waiting, answering, and how it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.store.db.pool import Conn

NO_COMPANY_MAX = 2**31 - 1
QUIET_SHARE_MIN = 0.75
QUIET_ENDS = (
    f"greatest(now() + make_interval(secs => %(quiet)s), clock_timestamp() + make_interval(secs => {QUIET_SHARE_MIN}"
    " * %(quiet)s))"
)
"""The window begins when the batch was read, so that storing it does not make customers wait longer. A database that
takes long keeps most of the window all the same: what follows in the burst is read only after this."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A conversation in which the newest answerable messages want a reply."""

    company_id: int
    conversation_id: int
    channel_id: int
    first_seq: int
    last_seq: int
    received_at: datetime
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a turn; the epoch fences it."""

    company_id: int
    turn_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Turn:
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


def open_or_extend(
    conn: Conn,
    wanted: Sequence[Wanted],
    *,
    quiet_s: float,
    quiet_max_s: float,
    cancels_max: int,
    cancel_window_s: float,
) -> list[Claim]:
    """Open a turn, or extend the open one, for each conversation (locked, each at most once).

    A waiting turn waits for quiet again, at most quiet_max_s after its first message. A turn being answered is
    called back (its epoch moves, so the answer in the making is fenced off), at most cancels_max times and
    never later than cancel_window_s after its first message; otherwise a new turn stands behind it. Returns the
    turns that were extended, with their new epochs: whoever answers one of them has lost its lease.
    """
    if not wanted:
        return []
    rows = conn.execute(
        "/* turns.open_or_extend */ WITH w AS (SELECT * FROM unnest(%(company)s::bigint[], %(conversation)s::bigint[],"
        "   %(channel)s::bigint[], %(first)s::bigint[], %(last)s::bigint[], %(received)s::timestamptz[],"
        "   %(request)s::text[])"
        "   AS w (company_id, conversation_id, channel_id, first_seq, last_seq, received_at, request_id)),"
        " extended AS (UPDATE turns t SET state = 'waiting', epoch = t.epoch + 1,"
        "   cancels = t.cancels + (t.state = 'answering')::int,"
        # an attempt that is called back has not failed; one that waits for its retry has
        "   attempts = t.attempts - (t.state = 'answering' AND t.error IS NULL AND t.attempts > 0)::int,"
        "   last_seq = w.last_seq, received_at = w.received_at, request_id = w.request_id,"
        f"   due_at = greatest(clock_timestamp(), least({QUIET_ENDS},"
        "     t.first_at + make_interval(secs => CASE WHEN t.state = 'waiting' AND t.cancels = 0"
        "       THEN %(quiet_max)s ELSE %(window)s END)))"
        "   FROM w WHERE t.company_id = w.company_id AND t.conversation_id = w.conversation_id"
        "   AND (t.state = 'waiting' OR (t.state = 'answering' AND t.cancels < %(cancels)s"
        "        AND t.first_at > clock_timestamp() - make_interval(secs => %(window)s)"
        # a clock set back could make the turn in front of a waiting one young again
        "        AND NOT EXISTS (SELECT 1 FROM turns n WHERE n.company_id = t.company_id"
        "          AND n.conversation_id = t.conversation_id AND n.state = 'waiting')))"
        "   RETURNING t.company_id, t.conversation_id, t.id, t.epoch),"
        " opened AS (INSERT INTO turns (company_id, conversation_id, channel_id, first_seq, last_seq, received_at,"
        "   first_at, request_id, due_at)"
        " SELECT w.company_id, w.conversation_id, w.channel_id, w.first_seq, w.last_seq, w.received_at,"
        f"   clock_timestamp(), w.request_id, {QUIET_ENDS}"
        " FROM w WHERE NOT EXISTS (SELECT 1 FROM extended e"
        "   WHERE e.company_id = w.company_id AND e.conversation_id = w.conversation_id))"
        " SELECT company_id, id, epoch FROM extended",
        {
            "company": [w.company_id for w in wanted],
            "conversation": [w.conversation_id for w in wanted],
            "channel": [w.channel_id for w in wanted],
            "first": [w.first_seq for w in wanted],
            "last": [w.last_seq for w in wanted],
            "received": [w.received_at for w in wanted],
            "request": [w.request_id for w in wanted],
            "quiet": quiet_s,
            "quiet_max": quiet_max_s,
            "cancels": cancels_max,
            "window": cancel_window_s,
        },
    ).fetchall()
    return [Claim(*row) for row in rows]  # type: ignore[arg-type]


def claim(conn: Conn, after_company: int, *, lease_s: float) -> Claim | None:
    """Lease the next due turn of a company after this one, wrapping round; None if nothing is due."""
    claimed = claim_several(conn, after_company, limit=1, lease_s=lease_s)
    return claimed[0] if claimed else None


def claim_several(
    conn: Conn, after_company: int, *, limit: int, lease_s: float, held: Sequence[int] = (),
    company_max: int = NO_COMPANY_MAX,
) -> list[Claim]:  # fmt: skip
    """Lease so many due turns, each of the next company that has one; fewer if no more are due. No company gets more
    than company_max, its entries in `held` (the companies of what the caller is at) included."""
    rows = conn.execute(
        "/* turns.claim */ SELECT company_id, id, epoch FROM claim_turns(%s, %s, %s, %s::bigint[], %s)",
        (after_company, limit, lease_s, list(held), company_max),
        prepare=True,
    ).fetchall()
    return [Claim(*row) for row in rows]  # type: ignore[arg-type]


def renew(conn: Conn, claims: Sequence[Claim], *, lease_s: float) -> set[Claim]:
    """Renew leases in one statement; what is not returned is lost."""
    if not claims:
        return set()
    rows = conn.execute(
        "/* turns.renew */ SELECT company_id, id, epoch FROM renew_turns(%s::bigint[], %s::bigint[], %s::int[], %s)",
        ([c.company_id for c in claims], [c.turn_id for c in claims], [c.epoch for c in claims], lease_s),
    ).fetchall()
    # with the epoch: one process may hold a turn and an earlier claim of it that it has lost
    return {Claim(*row) for row in rows}  # type: ignore[arg-type]


def load(conn: Conn, claim: Claim) -> Turn | None:
    """The claimed turn with what answering needs; None if the lease is gone."""
    row = conn.execute(
        "/* turns.load */ SELECT t.company_id, t.id, t.conversation_id, t.channel_id, t.epoch, t.attempts,"
        " t.first_seq, t.last_seq, t.received_at, t.due_at, coalesce(c.migrated_to, c.chat), h.platform,"
        " c.bot_enabled, c.message_count, t.request_id, h.external_id, c.last_customer_message, c.last_customer_at"
        " FROM turns t"
        " JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id"
        " JOIN channels h ON h.company_id = t.company_id AND h.id = t.channel_id"
        " WHERE t.company_id = %s AND t.id = %s AND t.epoch = %s AND t.state = 'answering'",
        (claim.company_id, claim.turn_id, claim.epoch),
    ).fetchone()
    return Turn(*row) if row else None  # type: ignore[arg-type]


def finish(conn: Conn, claim: Claim, state: str) -> bool:
    """End a turn as `answered`, `handed_over` or `cancelled`; false if the lease is gone. Lock the
    conversation first."""
    cursor = conn.execute(
        "/* turns.finish */ UPDATE turns SET state = %s, finished_at = now(), error = NULL"
        " WHERE company_id = %s AND id = %s AND epoch = %s AND state = 'answering'",
        (state, claim.company_id, claim.turn_id, claim.epoch),
    )
    return cursor.rowcount == 1


def retry(conn: Conn, claim: Claim, *, delay_s: float, error: str) -> bool:
    """Put a turn back after a failed attempt; false if the lease is gone.

    It stays `answering` with a lease that nobody holds and that ends in delay_s: its conversation may have a
    waiting turn behind it, and there is only one of each.
    """
    cursor = conn.execute(
        "/* turns.retry */ UPDATE turns SET epoch = epoch + 1, error = %s,"
        " due_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE company_id = %s AND id = %s AND epoch = %s AND state = 'answering'",
        (error, delay_s, claim.company_id, claim.turn_id, claim.epoch),
    )
    return cursor.rowcount == 1


def return_unused(conn: Conn, claims: Sequence[Claim]) -> int:
    """Return leases at once, attempts uncounted: the process is stopping. Returns how many were still ours."""
    given = 0
    for claim in claims:
        cursor = conn.execute(
            "/* turns.return_unused */ UPDATE turns SET due_at = clock_timestamp(), epoch = epoch + 1,"
            " attempts = greatest(attempts - 1, 0)"
            " WHERE company_id = %s AND id = %s AND epoch = %s AND state = 'answering'",
            (claim.company_id, claim.turn_id, claim.epoch),
        )
        given += cursor.rowcount
    return given


def reclaim(conn: Conn, claims: Sequence[Claim]) -> int:
    """End leases of a process that is dead (its companies are set): due at once, the attempt counted, since it may
    have been the turn that killed it. Returns how many. Nobody is waited for: a row that somebody has locked, which
    may be the dead process' own last statement, is left; still_held() tells."""
    if not claims:
        return 0
    cursor = conn.execute(
        "/* turns.reclaim */ WITH held AS (SELECT t.company_id, t.id FROM turns t"
        " JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)"
        " ON t.company_id = k.company_id AND t.id = k.id AND t.epoch = k.epoch"
        " WHERE t.state = 'answering' FOR UPDATE OF t SKIP LOCKED)"
        " UPDATE turns t SET due_at = clock_timestamp(), epoch = t.epoch + 1 FROM held"
        " WHERE t.company_id = held.company_id AND t.id = held.id",
        ([c.company_id for c in claims], [c.turn_id for c in claims], [c.epoch for c in claims]),
    )
    return cursor.rowcount


def still_held(conn: Conn, claims: Sequence[Claim]) -> int:
    """Of how many of these the lease stands as it was claimed (their companies are set)."""
    cursor = conn.execute(
        "/* turns.still_held */ SELECT t.id FROM turns t"
        " JOIN unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)"
        " ON t.company_id = k.company_id AND t.id = k.id AND t.epoch = k.epoch WHERE t.state = 'answering'",
        ([c.company_id for c in claims], [c.turn_id for c in claims], [c.epoch for c in claims]),
    )
    return cursor.rowcount


def cancel_open(conn: Conn, company_id: int, conversation_id: int) -> int:
    """A person has taken over: nothing open is answered by the bot. Lock the conversation first."""
    cursor = conn.execute(
        "/* turns.cancel_open */ UPDATE turns SET state = 'cancelled', epoch = epoch + 1, finished_at = now()"
        " WHERE company_id = %s AND conversation_id = %s AND state IN ('waiting', 'answering')",
        (company_id, conversation_id),
    )
    return cursor.rowcount


def cancel_all(conn: Conn, places: Collection[tuple[int, int]]) -> int:
    """As cancel_open, for many conversations (company, id), which are locked."""
    if not places:
        return 0
    cursor = conn.execute(
        "/* turns.cancel_all */ UPDATE turns t SET state = 'cancelled', epoch = epoch + 1, finished_at = now()"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS p (company_id, conversation_id)"
        " WHERE t.company_id = p.company_id AND t.conversation_id = p.conversation_id"
        " AND t.state IN ('waiting', 'answering')",
        ([company for company, _ in places], [id_ for _, id_ in places]),
    )
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Changed:
    """A customer message that is not as it was. gone: deleted."""

    company_id: int
    conversation_id: int
    seq: int
    gone: bool


def reschedule_edited(
    conn: Conn, changed: Sequence[Changed], *, quiet_s: float, quiet_max_s: float, cancels_max: int,
    cancel_window_s: float,
) -> list[Claim]:  # fmt: skip
    """Open turns that are about these messages (their conversations are locked) are answered as the messages are now.

    A turn of which nothing is left is cancelled. One that waits waits for quiet again. One being answered is called
    back as for a new message, and no oftener; after a deletion always, since nobody should get an answer to what they
    took back. Returns the turns whose epoch moved.
    """
    if not changed:
        return []
    rows = conn.execute(
        "/* turns.reschedule_edited */ WITH c AS ("
        "   SELECT * FROM unnest(%(company)s::bigint[], %(conversation)s::bigint[],"
        "   %(seq)s::bigint[], %(gone)s::boolean[]) AS c (company_id, conversation_id, seq, gone)),"
        " hit AS (SELECT t.company_id, t.id, bool_or(c.gone) AS gone FROM turns t JOIN c"
        "   ON c.company_id = t.company_id AND c.conversation_id = t.conversation_id"
        "   AND c.seq BETWEEN t.first_seq AND t.last_seq WHERE t.state IN ('waiting', 'answering')"
        "   GROUP BY t.company_id, t.id),"
        " judged AS (SELECT t.company_id, t.id, hit.gone, NOT EXISTS (SELECT 1 FROM messages m"
        "     WHERE m.company_id = t.company_id AND m.conversation_id = t.conversation_id"
        "     AND m.seq BETWEEN t.first_seq AND t.last_seq AND m.role = 'customer' AND m.deleted_at IS NULL) AS empty"
        "   FROM hit JOIN turns t ON t.company_id = hit.company_id AND t.id = hit.id)"
        " UPDATE turns t SET epoch = t.epoch + 1,"
        "   state = CASE WHEN j.empty THEN 'cancelled' ELSE t.state END,"
        "   finished_at = CASE WHEN j.empty THEN now() END,"
        "   cancels = t.cancels + (t.state = 'answering' AND NOT j.empty)::int,"
        "   attempts = t.attempts - (t.state = 'answering' AND t.error IS NULL AND t.attempts > 0)::int,"
        f"   due_at = greatest(clock_timestamp(), least({QUIET_ENDS},"
        "     t.first_at + make_interval(secs => CASE WHEN t.state = 'waiting' AND t.cancels = 0"
        "       THEN %(quiet_max)s ELSE %(window)s END)))"
        " FROM judged j WHERE t.company_id = j.company_id AND t.id = j.id"
        " AND (j.empty OR j.gone OR t.state = 'waiting' OR (t.cancels < %(cancels)s"
        "   AND t.first_at > clock_timestamp() - make_interval(secs => %(window)s)))"
        " RETURNING t.company_id, t.id, t.epoch",
        {
            "company": [c.company_id for c in changed],
            "conversation": [c.conversation_id for c in changed],
            "seq": [c.seq for c in changed],
            "gone": [c.gone for c in changed],
            "quiet": quiet_s,
            "quiet_max": quiet_max_s,
            "cancels": cancels_max,
            "window": cancel_window_s,
        },
    ).fetchall()
    return [Claim(*row) for row in rows]  # type: ignore[arg-type]


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


def newest(conn: Conn, *, company_id: int | None = None, state: str | None = None, limit: int = 50) -> list[Listed]:
    """For the owner role, newest first."""
    rows = conn.execute(
        "/* turns.newest */ SELECT t.company_id, t.id, t.conversation_id, t.state, t.attempts, t.error, r.step,"
        " r.reason, r.cost_micros, t.received_at, t.finished_at FROM turns t"
        " LEFT JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id"
        " WHERE (%(company)s::bigint IS NULL OR t.company_id = %(company)s)"
        " AND (%(state)s::text IS NULL OR t.state = %(state)s) ORDER BY t.id DESC LIMIT %(limit)s",
        {"company": company_id, "state": state, "limit": limit},
    ).fetchall()
    return [Listed(*row) for row in rows]  # type: ignore[arg-type]
