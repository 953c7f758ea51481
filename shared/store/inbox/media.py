"""Attachments: which there are, which are still to be fetched, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, scalar_row

from shared.model import Attachment
from shared.store.db.pool import Conn

FETCHED_TYPES = ("image", "audio", "voice", "video", "file", "document", "sticker", "photo", "animation", "video_note")
"""Of these the bytes are fetched; a location, a contact or an order is whole as the message says it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An attachment to be fetched; the epoch fences it."""

    company_id: int
    message_id: int
    ordinal: int
    epoch: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claimed attachment with what fetching needs. credentials: encrypted, as stored. contact_id: who sent it."""

    attachment: Attachment
    platform: str
    channel_id: int
    account: str
    chat: str
    credentials: bytes
    contact_id: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """sha256: of the bytes, in hex; they lie in the media store under it. name: as the customer's device called it."""

    sha256: str
    size_bytes: int
    mime: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of an attachment. reason: why it is not stored, or why the last attempt failed. attempts: so far.
    due_at: when a waiting one is tried next."""

    message_id: int
    ordinal: int
    state: str
    reason: str | None
    mime: str | None
    size_bytes: int | None
    attempts: int
    due_at: datetime | None


def fetchable(attachment: Attachment) -> bool:
    return attachment.type in FETCHED_TYPES and bool(attachment.id or attachment.url)


def add(conn: Conn, attached: Iterable[tuple[int, int, int, Sequence[Attachment]]]) -> int:
    """Want the attachments of new messages: (company, channel, message, attachments). Returns how many there are."""
    rows = [
        (company_id, message_id, ordinal, channel_id)
        for company_id, channel_id, message_id, attachments in attached
        for ordinal, attachment in enumerate(attachments)
        if fetchable(attachment)
    ]
    if rows:
        conn.execute(
            "/* media.add */ INSERT INTO media (company_id, message_id, ordinal, channel_id)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bigint[])",
            [list(column) for column in zip(*rows, strict=True)],
        )
    return len(rows)


def claim(conn: Conn, after_company: int, *, lease_s: float) -> Claim | None:
    """The attachment that is due next, of the first company behind after_company that has one."""
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            "/* media.claim */ SELECT company_id, message_id, ordinal, epoch, attempts FROM claim_media(%s, %s)",
            (after_company, lease_s),
        ).fetchone()


def load(conn: Conn, claimed: Claim) -> Wanted | None:
    """None if the lease is gone, or the message."""
    row = conn.execute(
        "/* media.load */ SELECT m.attachments -> d.ordinal, h.platform, h.id, h.external_id,"
        " coalesce(c.migrated_to, c.chat), h.credentials, m.contact_id FROM media d"
        " JOIN messages m ON m.company_id = d.company_id AND m.id = d.message_id"
        " JOIN conversations c ON c.company_id = m.company_id AND c.id = m.conversation_id"
        " JOIN channels h ON h.company_id = d.company_id AND h.id = d.channel_id"
        " WHERE d.company_id = %s AND d.message_id = %s AND d.ordinal = %s AND d.epoch = %s AND d.state = 'waiting'",
        (claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch),
    ).fetchone()
    if row is None or not isinstance(row[0], dict):
        return None
    known = {name: value for name, value in row[0].items() if name in Attachment.__dataclass_fields__}
    return Wanted(Attachment(**known), *row[1:])  # type: ignore[arg-type]


_WANTED_SINCE = """
    /* media.wanted_since */
    SELECT created_at
    FROM media
    WHERE company_id = %s
      AND message_id = %s
      AND ordinal = %s
      AND epoch = %s
      AND state = 'waiting'
"""


def wanted_since(conn: Conn, claimed: Claim) -> datetime | None:
    """When its message was stored; None if the lease is gone."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        place = (claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch)
        return cursor.execute(_WANTED_SINCE, place).fetchone()


def stored(conn: Conn, claimed: Claim, content: Stored) -> bool:
    """The bytes are in the media store. False: the lease is gone; whoever has it stores the same bytes."""
    return _end(conn, claimed, "stored", None, content)


def refuse(conn: Conn, claimed: Claim, reason: str) -> bool:
    """We do not want it, now or later."""
    return _end(conn, claimed, "refused", reason)


def fail(conn: Conn, claimed: Claim, reason: str) -> bool:
    """It cannot be had."""
    return _end(conn, claimed, "failed", reason)


