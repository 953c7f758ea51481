"""Stores what platforms report about our parts after sending: echoes, delivered, read, failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row, tuple_row

from shared.store.db.pool import Conn, columns

MARK_SLACK_S = 2.0
"""We note a send when its answer is here, a little after the platform's own time of it."""
MARKED_MESSAGES = 100
"""How many of a conversation's newest messages a mark (everything up to then) is held against."""

By = Literal["ref", "id", "mark", "open"]
PartId = tuple[int, int]
"""(company, part)"""


@dataclass(frozen=True, slots=True)
class PartQuery:
    """What an event refers to. ref: our id of a part; external_id: the platform's; until: everything up to this time in
    the chat. chat: None if not given."""

    number: int
    company_id: int
    channel_id: int
    chat: str | None
    external_id: str | None = None
    ref: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PartMatch:
    """A part that an event may be about. by: our ref, the platform's id, its mark, or none of them: `open` parts of the
    chat are under way or of unknown outcome, and their ids unknown."""

    number: int
    by: By
    company_id: int
    id: int
    state: str
    text: str


# 'id' and 'open' look each chat up by itself: joined, the planner would read all of a company's conversations.
FIND = """
    /* statuses.find */
    WITH a AS (
        SELECT *
        FROM unnest(
            %s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[]
        ) AS a (number, company_id, channel_id, chat, external_id, ref, until)
    )
    SELECT a.number, 'ref' AS by, o.company_id, o.id, o.state, o.text
    FROM a
    CROSS JOIN LATERAL (
        SELECT *
        FROM outbound o
        WHERE o.company_id = a.company_id
          AND o.id = a.ref
          AND o.channel_id = a.channel_id
        LIMIT 1
    ) o
    WHERE a.ref IS NOT NULL
    UNION ALL
    SELECT a.number, 'id', o.company_id, o.id, o.state, o.text
    FROM a
    CROSS JOIN LATERAL (
        SELECT *
        FROM outbound o
        WHERE o.company_id = a.company_id
          AND o.channel_id = a.channel_id
          AND o.platform_message_id = a.external_id
          AND (
              a.chat IS NULL
              OR EXISTS (
                  SELECT 1
                  FROM conversations c
                  WHERE c.company_id = o.company_id
                    AND c.id = o.conversation_id
                    AND a.chat IN (c.chat, c.migrated_to)
              )
          )
        ORDER BY o.id DESC
        LIMIT 1
    ) o
    WHERE a.external_id IS NOT NULL
    UNION ALL
    SELECT a.number, 'open', o.company_id, o.id, o.state, o.text
    FROM a
    CROSS JOIN LATERAL (
        SELECT *
        FROM outbound o
        WHERE o.company_id = a.company_id
          AND o.conversation_id = (
              SELECT c.id
              FROM conversations c
              WHERE c.company_id = a.company_id
                AND c.channel_id = a.channel_id
                AND c.chat = a.chat
          )
          AND o.state IN ('queued', 'sending', 'unknown_outcome')
          AND o.state IN ('sending', 'unknown_outcome')
        ORDER BY o.id
        LIMIT 20
    ) o
    WHERE a.external_id IS NOT NULL
    UNION ALL
    SELECT a.number, 'mark', o.company_id, o.id, o.state, o.text
    FROM a
    CROSS JOIN LATERAL (
        SELECT m.id
        FROM messages m
        WHERE m.company_id = a.company_id
          AND m.conversation_id = (
              SELECT c.id
              FROM conversations c
              WHERE c.company_id = a.company_id
                AND c.channel_id = a.channel_id
                AND c.chat = a.chat
          )
        ORDER BY m.seq DESC
        LIMIT %s
    ) m
    CROSS JOIN LATERAL (
        SELECT *
        FROM outbound o
        WHERE o.company_id = a.company_id
          AND o.message_id = m.id
          AND o.state = 'sent'
          AND o.read_at IS NULL
          AND o.finished_at <= a.until + make_interval(secs => %s)
        LIMIT 100
    ) o
    WHERE a.until IS NOT NULL
"""


def find(conn: Conn, asked: Sequence[PartQuery]) -> list[PartMatch]:
    """Find the parts that events are about, all from one moment: a part that is being sent is found as `open`, or by
    its id, and never as neither."""
    if not asked:
        return []
    values = [
        *columns((a.number, a.company_id, a.channel_id, a.chat, a.external_id, a.ref, a.until) for a in asked),
        MARKED_MESSAGES,
        MARK_SLACK_S,
    ]
    return conn.cursor(row_factory=class_row(PartMatch)).execute(FIND, values).fetchall()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of ours, locked."""

    company_id: int
    id: int
    conversation_id: int
    channel_id: int
    message_id: int
    state: str
    attempts: int
    meaning: str | None
    platform_message_id: str | None
    delivered_at: datetime | None
    read_at: datetime | None

    @property
    def left(self) -> bool:
        """Return whether the part's request may have been sent while its outcome is unknown."""
        return self.state in ("sending", "unknown_outcome") or (self.state == "queued" and self.attempts > 0)

    def told(self, status: str, meaning: str | None, at: datetime, external_id: str | None = None) -> Part:
        """After what a platform said of it. Whatever it says proves that the part was sent; only `failed` ends that.
        Saying it again changes nothing."""
        part = self
        if part.left:
            part = replace(part, state="sent", meaning="settled_by_platform")
        if part.platform_message_id is None and external_id is not None:
            part = replace(part, platform_message_id=external_id)
        if status == "failed" and part.state == "sent" and part.delivered_at is None:
            return replace(part, state="failed", meaning=meaning or "failed_later")
        if status in ("delivered", "read"):
            part = replace(part, delivered_at=part.delivered_at or at)
        if status == "read":
            part = replace(part, read_at=part.read_at or at)
        return part


