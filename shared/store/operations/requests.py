"""Finds what became of a request by its id. For the owner role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from psycopg import sql
from psycopg.rows import class_row, tuple_row

from shared.store.db.pool import Conn
from shared.store.inbox import archived

CLOCKS_APART_MS = 60_000
"""The id has the gateway's time, the journal's entry its server's, some milliseconds later."""
JOURNALLED_WITHIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Traced:
    """One event of the request. turn_state, step and parts are None or empty as far as it has not come. parts:
    `ID STATE` of each."""

    place: str
    received_at: datetime
    platform: str
    kind: str
    outcome: str
    reason: str | None
    company_id: int | None
    conversation_id: int | None
    message_id: int | None
    turn_id: int | None
    turn_state: str | None
    step: str | None
    parts: list[str]


TRACE = """
    /* requests.trace */
    SELECT
        e.day || '/' || e.stream || '/' || e.entry_id || '/' || e.ordinal AS place, e.received_at, e.platform,
        e.kind, e.outcome, e.reason, e.company_id, m.conversation_id, e.message_id, t.id AS turn_id,
        t.state AS turn_state, r.step,
        (
            SELECT coalesce(array_agg(o.id || ' ' || o.state ORDER BY o.part), '{}')
            FROM outbound o
            WHERE o.company_id = t.company_id
              AND o.turn_id = t.id
        ) AS parts
    FROM webhook_events e
    LEFT JOIN messages m ON m.company_id = e.company_id AND m.id = e.message_id
    LEFT JOIN turns t ON t.company_id = m.company_id
      AND t.conversation_id = m.conversation_id
      AND m.seq BETWEEN t.first_seq AND t.last_seq
    LEFT JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id
    WHERE e.day BETWEEN %s AND %s
      AND e.stream = ANY (%s)
      AND e.entry_id BETWEEN %s AND %s
      AND e.request_id = %s
      AND e.ordinal >= 0
    ORDER BY e.ordinal, t.id
"""


def trace(conn: Conn, request_id: str, streams: Sequence[str]) -> list[Traced]:
    """Return the request's events, in order; none while it lies in the journal, or after the ledger has forgotten it.

    Raises ValueError for an id that the gateway has not made.
    """
    ms = received_ms(request_id)
    first, last = ms - CLOCKS_APART_MS, ms + CLOCKS_APART_MS + JOURNALLED_WITHIN_MS
    values = (_day(first), _day(last), list(streams), f"{first}-0", f"{last}-0", request_id)
    with conn.cursor(row_factory=class_row(Traced)) as cursor:
        found = cursor.execute(TRACE, values).fetchall()
    return [whole for event in found for whole in _with_archived(conn, event)]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event that had no effect. request_id: None where the request was none of the gateway's."""

    place: str
    request_id: str | None
    received_at: datetime
    platform: str
    app: str | None
    kind: str
    reason: str


DROPPED = """
    /* requests.dropped */
    SELECT
        e.day || '/' || e.stream || '/' || e.entry_id || '/' || e.ordinal AS place, e.request_id, e.received_at,
        e.platform, a.slug AS app, e.kind, e.reason
    FROM webhook_events e
    LEFT JOIN apps a ON a.id = e.app_id
    WHERE e.day >= %s
      AND e.outcome = 'dropped'
      AND e.reason = %s
    ORDER BY e.received_at DESC, e.ordinal
    LIMIT %s
"""


def dropped(conn: Conn, reason: str, *, since: date, limit: int) -> list[Dropped]:
    """List the newest events since this day that were dropped for this reason."""
    with conn.cursor(row_factory=class_row(Dropped)) as cursor:
        return cursor.execute(DROPPED, (since, reason, limit)).fetchall()


def _with_archived(conn: Conn, event: Traced) -> list[Traced]:
    """Return the event with what became of its message where that is archived: one row a turn."""
    if event.company_id is None or event.message_id is None or event.conversation_id is not None:
        return [event]
    conversation = archived.conversation_of_message(conn, event.company_id, event.message_id, event.received_at)
    if conversation is None:  # deleted for good
        return [event]
    rows = (
        conn.cursor(row_factory=tuple_row)
        .execute(
            sql.SQL(
                """
            /* requests.archived */
            """
                + archived.AS_TABLES
                + """
            SELECT
                t.id,
                t.state,
                r.step,
                (
                    SELECT coalesce(array_agg(o.id || ' ' || o.state ORDER BY o.part), '{}')
                    FROM outbound o
                    WHERE o.turn_id = t.id
                )
            FROM messages m
            LEFT JOIN turns t ON m.seq BETWEEN t.first_seq AND t.last_seq
            LEFT JOIN receipts r ON r.turn_id = t.id
            WHERE m.id = %(message)s
            ORDER BY t.id
            """
            ),
            {"company": event.company_id, "conversation": conversation, "message": event.message_id},
        )
        .fetchall()
    )
    return [
        replace(event, conversation_id=conversation, turn_id=turn, turn_state=state, step=step, parts=parts)
        for turn, state, step, parts in rows
    ]


def received_ms(request_id: str) -> int:
    """Return when the gateway took the request, in milliseconds since 1970. Raises ValueError."""
    time, dash, noise = request_id.partition("-")
    ms = int(time, 16) if dash and noise and len(time) <= 11 else -1
    if ms < 0:
        raise ValueError(f"{request_id!r} is no id of the gateway's: it stands in x-request-id and in its log")
    return ms


def _day(ms: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=max(0, ms))).date()
