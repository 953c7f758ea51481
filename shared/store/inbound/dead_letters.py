"""Parked events: set aside with their error, for a person. As either role."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from shared.store.db.pool import Conn
from shared.store.inbound import journal, ledger
from shared.store.inbound.journal import Reader


@dataclass(frozen=True, slots=True)
class Parked:
    """place: how the other commands name it."""

    place: str
    received_at: datetime
    platform: str
    app_id: int
    reason: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which parked events; None: whatever it is. reason: exactly, as `parked list` shows it."""

    platform: str | None = None
    reason: str | None = None
    app_id: int | None = None


EVERY = Filter()


def all_parked(conn: Conn, only: Filter = EVERY, *, limit: int = 100) -> list[Parked]:
    """Oldest first. size: bytes of the raw body, None once it was purged."""
    rows = conn.execute(
        "/* parked.all_parked */ SELECT place, received_at, platform, app_id, left(reason, 200), size"
        " FROM ops_parked(%s, %s, %s, %s)",
        (only.platform, only.reason, only.app_id, limit),
    ).fetchall()
    return [Parked(*row) for row in rows]  # type: ignore[arg-type]


def raw_body(conn: Conn, place: str) -> bytes | None:
    """The request as it came; None once it was purged, and where there never was one. Raises ValueError on a place
    that is none."""
    found = _one(conn, place)
    return zlib.decompress(found[4]) if found is not None and found[4] is not None else None


def redrive(conn: Conn, reader: Reader, place: str, now: datetime) -> bool:
    """Send a parked request through the journal again, into its own stream. False: it is not parked any more.

    Twice is harmless: the second one meets an event that is parked no longer, and its messages' keys.
    Raises ValueError when its body was purged.
    """
    found = _one(conn, place)
    if found is None or not found[3]:
        return False
    platform, app_id, request_id, _, body, delivery_id = found
    if body is None:
        raise ValueError(f"{place}: its body is gone: discard it")
    _, stream, _, _ = ledger.split_place(place)
    received_ms = int(now.timestamp() * 1000)
    entry = journal.fields(
        platform, app_id, received_ms, zlib.decompress(body), redrive=place, request_id=request_id,
        delivery_id=delivery_id,
    )  # fmt: skip
    reader.append(stream, entry)
    return True


def _one(conn: Conn, place: str) -> tuple[str, int, str | None, bool, bytes | None, str | None] | None:
    row = conn.execute(
        "/* parked.one */ SELECT platform, app_id, request_id, still_parked, body, delivery_id"
        " FROM ops_parked_one(%s::date, %s, %s, %s::int)",
        ledger.split_place(place),
    ).fetchone()
    return cast("tuple[str, int, str | None, bool, bytes | None, str | None] | None", row)


def discard(conn: Conn, place: str, reason: str) -> bool:
    """Give a parked event up, saying why. False: it is not parked any more."""
    row = conn.execute(
        "/* parked.discard */ SELECT ops_discard(%s::date, %s, %s, %s::int, %s)",
        (*ledger.split_place(place), f"discarded: {reason}"),
    ).fetchone()
    return bool(row and row[0])


def redacted(value: Any) -> Any:
    """A body's keys, numbers and the lengths of its texts, without what was said."""
    if isinstance(value, dict):
        return {key: redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return f"<{len(value)} characters>" if isinstance(value, str) else value
