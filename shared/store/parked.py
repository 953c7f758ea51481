"""Parked events: set aside with their error, for a person. For the owner role."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

from shared.store import journal, ledger
from shared.store.journal import Reader
from shared.store.pool import Conn


@dataclass(frozen=True, slots=True)
class Parked:
    """place: how the other commands name it."""

    place: str
    received_at: datetime
    platform: str
    app_id: int
    reason: str
    size: int | None


def all_parked(conn: Conn, *, limit: int = 100) -> list[Parked]:
    """Oldest first. size: bytes of the raw body, None once it was purged."""
    rows = conn.execute(
        "/* parked.all_parked */ SELECT e.day || '/' || e.stream || '/' || e.entry_id || '/' || e.ordinal,"
        " e.received_at, e.platform, e.app_id, coalesce(e.reason, ''), r.size FROM webhook_events e"
        " LEFT JOIN webhook_raw r ON r.day = e.day AND r.stream = e.stream AND r.entry_id = e.entry_id"
        " WHERE e.outcome = 'parked' ORDER BY e.day, e.received_at, e.entry_id LIMIT %s",
        (limit,),
    ).fetchall()
    return [Parked(*row) for row in rows]  # type: ignore[arg-type]


def raw_body(conn: Conn, place: str) -> bytes | None:
    """The request as it came; None once it was purged. Raises ValueError on a place that is none."""
    day, stream, entry_id, _ = ledger.split_place(place)
    row = conn.execute(
        "/* parked.raw_body */ SELECT body FROM webhook_raw WHERE day = %s AND stream = %s AND entry_id = %s",
        (day, stream, entry_id),
    ).fetchone()
    return zlib.decompress(bytes(row[0])) if row else None  # type: ignore[call-overload]


def redrive(conn: Conn, reader: Reader, place: str, now: datetime) -> bool:
    """Send a parked request through the journal again, into its own stream. False: it is not parked any more.

    Twice is harmless: the second one meets an event that is parked no longer, and its messages' keys.
    Raises ValueError when its body was purged.
    """
    day, stream, entry_id, ordinal = ledger.split_place(place)
    row = conn.execute(
        "/* parked.redrive */ SELECT platform, app_id, request_id FROM webhook_events"
        " WHERE day = %s AND stream = %s AND entry_id = %s AND ordinal = %s AND outcome = 'parked'",
        (day, stream, entry_id, ordinal),
    ).fetchone()
    if row is None:
        return False
    raw = raw_body(conn, place)
    if raw is None:
        raise ValueError(f"{place}: its body is older than RAW_RETENTION_DAYS and gone: discard it")
    received_ms = int(now.timestamp() * 1000)
    request_id = str(row[2]) if row[2] else None
    reader.append(
        stream,
        journal.fields(str(row[0]), int(str(row[1])), received_ms, raw, redrive=place, request_id=request_id),
    )
    return True


def discard(conn: Conn, place: str, reason: str) -> bool:
    """Give a parked event up, saying why. False: it is not parked any more."""
    day, stream, entry_id, ordinal = ledger.split_place(place)
    cursor = conn.execute(
        "/* parked.discard */ UPDATE webhook_events SET outcome = 'dropped', reason = %s WHERE day = %s"
        " AND stream = %s AND entry_id = %s AND ordinal = %s AND outcome = 'parked'",
        (f"discarded: {reason}", day, stream, entry_id, ordinal),
    )
    return cursor.rowcount == 1
