"""What a batch of events does to many conversations at once, all of them locked: who answers, what was read, why
something did not arrive, where a customer came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from shared.store.db.pool import Conn, columns
from shared.store.inbox.conversations import PREVIEW_CHARS

Place = tuple[int, int]
"""(company, conversation)"""


def set_bots(conn: Conn, enabled: Mapping[Place, bool]) -> None:
    """As set_bot, for many that are locked."""
    if enabled:
        conn.execute(
            "/* many.set_bots */ UPDATE conversations c SET bot_enabled = b.enabled,"
            " status = CASE WHEN b.enabled THEN 'open' ELSE 'handed_over' END,"
            " attention = NULL, attention_since = NULL, bot_step = NULL, bot_step_at = NULL, misses = 0,"
            " answers_until = NULL, silent_until = NULL"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::boolean[]) AS b (company_id, id, enabled)"
            " WHERE c.company_id = b.company_id AND c.id = b.id AND c.id = ANY (%s::bigint[])",
            [*columns((company, id_, on) for (company, id_), on in enabled.items()), [id_ for _, id_ in enabled]],
        )


def mark_all_read(conn: Conn, places: Collection[Place]) -> dict[int, int]:
    """Agents have read these, which are locked, elsewhere; company → how many messages that were."""
    if not places:
        return {}
    rows = conn.execute(
        "/* many.mark_all_read */ WITH before AS (SELECT company_id, id, read_seq FROM conversations"
        "   WHERE company_id = ANY (%s::bigint[]) AND id = ANY (%s::bigint[]) AND read_seq < customer_seq)"
        " UPDATE conversations c SET read_seq = c.customer_seq FROM before b"
        " WHERE c.company_id = b.company_id AND c.id = b.id RETURNING c.company_id, c.read_seq - b.read_seq",
        ([company for company, _ in places], [id_ for _, id_ in places]),
    ).fetchall()
    counts: dict[int, int] = {}
    for company, count in rows:
        counts[int(str(company))] = counts.get(int(str(company)), 0) + int(str(count))
    return counts


def set_problems(conn: Conn, problems: Mapping[Place, str]) -> None:
    """Why messages did not reach the customers of these conversations, which are locked. Stays until they write."""
    if problems:
        conn.execute(
            "/* many.set_problems */ UPDATE conversations c SET delivery_problem = p.problem"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS p (company_id, id, problem)"
            " WHERE c.company_id = p.company_id AND c.id = p.id AND c.id = ANY (%s::bigint[])",
            [*columns((company, id_, word) for (company, id_), word in problems.items()), [id_ for _, id_ in problems]],
        )


def set_referrals(conn: Conn, referrals: Mapping[Place, tuple[str, datetime]]) -> None:
    """Where the customers of these conversations, which are locked, came from; the newest counts."""
    if referrals:
        conn.execute(
            "/* many.set_referrals */ UPDATE conversations c SET referral = r.referral,"
            " referral_at = r.at FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])"
            " AS r (company_id, id, referral, at)"
            " WHERE c.company_id = r.company_id AND c.id = r.id AND c.id = ANY (%s::bigint[])"
            " AND (c.referral_at IS NULL OR c.referral_at <= r.at)",
            [
                *columns((company, id_, *said) for (company, id_), said in referrals.items()),
                [id_ for _, id_ in referrals],
            ],
        )


def retitle(conn: Conn, previews: Mapping[tuple[int, int, int], str]) -> None:
    """(company, conversation, message) → its text now: where that message is the newest, the list shows it so."""
    if previews:
        conn.execute(
            "/* many.retitle */ UPDATE conversations c SET last_message_preview = p.preview"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[])"
            " AS p (company_id, id, message_id, preview)"
            " WHERE c.company_id = p.company_id AND c.id = p.id AND c.id = ANY (%s::bigint[])"
            " AND c.last_message_id = p.message_id",
            [*columns((*key, text[:PREVIEW_CHARS]) for key, text in previews.items()), [id_ for _, id_, _ in previews]],
        )
