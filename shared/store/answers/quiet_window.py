"""The quiet window: messages that follow one another closely become one turn, and a turn waits until they stop.

What a customer's new message does to the open turn of its conversation (`open_or_extend`):

    the open turn                                      what becomes of it
    -------------------------------------------------  ------------------------------------------------------------
    none                                               a new turn, `waiting` for the quiet window
    `waiting`                                          extended: it waits for quiet again
    `answering`, drafted within its quiet window       extended: `waiting` again; the draft is lost, and not counted
    `answering`, may be called back                    extended: `waiting` again; the answer in the making is lost
    `answering`, may not be called back                stays; a new turn waits behind it

A new turn may be *early*: claimed while its quiet window still runs, so that its answer is drafted meanwhile and stored
when the window has passed. Not where the contact usually writes in bursts, and never again once it was extended: at
most one draft of a burst is lost.

A turn may be called back while all of this holds: it was called back less than cancels_max times, its first message is
younger than cancel_window_s, and no turn waits behind it.

A turn that waits for quiet again is due after the window, but no later than quiet_max_s after its first message, or
cancel_window_s after it once the turn was called back.

What an edit or a deletion of one of its messages does to an open turn (`reschedule_edited`):

    the open turn                                      what becomes of it
    -------------------------------------------------  ------------------------------------------------------------
    no customer message of it is left                  `cancelled`
    `waiting`                                          waits for quiet again
    `answering`, a message was deleted                 its answer is cancelled and begun again after the window
    `answering`, drafted within its quiet window       the same, and not counted
    `answering`, may be called back                    the same
    `answering`, may not be called back                stays
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from shared.store.answers.turns import Claim
from shared.store.db.pool import Conn

QUIET_SHARE_MIN = 0.75
"""The share of the quiet window that is left at least, counted from the statement: 0.75 in the statements below.

The window begins when the batch was read (now(), the transaction's beginning), so that storing the batch does not make
customers wait longer. Where the database takes long, most of the window is kept all the same, because what follows in
the burst is read only after this."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A conversation in which the newest answerable messages want a reply. early: its answer may be begun at once.
    complete: it reads as if nothing followed."""

    company_id: int
    conversation_id: int
    channel_id: int
    first_seq: int
    last_seq: int
    received_at: datetime
    request_id: str | None = None
    early: bool = False
    complete: bool = False


# attempts: an attempt that is called back has not failed; one that waits for its retry (error is set) has.
# NOT EXISTS in `extended`: a clock set back could make the turn in front of a waiting one young again.
OPEN_OR_EXTEND = """
    /* quiet_window.open_or_extend */
    WITH w AS (
        SELECT *
        FROM unnest(
            %(company)s::bigint[], %(conversation)s::bigint[], %(channel)s::bigint[], %(first)s::bigint[],
            %(last)s::bigint[], %(received)s::timestamptz[], %(request)s::text[], %(early)s::boolean[],
            %(own_quiet)s::float8[]
        ) AS w (
            company_id, conversation_id, channel_id, first_seq, last_seq, received_at, request_id, early, quiet_s
        )
    ),
    extended AS (
        UPDATE turns t
        SET state = 'waiting',
            epoch = t.epoch + 1,
            early = false,
            quiet_until = NULL,
            cancels = t.cancels
                + (t.state = 'answering' AND coalesce(t.quiet_until <= clock_timestamp(), true))::int,
            attempts = t.attempts - (t.state = 'answering' AND t.error IS NULL AND t.attempts > 0)::int,
            first_seq = least(t.first_seq, w.first_seq),
            last_seq = greatest(t.last_seq, w.last_seq),
            received_at = w.received_at,
            request_id = w.request_id,
            due_at = greatest(
                clock_timestamp(),
                least(
                    greatest(
                        now() + make_interval(secs => %(quiet)s),
                        clock_timestamp() + make_interval(secs => 0.75 * %(quiet)s)
                    ),
                    t.first_at + make_interval(
                        secs => CASE
                            WHEN t.cancels = 0 AND (t.state = 'waiting' OR t.quiet_until > clock_timestamp())
                                THEN %(quiet_max)s
                            ELSE %(window)s
                        END
                    )
                )
            )
        FROM w
        WHERE t.company_id = w.company_id
          AND t.conversation_id = w.conversation_id
          AND (
              t.state = 'waiting'
              OR (
                  t.state = 'answering'
                  AND (
                      t.quiet_until > clock_timestamp()
                      OR (
                          t.cancels < %(cancels)s
                          AND t.first_at > clock_timestamp() - make_interval(secs => %(window)s)
                      )
                  )
                  AND NOT EXISTS (
                      SELECT 1
                      FROM turns n
                      WHERE n.company_id = t.company_id
                        AND n.conversation_id = t.conversation_id
                        AND n.state = 'waiting'
                  )
              )
          )
        RETURNING t.company_id, t.conversation_id, t.id, t.epoch
    ),
    opened AS (
        INSERT INTO turns (
            company_id, conversation_id, channel_id, first_seq, last_seq, received_at, first_at, request_id, early,
            due_at
        )
        SELECT w.company_id, w.conversation_id, w.channel_id, w.first_seq, w.last_seq, w.received_at,
            clock_timestamp(), w.request_id, e.early,
            greatest(
                now() + make_interval(secs => q.quiet_s),
                clock_timestamp() + make_interval(secs => 0.75 * q.quiet_s)
            )
        FROM w
        CROSS JOIN LATERAL (
            SELECT w.early AND NOT coalesce(
                (
                    SELECT writes_in_bursts(k.turn_history)
                    FROM conversations c
                    JOIN contacts k ON k.company_id = c.company_id AND k.id = c.contact_id
                    WHERE c.company_id = w.company_id
                      AND c.id = w.conversation_id
                ),
                false
            ) AS early
        ) e
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.early THEN least(w.quiet_s, %(quiet)s) ELSE %(quiet)s END AS quiet_s
        ) q
        WHERE NOT EXISTS (
            SELECT 1
            FROM extended e
            WHERE e.company_id = w.company_id
              AND e.conversation_id = w.conversation_id
        )
    )
    SELECT company_id, id AS turn_id, epoch
    FROM extended
