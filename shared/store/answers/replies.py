"""Storing an answer: the turn's end, the message, its parts, the model calls, the receipt, the conversation's newest
message and step, the company's day. One statement, so one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import class_row, scalar_row

from shared.model import Answer, BotMove
from shared.store.answers import receipts
from shared.store.answers.turns import Claim
from shared.store.db.pool import Conn, one_line
from shared.store.inbox.conversations import PREVIEW_CHARS, Locked
from shared.store.models import usage


@dataclass(frozen=True, slots=True)
class Made:
    """A stored answer. cost_micros: the cost of its calls, None if a model has no price."""

    message_id: int
    cost_micros: int | None


WANTS_PERSON = "wants_person"
ASKS_FOR_A_PERSON = frozenset(("unknown", "handover"))
OFFER_ACCEPTED = "offer_accepted"
ORDERED = "order"
PAUSED_QUESTION = "paused_question"
_WISHES = frozenset((WANTS_PERSON, OFFER_ACCEPTED, ORDERED))
"""Of the customer's own: they stand before whatever called a person first."""
ANSWERS_LIMIT = "answers_limit"
"""A contact has had as many answers as anybody gets in an hour."""
_REASONS_FOR_A_PERSON = _WISHES | {"loop", PAUSED_QUESTION, ANSWERS_LIMIT}
DAY_ANSWERS_MAX = 200
DAY_ANSWER_EVERY_S = 86_400 / DAY_ANSWERS_MAX
"""The pace of the bot's answers in one conversation: each moves conversations.day_answers_until on by so much, and how
far that is ahead of now tells how many came faster. No person asks so much in a day."""


def attention_of(answer: Answer) -> str | None:
    """Return why a person should look at the conversation, None if no person needs to."""
    asks = answer.step in ASKS_FOR_A_PERSON or answer.step_reason in _REASONS_FOR_A_PERSON
    return answer.step_reason if asks else None


MAKE_NONE = """
    /* replies.make_none */
    WITH ended AS (
        UPDATE turns
        SET state = 'no_reply', finished_at = now(), error = NULL
        WHERE company_id = %(company)s
          AND id = %(turn)s
          AND epoch = %(epoch)s
          AND state = 'answering'
        RETURNING id
    )
    INSERT INTO receipts (company_id, turn_id, step, reason, passages, citations, attempts, ms, fallback_steps)
    SELECT %(company)s, ended.id, %(step)s, %(reason)s, %(passages)s::jsonb, %(citations)s::jsonb,
        %(attempts)s::jsonb, %(ms)s::jsonb, %(fallback_steps)s::jsonb
    FROM ended
"""


def make_none(conn: Conn, claim: Claim, answer: Answer) -> bool:
    """End a turn that wants no reply as `no_reply`, with a receipt that says why. Returns False, and writes nothing, if
    the lease is gone."""
    cursor = conn.execute(
        MAKE_NONE,
        {"company": claim.company_id, "turn": claim.turn_id, "epoch": claim.epoch, **receipts.columns(answer)},
        prepare=True,
    )
    return cursor.rowcount == 1


SILENCE = """
    /* replies.silence */
    UPDATE conversations
    SET silent_until = CASE
            WHEN silent_until > now() THEN silent_until
            ELSE now() + make_interval(secs => %(for_s)s)
        END,
        attention = coalesce(attention, %(attention)s),
        attention_since = coalesce(attention_since, now())
    WHERE company_id = %(company)s
      AND id = %(conversation)s
"""


def silence(conn: Conn, claim: Claim, conversation_id: int, *, attention: str, for_s: float) -> None:
    """Let the bot give no answer in this conversation for for_s, and call a person to it. The time runs from when it
    was first silenced. The conversation is locked."""
    conn.execute(
        SILENCE,
        {"company": claim.company_id, "conversation": conversation_id, "attention": attention, "for_s": for_s},
        prepare=True,
    )


