"""Two conversations that become one, with all that belongs to them.

The messages are numbered anew, in stretches, each in its own order:

    what the first has in the archive     the archive is always a conversation's beginning
    what the second has there
    the rest of the first
    the rest of the second
    the first's, from its open turn on    a turn asks all that stands between its first message and its last, so what
    the second's, from its open turn on   is open stands together and behind everything that has had its answer

Both conversations are locked. Doing it is one transaction's work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row
from psycopg.types.range import Range

from shared.store.db.pool import Conn, columns
from shared.store.inbox.conversations import Locked
from shared.store.inbox.joined_rows import Rows, take
from shared.store.inbox.merge_plan import Plan, Stretch, plan_of, read_after, side_of


def merge(conn: Conn, first: Locked, second: Locked) -> tuple[tuple[int, int], ...]:
    """All that belongs to `second` goes to `first`, and its row goes. Returns turns (id, epoch) whose answers in the
    making are cancelled, because they are asked anew."""
    plan = plan_of(side_of(conn, first), side_of(conn, second))
    recalled = _move_turns(conn, first, second, plan)
    _move_messages(conn, first, second, plan)
    _move_archive(conn, first, second, plan)
    take(conn, EARLY_CHANGES, first.company_id, second.id, first.id)
    take(conn, FILTERS, first.company_id, second.id, first.id)
    values = {
        "company": first.company_id, "first": first.id, "second": second.id,
        "read": [Range(low + 1, high + 1) for low, high in read_after(plan)],
    }  # fmt: skip
    for statement in _ROWS:
        conn.execute(statement, values)
    return recalled


# ------------------------------------------------------------------ turns

# What is open of `second` is asked with what waits in `first`, or behind what is being answered there: a conversation
# has one waiting turn, and claims take the lowest id first. An answer of `first` whose messages are numbered anew
# begins again, too.
CANCEL_OPEN = """
    /* merging.cancel_open */
    UPDATE turns t
    SET state = 'cancelled', epoch = t.epoch + 1, finished_at = now()
    FROM turns was
    WHERE t.company_id = %(company)s
      AND t.state IN ('waiting', 'answering')
      AND (
          t.conversation_id = %(second)s
          OR (t.conversation_id = %(first)s AND t.state = 'answering' AND %(renumbered)s)
      )
      AND was.company_id = t.company_id
      AND was.id = t.id
    RETURNING t.id, t.epoch, t.conversation_id, t.first_seq, t.last_seq, t.received_at, t.first_at, t.request_id,
        CASE was.state WHEN 'waiting' THEN was.due_at ELSE greatest(was.quiet_until, now()) END AS due_at,
        was.state = 'answering' AS answering
"""
SHIFT_TURNS = """
    /* merging.shift_turns */
    UPDATE turns t
    SET conversation_id = %(first)s,
        first_seq = greatest(t.first_seq, s.low + 1) + s.by,
        last_seq = t.last_seq + s.by
    FROM unnest(%(ids)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[], %(bys)s::bigint[]) AS s (id, low, high, by)
    WHERE t.company_id = %(company)s
      AND t.conversation_id = s.id
      AND t.last_seq > s.low
      AND t.last_seq <= s.high
"""
JOIN_WAITING = """
    /* merging.join_waiting */
    UPDATE turns t
    SET epoch = t.epoch + 1,
        first_seq = least(t.first_seq, %(first_seq)s),
        last_seq = greatest(t.last_seq, %(last_seq)s),
        received_at = greatest(t.received_at, %(received_at)s),
        request_id = coalesce(%(request_id)s, t.request_id),
        due_at = least(t.due_at, %(due_at)s),
        early = false
    WHERE t.company_id = %(company)s
      AND t.conversation_id = %(first)s
      AND t.state = 'waiting'
"""
OPEN_WAITING = """
    /* merging.open_waiting */
    INSERT INTO turns (
        company_id, conversation_id, channel_id, first_seq, last_seq, received_at, first_at, request_id, due_at
    )
    VALUES (
        %(company)s, %(first)s, %(channel)s, %(first_seq)s, %(last_seq)s, %(received_at)s, %(first_at)s, %(request_id)s,
        %(due_at)s
    )
