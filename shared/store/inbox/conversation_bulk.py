"""Changes of many conversations at once, after a batch of events: who answers, what was read, why something did not
arrive, where a customer came from. The conversations are locked.

`c.id = ANY (…)` beside the join: with the ids alone the planner goes to these rows instead of reading the company's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn, columns
from shared.store.inbox.conversations import PREVIEW_CHARS

Place = tuple[int, int]
"""(company, conversation)"""


# LIMIT 1: two looks into indexes for each conversation. As a join the planner reads all channels and assistants.
SET_BOTS = """
    /* conversation_bulk.set_bots */
    UPDATE conversations c
    SET bot_enabled = b.reason IS NULL AND c.paused_at IS NULL,
        status = CASE
            WHEN b.reason IS NOT NULL THEN 'handed_over'
            WHEN c.paused_at IS NOT NULL THEN 'paused'
            ELSE 'open'
        END,
        bot_off_reason = CASE
            WHEN b.reason IS NULL AND c.paused_at IS NOT NULL THEN 'stop'
            WHEN b.reason = 'agent' AND c.status = 'handed_over' THEN coalesce(c.bot_off_reason, b.reason)
            ELSE b.reason
        END,
        bot_off_at = CASE WHEN b.reason IS NULL THEN c.paused_at ELSE now() END,
        return_after_s = CASE
            WHEN b.reason IS NULL THEN NULL
            WHEN c.status = 'handed_over' AND c.bot_off_at IS NOT NULL THEN c.return_after_s
            ELSE (
                SELECT a.return_after_s
                FROM assistants a
                WHERE a.company_id = c.company_id
                  AND a.id = (
                      SELECT h.assistant_id
                      FROM channels h
                      WHERE h.company_id = c.company_id
                        AND h.id = c.channel_id
                      LIMIT 1
                  )
                LIMIT 1
            )
        END,
        opens_at = CASE WHEN c.status = 'handed_over' THEN c.opens_at END,
        return_untold = false,
        attention = NULL, attention_since = NULL, bot_step = NULL, bot_step_at = NULL, misses = 0,
        day_answers_until = NULL, silent_until = NULL
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS b (company_id, id, reason)
    WHERE c.company_id = b.company_id
      AND c.id = b.id
      AND c.id = ANY (%s::bigint[])
"""


def set_bots(conn: Conn, reasons: Mapping[Place, str | None]) -> None:
    """Do what set_bot does, for many locked conversations: why each is not the bot's from now on; None: it is."""
    if reasons:
        conn.execute(
            SET_BOTS,
            [*columns((company, id_, why) for (company, id_), why in reasons.items()), [id_ for _, id_ in reasons]],
        )


SET_PAUSED = """
    /* conversation_bulk.set_paused */
    UPDATE conversations c
    SET paused_at = CASE WHEN p.paused THEN coalesce(c.paused_at, now()) END
    FROM unnest(%s::bigint[], %s::bigint[], %s::boolean[]) AS p (company_id, id, paused)
    WHERE c.company_id = p.company_id
      AND c.id = p.id
      AND c.id = ANY (%s::bigint[])
"""


def set_paused(conn: Conn, paused: Mapping[Place, bool]) -> None:
    """Record that the customers of these conversations, which a person has, silenced the bot or called it back: it
    counts once the person is done."""
    if paused:
        conn.execute(
            SET_PAUSED,
            [*columns((company, id_, wanted) for (company, id_), wanted in paused.items()), [id_ for _, id_ in paused]],
        )


DROP_EMPTY = """
    /* conversation_bulk.drop_empty */
    DELETE FROM conversations c
    USING unnest(%s::bigint[], %s::bigint[]) AS e (company_id, id)
    WHERE c.company_id = e.company_id
      AND c.id = e.id
      AND c.message_count = 0
      AND c.bot_enabled
      AND c.referral IS NULL
      AND NOT EXISTS (
          SELECT 1
          FROM early_changes k
          WHERE k.company_id = c.company_id
            AND k.conversation_id = c.id
      )
      AND NOT EXISTS (
          SELECT 1
          FROM chat_filters f
          WHERE f.company_id = c.company_id
            AND f.conversation_id = c.id
      )
"""


def drop_empty(conn: Conn, places: Collection[Place]) -> None:
    """Delete those of these conversations in which nothing was ever said and of which nothing is known. Locked."""
    if places:
        conn.execute(DROP_EMPTY, columns(places))