MAKE = one_line(
    """
    /* replies.make */
    WITH ended AS (
        UPDATE turns
        SET state = %(state)s, finished_at = now(), error = NULL
        WHERE company_id = %(company)s
          AND id = %(turn)s
          AND epoch = %(epoch)s
          AND state = 'answering'
        RETURNING id
    ),
    said AS (
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text)
        SELECT %(company)s, %(conversation)s, %(channel)s, %(seq)s, 'bot', %(text)s
        FROM ended
        RETURNING id
    ),
    parts AS (
        INSERT INTO outbound (company_id, conversation_id, channel_id, turn_id, message_id, part, text)
        SELECT %(company)s, %(conversation)s, %(channel)s, %(turn)s, said.id, p.part, p.text
        FROM said, unnest(%(parts)s::text[]) WITH ORDINALITY AS p (text, part)
        ORDER BY p.part
    ),
    cost AS (
        SELECT add_model_calls(
            %(company)s, ended.id, %(epoch)s, settle_reservation(%(company)s, %(reservation)s, %(contact)s),
            %(attempts)s::jsonb || %(beside)s::jsonb
        ) AS micros
        FROM ended
    ),
    receipt AS (
        INSERT INTO receipts (
            company_id, turn_id, message_id, step, reason, passages, citations, attempts, tokens_in, tokens_out, ms,
            fallback_steps, cost_micros, embedding_model, bot
        )
        SELECT %(company)s, %(turn)s, said.id, %(step)s, %(reason)s, %(passages)s::jsonb, %(citations)s::jsonb,
            %(attempts)s::jsonb, %(all_in)s, %(all_out)s, %(ms)s::jsonb, %(fallback_steps)s::jsonb, cost.micros,
            %(embedding_model)s, %(bot)s::text
        FROM said, cost
    ),
    head AS (
        UPDATE conversations
        SET message_count = %(seq)s,
            last_message_id = said.id,
            last_message_at = now(),
            last_message_role = 'bot',
            last_message_preview = %(preview)s,
            bot_step = %(step)s,
            bot_step_at = now(),
            bot_enabled = coalesce(%(enabled)s::boolean, bot_enabled),
            status = coalesce(%(status)s::text, status),
            bot_off_reason = CASE
                WHEN %(enabled)s IS NULL THEN bot_off_reason
                WHEN NOT %(enabled)s THEN %(reason)s
            END,
            bot_off_at = CASE
                WHEN %(enabled)s IS NULL THEN bot_off_at
                WHEN NOT %(enabled)s THEN now()
            END,
            return_after_s = %(return_after_s)s::int,
            opens_at = %(opens)s::timestamptz,
            paused_at = CASE
                WHEN %(enabled)s IS NULL THEN paused_at
                WHEN %(status)s = 'paused' THEN now()
            END,
            return_untold = false,
            misses = CASE
                WHEN %(step)s = 'unknown' THEN misses + 1
                WHEN %(step)s IN ('full', 'cheaper', 'passages') THEN 0
                ELSE misses
            END,
            day_answers_until = greatest(coalesce(day_answers_until, now()), now())
                + make_interval(secs => %(day_every_s)s),
            attention = CASE WHEN %(wish)s THEN %(attention)s ELSE coalesce(attention, %(attention)s) END,
            attention_since = CASE
                WHEN coalesce(attention, %(attention)s) IS NOT NULL THEN coalesce(attention_since, now())
            END
        FROM said
        WHERE conversations.company_id = %(company)s
          AND conversations.id = %(conversation)s
    ),
    habit AS (
        UPDATE contacts
        SET turn_history = n.history
        FROM said, contacts k, LATERAL (
            SELECT CASE
                WHEN k.turn_history < 1024 THEN 2 * k.turn_history + %(burst)s::boolean::int
                ELSE 1024 + mod(2 * k.turn_history + %(burst)s::boolean::int, 1024)
            END AS history
        ) n
        WHERE contacts.company_id = %(company)s
          AND contacts.id = %(contact)s::bigint
          AND k.company_id = contacts.company_id
          AND k.id = contacts.id
          AND n.history <> k.turn_history
    ),
    counted AS (
        INSERT INTO contact_answers AS w (company_id, contact_id, answered_at, told_at)
        SELECT %(company)s, %(contact)s, CASE WHEN %(limit)s THEN '{}' ELSE ARRAY[now()] END,
            CASE WHEN %(limit)s THEN now() END
        FROM said
        WHERE %(contact)s::bigint IS NOT NULL
        ON CONFLICT (company_id, contact_id) DO UPDATE
        SET answered_at = CASE
                WHEN %(limit)s THEN w.answered_at
                ELSE ARRAY(
                    SELECT a
                    FROM unnest(w.answered_at) AS a
                    WHERE a > now() - interval '1 hour'
                ) || now()
            END,
            told_at = CASE WHEN %(limit)s THEN now() ELSE w.told_at END
    )
    SELECT said.id AS message_id, cost.micros AS cost_micros
    FROM said, cost
    """
)
RETURN_AFTER = """
    /* replies.return_after */
    SELECT a.return_after_s
    FROM channels h
    JOIN assistants a ON a.company_id = h.company_id AND a.id = h.assistant_id
    WHERE h.company_id = %s
      AND h.id = %s
"""
_STATUS_AFTER: Mapping[BotMove, str] = {"hands_over": "handed_over", "pauses": "paused", "resumes": "open"}


