"""Erases everything that is kept of one contact. For the owner role.

A conversation in which only they wrote is deleted. Where others write, too, their messages keep their places and lose
their text and who wrote them. Logs keep that something happened, and lose what leads to the data subject.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from shared.store.db.pool import Conn
from shared.store.inbox import media
from shared.store.lifecycle import data_subjects
from shared.store.lifecycle.data_subjects import Contact, Part

Counts = dict[str, int]


OF_CONVERSATION = "conversation_id = %(conversation)s"
OF_TURNS = """
    turn_id IN (
        SELECT id
        FROM turns
        WHERE company_id = %(company)s
          AND conversation_id = %(conversation)s
    )
"""
OF_PARTS = """
    outbound_id IN (
        SELECT id
        FROM outbound
        WHERE company_id = %(company)s
          AND conversation_id = %(conversation)s
    )
"""
OF_CHAT = """
    (channel_id, chat) IN (
        SELECT channel_id, chat
        FROM conversations
        WHERE company_id = %(company)s
          AND id = %(conversation)s
    )
"""
ROWS_OF_A_CONVERSATION = {
    "archived_keys": "message_id = ANY (%(ids)s)",
    "delivery_attempts": OF_PARTS,
    "receipts": OF_TURNS,
    "outbound": OF_CONVERSATION,
    "turns": OF_CONVERSATION,
    "message_reactions": OF_CHAT,
    "early_changes": OF_CONVERSATION,
    "chat_filters": OF_CONVERSATION,
    "messages": OF_CONVERSATION,
    "archive_segments": OF_CONVERSATION,
    "conversations": "id = %(conversation)s",
}
"""Which rows of each table belong to a conversation, in the order in which they are deleted."""
FORGET_TURNS = """
    /* erasure.forget_turns */
    UPDATE llm_calls
    SET turn_id = NULL, contact_id = NULL
    WHERE company_id = %(company)s
      AND turn_id IN (
          SELECT id
          FROM turns
          WHERE company_id = %(company)s
            AND conversation_id = %(conversation)s
      )
"""
"""What models were called for and what it cost stays, as the company pays for it."""
ERASE_ALONE = """
    /* erasure.erase_alone */
    DELETE FROM {}
    WHERE company_id = %(company)s
      AND {}
"""


def erase_alone(conn: Conn, contact: Contact, conversation_id: int) -> tuple[Counts, list[str]]:
    """Delete a conversation of theirs alone with all that belongs to it; returns (rows by table, hashes of attachments
    whose bytes are to go). In the caller's transaction."""
    at = {"company": contact.company_id, "conversation": conversation_id}
    locked = conn.execute(
        """
        /* erasure.erase_alone */
        SELECT customer_seq, customer_seq - unread_of(customer_seq, read_seq, read_beyond)
        FROM conversations
        WHERE company_id = %(company)s
          AND id = %(conversation)s
        FOR UPDATE
        """,
        at,
    ).fetchone()
    if locked is None:
        return {}, []
    message_ids = [int(str(row["id"])) for row in data_subjects.said(conn, contact, Part(conversation_id, True))]
    counts = {"media": media.count(conn, contact.company_id, message_ids)}
    contents = media.forget(conn, contact.company_id, message_ids)
    counts |= _forget_in_logs(conn, contact.company_id, message_ids)
    counts["llm_calls_emptied"] = conn.execute(FORGET_TURNS, at).rowcount
    for table, which in ROWS_OF_A_CONVERSATION.items():
        statement = sql.SQL(ERASE_ALONE).format(sql.Identifier(table), sql.SQL(which))
        counts[table] = conn.execute(statement, {**at, "ids": message_ids}).rowcount
    customer, read = (int(str(n)) for n in locked)
    conn.execute(
        """
        /* erasure.erase_alone */
        UPDATE company_totals
        SET customer_messages = customer_messages - %s, unread = unread - %s
        WHERE company_id = %s
        """,
        (customer, customer - read, contact.company_id),
    )
    return counts, contents


