"""Dead letters: set aside with their error until a person redrives or discards them. As either role."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, scalar_row

from shared.errors import NotFound
from shared.store.db.pool import Conn
from shared.store.inbound import journal, ledger
from shared.store.inbound.journal import Reader
from shared.store.tenants import registry


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter in a list. place: its id in other commands. size: bytes of the raw body, None once purged."""

    place: str
    received_at: datetime
    platform: str
    app_id: int
    reason: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters to list; None does not narrow. reason: the exact text that `dead-letters list` shows."""

    platform: str | None = None
    reason: str | None = None
    app_id: int | None = None


EVERY = Filter()


def listed(conn: Conn, only: Filter = EVERY, *, limit: int = 100) -> list[DeadLetter]:
    """List dead letters, oldest first."""
    cursor = conn.cursor(row_factory=class_row(DeadLetter))
    cursor.execute(
        """
        /* dead_letters.listed */
        SELECT place, received_at, platform, app_id, left(reason, 200) AS reason, size
        FROM ops_dead_letters(%s, %s, %s, %s)
        """,
        (only.platform, only.reason, only.app_id, limit),
    )
    return cursor.fetchall()


def known(conn: Conn, only: Filter, platforms: Collection[str]) -> Filter:
    """Return the filter if its platform and its application exist; raises NotFound, which names what does not.

    platforms: all that this version knows.
    """
    # a dead letter may be of a platform that this version does not know any more
    if only.platform is not None and only.platform not in platforms and not listed(conn, only, limit=1):
        raise NotFound("platform", f"no platform is named {only.platform!r}: there are {', '.join(platforms)}")
    if only.app_id is not None and not registry.app_exists(conn, only.app_id):
        raise NotFound("app", f"no app has the number {only.app_id}: `app list` shows them")
    return only


@dataclass(frozen=True, slots=True)
class _Event:
    """One event that is or was a dead letter. body: compressed, None once it was purged."""

    platform: str
    app_id: int
    request_id: str | None
    is_dead_letter: bool
    body: bytes | None
    delivery_id: str | None


def _one(conn: Conn, place: str) -> _Event | None:
    cursor = conn.cursor(row_factory=class_row(_Event))
    cursor.execute(
        """
        /* dead_letters.one */
        SELECT platform, app_id, request_id, is_dead_letter, body, delivery_id
        FROM ops_dead_letter(%s::date, %s, %s, %s::int)
        """,
        ledger.split_place(place),
    )
    return cursor.fetchone()


def raw_body(conn: Conn, place: str) -> bytes | None:
    """Return the request as it came; None if it was purged or never existed. Raises ValueError for an invalid place."""
    event = _one(conn, place)
    return zlib.decompress(event.body) if event is not None and event.body is not None else None


def redrive(conn: Conn, reader: Reader, place: str, now: datetime) -> bool:
    """Send a dead letter through the journal again, into its own stream. Returns False if it is no longer a dead
    letter.

    Doing it twice is harmless: the second time the event is no longer a dead letter, and its messages' keys exist.
    Raises ValueError if its body was purged.
    """
    event = _one(conn, place)
    if event is None or not event.is_dead_letter:
        return False
    if event.body is None:
        raise ValueError(f"{place}: its body is gone: discard it")
    _, stream, _, _ = ledger.split_place(place)
    received_ms = int(now.timestamp() * 1000)
    entry = journal.fields(
        event.platform, event.app_id, received_ms, zlib.decompress(event.body), redrive=place,
        request_id=event.request_id, delivery_id=event.delivery_id,
    )  # fmt: skip
    reader.append(stream, entry)
    return True


def discard(conn: Conn, place: str, reason: str) -> bool:
    """Discard a dead letter for a reason. Returns False if it is no longer a dead letter."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* dead_letters.discard */
        SELECT ops_discard(%s::date, %s, %s, %s::int, %s)
        """,
        (*ledger.split_place(place), f"discarded: {reason}"),
    )
    return bool(cursor.fetchone())


def redacted(value: Any) -> Any:
    """Return a body's keys, numbers and the lengths of its texts, without the texts."""
    if isinstance(value, dict):
        return {key: redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return f"<{len(value)} characters>" if isinstance(value, str) else value