LOCK = """
    /* statuses.lock */
    SELECT o.company_id, o.id, o.conversation_id, o.channel_id, o.message_id, o.state, o.attempts, o.meaning,
        o.platform_message_id, o.delivered_at, o.read_at
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM outbound o
        WHERE o.company_id = k.company_id
          AND o.id = k.id
        FOR UPDATE
    ) o
"""


def lock(conn: Conn, ids: Iterable[PartId]) -> dict[PartId, Part]:
    """Lock these parts in one order until the transaction ends, and read them as they are now."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    parts = conn.cursor(row_factory=class_row(Part)).execute(LOCK, columns(wanted))
    return {(part.company_id, part.id): part for part in parts}


WRITE = """
    /* statuses.write */
    UPDATE outbound o
    SET state = n.state,
        meaning = n.meaning,
        platform_message_id = n.platform_message_id,
        delivered_at = n.delivered_at,
        read_at = n.read_at,
        unknown_since = CASE WHEN n.state = 'unknown_outcome' THEN o.unknown_since END,
        finished_at = CASE
            WHEN n.state IN ('sent', 'failed', 'cancelled') THEN coalesce(o.finished_at, clock_timestamp())
        END
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]
    ) AS n (company_id, id, state, meaning, platform_message_id, delivered_at, read_at)
    WHERE o.company_id = n.company_id
      AND o.id = n.id
"""


def write(conn: Conn, parts: Sequence[Part]) -> None:
    """Write what has become of these parts, which are locked. The epoch stays: a send that is still to be recorded may
    be, as far as it says the same (see `send_results.record`)."""
    if not parts:
        return
    conn.execute(
        WRITE,
        columns(
            (p.company_id, p.id, p.state, p.meaning, p.platform_message_id, p.delivered_at, p.read_at) for p in parts
        ),
    )


FAIL_REST = """
    /* statuses.fail_rest */
    UPDATE outbound o
    SET state = 'cancelled', meaning = f.meaning, epoch = o.epoch + 1, finished_at = clock_timestamp()
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, id)
    JOIN outbound f ON f.company_id = k.company_id AND f.id = k.id
    WHERE o.company_id = f.company_id
      AND o.message_id = f.message_id
      AND o.part > f.part
      AND o.state = 'queued'
"""


def fail_rest(conn: Conn, parts: Sequence[Part]) -> int:
    """As send_results.fail_rest, for many parts at once."""
    return conn.execute(FAIL_REST, columns((p.company_id, p.id) for p in parts)).rowcount if parts else 0


@dataclass(frozen=True, slots=True)
class Early:
    """What a platform said of a message whose id we did not know then."""

    company_id: int
    channel_id: int
    external_id: str
    status: str
    meaning: str | None
    at: datetime


def keep_early(conn: Conn, early: Sequence[Early]) -> None:
    """Store reports until the message's id is known."""
    if early:
        conn.execute(
            """
            /* statuses.keep_early */
            INSERT INTO early_statuses (company_id, channel_id, external_id, status, meaning, at)
            SELECT *
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
            ON CONFLICT DO NOTHING
            """,
            columns((e.company_id, e.channel_id, e.external_id, e.status, e.meaning, e.at) for e in early),
        )


TAKE_EARLY = """
    /* statuses.take_early */
    DELETE FROM early_statuses e
    USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, external_id)
    WHERE e.company_id = k.company_id
      AND e.channel_id = k.channel_id
      AND e.external_id = k.external_id
    RETURNING e.company_id, e.channel_id, e.external_id, e.status, e.meaning, e.at
"""


def take_early(conn: Conn, named: Mapping[tuple[int, int, str], PartId]) -> dict[PartId, list[Early]]:
    """Take out what was said of parts before their ids were known.

    named: (company, channel, the platform's id of the message) → the part.
    """
    if not named:
        return {}
    found: dict[PartId, list[Early]] = {}
    for one in conn.cursor(row_factory=class_row(Early)).execute(TAKE_EARLY, columns(named), prepare=True):
        found.setdefault(named[(one.company_id, one.channel_id, one.external_id)], []).append(one)
    return found


# The numbers are places in PROGRESS.
OF_MESSAGES = """
    /* statuses.of_messages */
    SELECT message_id,
        min(
            CASE
                WHEN state IN ('failed', 'cancelled') THEN 0
                WHEN state = 'unknown_outcome' THEN 1
                WHEN state = 'queued' THEN 2
                WHEN state = 'sending' THEN 3
                WHEN read_at IS NOT NULL THEN 6
                WHEN delivered_at IS NOT NULL THEN 5
                ELSE 4
            END
        )
    FROM outbound
    WHERE company_id = %s
      AND message_id = ANY (%s::bigint[])
    GROUP BY message_id
"""
PROGRESS = ("failed", "unknown_outcome", "queued", "sending", "sent", "delivered", "read")


def of_messages(conn: Conn, company_id: int, message_ids: Sequence[int]) -> Mapping[int, str]:
    """Message → how far it got, of those that we send: the PROGRESS of its worst part."""
    if not message_ids:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(OF_MESSAGES, (company_id, list(message_ids)))
    return {message: PROGRESS[step] for message, step in rows}