def _end(conn: Conn, claimed: Claim, state: str, reason: str | None, content: Stored | None = None) -> bool:
    cursor = conn.execute(
        "/* media.end */ UPDATE media SET state = %s, reason = %s, sha256 = %s, size_bytes = %s, mime = %s,"
        " finished_at = now() WHERE company_id = %s AND message_id = %s AND ordinal = %s AND epoch = %s"
        " AND state = 'waiting'",
        (
            state, reason, bytes.fromhex(content.sha256) if content else None,
            content.size_bytes if content else None, content.mime if content else None,
            claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch,
        ),
    )  # fmt: skip
    return cursor.rowcount == 1


def postpone(conn: Conn, claimed: Claim, *, delay_s: float, reason: str, tried: bool = True) -> bool:
    """It could not be had just now. tried: whether that was an attempt."""
    cursor = conn.execute(
        "/* media.postpone */ UPDATE media SET epoch = epoch + 1, reason = %s, attempts = attempts - %s,"
        " due_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE company_id = %s AND message_id = %s AND ordinal = %s AND epoch = %s AND state = 'waiting'",
        (reason, 0 if tried else 1, delay_s, claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch),
    )
    return cursor.rowcount == 1


def of_messages(conn: Conn, company_id: int, message_ids: Sequence[int]) -> Mapping[tuple[int, int], Shown]:
    """(message, ordinal) → what became of it."""
    if not message_ids:
        return {}
    with conn.cursor(row_factory=class_row(Shown)) as cursor:
        rows = cursor.execute(
            "/* media.of_messages */ SELECT message_id, ordinal, state, reason, mime, size_bytes, attempts,"
            " CASE WHEN state = 'waiting' THEN due_at END AS due_at FROM media"
            " WHERE company_id = %s AND message_id = ANY (%s)",
            (company_id, list(message_ids)),
        ).fetchall()
    return {(row.message_id, row.ordinal): row for row in rows}


def find(conn: Conn, company_id: int, message_id: int, ordinal: int) -> Stored | None:
    """A stored attachment; None if there is none. Its message may be in the archive, but for its name."""
    row = conn.execute(
        "/* media.find */ SELECT encode(d.sha256, 'hex'), d.size_bytes, d.mime,"
        " coalesce(m.attachments -> d.ordinal ->> 'name', d.name)"
        " FROM media d LEFT JOIN messages m ON m.company_id = d.company_id AND m.id = d.message_id"
        " WHERE d.company_id = %s AND d.message_id = %s AND d.ordinal = %s AND d.state = 'stored'",
        (company_id, message_id, ordinal),
    ).fetchone()
    return Stored(*row) if row else None  # type: ignore[arg-type]


def count(conn: Conn, company_id: int, message_ids: Sequence[int]) -> int:
    """How many attachments of these messages have a row."""
    row = conn.execute(
        "/* media.count */ SELECT count(*) FROM media WHERE company_id = %s AND message_id = ANY (%s)",
        (company_id, list(message_ids)),
    ).fetchone()
    return int(str(row[0])) if row else 0


def named(conn: Conn, company_id: int, hashes: Sequence[str]) -> set[str]:
    """Of these hashes those that an attachment of the company has."""
    rows = conn.execute(
        "/* media.named */ SELECT encode(sha256, 'hex') FROM media WHERE company_id = %s AND sha256 = ANY (%s)",
        (company_id, [bytes.fromhex(sha) for sha in hashes]),
    ).fetchall()
    return {str(sha) for (sha,) in rows}


def forget(conn: Conn, company_id: int, message_ids: Sequence[int]) -> list[str]:
    """Delete the rows of these messages. Returns the hashes that no other attachment of the company has: their bytes
    may go once this is committed (see `shared.store.db.objects`)."""
    rows = conn.execute(
        "/* media.forget */ WITH gone AS (DELETE FROM media WHERE company_id = %s AND message_id = ANY (%s)"
        "   RETURNING sha256)"
        " SELECT DISTINCT encode(g.sha256, 'hex') FROM gone g WHERE g.sha256 IS NOT NULL AND NOT EXISTS ("
        "   SELECT 1 FROM media k WHERE k.company_id = %s AND k.sha256 = g.sha256 AND NOT k.message_id = ANY (%s))",
        (company_id, list(message_ids), company_id, list(message_ids)),
    ).fetchall()
    return [str(sha) for (sha,) in rows]
