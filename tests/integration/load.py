"""A database with enough in it that a bad plan shows: 50 companies, one of them half of everything."""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL

COMPANIES = 50
CONVERSATIONS = 20_000
MESSAGES = 10 * CONVERSATIONS
BIG_COMPANY = 1
BIG_CHANNEL = 1
ONE_CONVERSATION = 2  # of the big company, with an open turn and queued parts
BIG_TABLES = (
    "contacts",
    "conversations",
    "messages",
    "turns",
    "receipts",
    "outbound",
    "chunks",
    "webhook_events_default",
)

# Identities count from 1 in the order of the rows, because the database is new and nobody else writes.
_LOAD = (
    f"INSERT INTO companies (name) SELECT 'company ' || n FROM generate_series(1, {COMPANIES}) n",
    "INSERT INTO company_totals SELECT id FROM companies",
    r"INSERT INTO apps (platform, slug, secrets) SELECT 'telegram', 'app-' || id, '\x00' FROM companies ORDER BY id",
    "INSERT INTO channels (company_id, app_id, platform, external_id, credentials)"
    r" SELECT id, id, 'telegram', id, '\x00' FROM companies ORDER BY id",
    # the first half belongs to the big company
    "CREATE TEMP TABLE place AS SELECT n AS id, CASE WHEN n <= c / 2 THEN 1 ELSE 2 + n % (50 - 1) END AS company"
    f" FROM (SELECT {CONVERSATIONS} AS c) k, generate_series(1, c) n",
    "INSERT INTO contacts (company_id, channel_id, external_id, name)"
    " SELECT company, company, id, 'customer ' || id FROM place ORDER BY id",
    "INSERT INTO conversations (company_id, channel_id, chat, contact_id, message_count, customer_seq, read_seq,"
    " last_message_id, last_message_at, last_message_role, last_message_preview)"
    " SELECT company, company, id, id, 10, 5, id % 6, id * 10, "
    " now() - id * 7919 % 20000 * interval '7 seconds', 'bot', 'preview'"
    " FROM place ORDER BY id",
    "INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, text,"
    " created_at)"
    " SELECT company, p.id, company, seq, CASE seq % 2 WHEN 1 THEN 'customer' ELSE 'bot' END, p.id,"
    " CASE seq % 2 WHEN 1 THEN 'm:' || p.id || ':' || seq END, 'some words in message ' || seq,"
    " now() - p.id * interval '7 seconds' FROM place p, generate_series(1, 10) seq ORDER BY p.id, seq",
    "INSERT INTO turns (company_id, conversation_id, channel_id, state, first_seq, last_seq, received_at, due_at)"
    " SELECT company, p.id, company, 'answered', 2 * n - 1, 2 * n - 1, now(), now()"
    " FROM place p, generate_series(1, 2) n ORDER BY n, p.id",
    "INSERT INTO receipts (company_id, turn_id, message_id, step, reason, passages, citations, attempts, ms)"
    " SELECT company_id, id, conversation_id * 10 - 10 + last_seq + 1, 'full', 'model', '[]', '[]', '[]', '{}'"
    " FROM turns",
    # 10 000 open turns, each other conversation has one; all are due
    "INSERT INTO turns (company_id, conversation_id, channel_id, first_seq, last_seq, received_at, due_at)"
    " SELECT company, id, company, 9, 9, now(), now() - id % 60 * interval '1 second' FROM place WHERE id % 2 = 0"
    " ORDER BY id",
    # 2 000 more wait for their next attempt
    "INSERT INTO turns (company_id, conversation_id, channel_id, state, attempts, first_seq, last_seq, received_at,"
    " due_at) SELECT company, id, company, 'answering', 1, 9, 9, now(), now() + interval '1 minute' FROM place"
    " WHERE id % 10 = 1 ORDER BY id",
    "INSERT INTO outbound (company_id, conversation_id, channel_id, turn_id, message_id, part, text, state,"
    " finished_at)"
    " SELECT company_id, conversation_id, channel_id, turn_id, message_id, 1, 'words', 'sent', now()"
    " FROM receipts JOIN turns t USING (company_id) WHERE t.id = turn_id",
    # 5 000 conversations with two queued parts each
    "INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, due_at)"
    " SELECT company, p.id, company, p.id * 10, part, 'words', now() - interval '1 minute'"
    " FROM place p, generate_series(1, 2) part WHERE p.id % 4 = 2 ORDER BY p.id, part",
    "INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id, kind,"
    " outcome) SELECT current_date, 'sb:journal:' || n % 16, n || '-0', 0, now(), 'telegram', 1, 1 + n % 50,"
    " 'message', 'effected' FROM generate_series(1, 50000) n",
    "INSERT INTO collections (company_id, name) SELECT id, 'default' FROM companies ORDER BY id",
    "INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)"
    r" SELECT id, id, 'book', 'Book', '', '\x00', 0 FROM companies ORDER BY id",
    # the big company's chunks: 5 000 with words of three frequencies; 20 for each of the others
    "INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)"
    " SELECT company, company, n, 'english', 'Book', body, 0, to_tsvector('english', body), 8 FROM ("
    "   SELECT CASE WHEN n <= 5000 THEN 1 ELSE 2 + n % (50 - 1) END AS company, n,"
    "     format('everyword topic%s rareword%s shop parcel return refund voucher', n % 50, n) AS body"
    "   FROM generate_series(1, 5980) n) b",
)  # fmt: skip


def load(admin_url: str) -> None:
    """Fill a fresh database, as the owner, and let the planner know."""
    with psycopg.connect(admin_url, autocommit=True) as conn:
        for statement in _LOAD:
            conn.execute(SQL(statement))
        conn.execute("VACUUM ANALYZE")
