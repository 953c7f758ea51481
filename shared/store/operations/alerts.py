"""Stores which alerts stand, and which of them were told. For the owner role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem that stands or is over. id: a new one each time the problem occurs. cleared: whether it is over."""

    key: str
    id: int
    words: str
    since: datetime
    cleared: bool


def settle(conn: Conn, problems: Mapping[str, str]) -> None:
    """Update the alerts to these problems: new ones stand, missing ones are cleared. One that ended before anybody was
    told is deleted."""
    conn.execute(
        "/* alerts.settle */ DELETE FROM alerts WHERE told_at IS NULL AND NOT key = ANY (%s)", (list(problems),)
    )
    conn.execute(
        """
        /* alerts.settle */
        UPDATE alerts
        SET cleared_at = clock_timestamp()
        WHERE cleared_at IS NULL
          AND NOT key = ANY (%s)
        """,
        (list(problems),),
    )
    conn.execute(
        # one that came back before its end was told simply stands on
        """
        /* alerts.settle */
        INSERT INTO alerts AS a (key, words)
        SELECT *
        FROM unnest(%s::text[], %s::text[])
        ON CONFLICT (key) DO UPDATE SET words = excluded.words, cleared_at = NULL
        """,
        (list(problems), list(problems.values())),
    )


def to_tell(conn: Conn, *, again_after_s: float) -> list[Alert]:
    """List the alerts to tell now: new ones, those that are over, and those told so long ago that they are told
    again."""
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(
            """
            /* alerts.to_tell */
            SELECT key, id, words, since, cleared_at IS NOT NULL AS cleared
            FROM alerts
            WHERE told_at IS NULL
              OR cleared_at IS NOT NULL
              OR told_at < clock_timestamp() - make_interval(secs => %s)
            ORDER BY since, key
            """,
            (again_after_s,),
        ).fetchall()


def told(conn: Conn, alerts: list[Alert]) -> None:
    """Record that these alerts were sent. Those that stand are not sent again for a while; those that are over are
    deleted."""
    conn.execute(
        "/* alerts.told */ DELETE FROM alerts WHERE id = ANY (%s) AND cleared_at IS NOT NULL",
        ([a.id for a in alerts if a.cleared],),
    )
    conn.execute(
        """
        /* alerts.told */
        UPDATE alerts
        SET told_at = clock_timestamp()
        WHERE id = ANY (%s)
        """,
        ([a.id for a in alerts if not a.cleared],),
    )


def standing(conn: Conn) -> list[Alert]:
    """List the alerts that stand."""
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(
            """
            /* alerts.standing */
            SELECT key, id, words, since, false AS cleared
            FROM alerts
            WHERE cleared_at IS NULL
            ORDER BY since, key
            """
        ).fetchall()