ERASE_IN_ARCHIVE = """
    /* erasure.erase_among_others */
    UPDATE archive_segments s
    SET moved = NULL,
        body = (
        SELECT jsonb_agg(
            CASE
                WHEN (e.row->>'contact_id')::bigint = %(contact)s THEN e.row || jsonb_build_object(
                    'text', NULL,
                    'attachments', NULL,
                    'contact_id', NULL,
                    'external_id', NULL,
                    'reply_to', NULL,
                    'sent_at', NULL,
                    'edits', NULL,
                    'dedupe_key', 'erased:' || (e.row->>'id')
                )
                ELSE e.row
            END ORDER BY e.n
        )::json
        FROM jsonb_array_elements(archive_rows(s.body, s.kind, s.conversation_id, s.moved)::jsonb)
            WITH ORDINALITY AS e (row, n)
    )
    WHERE s.company_id = %(company)s
      AND s.conversation_id = %(conversation)s
      AND s.kind = 'messages'
      AND archive_rows(s.body, s.kind, s.conversation_id, s.moved)::jsonb
          @> jsonb_build_array(jsonb_build_object('contact_id', %(contact)s::bigint))
"""


def erase_among_others(conn: Conn, contact: Contact, conversation_id: int) -> tuple[Counts, list[str]]:
    """Take a data subject's words and name from their messages in a conversation that others write in; places
    and counters stay. Returns as `erase_alone`. In the caller's transaction."""
    at = {"company": contact.company_id, "conversation": conversation_id, "contact": contact.id}
    conn.execute(
        """
        /* erasure.erase_among_others */
        SELECT 1
        FROM conversations
        WHERE company_id = %(company)s
          AND id = %(conversation)s
        FOR UPDATE
        """,
        at,
    )
    message_ids = [int(str(row["id"])) for row in data_subjects.said(conn, contact, Part(conversation_id, False))]
    counts = {"media": media.count(conn, contact.company_id, message_ids)}
    contents = media.forget(conn, contact.company_id, message_ids)
    counts |= _forget_in_logs(conn, contact.company_id, message_ids)
    counts["archived_keys"] = conn.execute(
        """
        /* erasure.erase_among_others */
        DELETE FROM archived_keys
        WHERE company_id = %s
          AND message_id = ANY (%s)
        """,
        (contact.company_id, message_ids),
    ).rowcount
    counts["message_reactions"] = erase_reactions(conn, contact)
    counts["messages_emptied"] = conn.execute(
        """
        /* erasure.erase_among_others */
        UPDATE messages
        SET text = NULL, attachments = NULL, contact_id = NULL, external_id = NULL, reply_to = NULL,
            sent_at = NULL, edits = NULL, dedupe_key = 'erased:' || id
        WHERE company_id = %(company)s
          AND conversation_id = %(conversation)s
          AND contact_id = %(contact)s
        """,
        at,
    ).rowcount
    counts["archived_emptied"] = conn.execute(ERASE_IN_ARCHIVE, at).rowcount
    conn.execute(
        """
        /* erasure.erase_among_others */
        UPDATE conversations
        SET last_message_preview = CASE WHEN last_message_id = ANY (%(ids)s) THEN NULL ELSE last_message_preview END,
            last_customer_message = NULL,
            referral = CASE WHEN contact_id = %(contact)s THEN NULL ELSE referral END,
            contact_id = CASE WHEN contact_id = %(contact)s THEN NULL ELSE contact_id END
        WHERE company_id = %(company)s
          AND id = %(conversation)s
        """,
        {**at, "ids": message_ids},
    )
    return counts, contents


