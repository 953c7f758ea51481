"""The balance: how many requests were received, and where all of them are. As either role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg.rows import class_row, scalar_row, tuple_row

from shared.store.db.pool import Conn
from shared.store.inbound import ledger
from shared.store.inbound.journal import Reader

COUNTING_MS = "60000"
"""Events are counted over the whole ledger."""


@dataclass(slots=True)
class Balance:
    """requests: received = stored + in flight, counted from the streams and the ledger independently.
    events: every stored request holds one or more. repeats: our own re-readings after a crash, counted apart
    from the platforms' duplicates (dropped as `duplicate`)."""

    requests_received: int = 0
    requests_stored: int = 0
    requests_in_flight: int = 0
    redrives: int = 0
    repeats: int = 0
    events: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    outbound: dict[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Received and nowhere to be found; below 0 where more is stored than was received."""
        return self.requests_received - self.requests_stored - self.redrives - self.requests_in_flight

    @property
    def closes(self) -> bool:
        return self.missing == 0

    @property
    def at_rest(self) -> bool:
        """Closes, and nothing is under way any more."""
        busy = self.turns.get("waiting", 0) + self.turns.get("answering", 0)
        busy += self.outbound.get("queued", 0) + self.outbound.get("sending", 0)
        return self.closes and not busy and not self.requests_in_flight


def take(conn: Conn, reader: Reader) -> Balance:
    """Ask for the balance, on a connection outside any transaction. Each stream is looked at while its shard is held,
    so that the sum is exact also under load; the holder waits a moment."""
    balance = Balance()
    for stream in reader.streams:
        with conn.transaction():
            _add_stream(conn, reader, stream, balance)
    with conn.transaction():
        conn.execute(
            """
            /* balance.bound */
            SELECT set_config('statement_timeout', %s, true)
            """,
            (COUNTING_MS,),
        )
        cursor = conn.cursor(row_factory=tuple_row)
        cursor.execute(
            """
            /* balance.counts */
            SELECT what, name, n
            FROM ops_counts()
            ORDER BY name
            """
        )
        rows = cursor.fetchall()
    for what, name, count in rows:
        getattr(balance, what)[name] = count
    return balance


def _add_stream(conn: Conn, reader: Reader, stream: str, balance: Balance) -> None:
    """Count one stream; it is held until the end of the transaction."""
    ledger.lock_shard(conn, stream)
    facts = reader.facts(stream)
    cursor = conn.cursor(row_factory=tuple_row)
    cursor.execute(
        """
        /* balance.take */
        SELECT requests, redrives, repeats
        FROM journal_progress
        WHERE stream = %s
        """,
        (stream,),
    )
    requests, redrives, repeats = cursor.fetchone() or (0, 0, 0)
    stored_already = len(_stored(conn, stream, facts.pending))
    balance.requests_received += facts.added + facts.base
    balance.requests_stored += requests
    balance.redrives += redrives
    balance.repeats += repeats
    balance.requests_in_flight += facts.length - stored_already


def write_off(conn: Conn, reader: Reader, missing: int) -> bool:
    """Close a balance that misses so many requests by counting them as stored from now on. For the owner role.

    They are lost for good: they were stored after the backup that was restored. False, with nothing changed: the
    balance misses another number.
    """
    with conn.transaction() as undo:
        total = 0
        for stream in reader.streams:
            of_stream = Balance()
            _add_stream(conn, reader, stream, of_stream)
            total += of_stream.missing
            conn.execute(
                """
                /* balance.write_off */
                INSERT INTO journal_progress AS p (stream, requests)
                VALUES (%(stream)s, %(n)s)
                ON CONFLICT (stream) DO UPDATE SET requests = p.requests + %(n)s
                """,
                {"stream": stream, "n": of_stream.missing},
            )
        if total != missing:
            raise psycopg.Rollback(undo)
    return total == missing


def _stored(conn: Conn, stream: str, pending: tuple[str, ...]) -> list[str]:
    """Return those of the pending entries that are committed: read and stored, but not yet removed from the stream."""
    if not pending:
        return []
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* balance.stored */
        SELECT entry_id
        FROM ledger_known(%s::date[], %s, %s::text[])
        """,
        (sorted({ledger.day_of(entry_id) for entry_id in pending}), stream, list(pending)),
    )
    return cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Hour:
    """What became of the events that one channel got in one hour. channel_id: None if the channel is unknown. reason:
    of dropped events and dead letters, empty for others."""

    hour: datetime
    platform: str
    company_id: int | None
    channel_id: int | None
    outcome: str
    reason: str
    events: int


HOURS = """
    /* balance.hours */
    SELECT hour, platform, company_id, channel_id, outcome, left(reason, 200) AS reason, n AS events
    FROM ops_hours(%s, %s) h
    ORDER BY hour, platform, company_id NULLS FIRST, channel_id NULLS FIRST, outcome, h.reason
    LIMIT %s
"""


def hours(conn: Conn, since: datetime, until: datetime, *, limit: int) -> list[Hour]:
    """Count the ledger by channel and hour of receipt, in order. As either role."""
    return conn.cursor(row_factory=class_row(Hour)).execute(HOURS, (since, until, limit)).fetchall()


def note(conn: Conn, balance: Balance, oldest_s: float) -> None:
    """Store the result, for monitoring."""
    conn.execute(
        """
        /* balance.note */
        INSERT INTO balance_checks (taken_at, received, stored, redrives, in_flight, oldest_s)
        VALUES (clock_timestamp(), %s, %s, %s, %s, %s)
        """,
        (
            balance.requests_received, balance.requests_stored, balance.redrives, balance.requests_in_flight, oldest_s,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noted:
    """The newest take. missing: received and nowhere to be found; below 0 where more is stored than was received."""

    taken_at: datetime
    missing: int
    in_flight: int
    oldest_s: float


def newest(conn: Conn) -> Noted | None:
    """Return the newest balance that was stored; None if there is none."""
    cursor = conn.cursor(row_factory=class_row(Noted))
    cursor.execute(
        """
        /* balance.newest */
        SELECT taken_at, received - stored - redrives - in_flight AS missing, in_flight, oldest_s
        FROM balance_checks
        ORDER BY taken_at DESC
        LIMIT 1
        """
    )
    return cursor.fetchone()
