"""Dropped events that an operator should know of, by application. Drops of one kind are one episode until a day passes
without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from shared.store.db.pool import Conn

Dropped = tuple[int, str, str]
"""(app, the platform's id of the account that was named or '', reason)"""


def note(conn: Conn, dropped: Mapping[Dropped, int]) -> None:
    """Count these drops. Locks their rows: call it last in a transaction."""
    if not dropped:
        return
    places = sorted(dropped)
    conn.execute(
        """
        /* drops.note */
        SELECT note_dropped(%s::bigint[], %s::text[], %s::text[], %s::bigint[])
        """,
        (
            [app for app, _, _ in places],
            [account for _, account, _ in places],
            [reason for _, _, reason in places],
            [dropped[place] for place in places],
        ),
    )


@dataclass(frozen=True, slots=True)
class Episode:
    """accounts: how many were named. account: one of them, '' if an event names none."""

    platform: str
    slug: str
    reason: str
    accounts: int
    account: str
    events: int
    since: datetime
    last_at: datetime

    @property
    def words(self) -> str:
        whom = f" for {self.account}" if self.account else ""
        whom += f" and {self.accounts - 1} others" if self.accounts > 1 else ""
        times = f"since {self.since:%Y-%m-%d %H:%M}, last {self.last_at:%Y-%m-%d %H:%M}"
        return f"{self.platform} {self.slug}: {self.events} events dropped{whom} ({self.reason}), {times}"


def lately(conn: Conn) -> list[Episode]:
    """List the episodes of the last day, of connected applications. As either role, without a company set."""
    cursor = conn.cursor(row_factory=class_row(Episode))
    cursor.execute(
        """
        /* drops.lately */
        SELECT platform, slug, reason, accounts, account, events, since, last_at
        FROM operations_dropped()
        ORDER BY slug, reason
        """
    )
    return cursor.fetchall()


def settle(conn: Conn, app_id: int, account: str) -> None:
    """End the episodes of an account that now has a channel, since its absence caused them. For the owner role."""
    conn.execute(
        """
        /* drops.settle */
        DELETE FROM dropped_events
        WHERE app_id = %s
          AND reason IN ('no_channel', 'channel_disabled')
          AND account IN (%s, '')
        """,
        (app_id, account),
    )


def seen(conn: Conn, app_id: int) -> int:
    """End all episodes of an application, because an operator has dealt with them; returns their number. For the owner
    role."""
    return conn.execute(
        """
        /* drops.seen */
        DELETE FROM dropped_events
        WHERE app_id = %s
        """,
        (app_id,),
    ).rowcount


def purge(conn: Conn) -> int:
    """Delete episodes that nobody lists any more; returns how many. For the owner role."""
    return conn.execute(
        """
        /* drops.purge */
        DELETE FROM dropped_events
        WHERE last_at < now() - interval '7 days'
        """
    ).rowcount
