"""Results of sends: recorded by the sender, expired if it recorded none, or settled by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg.rows import class_row, scalar_row, tuple_row

from shared.model import SendOutcome
from shared.store.db.pool import Conn
from shared.store.delivery.outbound import Attempt, Claim

_STATES = {
    "sent": "sent",
    "failed": "failed",
    "unknown_outcome": "unknown_outcome",
    "retry": "queued",
    "reauth": "queued",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """next_due_s: in how many seconds the next queued part of the same conversation is due, None if there is none;
    one that blocks those behind it comes first."""

    next_due_s: float | None


# The last WHERE: greatest() passes NULL over, so that without it nothing more would be something due now.
RECORD = """
    /* send_results.record */
    WITH settled AS (
        UPDATE outbound
        SET state = %(state)s,
            meaning = %(meaning)s,
            platform_message_id = coalesce(%(platform_id)s, platform_message_id),
            epoch = epoch + 1,
            blocks = %(blocks)s,
            due_at = clock_timestamp() + make_interval(secs => %(delay)s),
            unknown_since = CASE WHEN %(state)s = 'unknown_outcome' THEN coalesce(unknown_since, clock_timestamp()) END,
            finished_at = CASE WHEN %(state)s IN ('sent', 'failed') THEN clock_timestamp() END
        WHERE company_id = %(company)s
          AND id = %(id)s
          AND epoch = %(epoch)s
          AND attempts = %(attempt)s
          AND (
              state IN ('sending', 'unknown_outcome')
              OR (state = 'sent' AND meaning = 'settled_by_platform' AND %(state)s = 'sent')
          )
        RETURNING conversation_id
    ),
    noted AS (
        UPDATE delivery_attempts
        SET status = %(status)s,
            meaning = %(meaning)s,
            http_status = %(http)s,
            duration_ms = %(duration)s
        WHERE company_id = %(company)s
          AND outbound_id = %(id)s
          AND attempt = %(attempt)s
          AND day >= %(since)s
    )
    SELECT (
        SELECT greatest(0, extract(epoch FROM due_at - clock_timestamp()))::float8
        FROM (
            SELECT coalesce(
                (
                    SELECT n.due_at
                    FROM outbound n
                    WHERE n.company_id = %(company)s
                      AND n.conversation_id = settled.conversation_id
                      AND n.state = 'queued'
                      AND n.blocks
                      AND n.id <> %(id)s
                    ORDER BY n.id
                    LIMIT 1
                ),
                (
                    SELECT n.due_at
                    FROM outbound n
                    WHERE n.company_id = %(company)s
                      AND n.conversation_id = settled.conversation_id
                      AND n.state = 'queued'
                      AND n.id <> %(id)s
                    ORDER BY n.id
                    LIMIT 1
                )
            ) AS due_at
        ) d
        WHERE due_at IS NOT NULL
    ) AS next_due_s
    FROM settled
"""


def record(
    conn: Conn, claim: Claim, attempt: int, outcome: SendOutcome, *, delay_s: float, duration_ms: int,
    blocks: bool = True,
) -> Recorded | None:  # fmt: skip
    """Record the result of a send, even if it was meanwhile taken for one of unknown outcome.

    delay_s: for `retry` and `reauth`, when to try again. blocks: whether the conversation's later parts also wait until
    then. Returns None if the row has moved on: a person settled it, or the platform said that it was sent and this
    outcome says otherwise.
    """
    cursor = conn.cursor(row_factory=class_row(Recorded))
    cursor.execute(
        RECORD,
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
    )
    return cursor.fetchone()


FAIL_REST = """
    /* send_results.fail_rest */
    UPDATE outbound o
    SET state = 'cancelled', meaning = %s, epoch = o.epoch + 1, finished_at = clock_timestamp()
    FROM outbound f
    WHERE f.company_id = %s
      AND f.id = %s
      AND o.company_id = f.company_id
      AND o.message_id = f.message_id
      AND o.part > f.part
      AND o.state = 'queued'