"""


@dataclass(frozen=True, slots=True)
class _Cancelled:
    id: int
    epoch: int
    conversation_id: int
    first_seq: int
    last_seq: int
    received_at: Any
    first_at: Any
    request_id: str | None
    due_at: Any
    answering: bool


def _move_turns(conn: Conn, first: Locked, second: Locked, plan: Plan) -> tuple[tuple[int, int], ...]:
    own = [one for one in plan.of(first.id) if one.by]
    values: dict[str, Any] = {
        "company": first.company_id, "first": first.id, "second": second.id, "channel": first.channel_id,
        "renumbered": bool(own),
    }  # fmt: skip
    cancelled = conn.cursor(row_factory=class_row(_Cancelled)).execute(CANCEL_OPEN, values).fetchall()
    moving = [*own, *plan.of(second.id)]
    conn.execute(SHIFT_TURNS, values | _as_columns(moving))
    if cancelled:
        values |= {
            "first_seq": min(plan.seq(one.conversation_id, one.first_seq) for one in cancelled),
            "last_seq": max(plan.seq(one.conversation_id, one.last_seq) for one in cancelled),
            "received_at": max(one.received_at for one in cancelled),
            "first_at": min(one.first_at for one in cancelled),
            "request_id": max((one.request_id for one in cancelled if one.request_id is not None), default=None),
            "due_at": min(one.due_at for one in cancelled),
        }
        if conn.execute(JOIN_WAITING, values).rowcount == 0:
            conn.execute(OPEN_WAITING, values)
    return tuple((one.id, one.epoch) for one in cancelled if one.answering)


def _as_columns(stretches: Iterable[Stretch]) -> dict[str, Any]:
    ids, lows, highs, bys = columns((one.conversation_id, *one.seqs, one.by) for one in stretches) or ([], [], [], [])
    return {"ids": ids, "lows": lows, "highs": highs, "bys": bys}


# ------------------------------------------------------------------ messages

# Through negative numbers: the new places of some are still the old ones of others.
STEP_ASIDE = """
    /* merging.step_aside */
    UPDATE messages m
    SET seq = -(m.seq + s.by)
    FROM unnest(%(ids)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[], %(bys)s::bigint[]) AS s (id, low, high, by)
    WHERE m.company_id = %(company)s
      AND m.conversation_id = s.id
      AND m.seq > s.low
      AND m.seq <= s.high
"""
MOVE_MESSAGES = """
    /* merging.move_messages */
    UPDATE messages m
    SET conversation_id = %(first)s, seq = m.seq + s.by
    FROM unnest(%(ids)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[], %(bys)s::bigint[]) AS s (id, low, high, by)
    WHERE m.company_id = %(company)s
      AND m.conversation_id = s.id
      AND m.seq > s.low
      AND m.seq <= s.high
"""
STEP_BACK = """
    /* merging.step_back */
    UPDATE messages
    SET seq = -seq
    WHERE company_id = %(company)s
      AND conversation_id = %(first)s
      AND seq < 0
"""


def _move_messages(conn: Conn, first: Locked, second: Locked, plan: Plan) -> None:
    values = {"company": first.company_id, "first": first.id}
    own = [one for one in plan.of(first.id) if one.by]
    if own:
        conn.execute(STEP_ASIDE, values | _as_columns(own))
    conn.execute(MOVE_MESSAGES, values | _as_columns(plan.of(second.id)))
    if own:
        conn.execute(STEP_BACK, values)


def _move_archive(conn: Conn, first: Locked, second: Locked, plan: Plan) -> None:
    archived = next(one for one in plan.stretches if one.conversation_id == second.id)
    if archived.seqs[0] < archived.seqs[1]:
        conn.execute(
            """
            /* merging.move_archive */
            SELECT archive_move(%s, %s, %s, %s)
            """,
            (first.company_id, second.id, first.id, archived.by),
        )


# ------------------------------------------------------------------ what there is one of

EARLY_CHANGES = Rows(
    "early_changes", "conversation_id", "n.external_id = t.external_id",
    better="(t.deleted_at IS NOT NULL, coalesce(t.edited_at, '-infinity'))"
    " > (n.deleted_at IS NOT NULL, coalesce(n.edited_at, '-infinity'))",
)  # fmt: skip
FILTERS = Rows("chat_filters", "conversation_id", "true")

# ------------------------------------------------------------------ the conversations' rows

MOVE_PARTS = """
    /* merging.move_parts */
    UPDATE outbound
    SET conversation_id = %(first)s
    WHERE company_id = %(company)s
      AND conversation_id = %(second)s