RETURN_TO_BOT = """
    /* conversation_bulk.return_to_bot */
    UPDATE conversations c
    SET bot_enabled = c.paused_at IS NULL,
        status = CASE WHEN c.paused_at IS NULL THEN 'open' ELSE 'paused' END,
        bot_off_reason = CASE WHEN c.paused_at IS NOT NULL THEN 'stop' END,
        bot_off_at = c.paused_at,
        return_untold = c.paused_at IS NULL,
        bot_step = NULL, bot_step_at = NULL, misses = 0,
        day_answers_until = NULL, silent_until = NULL
    FROM unnest(%s::bigint[], %s::bigint[]) AS b (company_id, id)
    WHERE c.company_id = b.company_id
      AND c.id = b.id
      AND c.id = ANY (%s::bigint[])
"""


def return_to_bot(conn: Conn, places: Collection[Place]) -> None:
    """As returns.return_to_bot, for many: their customers have written, and the reply says that it is back."""
    if places:
        conn.execute(RETURN_TO_BOT, [*columns(places), [id_ for _, id_ in places]])


MARK_ALL_READ = """
    /* conversation_bulk.mark_all_read */
    WITH before AS (
        SELECT company_id, id, unread_of(customer_seq, read_seq, read_beyond) AS unread
        FROM conversations
        WHERE company_id = ANY (%s::bigint[])
          AND id = ANY (%s::bigint[])
          AND read_seq < customer_seq
    )
    UPDATE conversations c
    SET read_seq = c.customer_seq
    FROM before b
    WHERE c.company_id = b.company_id
      AND c.id = b.id
    RETURNING c.company_id, b.unread
"""


def mark_all_read(conn: Conn, places: Collection[Place]) -> dict[int, int]:
    """Mark these conversations, which agents have read elsewhere, as read; company → how many messages that were."""
    if not places:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(
        MARK_ALL_READ, ([company for company, _ in places], [id_ for _, id_ in places])
    )
    counts: dict[int, int] = {}
    for company, count in rows:
        counts[company] = counts.get(company, 0) + count
    return counts


def set_problems(conn: Conn, problems: Mapping[Place, str]) -> None:
    """Record why messages did not reach the customers of these conversations. It stays until they write."""
    if problems:
        conn.execute(
            """
            /* conversation_bulk.set_problems */
            UPDATE conversations c
            SET delivery_problem = p.problem
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS p (company_id, id, problem)
            WHERE c.company_id = p.company_id
              AND c.id = p.id
              AND c.id = ANY (%s::bigint[])
            """,
            [*columns((company, id_, word) for (company, id_), word in problems.items()), [id_ for _, id_ in problems]],
        )


SET_REFERRALS = """
    /* conversation_bulk.set_referrals */
    UPDATE conversations c
    SET referral = r.referral, referral_at = r.at
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[]) AS r (company_id, id, referral, at)
    WHERE c.company_id = r.company_id
      AND c.id = r.id
      AND c.id = ANY (%s::bigint[])
      AND (c.referral_at IS NULL OR c.referral_at <= r.at)
"""


def set_referrals(conn: Conn, referrals: Mapping[Place, tuple[str, datetime]]) -> None:
    """Record where the customers of these conversations came from; the newest referral counts."""
    if referrals:
        conn.execute(
            SET_REFERRALS,
            [
                *columns((company, id_, *said) for (company, id_), said in referrals.items()),
                [id_ for _, id_ in referrals],
            ],
        )


RETITLE = """
    /* conversation_bulk.retitle */
    UPDATE conversations c
    SET last_message_preview = p.preview
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS p (company_id, id, message_id, preview)
    WHERE c.company_id = p.company_id
      AND c.id = p.id
      AND c.id = ANY (%s::bigint[])
      AND c.last_message_id = p.message_id
"""


def retitle(conn: Conn, previews: Mapping[tuple[int, int, int], str]) -> None:
    """Update the preview of conversations whose newest message was changed: (company, conversation, message) → text.
    Messages that are not the newest change nothing."""
    if previews:
        conn.execute(
            RETITLE,
            [*columns((*key, text[:PREVIEW_CHARS]) for key, text in previews.items()), [id_ for _, id_, _ in previews]],
        )
