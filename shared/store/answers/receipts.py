"""Stores receipts, which tell how an answer was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import orjson
from psycopg.rows import class_row, dict_row, scalar_row

from shared.model import Answer
from shared.store.db.pool import Conn
from shared.store.inbox import archived


def columns(answer: Answer) -> dict[str, object]:
    """Return a receipt's values by column, its lists as JSON, for replies.make()."""
    passages = [
        {
            "chunk": p.chunk_id,
            "title": p.title,
            "score": round(p.score, 4),
            "relevance": round(p.relevance, 4),
            "needed": answer.needed,
            "bm25": None if p.bm25 is None else round(p.bm25, 4),
            "cosine": None if p.cosine is None else round(p.cosine, 4),
            "evidence": p.evidence,
        }
        for p in answer.passages
    ]
    citations = [
        {
            "n": n,
            "chunk": p.chunk_id,
            "title": p.title,
            "document": p.document_id,
            "start": p.start_char,
            "end": p.start_char + len(p.text),
        }
        for n, p in answer.citations
    ]
    return {
        "step": answer.step,
        "reason": answer.step_reason,
        "passages": _json(passages),
        "citations": _json(citations),
        "attempts": _json(answer.attempts),
        "all_in": sum(a.tokens_in for a in answer.attempts),
        "all_out": sum(a.tokens_out for a in answer.attempts),
        "ms": _json(answer.ms),
        "fallback_steps": _json(answer.fallback_steps),
        "embedding_model": answer.embedding_model,
    }


def _json(value: object) -> str:
    return orjson.dumps(value).decode()  # dataclasses as objects


OF_CONVERSATION = """
    /* receipts.of_conversation */
    SELECT jsonb_build_object(
        'turn', t.id,
        'step', r.step,
        'reason', r.reason,
        'passages', r.passages,
        'citations', r.citations,
        'embedding_model', r.embedding_model,
        'attempts', r.attempts,
        'tokens_in', r.tokens_in,
        'tokens_out', r.tokens_out,
        'ms', r.ms || jsonb_build_object(
            'send', (
                SELECT round(extract(epoch FROM max(o.finished_at) - r.created_at) * 1000)::int
                FROM outbound o
                WHERE o.company_id = t.company_id
                  AND o.message_id = r.message_id
                  AND o.state = 'sent'
            )
        ),
        'answer', m.text,
        'bot', r.bot,
        'state', t.state
    )
    FROM turns t
    JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id
    LEFT JOIN messages m ON m.company_id = t.company_id AND m.id = r.message_id
    WHERE t.company_id = %s
      AND t.conversation_id = %s
    ORDER BY t.id
"""


def of_conversation(conn: Conn, company_id: int, conversation_id: int) -> list[dict[str, Any]]:
    """List the receipts of a conversation's turns, oldest first, each with its turn's and its parts' times."""
    cursor = conn.cursor(row_factory=scalar_row)
    found: list[dict[str, Any]] = cursor.execute(OF_CONVERSATION, (company_id, conversation_id)).fetchall()
    older = archived.receipts(conn, company_id, conversation_id)
    return sorted([*older, *found], key=lambda receipt: receipt["turn"]) if older else found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the answer. attempts: [{started_at, duration_ms, status, meaning}], oldest first."""

    part: int
    state: str
    meaning: str | None
    queued_at: datetime
    attempts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known of a turn, without a word of what was said. receipt: None while there is no answer;
    overtaken: calls of models whose answers were overtaken, with their cost."""

    company_id: int
    turn_id: int
    conversation_id: int
    state: str
    attempts: int
    error: str | None
    received_at: datetime
    stored_at: datetime | None
    wanted_at: datetime | None
    claimed_at: datetime | None
    finished_at: datetime | None
    answer_stored_at: datetime | None
    receipt: dict[str, Any] | None
    overtaken: dict[str, Any]
    parts: list[Part]


STORY: LiteralString = """
    /* receipts.story */
    SELECT t.company_id, t.id AS turn_id, t.conversation_id, t.state, t.attempts, t.error, t.received_at,
        m.created_at AS stored_at, t.wanted_at, t.claimed_at, t.finished_at, r.stored_at AS answer_stored_at,
        CASE
            WHEN r.turn_id IS NOT NULL THEN jsonb_build_object(
                'step', r.step,
                'reason', r.reason,
                'fallback_steps', coalesce(r.fallback_steps, '[]'),
                'passages', r.passages,
                'citations', r.citations,
                'attempts', r.attempts,
                'tokens_in', r.tokens_in,
                'tokens_out', r.tokens_out,
                'cost_micros', r.cost_micros,
                'ms', r.ms,
                'embedding_model', r.embedding_model,
                'bot', r.bot
            )
        END AS receipt,
        (
            SELECT jsonb_build_object('calls', count(*), 'cost_micros', coalesce(sum(c.cost_micros), 0))
            FROM llm_calls c
            WHERE c.company_id = t.company_id
              AND c.turn_id = t.id
              AND (c.epoch <> t.epoch OR r.turn_id IS NULL)
        ) AS overtaken,
        coalesce(r.message_id, 0) AS message_id
    FROM turns t
    LEFT JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id
    LEFT JOIN messages m
        ON m.company_id = t.company_id AND m.conversation_id = t.conversation_id AND m.seq = t.last_seq
    WHERE t.id = %(turn)s
      AND (%(company)s::bigint IS NULL OR t.company_id = %(company)s)
"""

PARTS: LiteralString = """
    /* receipts.parts */
    SELECT o.part, o.state, o.meaning, o.created_at AS queued_at,
        coalesce(
            (
                SELECT jsonb_agg(
                    jsonb_build_object(
                        'started_at', a.started_at,
                        'duration_ms', a.duration_ms,
                        'status', a.status,
                        'meaning', a.meaning
                    )
                    ORDER BY a.attempt
                )
                FROM delivery_attempts a
                WHERE a.company_id = o.company_id
                  AND a.outbound_id = o.id
            ),
            '[]'
        ) AS attempts
    FROM outbound o
    WHERE o.company_id = %(company)s
      AND o.message_id = %(message)s
    ORDER BY o.part
"""

ARCHIVED_STORY: LiteralString = "/* receipts.story */" + archived.AS_TABLES + STORY
ARCHIVED_PARTS: LiteralString = "/* receipts.parts */" + archived.AS_TABLES + PARTS


def story(conn: Conn, turn_id: int, company_id: int | None = None) -> Story | None:
    """Tell all that is known of a turn; None: there is none. For the owner role.

    company_id: None if the turn's is not known; the archive, where the turn is looked for last, then takes longer.
    """
    found = _story(conn, STORY, PARTS, {"turn": turn_id, "company": company_id})
    if found is None:
        place = archived.place_of_turn(conn, turn_id, company_id)
        if place is not None:
            at = {"turn": turn_id, "company": place[0], "conversation": place[1]}
            found = _story(conn, ARCHIVED_STORY, ARCHIVED_PARTS, at)
    return found


def _story(conn: Conn, of_turn: LiteralString, of_parts: LiteralString, at: Mapping[str, int | None]) -> Story | None:
    known = conn.cursor(row_factory=dict_row).execute(of_turn, at).fetchone()
    if known is None:
        return None
    of_answer = {**at, "company": known["company_id"], "message": known.pop("message_id")}
    parts = conn.cursor(row_factory=class_row(Part)).execute(of_parts, of_answer).fetchall()
    return Story(**known, parts=parts)
