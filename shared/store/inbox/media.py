"""Stores attachments: what they are, which are still to be fetched, and their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, dict_row, scalar_row

from shared.model import Attachment
from shared.store.db.pool import Conn, columns

FETCHED_TYPES = ("image", "audio", "voice", "video", "file", "document", "sticker", "photo", "animation", "video_note",
                 "live_photo")  # fmt: skip
"""Of these the bytes are fetched; a location, a contact or an order is whole as the message says it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased attachment. epoch: its fencing token."""

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
    """The state of an attachment. reason: why it is not stored, or why the last attempt failed. attempts: so far.
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
    """Return whether an attachment has bytes that we fetch."""
    return attachment.type in FETCHED_TYPES and bool(attachment.id or attachment.url)


def add(conn: Conn, attached: Iterable[tuple[int, int, int, Sequence[Attachment]]]) -> int:
    """Add the attachments of new messages that are to be fetched: (company, channel, message, attachments). Returns how
    many there are."""
    rows = [
        (company_id, message_id, ordinal, channel_id)
        for company_id, channel_id, message_id, attachments in attached
        for ordinal, attachment in enumerate(attachments)
        if fetchable(attachment)
    ]
    if rows:
        conn.execute(
            """
            /* media.add */
            INSERT INTO media (company_id, message_id, ordinal, channel_id)
            SELECT *
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bigint[])
            """,
            columns(rows),
        )
    return len(rows)


def claim(conn: Conn, after_company: int, *, lease_s: float) -> Claim | None:
    """Lease the attachment that is due next, from the first company after after_company that has one."""
    cursor = conn.cursor(row_factory=class_row(Claim))
    cursor.execute(
        """
        /* media.claim */
        SELECT company_id, message_id, ordinal, epoch, attempts
        FROM claim_media(%s, %s)
        """,
        (after_company, lease_s),
    )
    return cursor.fetchone()


LOAD = """
    /* media.load */
    SELECT m.attachments -> d.ordinal AS attachment, h.platform, h.id AS channel_id, h.external_id AS account,
        coalesce(c.migrated_to, c.chat) AS chat, h.credentials, m.contact_id
    FROM media d
    JOIN messages m ON m.company_id = d.company_id AND m.id = d.message_id
    JOIN conversations c ON c.company_id = m.company_id AND c.id = m.conversation_id
    JOIN channels h ON h.company_id = d.company_id AND h.id = d.channel_id
    WHERE d.company_id = %s
      AND d.message_id = %s
      AND d.ordinal = %s
      AND d.epoch = %s
      AND d.state = 'waiting'
"""


def load(conn: Conn, claimed: Claim) -> Wanted | None:
    """Read a claimed attachment; None if the lease is gone, or the message."""
    values = (claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch)
    row = conn.cursor(row_factory=dict_row).execute(LOAD, values).fetchone()
    if row is None or not isinstance(said := row.pop("attachment"), dict):
        return None
    return Wanted(Attachment.from_json(said), **row)


WANTED_SINCE = """
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
    place = (claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch)
    return conn.cursor(row_factory=scalar_row).execute(WANTED_SINCE, place).fetchone()


def stored(conn: Conn, claimed: Claim, content: Stored) -> bool:
    """End an attachment as stored: its bytes are in the media store. False: the lease is gone; whoever has it stores
    the same bytes."""
    return _end(conn, claimed, "stored", None, content)


def refuse(conn: Conn, claimed: Claim, reason: str) -> bool:
    """Mark an attachment as refused: it will never be fetched."""
    return _end(conn, claimed, "refused", reason)


def fail(conn: Conn, claimed: Claim, reason: str) -> bool:
    """Mark an attachment as failed: it cannot be fetched."""
    return _end(conn, claimed, "failed", reason)


END = """
    /* media.end */
    UPDATE media
    SET state = %s, reason = %s, sha256 = %s, size_bytes = %s, mime = %s, finished_at = now()
    WHERE company_id = %s
      AND message_id = %s
      AND ordinal = %s
      AND epoch = %s
      AND state = 'waiting'
