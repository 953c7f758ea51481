"""Which echoes on a channel are a machine's: applications beside ours that answer by themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg.rows import class_row, kwargs_row

from shared.store.db.pool import Conn, columns

APPS_MAX = 50
WITHIN_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class AutomaticReplies:
    """ignored_apps: ids, on the platform, of applications whose messages are no person's. within_s: an echo so soon
    after the customer's message is a machine's, whoever sent it; 0: none is by that alone."""

    ignored_apps: tuple[str, ...]
    within_s: float


def wrong_with(wanted: AutomaticReplies) -> str | None:
    """What should be changed of it; None: nothing."""
    if len(wanted.ignored_apps) > APPS_MAX:
        return f"up to {APPS_MAX} applications can be ignored"
    if not all(one.isascii() and one.isdigit() and len(one) <= 32 for one in wanted.ignored_apps):
        return "an application's id on the platform has digits only, up to 32"
    if not 0 <= wanted.within_s <= WITHIN_S_MAX:
        return f"within should be 0 to {WITHIN_S_MAX:g} seconds"
    return None


Place = tuple[int, int]
"""(company, channel)"""


def _read(*, ignored_apps: list[str], within_s: float) -> AutomaticReplies:
    return AutomaticReplies(tuple(ignored_apps), within_s)


OF_CHANNEL = """
    /* automatic_replies.of_channel */
    SELECT ignored_apps, auto_reply_s AS within_s
    FROM channels
    WHERE company_id = %s
      AND id = %s
"""
LOCKED = """
    /* automatic_replies.locked */
    SELECT ignored_apps, auto_reply_s AS within_s
    FROM channels
    WHERE company_id = %s
      AND id = %s
    FOR NO KEY UPDATE
"""


def of_channel(conn: Conn, company_id: int, channel_id: int, *, lock: bool = False) -> AutomaticReplies | None:
    """How a channel has it; None: there is no such channel. lock: until the transaction ends nobody else changes it."""
    cursor = conn.cursor(row_factory=kwargs_row(_read))
    return cursor.execute(LOCKED if lock else OF_CHANNEL, (company_id, channel_id)).fetchone()


@dataclass(frozen=True, slots=True)
class _Row:
    company_id: int
    channel_id: int
    ignored_apps: list[str]
    within_s: float


OF_CHANNELS = """
    /* automatic_replies.of_channels */
    SELECT c.company_id, c.id AS channel_id, c.ignored_apps, c.auto_reply_s AS within_s
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, channel_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM channels c
        WHERE c.company_id = k.company_id
          AND c.id = k.channel_id
        LIMIT 1
    ) c
"""


def of_channels(conn: Conn, places: Collection[Place]) -> dict[Place, AutomaticReplies]:
    """How each of these channels has it."""
    if not places:
        return {}
    rows = conn.cursor(row_factory=class_row(_Row)).execute(OF_CHANNELS, columns(sorted(places)))
    return {(r.company_id, r.channel_id): AutomaticReplies(tuple(r.ignored_apps), r.within_s) for r in rows}


def set_for(conn: Conn, company_id: int, channel_id: int, wanted: AutomaticReplies) -> bool:
    """Have it so from now on; False: there is no such channel."""
    cursor = conn.execute(
        """
        /* automatic_replies.set_for */
        UPDATE channels
        SET ignored_apps = %s, auto_reply_s = %s
        WHERE company_id = %s
          AND id = %s
        """,
        (list(wanted.ignored_apps), wanted.within_s, company_id, channel_id),
    )
    return cursor.rowcount == 1
