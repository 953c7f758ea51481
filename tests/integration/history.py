"""Long conversations with all that belongs to them, written straight into the tables."""

from __future__ import annotations

from typing import Any

from shared.store.db.pool import Conn
from tasks.lifecycle import archive as archival
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot

TABLES = ("messages", "turns", "receipts", "outbound")
"""What belongs to a conversation, whole rows of it."""

_WRITE = (
    "INSERT INTO contacts (company_id, channel_id, external_id, name)"
    " VALUES (%(company)s, %(channel)s, %(chat)s, 'Ann') ON CONFLICT DO NOTHING",
    "INSERT INTO conversations (company_id, channel_id, chat, contact_id, message_count, customer_seq, read_seq,"
    " last_message_at, last_message_role) SELECT %(company)s, %(channel)s, %(chat)s, p.id, %(count)s, %(count)s / 2, 1,"
    " now() - make_interval(days => %(days)s), 'bot' FROM contacts p WHERE p.company_id = %(company)s"
    " AND p.channel_id = %(channel)s AND p.external_id = %(chat)s",
    # odd seqs are the customer's, each a turn of its own that the next message answers
    "INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, external_id,"
    " text, attachments, sent_at, created_at)"
    " SELECT %(company)s, c.id, %(channel)s, seq, CASE seq %% 2 WHEN 1 THEN 'customer' ELSE 'bot' END,"
    " CASE seq %% 2 WHEN 1 THEN c.contact_id END, CASE seq %% 2 WHEN 1 THEN %(chat)s || ':' || seq END, 'x' || seq,"
    " CASE WHEN seq %% 7 <> 0 THEN 'said ' || seq || ' \"with\" signs ü 😀' END,"
    ' CASE WHEN seq %% 7 = 0 THEN \'[{"type": "image", "id": null}]\'::jsonb END,'
    " c.last_message_at - make_interval(mins => %(count)s - seq),"
    " c.last_message_at - make_interval(secs => 60.123456 * (%(count)s - seq))"
    " FROM conversations c, generate_series(1, %(count)s) seq"
    " WHERE c.company_id = %(company)s AND c.channel_id = %(channel)s AND c.chat = %(chat)s",
    "INSERT INTO turns (company_id, conversation_id, channel_id, state, first_seq, last_seq, received_at, due_at,"
    " finished_at) SELECT company_id, conversation_id, channel_id, 'answered', seq, seq, created_at, created_at,"
    " created_at FROM messages WHERE company_id = %(company)s AND role = 'customer'"
    " AND dedupe_key LIKE %(chat)s || ':%%'",
    "INSERT INTO receipts (company_id, turn_id, message_id, step, reason, passages, citations, attempts, ms)"
    " SELECT t.company_id, t.id, m.id, 'full', 'model', '[{\"chunk\": 1, \"score\": 0.25}]', '[]', '[]',"
    " '{\"model\": 12}'"
    " FROM turns t JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id"
    " JOIN messages m ON m.company_id = t.company_id AND m.conversation_id = t.conversation_id"
    " AND m.seq = t.last_seq + 1 WHERE t.company_id = %(company)s AND c.chat = %(chat)s AND c.channel_id = %(channel)s",
    "INSERT INTO outbound (company_id, conversation_id, channel_id, turn_id, message_id, part, text, state,"
    " finished_at)"
    " SELECT t.company_id, t.conversation_id, t.channel_id, t.id, r.message_id, part, 'part', 'sent', now()"
    " FROM receipts r JOIN turns t ON t.company_id = r.company_id AND t.id = r.turn_id"
    " JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id, generate_series(1, 2) part"
    " WHERE t.company_id = %(company)s AND c.chat = %(chat)s AND c.channel_id = %(channel)s",
)


def write(conn: Conn, bot: Bot, chat: str, count: int, *, days: int = 200) -> int:
    """A conversation of `count` messages (even) in which the last one was written so many days ago; its id."""
    values = {
        "company": bot.company_id, "channel": bot.channel_id, "chat": chat, "count": count, "days": days,
    }  # fmt: skip
    with conn.transaction():
        for statement in _WRITE:
            conn.execute(statement, values)
    [(found,)] = conn.execute(
        "SELECT id FROM conversations WHERE company_id = %s AND channel_id = %s AND chat = %s",
        (bot.company_id, bot.channel_id, chat),
    ).fetchall()
    return int(str(found))


def rows(conn: Conn) -> dict[str, list[Any]]:
    """Every row of these tables, whole, in an order."""
    return {
        table: [
            row for (row,) in conn.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1".encode()).fetchall()
        ]
        for table in TABLES
    }


def everywhere(conn: Conn) -> dict[str, list[Any]]:
    """The same rows wherever they are: in their tables or in the archive; one that is in both comes twice."""
    found = rows(conn)
    for kind, row in conn.execute(
        "SELECT kind, e.row::text FROM archive_segments s,"
        " jsonb_array_elements(archive_rows(s.body, s.kind, s.conversation_id, s.moved)::jsonb) AS e (row)"
    ).fetchall():
        found[str(kind)].append(row)
    return {table: sorted(of_table) for table, of_table in found.items()}


def archive(work: Work, only: int | None = None) -> jobs.Ran:
    """Run archival to its end; only: for one company."""
    ran = jobs.run(archival.moving(only), work, slot=None, by="hand")
    assert ran is not None
    assert ran.outcome == "done"
    return ran
