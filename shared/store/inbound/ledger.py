"""The ledger: a row for every inbound event, its raw request, and what each journal stream has given."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from psycopg.rows import scalar_row

from shared.model import JournalEntry
from shared.store.db.pool import Conn, columns


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """How one event ended. outcome: effected, dropped or dead_letter; reason: a static word (None if effected)."""

    entry: JournalEntry
    ordinal: int
    kind: str
    outcome: str
    reason: str | None = None
    dedupe_key: str | None = None
    company_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None


def day_of(entry_id: str) -> date:
    """The UTC day of a journal entry, from its id `<ms>-<seq>`."""
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC).date()


KNOWN = """
    /* ledger.known */
    SELECT entry_id
    FROM ledger_known(%s::date[], %s, %s::text[])
"""


def known(conn: Conn, stream: str, entries: Sequence[JournalEntry]) -> set[str]:
    """Return the ids of entries that the ledger has already: their holder died after the commit and before XACK."""
    if not entries:
        return set()
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(KNOWN, (sorted({day_of(e.entry_id) for e in entries}), stream, [e.entry_id for e in entries]))
    return set(cursor.fetchall())


ADD_EVENTS = """
    /* ledger.add_events */
    INSERT INTO webhook_events (
        day, stream, entry_id, ordinal, received_at, platform, app_id, company_id, channel_id, kind, dedupe_key,
        outcome, reason, message_id, request_id
    )
    SELECT *
    FROM unnest(
        %s::date[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[],
        %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[]
    )
"""


def add_events(conn: Conn, rows: Sequence[LedgerRow]) -> None:
    """Record how these events ended."""
    if not rows:
        return
    conn.execute(
        ADD_EVENTS,
        columns(
            (
                day_of(r.entry.entry_id),
                r.entry.stream,
                r.entry.entry_id,
                r.ordinal,
                r.entry.received_at,
                r.entry.platform,
                r.entry.app_id,
                r.company_id,
                r.channel_id,
                r.kind,
                r.dedupe_key,
                r.outcome,
                r.reason,
                r.message_id,
                r.entry.request_id,
            )
            for r in rows
        ),
    )


ADD_RAW = """
    /* ledger.add_raw */
    INSERT INTO webhook_raw (day, stream, entry_id, platform, app_id, received_at, size, body, delivery_id)
    SELECT *
    FROM unnest(
        %s::date[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::int[], %s::bytea[],
        %s::text[]
    )
    ON CONFLICT DO NOTHING
"""


def add_raw(conn: Conn, entries: Sequence[JournalEntry]) -> None:
    """Store these requests as they came, compressed."""
    if not entries:
        return
    conn.execute(
        ADD_RAW,
        [
            [day_of(e.entry_id) for e in entries],
            [e.stream for e in entries],
            [e.entry_id for e in entries],
            [e.platform for e in entries],
            [e.app_id for e in entries],
            [e.received_at for e in entries],
            [len(e.raw) for e in entries],
            [zlib.compress(e.raw, 1) for e in entries],
            [e.delivery_id for e in entries],
        ],
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """What a stream has given: requests for the first time, again for a redrive, and what was known already."""

    stream: str
    requests: int = 0
    redrives: int = 0
    repeats: int = 0


ADD_PROGRESS = """
    /* ledger.add_progress */
    INSERT INTO journal_progress AS p (stream, requests, redrives, repeats)
    SELECT *
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (stream) DO UPDATE
    SET requests = p.requests + excluded.requests,
        redrives = p.redrives + excluded.redrives,
        repeats = p.repeats + excluded.repeats,
        updated_at = now()
"""


def add_progress(conn: Conn, progress: Sequence[Progress]) -> None:
    """Count what streams have given: one row a stream, under its shard's lock, so that nobody waits for it."""
    conn.execute(
        ADD_PROGRESS,
        [
            [p.stream for p in progress],
            [p.requests for p in progress],
            [p.redrives for p in progress],
            [p.repeats for p in progress],
        ],
    )


def consumed(conn: Conn, stream: str) -> int:
    """Return how many requests and redrives the ledger has ever had from this stream."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* ledger.consumed */
        SELECT requests + redrives
        FROM journal_progress
        WHERE stream = %s
        """,
        (stream,),
    )
    return cursor.fetchone() or 0


def resolve(conn: Conn, place: str, row: LedgerRow) -> bool:
    """Give a dead letter its new outcome. Returns False if it is no longer a dead letter.

    place: `<day>/<stream>/<entry>/<ordinal>`, as `dead-letters list` prints it.
    """
    day, stream, entry_id, ordinal = split_place(place)
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* ledger.resolve */
        SELECT ledger_resolve(%s::date, %s, %s, %s::int, %s, %s, %s::bigint, %s::bigint)
        """,
        (day, stream, entry_id, ordinal, row.outcome, row.reason, row.company_id, row.channel_id),
    )
    return bool(cursor.fetchone())


def split_place(place: str) -> tuple[date, str, str, int]:
    """Split a place into day, stream, entry and ordinal. Raises ValueError when it is no
    `<day>/<stream>/<entry>/<ordinal>`."""
    parts = place.split("/")
    if len(parts) != 4:
        raise ValueError(f"{place!r} is no place of a dead letter: copy it from `dead-letters list`")
    if not (parts[3].isascii() and parts[3].isdecimal() and len(parts[3]) <= 9):
        raise ValueError(f"{place!r}: its last part should be a number")
    return date.fromisoformat(parts[0]), parts[1], parts[2], int(parts[3])


def try_lock_shards(conn: Conn, streams: Sequence[str]) -> list[str]:
    """Lock shards until the transaction ends, however it ends. Returns those that nobody else holds."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* ledger.try_lock_shards */
        SELECT stream
        FROM unnest(%s::text[]) AS t (stream)
        WHERE pg_try_advisory_xact_lock(hashtextextended(stream, 5117))
        """,
        (list(streams),),
    )
    return cursor.fetchall()


def lock_shard(conn: Conn, stream: str) -> None:
    """Lock a shard until the transaction ends, waiting for whoever holds it."""
    conn.execute(
        """
        /* ledger.lock_shard */
        SELECT pg_advisory_xact_lock(hashtextextended(%s, 5117))
        """,
        (stream,),
    )
