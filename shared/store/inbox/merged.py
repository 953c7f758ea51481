"""Conversations that became part of another go on under their old ids, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from psycopg.rows import scalar_row

from shared.store.db.pool import Conn
from shared.store.inbox import conversations
from shared.store.inbox.conversations import Locked

T = TypeVar("T")
_TRIES = 3


def current(conn: Conn, company_id: int, conversation_id: int) -> int:
    """Return the conversation that this one went into, or itself."""
    found = conn.cursor(row_factory=scalar_row).execute(
        """
        /* merged.current */
        SELECT merged_into
        FROM merged_conversations
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, conversation_id),
    )
    return found.fetchone() or conversation_id


def find(conn: Conn, company_id: int, conversation_id: int, look: Callable[[int], T | None]) -> T | None:
    """Return what `look` finds of the conversation that this one is now. It may become part of another between the two:
    then once more."""
    for _ in range(_TRIES):
        found = look(current(conn, company_id, conversation_id))
        if found is not None:
            return found
    return None


def lock(conn: Conn, company_id: int, conversation_id: int) -> Locked | None:
    """Lock the conversation that this one is now. None: there is no such conversation."""
    return find(conn, company_id, conversation_id, lambda now: conversations.lock(conn, company_id, now))


def ids_of(conn: Conn, company_id: int, conversation_id: int) -> list[int]:
    """List the conversations that became part of this one."""
    return (
        conn.cursor(row_factory=scalar_row)
        .execute(
            """
            /* merged.ids_of */
            SELECT id
            FROM merged_conversations
            WHERE company_id = %s
              AND merged_into = %s
            ORDER BY id
            """,
            (company_id, conversation_id),
        )
        .fetchall()
    )
