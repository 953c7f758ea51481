"""Reads what operators watch: how much waits, since when, and what needs a person. Counts and ages, never content."""

from __future__ import annotations

from dataclasses import dataclass

import redis
from psycopg.rows import class_row

from shared import queues
from shared.store.db.pool import Conn
from shared.store.inbound.journal import Reader

COUNTED_MAX = 10_000
"""Beyond it the exact number tells nobody more, and counting costs the database something."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What waits in the tables; counts up to COUNTED_MAX. Fields in seconds (`_s`): for how long the oldest of those
    counted has been due."""

    overdue_turns: int
    overdue_turn_s: float
    overdue_parts: int
    overdue_part_s: float
    unknown_outcomes: int
    dead_letters: int
    needing_reauth: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the journal."""

    entries: int
    oldest_s: float


def of_database(conn: Conn) -> Rows:
    """Count what waits in the tables. As either role, without a company set."""
    with conn.cursor(row_factory=class_row(Rows)) as cursor:
        row = cursor.execute(
            """
            /* state.of_database */
            SELECT
                overdue_turns, overdue_turn_s, overdue_parts, overdue_part_s, unknown_outcomes, dead_letters,
                needing_reauth
            FROM operations_state(%s)
            """,
            (COUNTED_MAX,),
        ).fetchone()
    assert row is not None
    return row


ATTENTION_REASONS = ("nothing_relevant", "not_listed", "own_case", "uncited", "failed_attempts", "overload")
"""Why an answer asks for a person."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Conversations that wait for a person for one reason: how many, and for how long the first of them."""

    reason: str
    conversations: int
    oldest_s: float


def of_attention(conn: Conn) -> list[Waiting]:
    """Count conversations that wait for a person, up to COUNTED_MAX together. As either role, without a company set."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(
            """
            /* state.of_attention */
            SELECT reason, conversations, oldest_s
            FROM operations_attention(%s)
            ORDER BY 1
            """,
            (COUNTED_MAX,),
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Background:
    """What waits at a station where no customer waits for an answer."""

    station: str
    overdue: int
    oldest_s: float


def of_background(conn: Conn) -> list[Background]:
    """Count what waits at the background stations. As either role, without a company set."""
    with conn.cursor(row_factory=class_row(Background)) as cursor:
        return cursor.execute(
            """
            /* state.of_background */
            SELECT station, overdue, oldest_s
            FROM operations_background(%s)
            ORDER BY 1
            """,
            (COUNTED_MAX,),
        ).fetchall()


def of_journal(reader: Reader) -> Backlog:
    """Count what waits in the journal. Raises redis' errors."""
    return Backlog(reader.backlog(), reader.oldest_age_s())


def of_queues(broker: redis.Redis) -> dict[str, int]:
    """Return how many messages wait in each queue, where the broker is Redis. Raises redis' errors."""
    pipe = broker.pipeline(transaction=False)
    for name in queues.ALL:
        pipe.llen(queues.REDIS_PREFIX + name)
    return dict(zip(queues.ALL, (int(length) for length in pipe.execute()), strict=True))