"""


def _end(conn: Conn, claimed: Claim, state: str, reason: str | None, content: Stored | None = None) -> bool:
    cursor = conn.execute(
        END,
        (
            state, reason, bytes.fromhex(content.sha256) if content else None,
            content.size_bytes if content else None, content.mime if content else None,
            claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch,
        ),
    )  # fmt: skip
    return cursor.rowcount == 1


POSTPONE = """
    /* media.postpone */
    UPDATE media
    SET epoch = epoch + 1,
        reason = %s,
        attempts = attempts - %s,
        due_at = clock_timestamp() + make_interval(secs => %s)
    WHERE company_id = %s
      AND message_id = %s
      AND ordinal = %s
      AND epoch = %s
      AND state = 'waiting'
"""


def postpone(conn: Conn, claimed: Claim, *, delay_s: float, reason: str, tried: bool = True) -> bool:
    """Retry an attachment in delay_s. tried: whether this counts as an attempt."""
    cursor = conn.execute(
        POSTPONE,
        (reason, 0 if tried else 1, delay_s, claimed.company_id, claimed.message_id, claimed.ordinal, claimed.epoch),
    )
    return cursor.rowcount == 1


def of_messages(conn: Conn, company_id: int, message_ids: Sequence[int]) -> Mapping[tuple[int, int], Shown]:
    """Return the state of attachments: (message, ordinal) → state."""
    if not message_ids:
        return {}
    cursor = conn.cursor(row_factory=class_row(Shown))
    cursor.execute(
        """
        /* media.of_messages */
        SELECT message_id, ordinal, state, reason, mime, size_bytes, attempts,
            CASE WHEN state = 'waiting' THEN due_at END AS due_at
        FROM media
        WHERE company_id = %s
          AND message_id = ANY (%s)
        """,
        (company_id, list(message_ids)),
    )
    return {(row.message_id, row.ordinal): row for row in cursor}


FIND = """
    /* media.find */
    SELECT encode(d.sha256, 'hex') AS sha256, d.size_bytes, d.mime,
        coalesce(m.attachments -> d.ordinal ->> 'name', d.name) AS name
    FROM media d
    LEFT JOIN messages m ON m.company_id = d.company_id AND m.id = d.message_id
    WHERE d.company_id = %s
      AND d.message_id = %s
      AND d.ordinal = %s
      AND d.state = 'stored'
"""


def find(conn: Conn, company_id: int, message_id: int, ordinal: int) -> Stored | None:
    """A stored attachment; None if there is none. Its message may be in the archive, but for its name."""
    return conn.cursor(row_factory=class_row(Stored)).execute(FIND, (company_id, message_id, ordinal)).fetchone()


def count(conn: Conn, company_id: int, message_ids: Sequence[int]) -> int:
    """Count the attachments of these messages that have a row."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* media.count */
        SELECT count(*)
        FROM media
        WHERE company_id = %s
          AND message_id = ANY (%s)
        """,
        (company_id, list(message_ids)),
    )
    return cursor.fetchone() or 0


def named(conn: Conn, company_id: int, hashes: Sequence[str]) -> set[str]:
    """Return those of the hashes that an attachment of the company has."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* media.named */
        SELECT encode(sha256, 'hex')
        FROM media
        WHERE company_id = %s
          AND sha256 = ANY (%s)
        """,
        (company_id, [bytes.fromhex(sha) for sha in hashes]),
    )
    return set(cursor.fetchall())


FORGET = """
    /* media.forget */
    WITH gone AS (
        DELETE FROM media
        WHERE company_id = %s
          AND message_id = ANY (%s)
        RETURNING sha256
    )
    SELECT DISTINCT encode(g.sha256, 'hex')
    FROM gone g
    WHERE g.sha256 IS NOT NULL
      AND NOT EXISTS (
          SELECT 1
          FROM media k
          WHERE k.company_id = %s
            AND k.sha256 = g.sha256
            AND NOT k.message_id = ANY (%s)
      )
"""


def forget(conn: Conn, company_id: int, message_ids: Sequence[int]) -> list[str]:
    """Delete the rows of these messages. Returns the hashes that no other attachment of the company has: their bytes
    may go once this is committed (see `shared.store.db.objects`)."""
    values = (company_id, list(message_ids), company_id, list(message_ids))
    return conn.cursor(row_factory=scalar_row).execute(FORGET, values).fetchall()