"""
# What was read of `second` stays read, though something before it is not. A person who has one of the two has both.
MERGE_HEADS = """
    /* merging.merge_heads */
    UPDATE conversations f
    SET message_count = f.message_count + s.message_count,
        customer_seq = f.customer_seq + s.customer_seq,
        archived_seq = f.archived_seq + s.archived_seq,
        read_seq = 0,
        read_beyond = (SELECT coalesce(range_agg(r), '{}') FROM unnest(%(read)s::int8range[]) AS r),
        last_message_id = CASE WHEN s.newer THEN s.last_message_id ELSE f.last_message_id END,
        last_message_at = CASE WHEN s.newer THEN s.last_message_at ELSE f.last_message_at END,
        last_message_role = CASE WHEN s.newer THEN s.last_message_role ELSE f.last_message_role END,
        last_message_preview = CASE WHEN s.newer THEN s.last_message_preview ELSE f.last_message_preview END,
        delivery_problem = CASE WHEN s.newer THEN s.delivery_problem ELSE f.delivery_problem END,
        bot_step = CASE WHEN s.newer THEN s.bot_step ELSE f.bot_step END,
        bot_step_at = CASE WHEN s.newer THEN s.bot_step_at ELSE f.bot_step_at END,
        language = CASE WHEN s.newer THEN coalesce(s.language, f.language) ELSE f.language END,
        last_customer_message = CASE
            WHEN s.last_customer_at >= f.last_customer_at OR f.last_customer_at IS NULL
                THEN coalesce(s.last_customer_message, f.last_customer_message)
            ELSE f.last_customer_message
        END,
        last_customer_at = greatest(f.last_customer_at, s.last_customer_at),
        contact_id = coalesce(f.contact_id, s.contact_id),
        created_at = least(f.created_at, s.created_at),
        status = CASE
            WHEN 'handed_over' IN (f.status, s.status) THEN 'handed_over'
            WHEN f.paused_at IS NOT NULL OR s.paused_at IS NOT NULL THEN 'paused'
            WHEN (f.bot_enabled AND NOT s.bot_enabled) OR f.status = 'closed' THEN s.status
            ELSE f.status
        END,
        bot_off_reason = CASE
            WHEN f.bot_enabled OR (s.status = 'handed_over' AND f.status <> 'handed_over') THEN s.bot_off_reason
            ELSE f.bot_off_reason
        END,
        bot_off_at = greatest(f.bot_off_at, s.bot_off_at),
        return_after_s = CASE WHEN f.status = 'handed_over' THEN f.return_after_s ELSE s.return_after_s END,
        opens_at = greatest(f.opens_at, s.opens_at),
        paused_at = greatest(f.paused_at, s.paused_at),
        return_untold = f.return_untold OR s.return_untold,
        bot_enabled = f.bot_enabled AND s.bot_enabled,
        attention = CASE WHEN f.attention IS NULL THEN s.attention ELSE f.attention END,
        attention_since = CASE WHEN f.attention IS NULL THEN s.attention_since ELSE f.attention_since END,
        misses = greatest(f.misses, s.misses),
        day_answers_until = greatest(f.day_answers_until, s.day_answers_until),
        silent_until = greatest(f.silent_until, s.silent_until),
        referral = CASE WHEN s.referral_at > f.referral_at OR f.referral_at IS NULL THEN s.referral ELSE f.referral END,
        referral_at = greatest(f.referral_at, s.referral_at)
    FROM (
        SELECT c.*, c.last_message_at IS NOT NULL
            AND c.last_message_at >= coalesce(k.last_message_at, '-infinity') AS newer
        FROM conversations c
        JOIN conversations k ON k.company_id = c.company_id AND k.id = %(first)s
        WHERE c.company_id = %(company)s
          AND c.id = %(second)s
    ) s
    WHERE f.company_id = %(company)s
      AND f.id = %(first)s
"""
REMEMBER = """
    /* merging.remember */
    WITH earlier AS (
        UPDATE merged_conversations
        SET merged_into = %(first)s
        WHERE company_id = %(company)s
          AND merged_into = %(second)s
    )
    INSERT INTO merged_conversations (company_id, id, merged_into)
    VALUES (%(company)s, %(second)s, %(first)s)
"""
DELETE_SECOND = """
    /* merging.delete_second */
    DELETE FROM conversations
    WHERE company_id = %(company)s
      AND id = %(second)s
"""
_ROWS = (MOVE_PARTS, MERGE_HEADS, REMEMBER, DELETE_SECOND)
