"""A person takes a conversation over, or gives it back to the bot."""

from __future__ import annotations

from shared.store import conversations, turns
from shared.store.pool import Conn


def set_bot(conn: Conn, company_id: int, conversation_id: int, *, enabled: bool) -> bool:
    """False: no such conversation. Taking over cancels what the bot has not answered yet."""
    if conversations.lock(conn, company_id, conversation_id) is None:
        return False
    conversations.set_bot(conn, company_id, conversation_id, enabled=enabled)
    if not enabled:
        turns.cancel_open(conn, company_id, conversation_id)
    return True
