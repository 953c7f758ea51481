"""Finds the questions that a company's customers ask often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn

TURNS = 2_000
DAYS = 7
ASKED_MIN, CHATS_MIN = 3, 2
"""One person who repeats himself makes no question popular."""
CHARS_MIN, CHARS_MAX = 4, 300


@dataclass(frozen=True, slots=True)
class Popular:
    """A frequent question. message_id: a message that asks it in its most frequent spelling. asked: how often lately,
    in any spelling."""

    company_id: int
    message_id: int
    asked: int


FIND = """
    /* popular.find */
    INSERT INTO popular_questions (company_id, message_id, asked)
    WITH lately AS (
        SELECT conversation_id, last_seq
        FROM turns
        WHERE company_id = %(company)s
          AND first_seq = last_seq
        ORDER BY id DESC
        LIMIT %(turns)s
    ), said AS MATERIALIZED (
        SELECT
            m.id,
            m.text,
            m.conversation_id,
            rtrim(regexp_replace(lower(normalize(m.text)), '\\s+', ' ', 'g'), ' ?!.…') AS question
        FROM lately l
        CROSS JOIN LATERAL (
            SELECT *
            FROM messages m
            WHERE m.company_id = %(company)s
              AND m.conversation_id = l.conversation_id
              AND m.seq = l.last_seq
            LIMIT 1
        ) m
        WHERE m.created_at > now() - make_interval(days => %(days)s)
          AND length(m.text) BETWEEN %(shortest)s AND %(longest)s
    ), often AS (
        SELECT question, count(*) AS asked
        FROM said
        GROUP BY 1
        HAVING count(*) >= %(asked)s
          AND count(DISTINCT conversation_id) >= %(chats)s
        ORDER BY 2 DESC, 1
        LIMIT %(limit)s
    ), forms AS (
        SELECT question, max(id) AS id, count(*) AS times
        FROM said
        GROUP BY question, text
    )
    SELECT DISTINCT ON (o.question) %(company)s, f.id, o.asked
    FROM often o
    JOIN forms f USING (question)
    ORDER BY o.question, f.times DESC, f.id DESC
"""


def find(conn: Conn, company_id: int, *, limit: int) -> int:
    """Replace a company's frequent questions by those of its last one-message turns; spellings that differ in case,
    white space or final punctuation count as one. Returns how many. Call inside a transaction."""
    conn.execute("/* popular.find */ DELETE FROM popular_questions WHERE company_id = %s", (company_id,))
    return conn.execute(
        FIND,
        {
            "company": company_id, "days": DAYS, "turns": TURNS, "shortest": CHARS_MIN, "longest": CHARS_MAX,
            "asked": ASKED_MIN, "chats": CHATS_MIN, "limit": limit,
        },
    ).rowcount  # fmt: skip


COMMONEST = """
    /* popular.commonest */
    SELECT company_id, message_id, asked
    FROM popular_commonest(%(limit)s)
"""


def commonest(conn: Conn, *, limit: int) -> list[Popular]:
    """List the most frequent questions of all companies, grouped by company. Works without a company set."""
    with conn.cursor(row_factory=class_row(Popular)) as cursor:
        return cursor.execute(COMMONEST, {"limit": limit}).fetchall()


TEXTS = """
    /* popular.texts */
    SELECT m.text
    FROM unnest(%(messages)s::bigint[]) WITH ORDINALITY AS asked (id, place)
    JOIN messages m ON m.company_id = %(company)s AND m.id = asked.id
    WHERE m.text <> ''
    ORDER BY asked.place
"""


def texts(conn: Conn, company_id: int, message_ids: Sequence[int]) -> list[str]:
    """Return the texts of a company's questions in this order; those that were erased are left out."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(TEXTS, {"company": company_id, "messages": list(message_ids)}).fetchall()