def _forget_in_logs(conn: Conn, company_id: int, message_ids: Sequence[int]) -> Counts:
    """Delete requests' bodies with these messages, whoever else's words they hold, and the events' links to them; the
    ledger keeps that each event came and how it ended."""
    bodies = conn.execute(
        """
        /* erasure.forget_in_logs */
        DELETE FROM webhook_raw r
        USING webhook_events e
        WHERE e.company_id = %s
          AND e.message_id = ANY (%s)
          AND r.day = e.day
          AND r.stream = e.stream
          AND r.entry_id = e.entry_id
        """,
        (company_id, list(message_ids)),
    ).rowcount
    events = conn.execute(
        """
        /* erasure.forget_in_logs */
        UPDATE webhook_events
        SET dedupe_key = NULL, message_id = NULL
        WHERE company_id = %s
          AND message_id = ANY (%s)
        """,
        (company_id, list(message_ids)),
    ).rowcount
    return {"webhook_raw": bodies, "webhook_events_emptied": events}


def erase_reactions(conn: Conn, contact: Contact) -> int:
    """Delete their reactions in chats in which they never wrote; returns how many. In the caller's transaction."""
    return conn.execute(
        """
        /* erasure.erase_reactions */
        DELETE FROM message_reactions
        WHERE company_id = %s
          AND channel_id = %s
          AND sender = %s
        """,
        (contact.company_id, contact.channel_id, contact.external_id),
    ).rowcount


def erase_uses(conn: Conn, contact: Contact) -> int:
    """Delete the counts of costly work that they caused in the last days; returns how many. In the caller's
    transaction."""
    return conn.execute(
        "/* erasure.erase_uses */ DELETE FROM daily_uses WHERE company_id = %s AND contact_id = %s",
        (contact.company_id, contact.id),
    ).rowcount


LEAVE_RESERVATIONS = """
    /* erasure.leave_reservations */
    UPDATE budget_reservations
    SET contact_id = 0
    WHERE company_id = %(company)s
      AND contact_id = %(contact)s
"""
ERASE_BUDGET = """
    /* erasure.erase_budget */
    DELETE FROM {}
    WHERE company_id = %(company)s
      AND contact_id = %(contact)s
"""


def erase_budget(conn: Conn, contact: Contact) -> Counts:
    """Delete what their questions cost by day, and their limits; returns the rows by table. What is reserved for calls
    under way, and what the company spent, stays, and leads to nobody. In the caller's transaction."""
    at = {"company": contact.company_id, "contact": contact.id}
    conn.execute(LEAVE_RESERVATIONS, at)
    return {
        table: conn.execute(sql.SQL(ERASE_BUDGET).format(sql.Identifier(table)), at).rowcount
        for table in ("contact_days", "budgets", "budget_resets")
    }


def erase_calls(conn: Conn, contact: Contact) -> int:
    """Take their name from the calls of models that were made for them; returns how many. In the caller's
    transaction."""
    return conn.execute(
        """
        /* erasure.erase_calls */
        UPDATE llm_calls
        SET contact_id = NULL
        WHERE company_id = %s
          AND contact_id = %s
        """,
        (contact.company_id, contact.id),
    ).rowcount


DELETE_CONTACT = """
    /* erasure.delete_contact */
    DELETE FROM contacts
    WHERE company_id = %(company)s
      AND id = %(contact)s
      AND NOT EXISTS (
          SELECT 1
          FROM conversations
          WHERE company_id = %(company)s
            AND contact_id = %(contact)s
      )
      AND NOT EXISTS (SELECT 1 FROM messages WHERE company_id = %(company)s AND contact_id = %(contact)s)
"""


def delete_contact(conn: Conn, contact: Contact) -> bool:
    """Delete the contact if nothing of theirs is left; False: they have written meanwhile. In the caller's transaction:
    whoever stores a message of theirs holds the row, so this waits and then sees the message."""
    at = {"company": contact.company_id, "contact": contact.id}
    conn.execute(
        """
        /* erasure.delete_contact */
        SELECT 1
        FROM contacts
        WHERE company_id = %(company)s
          AND id = %(contact)s
        FOR UPDATE
        """,
        at,
    )
    return conn.execute(DELETE_CONTACT, at).rowcount == 1