"""


def open_or_extend(
    conn: Conn,
    wanted: Sequence[Wanted],
    *,
    quiet_s: float,
    quiet_max_s: float,
    cancels_max: int,
    cancel_window_s: float,
    complete_quiet_s: float | None = None,
) -> list[Claim]:
    """Open a turn, or extend the open one, for each conversation (locked, each at most once).

    The table above says which. complete_quiet_s: the window of an early turn whose message reads complete; None: no
    turn is early. Returns the turns that were extended, with their new epochs: whoever answers one of them has lost its
    lease."""
    if not wanted:
        return []
    values = {
        "company": [w.company_id for w in wanted],
        "conversation": [w.conversation_id for w in wanted],
        "channel": [w.channel_id for w in wanted],
        "first": [w.first_seq for w in wanted],
        "last": [w.last_seq for w in wanted],
        "received": [w.received_at for w in wanted],
        "request": [w.request_id for w in wanted],
        "early": [w.early and complete_quiet_s is not None for w in wanted],
        "own_quiet": [complete_quiet_s if w.complete else None for w in wanted],
        "quiet": quiet_s,
        "quiet_max": quiet_max_s,
        "cancels": cancels_max,
        "window": cancel_window_s,
    }
    return conn.cursor(row_factory=class_row(Claim)).execute(OPEN_OR_EXTEND, values).fetchall()


@dataclass(frozen=True, slots=True)
class Changed:
    """A customer message that was edited, or deleted (gone)."""

    company_id: int
    conversation_id: int
    seq: int
    gone: bool


RESCHEDULE_EDITED = """
    /* quiet_window.reschedule_edited */
    WITH c AS (
        SELECT *
        FROM unnest(%(company)s::bigint[], %(conversation)s::bigint[], %(seq)s::bigint[], %(gone)s::boolean[])
            AS c (company_id, conversation_id, seq, gone)
    ),
    hit AS (
        SELECT t.company_id, t.id, bool_or(c.gone) AS gone
        FROM turns t
        JOIN c ON c.company_id = t.company_id
              AND c.conversation_id = t.conversation_id
              AND c.seq BETWEEN t.first_seq AND t.last_seq
        WHERE t.state IN ('waiting', 'answering')
        GROUP BY t.company_id, t.id
    ),
    judged AS (
        SELECT t.company_id, t.id, hit.gone,
            NOT EXISTS (
                SELECT 1
                FROM messages m
                WHERE m.company_id = t.company_id
                  AND m.conversation_id = t.conversation_id
                  AND m.seq BETWEEN t.first_seq AND t.last_seq
                  AND m.role = 'customer'
                  AND m.deleted_at IS NULL
            ) AS empty
        FROM hit
        JOIN turns t ON t.company_id = hit.company_id AND t.id = hit.id
    )
    UPDATE turns t
    SET epoch = t.epoch + 1,
        state = CASE WHEN j.empty THEN 'cancelled' ELSE t.state END,
        finished_at = CASE WHEN j.empty THEN now() END,
        early = false,
        quiet_until = NULL,
        cancels = t.cancels
            + (
                t.state = 'answering' AND NOT j.empty AND coalesce(t.quiet_until <= clock_timestamp(), true)
            )::int,
        attempts = t.attempts - (t.state = 'answering' AND t.error IS NULL AND t.attempts > 0)::int,
        due_at = greatest(
            clock_timestamp(),
            least(
                greatest(
                    now() + make_interval(secs => %(quiet)s),
                    clock_timestamp() + make_interval(secs => 0.75 * %(quiet)s)
                ),
                t.first_at + make_interval(
                    secs => CASE
                        WHEN t.cancels = 0 AND (t.state = 'waiting' OR t.quiet_until > clock_timestamp())
                            THEN %(quiet_max)s
                        ELSE %(window)s
                    END
                )
            )
        )
    FROM judged j
    WHERE t.company_id = j.company_id
      AND t.id = j.id
      AND (
          j.empty
          OR j.gone
          OR t.state = 'waiting'
          OR t.quiet_until > clock_timestamp()
          OR (
              t.cancels < %(cancels)s
              AND t.first_at > clock_timestamp() - make_interval(secs => %(window)s)
          )
      )
    RETURNING t.company_id, t.id AS turn_id, t.epoch
"""


def reschedule_edited(
    conn: Conn, changed: Sequence[Changed], *, quiet_s: float, quiet_max_s: float, cancels_max: int,
    cancel_window_s: float,
) -> list[Claim]:  # fmt: skip
    """Make open turns that are about these messages answer them as they are now (their conversations are locked).

    The table above says how. A deletion always calls an answer off, since nobody should get an answer to what they
    took back. Returns the turns whose epoch moved.
    """
    if not changed:
        return []
    values = {
        "company": [c.company_id for c in changed],
        "conversation": [c.conversation_id for c in changed],
        "seq": [c.seq for c in changed],
        "gone": [c.gone for c in changed],
        "quiet": quiet_s,
        "quiet_max": quiet_max_s,
        "cancels": cancels_max,
        "window": cancel_window_s,
    }
    return conn.cursor(row_factory=class_row(Claim)).execute(RESCHEDULE_EDITED, values).fetchall()