def make(
    conn: Conn, claim: Claim, conversation: Locked, state: str, answer: Answer, parts: Sequence[str], *,
    contact_id: int | None = None, reservation_id: int | None = None, burst: bool = False,
) -> Made | None:  # fmt: skip
    """Store an answer and its parts behind the conversation's last message, all in one statement.

    conversation: locked by this transaction; where the answer asks for a person, it is marked for people. state: the
    turn's, `answered` or `handed_over`. contact_id: the customer for whom models were called and whose hour the
    answer counts in. reservation_id: what was reserved for the calls in a budget, which this settles. burst: whether
    the customer wrote several messages. None, and nothing is written, if the lease is gone.
    """
    cursor = conn.cursor(row_factory=class_row(Made))
    cursor.execute(
        MAKE,
        {
            "company": claim.company_id,
            "turn": claim.turn_id,
            "epoch": claim.epoch,
            "state": state,
            "conversation": conversation.id,
            "channel": conversation.channel_id,
            "seq": conversation.message_count + 1,
            "burst": burst,
            "text": answer.text,
            "contact": contact_id,
            "limit": answer.step_reason == ANSWERS_LIMIT,
            "attention": attention_of(answer),
            "wish": answer.step_reason in _WISHES,
            "day_every_s": DAY_ANSWER_EVERY_S,
            "preview": answer.text[:PREVIEW_CHARS],
            **_bot_columns(conn, conversation, answer),
            "parts": list(parts),
            "reservation": reservation_id,
            "beside": usage.as_json(answer.beside),
            **receipts.columns(answer),
        },
        prepare=True,
    )
    return cursor.fetchone()


def _bot_columns(conn: Conn, conversation: Locked, answer: Answer) -> dict[str, object]:
    """What becomes of the conversation, by column; of one that stays as it is nothing is looked up."""
    hands_over = answer.bot == "hands_over"
    return {
        "bot": answer.bot,
        "enabled": None if answer.bot is None else answer.bot == "resumes",
        "status": None if answer.bot is None else _STATUS_AFTER[answer.bot],
        "return_after_s": _return_after_s(conn, conversation) if hands_over else None,
        "opens": answer.opens if hands_over else None,
    }


def _return_after_s(conn: Conn, conversation: Locked) -> int | None:
    cursor = conn.cursor(row_factory=scalar_row)
    found: int | None = cursor.execute(RETURN_AFTER, (conversation.company_id, conversation.channel_id)).fetchone()
    return found