"""


def fail_rest(conn: Conn, company_id: int, outbound_id: int, meaning: str) -> int:
    """Cancel the later parts of a message of which this part can never be sent: they would make no sense alone."""
    return conn.execute(FAIL_REST, (meaning, company_id, outbound_id)).rowcount


def expire_sending(conn: Conn, idempotent: Sequence[str] = (), *, limit: int = 500) -> list[tuple[int, int]]:
    """Turn sends whose result was never recorded into `unknown_outcome`, and those on `idempotent` platforms back into
    `queued`; returns the (company, outbound) ids of the former."""
    rows = conn.cursor(row_factory=tuple_row).execute(
        """
        /* send_results.expire_sending */
        SELECT company_id, id, state
        FROM expire_sending(%s, %s::text[])
        """,
        (limit, list(idempotent)),
    )
    return [(company, id_) for company, id_, state in rows if state == "unknown_outcome"]


REVERT_SEND = """
    /* send_results.revert_send */
    WITH ours AS (
        UPDATE delivery_attempts
        SET status = 'retry', meaning = 'never_left'
        WHERE company_id = %(company)s
          AND outbound_id = %(id)s
          AND attempt = %(attempt)s
          AND day >= %(since)s
          AND started_at = %(started)s
          AND status IS NULL
        RETURNING 1
    )
    UPDATE outbound
    SET state = 'queued',
        meaning = 'never_left',
        epoch = epoch + 1,
        unknown_since = NULL,
        due_at = clock_timestamp()
    WHERE company_id = %(company)s
      AND id = %(id)s
      AND epoch = %(epoch)s
      AND attempts = %(attempt)s
      AND state IN ('sending', 'unknown_outcome')
      AND EXISTS (SELECT FROM ours)
"""


def revert_send(conn: Conn, claim: Claim, attempt: Attempt) -> bool:
    """Queue a part again whose attempt was begun, perhaps, and never left: the answer to that transaction's commit
    was lost. False: it was never committed, or the row has moved on.

    Without a commit another process may have claimed the part since, under the same epoch and with the same number;
    when the attempt began tells its row from ours.
    """
    cursor = conn.execute(
        REVERT_SEND,
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


WITHDRAW = """
    /* send_results.withdraw */
    WITH ours AS (
        DELETE FROM delivery_attempts
        WHERE company_id = %(company)s
          AND outbound_id = %(id)s
          AND attempt = %(attempt)s
          AND day >= %(since)s
          AND started_at = %(started)s
          AND status IS NULL
        RETURNING 1
    )
    UPDATE outbound
    SET state = 'queued',
        meaning = %(meaning)s,
        attempts = attempts - 1,
        epoch = epoch + 1,
        unknown_since = NULL,
        due_at = clock_timestamp() + make_interval(secs => %(delay)s)
    WHERE company_id = %(company)s
      AND id = %(id)s
      AND epoch = %(epoch)s
      AND attempts = %(attempt)s
      AND state IN ('sending', 'unknown_outcome')
      AND EXISTS (SELECT FROM ours)
"""


def withdraw(conn: Conn, claim: Claim, attempt: Attempt, *, delay_s: float, meaning: str) -> bool:
    """Queue a part again whose attempt was begun and never made, as if it had not been begun. False: the row has moved
    on."""
    values = {
        "company": claim.company_id, "id": claim.outbound_id, "epoch": claim.epoch, "attempt": attempt.number,
        "started": attempt.started_at, "since": _attempts_since(), "delay": delay_s, "meaning": meaning,
    }  # fmt: skip
    return conn.execute(WITHDRAW, values).rowcount == 1


def _attempts_since() -> date:
    """As a value, so that the planner leaves out the other ninety days of attempts: 2.3 to 0.2 ms. A send is recorded
    within a minute as a rule; two days bear a clock that is wrong."""
    return datetime.now(UTC).date() - timedelta(days=2)


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    company_id: int
    id: int
    conversation_id: int
    part: int
    meaning: str
    unknown_since: datetime


def list_unknown_outcomes(conn: Conn, *, limit: int = 100) -> list[UnknownOutcome]:
    """List the sends that a person must settle, oldest first. As either role."""
    cursor = conn.cursor(row_factory=class_row(UnknownOutcome))
    cursor.execute(
        """
        /* send_results.list_unknown_outcomes */
        SELECT company_id, id, conversation_id, part, meaning, unknown_since
        FROM ops_unknown_outcomes(%s)
        """,
        (limit,),
    )
    return cursor.fetchall()


SETTLE = """
    /* send_results.settle */
    UPDATE outbound
    SET epoch = epoch + 1,
        unknown_since = NULL,
        state = CASE WHEN %(sent)s THEN 'sent' ELSE 'queued' END,
        meaning = 'settled_by_person',
        due_at = clock_timestamp(),
        finished_at = CASE WHEN %(sent)s THEN clock_timestamp() END
    WHERE company_id = %(company)s
      AND id = %(id)s
      AND state = 'unknown_outcome'
"""


def settle(conn: Conn, company_id: int, outbound_id: int, *, sent: bool) -> bool:
    """Settle a send of unknown outcome as a person decided: it arrived, or it did not and goes out again."""
    return conn.execute(SETTLE, {"sent": sent, "company": company_id, "id": outbound_id}).rowcount == 1


def state_of(conn: Conn, company_id: int, outbound_id: int) -> str | None:
    """Return the state of a send (queued, sending, unknown_outcome, sent, failed, …); None if there is no such send."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* send_results.state_of */
        SELECT state
        FROM outbound
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, outbound_id),
    )
    return cursor.fetchone()
