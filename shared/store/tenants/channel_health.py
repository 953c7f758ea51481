"""Stores how channels' webhooks do: when an event came, what the platform says, how apps' webhooks were answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from shared.model import ChannelHealth
from shared.store.db.pool import Conn

RECEIVED = """
    /* channel_health.received */
    INSERT INTO channel_health AS h (company_id, channel_id, received_at)
    SELECT k.company_id, k.channel_id, now()
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, channel_id)
    WHERE NOT EXISTS (
        SELECT 1
        FROM channel_health n
        WHERE n.company_id = k.company_id
          AND n.channel_id = k.channel_id
          AND n.received_at > now() - interval '1 minute'
    )
    ORDER BY k.company_id, k.channel_id
    ON CONFLICT (company_id, channel_id) DO UPDATE SET received_at = excluded.received_at
"""


def received(conn: Conn, channels: Sequence[tuple[int, int]]) -> None:
    """Note that an event came for these (company, channel). Written once a minute at most, so that nobody waits for the
    row."""
    if not channels:
        return
    conn.execute(RECEIVED, ([company for company, _ in channels], [channel for _, channel in channels]))


def lock(conn: Conn, channels: Collection[tuple[int, int]]) -> None:
    """Lock the rows of these (company, channel), if they exist."""
    conn.execute(
        """
        /* channel_health.lock */
        SELECT 1
        FROM channel_health h
        JOIN unnest(%s::bigint[], %s::bigint[]) AS k (company_id, channel_id) USING (company_id, channel_id)
        ORDER BY h.company_id, h.channel_id
        FOR UPDATE OF h
        """,
        ([company for company, _ in channels], [channel for _, channel in channels]),
    )


def noticed(conn: Conn, company_id: int, channel_id: int, notice: str | None) -> None:
    """Store a platform's notice about a channel that a person should know; None: the notice no longer holds."""
    conn.execute(
        """
        /* channel_health.noticed */
        INSERT INTO channel_health AS h (company_id, channel_id, notice, notice_at)
        VALUES (%s, %s, %s, now())
        ON CONFLICT (company_id, channel_id) DO UPDATE SET notice = excluded.notice, notice_at = excluded.notice_at
        """,
        (company_id, channel_id, notice),
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """A channel whose health is to be checked."""

    company_id: int
    channel_id: int
    app_id: int
    platform: str


def to_watch(conn: Conn, after: tuple[int, int], limit: int) -> list[Watched]:
    """List the next channels after (company, channel), of all companies."""
    with conn.cursor(row_factory=class_row(Watched)) as cursor:
        return cursor.execute(
            """
            /* channel_health.to_watch */
            SELECT company_id, channel_id, app_id, platform
            FROM channels_to_watch(%s, %s, %s)
            """,
            (*after, limit),
        ).fetchall()


def checked(conn: Conn, company_id: int, channel_id: int, found: ChannelHealth) -> str | None:
    """Store the result of a check. Returns the previous state, None if there was none."""
    before = conn.execute(
        """
        /* channel_health.checked */
        SELECT state
        FROM channel_health
        WHERE company_id = %s
          AND channel_id = %s
        FOR UPDATE
        """,
        (company_id, channel_id),
    ).fetchone()
    conn.execute(
        """
        /* channel_health.checked */
        INSERT INTO channel_health AS h (company_id, channel_id, checked_at, state, problem, pending, since)
        VALUES (%s, %s, now(), %s, %s, %s, now())
        ON CONFLICT (company_id, channel_id) DO UPDATE
        SET checked_at = now(),
            state = excluded.state,
            problem = excluded.problem,
            pending = excluded.pending,
            since = CASE WHEN h.state = excluded.state THEN h.since ELSE now() END
        """,
        (company_id, channel_id, found.state, found.problem, found.pending),
    )
    return str(before[0]) if before else None


@dataclass(frozen=True, slots=True)
class Answers:
    """How often an app's webhooks were answered, by outcome. refused: 4xx; failed: 5xx."""

    accepted: int
    refused: int
    failed: int

    @property
    def total(self) -> int:
        return self.accepted + self.refused + self.failed

    @property
    def accepted_share(self) -> float:
        return self.accepted / self.total if self.total else 1.0


def add_answers(conn: Conn, counted: Sequence[tuple[int, datetime, Answers]]) -> None:
    """Add what a gateway has counted: (app, minute, answers)."""
    if counted:
        conn.execute(
            """
            /* channel_health.add_answers */
            SELECT count_answers(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[])
            """,
            [
                [app for app, _, _ in counted],
                [minute for _, minute, _ in counted],
                [answers.accepted for _, _, answers in counted],
                [answers.refused for _, _, answers in counted],
                [answers.failed for _, _, answers in counted],
            ],
        )


def answers_of(conn: Conn, app_id: int, *, minutes: int = 60) -> Answers:
    """Return how an app's webhooks were answered in the last minutes."""
    with conn.cursor(row_factory=class_row(Answers)) as cursor:
        row = cursor.execute(
            """
            /* channel_health.answers_of */
            SELECT
                coalesce(sum(accepted), 0)::bigint AS accepted,
                coalesce(sum(refused), 0)::bigint AS refused,
                coalesce(sum(failed), 0)::bigint AS failed
            FROM app_answers
            WHERE app_id = %s
              AND minute > now() - make_interval(mins => %s)
            """,
            (app_id, minutes),
        ).fetchone()
    assert row is not None
    return row


@dataclass(frozen=True, slots=True)
class Listed:
    """A channel's health as operators see it. received_at, checked_at, since: None where it never was."""

    company_id: int
    channel_id: int
    platform: str
    slug: str
    channel_state: str
    state: str
    problem: str | None
    pending: int | None
    received_at: datetime | None
    checked_at: datetime | None
    since: datetime | None
    accepted: int
    refused: int
    failed: int
    notice: str | None
    notice_at: datetime | None


LISTED = """
    /* channel_health.listed */
    SELECT
        c.company_id,
        c.id AS channel_id,
        c.platform,
        a.slug,
        c.state AS channel_state,
        CASE
            WHEN coalesce(h.state, 'unknown') = 'unknown' AND h.received_at > now() - interval '1 hour' THEN 'ok'
            ELSE coalesce(h.state, 'unknown')
        END AS state,
        h.problem,
        h.pending,
        h.received_at,
        h.checked_at,
        h.since,
        coalesce(n.accepted, 0)::bigint AS accepted,
        coalesce(n.refused, 0)::bigint AS refused,
        coalesce(n.failed, 0)::bigint AS failed,
        h.notice,
        h.notice_at
    FROM channels c
    JOIN apps a ON a.id = c.app_id
    LEFT JOIN channel_health h ON h.company_id = c.company_id
      AND h.channel_id = c.id
    LEFT JOIN (
        SELECT app_id, sum(accepted) AS accepted, sum(refused) AS refused, sum(failed) AS failed
        FROM app_answers
        WHERE minute > now() - interval '1 hour'
        GROUP BY app_id
    ) n ON n.app_id = c.app_id
    ORDER BY c.company_id, c.id
"""


def listed(conn: Conn) -> list[Listed]:
    """List every channel, with how its app's webhooks were answered in the last hour. One that nobody says anything of,
    such as a widget, is ok while something has come from it in that hour. For the owner role."""
    with conn.cursor(row_factory=class_row(Listed)) as cursor:
        return cursor.execute(LISTED).fetchall()


@dataclass(frozen=True, slots=True)
class Troubled:
    """Channels of a platform that a person should look after, and the word for why. failing: messages do not come;
    otherwise the platform told of it."""

    platform: str
    word: str
    failing: bool
    channels: int


def troubled(conn: Conn) -> list[Troubled]:
    """List channels that a person should look after. As either role, without a company set."""
    with conn.cursor(row_factory=class_row(Troubled)) as cursor:
        return cursor.execute(
            """
            /* channel_health.troubled */
            SELECT platform, word, failing, channels
            FROM operations_channels()
            ORDER BY 1, 2
            """
        ).fetchall()


def purge_answers(conn: Conn) -> int:
    """Delete counts of minutes older than a day; returns how many. For the owner role."""
    return conn.execute(
        "/* channel_health.purge_answers */ DELETE FROM app_answers WHERE minute < now() - interval '1 day'"
    ).rowcount
